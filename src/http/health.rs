//! For the load balancer and the orchestrator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::Shared;

/// Whether a process is ready for traffic.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

impl Readiness {
    /// From now on traffic may come.
    pub fn ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// From now on the load balancer should look elsewhere; what still comes is taken.
    pub fn drain(&self) {
        self.0.store(DRAINING, Ordering::Release);
    }
}

/// Whether the process is ready, and what it knows of its store.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `ready`, `starting` or `draining`.
    #[schema(example = "ready")]
    status: &'static str,
    /// `ok` or `unavailable`. A store that fails does not make the process unready: taking every instance out of the
    /// balancer would turn our 429, which HighLevel retries, into the balancer's 503, which it may not.
    #[schema(example = "ok")]
    store: &'static str,
}

/// The process runs.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "The process runs.", body = String)))]
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// The process takes traffic.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "Traffic may come.", body = Health),
    (status = 503, description = "Starting or draining.", body = Health),
))]
pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<Health>) {
    let (code, status) = match shared.readiness.0.load(Ordering::Acquire) {
        READY => (StatusCode::OK, "ready"),
        DRAINING => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        STARTING.. => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
    };
    let store = if shared.bridge.store.ping().await.is_ok() { "ok" } else { "unavailable" };
    (code, Json(Health { status, store }))
}
