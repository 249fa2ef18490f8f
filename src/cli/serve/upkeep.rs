//! What a running bridge does beside its work: it looks for what needs a person, probes itself, keeps connections
//! alive, counts for the console, looks for missed webhooks, and lets go of what was kept long enough.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bridge::{Bridge, WATCH_EVERY, Watchman};
use crate::config::Config;
use crate::domain::{EventId, FirmId};
use crate::http;

/// How often it is looked whether the day's deleting is due, first a while after the start.
const RETAIN_LOOK: Duration = Duration::from_secs(600);

/// Looks, probes and tells until it is stopped.
pub(super) fn watch(config: &Config, bridge: &Arc<Bridge>, public: Option<Router>, stop: CancellationToken) {
    let watch = Arc::new(Watchman::new(config, Arc::clone(bridge)));
    let (every, bridge) = (config.notifications.probe_every, Arc::clone(bridge));
    let (probing, stopped) = (Arc::clone(&watch), stop.clone());
    tokio::spawn(async move {
        while pause(&stop, WATCH_EVERY.unsigned_abs()).await {
            if let Err(error) = watch.look().await {
                tracing::error!("what needs a person could not be looked for: {error}");
            }
        }
    });
    if let Some(public) = public.filter(|_| every.is_positive()) {
        tokio::spawn(probe(public, bridge, probing, every, stopped));
    }
}

/// Whether to go on after a pause.
async fn pause(stop: &CancellationToken, span: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(span) => true,
    }
}

/// The first probe comes soon after the start, so that a deployment is seen to work.
const FIRST_PROBE: Duration = Duration::from_secs(60);

/// Sends test events on the schedule, whichever instance's turn it is.
async fn probe(
    public: Router,
    bridge: Arc<Bridge>,
    watch: Arc<Watchman>,
    every: SignedDuration,
    stop: CancellationToken,
) {
    let (nobody, owner) = (FirmId::unknown(), Uuid::now_v7().to_string());
    let mut last: Option<EventId> = None;
    let mut span = FIRST_PROBE;
    while pause(&stop, span).await {
        span = every.unsigned_abs();
        match bridge.store.hold_sweep(&nobody, "probe", &owner, every * 9 / 10).await {
            Ok(true) => {}
            Ok(false) => continue,
            Err(error) => {
                tracing::error!("no probe: {error}");
                continue;
            }
        }
        let came = http::probe(public.clone(), &bridge).await;
        let result = match &came {
            Ok(Some(through)) => {
                metrics::histogram!("casebridge_probe_seconds").record(through.took.as_secs_f64());
                #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
                metrics::gauge!("casebridge_probe_success_timestamp_seconds")
                    .set(bridge.clock.now().as_second() as f64);
                "ok"
            }
            Ok(None) => continue,
            Err(_) => "failed",
        };
        metrics::counter!("casebridge_probes_total", "result" => result).increment(1);
        // It has told what it had to. The newest event of all stays, so the one before goes.
        if let Ok(Some(through)) = &came {
            for event in last.take().into_iter().chain([through.event]) {
                if !bridge.store.forget(event).await.unwrap_or(true) {
                    last = Some(event);
                }
            }
        }
        if let Err(error) = watch.probed(came.map(|_| ())).await {
            tracing::error!("what came of a probe could not be told: {error}");
        }
    }
}

/// Deletes what was kept long enough, once a day.
pub(super) async fn retain(bridge: Arc<Bridge>, stop: CancellationToken) {
    while pause(&stop, RETAIN_LOOK).await {
        match bridge.retain_due().await {
            Ok(Some(done)) => tracing::info!(
                payloads = done.payloads,
                requests = done.requests,
                events = done.events,
                "deleted what was kept long enough"
            ),
            Ok(None) => {}
            Err(error) => tracing::error!("what was kept long enough could not be deleted: {error}"),
        }
    }
}

/// How often it is looked whether certificate or key have changed.
const TLS_LOOK: Duration = Duration::from_secs(30);

/// Takes over a renewed certificate without a restart.
pub(super) async fn renew(tls: http::Tls, stop: CancellationToken) {
    while pause(&stop, TLS_LOOK).await {
        match tls.refresh() {
            Ok(true) => tracing::info!("the certificate of the public listener was renewed"),
            Ok(false) => {}
            Err(why) => tracing::error!("the certificate in force stays: {why}"),
        }
    }
}

/// How often it is looked whether a connection's token is due. Tokens are renewed an hour ahead.
const KEEP: Duration = Duration::from_secs(300);

/// Keeps the connections to HighLevel alive, also those of firms where nothing happens.
pub(super) async fn keep_connections(bridge: Arc<Bridge>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        bridge.keep_connections().await;
        if let Err(error) = bridge.tell_old_credentials().await {
            tracing::warn!("how old the secrets are cannot be told: {error}");
        }
        pause(&stop, KEEP).await;
    }
}

/// How often what the console shows is counted, while nobody looks.
const COUNT: Duration = Duration::from_secs(5);
/// The shortest pause between two counts, however many look.
const COUNT_AGAIN: Duration = Duration::from_millis(250);

/// Keeps the console's figures, at a twentieth of the time at most, and soon when somebody looks at them.
pub(super) async fn count_up(bridge: Arc<Bridge>, stop: CancellationToken) {
    loop {
        let begun = Instant::now();
        if let Err(error) = bridge.count_up().await {
            tracing::warn!("what happened could not be counted for the console: {error}");
        }
        if !pause(&stop, COUNT_AGAIN.max(begun.elapsed() * 20)).await {
            return;
        }
        tokio::select! {
            () = bridge.is_looked_at() => {}
            is_running = pause(&stop, COUNT) => if !is_running { return },
        }
    }
}

/// How often it is looked whether a list is due to be polled.
const POLL_LOOK: Duration = Duration::from_secs(15);

/// Polls the lists of accounts that do not tell of their changes.
pub(super) async fn poll(bridge: Arc<Bridge>, stop: CancellationToken) {
    while pause(&stop, POLL_LOOK).await {
        tokio::select! {
            () = stop.cancelled() => return,
            () = bridge.poll_due() => {}
        }
    }
}

/// Looks for missed webhooks on the schedule, first a while after the start: what came meanwhile has its turn before.
pub(super) async fn sweep(bridge: Arc<Bridge>, stop: CancellationToken) {
    let Some(every) = bridge.sweeps_every() else { return };
    while pause(&stop, every.unsigned_abs()).await {
        tokio::select! {
            () = stop.cancelled() => return,
            () = bridge.reconcile_due(every) => {}
        }
    }
}
