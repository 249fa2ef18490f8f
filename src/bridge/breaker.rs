//! Notices that a vendor is down, rather than one call unlucky.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::{CallClass, System};

/// How many calls must fail in a row.
const THRESHOLD: u32 = 5;

/// Counts a firm's failures in a row, by vendor. In memory only: a restart begins afresh, and a vendor that is still
/// down fails as often again before the firm is parked.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    highlevel: AtomicU32,
    casepeer: AtomicU32,
}

impl Breaker {
    fn failures(&self, system: System) -> &AtomicU32 {
        match system {
            System::HighLevel => &self.highlevel,
            System::CasePeer => &self.casepeer,
        }
    }

    /// Takes note of how a call went. Any answer, even a refusal, shows that the vendor is there.
    pub(super) fn note(&self, system: System, class: CallClass) {
        let failures = self.failures(system);
        match class {
            CallClass::Unreachable | CallClass::Timeout | CallClass::Ambiguous => {
                failures.fetch_add(1, Ordering::Relaxed);
            }
            _ => failures.store(0, Ordering::Relaxed),
        }
    }

    /// Whether the vendor is taken to be down.
    pub(super) fn is_open(&self, system: System) -> bool {
        self.failures(system).load(Ordering::Relaxed) >= THRESHOLD
    }
}
