//! `/api/v1/actions` of the public listener: programs call the catalog's actions with a token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Shared;
use super::problem::Problem;
use crate::bridge::{AskedCall, CallState, LONGEST_KEY, NotTaken, TOKEN_START};
use crate::domain::{EventId, EventState, FirmId};
use crate::operations::catalog::{self, Kind, NotCallable, nearest_entry};
use crate::store::{ApiToken, Recorded, StoreError};

/// The longest a caller may be kept waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often it is looked whether a call has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a program asks for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The firm; may be left out with a token for one firm.
    #[schema(example = "acme")]
    firm: Option<String>,
    /// The action's parameters, as `casebridge catalog show` lists them.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"contactId": "ocQHyuzHvysMo5N5VsXc", "tags": ["vip"]}))]
    parameters: Map<String, Value>,
}

/// How a call stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CallReceipt {
    /// Its id: that of its event.
    #[schema(value_type = String, format = "uuid")]
    id: EventId,
    /// The action.
    #[schema(example = "contacts.add-tags")]
    action: String,
    /// `accepted`, `done`, `refused`, or `in_review` and `undelivered` where a person has to act.
    #[schema(example = "done")]
    status: &'static str,
    /// Where it is asked how it stands.
    status_url: String,
    /// The vendor's HTTP status.
    vendor_status: Option<u16>,
    /// The vendor's answer.
    #[schema(value_type = Object)]
    result: Option<Value>,
    /// Why it was refused, or why it waits.
    reason: Option<String>,
}

/// Calls an action.
///
/// With `Prefer: wait=10` the answer is waited for so long; otherwise, and where it takes longer, 202 says where it will be.
/// The same `Idempotency-Key` never calls twice.
#[utoipa::path(post, path = "/api/v1/actions/{id}", tag = "actions", params(
    ("id" = String, Path, description = "The action, as in the catalog.", example = "contacts.add-tags"),
    ("Idempotency-Key" = Option<String>, Header, description = "Makes a repeat harmless: up to 200 bytes."),
    ("Prefer" = Option<String>, Header, description = "`wait=N`: up to 30 seconds."),
), request_body = Asked, responses(
    (status = 200, description = "It was carried out, or the vendor refused it.", body = CallReceipt),
    (status = 202, description = "It is safe and will be carried out.", body = CallReceipt),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The token lacks the right that is named.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such action.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Parameters are missing or not what they must be; each is named.", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "It could not be stored; send it again after `Retry-After`.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let token = authorised(&shared, &headers).await?;
    if !token.may_call(&id) {
        return Err(Problem::forbidden(format!("The token `{}` has no right to `{id}`.", token.name)));
    }
    let action = catalog::find(&id).filter(|entry| entry.kind == Kind::Action).ok_or_else(|| {
        let near = nearest_entry(&id).map(|near| format!(" Did you mean `{near}`?"));
        Problem::not_found().detail(format!("There is no action `{id}`.{}", near.unwrap_or_default()))
    })?;
    let Asked { firm, parameters } = match body.is_empty() {
        true => Asked { firm: None, parameters: Map::new() },
        false => serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))?,
    };
    let firm = firm_of(&shared, &token, firm)?;
    let key = text(&headers, "idempotency-key").map(str::to_owned);
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > LONGEST_KEY) {
        return Err(Problem::invalid(format!("`Idempotency-Key` has 1 to {LONGEST_KEY} bytes")));
    }
    let asked = AskedCall { action, firm, parameters, token: token.id.clone(), key };
    let recorded = shared.bridge.ask(asked).await.map_err(refusal)?;
    let (Recorded::Stored(event) | Recorded::Duplicate(event)) = recorded;
    let until = Instant::now() + wait_of(&headers);
    loop {
        let state = shared.bridge.asked(event, &token.id).await.map_err(busy)?;
        let state = state.ok_or_else(Problem::not_found)?;
        if state.state.is_settled() || Instant::now() >= until {
            return Ok(respond(event, state));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How a call stands.
#[utoipa::path(get, path = "/api/v1/actions/calls/{id}", tag = "actions", params(
    ("id" = String, Path, description = "The call, as it was answered."),
), responses(
    (status = 200, description = "It has ended.", body = CallReceipt),
    (status = 202, description = "It has not ended.", body = CallReceipt),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "This token has asked for no such call.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = authorised(&shared, &headers).await?;
    let event: EventId = id.parse().map_err(|_| Problem::not_found())?;
    let state = shared.bridge.asked(event, &token.id).await.map_err(busy)?;
    Ok(respond(event, state.ok_or_else(Problem::not_found)?))
}

/// The token that came along, if it is good.
pub(super) async fn authorised(shared: &Shared, headers: &HeaderMap) -> Result<ApiToken, Problem> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let Some(given) = given.filter(|given| given.starts_with(TOKEN_START.as_bytes()) && given.len() < 200)
    else {
        return Err(Problem::unauthorised().detail("Send `Authorization: Bearer` with an API token."));
    };
    // Looked up by its digest: the time of a look-up says nothing about a token.
    let found = shared.bridge.store.token_by(Sha256::digest(given).into()).await.map_err(busy)?;
    found.ok_or_else(|| Problem::unauthorised().detail("This token is not known, or was revoked."))
}

