//! Claims what is due and works on several people's events at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Bridge;
use crate::store::StoreError;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// How many events are worked on at once.
    pub concurrency: usize,
    /// How long a claim holds. Longer than the longest turn: a few calls of at most 30 s each.
    pub lease: SignedDuration,
    /// How often the store is asked although nobody rang.
    pub poll: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { concurrency: 32, lease: SignedDuration::from_mins(10), poll: Duration::from_secs(1) }
    }
}

/// How long to leave a store alone that failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Claims events and works on them.
pub struct Worker {
    bridge: Arc<Bridge>,
    name: String,
    options: WorkerOptions,
}

impl Worker {
    /// A worker of this name, which the store notes on its leases.
    pub fn new(bridge: Arc<Bridge>, name: impl Into<String>, options: WorkerOptions) -> Self {
        Self { bridge, name: name.into(), options }
    }

    /// Works until asked to stop, then finishes what it has claimed.
    pub async fn run(&self, stop: CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            // Interest is registered before the store is asked, so that no ring in between is missed.
            let rung = self.bridge.wake.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            let free = self.options.concurrency - running.len();
            let claimed = if free == 0 || stop.is_cancelled() {
                Ok(0)
            } else {
                self.claim_into(&mut running, free).await
            };
            if stop.is_cancelled() {
                break;
            }
            let pause = match claimed {
                // There may be more, and there is room for them.
                Ok(claimed) if claimed > 0 && running.len() < self.options.concurrency => continue,
                Ok(_) => self.options.poll,
                Err(error) => {
                    tracing::error!("no events can be claimed: {error}");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = rung => {}
                Some(_) = running.join_next() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Works on everything that is due now, including what becomes due by that; the number of turns taken.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let mut turns = 0;
        let mut running = JoinSet::new();
        loop {
            let free = self.options.concurrency - running.len();
            turns += self.claim_into(&mut running, free).await?;
            if running.join_next().await.is_none() {
                return Ok(turns);
            }
        }
    }

    async fn claim_into(&self, running: &mut JoinSet<()>, limit: usize) -> Result<usize, StoreError> {
        let claims = self.bridge.store.claim(&self.name, limit, self.options.lease).await?;
        let claimed = claims.len();
        for claim in claims {
            let bridge = Arc::clone(&self.bridge);
            running.spawn(async move {
                let id = claim.lease.event;
                if let Err(error) = bridge.process(claim).await {
                    tracing::error!(event.id = %id, "an event could not be settled: {error}");
                }
            });
        }
        Ok(claimed)
    }
}
