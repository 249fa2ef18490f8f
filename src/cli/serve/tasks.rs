//! What a worker's process does beside working on events, each in its own time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::bridge::Bridge;

/// How often it is looked whether a connection's token is due. Tokens are renewed an hour ahead.
const KEEP: Duration = Duration::from_secs(300);

/// Keeps the connections to HighLevel alive, also those of firms where nothing happens.
pub(super) async fn keep_connections(bridge: Arc<Bridge>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        bridge.keep_connections().await;
        if let Err(error) = bridge.tell_old_credentials().await {
            tracing::warn!("how old the secrets are cannot be told: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(KEEP) => {}
        }
    }
}

/// How often what the console shows is counted; more rarely, where counting takes long.
const COUNT: Duration = Duration::from_secs(5);

/// Keeps the console's figures, at a twentieth of the time at most.
pub(super) async fn count_up(bridge: Arc<Bridge>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let begun = Instant::now();
        if let Err(error) = bridge.count_up().await {
            tracing::warn!("what happened could not be counted for the console: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(COUNT.max(begun.elapsed() * 20)) => {}
        }
    }
}

/// Looks for missed webhooks on the schedule, first a while after the start: what came meanwhile has its turn before.
pub(super) async fn sweep(bridge: Arc<Bridge>, stop: CancellationToken) {
    let Some(every) = bridge.sweeps_every() else { return };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every.unsigned_abs()) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = bridge.reconcile_due(every) => {}
        }
    }
}
