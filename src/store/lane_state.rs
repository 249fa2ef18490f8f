//! How many events stand where.

use std::collections::BTreeMap;

use crate::domain::EventState;

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
