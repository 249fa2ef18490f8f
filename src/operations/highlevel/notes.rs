//! Notes of a contact: `contacts.json`, scopes `contacts.readonly` and `contacts.write`.

use serde_json::{Value, json};

use super::{Effect, Method, Operation, Request, scopes};
use crate::domain::{Note, RecordKind, RecordRef};
use crate::operations::{Response, Unexpected, text};

const GET: Operation = Operation::new(
    "contacts.get-note",
    Method::Get,
    "/contacts/{contactId}/notes/{id}",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const LIST: Operation = Operation::new(
    "contacts.get-all-notes",
    Method::Get,
    "/contacts/{contactId}/notes",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const CREATE: Operation = Operation::new(
    "contacts.create-note",
    Method::Post,
    "/contacts/{contactId}/notes",
    Effect::Create,
    scopes::CONTACTS_WRITE,
);

/// Read one note.
pub fn get_note(contact: &str, note: &str) -> Request {
    GET.request(&[contact, note])
}

/// Read all notes of a contact.
pub fn list_notes(contact: &str) -> Request {
    LIST.request(&[contact])
}

/// Create a note.
pub fn create_note(contact: &str, body: &str, author: Option<&str>) -> Request {
    let mut json = json!({ "body": body });
    if let Some(author) = author {
        json["userId"] = author.into();
    }
    CREATE.request(&[contact]).json(json)
}

/// What the note says that a request with this body makes.
pub fn text_of_note(sent: &[u8]) -> Option<String> {
    let sent: Value = serde_json::from_slice(sent).ok()?;
    text(&sent, "body")
}

/// The note in an answer to [`get_note`] or [`create_note`].
pub fn read_note(answer: &Response, contact: &str) -> Result<Note, Unexpected> {
    let note = answer.body.get("note").unwrap_or(&Value::Null);
    read_one(note, contact).ok_or(Unexpected { operation: GET.id, missing: "note.id" })
}

/// The notes in an answer to [`list_notes`].
pub fn read_notes(answer: &Response, contact: &str) -> Vec<Note> {
    let notes = answer.body.get("notes").and_then(Value::as_array).into_iter().flatten();
    notes.filter_map(|note| read_one(note, contact)).collect()
}

fn read_one(note: &Value, contact: &str) -> Option<Note> {
    Some(Note {
        record: RecordRef::highlevel(RecordKind::Note, text(note, "id")?),
        owner: Some(RecordRef::highlevel(RecordKind::Contact, contact)),
        body: text(note, "body").unwrap_or_default(),
        category: None,
        external_ref: None,
        author: text(note, "userId"),
        added_at: text(note, "dateAdded").and_then(|added| added.parse().ok()),
    })
}
