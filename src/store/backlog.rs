//! How much there is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{EventState, FirmId, System};

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacklogRow {
    /// Whose.
    pub firm: FirmId,
    /// Who sent it.
    pub source: System,
    /// The sender's name for what happened.
    pub kind: String,
    /// How many.
    pub events: u64,
    /// When the oldest arrived.
    pub oldest: Timestamp,
}

/// How many events are in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneState {
    /// By state; a state without events is absent.
    pub by_state: BTreeMap<EventState, u64>,
}

impl LaneState {
    /// How many are in this state.
    pub fn of(&self, state: EventState) -> u64 {
        self.by_state.get(&state).copied().unwrap_or_default()
    }

    /// How many are not settled.
    pub fn pending(&self) -> u64 {
        self.by_state.iter().filter(|(state, _)| !state.is_settled()).map(|(_, count)| count).sum()
    }
}
