//! `[records.…]`: the fields of a record, our name for each and its place at the vendor.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::CannotSend;
use super::place::Place;
use super::transform::Transform;
use super::values::{Mapped, UnknownWord, ValueMap};

/// The kinds of record, and the names their fields have in our published contract.
const KINDS: [(&str, &[&str]); 6] =
    [("lead", MATTER), ("case", MATTER), ("client", MATTER), ("task", TASK), ("note", NOTE), ("user", USER)];
/// What a lead or case has any number of: the firm's own fields, and who works on it by role.
const OPEN: [&str; 2] = ["custom.", "assignees."];
const MATTER: &[&str] = &[
    "id",
    "lead_id",
    "case_id",
    "external_ref",
    "name",
    "number",
    "status",
    "case_type",
    "summary",
    "reject_reason",
    "date_of_loss",
    "retained_at",
    "closed_at",
    "created_at",
    "updated_at",
    "version",
    "url",
    "incident.state",
    "incident.city",
    "incident.address",
    "source.type",
    "source.detail",
    "client.id",
    "client.first_name",
    "client.last_name",
    "client.email",
    "client.phone",
    "client.language",
    "client.date_of_birth",
    "client.address.line1",
    "client.address.city",
    "client.address.state",
    "client.address.zip",
];
const TASK: &[&str] = &[
    "id",
    "lead_id",
    "case_id",
    "external_ref",
    "title",
    "body",
    "priority",
    "due_at",
    "assignee_id",
    "completed",
    "completed_at",
    "created_at",
    "updated_at",
    "version",
];
const NOTE: &[&str] = &[
    "id",
    "lead_id",
    "case_id",
    "external_ref",
    "body",
    "category",
    "author_id",
    "occurred_at",
    "created_at",
    "updated_at",
    "version",
];

const USER: &[&str] = &["id", "name", "first_name", "last_name", "email"];

/// One kind of record at the vendor.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordMap {
    /// The vendor's name of the type, for JSON:API.
    #[serde(rename = "type")]
    pub(super) type_name: Option<String>,
    /// The fields that are relationships in JSON:API, with the type of what they name.
    #[serde(default)]
    pub(super) relationships: BTreeMap<String, String>,
    /// Our name → the vendor's place. Without any, the record has the form of our contract.
    #[serde(default)]
    fields: BTreeMap<String, FieldMap>,
    /// Where what has no place of its own is written, as lines of text; without it, it is left out.
    unmapped: Option<Place>,
}

/// Which way a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    #[default]
    Both,
    /// Only from us to the vendor.
    Out,
    /// Only from the vendor to us.
    In,
}

/// How private a field is. `sensitive` is not even read unless `shared` says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Privacy {
    Public,
    #[default]
    Pii,
    Sensitive,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Full {
    at: Place,
    #[serde(default, rename = "as")]
    form: Transform,
    values: Option<String>,
    #[serde(default)]
    direction: Direction,
    #[serde(default)]
    required: bool,
    default: Option<Value>,
    /// Our names whose values are written here, separated by spaces.
    concat: Option<Vec<Place>>,
    #[serde(default)]
    privacy: Privacy,
    #[serde(default)]
    shared: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct FieldMap(Full);

impl<'de> Deserialize<'de> for FieldMap {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let full = match Value::deserialize(source)? {
            Value::String(at) => Value::Object(Map::from_iter([("at".to_owned(), Value::String(at))])),
            table => table,
        };
        serde_json::from_value(full).map(Self).map_err(de::Error::custom)
    }
}

impl Full {
    /// What our record has for this field.
    fn ours(&self, name: &str, ours: &Value, is_partial: bool) -> Option<Value> {
        match &self.concat {
            Some(parts) => joined(parts, ours, is_partial),
            None => Place::at(name).get(ours).filter(|value| !value.is_null()).cloned(),
        }
    }
}

impl RecordMap {
    /// Checks names. A finding names its key and says what is right.
    pub(super) fn check(
        kind: &str,
        map: &Self,
        values: &BTreeMap<String, ValueMap>,
    ) -> Result<(), (String, String)> {
        let Some((_, names)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            let known = KINDS.map(|(known, _)| known).join(", ");
            return Err((format!("records.{kind}"), format!("is not a kind of record; there are {known}")));
        };
        for (name, FieldMap(field)) in &map.fields {
            let key = format!("records.{kind}.fields.\"{name}\"");
            let is_known = names.contains(&name.as_str()) || *names == MATTER && is_open(name);
            if !is_known {
                let open = if *names == MATTER { ", custom.<key>, assignees.<role>" } else { "" };
                let names = names.join(", ");
                return Err((key, format!("is not a field of a {kind}; there are {names}{open}")));
            }
            if let Some(map) = &field.values
                && !values.contains_key(map)
            {
                return Err((key, format!("there is no [values.{map}]; write one or take `values` away")));
            }
        }
        Ok(())
    }

    /// Our record in the vendor's form. A partial one lacks what does not change.
    pub(super) fn write(
        &self,
        operation: &'static str,
        ours: Value,
        is_partial: bool,
        values: &BTreeMap<String, ValueMap>,
    ) -> Result<Value, CannotSend> {
        if self.fields.is_empty() {
            return Ok(ours);
        }
        let mut theirs = Value::Object(Map::new());
        for (name, FieldMap(field)) in
            self.fields.iter().filter(|(_, field)| field.0.direction != Direction::In)
        {
            let value = match field.ours(name, &ours, is_partial) {
                Some(value) => translated(field, value, values)
                    .ok_or_else(|| CannotSend::UnknownWord { operation, field: name.clone() })?,
                None if is_partial => continue,
                None => match &field.default {
                    Some(default) => default.clone(),
                    None if field.required => {
                        return Err(CannotSend::Missing { operation, field: name.clone() });
                    }
                    None => continue,
                },
            };
            field.at.put(&mut theirs, field.form.write(&value));
        }
        if let Some(place) = &self.unmapped {
            self.append_unmapped(place, &ours, &mut theirs);
        }
        Ok(theirs)
    }

