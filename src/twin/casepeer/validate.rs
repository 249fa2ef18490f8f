//! The contract's strictness: every body is checked against the fields it may have.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::state::{Record, refusal};
use crate::twin::call::{Call, Reply};

/// What a field may be; null is always allowed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Text,
    Flag,
    Date,
    Moment,
    OneOf(&'static [&'static str]),
    Texts,
    /// Anything as long as it is an object.
    Free,
    Object(&'static [Field]),
}

/// A field a body may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field(pub(super) &'static str, pub(super) Shape);

const ADDRESS: &[Field] = &[
    Field("line1", Shape::Text),
    Field("line2", Shape::Text),
    Field("city", Shape::Text),
    Field("state", Shape::Text),
    Field("zip", Shape::Text),
];

const CLIENT: &[Field] = &[
    Field("id", Shape::Text),
    Field("first_name", Shape::Text),
    Field("last_name", Shape::Text),
    Field("email", Shape::Text),
    Field("phone", Shape::Text),
    Field("language", Shape::Text),
    Field("address", Shape::Object(ADDRESS)),
    Field("date_of_birth", Shape::Date),
];

const INCIDENT: &[Field] =
    &[Field("state", Shape::Text), Field("city", Shape::Text), Field("address", Shape::Text)];
const SOURCE: &[Field] = &[Field("type", Shape::Text), Field("detail", Shape::Text)];

pub(super) const CONTACT: &[Field] = &[
    Field("external_ref", Shape::Text),
    Field("first_name", Shape::Text),
    Field("last_name", Shape::Text),
    Field("email", Shape::Text),
    Field("phone", Shape::Text),
    Field("language", Shape::Text),
    Field("address", Shape::Object(ADDRESS)),
    Field("date_of_birth", Shape::Date),
    Field("custom", Shape::Free),
];

pub(super) const LEAD: &[Field] = &[
    Field("external_ref", Shape::Text),
    Field("status", Shape::Text),
    Field("milestone", Shape::Text),
    Field("client", Shape::Object(CLIENT)),
    Field("case_type", Shape::Text),
    Field("date_of_loss", Shape::Date),
    Field("incident", Shape::Object(INCIDENT)),
    Field("summary", Shape::Text),
    Field("source", Shape::Object(SOURCE)),
    Field("assignees", Shape::Free),
    Field("reject_reason", Shape::Text),
    Field("custom", Shape::Free),
];

pub(super) const CASE: &[Field] = &[
    Field("external_ref", Shape::Text),
    Field("status", Shape::Text),
    Field("milestone", Shape::Text),
    Field("client", Shape::Object(CLIENT)),
    Field("case_type", Shape::Text),
    Field("date_of_loss", Shape::Date),
    Field("incident", Shape::Object(INCIDENT)),
    Field("summary", Shape::Text),
    Field("source", Shape::Object(SOURCE)),
    Field("assignees", Shape::Free),
    Field("reject_reason", Shape::Text),
    Field("custom", Shape::Free),
    Field("name", Shape::Text),
    Field("number", Shape::Text),
    Field("retained_at", Shape::Moment),
    Field("closed_at", Shape::Moment),
    Field("statute_date", Shape::Date),
];

pub(super) const TASK: &[Field] = &[
    Field("external_ref", Shape::Text),
    Field("lead_id", Shape::Text),
    Field("case_id", Shape::Text),
    Field("title", Shape::Text),
    Field("body", Shape::Text),
    Field("priority", Shape::OneOf(&["low", "regular", "medium", "urgent"])),
    Field("due_at", Shape::Moment),
    Field("assignee_id", Shape::Text),
    Field("completed", Shape::Flag),
];

pub(super) const NOTE: &[Field] = &[
    Field("external_ref", Shape::Text),
    Field("body", Shape::Text),
    Field("category", Shape::Text),
    Field("author_id", Shape::Text),
    Field("occurred_at", Shape::Moment),
];

pub(super) const WEBHOOK: &[Field] =
    &[Field("url", Shape::Text), Field("events", Shape::Texts), Field("secret", Shape::Text)];

/// The body as an object with only these fields; `required` are paths, and a PATCH needs none of them,
/// but may not empty them either.
///
/// # Errors
/// 400 when it is no JSON object, 422 with every fault in `fields`.
pub(super) fn body(call: &Call, fields: &[Field], required: &[&str]) -> Result<Record, Reply> {
    let object = match call.json() {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(refusal(400, "malformed_json", "the body must be a JSON object")),
        Err(error) => return Err(refusal(400, "malformed_json", &error.to_string())),
    };
    let mut faults = Vec::new();
    check(&object, fields, "", &mut faults);
    for path in required {
        let held = at(&object, path);
        let is_empty = matches!(held, Some(Value::Null)) || held.is_some_and(|held| *held == "");
        if is_empty || (held.is_none() && call.method != Method::PATCH) {
            faults.push(fault(path, "required"));
        }
    }
    if faults.is_empty() { Ok(object) } else { Err(invalid(faults)) }
}

/// 422 with these faults.
pub(super) fn invalid(faults: Vec<Value>) -> Reply {
    let mut reply = refusal(422, "validation_failed", "some fields are not valid");
    reply.body["error"]["fields"] = Value::Array(faults);
    reply
}

/// One entry of `fields`.
pub(super) fn fault(path: &str, code: &str) -> Value {
    json!({"path": path, "code": code})
}

fn at<'a>(object: &'a Record, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = object.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

fn check(object: &Map<String, Value>, fields: &[Field], prefix: &str, faults: &mut Vec<Value>) {
    for (name, value) in object {
        let path = format!("{prefix}{name}");
        let Some(Field(_, shape)) = fields.iter().find(|field| field.0 == name) else {
            faults.push(fault(&path, "unknown_property"));
            continue;
        };
        match (shape, value) {
            (_, Value::Null) => {}
            (Shape::Object(inner), Value::Object(held)) => check(held, inner, &format!("{path}."), faults),
            (shape, value) if shape.fits(value) => {}
            (Shape::OneOf(_), Value::String(_)) => faults.push(fault(&path, "not_in_list")),
            (Shape::Date | Shape::Moment, Value::String(_)) => faults.push(fault(&path, "format")),
            _ => faults.push(fault(&path, "type")),
        }
    }
}

impl Shape {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Date => value.as_str().is_some_and(|date| date.len() == 10 && is_date(date)),
            Self::Moment => value.as_str().is_some_and(|moment| moment.parse::<jiff::Timestamp>().is_ok()),
            Self::OneOf(list) => value.as_str().is_some_and(|held| list.contains(&held)),
            Self::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Free => value.is_object(),
            Self::Object(_) => false,
        }
    }
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok()
}
