//! Quotas: what each vendor allows, what is spent of it, and how long it lasts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::super::Shared;
use super::super::problem::Problem;
use super::unavailable;
use crate::store::Quota;

/// What each vendor allows a firm and how much of the day's calls is spent, with a forecast. A vendor that speaks of no
/// limit, or that was not called yet, is absent.
#[utoipa::path(get, path = "/api/v1/quotas", tag = "operation", responses(
    (status = 200, description = "By firm and vendor.", body = Vec<Quota>),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<Quota>>, Problem> {
    Ok(Json(shared.bridge.store.quotas().await.map_err(unavailable)?))
}
