//! Values of parameters: reading them from text, and judging them.

use serde_json::Value;

use super::{Parameter, Place, Type};

/// The longest text that may stand in a path, in bytes.
const LONGEST_IN_PATH: usize = 200;

impl Parameter {
    /// The value a person wrote as text: lists as JSON or separated by commas, objects as JSON.
    ///
    /// # Errors
    /// What would be a value.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        if self.nullable && text == "null" {
            return Ok(Value::Null);
        }
        let json = || serde_json::from_str::<Value>(text).ok();
        let value = match self.of {
            Type::Text => Some(Value::String(text.to_owned())),
            Type::Number | Type::Boolean | Type::Object => json(),
            Type::List => json(),
            Type::Texts => {
                let parts = || text.split(',').map(|part| Value::from(part.trim())).collect();
                Some(json().filter(Value::is_array).unwrap_or_else(|| Value::Array(parts())))
            }
        };
        value.filter(|value| self.fits(value)).ok_or_else(|| self.wish())
    }

    /// A value in the type that is wanted, where it can be had without a doubt: "3" is a number where one is wanted, and
    /// a text alone is a list of one. Anything else stays as it is.
    pub fn fitted(&self, value: &Value) -> Value {
        match (self.of, value) {
            (Type::Text, Value::Number(_) | Value::Bool(_)) => value.to_string().into(),
            (Type::Text, Value::Array(_)) => texts(value).join(", ").into(),
            (Type::Texts, Value::Array(_)) => texts(value).into(),
            (Type::Texts, Value::String(_) | Value::Number(_)) => texts(value).into(),
            (Type::Number | Type::Boolean, Value::String(text)) => {
                self.read(text.trim()).unwrap_or_else(|_| value.clone())
            }
            _ => value.clone(),
        }
    }

    /// What is wrong with a value; nothing if it may be sent.
    pub fn refusal(&self, value: &Value) -> Option<String> {
        self.complaint(value)
    }

    /// What is wrong with a value; nothing if it may be sent.
    pub(super) fn complaint(&self, value: &Value) -> Option<String> {
        if value.is_null() {
            return (!self.nullable).then(|| self.wish());
        }
        if !self.fits(value) {
            return Some(self.wish());
        }
        let text = value.as_str().unwrap_or_default();
        if !self.one_of.is_empty() && !self.one_of.iter().any(|word| word == text) {
            return Some(self.wish());
        }
        match self.place {
            Place::Path if text.len() > LONGEST_IN_PATH => {
                Some(format!("may have {LONGEST_IN_PATH} bytes at most"))
            }
            Place::Header if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                Some("may have only plain letters, digits and signs".to_owned())
            }
            _ => None,
        }
    }

    fn fits(&self, value: &Value) -> bool {
        match self.of {
            Type::Text => value.is_string(),
            Type::Number => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Type::List => value.is_array(),
            Type::Object => value.is_object(),
        }
    }

    /// What it must be. The value itself is not repeated: it may name a person.
    fn wish(&self) -> String {
        if !self.one_of.is_empty() {
            return format!("must be one of {}", self.one_of.join(", "));
        }
        let word = match self.of {
            Type::Text => "text",
            Type::Number => "a number",
            Type::Boolean => "true or false",
            Type::Texts => "a list of texts",
            Type::List => "a list",
            Type::Object => "an object",
        };
        if self.secret {
            format!("must be {word}")
        } else {
            format!("must be {word}, such as {}", self.example)
        }
    }
}

/// A value as it stands in a path, a query or a header; a list has several.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}
