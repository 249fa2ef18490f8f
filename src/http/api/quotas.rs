//! Quotas: what each vendor allows, what is spent of it, and how long it lasts.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};

use super::super::Shared;
use super::super::problem::Problem;
use super::{sees, unavailable};
use crate::domain::Actor;
use crate::store::Quota;

/// What each vendor allows a firm and how much of the day's calls is spent, with a forecast. A vendor that speaks of no
/// limit, or that was not called yet, is absent.
#[utoipa::path(get, path = "/api/v1/quotas", tag = "operation", responses(
    (status = 200, description = "By firm and vendor.", body = Vec<Quota>),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Vec<Quota>>, Problem> {
    let mut quotas = shared.bridge.store.quotas().await.map_err(unavailable)?;
    quotas.retain(|quota| sees(&actor, &quota.firm));
    Ok(Json(quotas))
}
