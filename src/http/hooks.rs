//! `/api/v1/hooks` of the public listener: programs subscribe to triggers with a token.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Shared;
use super::actions::{authorised, firm_of};
use super::problem::Problem;
use crate::crypto::random_key;
use crate::operations::catalog::{self, Kind, nearest};
use crate::rules::automation::find_trigger;
use crate::store::{Hook, HookTarget, NewHook, StoreError};

/// The right a token needs besides its actions.
pub(super) const RIGHT: &str = "hooks";
/// How long deliveries are signed with the former secret as well.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// The longest address, in bytes.
const LONGEST_URL: usize = 2_000;
/// The most hooks of one token.
const MOST: usize = 500;

/// A subscription to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// The firm; may be left out with a token for one firm.
    #[schema(example = "acme")]
    firm: Option<String>,
    /// The trigger, as in `casebridge catalog list --kind trigger`.
    #[schema(example = "webhook.ContactCreate")]
    trigger: String,
    /// Where to: an `https` address that is public.
    #[schema(example = "https://hooks.example.com/1")]
    url: String,
}

/// A subscription.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Subscription {
    /// Its id.
    id: String,
    /// Whose events.
    firm: String,
    /// Which of them.
    trigger: String,
    /// With what deliveries are signed (Standard Webhooks); shown when it is made and when it is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// When it was made, RFC 3339.
    #[schema(value_type = Option<String>, format = DateTime)]
    made_at: Option<jiff::Timestamp>,
    /// Since when no delivery has succeeded.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<jiff::Timestamp>,
    /// Why it has ended by itself.
    ended: Option<String>,
}

impl Subscription {
    fn of(hook: Hook) -> Self {
        Self {
            id: hook.id,
            firm: hook.firm,
            trigger: hook.trigger,
            secret: None,
            made_at: Some(hook.made_at),
            failing_since: hook.failing_since,
            ended: hook.ended.map(|(_, why)| why),
        }
    }
}

/// Subscribes to a trigger.
#[utoipa::path(post, path = "/api/v1/hooks", tag = "hooks", request_body = NewSubscription, responses(
    (status = 201, description = "Deliveries begin with the next event.", body = Subscription),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The token lacks the right that is named.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "There is no such trigger, or the address cannot be used.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn subscribe(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Subscription>), Problem> {
    let token = entitled(&shared, &headers).await?;
    let asked: NewSubscription =
        serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))?;
    let firm = firm_of(&shared, &token, asked.firm)?;
    let trigger = find_trigger(&asked.trigger).ok_or_else(|| no_trigger(&asked.trigger))?;
    if asked.url.len() > LONGEST_URL {
        return Err(Problem::unprocessable(format!("`url` may have {LONGEST_URL} bytes at most")));
    }
    shared
        .bridge
        .may_deliver_to(&asked.url)
        .map_err(|why| Problem::unprocessable(format!("`url`: {why}")))?;
    let hooks = shared.bridge.store.hooks().await.map_err(busy)?;
    if hooks.iter().filter(|hook| hook.token == token.id).count() >= MOST {
        return Err(Problem::unprocessable(format!("a token may have {MOST} hooks; remove some")));
    }
    let (id, secret) = (Uuid::now_v7().to_string(), new_secret());
    let target = HookTarget { url: asked.url, secret: secret.clone(), before: None };
    let (firm, trigger) = (firm.as_str().to_owned(), trigger.id.clone());
    let new =
        NewHook { id: id.clone(), firm: firm.clone(), trigger: trigger.clone(), token: token.id, target };
    shared.bridge.store.add_hook(new).await.map_err(busy)?;
    let (made_at, secret) = (Some(shared.bridge.clock.now()), Some(secret));
    let made = Subscription { id, firm, trigger, secret, made_at, failing_since: None, ended: None };
    Ok((StatusCode::CREATED, Json(made)))
}

/// The token's subscriptions, the oldest first.
#[utoipa::path(get, path = "/api/v1/hooks", tag = "hooks", responses(
    (status = 200, description = "Those that were made with this token.", body = Vec<Subscription>),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Json<Vec<Subscription>>, Problem> {
    let token = entitled(&shared, &headers).await?;
    let hooks = shared.bridge.store.hooks().await.map_err(busy)?;
    let own = hooks.into_iter().filter(|hook| hook.token == token.id);
    Ok(Json(own.map(Subscription::of).collect()))
}

/// Ends a subscription.
#[utoipa::path(delete, path = "/api/v1/hooks/{id}", tag = "hooks", params(("id" = String, Path, description = "The subscription.")), responses(
    (status = 204, description = "It is gone."),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "This token has made no such subscription.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn unsubscribe(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let token = entitled(&shared, &headers).await?;
    match shared.bridge.store.remove_hook(&id, &token.id).await.map_err(busy)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found()),
    }
}

/// Gives a subscription a new secret. For a day deliveries are signed with the former one as well.
#[utoipa::path(post, path = "/api/v1/hooks/{id}/rotate", tag = "hooks", params(("id" = String, Path, description = "The subscription.")), responses(
    (status = 200, description = "With the new secret.", body = Subscription),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "This token has made no such subscription.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rotate(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Subscription>, Problem> {
    let token = entitled(&shared, &headers).await?;
    let hooks = shared.bridge.store.hooks().await.map_err(busy)?;
    let hook = hooks.into_iter().find(|hook| hook.id == id && hook.token == token.id && hook.ended.is_none());
    let hook = hook.ok_or_else(Problem::not_found)?;
    let until = shared.bridge.clock.now().saturating_add(OVERLAP).unwrap_or(jiff::Timestamp::MAX);
    let secret = new_secret();
    let before = Some((hook.target.secret.clone(), until));
    let target = HookTarget { url: hook.target.url.clone(), secret: secret.clone(), before };
    if !shared.bridge.store.retarget_hook(&id, &target).await.map_err(busy)? {
        return Err(Problem::not_found());
    }
    Ok(Json(Subscription { secret: Some(secret), ..Subscription::of(hook) }))
}

/// What a trigger tells, by its examples: for a program that wants to show the fields before anything happened.
#[utoipa::path(get, path = "/api/v1/hooks/samples/{trigger}", tag = "hooks", params(("trigger" = String, Path, description = "The trigger.")), responses(
    (status = 200, description = "The body of a delivery.", body = serde_json::Value),
    (status = 401, description = "No token, or none that is good.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "There is no such trigger.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn sample(
    State(shared): State<Arc<Shared>>,
    Path(trigger): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    entitled(&shared, &headers).await?;
    let entry = find_trigger(&trigger).ok_or_else(|| no_trigger(&trigger))?;
    Ok(Json(shared.bridge.hook_sample(entry)))
}

async fn entitled(shared: &Shared, headers: &HeaderMap) -> Result<crate::store::ApiToken, Problem> {
    let token = authorised(shared, headers).await?;
    match token.may_call(RIGHT) {
        true => Ok(token),
        false => Err(Problem::forbidden(format!("The token `{}` has no right to `{RIGHT}`.", token.name))),
    }
}

fn no_trigger(id: &str) -> Problem {
    let triggers = catalog::all().iter().filter(|entry| entry.kind == Kind::Trigger);
    let near = nearest(id, triggers.map(|entry| entry.id.as_str()));
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Problem::unprocessable(format!("there is no trigger `{id}`{near}"))
}

fn new_secret() -> String {
    format!("whsec_{}", STANDARD.encode(&random_key()[..]))
}

fn busy(error: StoreError) -> Problem {
    tracing::error!("hooks cannot be read or kept: {error}");
    Problem::busy()
}
