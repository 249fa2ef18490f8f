//! Tasks of a contact: `contacts.json`, scopes `contacts.readonly` and `contacts.write`; and the search over a
//! location's tasks: `locations.json`, scope `locations/tasks.readonly`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Effect, Method, Operation, Request, scopes};
use crate::domain::{NewTask, RecordKind, RecordRef, Task};
use crate::operations::{Response, Unexpected, text};

const GET: Operation = Operation::new(
    "contacts.get-task",
    Method::Get,
    "/contacts/{contactId}/tasks/{taskId}",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const LIST: Operation = Operation::new(
    "contacts.get-all-tasks",
    Method::Get,
    "/contacts/{contactId}/tasks",
    Effect::Read,
    scopes::CONTACTS_READ,
);
const CREATE: Operation = Operation::new(
    "contacts.create-task",
    Method::Post,
    "/contacts/{contactId}/tasks",
    Effect::Create,
    scopes::CONTACTS_WRITE,
);
const COMPLETE: Operation = Operation::new(
    "contacts.update-task-completed",
    Method::Put,
    "/contacts/{contactId}/tasks/{taskId}/completed",
    Effect::Idempotent,
    scopes::CONTACTS_WRITE,
);
const SEARCH: Operation = Operation::new(
    "locations.task-search",
    Method::Post,
    "/locations/{locationId}/tasks/search",
    Effect::Read,
    scopes::TASKS_SEARCH,
);

/// How many tasks a page of the search has.
pub(super) const SEARCH_PAGE: usize = 100;

/// Read one task.
pub fn get_task(contact: &str, task: &str) -> Request {
    GET.request(&[contact, task])
}

/// Read all tasks of a contact.
pub fn list_tasks(contact: &str) -> Request {
    LIST.request(&[contact])
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

/// Whether this task can be what a request with this body made.
pub fn is_made_by(task: &Task, sent: &[u8]) -> bool {
    let sent: Value = serde_json::from_slice(sent).unwrap_or_default();
    let due_at = text(&sent, "dueDate").and_then(|due| due.parse::<Timestamp>().ok());
    text(&sent, "title").as_deref() == Some(task.title.as_str())
        && text(&sent, "body").unwrap_or_default() == task.body.as_deref().unwrap_or_default()
        && due_at.map(Timestamp::as_second) == task.due_at.map(Timestamp::as_second)
}

/// Mark a task as done.
pub fn complete_task(contact: &str, task: &str) -> Request {
    COMPLETE.request(&[contact, task]).json(json!({ "completed": true }))
}

/// Read a page of a location's tasks: how the contact of a task is found when its webhook does not say
/// (github.com/GoHighLevel/highlevel-api-docs issue 332). Counted from 0.
pub fn search_tasks(location: &str, page: usize) -> Request {
    SEARCH.request(&[location]).json(json!({ "limit": SEARCH_PAGE, "skip": page * SEARCH_PAGE }))
}

/// The task in an answer to [`get_task`] or [`create_task`].
pub fn read_task(answer: &Response, contact: &str) -> Result<Task, Unexpected> {
    let task = answer.body.get("task").unwrap_or(&Value::Null);
    read_one(task, contact).ok_or(Unexpected { operation: GET.id, missing: "task.id" })
}

/// The tasks in an answer to [`list_tasks`].
pub fn read_tasks(answer: &Response, contact: &str) -> Vec<Task> {
    let tasks = answer.body.get("tasks").and_then(Value::as_array).into_iter().flatten();
    tasks.filter_map(|task| read_one(task, contact)).collect()
}

pub(super) fn read_one(task: &Value, contact: &str) -> Option<Task> {
    Some(Task {
        record: RecordRef::highlevel(RecordKind::Task, text(task, "id")?),
        owner: Some(RecordRef::highlevel(RecordKind::Contact, contact)),
        title: text(task, "title").unwrap_or_default(),
        body: text(task, "body"),
        due_at: text(task, "dueDate").and_then(|due| due.parse().ok()),
        due_text: None,
        priority: None,
        assignee: text(task, "assignedTo"),
        is_completed: task.get("completed").and_then(Value::as_bool).unwrap_or(false),
        external_ref: None,
    })
}

/// What a page of [`search_tasks`] says of the task with this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundTask {
    /// It is on the page, and this is its contact.
    Of(String),
    /// It is not; there may be more pages.
    NotHere,
    /// It is not, and this was the last page.
    Nowhere,
}

/// Looks for a task on a page of [`search_tasks`]. The official file describes the list as one of arrays, live
/// answers are one of objects: both are read.
pub fn read_found_task(answer: &Response, task: &str) -> FoundTask {
    let items = answer.body.get("tasks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let flat =
        items.iter().flat_map(|item| item.as_array().map_or(std::slice::from_ref(item), Vec::as_slice));
    let is_it = |item: &&Value| text(item, "id").or_else(|| text(item, "_id")).as_deref() == Some(task);
    match flat.clone().find(is_it).and_then(|item| text(item, "contactId")) {
        Some(contact) => FoundTask::Of(contact),
        None if flat.count() < SEARCH_PAGE => FoundTask::Nowhere,
        None => FoundTask::NotHere,
    }
}
