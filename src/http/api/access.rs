//! Who may sign in, and what people did.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::Shared;
use super::super::problem::Problem;
use super::{admins_only, governors_only, unavailable};
use crate::domain::{Actor, FirmId, Role};
use crate::store::{AuditFilter, AuditRow};

/// The most lines one page has.
const LARGEST_PAGE: usize = 500;

/// Somebody who may sign in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UserRow {
    /// What they sign in with.
    #[schema(example = "maria.lopez")]
    name: String,
    /// What they may do.
    #[schema(value_type = String, example = "operator")]
    role: Role,
    /// At which firms; absent for all.
    #[schema(value_type = Option<Vec<String>>)]
    firms: Option<Vec<FirmId>>,
}

/// Everybody who may sign in, by name.
#[utoipa::path(get, path = "/api/v1/users", tag = "access", responses(
    (status = 200, description = "Every user.", body = Vec<UserRow>),
    (status = 401, description = "Without a credential.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn users(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Vec<UserRow>>, Problem> {
    governors_only(&actor)?;
    let accounts = shared.bridge.store.accounts().await.map_err(unavailable)?;
    let row = |account: crate::store::Account| UserRow {
        name: account.name,
        role: account.role,
        firms: account.reach.firms(),
    };
    Ok(Json(accounts.into_iter().map(row).collect()))
}

/// Which lines of the audit log.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// By this person only.
    who: Option<String>,
    /// Older than this one: the last of the page before.
    #[param(value_type = Option<String>)]
    before: Option<Uuid>,
    /// How many, up to 500.
    limit: Option<usize>,
}

/// What people did, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", params(AuditQuery), responses(
    (status = 200, description = "A page of the audit log.", body = Vec<AuditRow>),
    (status = 400, description = "The query is not as it should be.", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Without a credential.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Your role does not allow this.", body = Problem, content_type = "application/problem+json"),
))]
pub async fn audit(
    State(shared): State<Arc<Shared>>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<AuditQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<AuditRow>>, Problem> {
    admins_only(&actor)?;
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let filter = AuditFilter {
        within: actor.reach.firms(),
        who: query.who,
        before: query.before,
        limit: query.limit.unwrap_or(100).min(LARGEST_PAGE),
    };
    shared.bridge.store.audit_log(filter).await.map(Json).map_err(unavailable)
}
