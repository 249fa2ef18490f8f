//! Tasks of a lead or case.

use serde_json::{Value, json};

use super::{CannotSend, Profile, Request};
use crate::domain::{NewTask, RecordKind, RecordRef, Task};
use crate::operations::{Response, Unexpected, text};

/// Create a task on a lead or case.
pub fn create_task(
    profile: &Profile,
    owner: &RecordRef,
    new: &NewTask,
    external_ref: Option<&str>,
) -> Result<Request, CannotSend> {
    let key = if owner.kind == RecordKind::Case { "case_id" } else { "lead_id" };
    let mut body = json!({
        key: owner.id,
        "title": new.title,
        "due_at": new.due_at.to_string(),
        "completed": new.is_completed,
    });
    let optional = [
        ("body", new.body.as_deref()),
        ("assignee_id", new.assignee.as_deref()),
        ("priority", new.priority.as_deref()),
        ("external_ref", external_ref),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            body[key] = value.into();
        }
    }
    profile.write("task.create", None, body, false, None)
}

/// Read one task.
pub fn get_task(profile: &Profile, id: &str) -> Result<Request, CannotSend> {
    profile.read("task.get", Some(id))
}

/// Mark a task as done.
pub fn complete_task(profile: &Profile, id: &str) -> Result<Request, CannotSend> {
    profile.write("task.complete", Some(id), json!({ "completed": true }), true, None)
}

/// The task in an answer to [`get_task`] or [`create_task`].
pub fn read_task(answer: &Response) -> Result<Task, Unexpected> {
    let body = &answer.body;
    let id = text(body, "id").ok_or(Unexpected { operation: "task.get", missing: "id" })?;
    let related = |key, kind| text(body, key).map(|id| RecordRef::casepeer(kind, id));
    Ok(Task {
        record: RecordRef::casepeer(RecordKind::Task, id),
        owner: related("case_id", RecordKind::Case).or_else(|| related("lead_id", RecordKind::Lead)),
        title: text(body, "title").unwrap_or_default(),
        body: text(body, "body"),
        due_at: text(body, "due_at").and_then(|due| due.parse().ok()),
        due_text: text(body, "due_at"),
        priority: text(body, "priority"),
        assignee: text(body, "assignee_id"),
        is_completed: body.get("completed").and_then(Value::as_bool).unwrap_or(false),
        external_ref: text(body, "external_ref"),
    })
}
