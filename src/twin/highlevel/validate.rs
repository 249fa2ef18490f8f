//! HighLevel's strictness: unknown properties, wrong types and missing ones are 422 with a list of messages.

use serde_json::{Map, Value, json};

use super::state::refusal;
use crate::twin::call::{Call, Reply};

/// What a property may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    Texts,
    Object,
    Objects,
    Any,
}

/// A property a body may have.
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
}

/// A property that may be left out or null.
pub(super) const fn may(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, is_required: false }
}

/// A property that must be there.
pub(super) const fn must(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, is_required: true }
}

/// The body as an object with only these properties.
///
/// # Errors
/// 400 when it is no JSON, 422 with every complaint in HighLevel's words.
pub(super) fn body(call: &Call, properties: &[Property]) -> Result<Map<String, Value>, Reply> {
    let value = call.json().map_err(|error| refusal(400, &format!("{error} in JSON")))?;
    let Value::Object(object) = value else {
        return Err(refusal(400, "Unexpected token in JSON at position 0"));
    };
    check(&object, properties)?;
    Ok(object)
}

/// Checks an object as [`body`] does.
///
/// # Errors
/// 422 with every complaint.
pub(super) fn check(object: &Map<String, Value>, properties: &[Property]) -> Result<(), Reply> {
    let mut messages: Vec<String> = object
        .keys()
        .filter(|name| !properties.iter().any(|property| property.name == name.as_str()))
        .map(|name| format!("property {name} should not exist"))
        .collect();
    for Property { name, kind, is_required } in properties {
        match object.get(*name) {
            None | Some(Value::Null) if *is_required => {
                if *kind == Kind::Text {
                    messages.push(format!("{name} should not be empty"));
                }
                messages.push(kind.complaint(name));
            }
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if *is_required && text.is_empty() => {
                messages.push(format!("{name} should not be empty"));
            }
            Some(value) if !kind.fits(value) => messages.push(kind.complaint(name)),
            Some(Value::String(email))
                if *name == "email" && !email.is_empty() && !looks_like_email(email) =>
            {
                messages.push("email must be an email".to_owned());
            }
            Some(_) => {}
        }
    }
    if messages.is_empty() { Ok(()) } else { Err(unprocessable(&messages)) }
}

/// 422 with these messages.
pub(super) fn unprocessable(messages: &[String]) -> Reply {
    Reply::new(422, json!({"statusCode": 422, "message": messages, "error": "Unprocessable Entity"}))
}

fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
    }) && !text.contains(char::is_whitespace)
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Number => value.is_number(),
            Self::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Object => value.is_object(),
            Self::Objects => value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
            Self::Any => true,
        }
    }

    fn complaint(self, name: &str) -> String {
        match self {
            Self::Text => format!("{name} must be a string"),
            Self::Flag => format!("{name} must be a boolean value"),
            Self::Number => {
                format!("{name} must be a number conforming to the specified constraints")
            }
            Self::Texts => format!("each value in {name} must be a string"),
            Self::Object => format!("{name} must be an object"),
            Self::Objects => format!("{name} must be an array"),
            Self::Any => format!("{name} should not be null or undefined"),
        }
    }
}
