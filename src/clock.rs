//! Time as a parameter: everything that needs the date asks a [`Clock`], so that tests and rehearsals set it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A clock that is passed around.
pub type SharedClock = Arc<dyn Clock>;

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the real clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved, in either direction.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this moment (to the millisecond).
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millisecond()))
    }

    /// Moves the clock.
    pub fn advance(&self, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).expect("a span of time that fits 64 bits of milliseconds");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).expect("a moment within jiff's range")
    }
}

/// Time that goes on at its own pace when a clock is set back: what is due in ten seconds is due in ten seconds, not
/// when the clock shows that hour again.
#[derive(Debug)]
pub struct Steady(Mutex<Pace>);

#[derive(Debug)]
struct Pace {
    /// What the clock showed last, in milliseconds since 1970.
    shown: i64,
    /// How far this time is ahead of it.
    ahead: i64,
}

/// How far a clock may be behind what it showed before without having been set back, in milliseconds: several threads
/// ask it at once.
const JITTER: i64 = 1_000;

impl Steady {
    /// Time that goes on from this moment at the latest, as when it was written down before a restart.
    pub fn from(latest: i64) -> Self {
        Self(Mutex::new(Pace { shown: latest, ahead: 0 }))
    }

    /// The time, given what the clock shows, both in milliseconds since 1970.
    pub fn at(&self, shown: i64) -> i64 {
        let mut pace = self.0.lock().expect("nothing panics while it holds the pace");
        if shown < pace.shown - JITTER {
            pace.ahead += pace.shown - shown;
            pace.shown = shown;
        }
        pace.shown = pace.shown.max(shown);
        pace.shown + pace.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::Steady;

    #[test]
    fn time_goes_on_when_the_clock_is_set_back() {
        let time = Steady::from(0);
        assert_eq!(time.at(100_000), 100_000);
        assert_eq!(time.at(99_500), 100_000, "a thread that asked a little earlier");
        assert_eq!(time.at(40_000), 100_000, "set back by a minute");
        assert_eq!(time.at(50_000), 110_000);
        assert_eq!(time.at(200_000), 260_000, "set forward again");
    }
}