    /// The words of our record that go out as they are, since a map that warns does not have them.
    pub(super) fn unknown_words_out(
        &self,
        ours: &Value,
        is_partial: bool,
        values: &BTreeMap<String, ValueMap>,
    ) -> Vec<UnknownWord> {
        self.unknown_words(Direction::In, values, |map, name, field| {
            let word = field.ours(name, ours, is_partial)?.as_str()?.to_owned();
            (!map.has_ours(&word)).then_some(word)
        })
    }

    /// The words of a vendor's record that come in as they are, since a map that warns does not have them.
    pub(super) fn unknown_words_in(
        &self,
        theirs: &Value,
        values: &BTreeMap<String, ValueMap>,
    ) -> Vec<UnknownWord> {
        self.unknown_words(Direction::Out, values, |map, _, field| {
            let read = field.form.read(field.at.get(theirs).filter(|_| field.concat.is_none())?);
            let word = read.as_str()?.to_owned();
            (!map.has_theirs(&word)).then_some(word)
        })
    }

    fn unknown_words(
        &self,
        other_way: Direction,
        values: &BTreeMap<String, ValueMap>,
        unknown: impl Fn(&ValueMap, &str, &Full) -> Option<String>,
    ) -> Vec<UnknownWord> {
        let fields = self.fields.iter().filter(|(_, field)| field.0.direction != other_way);
        let words = fields.filter_map(|(name, FieldMap(field))| {
            let map = field.values.as_ref()?;
            let word = unknown(values.get(map).filter(|values| values.warns())?, name, field)?;
            // A log names no person, and nothing of what is sensitive.
            let is_personal = name.starts_with("client.") || name.starts_with("custom.");
            let word = Some(word).filter(|_| !is_personal && field.privacy != Privacy::Sensitive);
            Some(UnknownWord { map: map.clone(), field: name.clone(), word })
        });
        words.collect()
    }

    fn append_unmapped(&self, place: &Place, ours: &Value, theirs: &mut Value) {
        let mut lines: Vec<String> = place.text(theirs).into_iter().collect();
        let is_written = |name: &str| {
            self.fields.get(name).is_some_and(|field| field.0.direction != Direction::In)
                || self.fields.values().any(|FieldMap(field)| {
                    field.concat.as_ref().is_some_and(|parts| parts.contains(&Place::at(name)))
                })
        };
        let custom = ours.get("custom").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let custom: Vec<String> = custom.map(|key| format!("custom.{key}")).collect();
        let names = MATTER.iter().chain(TASK).chain(NOTE).copied();
        for name in names.chain(custom.iter().map(String::as_str)) {
            if let Some(text) = Place::at(name).text(ours).filter(|_| !is_written(name)) {
                let line = format!("{name}: {text}");
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        if !lines.is_empty() {
            place.put(theirs, lines.join("\n").into());
        }
    }

    /// The vendor's record in our form.
    pub(super) fn read(&self, theirs: Value, values: &BTreeMap<String, ValueMap>) -> Value {
        if self.fields.is_empty() {
            return theirs;
        }
        let mut ours = Value::Object(Map::new());
        if let (Some(id), false) = (Place::at("id").text(&theirs), self.fields.contains_key("id")) {
            ours["id"] = id.into();
        }
        for (name, FieldMap(field)) in &self.fields {
            let is_withheld = field.privacy == Privacy::Sensitive && !field.shared;
            if field.direction == Direction::Out || field.concat.is_some() || is_withheld {
                continue;
            }
            let Some(value) = field.at.get(&theirs).filter(|value| !value.is_null()) else { continue };
            let value = field.form.read(value);
            let value = match (field.values.as_ref().and_then(|map| values.get(map)), value.as_str()) {
                (Some(map), Some(word)) => match map.read(word) {
                    Mapped::To(word) => word.into(),
                    Mapped::Unknown => continue,
                },
                _ => value,
            };
            Place::at(name).put(&mut ours, value);
        }
        ours
    }
}

fn is_open(name: &str) -> bool {
    OPEN.iter().any(|group| name.strip_prefix(group).is_some_and(|key| !key.is_empty()))
}

/// The values of these names, separated by spaces. Of a partial record they would be half of it: all or nothing.
fn joined(parts: &[Place], ours: &Value, is_partial: bool) -> Option<Value> {
    let words: Vec<String> = parts.iter().filter_map(|part| part.text(ours)).collect();
    let is_enough = if is_partial { words.len() == parts.len() } else { !words.is_empty() };
    is_enough.then(|| words.join(" ").into())
}

/// The vendor's word for a value; nothing if the map forbids it.
fn translated(field: &Full, value: Value, values: &BTreeMap<String, ValueMap>) -> Option<Value> {
    let (Some(map), Some(word)) = (field.values.as_ref().and_then(|map| values.get(map)), value.as_str())
    else {
        return Some(value);
    };
    match map.write(word) {
        Mapped::To(word) => Some(word.into()),
        Mapped::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
