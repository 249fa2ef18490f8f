//! What happened, counted by hour; and by what a person is found.
//!
//! Nothing of it is counted while a webhook is received or worked on, which would cost each of them a write. A task goes
//! over the hours in which something may have changed and counts them anew; counting twice counts the same. An hour is
//! the rows from its first to the next hour's first, so that every event is in one hour and no two.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use super::pipeline::{PipelineFilter, PipelineRow};
use crate::crypto::Keyring;
use crate::domain::FirmId;

/// Counting, and finding.
#[async_trait]
pub trait Figures: Send + Sync {
    /// Looks for hours that began since it was looked last, and says which hours to count, the newest first.
    async fn hours_to_count(&self, most: usize) -> Result<Vec<HourSpan>, StoreError>;
    /// Counts an hour anew.
    async fn count_hour(&self, hour: HourSpan) -> Result<(), StoreError>;
    /// What was counted, by hour or by longer.
    async fn activity(&self, filter: ActivityFilter) -> Result<Vec<ActivityRow>, StoreError>;
    /// What became of leads, by month and source: read from the links and from what was achieved.
    async fn pipeline(&self, filter: PipelineFilter) -> Result<Vec<PipelineRow>, StoreError>;
    /// Makes up to so many events findable by the people they speak of, in order of receipt; how many.
    async fn index_events(&self, most: usize) -> Result<usize, StoreError>;
}

/// Milliseconds of an hour.
pub(super) const HOUR: i64 = 3_600_000;
/// How long an hour that is over and has unsettled events may go without being counted anew, in milliseconds.
pub(super) const RECOUNT: i64 = 600_000;
/// The firm under which the sum of all is kept: no firm can be called so.
pub(super) const ALL_FIRMS: &str = "*";
/// How long a lead may wait before it is late, in milliseconds.
pub const LATE: i64 = 120_000;
/// What a new lead's event is called, as in SQL.
pub(super) const NEW_LEADS: &str = "'ContactCreate', 'lead.created'";
/// The states that can be left without a person, as in SQL.
pub(super) const UNSETTLED: &str =
    "'waiting', 'ready', 'running', 'retrying', 'parked', 'in_review', 'handed_off'";
/// The outcome under which late leads are counted.
pub const LATE_LEADS: &str = "late";
/// How many hours are looked for at once: beyond that, the next look goes on.
pub(super) const MOST_NEW_HOURS: usize = 2_000;

/// The events of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourSpan {
    /// Hours since 1970.
    pub hour: i64,
    /// Its first row.
    pub first: i64,
    /// The next hour's first row; none if it is the newest.
    pub end: Option<i64>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tally {
    /// Webhooks, by sender, type and where they stand.
    Event,
    /// Calls that wrote, by operation and how they went.
    Call,
    /// New leads, by how long they took to reach the other side.
    Lead,
}

impl Tally {
    /// The word in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Call => "call",
            Self::Lead => "lead",
        }
    }
}

/// Which counts.
#[derive(Debug, Clone)]
pub struct ActivityFilter {
    /// Of what.
    pub what: Tally,
    /// Of these firms; none for all.
    pub firms: Option<Vec<FirmId>>,
    /// From this hour on.
    pub since: i64,
    /// Hours that are taken together: 1, or 24 for days.
    pub per: i64,
}

/// A count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    /// The first of the hours that were taken together.
    pub hour: i64,
    /// Who sent it; empty for calls and leads.
    pub source: String,
    /// Its type, or the operation.
    pub kind: String,
    /// Where it stands, how the call went, or the step of [`wait_step`].
    pub outcome: String,
    /// How many.
    pub things: u64,
}

impl ActivityRow {
    /// When its hours begin.
    pub fn begins(&self) -> Timestamp {
        Timestamp::from_millisecond(self.hour * HOUR).unwrap_or(Timestamp::MIN)
    }
}

/// The step of a wait: two to the doubling, so that medians are right to a fifth.
pub fn wait_step(millis: i64) -> u32 {
    #[expect(clippy::cast_precision_loss, reason = "a wait in milliseconds is far below 2^53")]
    let steps = (millis.max(1) as f64).log2() * 2.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 128 and not below 0"
    )]
    let step = steps.floor() as u32;
    step
}

/// About how long a wait of this step is, in milliseconds.
pub fn wait_of(step: u32) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a wait in milliseconds")]
    let millis = ((f64::from(step) + 0.5) / 2.0).exp2() as i64;
    millis
}

/// What one count is kept under.
pub(super) type Key = (String, &'static str, String, String, String);

/// The counts of an hour, each also in the sum of all firms.
#[derive(Default)]
pub(super) struct Counts(pub(super) std::collections::BTreeMap<Key, i64>);

impl Counts {
    pub(super) fn add(&mut self, firm: &str, what: Tally, words: [&str; 3], things: i64) {
        let [source, kind, outcome] = words.map(str::to_owned);
        for firm in [firm, ALL_FIRMS] {
            let key = (firm.to_owned(), what.as_str(), source.clone(), kind.clone(), outcome.clone());
            *self.0.entry(key).or_default() += things;
        }
    }

    /// Adds a new lead: how long it took, or that it is late.
    pub(super) fn add_lead(
        &mut self,
        firm: &str,
        state: &str,
        received: i64,
        settled: Option<i64>,
        now: i64,
    ) {
        let is_waiting = matches!(state, "waiting" | "ready" | "running" | "retrying" | "parked");
        match settled {
            Some(settled) if state == "done" => {
                let step = wait_step(settled - received).to_string();
                self.add(firm, Tally::Lead, ["", "", &step], 1);
            }
            _ if is_waiting && now - received > LATE => {
                self.add(firm, Tally::Lead, ["", "", LATE_LEADS], 1);
            }
            _ => {}
        }
    }

    /// Whether something of it is not settled.
    pub(super) fn is_open(&self) -> bool {
        self.0.keys().any(|(_, what, _, _, state)| {
            *what == Tally::Event.as_str() && UNSETTLED.contains(&format!("'{state}'"))
        })
    }
}

/// The most events that name a person and are looked through for the rest of that person's.
pub(super) const MOST_NAMED: usize = 500;

/// What a term is looked up by.
pub(super) fn search_key(keyring: &Keyring, term: &str) -> Vec<u8> {
    keyring.fingerprint("search", term.as_bytes())[..16].to_vec()
}

/// The keys that a word may be found by.
pub(super) fn keys_of_word(keyring: &Keyring, word: &str) -> Vec<Vec<u8>> {
    crate::domain::terms_of_word(word).iter().map(|term| search_key(keyring, term)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_to_a_fifth() {
        for millis in [1, 3, 40, 250, 1_000, 59_000, 7_200_000] {
            let told = wait_of(wait_step(millis));
            assert!((told - millis).abs() * 4 <= millis.max(4), "{millis} is told as {told}");
        }
        assert_eq!(wait_step(-5), 0);
    }
}
