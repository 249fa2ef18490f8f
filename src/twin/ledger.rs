//! What really happened at the vendors, in order: the witness that tests count effects by.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One of the two simulated systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// The marketing CRM.
    #[default]
    HighLevel,
    /// The case management.
    CasePeer,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MadeBy {
    /// A program, through the vendor's API.
    Api,
    /// A person, in the vendor's own screens.
    Ui,
}

/// One effect at a vendor. An idempotent replay, a refusal and a read leave none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Counts the effects of both vendors, from 1.
    pub sequence: u64,
    /// Where it happened.
    pub vendor: Vendor,
    /// `contact.create`, `task.update`, `lead.create`, …
    pub operation: &'static str,
    /// The record it made or changed.
    pub record_id: String,
    /// When, by the twin's clock.
    pub at: Timestamp,
    /// The `Idempotency-Key` the request carried.
    pub idempotency_key: Option<String>,
    /// Whether a program or a person did it.
    pub made_by: MadeBy,
    /// False for an accepted write that left the record as it was.
    pub changed: bool,
}

/// The list of effects, shared by both vendors.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Vec<Effect>>);

impl Ledger {
    /// Adds an effect; its sequence is given here.
    pub(super) fn add(&self, mut effect: Effect) {
        let mut effects = self.lock();
        effect.sequence = effects.len() as u64 + 1;
        effects.push(effect);
    }

    /// Every effect so far.
    pub(super) fn all(&self) -> Vec<Effect> {
        self.lock().clone()
    }

    /// The effects at one vendor.
    pub(super) fn of(&self, vendor: Vendor) -> Vec<Effect> {
        self.lock().iter().filter(|effect| effect.vendor == vendor).cloned().collect()
    }

    /// How many writes a vendor's API has accepted.
    pub(super) fn writes(&self, vendor: Vendor) -> usize {
        self.lock().iter().filter(|effect| effect.vendor == vendor && effect.made_by == MadeBy::Api).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Effect>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
