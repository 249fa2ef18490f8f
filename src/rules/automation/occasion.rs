//! What happened, as rules see it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::TimeZone;
use super::super::condition::Facts;
use crate::operations::catalog::Entry;

/// The most values of one field that are looked at.
const MOST_VALUES: usize = 500;

/// One event, as rules see it.
#[derive(Clone)]
pub struct Occasion {
    /// What happened.
    pub trigger: &'static Entry,
    /// What its sender says of it, by the names of the catalog.
    pub data: Value,
    /// What the bridge knows besides: `event.…`, `person.…`, the linked records.
    pub known: Map<String, Value>,
    /// When it reached the bridge: `now` of a rule, so that a repeat says the same.
    pub at: Timestamp,
    /// By which a day without a time is read.
    pub zone: TimeZone,
}

impl std::fmt::Debug for Occasion {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What happened names people.
        write!(out, "Occasion({})", self.trigger.id)
    }
}

impl Occasion {
    /// The value of a field: what the sender says stands before what the bridge knows.
    pub fn value(&self, field: &str) -> Option<Cow<'_, Value>> {
        let said = at(&self.data, field).filter(|value| !is_empty(value));
        let known = || self.known.get(field).filter(|value| !is_empty(value)).map(Cow::Borrowed);
        said.or_else(known)
    }

    /// The texts of a field: none, one, or the several of a list.
    pub fn texts(&self, field: &str) -> Vec<String> {
        self.value(field).map(|value| texts(&value)).unwrap_or_default()
    }

    /// These fields, for a condition.
    pub fn facts(&self, fields: Vec<&str>) -> impl Facts + use<> {
        Held(fields.into_iter().map(|field| (field.to_owned(), self.texts(field))).collect())
    }
}

/// Follows the dots into objects. In a list of objects that have an id and a value, as HighLevel's custom fields, the
/// next name is an id.
fn at<'a>(value: &'a Value, path: &str) -> Option<Cow<'a, Value>> {
    let mut here = value;
    let mut rest = path;
    loop {
        // A key may have dots of its own.
        if let Some(value) = here.get(rest) {
            return Some(Cow::Borrowed(value));
        }
        let (name, after) = rest.split_once('.')?;
        match here.get(name)? {
            Value::Array(items) => {
                let is_it = |item: &&Value| {
                    ["id", "key", "name"].iter().any(|key| item.get(*key).is_some_and(|id| id == after))
                };
                let found = items.iter().take(MOST_VALUES).find(is_it)?;
                let keys = ["value", "field_value", "fieldValue"];
                return keys.iter().find_map(|key| found.get(*key)).map(Cow::Borrowed);
            }
            inner => (here, rest) = (inner, after),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A value in words; a list has several.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().take(MOST_VALUES).flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

struct Held(BTreeMap<String, Vec<String>>);

impl Facts for Held {
    fn values(&self, field: &str) -> Vec<&str> {
        self.0.get(field).into_iter().flatten().map(String::as_str).collect()
    }
}
