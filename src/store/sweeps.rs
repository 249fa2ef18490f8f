//! What sweeps over both systems remember: how far they have come, what was received meanwhile, and the losses they met.
//!
//! A loss is a change that no webhook told of. What was received and what was in step without a webhook is counted by
//! day; each gap is a row with the event that heals it, so that whether it was healed is read from that event.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Arrival, PlanRecord, StoreError};
use crate::domain::{EventId, FirmId, Link, RecordRef};

/// How the sender of an event is proven that a sweep announced: the bridge saw the change itself.
pub const BY_SWEEP: &str = "sweep";
/// The same for an event that a backfill announced.
pub const BY_BACKFILL: &str = "backfill";

/// Sweeps in the store.
#[async_trait]
pub trait Sweeps: Send + Sync {
    /// How far a sweep over this stream of records has come, in the bridge's own words.
    async fn sweep_mark(&self, firm: &FirmId, stream: &str) -> Result<Option<String>, StoreError>;
    /// Takes, or goes on holding, the right to do what has this name for the firm; false while another holds it. With no
    /// span it is given back.
    async fn hold_sweep(
        &self,
        firm: &FirmId,
        name: &str,
        owner: &str,
        span: SignedDuration,
    ) -> Result<bool, StoreError>;
    /// When the firm's first event was received.
    async fn first_received(&self, firm: &FirmId) -> Result<Option<Timestamp>, StoreError>;
    /// Which records events of the firm's senders were about that were received since then, and when the last was. An
    /// event that a sweep or a backfill announced is none.
    async fn heard_since(
        &self,
        firm: &FirmId,
        since: Timestamp,
    ) -> Result<HashMap<RecordRef, Timestamp>, StoreError>;
    /// Which of these records any event ever named.
    async fn named(&self, firm: &FirmId, records: &[RecordRef]) -> Result<BTreeSet<RecordRef>, StoreError>;
    /// Contacts that are linked, with what they are linked to, by the contact's id, after this one.
    async fn linked_people(
        &self,
        firm: &FirmId,
        after: Option<&RecordRef>,
        most: usize,
    ) -> Result<Vec<(RecordRef, RecordRef)>, StoreError>;
    /// How many links contacts have.
    async fn count_linked_people(&self, firm: &FirmId) -> Result<u64, StoreError>;
    /// Links pairs of one firm that both sides' lists show to be one person's, each with the settled event that explains
    /// it, all at once; whether each was. A pair is left alone if either record is linked by now, if an event of either
    /// is not settled, if a sender told of either since then, or if that change was announced before: what the lists
    /// showed may be what was.
    async fn link_listed(&self, pairs: Vec<ListedPair>, since: Timestamp) -> Result<Vec<bool>, StoreError>;
    /// Writes down what a part of a sweep found, all at once.
    async fn save_sweep(&self, firm: &FirmId, found: SweepRecord) -> Result<(), StoreError>;
    /// The loss meter, the newest day first.
    async fn losses(&self, filter: LossFilter) -> Result<Vec<LossRow>, StoreError>;
}

/// A contact and a matter that their systems' lists show to be one person's.
#[derive(Clone)]
pub struct ListedPair {
    /// The event that explains it. It names both, the contact first.
    pub arrival: Arrival,
    /// What was decided, and why.
    pub plan: PlanRecord,
    /// The link, with what both sides agree on.
    pub link: Link,
}

/// What a part of a sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepRecord {
    /// How far it came: stream and mark.
    pub marks: Vec<(String, String)>,
    /// What is to be added to the loss meter.
    pub counted: Vec<Counted>,
    /// Changes that no webhook told of.
    pub gaps: Vec<Gap>,
}

/// What is added to a day's line of the loss meter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// The day of the change, UTC, `2026-11-24`.
    pub day: String,
    /// `system:kind` of the records.
    pub kind: String,
    /// Changes that a webhook told of.
    pub received: u64,
    /// Changes that no webhook told of, but that both sides agreed on already.
    pub in_step: u64,
    /// How much of what there is to look at was looked at.
    pub looked: Looked,
}

/// How much of what there is to look at was looked at: lists read to their end, people whose notes were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Parts that were looked at.
    pub at: u64,
    /// Parts there are; none if this says nothing of it.
    pub of: u64,
}

/// A change that no webhook told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What changed.
    pub record: RecordRef,
    /// Which change: when it happened, or what came of it where its system does not say when.
    pub version: String,
    /// The day of the change, UTC.
    pub day: String,
    /// The event that heals it.
    pub event: EventId,
    /// When it was found.
    pub found_at: Timestamp,
}

/// Which lines of the loss meter.
#[derive(Debug, Clone, Default)]
pub struct LossFilter {
    /// Of this firm only.
    pub firm: Option<FirmId>,
    /// From this day on, `2026-11-24`.
    pub since: Option<String>,
    /// How many at most.
    pub limit: usize,
}

/// A day's line of the loss meter for one kind of record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LossRow {
    /// Whose.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// The day of the changes, UTC.
    #[schema(example = "2026-11-24")]
    pub day: String,
    /// System and kind of the records.
    #[schema(example = "highlevel:contact")]
    pub kind: String,
    /// Changes seen at their source.
    pub changed: u64,
    /// Of these, how many a webhook told of.
    pub received: u64,
    /// Of these, how many no webhook told of although both sides agree: our own writes above all.
    pub in_step: u64,
    /// Gaps that were found and healed.
    pub healed: u64,
    /// Gaps whose healing has not ended well, or not ended yet.
    pub unexplained: u64,
    /// How much of what there is to look at was looked at, from 0 to 1.
    pub coverage: f64,
}

/// The states in which the event that heals a gap has done so. Spelt as in SQL.
pub(super) const HEALED: &str =
    "'done', 'nothing_to_do', 'superseded', 'in_review', 'handed_off', 'discarded'";

/// One line as both databases answer it: firm, day, kind, received, in step, looked at, of, gaps, healed.
pub(super) fn loss_row(firm: String, day: String, kind: String, numbers: [i64; 6]) -> LossRow {
    let [received, in_step, looked_at, looked_of, gaps, healed] = numbers.map(i64::unsigned_abs);
    #[expect(clippy::cast_precision_loss, reason = "a share of small numbers")]
    let coverage = if looked_of == 0 { 0.0 } else { looked_at.min(looked_of) as f64 / looked_of as f64 };
    LossRow {
        firm: FirmId::new(firm),
        day,
        kind,
        changed: received + in_step + gaps,
        received,
        in_step,
        healed,
        unexplained: gaps.saturating_sub(healed),
        coverage,
    }
}

/// The records an event was about: its subject and, where it is about a person or a matter, the matters it names besides;
/// that a task was created says nothing about its owner.
pub(super) fn about(records: &str) -> Vec<RecordRef> {
    use crate::domain::RecordKind::{Case, Client, Lead, Note, Opportunity, Task};
    let names: Vec<String> = serde_json::from_str(records).unwrap_or_default();
    let mut named = names.iter().filter_map(|name| name.parse::<RecordRef>().ok());
    let Some(subject) = named.next() else { return Vec::new() };
    let is_belonging = matches!(subject.kind, Task | Note | Opportunity);
    let others = named.filter(|other| !is_belonging && matches!(other.kind, Lead | Case | Client));
    std::iter::once(subject).chain(others).collect()
}

/// The beginning and the end of the names of HighLevel's contacts, in order of their bytes.
pub(super) const CONTACTS: (&str, &str) = ("highlevel:contact:", "highlevel:contact;");
