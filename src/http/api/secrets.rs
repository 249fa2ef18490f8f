//! How old the secrets in use are; never a secret.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};

use super::super::Shared;
use super::super::problem::Problem;
use super::{governors_only, unavailable};
use crate::bridge::SecretAge;
use crate::domain::Actor;

/// Each secret in use by its key in the configuration, with its age. Those older than 90 days are due to be renewed.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "operation", responses(
    (status = 200, description = "By key in the configuration.", body = Vec<SecretAge>),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Not from this machine and without the admin token.", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Vec<SecretAge>>, Problem> {
    governors_only(&actor)?;
    Ok(Json(shared.bridge.secret_ages().await.map_err(unavailable)?))
}
