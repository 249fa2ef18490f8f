//! A location and its custom fields: `locations.json`, scopes `locations.readonly` and
//! `locations/customFields.readonly`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Effect, Method, Operation, Request, scopes};
use crate::operations::{Response, text};

const GET: Operation = Operation::new(
    "locations.get-location",
    Method::Get,
    "/locations/{locationId}",
    Effect::Read,
    scopes::LOCATION_READ,
);
const CUSTOM_FIELDS: Operation = Operation::new(
    "locations.get-custom-fields",
    Method::Get,
    "/locations/{locationId}/customFields",
    Effect::Read,
    scopes::CUSTOM_FIELDS_READ,
);

/// Read the location: the cheapest proof that a token is this location's.
pub fn get_location(location: &str) -> Request {
    GET.request(&[location])
}

/// Read the definitions of a location's custom fields of contacts.
pub fn get_custom_fields(location: &str) -> Request {
    CUSTOM_FIELDS.request(&[location]).query("model", "contact")
}

/// A location's custom fields: ids by key, keys by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomFields {
    keys_by_id: BTreeMap<String, String>,
}

impl CustomFields {
    /// Every key, without HighLevel's `contact.` before it.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys_by_id.values().map(String::as_str)
    }

    /// The id of the definition with this key.
    pub fn id_of(&self, key: &str) -> Option<&str> {
        self.keys_by_id.iter().find(|(_, known)| *known == key).map(|(id, _)| id.as_str())
    }
}

impl CustomFields {
    /// The key of a definition, without HighLevel's `contact.` before it.
    pub fn key_of(&self, id: &str) -> Option<&str> {
        self.keys_by_id.get(id).map(String::as_str)
    }
}

/// The definitions in an answer to [`get_custom_fields`].
pub fn read_custom_fields(answer: &Response) -> CustomFields {
    let items = answer.body.get("customFields").and_then(Value::as_array).into_iter().flatten();
    let keys_by_id = items
        .filter_map(|item| {
            let key = text(item, "fieldKey")?;
            Some((text(item, "id")?, key.strip_prefix("contact.").unwrap_or(&key).to_owned()))
        })
        .collect();
    CustomFields { keys_by_id }
}
