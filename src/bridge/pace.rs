//! How fast one sender is taken, so that a flood from one leaves room for the others.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Seconds' worth of webhooks that may come at once.
const BURST_SECONDS: i64 = 10;

/// One sender's pace (the generic cell rate algorithm): the moment, in microseconds since 1970, up to which what was
/// taken has used the rate up.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicI64);

impl Pace {
    /// Takes one more, unless that many a second have been taken for too long; 0 is no limit.
    pub(super) fn takes(&self, per_second: u32, now: Timestamp) -> bool {
        if per_second == 0 {
            return true;
        }
        let (now, each) = (now.as_microsecond(), (1_000_000 / i64::from(per_second)).max(1));
        let taking = |used_up: i64| {
            let most = now + BURST_SECONDS * 1_000_000;
            // Further ahead than the rate allows is only what was taken before the clock was set back.
            let next = if used_up > most { now } else { used_up.max(now) } + each;
            (next <= most).then_some(next)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taking).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let (pace, start) = (Pace::default(), Timestamp::from_second(1_800_000_000).unwrap());
        let taken = |at: Timestamp| (0..100).filter(|_| pace.takes(5, at)).count();
        assert_eq!(taken(start), 50);
        assert_eq!(taken(start + SignedDuration::from_secs(1)), 5);
        assert_eq!(taken(start + SignedDuration::from_secs(3)), 10);
        assert_eq!(taken(start + SignedDuration::from_secs(60)), 50, "no more is saved up");
        assert_eq!(
            taken(start - SignedDuration::from_hours(1)),
            50,
            "a clock that was set back closes no door"
        );
        assert!(Pace::default().takes(0, start));
    }
}
