//! The two listeners. Every route stands on this page.

mod actions;
mod admin;
mod api;
mod connect;
mod gauges;
mod health;
mod hooks;
mod limits;
mod listener;
mod openapi;
mod page;
mod probe;
mod problem;
mod tls;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;

pub use health::Readiness;
pub use limits::Limits;
pub use listener::Listener;
pub use openapi::document;
pub use probe::{CameThrough, PROBE, probe};
pub use tls::Tls;

use crate::bridge::Bridge;
use crate::config::Secret;
use crate::console::{self, Sandbox};
use crate::telemetry;

/// What handlers share.
pub struct Shared {
    /// The flow.
    bridge: Arc<Bridge>,
    /// Whether this process is ready for traffic.
    readiness: Readiness,
    /// What a program shows to use the admin listener from elsewhere than loopback.
    admin_token: Option<Secret>,
    /// The process's metrics.
    metrics: PrometheusHandle,
    /// One for each webhook body that is being read.
    bodies: Semaphore,
    /// Those that were refused of late.
    refusals: webhooks::Refusals,
}

/// How many webhook bodies are read at once: at most 64 MiB of them.
const BODIES_AT_ONCE: usize = 64;

impl Shared {
    /// What both listeners of this bridge share.
    pub fn new(bridge: Arc<Bridge>, readiness: Readiness, admin_token: Option<Secret>) -> Self {
        let (metrics, bodies) = (telemetry::metrics(), Semaphore::new(BODIES_AT_ONCE));
        let refusals = webhooks::Refusals::default();
        Self { bridge, readiness, admin_token, metrics, bodies, refusals }
    }
}

/// The listener the load balancer forwards to. `/webhooks/crm` is `/webhooks/highlevel` for white-label apps, which
/// may not show its name, and `/oauth/crm` is `/oauth/highlevel`.
pub fn public(shared: Arc<Shared>) -> Router {
    // Each sender is asked to come again in the status it understands, even by a fault of ours.
    let casepeer = Router::new()
        .route("/webhooks/casepeer/{token}", post(webhooks::casepeer::receive))
        .layer(CatchPanicLayer::custom(problem::unavailable_after_panic));
    Router::new()
        .merge(casepeer)
        .route("/webhooks/highlevel", post(webhooks::highlevel))
        .route("/webhooks/highlevel/{token}", post(webhooks::workflow))
        .route("/webhooks/crm", post(webhooks::highlevel))
        .route("/webhooks/crm/{token}", post(webhooks::workflow))
        .route("/oauth/highlevel/start", get(connect::start))
        .route("/oauth/highlevel/callback", get(connect::callback))
        .route("/oauth/casepeer/start", get(connect::casepeer_start))
        .route("/oauth/casepeer/callback", get(connect::casepeer_callback))
        .route("/oauth/crm/start", get(connect::white_label_start))
        .route("/oauth/crm/callback", get(connect::white_label_callback))
        .route("/api/v1/hooks", post(hooks::subscribe).get(hooks::list))
        .route("/api/v1/hooks/{id}", delete(hooks::unsubscribe))
        .route("/api/v1/hooks/{id}/rotate", post(hooks::rotate))
        .route("/api/v1/hooks/samples/{trigger}", get(hooks::sample))
        .route("/api/v1/actions/{id}", post(actions::call))
        .route("/api/v1/actions/calls/{id}", get(actions::show))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .with_state(shared)
        .layer(from_fn(limits::trace))
        .layer(from_fn(limits::address))
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .layer(TraceLayer::new_for_http().make_span_with(listener::span).on_failure(()))
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION, COOKIE]))
}

/// The listener for people, operators and programs. The pages of the console stand in [`crate::console`].
pub fn admin(shared: Arc<Shared>) -> Router {
    admin_with(shared, None)
}

/// The same beside simulated vendors, as in the demo.
pub fn admin_with(shared: Arc<Shared>, sandbox: Option<Sandbox>) -> Router {
    Router::new()
        .route("/api/v1/events", get(api::events::list))
        .route("/api/v1/events/{id}", get(api::events::show))
        .route("/api/v1/events/{id}/replay", post(api::events::replay))
        .route("/api/v1/events/{id}/discard", post(api::events::discard))
        .route("/api/v1/losses", get(api::losses::list))
        .route("/api/v1/review", get(api::review::list))
        .route("/api/v1/review/{id}", get(api::review::show))
        .route("/api/v1/review/{id}/resolve", post(api::review::resolve))
        .route("/api/v1/people", get(api::people::list))
        .route("/api/v1/people/search", post(api::people::search))
        .route("/api/v1/people/link", post(api::people::link))
        .route("/api/v1/people/merge", post(api::people::merge))
        .route("/api/v1/people/split", post(api::people::split))
        .route("/api/v1/people/{id}", get(api::people::show))
        .route("/api/v1/quotas", get(api::quotas::list))
        .route("/api/v1/secrets", get(api::secrets::list))
        .route("/api/v1/firms", get(api::firms::list))
        .route("/api/v1/installations", get(api::firms::installations))
        .route("/api/v1/users", get(api::access::users))
        .route("/api/v1/audit", get(api::access::audit))
        .route("/openapi.json", get(openapi::json))
        .route("/metrics", get(admin::metrics))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&shared), admin::guard))
        .merge(console::router(Arc::clone(&shared.bridge), sandbox))
        .with_state(shared)
        .layer(from_fn(limits::address))
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .layer(TraceLayer::new_for_http().make_span_with(listener::span).on_failure(()))
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION, COOKIE]))
}
