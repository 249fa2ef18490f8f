//! How a record is wrapped on the wire: `plain`, `enveloped`, `jsonapi` (<https://jsonapi.org/format/1.1/>) or `form`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::place::Place;
use super::record::RecordMap;
use crate::operations::Content;

/// How deep relationships are followed: a case, its client, the client's own. They may lead in a circle.
const DEPTH: usize = 3;

/// A way of wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// The record itself.
    #[default]
    Plain,
    /// The record under a key, `root`.
    Enveloped,
    /// JSON:API: `data`, `attributes`, `relationships`, `included`.
    Jsonapi,
    /// `name=value&…` out, JSON in.
    Form,
}

impl Codec {
    /// What a body of this codec is, unless the profile says.
    pub(super) fn content(self) -> Content {
        match self {
            Self::Plain | Self::Enveloped => Content::Json,
            Self::Jsonapi => Content::JsonApi,
            Self::Form => Content::Form,
        }
    }

    /// Wraps a record of the vendor's form.
    pub(super) fn wrap(self, wire: Value, root: &str, record: Option<&RecordMap>, id: Option<&str>) -> Value {
        match self {
            Self::Plain | Self::Form => wire,
            Self::Enveloped => json!({ root: wire }),
            Self::Jsonapi => resource(wire, record, id),
        }
    }

    /// The one record of an answer.
    pub(super) fn unwrap_one(self, body: &Value, root: &str, at: Option<&Place>) -> Value {
        let body = at.map_or(Some(body), |at| at.get(body)).unwrap_or(&Value::Null);
        match self {
            Self::Plain | Self::Form => body.clone(),
            Self::Enveloped => body.get(root).cloned().unwrap_or(Value::Null),
            Self::Jsonapi => flatten(body.get("data").unwrap_or(&Value::Null), body, DEPTH),
        }
    }

    /// The records of a list.
    pub(super) fn unwrap_many(self, body: &Value, root: &str, items: Option<&Place>) -> Vec<Value> {
        let list = match (items, self) {
            (Some(at), _) => at.get(body),
            (None, Self::Enveloped) => body.get(root),
            (None, _) => body.get("data"),
        };
        let list = list.and_then(Value::as_array).into_iter().flatten();
        match self {
            Self::Jsonapi => list.map(|item| flatten(item, body, DEPTH)).collect(),
            _ => list.cloned().collect(),
        }
    }
}

/// A resource object of JSON:API; what the record map calls a relationship is written as a resource identifier.
fn resource(wire: Value, record: Option<&RecordMap>, id: Option<&str>) -> Value {
    let mut data = Map::new();
    data.insert("type".into(), record.and_then(|record| record.type_name.as_deref()).into());
    if let Some(id) = id {
        data.insert("id".into(), id.into());
    }
    let (mut attributes, mut relationships) = (Map::new(), Map::new());
    let Value::Object(wire) = wire else { return json!({ "data": data }) };
    for (key, value) in wire {
        match record.and_then(|record| record.relationships.get(&key)) {
            Some(of_type) => {
                let id = Place::at("id").text(&value).or_else(|| Place::default().text(&value));
                let identifier = id.map_or(Value::Null, |id| json!({ "type": of_type, "id": id }));
                relationships.insert(key, json!({ "data": identifier }));
            }
            None => drop(attributes.insert(key, value)),
        }
    }
    data.insert("attributes".into(), attributes.into());
    if !relationships.is_empty() {
        data.insert("relationships".into(), relationships.into());
    }
    json!({ "data": data })
}

/// Attributes and relationships as one object; a relationship is what `included` has of it, else type and id alone.
fn flatten(resource: &Value, document: &Value, depth: usize) -> Value {
    let mut flat = resource.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
    for key in ["id", "type"] {
        if let Some(value) = resource.get(key) {
            flat.insert(key.into(), value.clone());
        }
    }
    let relationships = resource.get("relationships").and_then(Value::as_object);
    for (name, relationship) in relationships.into_iter().flatten() {
        let value = match relationship.get("data") {
            Some(Value::Array(many)) => many.iter().map(|one| follow(one, document, depth)).collect(),
            Some(one) => follow(one, document, depth),
            None => continue,
        };
        flat.insert(name.clone(), value);
    }
    flat.into()
}

fn follow(identifier: &Value, document: &Value, depth: usize) -> Value {
    let is_it =
        |one: &&Value| one.get("id") == identifier.get("id") && one.get("type") == identifier.get("type");
    let included = document.get("included").and_then(Value::as_array).into_iter().flatten();
    match included.into_iter().find(is_it) {
        Some(resource) if depth > 0 && !identifier.is_null() => flatten(resource, document, depth - 1),
        _ => identifier.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relationships_are_resolved_through_included_by_type_and_id() {
        let body = json!({
            "data": { "type": "Case", "id": "7", "attributes": { "case_name": "Byron" }, "relationships": {
                "client": { "data": { "type": "Client", "id": "1" } },
                "casestatus": { "data": { "type": "CaseStatus", "id": "1" } },
                "case_manager": { "data": null },
                "lead_attorney": { "data": { "type": "Caseworker", "id": "9" } },
                "notes": { "links": { "related": "/notes" } } } },
            "included": [
                { "type": "CaseStatus", "id": "1", "attributes": { "name": "Treating" } },
                { "type": "Client", "id": "1", "attributes": { "firstname": "Ada" },
                    "relationships": { "case": { "data": { "type": "Case", "id": "7" } } } } ],
        });
        let flat = Codec::Jsonapi.unwrap_one(&body, "", None);
        assert_eq!(flat["client"]["firstname"], "Ada");
        assert_eq!(flat["casestatus"]["name"], "Treating", "the same id of another type is another record");
        assert_eq!(flat["case_manager"], Value::Null);
        assert_eq!(flat["lead_attorney"], json!({ "type": "Caseworker", "id": "9" }), "not included");
        assert_eq!(flat.get("notes"), None);
    }

    #[test]
    fn a_circle_of_relationships_ends() {
        let body = json!({ "data": { "type": "A", "id": "1", "relationships": { "b": { "data": { "type": "B", "id": "1" } } } },
            "included": [ { "type": "B", "id": "1", "relationships": { "b": { "data": { "type": "B", "id": "1" } } } } ] });
        let flat = Codec::Jsonapi.unwrap_one(&body, "", None);
        assert_eq!(flat.pointer("/b/b/b/b"), Some(&json!({ "type": "B", "id": "1" })));
    }

    #[test]
    fn every_codec_wraps_what_it_unwraps() {
        let record: RecordMap =
            toml::from_str("type = \"Lead\"\nrelationships = { client = \"Client\" }").unwrap();
        let wire = json!({ "firstname": "Ada", "client": { "id": "5" } });
        let wrapped = Codec::Jsonapi.wrap(wire, "", Some(&record), Some("3"));
        assert_eq!(
            wrapped,
            json!({ "data": { "type": "Lead", "id": "3", "attributes": { "firstname": "Ada" },
                "relationships": { "client": { "data": { "type": "Client", "id": "5" } } } } })
        );
        let wrapped = Codec::Enveloped.wrap(json!({ "a": 1 }), "lead", None, None);
        assert_eq!(Codec::Enveloped.unwrap_one(&wrapped, "lead", None), json!({ "a": 1 }));
        let list = Codec::Enveloped.unwrap_many(&json!({ "leads": [{ "a": 1 }] }), "leads", None);
        assert_eq!(list, [json!({ "a": 1 })]);
        let root = Place::default();
        assert_eq!(Codec::Plain.unwrap_many(&json!([1, 2]), "", Some(&root)).len(), 2);
    }
}
