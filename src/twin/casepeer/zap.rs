//! A Zapier-like catch hook: it takes any JSON and only says that it took it.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::Vendor;
use super::state::{Session, refusal};
use crate::twin::call::{Answer, Call, Reply};
use crate::twin::server::{Api, Common};

/// The hooks of an account's Zaps.
#[derive(Debug)]
pub(in crate::twin) struct Hooks(pub(in crate::twin) Arc<Vendor>);

impl Api for Hooks {
    const BASE: &'static str = "/hooks";

    fn common(&self) -> &Common {
        self.0.common()
    }

    fn answer(&self, call: &Call, lag: i64) -> Reply {
        self.0.by_api(call, lag, |session| match (call.method.as_str(), &call.segments()[..]) {
            ("POST", ["catch", ..]) => catch(session, call),
            _ => Err(refusal(404, "not_found", "no such hook")),
        })
    }

    fn refusal(&self, status: u16, message: &str) -> Reply {
        self.0.refusal(status, message)
    }

    fn revoke(&self, token: &str) {
        self.0.revoke(token);
    }

    fn expire(&self) {
        self.0.expire();
    }

    fn control(&self, _call: &Call) -> Option<Response> {
        None
    }
}

/// `POST /hooks/catch/…`: records a hand-off. Every attempt is one: Zapier knows no idempotency keys.
fn catch(session: &mut Session<'_>, call: &Call) -> Answer {
    let body: Value = call.json().map_err(|error| refusal(400, "malformed_json", &error.to_string()))?;
    let id = session.state.ids.uuid();
    session.state.hand_offs.push(body);
    session.effect("zap.catch", &id, true);
    Ok(Reply::ok(json!({"status": "success", "id": id, "request_id": id, "attempt": id})))
}
