//! Tasks on leads and cases.

use serde_json::{Value, json};

use super::lists;
use super::state::{Kind, Record, Session, merge, object, single};
use super::validate::{self, TASK, fault, invalid};
use crate::twin::call::{Answer, Call, Reply, text};

/// `GET /tasks?lead_id=&case_id=&external_ref=&updated_since=`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    lists::page(session, call, Kind::Task, &["external_ref", "lead_id", "case_id"])
}

/// `GET /tasks/{id}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    session.find(Kind::Task, id)?;
    Ok(single(200, session.shown(Kind::Task, id)))
}

/// `POST /tasks`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = validate::body(call, TASK, &["title"])?;
    owner(session, &body)?;
    session.unique(Kind::Task, &body)?;
    let id = add(session, &body);
    Ok(single(201, session.shown(Kind::Task, &id)))
}

/// `PATCH /tasks/{id}`; `{"completed":true}` completes it.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let record = session.find(Kind::Task, id)?;
    session.matches(call, record)?;
    let body = validate::body(call, TASK, &["title"])?;
    change(session, id, &body);
    Ok(single(200, session.shown(Kind::Task, id)))
}

/// Makes a task and fires `task.created`; one that is born completed also `task.completed`.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let mut record = session.blank(Kind::Task);
    let empty = json!({
        "lead_id": null, "case_id": null, "title": null, "body": null, "priority": "regular", "due_at": null,
        "assignee_id": null, "completed": false, "completed_at": null,
    });
    merge(&mut record, &object(empty));
    merge(&mut record, body);
    let is_completed = record.get("completed") == Some(&Value::Bool(true));
    if is_completed {
        record.insert("completed_at".into(), session.stamp().into());
    }
    let id = text(&record, "id").to_owned();
    session.state.tables.put(Kind::Task, record);
    session.effect("task.create", &id, true);
    session.event("task.created", Kind::Task, &id, None);
    if is_completed {
        session.event("task.completed", Kind::Task, &id, None);
    }
    id
}

/// Changes a task; fires `task.completed` when that completes it, the contract's one event for task changes.
pub(super) fn change(session: &mut Session<'_>, id: &str, patch: &Record) {
    let Some(mut record) = session.state.tables.get(Kind::Task, id).cloned() else { return };
    let was_completed = record.get("completed") == Some(&Value::Bool(true));
    merge(&mut record, patch);
    let is_completed = record.get("completed") == Some(&Value::Bool(true));
    if was_completed != is_completed {
        let at = is_completed.then(|| session.stamp());
        record.insert("completed_at".into(), json!(at));
    }
    let changed = session.keep(Kind::Task, record);
    session.effect("task.update", id, changed);
    if is_completed && !was_completed {
        session.event("task.completed", Kind::Task, id, None);
    }
}

/// A task belongs to a lead or to a case, not to both.
fn owner(session: &Session<'_>, body: &Record) -> Result<(), Reply> {
    let faults = |code: &str| Err(invalid(["lead_id", "case_id"].map(|name| fault(name, code)).to_vec()));
    match (text(body, "lead_id"), text(body, "case_id")) {
        ("", "") => faults("one_of_required"),
        (lead, "") if session.find(Kind::Lead, lead).is_err() => {
            Err(invalid(vec![fault("lead_id", "unknown")]))
        }
        ("", case) if session.find(Kind::Case, case).is_err() => {
            Err(invalid(vec![fault("case_id", "unknown")]))
        }
        (_, "") | ("", _) => Ok(()),
        _ => faults("only_one_allowed"),
    }
}
