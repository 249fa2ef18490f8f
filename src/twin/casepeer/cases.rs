//! Cases. The contract has no way to make one but converting a lead, which only people do.

use serde_json::{Value, json};

use super::leads::{change_record, client_of, empty};
use super::lists;
use super::state::{Kind, Record, Session, merge, object, single};
use super::validate::{self, CASE};
use crate::twin::call::{Answer, Call, text};

/// With these a case is over.
const CLOSED: [&str; 3] = ["Settled", "Closed", "Turned Down"];

/// `GET /cases?contact_id=&lead_id=&external_ref=&email=&phone=&updated_since=`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    lists::page(session, call, Kind::Case, &["external_ref", "email", "phone", "contact_id", "lead_id"])
}

/// `GET /cases/{id}`.
pub(super) fn get(session: &mut Session<'_>, id: &str) -> Answer {
    session.find(Kind::Case, id)?;
    Ok(single(200, session.shown(Kind::Case, id)))
}

/// `PATCH /cases/{id}`.
pub(super) fn update(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let record = session.find(Kind::Case, id)?;
    session.matches(call, record)?;
    let body = validate::body(call, CASE, &["client.first_name", "client.last_name", "status"])?;
    change(session, id, &body);
    Ok(single(200, session.shown(Kind::Case, id)))
}

/// Makes a case of a lead's fields; whoever calls fires the event.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let client = client_of(session, body);
    let mut record = session.blank(Kind::Case);
    merge(&mut record, &empty());
    record.remove("case_id");
    let year = session.stamp()[..4].to_owned();
    let number = session.state.ids.counted("number-").replace("number-", "");
    let person = session.state.tables.get(Kind::Contact, &client).cloned().unwrap_or_default();
    let name = format!("{} {}", text(&person, "first_name"), text(&person, "last_name"));
    let details = json!({
        "lead_id": null, "name": name.trim(), "number": format!("{year}-{number:0>4}"),
        "retained_at": session.stamp(), "closed_at": null, "statute_date": null,
    });
    merge(&mut record, &object(details));
    merge(&mut record, body);
    record.remove("client");
    record.insert("client_id".into(), client.into());
    let id = text(&record, "id").to_owned();
    session.state.tables.put(Kind::Case, record);
    session.effect("case.create", &id, true);
    id
}

/// Changes a case; fires `case.status_changed` if its status changes.
pub(super) fn change(session: &mut Session<'_>, id: &str, patch: &Record) {
    let Some(before) = session.state.tables.get(Kind::Case, id).cloned() else { return };
    let mut patch = patch.clone();
    let status =
        patch.get("status").and_then(Value::as_str).filter(|status| *status != text(&before, "status"));
    let moves = status.is_some();
    if let Some(status) = status
        && !patch.contains_key("closed_at")
    {
        let closed = CLOSED.contains(&status).then(|| session.stamp());
        patch.insert("closed_at".into(), json!(closed));
    }
    let changed = change_record(session, Kind::Case, id, &patch);
    session.effect("case.update", id, changed);
    if moves {
        let previous = json!({"status": before["status"]});
        session.event("case.status_changed", Kind::Case, id, Some(previous));
    }
}
