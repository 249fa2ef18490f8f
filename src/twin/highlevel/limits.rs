//! HighLevel's rate limits: 100 requests in 10 seconds and 200,000 a day, told in every response's headers.

use jiff::Timestamp;

use super::state::refusal;
use crate::twin::call::Reply;

const INTERVAL_MILLISECONDS: i64 = 10_000;
const DAY_MILLISECONDS: i64 = 86_400_000;
const PER_INTERVAL: u64 = 100;
const PER_DAY: u64 = 200_000;
/// What the headers of an unlimited twin say: a limit no client reaches.
const BOUNDLESS: u64 = 1_000_000_000;

/// The counters of the one app at the one location.
#[derive(Debug)]
pub(super) struct Limits {
    per_interval: u64,
    per_day: u64,
    interval: (i64, u64),
    day: (i64, u64),
}

impl Limits {
    /// HighLevel's limits, or none to speak of.
    pub(super) fn new(is_unlimited: bool) -> Self {
        let (per_interval, per_day) =
            if is_unlimited { (BOUNDLESS, BOUNDLESS) } else { (PER_INTERVAL, PER_DAY) };
        Self { per_interval, per_day, interval: (0, 0), day: (0, 0) }
    }

    /// Sets other limits.
    pub(super) fn set(&mut self, per_interval: u64, per_day: u64) {
        (self.per_interval, self.per_day) = (per_interval, per_day);
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 when one of the limits is used up.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Reply> {
        let now = now.as_millisecond();
        // The interval starts with its first request, the day at midnight UTC.
        if now - self.interval.0 >= INTERVAL_MILLISECONDS || now < self.interval.0 {
            self.interval = (now, 0);
        }
        let midnight = now - now.rem_euclid(DAY_MILLISECONDS);
        if midnight != self.day.0 {
            self.day = (midnight, 0);
        }
        if self.interval.1 >= self.per_interval || self.day.1 >= self.per_day {
            return Err(refusal(429, "Too Many Requests"));
        }
        self.interval.1 += 1;
        self.day.1 += 1;
        Ok(())
    }

    /// Puts the headers on a reply.
    pub(super) fn tell(&self, reply: Reply, now: Timestamp) -> Reply {
        let until_midnight = DAY_MILLISECONDS - now.as_millisecond().rem_euclid(DAY_MILLISECONDS);
        reply
            .with("x-ratelimit-limit-daily", self.per_day)
            .with("x-ratelimit-daily-remaining", self.per_day.saturating_sub(self.day.1))
            .with("x-ratelimit-daily-reset", until_midnight)
            .with("x-ratelimit-interval-milliseconds", INTERVAL_MILLISECONDS)
            .with("x-ratelimit-max", self.per_interval)
            .with("x-ratelimit-remaining", self.per_interval.saturating_sub(self.interval.1))
    }
}
