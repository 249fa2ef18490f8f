//! The review queue: list, show, resolve.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;

use super::super::Shared;
use super::super::problem::Problem;
use super::{refusal, unavailable};
use crate::domain::{Actor, FirmId, Resolution, ReviewId, ReviewKind};
use crate::store::{ReviewFilter, ReviewRow, ReviewStory};

/// The most questions one page has.
const LARGEST_PAGE: usize = 500;

/// Which questions to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of this firm only.
    firm: Option<String>,
    /// Of this kind only.
    #[param(example = "ambiguous_match")]
    kind: Option<String>,
    /// Those that are answered, too.
    #[serde(default)]
    all: bool,
    /// Newer than this one: the last of the page before.
    after: Option<String>,
    /// How many, up to 500.
    limit: Option<usize>,
}

/// What waits for a decision, the oldest first.
#[utoipa::path(get, path = "/api/v1/review", tag = "review", params(ListQuery), responses(
    (status = 200, description = "A page of questions.", body = Vec<ReviewRow>),
    (status = 400, description = "The query is not as it should be.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<ReviewRow>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let kind = query.kind.as_deref().map(|word| {
        word.parse::<ReviewKind>().map_err(|wrong| {
            let all: Vec<&str> = ReviewKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Problem::invalid(format!("{wrong}; the kinds are {}", all.join(", ")))
        })
    });
    let filter = ReviewFilter {
        firm: query.firm.map(FirmId::new),
        within: actor.reach.firms(),
        kind: kind.transpose()?,
        with_resolved: query.all,
        after: query
            .after
            .as_deref()
            .map(|id| parse(id).map_err(|_| Problem::invalid("`after` is not the id of a question")))
            .transpose()?,
        limit: query.limit.unwrap_or(100).min(LARGEST_PAGE),
    };
    shared.bridge.store.reviews(filter).await.map(Json).map_err(unavailable)
}

/// One question with both sides.
#[utoipa::path(get, path = "/api/v1/review/{id}", tag = "review", params(("id" = String, Path, description = "The question.")), responses(
    (status = 200, description = "What a person needs to see.", body = ReviewStory),
    (status = 404, description = "There is no such question.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Json<ReviewStory>, Problem> {
    shared.bridge.review_for(&actor, parse(&id)?).await.map(Json).map_err(refusal)
}

/// Answers a question; what waits for it goes on.
#[utoipa::path(post, path = "/api/v1/review/{id}/resolve", tag = "review", params(("id" = String, Path, description = "The question.")), request_body = Resolution, responses(
    (status = 200, description = "It is answered.", body = ReviewRow),
    (status = 400, description = "The answer does not fit the question.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such question.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is answered already.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn resolve(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    body: Result<Json<Resolution>, axum::extract::rejection::JsonRejection>,
) -> Result<Json<ReviewRow>, Problem> {
    let id = parse(&id)?;
    let Json(answer) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    shared.bridge.resolve_as(&actor, id, answer).await.map(Json).map_err(refusal)
}

fn parse(id: &str) -> Result<ReviewId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}
