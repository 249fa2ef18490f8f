//! `/webhooks`: who is told of events. The bridge of the twin's configuration is always told and not listed.

use serde_json::{Value, json};

use super::state::{Session, refusal};
use super::validate::{self, WEBHOOK, fault, invalid};
use super::{BRIDGE, EVENTS};
use crate::twin::call::{Answer, Call, Reply, text};
use crate::twin::delivery::Target;

/// `GET /webhooks`: without the secrets.
pub(super) fn list(session: &mut Session<'_>) -> Answer {
    let targets = session.common.outbox.targets();
    let data: Vec<Value> = targets
        .iter()
        .filter(|target| target.id != BRIDGE)
        .map(|target| json!({"id": target.id, "url": target.url, "events": target.events}))
        .collect();
    Ok(Reply::ok(json!({"data": data, "page": {"next_cursor": null}})))
}

/// `POST /webhooks`: the one answer that shows the secret.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = validate::body(call, WEBHOOK, &["url", "events"])?;
    let url = text(&body, "url").to_owned();
    if !reqwest::Url::parse(&url).is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
        return Err(invalid(vec![fault("url", "format")]));
    }
    let events: Vec<String> = serde_json::from_value(body["events"].clone()).unwrap_or_default();
    if events.is_empty() || events.iter().any(|event| !EVENTS.contains(&event.as_str())) {
        return Err(invalid(vec![fault("events", "not_in_list")]));
    }
    let given = text(&body, "secret");
    let secret = if given.is_empty() { session.state.ids.letters(40) } else { given.to_owned() };
    let id = session.state.ids.counted("W-");
    let target = Target { id: id.clone(), url: url.clone(), secret: secret.clone(), events: events.clone() };
    session.common.outbox.set_target(target);
    session.effect("webhook.create", &id, true);
    Ok(Reply::created(json!({"id": id, "url": url, "events": events, "secret": secret})))
}

/// `DELETE /webhooks/{id}`.
pub(super) fn delete(session: &mut Session<'_>, id: &str) -> Answer {
    if id == BRIDGE || !session.common.outbox.remove_target(id) {
        return Err(refusal(404, "not_found", &format!("no webhook {id}")));
    }
    session.effect("webhook.delete", id, true);
    Ok(Reply::new(204, Value::Null))
}
