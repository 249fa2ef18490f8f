//! The store: everything that must survive a crash, in domain verbs.
//!
//! An event and the work it causes are one row; a *lane* is a person's pending events in order of receipt, and only
//! its head may be claimed. Payloads, request bodies and bases are sealed before they reach a table.
//!
//! # Scale, on paper
//!
//! A process keeps nothing but caches and counters of failures, so receivers and workers are stateless and replaced at
//! will. On PostgreSQL what moves a firm's events takes that firm's advisory lock, a batch at a time: firms run side by
//! side, one firm one transaction after another. What breaks first is therefore a single firm that is busier than that
//! (thousands of settled events a second; HighLevel allows a location ten calls a second), then the primary's processor,
//! which writes an event's row and its indexes three times. Commits that wait for the disk are one on receipt, shared by
//! a batch, and two for each create, and no firm's lock is held meanwhile. Reads of the admin API are index look-ups.
//!
//! A firm lives in one database. No row refers to another firm's, so firms are partitioned over several primaries by
//! installing the program once for each and giving each its firms; no query ever joins two.

mod access;
mod alerts;
mod api_tokens;
mod backlog;
pub mod copy;
mod credentials;
mod figures;
mod filter;
mod hand_offs;
mod hooks;
mod keeping;
mod lane_state;
mod mappings;
mod people;
mod pipeline;
pub mod postgres;
mod quotas;
mod review;
mod rules;
mod said;
mod secrets;
pub mod sqlite;
mod sweeps;
mod types;
mod unprintable;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

pub use access::{
    Access, Account, AuditEntry, AuditFilter, AuditRow, Changed, LONGEST_SESSION, NewAccount, PasswordHash,
};
pub use alerts::{Alert, Alerts, Notice, Raised};
pub use api_tokens::{ActionAnswer, ApiToken, ApiTokens, NewToken};
pub use backlog::BacklogRow;
pub use credentials::{
    ConnectLink, Credential, CredentialRow, Credentials, Digest, Holder, Installation, RenewalLease, Saved,
    Tokens,
};
pub use figures::{
    ActivityFilter, ActivityRow, Figures, HourSpan, LATE, LATE_LEADS, Tally, wait_of, wait_step,
};
pub use filter::EventFilter;
pub use hand_offs::{Confirmed, HandOff, HandOffs, HandOver};
pub use hooks::{Hook, HookTarget, Hooks, NewHook};
pub use keeping::{CannotErase, Erased, ErasedCounts, Hold, Keeping, Kept, LetGo, Papers, SentRequest};
pub use lane_state::LaneState;
pub use mappings::{MappingRow, Mappings};
pub use people::{CannotSplit, People, PeopleFilter, PersonLink, PersonRow, PersonStory, Split, person_key};
pub use pipeline::{PipelineFilter, PipelineRow};
pub use quotas::{Block, CallsAsked, Quota, Quotas, Unspent};
pub use review::{Review, ReviewFilter, ReviewRow, ReviewStory};
pub use rules::{RanOnce, RuleRow, RuleRun, RuleSaved, RuleVersion, Rules};
pub use said::Said;
pub use secrets::{Cursor, Resealed, SealedPlace, Secrets};
pub use sweeps::{
    BY_BACKFILL, BY_SWEEP, Counted, Gap, ListedPair, Looked, LossFilter, LossRow, SweepRecord, Sweeps,
};
pub use types::{
    Address, Ambiguity, Arrival, Begun, CallRecord, CauseRow, Claim, ClaimRoom, DeliveryKey, EffectFailure,
    EventRow, EventStory, Intent, Lease, LinkChange, Parking, PlanRecord, PlannedRecord, Recorded, Rejoined,
    Settled, Settlement,
};

use crate::crypto::{CannotOpen, Keyring, Place};
use crate::domain::{EffectKey, EventId, FirmId, Link, RecordRef};

/// A store that is passed around.
pub type SharedStore = Arc<dyn Store>;

