//! Leads, and what becomes of one that is signed.

use serde_json::{Value, json};

use super::state::{Kind, Record, Session, merge, object, single};
use super::validate::{self, LEAD};
use super::{contacts, lists};
use crate::twin::call::{Answer, Call, text};

/// `GET /leads?external_ref=&email=&phone=&updated_since=`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    lists::page(session, call, Kind::Lead, &["external_ref", "email", "phone", "contact_id"])
}

/// `GET /leads/{id}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    session.find(Kind::Lead, id)?;
    Ok(single(200, session.shown(Kind::Lead, id)))
}

/// `POST /leads`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = validate::body(call, LEAD, &["client"])?;
    let client = body.get("client").and_then(Value::as_object).cloned().unwrap_or_default();
    match text(&client, "id") {
        "" => {
            let needed = ["client.first_name", "client.last_name"];
            validate::body(call, LEAD, &needed)?;
            contacts::reachable(&client, "client.")?;
        }
        known => {
            session.find(Kind::Contact, known)?;
        }
    }
    session.unique(Kind::Lead, &body)?;
    let id = add(session, &body);
    Ok(single(201, session.shown(Kind::Lead, &id)))
}

/// `PATCH /leads/{id}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let record = session.find(Kind::Lead, id)?;
    session.matches(call, record)?;
    let body = validate::body(call, LEAD, &["client.first_name", "client.last_name"])?;
    change(session, id, &body);
    Ok(single(200, session.shown(Kind::Lead, id)))
}

/// Makes a lead of checked fields, with its client, and fires `lead.created`.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let client = client_of(session, body);
    let mut record = session.blank(Kind::Lead);
    merge(&mut record, &empty());
    merge(&mut record, body);
    record.remove("client");
    record.insert("client_id".into(), client.into());
    let id = text(&record, "id").to_owned();
    session.state.tables.put(Kind::Lead, record);
    session.effect("lead.create", &id, true);
    session.event("lead.created", Kind::Lead, &id, None);
    id
}

/// Changes a lead; fires `lead.updated` if that changes it or its client.
pub(super) fn change(session: &mut Session<'_>, id: &str, patch: &Record) -> bool {
    let changed = change_record(session, Kind::Lead, id, patch);
    session.effect("lead.update", id, changed);
    if changed {
        session.event("lead.updated", Kind::Lead, id, None);
    }
    changed
}

/// Signs a lead: makes a case of it and fires `case.created`. Empty for an unknown lead.
pub(super) fn convert(session: &mut Session<'_>, id: &str) -> String {
    let Some(mut lead) = session.state.tables.get(Kind::Lead, id).cloned() else { return String::new() };
    if let Some(case) = lead.get("case_id").and_then(Value::as_str) {
        return case.to_owned();
    }
    let mut body = lead.clone();
    for name in
        ["id", "external_ref", "created_at", "updated_at", "version", "case_id", "status", "milestone"]
    {
        body.remove(name);
    }
    body.insert("lead_id".into(), id.into());
    let case = super::cases::add(session, &body);
    lead.insert("case_id".into(), case.as_str().into());
    session.keep(Kind::Lead, lead);
    session.effect("lead.convert", id, true);
    session.event("case.created", Kind::Case, &case, None);
    case
}

/// The fields a lead and a case share, empty.
pub(super) fn empty() -> Record {
    object(json!({
        "case_id": null, "status": "Intake", "milestone": null, "case_type": null, "date_of_loss": null,
        "incident": {"state": null, "city": null, "address": null}, "summary": null,
        "source": {"type": null, "detail": null}, "assignees": {}, "reject_reason": null, "custom": {},
    }))
}

/// The id of the client a body names or describes.
pub(super) fn client_of(session: &mut Session<'_>, body: &Record) -> String {
    if let Some(known) = body.get("client_id").and_then(Value::as_str) {
        return known.to_owned();
    }
    let client = body.get("client").and_then(Value::as_object).cloned().unwrap_or_default();
    match text(&client, "id") {
        "" => contacts::add(session, &client),
        known => known.to_owned(),
    }
}

/// Changes a lead or case and its client; true if anything changed.
pub(super) fn change_record(session: &mut Session<'_>, kind: Kind, id: &str, patch: &Record) -> bool {
    let Some(before) = session.state.tables.get(kind, id).cloned() else { return false };
    let mut changed = false;
    let mut patch = patch.clone();
    if let Some(Value::Object(client)) = patch.remove("client") {
        changed |= contacts::change(session, text(&before, "client_id"), &client);
    }
    let Some(mut record) = session.state.tables.get(kind, id).cloned() else { return changed };
    merge(&mut record, &patch);
    changed | session.keep(kind, record)
}