pub(super) fn firm_of(shared: &Shared, token: &ApiToken, named: Option<String>) -> Result<FirmId, Problem> {
    let all: Vec<String> = match token.firms.is_empty() {
        true => shared.bridge.firms.iter().map(|firm| firm.id.as_str().to_owned()).collect(),
        false => token.firms.clone(),
    };
    match (named, &all[..]) {
        (Some(firm), _) if token.is_for(&firm) => Ok(FirmId::new(firm)),
        (Some(firm), _) => {
            Err(Problem::forbidden(format!("The token `{}` has no right to the firm `{firm}`.", token.name)))
        }
        (None, [only]) => Ok(FirmId::new(only)),
        (None, _) => Err(Problem::unprocessable("`firm` is missing: the token is good for several.")),
    }
}

fn respond(event: EventId, state: CallState) -> Response {
    let status = match (state.state, &state.answer) {
        (EventState::InReview, _) => "in_review",
        (EventState::Undelivered, _) => "undelivered",
        (ended, Some(answer)) if ended.is_settled() && answer.why.is_some() => "refused",
        (ended, _) if ended.is_settled() => "done",
        _ => "accepted",
    };
    let status_url = format!("/api/v1/actions/calls/{event}");
    let (vendor_status, why, result) = match state.answer {
        Some(answer) => (answer.status, answer.why, Some(answer.body).filter(|body| !body.is_null())),
        None => (None, None, None),
    };
    let reason = why.or(state.reason);
    let code = if status == "accepted" { StatusCode::ACCEPTED } else { StatusCode::OK };
    let receipt =
        CallReceipt { id: event, action: state.action, status, status_url, vendor_status, result, reason };
    let location = HeaderValue::from_str(&receipt.status_url).expect("an id has plain letters");
    let mut response = (code, Json(receipt)).into_response();
    response.headers_mut().insert(LOCATION, location);
    if code == StatusCode::ACCEPTED {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn refusal(wrong: NotTaken) -> Problem {
    match wrong {
        NotTaken::NotCallable(NotCallable::Problems(problems)) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Problem::unprocessable(lines.join("; ")).errors(problems)
        }
        NotTaken::Store(error) => busy(error),
        other => Problem::unprocessable(other.to_string()),
    }
}

fn busy(error: StoreError) -> Problem {
    tracing::error!("the store could not take or answer a call: {error}");
    Problem::busy()
}

/// How long the caller wants to wait (RFC 7240 section 4.3).
fn wait_of(headers: &HeaderMap) -> Duration {
    let preferences = text(headers, "prefer").unwrap_or_default().split([',', ';']);
    let seconds = preferences.filter_map(|one| one.trim().strip_prefix("wait=")?.parse().ok()).next();
    seconds.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds).min(LONGEST_WAIT))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
