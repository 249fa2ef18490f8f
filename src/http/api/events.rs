//! Events: list, show, replay, discard.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::super::Shared;
use super::super::problem::Problem;
use super::{refusal, unavailable};
use crate::domain::{Actor, EventId, EventState, FirmId};
use crate::store::{EventFilter, EventRow, EventStory};

/// The most events one page has.
const LARGEST_PAGE: usize = 500;

/// Which events to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of this firm only.
    firm: Option<String>,
    /// In this state only; several, separated by commas.
    #[param(example = "undelivered")]
    state: Option<String>,
    /// Older than this one: the last of the page before.
    before: Option<String>,
    /// How many, up to 500.
    limit: Option<usize>,
}

/// What was made of a request to replay or discard.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Accepted {
    /// The event.
    #[schema(value_type = String, format = "uuid")]
    event: EventId,
    /// Where it stands now.
    #[schema(value_type = String, example = "ready")]
    state: EventState,
}

/// Why an event needs no effect.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Discard {
    /// In a few words; kept with the event.
    #[schema(example = "test lead")]
    reason: String,
}

/// Events, the newest first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(ListQuery), responses(
    (status = 200, description = "A page of events.", body = Vec<EventRow>),
    (status = 400, description = "The query is not as it should be.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<EventRow>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let states = query.state.iter().flat_map(|list| list.split(',')).map(|word| {
        word.trim().parse::<EventState>().map_err(|wrong| {
            let all: Vec<&str> = EventState::ALL.iter().map(|state| state.as_str()).collect();
            Problem::invalid(format!("{wrong}; the states are {}", all.join(", ")))
        })
    });
    let filter = EventFilter {
        firm: query.firm.map(FirmId::new),
        within: actor.reach.firms(),
        states: states.collect::<Result<_, _>>()?,
        before: query.before.as_deref().map(after_which).transpose()?,
        limit: query.limit.unwrap_or(100).min(LARGEST_PAGE),
        ..EventFilter::default()
    };
    shared.bridge.store.events(filter).await.map(Json).map_err(unavailable)
}

/// One event's whole story: what came, what was planned and why, every call.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path, description = "The event.")), responses(
    (status = 200, description = "Its story.", body = EventStory),
    (status = 404, description = "There is no such event.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn show(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Json<EventStory>, Problem> {
    shared.bridge.event_for(&actor, parse(&id)?).await.map(Json).map_err(refusal)
}

/// Puts a settled event at the tail of its person's lane. What it achieved before is not done again.
#[utoipa::path(post, path = "/api/v1/events/{id}/replay", tag = "events", params(("id" = String, Path, description = "The event.")), responses(
    (status = 202, description = "It waits for its turn.", body = Accepted),
    (status = 404, description = "There is no such event.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not settled yet, or its body is no longer kept.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn replay(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let event = parse(&id)?;
    let state = shared.bridge.replay_as(&actor, event).await.map_err(refusal)?.row.state;
    Ok((StatusCode::ACCEPTED, Json(Accepted { event, state })))
}

/// Settles an undelivered event as needing no effect.
#[utoipa::path(post, path = "/api/v1/events/{id}/discard", tag = "events", params(("id" = String, Path, description = "The event.")), request_body = Discard, responses(
    (status = 200, description = "It is settled.", body = Accepted),
    (status = 400, description = "There is no reason.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such event.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not undelivered.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn discard(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    body: Result<Json<Discard>, axum::extract::rejection::JsonRejection>,
) -> Result<Json<Accepted>, Problem> {
    let event = parse(&id)?;
    let Json(body) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    shared.bridge.discard_as(&actor, event, &body.reason).await.map_err(refusal)?;
    Ok(Json(Accepted { event, state: EventState::Discarded }))
}

/// The event that a page comes after.
fn after_which(id: &str) -> Result<EventId, Problem> {
    id.parse().map_err(|_| Problem::invalid("`before` is not the id of an event"))
}

fn parse(id: &str) -> Result<EventId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}
