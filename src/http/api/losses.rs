//! The loss meter.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::{Extension, Json};
use jiff::civil::Date;
use serde::Deserialize;

use super::super::Shared;
use super::super::problem::Problem;
use super::{sees, unavailable};
use crate::domain::{Actor, FirmId};
use crate::store::{LossFilter, LossRow};

/// The most lines of one answer.
const MOST: usize = 10_000;

/// Which lines.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LossQuery {
    /// Of this firm only.
    firm: Option<String>,
    /// From this day on, UTC.
    #[param(example = "2026-11-24")]
    since: Option<String>,
}

/// By firm, day and kind of record, the newest day first: how many changes webhooks told of, and what sweeps found and
/// healed.
#[utoipa::path(get, path = "/api/v1/losses", tag = "operation", params(LossQuery), responses(
    (status = 200, description = "The loss meter.", body = Vec<LossRow>),
    (status = 400, description = "The query is not as it should be.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<LossQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<LossRow>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    if query.since.as_ref().is_some_and(|day| day.parse::<Date>().is_err()) {
        return Err(Problem::invalid("since: write a day such as 2026-11-24"));
    }
    let filter = LossFilter { firm: query.firm.map(FirmId::new), since: query.since, limit: MOST };
    let mut rows = shared.bridge.store.losses(filter).await.map_err(unavailable)?;
    rows.retain(|row| sees(&actor, &row.firm));
    Ok(Json(rows))
}
