//! Where webhooks of the CASEpeer side arrive, whatever their profile says of them.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Given, Receipt, Sender, answer, read};
use crate::bridge::Refused;
use crate::http::Shared;
use crate::http::problem::Problem;
use crate::operations::casepeer::Handshake;
use crate::webhook::{Headers, Refusal};

/// The longest word that is echoed, in bytes: it comes from somebody who has proven nothing yet.
const LONGEST_ECHO: usize = 256;

/// A webhook of the CASEpeer side.
///
/// Proven as the firm's profile says; in the published contract, which is described here, by HMAC-SHA256 over
/// `timestamp.body`, stamped within five minutes. A Zap sends a secret header instead. A profile may also have its
/// sender answered in another form.
#[utoipa::path(post, path = "/webhooks/casepeer/{token}", tag = "webhooks",
    params(
        ("token" = String, Path, description = "The firm's unguessable token."),
        ("X-Casepeer-Timestamp" = String, Header, description = "Seconds since 1970 at which this attempt was signed."),
        ("X-Casepeer-Signature" = String, Header, description = "`sha256=<hex>`; several, separated by commas, during a rotation."),
    ),
    request_body(content = serde_json::Value, description = "An event of the contract.",
        example = json!({"id": "evt_1", "type": "lead.created", "version": "1", "occurred_at": "2026-11-24T12:00:00Z", "account_id": "firm-1", "data": {"lead": {"id": "L-1"}}})),
    responses(
        (status = 202, description = "Stored.", body = Receipt),
        (status = 200, description = "Stored before.", body = Receipt),
        (status = 401, description = "The signature is missing, not valid or stale.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No firm has this address.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than 1 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored; send it again after `Retry-After`.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(in crate::http) async fn receive(
    State(shared): State<Arc<Shared>>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let given = Given(&headers);
    let mut sender = Sender { name: "casepeer", busy: StatusCode::SERVICE_UNAVAILABLE, answers: None };
    let refuse = async |_| Err(Refused::UnknownUrl);
    let Some(known) = shared.bridge.casepeer_sender(&token) else {
        return answer(&shared, sender, Err(Refused::UnknownUrl), &headers, body, refuse).await;
    };
    sender.answers = Some(&known.inbound().answers);
    if !known.has_proof(&given) {
        let handshake = known.inbound().handshake.as_ref();
        let (echo, body) = match handshake {
            Some(Handshake::Header { header }) => (echo_header(header, &given), body),
            Some(Handshake::Body { pointer, key }) => match read(&shared, body).await {
                Ok(body) => (echo_value(pointer, key, &body), body.into()),
                Err(_) => (None, Body::empty()),
            },
            None => (None, body),
        };
        if let Some(echo) = echo {
            tracing::info!(sender = sender.name, "a handshake was answered");
            return echo;
        }
        return answer(&shared, sender, Err(Refused::Signature(Refusal::Missing)), &headers, body, refuse)
            .await;
    }
    let taken = async |body| shared.bridge.receive_casepeer(&known, &given, body).await;
    answer(&shared, sender, Ok(()), &headers, body, taken).await
}

fn echo_header(header: &str, given: &impl Headers) -> Option<Response> {
    let value = short(given.text(header)?)?;
    let name = HeaderName::try_from(header).ok()?;
    Some((StatusCode::OK, [(name, HeaderValue::try_from(value).ok()?)]).into_response())
}

fn echo_value(pointer: &str, key: &str, body: &[u8]) -> Option<Response> {
    if body.len() > 4 * LONGEST_ECHO {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let value = short(body.pointer(pointer)?.as_str()?)?;
    Some((StatusCode::OK, Json(json!({ key: value }))).into_response())
}

/// A word that may be echoed: short, and of visible characters.
fn short(value: &str) -> Option<&str> {
    let is_plain =
        !value.is_empty() && value.len() <= LONGEST_ECHO && value.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then_some(value)
}
