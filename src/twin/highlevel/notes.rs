//! A contact's notes. They leave the contact's `dateUpdated` alone.

use serde_json::json;

use super::contacts::{find, missing};
use super::state::{Record, Session, object, pick, refusal};
use super::validate::{self, Kind, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

const WEBHOOK_FIELDS: [&str; 4] = ["id", "body", "contactId", "dateAdded"];

/// `GET /contacts/{contactId}/notes`.
pub(super) fn list(session: &mut Session<'_>, contact: &str) -> Answer {
    Ok(Reply::ok(json!({"notes": find(session, contact)?.notes})))
}

/// `POST /contacts/{contactId}/notes`.
pub(super) fn create(session: &mut Session<'_>, call: &Call, contact: &str) -> Answer {
    let properties = [
        must("body", Kind::Text),
        may("userId", Kind::Text),
        may("title", Kind::Text),
        may("color", Kind::Text),
        may("pinned", Kind::Flag),
    ];
    let body = validate::body(call, &properties)?;
    find(session, contact)?;
    let id = add(session, contact, &body);
    Ok(Reply::created(json!({"note": shown(session, contact, &id)?})))
}

/// `GET /contacts/{contactId}/notes/{id}`.
pub(super) fn get(session: &mut Session<'_>, contact: &str, id: &str) -> Answer {
    Ok(Reply::ok(json!({"note": shown(session, contact, id)?})))
}

/// `PUT /contacts/{contactId}/notes/{id}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, contact: &str, id: &str) -> Answer {
    let properties = [
        may("body", Kind::Text),
        may("userId", Kind::Text),
        may("title", Kind::Text),
        may("color", Kind::Text),
        may("pinned", Kind::Flag),
    ];
    let body = validate::body(call, &properties)?;
    shown(session, contact, id)?;
    change(session, contact, id, &body);
    Ok(Reply::ok(json!({"note": shown(session, contact, id)?})))
}

/// `DELETE /contacts/{contactId}/notes/{id}`.
pub(super) fn delete(session: &mut Session<'_>, contact: &str, id: &str) -> Answer {
    shown(session, contact, id)?;
    remove(session, contact, id);
    Ok(Reply::ok(json!({"succeded": true})))
}

/// Makes a note on a known contact and fires `NoteCreate`.
pub(super) fn add(session: &mut Session<'_>, contact: &str, body: &Record) -> String {
    let id = session.state.ids.record();
    let mut note = object(json!({"id": id, "contactId": contact, "dateAdded": session.stamp()}));
    note.extend(body.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
    let Some(owner) = session.state.contacts.get_mut(contact) else { return String::new() };
    owner.notes.push(note.clone());
    session.effect("note.create", &id, true);
    session.webhook("NoteCreate", pick(&note, &WEBHOOK_FIELDS));
    id
}

/// Changes a note; fires `NoteUpdate` if that changes it.
pub(super) fn change(session: &mut Session<'_>, contact: &str, id: &str, body: &Record) {
    let Some(owner) = session.state.contacts.get_mut(contact) else { return };
    let Some(note) = owner.notes.iter_mut().find(|note| text(note, "id") == id) else { return };
    let before = note.clone();
    note.extend(body.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
    let after = note.clone();
    session.effect("note.update", id, before != after);
    if before != after {
        session.webhook("NoteUpdate", pick(&after, &WEBHOOK_FIELDS));
    }
}

/// Deletes a note and fires `NoteDelete`.
pub(super) fn remove(session: &mut Session<'_>, contact: &str, id: &str) {
    let Some(owner) = session.state.contacts.get_mut(contact) else { return };
    let Some(position) = owner.notes.iter().position(|note| text(note, "id") == id) else { return };
    let note = owner.notes.remove(position);
    session.effect("note.delete", id, true);
    session.webhook("NoteDelete", pick(&note, &WEBHOOK_FIELDS));
}

fn shown(session: &Session<'_>, contact: &str, id: &str) -> Result<Record, Reply> {
    let contact = session.state.contacts.get(contact).ok_or_else(missing)?;
    let note = contact.notes.iter().find(|note| text(note, "id") == id);
    note.cloned().ok_or_else(|| refusal(404, "Note not found"))
}
