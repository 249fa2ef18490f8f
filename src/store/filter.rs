//! Which events a person asks for.

use jiff::Timestamp;

use crate::domain::{Cause, EventId, EventState, FirmId, System};

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this firm only.
    pub firm: Option<FirmId>,
    /// Of these firms only: those that who asks may see; none for all.
    pub within: Option<Vec<FirmId>>,
    /// In these states only; empty is any.
    pub states: Vec<EventState>,
    /// Given up for this cause only.
    pub cause: Option<Cause>,
    /// Sent by this system only.
    pub source: Option<System>,
    /// About a person, or a record, that this word names only: a name, phone, e-mail address or number.
    pub word: Option<String>,
    /// Called so by its sender only.
    pub kind: Option<String>,
    /// Received at or after this moment.
    pub since: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
    /// Older than this one: the last of the page before.
    pub before: Option<EventId>,
    /// How many.
    pub limit: usize,
}
