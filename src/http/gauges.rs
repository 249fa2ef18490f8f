//! What the store says of the queue, of what was given up and of tokens, as gauges that are set when they are asked for.

use std::collections::BTreeMap;

use crate::bridge::Bridge;
use crate::domain::{Cause, Priority};
use crate::store::Holder;

/// Sets them; what the store does not answer keeps its value.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts and seconds stay far below 2^53")]
pub(super) async fn set(bridge: &Bridge) {
    let now = bridge.clock.now();
    if let Ok(backlog) = bridge.store.backlog().await {
        let mut by_priority: BTreeMap<&str, (u64, f64)> =
            Priority::ALL.iter().map(|priority| (priority.as_str(), (0, 0.0))).collect();
        for row in backlog {
            let age = now.duration_since(row.oldest).as_secs_f64().max(0.0);
            let (events, oldest) = by_priority.entry(bridge.priority_of(&row).as_str()).or_default();
            *events += row.events;
            *oldest = oldest.max(age);
        }
        for (priority, (events, oldest)) in by_priority {
            metrics::gauge!("casebridge_queue_events", "priority" => priority).set(events as f64);
            metrics::gauge!("casebridge_queue_oldest_seconds", "priority" => priority).set(oldest);
        }
    }
    if let Ok(causes) = bridge.store.causes().await {
        for cause in Cause::ALL {
            let events: u64 = causes.iter().filter(|row| row.cause == *cause).map(|row| row.events).sum();
            metrics::gauge!("casebridge_undelivered", "cause" => cause.as_str()).set(events as f64);
        }
    }
    if let Ok(credentials) = bridge.store.credentials().await {
        for firm in bridge.firms.iter() {
            let holder = Holder::Location(firm.location.clone());
            let Some(row) = credentials.iter().find(|row| row.holder == holder) else { continue };
            let id = firm.id.to_string();
            let left = row.expires_at.duration_since(now).as_secs_f64();
            metrics::gauge!("casebridge_token_expires_in_seconds", "firm" => id.clone()).set(left);
            let age = now.duration_since(row.renewed_at).as_secs_f64();
            metrics::gauge!("casebridge_token_age_seconds", "firm" => id).set(age);
        }
    }
    metrics::gauge!("casebridge_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
