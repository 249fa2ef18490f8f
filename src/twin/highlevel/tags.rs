//! Tags: on contacts, and the location's list of them.

use serde_json::{Value, json};

use super::contacts::{find, fire, missing, texts};
use super::state::{Record, Session, State, object, refusal};
use super::validate::{self, Kind, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

/// `POST` and `DELETE /contacts/{contactId}/tags`.
pub(super) fn on_contact(session: &mut Session<'_>, call: &Call, id: &str, adds: bool) -> Answer {
    let body = validate::body(call, &[must("tags", Kind::Texts)])?;
    find(session, id)?;
    let tags = change(session, id, &texts(&body, "tags"), adds);
    Ok(Reply::new(if adds { 201 } else { 200 }, json!({"tags": tags})))
}

/// `POST /contacts/bulk/tags/update/{type}`.
pub(super) fn bulk(session: &mut Session<'_>, call: &Call, adds: bool) -> Answer {
    let properties = [
        must("contacts", Kind::Texts),
        must("tags", Kind::Texts),
        must("locationId", Kind::Text),
        may("removeAllTags", Kind::Flag),
    ];
    let body = validate::body(call, &properties)?;
    session.location(text(&body, "locationId"))?;
    let removes_all = body.get("removeAllTags") == Some(&Value::Bool(true));
    let mut responses = Vec::new();
    let mut errors = 0;
    for id in texts(&body, "contacts") {
        match session.state.contacts.get(&id).map(|contact| texts(&contact.fields, "tags")) {
            None => {
                errors += 1;
                responses.push(json!({"contactId": id, "message": "Contact not found", "type": "error"}));
            }
            Some(present) => {
                let tags = if removes_all && !adds { present.clone() } else { texts(&body, "tags") };
                let tags = change(session, &id, &tags, adds);
                responses.push(json!({"contactId": id, "message": "Tags updated", "type": "success",
                    "oldTags": present, "tags": tags}));
            }
        }
    }
    Ok(Reply::created(json!({"succeded": errors == 0, "errorCount": errors, "responses": responses})))
}

/// Adds tags to a known contact, or takes them away; fires `ContactTagUpdate` if that changes them.
pub(super) fn change(session: &mut Session<'_>, id: &str, tags: &[String], adds: bool) -> Vec<String> {
    let Some(contact) = session.state.contacts.get(id) else { return Vec::new() };
    let before = texts(&contact.fields, "tags");
    let after = if adds {
        distinct(before.iter().chain(tags).cloned().collect())
    } else {
        before.iter().filter(|tag| !tags.contains(tag)).cloned().collect()
    };
    let changed = before != after;
    if changed {
        let now = session.stamp();
        if let Some(contact) = session.state.contacts.get_mut(id) {
            contact.fields.insert("tags".into(), json!(after));
            contact.fields.insert("dateUpdated".into(), now.into());
        }
        register(session, &after);
    }
    session.effect(if adds { "contact.tags.add" } else { "contact.tags.remove" }, id, changed);
    if changed {
        fire(session, "ContactTagUpdate", id);
    }
    after
}

/// Each tag once, in the order of first mention.
pub(super) fn distinct(tags: Vec<String>) -> Vec<String> {
    let mut seen = Vec::with_capacity(tags.len());
    for tag in tags {
        if !tag.is_empty() && !seen.contains(&tag) {
            seen.push(tag);
        }
    }
    seen
}

/// Makes sure that the location knows these tags.
pub(super) fn register(session: &mut Session<'_>, tags: &[String]) {
    for tag in tags {
        if !session.state.tags.iter().any(|known| text(known, "name") == tag) {
            let id = session.state.ids.record();
            let record = object(json!({"id": id, "name": tag, "locationId": session.state.location}));
            session.state.tags.push(record);
        }
    }
}

/// `GET /locations/{locationId}/tags`.
pub(super) fn list(session: &mut Session<'_>) -> Answer {
    Ok(Reply::ok(json!({"tags": session.state.tags})))
}

/// `POST /locations/{locationId}/tags`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = validate::body(call, &[must("name", Kind::Text)])?;
    let name = text(&body, "name").to_owned();
    if session.state.tags.iter().any(|tag| text(tag, "name") == name) {
        return Err(refusal(400, "The tag name is already exist."));
    }
    register(session, std::slice::from_ref(&name));
    let tag = session.state.tags.last().cloned().unwrap_or_default();
    session.effect("location.tag.create", text(&tag, "id"), true);
    Ok(Reply::created(json!({"tag": tag})))
}

/// `GET`, `PUT` and `DELETE /locations/{locationId}/tags/{tagId}`.
pub(super) fn one(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let mut tag: Record = State::find(&session.state.tags, id).cloned().ok_or_else(missing)?;
    match call.method.as_str() {
        "PUT" => {
            let body = validate::body(call, &[must("name", Kind::Text)])?;
            tag.insert("name".into(), body["name"].clone());
            session.state.tags.iter_mut().filter(|known| text(known, "id") == id).for_each(|known| {
                known.clone_from(&tag);
            });
            session.effect("location.tag.update", id, true);
            Ok(Reply::ok(json!({"tag": tag})))
        }
        "DELETE" => {
            session.state.tags.retain(|known| text(known, "id") != id);
            session.effect("location.tag.delete", id, true);
            Ok(Reply::ok(json!({"succeded": true})))
        }
        _ => Ok(Reply::ok(json!({"tag": tag}))),
    }
}
