//! Once a day, what was kept long enough is deleted.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Bridge;
use crate::domain::FirmId;
use crate::store::{Kept, StoreError};

/// How often. Several instances share one turn.
pub const RETAIN_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What the turn is called, which is no firm's.
const TURN: &str = "retention";

/// Days for which the webhook of a location is kept that no firm has.
const STRANGERS_DAYS: u32 = 7;

/// What a day's run deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retained {
    /// Bodies of webhooks.
    pub payloads: u64,
    /// Bodies of requests.
    pub requests: u64,
    /// Events.
    pub events: u64,
}

impl Bridge {
    /// Deletes what was kept long enough, if it is the turn of this instance; none if it is not.
    pub async fn retain_due(&self) -> Result<Option<Retained>, StoreError> {
        let (nobody, owner) = (FirmId::new(""), Uuid::now_v7().to_string());
        // Timers are not exact: a turn may come a little early.
        if !self.store.hold_sweep(&nobody, TURN, &owner, RETAIN_EVERY * 9 / 10).await? {
            return Ok(None);
        }
        match self.retain().await {
            Ok(retained) => {
                metrics::counter!("casebridge_retention_deleted_total", "class" => "payloads")
                    .increment(retained.payloads);
                metrics::counter!("casebridge_retention_deleted_total", "class" => "requests")
                    .increment(retained.requests);
                metrics::counter!("casebridge_retention_deleted_total", "class" => "events")
                    .increment(retained.events);
                Ok(Some(retained))
            }
            Err(error) => {
                // Not only tomorrow.
                self.store.hold_sweep(&nobody, TURN, &owner, SignedDuration::ZERO).await?;
                Err(error)
            }
        }
    }

    /// Deletes what was kept long enough.
    pub async fn retain(&self) -> Result<Retained, StoreError> {
        let now = self.clock.now();
        let mut retained = Retained::default();
        let firms = self.firms.iter().map(|firm| firm.id.clone());
        for firm in firms.chain([FirmId::new("")]) {
            let days = self.retention.payload_days;
            let days = if firm.is_unknown() { days.min(STRANGERS_DAYS) } else { days };
            let (bodies, history) = (days_before(now, days), days_before(now, self.retention.history_days));
            retained.payloads += self.let_go(&firm, Kept::Payloads, bodies).await?;
            retained.requests += self.let_go(&firm, Kept::Requests, bodies).await?;
            retained.events += self.let_go(&firm, Kept::History, history).await?;
        }
        if retained != Retained::default() {
            self.store.wipe().await?;
        }
        Ok(retained)
    }

    async fn let_go(&self, firm: &FirmId, class: Kept, before: Timestamp) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let step = self.store.let_go(firm, class, before, after).await?;
            count += step.count;
            after = step.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}
