//! The description of every route, from the handlers themselves.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Content, Ref, ResponseBuilder, path::Operation};

use crate::console::COOKIE_NAME;

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
        (name = "access", description = "Admin listener: who may sign in, and who did what."),
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
    let mut document = Document::openapi();
    let schemes = document.components.get_or_insert_with(Components::default);
    schemes.add_security_scheme(
        "api_token",
        bearer("One that an administrator made for a program at the console."),
    );
    schemes.add_security_scheme("admin_token", bearer("`server.admin_token`."));
    let session = ApiKeyValue::with_description(
        COOKIE_NAME,
        "Somebody who has signed in at the console; what changes something takes the page's token as `X-Page-Token` besides.",
    );
    schemes.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            say_what_all_refuse(operation);
        }
    }
    document
}

/// What is refused before a handler is asked: a caller that proves nothing, and a body that cannot be read.
fn say_what_all_refuse(operation: &mut Operation) {
    let security = asked_of(operation);
    let may_change = operation.request_body.is_some();
    let mut refuse = |status: &str, why: &str| {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(why).content("application/problem+json", problem);
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.build().into());
    };
    if !security.is_empty() {
        refuse("401", "Nobody is signed in, and there is no token, or none that is good.");
        refuse("403", "The token or the role does not allow this.");
    }
    if may_change && !security.is_empty() {
        refuse("400", "The body cannot be read; it says where.");
    }
    operation.security = (!security.is_empty()).then_some(security);
}

fn bearer(description: &str) -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
    SecurityScheme::Http(scheme.build())
}

/// Any of what a caller may prove itself by. Webhooks are proven by their signature, a connection by its link.
fn asked_of(operation: &Operation) -> Vec<SecurityRequirement> {
    let schemes: &[&str] = match operation.tags.as_deref().and_then(<[String]>::first).map(String::as_str) {
        Some("webhooks" | "connecting" | "health") => &[],
        Some("actions" | "hooks") => &["api_token"],
        _ => &["admin_token", "session"],
    };
    let of_scheme = |scheme: &&str| SecurityRequirement::new(*scheme, Vec::<String>::new());
    let mut any: Vec<_> = schemes.iter().map(of_scheme).collect();
    if schemes.contains(&"admin_token") {
        // Before there are users, being on this machine is enough.
        any.push(SecurityRequirement::default());
    }
    any
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, description = "OpenAPI.", body = serde_json::Value)))]
pub(super) async fn json() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
