//! Claims what is due and works on several people's events at once.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::SignedDuration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Bridge;
use crate::domain::FirmId;
use crate::store::{Claim, ClaimRoom, StoreError};

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

/// How long a busy worker lets turns end before it fills their places with one claim: a claim takes the store as long for
/// one event as for ten.
const GATHER: Duration = Duration::from_millis(2);

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
        let mut turns = Turns::default();
        let mut looked_at_parking = None;
        let mut pace = Pace::default();
        while !stop.is_cancelled() {
            if let Some(rest) = pace.rest(turns.len(), self.options.concurrency) {
                tokio::time::sleep(rest).await;
                turns.take_ended();
            }
            // Interest is registered before the store is asked, so that no ring in between is missed.
            let rung = self.bridge.wake.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            // Parked firms are looked after at the pace of the poll, however often the bell rings.
            if looked_at_parking.is_none_or(|at: Instant| at.elapsed() >= self.options.poll) {
                looked_at_parking = Some(Instant::now());
                self.probe().await;
            }
            let pause = match self.claim_into(&mut turns).await {
                // What is left does not fit until a turn ends, or is not due.
                Ok(claimed) => {
                    pace.claimed(claimed);
                    self.options.poll
                }
                Err(error) => {
                    tracing::error!("no events can be claimed: {error}");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = rung => {}
                () = self.bridge.store.rung() => {}
                true = turns.end_some() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        while turns.end_some().await {}
    }

    /// Works on everything that is due now, including what becomes due by that; the number of turns taken.
    pub async fn step(&self) -> Result<usize, StoreError> {
        self.bridge.store.probe().await?;
        self.bridge.store.wake_overdue().await?;
        self.bridge.refresh_rules().await?;
        let mut taken = 0;
        let mut turns = Turns::default();
        loop {
            taken += self.claim_into(&mut turns).await?;
            if !turns.end_some().await {
                return Ok(taken);
            }
        }
    }

    /// Gives back what was claimed and not finished.
    pub async fn release(&self) {
        match self.bridge.store.release(&self.name).await {
            Ok(0) => {}
            Ok(released) => {
                tracing::info!(released, "events that had been claimed wait for their turn again")
            }
            Err(error) => tracing::error!("claimed events wait until their leases end: {error}"),
        }
    }

    async fn probe(&self) {
        if let Err(error) = self.bridge.refresh_rules().await {
            tracing::error!("whether rules were changed cannot be told: {error}");
        }
        match self.bridge.store.probe().await {
            Ok(0) => {}
            Ok(firms) => tracing::info!(firms, "parked firms are tried again with one event each"),
            Err(error) => tracing::error!("parked firms cannot be tried again: {error}"),
        }
        match self.bridge.store.wake_overdue().await {
            Ok(0) => {}
            Ok(events) => tracing::warn!(events, "hand-overs were not confirmed in time: a person is asked"),
            Err(error) => tracing::error!("overdue hand-overs cannot be looked for: {error}"),
        }
    }

    async fn claim_into(&self, turns: &mut Turns) -> Result<usize, StoreError> {
        let free = self.options.concurrency - turns.len();
        if free == 0 {
            return Ok(0);
        }
        // One firm's slow vendor must leave room for the others'.
        let per_firm = (self.options.concurrency - self.options.concurrency / 4).max(1);
        let mut busy = turns.busy.clone();
        // What would only be put off is left where it is.
        let now = self.bridge.clock.now();
        for firm in self.bridge.firms.iter().filter(|firm| firm.is_out_of_calls(now)) {
            busy.insert(firm.id.clone(), per_firm);
        }
        let room = ClaimRoom { total: free, per_firm, busy };
        let claims = self.bridge.store.claim(&self.name, &room, self.options.lease).await?;
        let claimed = claims.len();
        for claim in claims {
            turns.begin(Arc::clone(&self.bridge), claim);
        }
        Ok(claimed)
    }
}

/// The events that are being worked on.
#[derive(Default)]
struct Turns {
    running: JoinSet<FirmId>,
    busy: BTreeMap<FirmId, usize>,
}

impl Turns {
    fn len(&self) -> usize {
        self.running.len()
    }

    fn begin(&mut self, bridge: Arc<Bridge>, claim: Claim) {
        *self.busy.entry(claim.lease.firm.clone()).or_default() += 1;
        self.running.spawn(async move {
            let (id, firm) = (claim.lease.event, claim.lease.firm.clone());
            // A fault of ours must not end the worker: the event's lease runs out, and after ten such turns it is
            // given up and shown.
            let turn = AssertUnwindSafe(bridge.process(claim)).catch_unwind().await;
            match turn {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(event.id = %id, "an event could not be settled: {error}"),
                Err(_) => tracing::error!(event.id = %id, "a turn ended by a fault of this program"),
            }
            firm
        });
    }

    /// Waits for one to end, and takes leave of all that have, so that one claim fills their places; false if none is
    /// running.
    async fn end_some(&mut self) -> bool {
        let ended = self.running.join_next().await;
        let is_running = ended.is_some();
        self.take_leave(ended);
        is_running
    }

    /// Takes leave of all that have ended.
    fn take_ended(&mut self) {
        let ended = self.running.try_join_next();
        self.take_leave(ended);
    }

    fn take_leave(&mut self, mut ended: Option<Result<FirmId, JoinError>>) {
        while let Some(turn) = ended {
            if let Ok(firm) = turn
                && let Some(busy) = self.busy.get_mut(&firm)
            {
                *busy -= 1;
                if *busy == 0 {
                    self.busy.remove(&firm);
                }
            }
            ended = self.running.try_join_next();
        }
    }
}

/// When the store was asked last, and how often in a row it had nothing.
#[derive(Default)]
struct Pace {
    asked_at: Option<Instant>,
    in_vain: u32,
}

impl Pace {
    fn claimed(&mut self, claimed: usize) {
        self.asked_at = Some(Instant::now());
        self.in_vain = if claimed == 0 { self.in_vain + 1 } else { 0 };
    }

    /// How long to wait before the store is asked again: not at all, unless many turns are under way, or it is rung again
    /// and again for nothing, as by webhooks for a firm that is paused.
    fn rest(&self, under_way: usize, concurrency: usize) -> Option<Duration> {
        let is_busy = under_way * 4 > concurrency || self.in_vain > 1;
        let rest = GATHER.saturating_sub(self.asked_at?.elapsed());
        (is_busy && !rest.is_zero()).then_some(rest)
    }
}
