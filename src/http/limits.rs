//! How much one client may ask for.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::telemetry::{TraceId, span_id};

/// What a listener takes at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections. Below the 1,024 files a process may have open unless it is given more, so that a crowd on one
    /// listener leaves the other, the store and the vendors reachable.
    pub connections: usize,
    /// How long a client may take to send its headers, or to begin its next request.
    pub header_time: Duration,
    /// How long a connection may say nothing: longer than any answer of ours takes.
    pub idle_time: Duration,
    /// Bytes of headers: HighLevel's are under 2 KiB.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 640,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            header_bytes: 64 * 1024,
        }
    }
}

/// The longest path, in bytes: the longest of ours ends in a token or an id.
const LONGEST_PATH: usize = 1_024;
/// The longest query, in bytes: what an authorisation server sends back is under 2 KiB.
const LONGEST_QUERY: usize = 8_192;

/// Has a request be part of the trace that its sender gave.
pub(super) async fn trace(request: Request, next: Next) -> Response {
    let given = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    match given.and_then(TraceId::from_header) {
        Some(trace) => trace.within(span_id(), next.run(request)).await,
        None => next.run(request).await,
    }
}

/// Turns away an address that is longer than any of ours, before anything looks at it.
pub(super) async fn address(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if uri.path().len() > LONGEST_PATH || uri.query().is_some_and(|query| query.len() > LONGEST_QUERY) {
        return Problem::address_too_long().into_response();
    }
    next.run(request).await
}
