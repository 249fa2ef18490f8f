//! Notes on leads and cases.

use serde_json::json;

use super::lists;
use super::state::{Kind, Record, Session, merge, object, single};
use super::validate::{self, NOTE};
use crate::twin::call::{Answer, Call, text};

/// `GET /cases/{id}/notes` and `GET /leads/{id}/notes`.
pub(super) fn list(session: &mut Session<'_>, call: &Call, owner: Kind, id: &str) -> Answer {
    session.find(owner, id)?;
    let field = owner_field(owner);
    lists::page_of(session, call, Kind::Note, &["external_ref"], Some((field, id)))
}

/// `GET /notes/{id}`, also below its lead or case.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    session.find(Kind::Note, id)?;
    Ok(single(200, session.shown(Kind::Note, id)))
}

/// `POST /cases/{id}/notes` and `POST /leads/{id}/notes`.
pub(super) fn create(session: &mut Session<'_>, call: &Call, owner: Kind, id: &str) -> Answer {
    session.find(owner, id)?;
    let body = validate::body(call, NOTE, &["body"])?;
    session.unique(Kind::Note, &body)?;
    let note = add(session, owner, id, &body);
    Ok(single(201, session.shown(Kind::Note, &note)))
}

/// Makes a note and fires `note.created`.
pub(super) fn add(session: &mut Session<'_>, owner: Kind, owner_id: &str, body: &Record) -> String {
    let mut record = session.blank(Kind::Note);
    let empty = json!({
        "lead_id": null, "case_id": null, "body": null, "category": null, "author_id": null,
        "occurred_at": session.stamp(), owner_field(owner): owner_id,
    });
    merge(&mut record, &object(empty));
    merge(&mut record, body);
    let id = text(&record, "id").to_owned();
    session.state.tables.put(Kind::Note, record);
    session.effect("note.create", &id, true);
    session.event("note.created", Kind::Note, &id, None);
    id
}

fn owner_field(owner: Kind) -> &'static str {
    if owner == Kind::Case { "case_id" } else { "lead_id" }
}
