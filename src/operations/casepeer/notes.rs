//! Notes of a lead or case. The contract lists them but does not read one by id.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CannotSend, Profile, Request};
use crate::domain::{NewNote, Note, RecordKind, RecordRef};
use crate::operations::{Response, Unexpected, text};

/// Create a note on a lead or case. One that does not say when it was written was written `now`.
pub fn create_note(
    profile: &Profile,
    owner: &RecordRef,
    new: &NewNote,
    external_ref: &str,
    now: Timestamp,
) -> Result<Request, CannotSend> {
    let operation =
        if owner.kind == RecordKind::Case { "note.create_on_case" } else { "note.create_on_lead" };
    let written_at = new.written_at.unwrap_or(now);
    let mut json =
        json!({ "body": new.body, "external_ref": external_ref, "occurred_at": written_at.to_string() });
    let optional = [("category", new.category.as_deref()), ("author_id", new.author.as_deref())];
    for (key, value) in optional {
        if let Some(value) = value {
            json[key] = value.into();
        }
    }
    profile.write(operation, Some(&owner.id), json, false, None)
}

/// Read one page of a lead's or case's notes.
pub fn list_notes(profile: &Profile, owner: &RecordRef, cursor: Option<&str>) -> Result<Request, CannotSend> {
    let operation = if owner.kind == RecordKind::Case { "note.list_on_case" } else { "note.list_on_lead" };
    let request = profile.read(operation, Some(&owner.id))?;
    match cursor {
        Some(cursor) => profile.page(request, cursor),
        None => Ok(request),
    }
}

/// The id in an answer to [`create_note`].
pub fn read_created_note(answer: &Response) -> Result<String, Unexpected> {
    text(&answer.body, "id").ok_or(Unexpected { operation: "note.create", missing: "id" })
}

/// The note with this id on a page of [`list_notes`], or else the cursor of the next page.
pub fn read_listed_note(answer: &Response, id: &str, owner: &RecordRef) -> Result<Note, Option<String>> {
    let items = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    match items.into_iter().find(|item| text(item, "id").as_deref() == Some(id)) {
        Some(item) => Ok(Note {
            record: RecordRef::casepeer(RecordKind::Note, id),
            owner: Some(owner.clone()),
            body: text(item, "body").unwrap_or_default(),
            category: text(item, "category"),
            external_ref: text(item, "external_ref"),
            author: text(item, "author_id"),
            added_at: text(item, "occurred_at").and_then(|at| at.parse().ok()),
        }),
        None => Err(answer.body.get("page").and_then(|page| text(page, "next_cursor"))),
    }
}
