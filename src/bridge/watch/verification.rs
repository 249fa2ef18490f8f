//! How verifying webhooks goes. A vendor that changes its signing key has every webhook refused from one moment on.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

use crate::domain::System;

/// So many refused one after another, and none accepted, are no stray request.
const TOO_MANY: u64 = 5;
/// Refusals that ended so long ago say nothing of now.
const RECENT: SignedDuration = SignedDuration::from_mins(30);

/// Refused and accepted webhooks of each sender, since this process runs.
#[derive(Debug, Default)]
pub struct Verification {
    highlevel: Tally,
    casepeer: Tally,
}

/// In milliseconds since 1970; 0 is never.
#[derive(Debug, Default)]
struct Tally {
    accepted_at: AtomicI64,
    refused: AtomicU64,
    refused_since: AtomicI64,
    refused_at: AtomicI64,
}

/// A sender whose webhooks fail verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) refused: u64,
    pub(super) since: Timestamp,
}

impl Verification {
    fn of(&self, system: System) -> &Tally {
        match system {
            System::HighLevel => &self.highlevel,
            System::CasePeer => &self.casepeer,
        }
    }

    /// Counts a webhook.
    pub fn note(&self, system: System, is_accepted: bool, now: Timestamp) {
        let (tally, now) = (self.of(system), now.as_millisecond());
        if is_accepted {
            tally.accepted_at.store(now, Ordering::Relaxed);
            if tally.refused.load(Ordering::Relaxed) > 0 {
                tally.refused.store(0, Ordering::Relaxed);
            }
        } else {
            if tally.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                tally.refused_since.store(now, Ordering::Relaxed);
            }
            tally.refused_at.store(now, Ordering::Relaxed);
        }
    }

    /// Whether a sender's webhooks fail now, one like the other.
    pub(super) fn failing(&self, system: System, now: Timestamp) -> Option<Failing> {
        let tally = self.of(system);
        let refused = tally.refused.load(Ordering::Relaxed);
        let last = Timestamp::from_millisecond(tally.refused_at.load(Ordering::Relaxed)).ok()?;
        let since = Timestamp::from_millisecond(tally.refused_since.load(Ordering::Relaxed)).ok()?;
        (refused >= TOO_MANY && now.duration_since(last) <= RECENT).then_some(Failing { refused, since })
    }

    /// When one was accepted last.
    pub(super) fn accepted_at(&self, system: System) -> Option<Timestamp> {
        let at = self.of(system).accepted_at.load(Ordering::Relaxed);
        Timestamp::from_millisecond(at).ok().filter(|_| at != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_refusals_among_accepted_ones_are_nothing_and_many_alone_are() {
        let (tally, now) = (Verification::default(), Timestamp::from_second(1_800_000_000).unwrap());
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        let failing = |now| tally.failing(System::HighLevel, now);
        for second in 0..20 {
            tally.note(System::HighLevel, second % 4 == 0, later(second));
        }
        assert_eq!(failing(later(20)), None);
        for second in 21..23 {
            tally.note(System::HighLevel, false, later(second));
        }
        assert_eq!(failing(later(23)), Some(Failing { refused: 5, since: later(17) }));
        assert_eq!(tally.failing(System::CasePeer, later(23)), None);
        assert_eq!(failing(later(23) + RECENT), None, "long ago");
        tally.note(System::HighLevel, true, later(30));
        assert_eq!((failing(later(31)), tally.accepted_at(System::HighLevel)), (None, Some(later(30))));
    }
}
