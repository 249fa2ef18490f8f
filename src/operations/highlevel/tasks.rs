//! Tasks of a contact: `contacts.json`, scopes `contacts.readonly` and `contacts.write`; and the search over a
//! location's tasks: `locations.json`, scope `locations/tasks.readonly`.

use serde_json::{Value, json};

use super::{Effect, Method, Operation, Request};
use crate::domain::{NewTask, RecordKind, RecordRef, Task};
use crate::operations::{Response, Unexpected, text};

const GET: Operation =
    Operation::new("contacts.get-task", Method::Get, "/contacts/{contactId}/tasks/{taskId}", Effect::Read);
const CREATE: Operation =
    Operation::new("contacts.create-task", Method::Post, "/contacts/{contactId}/tasks", Effect::Create);
const COMPLETE: Operation = Operation::new(
    "contacts.update-task-completed",
    Method::Put,
    "/contacts/{contactId}/tasks/{taskId}/completed",
    Effect::Idempotent,
);
const SEARCH: Operation = Operation::new(
    "locations.task-search",
    Method::Post,
    "/locations/{locationId}/tasks/search",
    Effect::Read,
);

/// How many tasks one search may answer; a task without its contact is found by its title, so a page is plenty.
const SEARCH_LIMIT: u32 = 100;

/// Read one task.
pub fn get_task(contact: &str, task: &str) -> Request {
    GET.request(&[contact, task])
}

/// Create a task (`CreateTaskParams`: title, dueDate and completed are required).
pub fn create_task(contact: &str, new: &NewTask) -> Request {
    let mut body = json!({
        "title": new.title,
        "dueDate": new.due_at.to_string(),
        "completed": new.is_completed,
    });
    if let Some(text) = &new.body {
        body["body"] = text.as_str().into();
    }
    if let Some(user) = &new.assignee {
        body["assignedTo"] = user.as_str().into();
    }
    CREATE.request(&[contact]).json(body)
}

/// Mark a task as done.
pub fn complete_task(contact: &str, task: &str) -> Request {
    COMPLETE.request(&[contact, task]).json(json!({ "completed": true }))
}

/// Look for tasks of a location by words of their title: how the contact of a task is found when its webhook does
/// not say (github.com/GoHighLevel/highlevel-api-docs issue 332).
pub fn search_tasks(location: &str, words: Option<&str>) -> Request {
    let mut body = json!({ "limit": SEARCH_LIMIT, "skip": 0 });
    if let Some(words) = words {
        body["query"] = words.into();
    }
    SEARCH.request(&[location]).json(body)
}

/// The task in an answer to [`get_task`] or [`create_task`].
pub fn read_task(answer: &Response, contact: &str) -> Result<Task, Unexpected> {
    let task = answer.body.get("task").unwrap_or(&Value::Null);
    let id = text(task, "id").ok_or(Unexpected { operation: GET.id, missing: "task.id" })?;
    Ok(Task {
        record: RecordRef::highlevel(RecordKind::Task, id),
        owner: Some(RecordRef::highlevel(RecordKind::Contact, contact)),
        title: text(task, "title").unwrap_or_default(),
        body: text(task, "body"),
        due_at: text(task, "dueDate").and_then(|due| due.parse().ok()),
        is_completed: task.get("completed").and_then(Value::as_bool).unwrap_or(false),
        external_ref: None,
    })
}

/// The contact of the task with this id among the answers to [`search_tasks`]. The official file describes the list
/// as one of arrays, live answers are one of objects: both are read.
pub fn read_found_task(answer: &Response, task: &str) -> Option<String> {
    let tasks = answer.body.get("tasks")?.as_array()?;
    let flat = tasks.iter().flat_map(|item| match item {
        Value::Array(items) => items.iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    let mut found =
        flat.filter(|item| text(item, "id").or_else(|| text(item, "_id")).as_deref() == Some(task));
    text(found.next()?, "contactId")
}
