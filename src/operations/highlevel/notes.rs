//! Notes of a contact: `contacts.json`, scopes `contacts.readonly` and `contacts.write`.

use serde_json::{Value, json};

use super::{Effect, Method, Operation, Request};
use crate::domain::{Note, RecordKind, RecordRef};
use crate::operations::{Response, Unexpected, text};

const GET: Operation =
    Operation::new("contacts.get-note", Method::Get, "/contacts/{contactId}/notes/{id}", Effect::Read);
const CREATE: Operation =
    Operation::new("contacts.create-note", Method::Post, "/contacts/{contactId}/notes", Effect::Create);

/// Read one note.
pub fn get_note(contact: &str, note: &str) -> Request {
    GET.request(&[contact, note])
}

/// Create a note.
pub fn create_note(contact: &str, body: &str) -> Request {
    CREATE.request(&[contact]).json(json!({ "body": body }))
}

/// The note in an answer to [`get_note`] or [`create_note`].
pub fn read_note(answer: &Response, contact: &str) -> Result<Note, Unexpected> {
    let note = answer.body.get("note").unwrap_or(&Value::Null);
    let id = text(note, "id").ok_or(Unexpected { operation: GET.id, missing: "note.id" })?;
    Ok(Note {
        record: RecordRef::highlevel(RecordKind::Note, id),
        owner: Some(RecordRef::highlevel(RecordKind::Contact, contact)),
        body: text(note, "body").unwrap_or_default(),
        category: None,
        external_ref: None,
    })
}
