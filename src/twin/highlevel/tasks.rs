//! A contact's tasks. They leave the contact's `dateUpdated` alone.

use serde_json::{Value, json};

use super::contacts::{find, missing, texts};
use super::state::{Record, Session, object, pick, refusal};
use super::validate::{self, Kind, Property, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

const WEBHOOK_FIELDS: [&str; 7] = ["id", "assignedTo", "body", "contactId", "title", "dateAdded", "dueDate"];
const SHOWN: [&str; 7] = ["id", "title", "body", "assignedTo", "dueDate", "completed", "contactId"];

const CREATE: [Property; 5] = [
    must("title", Kind::Text),
    may("body", Kind::Text),
    must("dueDate", Kind::Text),
    must("completed", Kind::Flag),
    may("assignedTo", Kind::Text),
];

const UPDATE: [Property; 5] = [
    may("title", Kind::Text),
    may("body", Kind::Text),
    may("dueDate", Kind::Text),
    may("completed", Kind::Flag),
    may("assignedTo", Kind::Text),
];

/// `GET /contacts/{contactId}/tasks`.
pub(super) fn list(session: &mut Session<'_>, contact: &str) -> Answer {
    let tasks: Vec<Record> = find(session, contact)?.tasks.iter().map(show).collect();
    Ok(Reply::ok(json!({"tasks": tasks})))
}

/// `POST /contacts/{contactId}/tasks`.
pub(super) fn create(session: &mut Session<'_>, call: &Call, contact: &str) -> Answer {
    let body = validate::body(call, &CREATE)?;
    due_date(&body)?;
    find(session, contact)?;
    let id = add(session, contact, &body);
    Ok(Reply::created(json!({"task": shown(session, contact, &id)?})))
}

/// `GET /contacts/{contactId}/tasks/{taskId}`.
pub(super) fn get(session: &mut Session<'_>, contact: &str, id: &str) -> Answer {
    Ok(Reply::ok(json!({"task": shown(session, contact, id)?})))
}

/// `PUT /contacts/{contactId}/tasks/{taskId}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, contact: &str, id: &str) -> Answer {
    let body = validate::body(call, &UPDATE)?;
    due_date(&body)?;
    shown(session, contact, id)?;
    change(session, contact, id, &body);
    Ok(Reply::ok(json!({"task": shown(session, contact, id)?})))
}

/// `PUT /contacts/{contactId}/tasks/{taskId}/completed`.
pub(super) fn complete(session: &mut Session<'_>, call: &Call, contact: &str, id: &str) -> Answer {
    let body = validate::body(call, &[must("completed", Kind::Flag)])?;
    shown(session, contact, id)?;
    change(session, contact, id, &body);
    Ok(Reply::ok(json!({"task": shown(session, contact, id)?})))
}

/// `DELETE /contacts/{contactId}/tasks/{taskId}`.
pub(super) fn delete(session: &mut Session<'_>, contact: &str, id: &str) -> Answer {
    shown(session, contact, id)?;
    remove(session, contact, id);
    Ok(Reply::ok(json!({"succeded": true})))
}

/// `POST /locations/{locationId}/tasks/search`.
pub(super) fn search(session: &mut Session<'_>, call: &Call) -> Answer {
    let properties = [
        may("contactId", Kind::Texts),
        may("completed", Kind::Flag),
        may("assignedTo", Kind::Texts),
        may("query", Kind::Text),
        may("limit", Kind::Number),
        may("skip", Kind::Number),
        may("businessId", Kind::Text),
    ];
    let body = validate::body(call, &properties)?;
    let (contacts, assignees) = (texts(&body, "contactId"), texts(&body, "assignedTo"));
    let query = text(&body, "query").to_lowercase();
    let number = |name, default| body.get(name).and_then(Value::as_u64).unwrap_or(default) as usize;
    let fits = |task: &Record| {
        (contacts.is_empty() || contacts.iter().any(|id| id == text(task, "contactId")))
            && (assignees.is_empty() || assignees.iter().any(|id| id == text(task, "assignedTo")))
            && body
                .get("completed")
                .is_none_or(|wanted| wanted.is_null() || task.get("completed") == Some(wanted))
            && (query.is_empty()
                || text(task, "title").to_lowercase().contains(&query)
                || text(task, "id").to_lowercase() == query)
    };
    let tasks: Vec<Record> = session
        .state
        .contacts
        .iter()
        .flat_map(|contact| &contact.tasks)
        .filter(|task| fits(task))
        .skip(number("skip", 0))
        .take(number("limit", 25).min(1000))
        .map(|task| {
            let mut shown = show(task);
            shown.insert("_id".into(), task["id"].clone());
            shown
        })
        .collect();
    Ok(Reply::ok(json!({"tasks": tasks})))
}

