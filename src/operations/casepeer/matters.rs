//! Leads and cases.

use serde_json::{Map, Value, json};

use super::{Profile, Request};
use crate::domain::{Field, Fields, Matter, NewLead, RecordKind, RecordRef, external_ref};
use crate::operations::{Response, Unexpected, day, text};

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
pub fn create_lead(profile: &Profile, location: &str, new: &NewLead) -> Request {
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
    profile.request("lead.create", &[]).json(body)
}

/// Read a lead or a case.
pub fn get_matter(profile: &Profile, matter: &RecordRef) -> Request {
    profile.request(by_kind(matter, "lead.get", "case.get"), &[&matter.id])
}

/// Set some fields of a lead's or case's client, provided that nobody changed it since `version` was read.
pub fn update_matter(
    profile: &Profile,
    matter: &RecordRef,
    fields: &Fields,
    version: Option<&str>,
) -> Request {
    let request = profile
        .request(by_kind(matter, "lead.update", "case.update"), &[&matter.id])
        .json(json!({ "client": client(fields) }));
    match version {
        Some(version) => request.header("If-Match", version),
        None => request,
    }
}

/// Look for leads or cases by one property: `external_ref`, `email` or `phone`.
pub fn find_matters(profile: &Profile, kind: RecordKind, property: &'static str, value: &str) -> Request {
    let operation = if kind == RecordKind::Case { "case.find" } else { "lead.find" };
    profile.request(operation, &[]).query(property, value)
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

/// The leads or cases in an answer to [`find_matters`], and whether there are more.
pub fn read_matters(answer: &Response, kind: RecordKind, filler: &str) -> (Vec<Matter>, bool) {
    let items = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    let has_more = answer.body.pointer("/page/next_cursor").is_some_and(|next| !next.is_null());
    (items.filter_map(|item| read_one(item, kind, None, filler).ok()).collect(), has_more)
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
        born: text(client, "date_of_birth").and_then(|born| day(&born)),
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
