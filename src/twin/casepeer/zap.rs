//! A Zapier-like catch hook: it takes any JSON and only says that it took it.

use serde_json::{Value, json};

use super::state::{Session, refusal};
use crate::twin::call::{Answer, Call, Reply};

/// `POST /zap/catch/…`: records a hand-off. Every attempt is one: Zapier knows no idempotency keys.
pub(super) fn catch(session: &mut Session<'_>, call: &Call) -> Answer {
    let body: Value = call.json().map_err(|error| refusal(400, "malformed_json", &error.to_string()))?;
    let id = session.state.ids.uuid();
    session.state.hand_offs.push(body);
    session.effect("zap.catch", &id, true);
    Ok(Reply::ok(json!({"status": "success", "id": id, "request_id": id, "attempt": id})))
}
