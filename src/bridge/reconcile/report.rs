//! What a sweep says of itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{EventId, FirmId};

/// What a sweep found.
#[derive(Debug, Clone, Serialize)]
pub struct SweepReport {
    /// Whose systems.
    pub firm: FirmId,
    /// Whether gaps were only reported.
    pub dry_run: bool,
    /// By system and kind of record.
    pub kinds: BTreeMap<String, KindReport>,
    /// Changes that no webhook told of, those found by earlier sweeps left out.
    pub gaps: Vec<GapReport>,
    /// Whether every stream was read to its end.
    pub is_complete: bool,
    /// Why not everything was looked at; in words that name no person.
    pub remarks: Vec<String>,
}

/// What a sweep found among one kind of records.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindReport {
    /// Records that were read.
    pub read: u64,
    /// Changes that a webhook told of.
    pub received: u64,
    /// Changes that no webhook told of, but that both sides agree on.
    pub in_step: u64,
    /// Changes that a webhook may still tell of.
    pub awaited: u64,
    /// Changes that are announced now.
    pub gaps: u64,
    /// Gaps that an earlier sweep announced.
    pub known_gaps: u64,
}

/// A change that no webhook told of.
#[derive(Debug, Clone, Serialize)]
pub struct GapReport {
    /// What changed: system, kind and id.
    pub record: String,
    /// When, if its system says.
    pub changed_at: Option<Timestamp>,
    /// What it was announced as.
    #[serde(rename = "type")]
    pub kind: String,
    /// The event that heals it; none in a dry run.
    pub event: Option<EventId>,
}

impl SweepReport {
    pub(super) fn new(firm: FirmId, dry_run: bool) -> Self {
        let (kinds, gaps, remarks) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { firm, dry_run, kinds, gaps, is_complete: true, remarks }
    }

    /// How many records were read.
    pub fn read(&self) -> u64 {
        self.kinds.values().map(|kind| kind.read).sum()
    }

    pub(super) fn of(&mut self, kind: &str) -> &mut KindReport {
        self.kinds.entry(kind.to_owned()).or_default()
    }

    pub(super) fn end_early(&mut self, why: String) {
        self.is_complete = false;
        self.remarks.push(why);
    }

    pub(super) fn result(&self) -> &'static str {
        if self.is_complete { "complete" } else { "ended_early" }
    }
}
