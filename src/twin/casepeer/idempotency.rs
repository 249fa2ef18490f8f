//! `Idempotency-Key`: the same key and body gets the first answer again.

use std::collections::HashMap;

use axum::body::Bytes;

use super::state::refusal;
use crate::twin::call::{Answer, Call, Reply};

/// The keys of the POSTs that succeeded.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<String, (String, Bytes, Reply)>);

impl Keys {
    /// The answer this key has already got; none for a new key or another method.
    ///
    /// # Errors
    /// The outer option holds a 422 when the key came with another path or body.
    pub(super) fn replay(&self, call: &Call) -> Option<Answer> {
        let (path, body, reply) = self.0.get(key(call)?)?;
        if *path == call.path && *body == call.body {
            return Some(Ok(reply.clone().with("idempotent-replayed", true)));
        }
        Some(Err(refusal(422, "idempotency_mismatch", "this Idempotency-Key was used for another request")))
    }

    /// Remembers a success.
    pub(super) fn remember(&mut self, call: &Call, reply: &Reply) {
        if let (Some(key), true) = (key(call), reply.is_success()) {
            self.0.insert(key.to_owned(), (call.path.clone(), call.body.clone(), reply.clone()));
        }
    }
}

fn key(call: &Call) -> Option<&str> {
    call.header("idempotency-key").filter(|key| !key.is_empty() && call.method == axum::http::Method::POST)
}
