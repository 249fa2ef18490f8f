//! People: the clients of leads and cases.

use serde_json::{Value, json};

use super::lists;
use super::state::{Kind, Record, Session, merge, single};
use super::validate::{self, CONTACT, fault, invalid};
use crate::twin::call::{Answer, Call, Reply, text};

/// `GET /contacts?external_ref=&email=&phone=&updated_since=`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    lists::page(session, call, Kind::Contact, &["external_ref", "email", "phone"])
}

/// `GET /contacts/{id}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    session.find(Kind::Contact, id)?;
    Ok(single(200, session.shown(Kind::Contact, id)))
}

/// `POST /contacts`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = validate::body(call, CONTACT, &["first_name", "last_name"])?;
    reachable(&body, "")?;
    session.unique(Kind::Contact, &body)?;
    let id = add(session, &body);
    session.effect("contact.create", &id, true);
    Ok(single(201, session.shown(Kind::Contact, &id)))
}

/// `PATCH /contacts/{id}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let record = session.find(Kind::Contact, id)?;
    session.matches(call, record)?;
    let body = validate::body(call, CONTACT, &["first_name", "last_name"])?;
    let changed = change(session, id, &body);
    session.effect("contact.update", id, changed);
    if changed {
        session.event("contact.updated", Kind::Contact, id, None);
    }
    Ok(single(200, session.shown(Kind::Contact, id)))
}

/// Makes a contact of checked fields.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let mut record = session.blank(Kind::Contact);
    let empty = json!({
        "first_name": null, "last_name": null, "email": null, "phone": null, "language": null,
        "date_of_birth": null, "custom": {},
        "address": {"line1": null, "city": null, "state": null, "zip": null},
    });
    merge(&mut record, &super::state::object(empty));
    let id = text(&record, "id").to_owned();
    let mut body = body.clone();
    body.remove("id");
    merge(&mut record, &body);
    session.state.tables.put(Kind::Contact, record);
    id
}

/// Changes a contact, and with it the leads and cases that show it; true if it did change.
pub(super) fn change(session: &mut Session<'_>, id: &str, patch: &Record) -> bool {
    let Some(mut record) = session.state.tables.get(Kind::Contact, id).cloned() else { return false };
    let mut patch = patch.clone();
    patch.remove("id");
    merge(&mut record, &patch);
    let changed = session.keep(Kind::Contact, record);
    if changed {
        for kind in [Kind::Lead, Kind::Case] {
            for id in session.state.tables.ids_by(kind, "client_id", id) {
                touch(session, kind, &id);
            }
        }
    }
    changed
}

/// Gives a contact's leads and cases to another, and fires `contact.merged`.
pub(super) fn merge_into(session: &mut Session<'_>, survivor: &str, merged: &str) {
    for kind in [Kind::Lead, Kind::Case] {
        for id in session.state.tables.ids_by(kind, "client_id", merged) {
            let Some(mut record) = session.state.tables.get(kind, &id).cloned() else { continue };
            record.insert("client_id".into(), survivor.into());
            session.keep(kind, record);
        }
    }
    session.effect("contact.merge", survivor, true);
    let mut contact = session.shown(Kind::Contact, survivor);
    contact["merged_id"] = merged.into();
    session.event_about("contact.merged", Kind::Contact, contact);
}

/// One of phone and e-mail must be there.
///
/// # Errors
/// 422 that names both.
pub(super) fn reachable(client: &Record, prefix: &str) -> Result<(), Reply> {
    if text(client, "email").is_empty() && text(client, "phone").is_empty() {
        let faults = ["phone", "email"].map(|name| fault(&format!("{prefix}{name}"), "one_of_required"));
        return Err(invalid(faults.to_vec()));
    }
    Ok(())
}

/// Moves the version of a record whose client changed: its `ETag` covers what it shows.
fn touch(session: &mut Session<'_>, kind: Kind, id: &str) {
    let Some(mut record) = session.state.tables.get(kind, id).cloned() else { return };
    let version = text(&record, "version").parse().unwrap_or(0u64) + 1;
    record.insert("version".into(), version.to_string().into());
    record.insert("updated_at".into(), Value::from(session.stamp()));
    session.state.tables.put(kind, record);
}
