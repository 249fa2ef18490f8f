//! How much there is.

use jiff::Timestamp;

use crate::domain::{FirmId, System};

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
