//! Leads and cases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{CannotSend, Profile, Request};
use crate::domain::{Field, FieldName, Fields, Matter, RecordKind, RecordRef, external_ref};
use crate::operations::{Response, Unexpected, text};

/// Where a field stands in a lead or case.
const PLACES: [(Field, &[&str]); 18] = [
    (Field::FirstName, &["client", "first_name"]),
    (Field::LastName, &["client", "last_name"]),
    (Field::Email, &["client", "email"]),
    (Field::Phone, &["client", "phone"]),
    (Field::DateOfBirth, &["client", "date_of_birth"]),
    (Field::Language, &["client", "language"]),
    (Field::Street, &["client", "address", "line1"]),
    (Field::City, &["client", "address", "city"]),
    (Field::State, &["client", "address", "state"]),
    (Field::PostalCode, &["client", "address", "zip"]),
    (Field::CaseType, &["case_type"]),
    (Field::DateOfLoss, &["date_of_loss"]),
    (Field::IncidentStreet, &["incident", "address"]),
    (Field::IncidentCity, &["incident", "city"]),
    (Field::IncidentState, &["incident", "state"]),
    (Field::Summary, &["summary"]),
    (Field::SourceType, &["source", "type"]),
    (Field::Source, &["source", "detail"]),
];

/// The general source of what has only a particular one.
const SOURCE_TYPE: &str = "HighLevel";

/// Values of the firm's own fields by key.
pub type Custom = BTreeMap<String, String>;

/// A lead to create, as CASEpeer's contract has it.
#[derive(Debug)]
pub struct LeadBody<'a> {
    /// What it is called here, so that a second one for the same contact is refused.
    pub external_ref: String,
    /// What it starts with.
    pub fields: &'a Fields,
    /// Values of the firm's own fields.
    pub custom: &'a Custom,
    /// Stands for a missing name.
    pub filler: &'a str,
}

/// Create a lead.
pub fn create_lead(profile: &Profile, lead: &LeadBody<'_>) -> Result<Request, CannotSend> {
    let mut fields = lead.fields.clone();
    // CASEpeer requires both names.
    for field in [Field::FirstName, Field::LastName] {
        if fields.get(field).is_none() {
            fields.put(field, lead.filler.to_owned());
        }
    }
    let mut body = values(&fields, lead.custom);
    body.insert("external_ref".into(), lead.external_ref.as_str().into());
    profile.write("lead.create", None, body.into(), false, None)
}

/// The external reference of a lead that is made for this contact.
pub fn lead_ref(location: &str, contact: &RecordRef) -> String {
    external_ref(location, &contact.id)
}

/// Read a lead or a case.
pub fn get_matter(profile: &Profile, matter: &RecordRef) -> Result<Request, CannotSend> {
    profile.read(by_kind(matter, "lead.get", "case.get"), Some(&matter.id))
}

/// Set some fields of a lead or case and its client, provided that nobody changed it since `version` was read.
pub fn update_matter(
    profile: &Profile,
    matter: &RecordRef,
    fields: &Fields,
    custom: &Custom,
    version: Option<&str>,
) -> Result<Request, CannotSend> {
    let operation = by_kind(matter, "lead.update", "case.update");
    profile.write(operation, Some(&matter.id), values(fields, custom).into(), true, version)
}

/// Look for leads or cases by one property: `external_ref`, `email` or `phone`.
pub fn find_matters(
    profile: &Profile,
    kind: RecordKind,
    property: &'static str,
    value: &str,
) -> Result<Request, CannotSend> {
    let operation = if kind == RecordKind::Case { "case.find" } else { "lead.find" };
    profile.search(operation, property, value)
}

fn by_kind(matter: &RecordRef, lead: &'static str, case: &'static str) -> &'static str {
    if matter.kind == RecordKind::Case { case } else { lead }
}

fn values(fields: &Fields, custom: &Custom) -> Map<String, Value> {
    let mut body = Map::new();
    for (field, place) in PLACES {
        if let Some(value) = fields.get(field) {
            put(&mut body, place, value);
        }
    }
    if fields.get(Field::Source).is_some() && fields.get(Field::SourceType).is_none() {
        put(&mut body, &["source", "type"], SOURCE_TYPE);
    }
    for (key, value) in custom {
        put(&mut body, &["custom", key], value);
    }
    body
}

fn put(object: &mut Map<String, Value>, place: &[&str], value: &str) {
    match place {
        [] => {}
        [key] => drop(object.insert((*key).to_owned(), value.into())),
        [key, rest @ ..] => {
            let inner = object.entry(*key).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// The lead or case in an answer to [`get_matter`]. A name that is only the filler is no name.
pub fn read_matter(answer: &Response, kind: RecordKind, filler: &str) -> Result<Matter, Unexpected> {
    read_one(&answer.body, kind, answer.etag.clone(), filler)
}

/// A lead or case of which nothing is known but what a webhook told, in the contract's form.
pub fn read_told_matter(told: &Value, kind: RecordKind, filler: &str) -> Result<Matter, Unexpected> {
    Ok(Matter { is_told: true, ..read_one(told, kind, None, filler)? })
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
        fields: read_fields(body, filler),
        status: text(body, "status"),
        case_type: text(body, "case_type"),
        source: text(source, "detail").or_else(|| text(source, "type")),
        retained_at: text(body, "retained_at"),
        is_told: false,
        reject_reason: text(body, "reject_reason"),
        assignees: texts(body, "assignees"),
        custom: texts(body, "custom"),
        updated_at: text(body, "updated_at").and_then(|updated| updated.parse().ok()),
        version: etag,
    })
}

/// The values of an object that are text or numbers.
fn texts(body: &Value, key: &str) -> BTreeMap<String, String> {
    let Some(object) = body.get(key) else { return BTreeMap::new() };
    let keys = object.as_object().into_iter().flat_map(Map::keys);
    keys.filter_map(|key| Some((key.clone(), text(object, key)?))).collect()
}

fn read_fields(body: &Value, filler: &str) -> Fields {
    let mut fields = Fields::default();
    for (field, place) in PLACES {
        let (key, path) = place.split_last().expect("a place has a key");
        let object = path.iter().try_fold(body, |object, step| object.get(step));
        fields.set_if_some(field, object.and_then(|object| text(object, key)).as_deref());
    }
    // A lead whose source is told in general only came from there.
    if fields.get(Field::Source).is_none() {
        let general = fields.get(Field::SourceType).map(str::to_owned);
        fields.set_if_some(Field::Source, general.as_deref());
    }
    for field in [Field::FirstName, Field::LastName] {
        if fields.get(field) == Some(filler) {
            fields.remove(FieldName::from(field));
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

/// The leads in an answer to [`find_matters`], for looking whether a create was carried out.
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
