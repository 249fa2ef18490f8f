//! What a vendor allows, and who may use it first.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Fact;

/// What a call is for: the less urgent leave a part of what the vendor allows to the more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Catching up with the past.
    Backfill,
    /// A note or a task.
    NoteTask,
    /// A change of data or of a status.
    Status,
    /// A person nobody has called back yet.
    NewLead,
}

impl Priority {
    /// All of them, the least urgent first.
    pub const ALL: [Self; 4] = [Self::Backfill, Self::NoteTask, Self::Status, Self::NewLead];

    /// How urgent it is to act on a fact.
    pub fn of(fact: &Fact) -> Self {
        match fact {
            Fact::ContactCreated { .. } | Fact::LeadCreated { .. } => Self::NewLead,
            Fact::TaskCreated { .. }
            | Fact::TaskCompleted { .. }
            | Fact::NoteCreated { .. }
            | Fact::NoteUpdated { .. }
            | Fact::CopyDeleted { .. } => Self::NoteTask,
            _ => Self::Status,
        }
    }

    /// What a turn may use that has begun: one class more, since what it has read would be read again.
    #[must_use]
    pub fn under_way(self) -> Self {
        match self {
            Self::Backfill => Self::NoteTask,
            // The last part is for new leads alone.
            Self::NoteTask | Self::Status => Self::Status,
            Self::NewLead => Self::NewLead,
        }
    }

    /// In one word, as metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::NoteTask => "note_task",
            Self::Status => "status",
            Self::NewLead => "new_lead",
        }
    }

    /// Its place in [`Priority::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Up to where it may use a limit: a half for backfill, so that what happens now keeps the other; a seventh stays
    /// for new leads alone. Never less than one call, so that nothing waits for ever.
    pub fn share_of(self, limit: u64) -> u64 {
        let percent = match self {
            Self::Backfill => 50,
            Self::NoteTask => 75,
            Self::Status => 85,
            Self::NewLead => 100,
        };
        (limit / 100 * percent + limit % 100 * percent / 100).max(1)
    }
}

/// How many calls a vendor allows one firm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// In any span of the interval.
    pub per_interval: u64,
    /// The interval, in milliseconds.
    pub interval_ms: i64,
    /// In a day; none if the vendor speaks of no such limit.
    pub per_day: Option<u64>,
}

impl Allowance {
    /// What HighLevel allows an app at a location (its documentation, "Rate limits"), until its answers say otherwise.
    pub const HIGHLEVEL: Self = Self { per_interval: 100, interval_ms: 10_000, per_day: Some(200_000) };
}

/// What an answer's headers say of the limits; nothing where they are silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Announced {
    /// Calls in an interval.
    pub per_interval: Option<u64>,
    /// The interval, in milliseconds.
    pub interval_ms: Option<i64>,
    /// Calls in a day.
    pub per_day: Option<u64>,
    /// Of these, how many are left.
    pub left_today: Option<u64>,
    /// How long until the day ends for the vendor.
    pub day_ends_in: Option<SignedDuration>,
}

impl Announced {
    /// Whether they say anything.
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// An allowance with what was announced; none if that is not enough to make one.
    pub fn over(&self, known: Option<Allowance>) -> Option<Allowance> {
        let positive = |number: &u64| *number > 0;
        Some(Allowance {
            per_interval: self.per_interval.filter(positive).or(known.map(|known| known.per_interval))?,
            interval_ms: self.interval_ms.filter(|ms| *ms > 0).or(known.map(|known| known.interval_ms))?,
            per_day: self.per_day.filter(positive).or(known.and_then(|known| known.per_day)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_urgent_may_use_more_and_everybody_something() {
        let shares = |limit| Priority::ALL.map(|priority| priority.share_of(limit));
        assert_eq!(shares(100), [50, 75, 85, 100]);
        assert_eq!(shares(5), [2, 3, 4, 5]);
        assert_eq!(shares(1), [1, 1, 1, 1]);
        assert_eq!(shares(u64::MAX)[3], u64::MAX);
    }

    #[test]
    fn what_is_announced_replaces_what_was_known() {
        let announced = Announced { per_interval: Some(500), ..Announced::default() };
        let expected = Allowance { per_interval: 500, ..Allowance::HIGHLEVEL };
        assert_eq!(announced.over(Some(Allowance::HIGHLEVEL)), Some(expected));
        assert_eq!(announced.over(None), None, "an interval is missing");
        let nonsense = Announced { per_interval: Some(0), interval_ms: Some(-1), ..Announced::default() };
        assert_eq!(nonsense.over(Some(Allowance::HIGHLEVEL)), Some(Allowance::HIGHLEVEL));
    }
}