/// Makes a task on a known contact and fires `TaskCreate`; one that is born completed also `TaskComplete`.
pub(super) fn add(session: &mut Session<'_>, contact: &str, body: &Record) -> String {
    let id = session.state.ids.record();
    let mut task = object(json!({
        "id": id, "contactId": contact, "title": "", "body": "", "completed": false,
        "dateAdded": session.stamp(),
    }));
    task.extend(body.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
    let is_completed = task["completed"] == Value::Bool(true);
    let Some(owner) = session.state.contacts.get_mut(contact) else { return String::new() };
    owner.tasks.push(task.clone());
    session.state.task_owner.insert(id.clone(), contact.to_owned());
    session.effect("task.create", &id, true);
    fire(session, "TaskCreate", &task);
    if is_completed {
        fire(session, "TaskComplete", &task);
    }
    id
}

/// Changes a task. Only completing it fires a webhook: HighLevel has none for other task changes.
pub(super) fn change(session: &mut Session<'_>, contact: &str, id: &str, body: &Record) {
    let Some(task) = one(session, contact, id) else { return };
    let before = task.clone();
    for (name, value) in body {
        if value.is_null() {
            task.remove(name);
        } else {
            task.insert(name.clone(), value.clone());
        }
    }
    let after = task.clone();
    let is_done = |task: &Record| task.get("completed") == Some(&Value::Bool(true));
    session.effect("task.update", id, before != after);
    if is_done(&after) && !is_done(&before) {
        fire(session, "TaskComplete", &after);
    }
}

/// Deletes a task and fires `TaskDelete`.
pub(super) fn remove(session: &mut Session<'_>, contact: &str, id: &str) {
    let Some(task) = one(session, contact, id).cloned() else { return };
    if let Some(owner) = session.state.contacts.get_mut(contact) {
        owner.tasks.retain(|task| text(task, "id") != id);
    }
    session.state.task_owner.remove(id);
    session.effect("task.delete", id, true);
    fire(session, "TaskDelete", &task);
}

fn fire(session: &mut Session<'_>, kind: &str, task: &Record) {
    let mut fields = pick(task, &WEBHOOK_FIELDS);
    if session.state.has_bare_tasks {
        fields.retain(|name, _| name != "contactId" && name != "body");
    }
    session.webhook(kind, fields);
}

/// A task as the API shows it.
pub(super) fn show(task: &Record) -> Record {
    pick(task, &SHOWN)
}

fn one<'a>(session: &'a mut Session<'_>, contact: &str, id: &str) -> Option<&'a mut Record> {
    session.state.contacts.get_mut(contact)?.tasks.iter_mut().find(|task| text(task, "id") == id)
}

fn shown(session: &Session<'_>, contact: &str, id: &str) -> Result<Record, Reply> {
    let contact = session.state.contacts.get(contact).ok_or_else(missing)?;
    let task = contact.tasks.iter().find(|task| text(task, "id") == id);
    task.map(show).ok_or_else(|| refusal(404, "Task not found"))
}

fn due_date(body: &Record) -> Result<(), Reply> {
    match body.get("dueDate").and_then(Value::as_str) {
        Some(due) if due.parse::<jiff::Timestamp>().is_err() && due.parse::<jiff::civil::Date>().is_err() => {
            Err(validate::unprocessable(&["dueDate must be a valid ISO 8601 date string".to_owned()]))
        }
        _ => Ok(()),
    }
}
