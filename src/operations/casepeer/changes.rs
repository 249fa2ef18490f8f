//! What changed in an account: lists of leads, cases and tasks by `updated_since`, the oldest change first.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::matters::read_matter;
use super::tasks::read_task;
use super::{CannotSend, Profile, Request};
use crate::domain::{Matter, Note, RecordKind, RecordRef, Task};
use crate::operations::{Response, text};

/// A listed record with its dates.
#[derive(Debug, Clone)]
pub struct Listed<Record> {
    /// The record.
    pub record: Record,
    /// When it came into being.
    pub created_at: Option<Timestamp>,
    /// When it was changed.
    pub updated_at: Option<Timestamp>,
}

/// List leads, cases or tasks that were changed since then; all of them without a moment.
pub fn list_changed(
    profile: &Profile,
    kind: RecordKind,
    since: Option<Timestamp>,
    cursor: Option<&str>,
) -> Result<Request, CannotSend> {
    let operation = listing(kind);
    let request = match since {
        Some(since) => profile.search(operation, "updated_since", &format!("{since:.3}"))?,
        None => profile.read(operation, None)?,
    };
    match cursor {
        Some(cursor) => profile.page(request, cursor),
        None => Ok(request),
    }
}

fn listing(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Lead => "lead.list",
        RecordKind::Case => "case.list",
        _ => "task.list",
    }
}

/// How often leads, cases or tasks are read for what no webhook tells of; none if they are not.
pub fn polled_every(profile: &Profile, kind: RecordKind) -> Option<SignedDuration> {
    let is_listed = matches!(kind, RecordKind::Lead | RecordKind::Case | RecordKind::Task);
    profile.polled_every(listing(kind)).filter(|_| is_listed)
}

/// Where the next page begins; none if this is the last.
pub fn next_page(answer: &Response) -> Option<String> {
    text(answer.body.get("page")?, "next_cursor")
}

/// The leads or cases in an answer to [`list_changed`].
pub fn read_listed_matters(answer: &Response, kind: RecordKind, filler: &str) -> Vec<Listed<Matter>> {
    read_all(answer, |item| read_matter(item, kind, filler).ok())
}

/// The tasks in an answer to [`list_changed`].
pub fn read_listed_tasks(answer: &Response) -> Vec<Listed<Task>> {
    read_all(answer, |item| read_task(item).ok())
}

/// The notes in an answer to [`super::list_notes`].
pub fn read_listed_notes(answer: &Response, owner: &RecordRef) -> Vec<Listed<Note>> {
    read_all(answer, |item| {
        Some(Note {
            record: RecordRef::casepeer(RecordKind::Note, text(&item.body, "id")?),
            owner: Some(owner.clone()),
            body: text(&item.body, "body").unwrap_or_default(),
            category: text(&item.body, "category"),
            external_ref: text(&item.body, "external_ref"),
            author: text(&item.body, "author_id"),
            added_at: None,
        })
    })
}

fn read_all<Record>(answer: &Response, read: impl Fn(&Response) -> Option<Record>) -> Vec<Listed<Record>> {
    let items = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| {
            let moment = |key| text(item, key).and_then(|at| at.parse().ok());
            let alone = Response { status: 200, etag: None, link: None, body: item.clone() };
            Some(Listed {
                record: read(&alone)?,
                created_at: moment("created_at").or_else(|| moment("occurred_at")),
                updated_at: moment("updated_at"),
            })
        })
        .collect()
}
