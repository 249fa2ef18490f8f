//! A test event through the whole path: signed, sent to the public router, verified, stored, claimed, settled. It is
//! about no record, so it ends as nothing to do and no vendor hears of it.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::bridge::Bridge;
use crate::domain::{EventId, EventState};
use crate::webhook::highlevel::sign::SIGNATURE_HEADER;

/// What the test event is called.
pub const PROBE: &str = "CasebridgeProbe";

/// How long it may take: far above the milliseconds it does.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it is settled.
const LOOK: Duration = Duration::from_millis(5);

/// A test event that came through.
#[derive(Debug, Clone, Copy)]
pub struct CameThrough {
    /// The event.
    pub event: EventId,
    /// From the request to its settling.
    pub took: Duration,
}

/// Sends a test event for a firm that is not parked and waits until it is settled; none if there is no such firm.
pub async fn probe(public: Router, bridge: &Bridge) -> Result<Option<CameThrough>, String> {
    let parked = bridge.store.parkings().await.map_err(|error| error.to_string())?;
    let is_free = |firm: &&std::sync::Arc<crate::bridge::Firm>| !parked.iter().any(|one| one.firm == firm.id);
    let firms: Vec<_> = bridge.firms.iter().collect();
    let Some(firm) = firms.iter().find(is_free) else { return Ok(None) };
    let body = json!({
        "type": PROBE,
        "locationId": firm.location,
        "webhookId": Uuid::now_v7(),
        "timestamp": bridge.clock.now(),
    })
    .to_string();
    let request = Request::post("/webhooks/highlevel")
        .header(SIGNATURE_HEADER, bridge.sign_probe(body.as_bytes()))
        .header("content-type", "application/json")
        .body(Body::from(body))
        .map_err(|error| error.to_string())?;
    let timer = Instant::now();
    let Ok(answer) = public.oneshot(request).await;
    if answer.status() != StatusCode::ACCEPTED {
        return Err(format!("it was answered with {}", answer.status()));
    }
    let body = axum::body::to_bytes(answer.into_body(), 4096).await.map_err(|error| error.to_string())?;
    let receipt: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let event = receipt["event"].as_str().and_then(|id| id.parse::<EventId>().ok());
    let event = event.ok_or("its receipt names no event")?;
    while timer.elapsed() < PATIENCE {
        let story = bridge.store.event(event).await.map_err(|error| error.to_string())?;
        let state = story.ok_or("it was stored and is not there")?.row.state;
        match state {
            EventState::NothingToDo => return Ok(Some(CameThrough { event, took: timer.elapsed() })),
            state if state.is_settled() => return Err(format!("it ended as {state}")),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    Err(format!("it was stored, and not worked on for {} seconds", PATIENCE.as_secs()))
}
