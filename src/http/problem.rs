//! Refusals as `application/problem+json` (RFC 9457). They say what the sender may know and no more.

use std::any::Any;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::operations::catalog::Problem as Wrong;

/// How long a sender is asked to wait, in seconds.
const RETRY_SECONDS: &str = "10";

/// A refusal.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// What kind it is.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid-signature")]
    kind: &'static str,
    /// The kind in words.
    #[schema(example = "The signature is missing or not valid.")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 401)]
    status: u16,
    /// More, where it helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Each parameter that is not as it must be, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    errors: Vec<Wrong>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self { kind, title, status: status.as_u16(), detail: None, errors: Vec::new() }
    }

    /// The same with more to say.
    pub(super) fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(super) fn invalid_signature() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "/problems/invalid-signature",
            "The signature is missing or not valid.",
        )
    }

    pub(super) fn unauthorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "/problems/unauthorised", "This listener needs a credential.")
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "There is nothing here.")
    }

    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "/problems/too-large", "The body is larger than 1 MiB.")
    }

    pub(super) fn address_too_long() -> Self {
        Self::new(
            StatusCode::URI_TOO_LONG,
            "/problems/address-too-long",
            "The address is longer than any there is.",
        )
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/invalid", "The request is not as it should be.")
            .detail(detail)
    }

    /// The caller is known, and lacks a right.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "/problems/forbidden", "The credential lacks a right.")
            .detail(detail)
    }

    /// It can be read, and cannot be done.
    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        let title = "The request cannot be carried out as it is.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "/problems/unprocessable", title).detail(detail)
    }

    /// The same with each parameter that is wrong.
    pub(super) fn errors(self, errors: Vec<Wrong>) -> Self {
        Self { errors, ..self }
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "/problems/conflict", "That is not possible in this state.")
            .detail(detail)
    }

    /// Come again. 429 is the only status that all of HighLevel's documented retry policies honour.
    pub(super) fn busy() -> Self {
        Self::busy_as(StatusCode::TOO_MANY_REQUESTS)
    }

    /// [`Problem::busy`] with the status another sender understands.
    pub(super) fn busy_as(status: StatusCode) -> Self {
        Self::new(status, "/problems/busy", "The webhook could not be stored just now; send it again.")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("a problem has a status of HTTP");
        let is_busy = self.kind == "/problems/busy";
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if is_busy {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
        }
        response
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::not_found()
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "/problems/method-not-allowed",
        "This address does not take that method.",
    )
}

/// A fault of ours loses nothing: the sender is asked to come again.
pub(super) fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    asked_again(Problem::busy())
}

/// [`after_panic`] for a sender that knows 503 as "come again".
pub(super) fn unavailable_after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    asked_again(Problem::busy_as(StatusCode::SERVICE_UNAVAILABLE))
}

fn asked_again(problem: Problem) -> Response {
    tracing::error!("a request failed by a fault of this program; its sender was asked to come again");
    problem.into_response()
}
