//! Leads and cases.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{CannotSend, Profile, Request};
use crate::domain::{Field, Fields, Matter, NewLead, RecordKind, RecordRef, external_ref};
use crate::operations::{Response, Unexpected, text};

/// A field's key under `client`, or under its `address`.
const KEYS: [(Field, Place, &str); 8] = [
    (Field::FirstName, Place::Client, "first_name"),
    (Field::LastName, Place::Client, "last_name"),
    (Field::Email, Place::Client, "email"),
    (Field::Phone, Place::Client, "phone"),
    (Field::Street, Place::Address, "line1"),
    (Field::City, Place::Address, "city"),
    (Field::State, Place::Address, "state"),
    (Field::PostalCode, Place::Address, "zip"),
];

#[derive(PartialEq)]
enum Place {
    Client,
    Address,
}

/// Create a lead. Its `external_ref` names the contact, so that a second one for the same contact is refused.
pub fn create_lead(profile: &Profile, location: &str, new: &NewLead) -> Result<Request, CannotSend> {
    let mut fields = new.fields.clone();
    // CASEpeer requires both names.
    for field in [Field::FirstName, Field::LastName] {
        if fields.get(field).is_none() {
            fields.put(field, new.last_name_filler.clone());
        }
    }
    let mut body = json!({
        "external_ref": external_ref(location, &new.contact.id),
        "client": client(&fields),
    });
    if let Some(case_type) = &new.case_type {
        body["case_type"] = case_type.as_str().into();
    }
    if let Some(source) = &new.source {
        body["source"] = json!({ "type": "HighLevel", "detail": source });
    }
    profile.write("lead.create", None, body, false, None)
}

/// Read a lead or a case.
pub fn get_matter(profile: &Profile, matter: &RecordRef) -> Result<Request, CannotSend> {
    profile.read(by_kind(matter, "lead.get", "case.get"), Some(&matter.id))
}

/// Set some fields of a lead's or case's client, provided that nobody changed it since `version` was read.
pub fn update_matter(
    profile: &Profile,
    matter: &RecordRef,
    fields: &Fields,
    version: Option<&str>,
) -> Result<Request, CannotSend> {
    let operation = by_kind(matter, "lead.update", "case.update");
    profile.write(operation, Some(&matter.id), json!({ "client": client(fields) }), true, version)
}

/// Look for leads by one property: `external_ref`, `email` or `phone`.
pub fn find_leads(profile: &Profile, property: &'static str, value: &str) -> Result<Request, CannotSend> {
    profile.search("lead.find", property, value)
}

fn by_kind(matter: &RecordRef, lead: &'static str, case: &'static str) -> &'static str {
    if matter.kind == RecordKind::Case { case } else { lead }
}

fn client(fields: &Fields) -> Value {
    let part = |place: Place| -> Map<String, Value> {
        let keys = KEYS.iter().filter(|(_, of, _)| *of == place);
        keys.filter_map(|(field, _, key)| Some(((*key).to_owned(), fields.get(*field)?.into()))).collect()
    };
    let mut client = part(Place::Client);
    let address = part(Place::Address);
    if !address.is_empty() {
        client.insert("address".into(), address.into());
    }
    client.into()
}

/// The lead or case in an answer to [`get_matter`]. A name that is only the filler is no name.
pub fn read_matter(answer: &Response, kind: RecordKind, filler: &str) -> Result<Matter, Unexpected> {
    read_one(&answer.body, kind, answer.etag.clone(), filler)
}

/// The leads in an answer to [`find_leads`].
pub fn read_leads(answer: &Response, filler: &str) -> Vec<Matter> {
    let items = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| read_one(item, RecordKind::Lead, None, filler).ok()).collect()
}

/// The new lead's id in an answer to [`create_lead`].
pub fn read_created_lead(answer: &Response) -> Result<String, Unexpected> {
    text(&answer.body, "id").ok_or(Unexpected { operation: "lead.create", missing: "id" })
}

fn read_one(
    body: &Value,
    kind: RecordKind,
    etag: Option<String>,
    filler: &str,
) -> Result<Matter, Unexpected> {
    let operation = if kind == RecordKind::Case { "case.get" } else { "lead.get" };
    let id = text(body, "id").ok_or(Unexpected { operation, missing: "id" })?;
    let related = |key, kind| text(body, key).map(|id| RecordRef::casepeer(kind, id));
    let client = body.get("client").unwrap_or(&Value::Null);
    let source = body.get("source").unwrap_or(&Value::Null);
    Ok(Matter {
        record: RecordRef::casepeer(kind, id),
        lead: related("lead_id", RecordKind::Lead),
        case: related("case_id", RecordKind::Case),
        client: text(client, "id").map(|id| RecordRef::casepeer(RecordKind::Client, id)),
        external_ref: text(body, "external_ref"),
        fields: read_fields(client, filler),
        status: text(body, "status"),
        case_type: text(body, "case_type"),
        source: text(source, "detail").or_else(|| text(source, "type")),
        retained_at: text(body, "retained_at"),
        version: etag,
    })
}

fn read_fields(client: &Value, filler: &str) -> Fields {
    let mut fields = Fields::default();
    for (field, place, key) in KEYS {
        let object = match place {
            Place::Client => client,
            Place::Address => client.get("address").unwrap_or(&Value::Null),
        };
        fields.set_if_some(field, text(object, key).as_deref());
    }
    for field in [Field::FirstName, Field::LastName] {
        if fields.get(field) == Some(filler) {
            fields.remove(field);
        }
    }
    fields
}

/// A lead that a search found, with what tells whether it is the one that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLead {
    /// Which.
    pub record: RecordRef,
    /// When it was made, if the profile says where that stands.
    pub created_at: Option<Timestamp>,
    /// The client's last name.
    pub last_name: Option<String>,
}

/// The leads in an answer to [`find_leads`], for looking whether a create was carried out.
pub fn read_found_leads(answer: &Response) -> Vec<FoundLead> {
    let items = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    let found = items.filter_map(|item| {
        Some(FoundLead {
            record: RecordRef::casepeer(RecordKind::Lead, text(item, "id")?),
            created_at: text(item, "created_at").and_then(|at| at.parse().ok()),
            last_name: item.get("client").and_then(|client| text(client, "last_name")),
        })
    });
    found.collect()
}
