//! Where a value lies in a vendor's JSON: `client.address.city`, `clients[0].id`, `fields[custom_field.id=17].value`.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The most elements that a place may add to a list to reach its index.
const MOST_ELEMENTS: usize = 16;

/// A place in a JSON document; the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A key of an object.
    Key(String),
    /// An element of a list by its number.
    Index(usize),
    /// The element of a list that has this value under these keys.
    Where(Vec<String>, String),
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!("`{text}` {what}; a place is written as `a.b`, `list[0].a` or `list[key.id=17].value`")
        };
        let mut steps = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (inside, after) = inside.split_once(']').ok_or_else(|| wrong("has an open bracket"))?;
                steps.push(match inside.split_once('=') {
                    Some((key, value)) if !key.is_empty() => {
                        Step::Where(key.split('.').map(str::to_owned).collect(), value.to_owned())
                    }
                    _ => match inside.parse() {
                        Ok(index) if index < MOST_ELEMENTS => Step::Index(index),
                        _ => {
                            return Err(wrong(
                                "has a bracket that is neither a number below 16 nor `key=value`",
                            ));
                        }
                    },
                });
                rest = after.strip_prefix('.').unwrap_or(after);
                continue;
            }
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(wrong("has an empty name"));
            }
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
            if let Some(after) = rest.strip_prefix('.') {
                if after.is_empty() {
                    return Err(wrong("ends in a dot"));
                }
                rest = after;
            }
        }
        Ok(Self(steps))
    }
}

impl Place {
    /// A place that the program itself names.
    pub(super) fn at(text: &str) -> Self {
        Self::try_from(text.to_owned()).expect("a place of our own is well formed")
    }

    /// What lies there.
    pub(super) fn get<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(document, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
            Step::Where(keys, wanted) => {
                value.as_array()?.iter().find(|element| is_that(element, keys, wanted))
            }
        })
    }

    /// Text or a number that lies there, as text; blank text is nothing.
    pub(super) fn text(&self, document: &Value) -> Option<String> {
        match self.get(document)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Puts a value there, making the objects and lists on the way.
    pub(super) fn put(&self, document: &mut Value, new: Value) {
        let mut slot = document;
        for step in &self.0 {
            slot = match step {
                Step::Key(key) => object(slot).entry(key).or_insert(Value::Null),
                Step::Index(index) => {
                    let list = list(slot);
                    while list.len() <= *index {
                        list.push(Value::Null);
                    }
                    &mut list[*index]
                }
                Step::Where(keys, wanted) => {
                    let list = list(slot);
                    let known = list.iter().position(|element| is_that(element, keys, wanted));
                    let index = known.unwrap_or_else(|| {
                        list.push(element(keys, wanted));
                        list.len() - 1
                    });
                    &mut list[index]
                }
            };
        }
        *slot = new;
    }
}

fn is_that(element: &Value, keys: &[String], wanted: &str) -> bool {
    match keys.iter().try_fold(element, |value, key| value.get(key)) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Number(number)) => number.to_string() == wanted,
        _ => false,
    }
}

/// A new list element of which [`is_that`] holds.
fn element(keys: &[String], wanted: &str) -> Value {
    let value = wanted.parse::<i64>().map_or_else(|_| Value::from(wanted), Value::from);
    keys.iter().rev().fold(value, |inner, key| Value::Object(Map::from_iter([(key.clone(), inner)])))
}

fn object(slot: &mut Value) -> &mut Map<String, Value> {
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("made an object above")
}

fn list(slot: &mut Value) -> &mut Vec<Value> {
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    slot.as_array_mut().expect("made a list above")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_put_is_found_there() {
        let mut document = json!({});
        for (place, value) in [
            ("name", json!("Ada")),
            ("address.city", json!("Austin")),
            ("staff[0].id", json!(7)),
            ("fields[custom_field.id=17].value", json!("Auto")),
            ("fields[custom_field.id=18].value", json!("ghl:1")),
        ] {
            Place::at(place).put(&mut document, value.clone());
            assert_eq!(Place::at(place).get(&document), Some(&value), "{place}");
        }
        assert_eq!(
            document["fields"][1],
            json!({ "custom_field": { "id": 18 }, "value": "ghl:1" }),
            "a new element carries what it is found by"
        );
        assert_eq!(Place::default().get(&document), Some(&document));
    }

    #[test]
    fn a_wrong_place_is_told_what_is_right() {
        for wrong in ["a..b", "a[", "a[x]", "a.", "a[99]", ".a"] {
            let why = Place::try_from(wrong.to_owned()).unwrap_err();
            assert!(why.contains("a place is written as"), "{wrong}: {why}");
        }
    }
}
