//! What became of leads: how many came, signed and settled, by month and by where they came from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{FirmId, RecordKind, RecordRef};

/// Which leads.
#[derive(Debug, Clone)]
pub struct PipelineFilter {
    /// Of these firms; none for all.
    pub firms: Option<Vec<FirmId>>,
    /// What happened from this moment on.
    pub since: Timestamp,
}

/// What happened in a month with leads of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineRow {
    /// The month, in UTC: `2026-11`.
    pub month: String,
    /// Where the leads came from, as the firm calls it; empty if that is not known.
    pub source: String,
    /// People who are in both systems since then.
    pub leads: u64,
    /// Cases that signed.
    pub signed: u64,
    /// Cases that settled.
    pub settled: u64,
    /// Cases that the firm declined.
    pub rejected: u64,
}

/// The most links that are looked through, the newest: what is older is not counted.
pub(super) const MOST_LINKS: i64 = 100_000;
/// What begins the effect that a milestone latches, as [`crate::plan`] names it.
pub(super) const MILESTONE: &str = "milestone:";

/// A person who came to be in both systems.
const LEAD: &str = "lead";

/// Counts what is read, milestones first.
#[derive(Default)]
pub(super) struct Counting {
    since: i64,
    /// By firm and case: what it reached, and when.
    milestones: BTreeMap<(String, String), Vec<(String, i64)>>,
    /// By firm and contact: since when it is in both systems, its source, and its cases.
    people: BTreeMap<(String, String), Person>,
}

#[derive(Default)]
struct Person {
    since: i64,
    source: Option<String>,
    cases: BTreeSet<String>,
}

impl Counting {
    pub(super) fn since(since: Timestamp) -> Self {
        Self { since: since.as_millisecond(), ..Self::default() }
    }

    /// A milestone's effect, by its key.
    pub(super) fn add_milestone(&mut self, firm: &str, key: &str, at: i64) {
        let Some((case, step)) = key.strip_prefix(MILESTONE).and_then(|rest| rest.rsplit_once(':')) else {
            return;
        };
        let reached = self.milestones.entry((firm.to_owned(), case.to_owned())).or_default();
        reached.push((step.to_owned(), at));
    }

    /// Whether the base of this link is worth opening.
    pub(super) fn wants(&self, firm: &str, casepeer: &RecordRef, linked_at: i64) -> bool {
        linked_at >= self.since || self.milestones.contains_key(&(firm.to_owned(), casepeer.to_string()))
    }

    /// A link of a contact with a lead or case; its source, if its base was opened and says one.
    pub(super) fn add_link(
        &mut self,
        firm: &str,
        highlevel: &RecordRef,
        casepeer: &RecordRef,
        linked_at: i64,
        source: Option<String>,
    ) {
        if highlevel.kind != RecordKind::Contact {
            return;
        }
        let person = self.people.entry((firm.to_owned(), highlevel.to_string()));
        let person = person.or_insert_with(|| Person { since: linked_at, ..Person::default() });
        person.since = person.since.min(linked_at);
        person.source = person.source.take().or(source);
        if casepeer.kind == RecordKind::Case {
            person.cases.insert(casepeer.to_string());
        }
    }

    /// The counts, by month and source.
    pub(super) fn rows(mut self) -> Vec<PipelineRow> {
        let mut steps: Vec<(i64, String, String)> = Vec::new();
        for ((firm, _), person) in std::mem::take(&mut self.people) {
            let source = person.source.unwrap_or_default();
            if person.since >= self.since {
                steps.push((person.since, source.clone(), LEAD.to_owned()));
            }
            for case in person.cases {
                let reached = self.milestones.remove(&(firm.clone(), case)).unwrap_or_default();
                steps.extend(reached.into_iter().map(|(step, at)| (at, source.clone(), step)));
            }
        }
        // Of people whose link is gone, or is not among the newest.
        let left = self.milestones.into_values().flatten();
        steps.extend(left.map(|(step, at)| (at, String::new(), step)));
        let mut rows: BTreeMap<(String, String), PipelineRow> = BTreeMap::new();
        for (at, source, step) in steps {
            let Ok(at) = Timestamp::from_millisecond(at) else { continue };
            let month = at.strftime("%Y-%m").to_string();
            let row = rows.entry((month.clone(), source.clone())).or_default();
            (row.month, row.source) = (month, source);
            match step.as_str() {
                LEAD => row.leads += 1,
                "signed" => row.signed += 1,
                "settled" => row.settled += 1,
                "rejected" => row.rejected += 1,
                _ => {}
            }
        }
        rows.into_values().collect()
    }
}
