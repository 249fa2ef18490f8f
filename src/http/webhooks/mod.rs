//! Where webhooks arrive. A handler reads the body within bounds, hands it to the bridge, and answers once it is on
//! disk.

pub(super) mod casepeer;
mod refusals;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub(super) use self::refusals::Refusals;
use super::Shared;
use super::problem::Problem;
use crate::bridge::Refused;
use crate::domain::EventId;
use crate::operations::casepeer::{Answer, Answers};
use crate::store::Recorded;
use crate::webhook::highlevel::Signatures;
use crate::webhook::{Headers, MAX_BODY, Refusal, highlevel};

/// How long a sender may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// What a webhook is answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// The event's id; of a duplicate, that of the first.
    #[schema(value_type = String, format = "uuid", example = "0190d2a5-7b1c-7e83-8f64-0c8e3f6d2a11")]
    event: EventId,
    /// `recorded` or `duplicate`.
    #[schema(example = "recorded")]
    status: &'static str,
}

/// A webhook of HighLevel's Marketplace app.
///
/// Signed with Ed25519 over the raw body. Also at `/webhooks/crm`.
#[utoipa::path(post, path = "/webhooks/highlevel", tag = "webhooks",
    params(("X-GHL-Signature" = String, Header, description = "Base64 of the Ed25519 signature over the raw body.")),
    request_body(content = serde_json::Value, description = "HighLevel's payload, flat or wrapped in `data`.",
        example = json!({"type": "ContactCreate", "locationId": "ve9EPM428h8vShlRW1KT", "webhookId": "0b9c…", "timestamp": "2026-11-24T12:00:00Z", "id": "nmFmQEsNgz6AVpgLVUJ0"})),
    responses(
        (status = 202, description = "Stored.", body = Receipt),
        (status = 200, description = "Stored before.", body = Receipt),
        (status = 401, description = "The signature is missing or not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than 1 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "It could not be stored; send it again after `Retry-After`.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn highlevel(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let signatures = Signatures {
        ed25519: text(&headers, highlevel::sign::SIGNATURE_HEADER),
        legacy_rsa: text(&headers, "x-wh-signature"),
    };
    let has_proof = signatures.ed25519.or(signatures.legacy_rsa).is_some();
    let known = if has_proof { Ok(()) } else { Err(Refused::Signature(Refusal::Missing)) };
    let sender = Sender { name: "highlevel", busy: StatusCode::TOO_MANY_REQUESTS, answers: None };
    let taken = async |body| shared.bridge.receive_highlevel(signatures, body).await;
    answer(&shared, sender, known, &headers, body, taken).await
}

/// A webhook of a HighLevel Workflow.
///
/// Unsigned; the token in the address names the firm, and a secret header may be required besides. Also at
/// `/webhooks/crm/{token}`.
#[utoipa::path(post, path = "/webhooks/highlevel/{token}", tag = "webhooks",
    params(("token" = String, Path, description = "The firm's unguessable token.")),
    request_body(content = serde_json::Value, description = "The Workflow's snake_case body.",
        example = json!({"contact_id": "nmFmQEsNgz6AVpgLVUJ0", "first_name": "Sam", "location": {"id": "ve9EPM428h8vShlRW1KT"}})),
    responses(
        (status = 202, description = "Stored.", body = Receipt),
        (status = 200, description = "Stored before.", body = Receipt),
        (status = 401, description = "The secret header is missing or not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No firm has this address.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Larger than 1 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "It could not be stored; send it again after `Retry-After`.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn workflow(
    State(shared): State<Arc<Shared>>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let known = shared.bridge.knows_workflow(&token).then_some(()).ok_or(Refused::UnknownUrl);
    let given = Given(&headers);
    let sender = Sender { name: "workflow", busy: StatusCode::TOO_MANY_REQUESTS, answers: None };
    let taken = async |body| shared.bridge.receive_workflow(&token, &given, body).await;
    answer(&shared, sender, known, &headers, body, taken).await
}

/// Who sends, in the words of our metrics, in the status it knows as "come again", and how else it wants to be answered.
#[derive(Clone, Copy)]
struct Sender<'a> {
    name: &'static str,
    busy: StatusCode,
    answers: Option<&'a Answers>,
}

/// Why a body was not read.
enum Unread {
    TooLarge,
    CutOff,
}

/// Reads the body within bounds, lets `take` keep it, and answers. A sender that `known` has refused already is not
/// listened to any longer.
async fn answer(
    shared: &Shared,
    sender: Sender<'_>,
    known: Result<(), Refused>,
    headers: &HeaderMap,
    body: Body,
    take: impl AsyncFnOnce(Bytes) -> Result<Recorded, Refused>,
) -> Response {
    let (result, response) = if announces_too_much(headers) {
        too_large(shared, sender).await
    } else if let Err(refused) = known {
        respond(shared, sender, Err(refused)).await
    } else {
        match read(shared, body).await {
            Ok(body) => {
                let timer = Instant::now();
                let taken = take(body).await;
                metrics::histogram!("casebridge_acknowledgement_seconds", "sender" => sender.name)
                    .record(timer.elapsed().as_secs_f64());
                respond(shared, sender, taken).await
            }
            Err(Unread::TooLarge) => too_large(shared, sender).await,
            Err(Unread::CutOff) => {
                tracing::warn!(
                    sender = sender.name,
                    "a webhook was turned away for now: its body did not arrive"
                );
                ("cut_off", busy(sender))
            }
        }
    };
    metrics::counter!("casebridge_webhooks_total", "sender" => sender.name, "result" => result).increment(1);
    response
}

async fn respond(
    shared: &Shared,
    sender: Sender<'_>,
    taken: Result<Recorded, Refused>,
) -> (&'static str, Response) {
    let told = sender;
    let sender = told.name;
    let receipt = |code: StatusCode, event: EventId, status, wanted: Option<&Answer>| {
        let code = wanted.and_then(|wanted| StatusCode::from_u16(wanted.status).ok()).unwrap_or(code);
        match wanted.and_then(|wanted| wanted.render(&event.to_string(), status)) {
            Some(body) => (code, Json(body)).into_response(),
            None => (code, Json(Receipt { event, status })).into_response(),
        }
    };
    let wanted = told.answers;
    match taken {
        Ok(Recorded::Stored(event)) => {
            tracing::debug!(event.id = %event, sender, "a webhook was stored");
            (
                "recorded",
                receipt(StatusCode::ACCEPTED, event, "recorded", wanted.and_then(|all| all.stored.as_ref())),
            )
        }
        Ok(Recorded::Duplicate(event)) => {
            tracing::debug!(event.id = %event, sender, "a webhook came again");
            (
                "duplicate",
                receipt(StatusCode::OK, event, "duplicate", wanted.and_then(|all| all.duplicate.as_ref())),
            )
        }
        Err(Refused::Signature(why)) => {
            let reason = if why == Refusal::Missing { "no_signature" } else { "signature" };
            count_refusal(sender, reason);
            refuse(shared, sender, &why.to_string()).await;
            ("refused", Problem::invalid_signature().into_response())
        }
        Err(Refused::UnknownUrl) => {
            count_refusal(sender, "address");
            refuse(shared, sender, "no firm has its address").await;
            ("refused", Problem::not_found().into_response())
        }
        Err(Refused::TooFast) => {
            tracing::warn!(
                sender,
                "a webhook was turned away for now: more come than server.firm_per_second"
            );
            ("too_fast", busy(told))
        }
        Err(Refused::Busy(why)) => {
            tracing::error!(sender, "a webhook was turned away for now: {why}");
            ("busy", busy(told))
        }
    }
}

/// Counts what is refused for good, by why.
fn count_refusal(sender: &'static str, reason: &'static str) {
    metrics::counter!("casebridge_webhooks_refused_total", "sender" => sender, "reason" => reason)
        .increment(1);
}

/// Says so, unless that was said a moment ago, and waits if there are many.
async fn refuse(shared: &Shared, sender: &'static str, why: &str) {
    let then = shared.refusals.note(sender, why, Instant::now());
    match then.say {
        Some(0) => tracing::warn!(sender, "a webhook was refused: {why}"),
        Some(unsaid) => {
            tracing::warn!(
                sender,
                unsaid,
                "a webhook was refused, as were others since this was last said: {why}"
            )
        }
        None => {}
    }
    tokio::time::sleep(then.pause).await;
}

/// Come again, in the form this sender understands.
fn busy(sender: Sender<'_>) -> Response {
    let Some(wanted) = sender.answers.and_then(|answers| answers.busy.as_ref()) else {
        return Problem::busy_as(sender.busy).into_response();
    };
    let mut response =
        Problem::busy_as(StatusCode::from_u16(wanted.status).unwrap_or(sender.busy)).into_response();
    if let Some(body) = wanted.render("", "busy") {
        let retry_after = response.headers().get(RETRY_AFTER).cloned();
        response = (response.status(), Json(body)).into_response();
        response.headers_mut().extend(retry_after.map(|value| (RETRY_AFTER, value)));
    }
    response
}

fn announces_too_much(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > MAX_BODY as u64)
}

async fn too_large(shared: &Shared, sender: Sender<'_>) -> (&'static str, Response) {
    count_refusal(sender.name, "too_large");
    refuse(shared, sender.name, "its body is larger than 1 MiB").await;
    ("too_large", Problem::too_large().into_response())
}

/// The whole body. Only so many are read at once, so that what senders send cannot fill the memory.
async fn read(shared: &Shared, body: Body) -> Result<Bytes, Unread> {
    let reading = async {
        let _permit = shared.bodies.acquire().await.map_err(|_| Unread::CutOff)?;
        axum::body::to_bytes(body, MAX_BODY)
            .await
            .map_err(|error| if is_too_large(&error) { Unread::TooLarge } else { Unread::CutOff })
    };
    tokio::time::timeout(BODY_TIMEOUT, reading).await.unwrap_or(Err(Unread::CutOff))
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(one) = source {
        if one.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = one.source();
    }
    false
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

struct Given<'a>(&'a HeaderMap);

impl Headers for Given<'_> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(axum::http::HeaderValue::as_bytes)
    }
}