/// Why the store could not do what was asked. Nothing of it was done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be used now: full disk, locked, lost. Trying again later may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A sealed value cannot be opened.
    #[error(transparent)]
    Sealed(#[from] crate::crypto::CannotOpen),
    /// What is stored is not what this build writes.
    #[error("stored data is not what this build writes: {0}")]
    Corrupt(String),
    /// What it would take is no longer kept.
    #[error("{0}")]
    Gone(&'static str),
}

/// Why an event is not replayed.
const NO_BODY: &str = "the event's body is no longer kept, so it cannot be replayed; `casebridge reconcile` finds what still differs";

/// A stored value that is not of the form it was written in.
fn corrupt(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// The statement that takes those leases back whose turns broke off with their worker, given the parameter that is the
/// present moment. Such an event goes on at once the first time, then after 1, 3, 9, 27 and, from then on, 81 seconds:
/// one that brings the program down does so ever more rarely, and others that were under way each time do not use up
/// their attempts together with it.
macro_rules! take_back {
    ($now:literal, $whose:literal) => {
        concat!(
            "UPDATE event SET failed_attempts = failed_attempts + 1, lease_owner = NULL, lease_until = NULL, \
            reason = 'this program broke off while it worked on this event', \
            state = CASE WHEN firm IN (SELECT firm FROM parking) THEN 'parked' WHEN failed_attempts = 0 THEN 'ready' \
                ELSE 'retrying' END, \
            due_at = CASE failed_attempts WHEN 0 THEN due_at WHEN 1 THEN ", $now, " + 1000 WHEN 2 THEN ", $now,
            " + 3000 WHEN 3 THEN ", $now, " + 9000 WHEN 4 THEN ", $now, " + 27000 ELSE ", $now,
            " + 81000 END WHERE state = 'running' AND ", $whose, " RETURNING person"
        )
    };
}
pub(in crate::store) use take_back;

/// What is sealed once under each key that a store has used, so that a missing or exchanged key is noticed at the start
/// and not with the first event.
const SEAL_CHECK: &[u8] = b"casebridge seal check 1";

/// Where the check of a key lives.
fn seal_check_place(key_id: &str) -> Place<'_> {
    Place { table: "seal_check", column: "sealed", row: key_id }
}

/// Opens what each key that was used sealed; the check to add, if the active key has none yet.
fn check_seals(
    keyring: &Keyring,
    known: &[(String, Vec<u8>)],
) -> Result<Option<(String, Vec<u8>)>, CannotOpen> {
    for (key_id, sealed) in known {
        if keyring.open(seal_check_place(key_id), sealed)? != SEAL_CHECK {
            return Err(CannotOpen::Mismatch);
        }
    }
    let active = keyring.active();
    let is_known = known.iter().any(|(key_id, _)| key_id == active);
    Ok((!is_known).then(|| (active.to_owned(), keyring.seal(seal_check_place(active), SEAL_CHECK))))
}

/// What the bridge asks of a database.
#[async_trait]
pub trait Store:
    Access
    + Alerts
    + ApiTokens
    + Credentials
    + Figures
    + HandOffs
    + Hooks
    + Keeping
    + Mappings
    + People
    + Quotas
    + Review
    + Rules
    + Secrets
    + Sweeps
    + Send
    + Sync
{
    // Receiving.

    /// Commits a webhook to disk, or finds that it came before. When this returns, it is safe.
    async fn record(&self, arrival: Arrival) -> Result<Recorded, StoreError>;

    // Working.

    /// Leases due events within this room, each the head of its lane, the longest due first and no firm before its
    /// share. Leases that ran out are taken over.
    async fn claim(
        &self,
        worker: &str,
        room: &ClaimRoom,
        lease: SignedDuration,
    ) -> Result<Vec<Claim>, StoreError>;
    /// Ends an event's turn and promotes the next of its lane. A lost lease changes nothing.
    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<Settled, StoreError>;
    /// Moves an event to the lane of the person this record belongs to, if that is another lane than its own.
    async fn rejoin(&self, lease: &Lease, owner: &RecordRef) -> Result<Rejoined, StoreError>;
    /// Gives up the leases of a worker that is gone, as if they had run out: their turns never ended, which counts as
    /// an attempt, so that an event that brings the program down does not do so for ever.
    async fn release(&self, worker: &str) -> Result<u64, StoreError>;
    /// Returns when another process has made an event due: a hint, which may be missed or come for nothing. Never, where
    /// only one process may serve the store.
    async fn rung(&self) {
        std::future::pending().await
    }
    /// When the next event is due, if any waits.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    // Links and effects.

    /// The links in which any of these records takes part, oldest first.
    async fn links_of(&self, firm: &FirmId, records: &[RecordRef]) -> Result<Vec<Link>, StoreError>;
    /// Remembers links and bases without a call, merging the lanes of people who turn out to be one.
    async fn save_links(&self, lease: &Lease, changes: Vec<LinkChange>) -> Result<Settled, StoreError>;
    /// Writes down what is about to be sent, unless it was carried out before or a rival is about to. From here on a
    /// create may have been carried out, until its failure is written down as [`EffectFailure::NotDone`].
    async fn begin_effect(&self, lease: &Lease, key: &EffectKey, intent: Intent)
    -> Result<Begun, StoreError>;
    /// Writes down that it was carried out, the record that came of it, and what is linked now; all at once.
    /// No call, if it was found to have been carried out by an earlier one.
    async fn complete_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        result: Option<RecordRef>,
        links: Vec<LinkChange>,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError>;
    /// Writes down a call that failed, and what is known of the effect.
    async fn fail_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        failure: EffectFailure,
        call: CallRecord,
    ) -> Result<Settled, StoreError>;
    /// Counts a look at the vendor that did not find an ambiguous effect.
    async fn note_look(&self, lease: &Lease, key: &EffectKey) -> Result<(), StoreError>;
    /// Writes down that an ambiguous create, which was looked for and is certain not to have been carried out, is about
    /// to be sent again.
    async fn send_again(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError>;
    /// Lets the links know what earlier turns of this event sent to update a person, and never heard whether it arrived.
    async fn recall(&self, lease: &Lease) -> Result<(), StoreError>;
    /// Whether one of our own calls created this record.
    async fn is_ours(&self, firm: &FirmId, record: &RecordRef) -> Result<bool, StoreError>;
    /// Which of these effects have been carried out.
    async fn completed(&self, firm: &FirmId, keys: &[EffectKey]) -> Result<BTreeSet<EffectKey>, StoreError>;
    /// How many of these effects were carried out after this moment.
    async fn completed_since(
        &self,
        firm: &FirmId,
        keys: &[EffectKey],
        since: Timestamp,
    ) -> Result<usize, StoreError>;

    // Parking.

    /// Keeps a firm's events without working on them, as a person asks.
    async fn pause(&self, firm: &FirmId, why: &str) -> Result<(), StoreError>;
    /// Lets a firm's parked events go on, in order; how many those were. `None` if the firm is not parked.
    async fn resume(&self, firm: &FirmId) -> Result<Option<u64>, StoreError>;
    /// Lets one event of each firm whose time it is go ahead, to see whether the connection works again.
    async fn probe(&self) -> Result<u64, StoreError>;
    /// The firms that are parked.
    async fn parkings(&self) -> Result<Vec<Parking>, StoreError>;

    // People asking.

    /// Events, the newest first.
    async fn events(&self, filter: EventFilter) -> Result<Vec<EventRow>, StoreError>;
    /// One event's whole story.
    async fn event(&self, id: EventId) -> Result<Option<EventStory>, StoreError>;
    /// One event's bytes as they arrived, while they are kept.
    async fn payload(&self, id: EventId) -> Result<Option<Vec<u8>>, StoreError>;
    /// What was given up, by firm and cause.
    async fn causes(&self) -> Result<Vec<CauseRow>, StoreError>;
    /// Says anew whose a settled event is, what it is and what it is about: a configuration or a build may know by now.
    async fn readdress(&self, id: EventId, address: Address) -> Result<(), StoreError>;
    /// Puts a settled event at the tail of its lane. `None` if there is none, `false` if it is not settled.
    async fn replay(&self, id: EventId) -> Result<Option<bool>, StoreError>;
    /// Settles an undelivered event as needing no effect. `None` if there is none, `false` if it is not undelivered.
    async fn discard(&self, id: EventId, why: &str) -> Result<Option<bool>, StoreError>;
    /// How many events are in each state.
    async fn counts(&self) -> Result<LaneState, StoreError>;
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
