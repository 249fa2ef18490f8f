//! The description of every route, from the handlers themselves.

use axum::Json;
use utoipa::OpenApi;

use super::{actions, admin, api, connect, health, hooks, webhooks};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Casebridge",
        description = "Keeps a law firm's HighLevel CRM and its CASEpeer case management in step. Webhooks and health stand on the public listener, everything else on the admin listener."
    ),
    tags(
        (name = "webhooks", description = "Public listener: where HighLevel and the CASEpeer side deliver."),
        (name = "connecting", description = "Public listener: where a person's browser connects a firm."),
        (name = "actions", description = "Public listener: programs call the catalog's actions with an API token."),
        (name = "hooks", description = "Public listener: programs subscribe to triggers with an API token; deliveries follow the Standard Webhooks scheme."),
        (name = "health", description = "Both listeners: for the load balancer and the orchestrator."),
        (name = "events", description = "Admin listener: what came and what was made of it."),
        (name = "review", description = "Admin listener: what only a person can decide."),
        (name = "people", description = "Admin listener: who is who across both systems."),
        (name = "firms", description = "Admin listener: firms, their connections, and where the app is installed."),
        (name = "review", description = "Admin listener: what only a person can decide."),
        (name = "operation", description = "Admin listener: quotas, secrets' ages, metrics and this description."),
    ),
    paths(
        webhooks::highlevel,
        webhooks::workflow,
        webhooks::casepeer::receive,
        connect::start,
        connect::callback,
        connect::casepeer_start,
        connect::casepeer_callback,
        hooks::subscribe,
        hooks::list,
        hooks::unsubscribe,
        hooks::rotate,
        hooks::sample,
        actions::call,
        actions::show,
        health::livez,
        health::readyz,
        api::events::list,
        api::events::show,
        api::events::replay,
        api::events::discard,
        api::losses::list,
        api::review::list,
        api::review::show,
        api::review::resolve,
        api::people::list,
        api::people::search,
        api::people::show,
        api::people::link,
        api::people::merge,
        api::people::split,
        api::quotas::list,
        api::secrets::list,
        api::firms::list,
        api::firms::installations,
        api::access::users,
        api::access::audit,
        admin::metrics,
        json,
    )
)]
struct Document;

/// The description as data.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, description = "OpenAPI.", body = serde_json::Value)))]
pub(super) async fn json() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
