//! What goes into the store and comes out of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Said;
use crate::crypto::CannotOpen;
use crate::domain::{
    Base, CallClass, Cause, EventId, EventState, Fields, FirmId, Link, Outcome, ParkCause, RecordRef,
    ReviewId, System,
};
use crate::telemetry::TraceId;

/// A verified webhook on its way into the store.
#[derive(Clone)]
pub struct Arrival {
    /// The id it gets if it is new.
    pub id: EventId,
    /// Whose it is.
    pub firm: FirmId,
    /// Who sent it.
    pub source: System,
    /// The sender's name for what happened.
    pub kind: String,
    /// What makes a repeat of it recognisable.
    pub delivery_key: DeliveryKey,
    /// The records it names: first what it is about.
    pub records: Vec<RecordRef>,
    /// How the sender was proven.
    pub proof: &'static str,
    /// The bytes as they arrived.
    pub payload: bytes::Bytes,
    /// When the sender says it happened.
    pub sent_at: Option<Timestamp>,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Whether it tells of a change whose like may be settled together: only the newest state matters.
    pub is_update: bool,
    /// Why it cannot be worked on: it is then kept as undelivered.
    pub undeliverable: Option<(Cause, String)>,
    /// The trace its sender gave.
    pub trace: Option<TraceId>,
}

/// Whose an event is, what it is and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Whose it is.
    pub firm: FirmId,
    /// The sender's name for what happened.
    pub kind: String,
    /// The records it names: first what it is about.
    pub records: Vec<RecordRef>,
    /// Whether its like may be settled together.
    pub is_update: bool,
}

/// What makes a repeat of a delivery recognisable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryKey {
    /// The sender's own id: a repeat is a duplicate for ever.
    Sender(String),
    /// A keyed hash of the body, where the sender gives no id: a repeat is a duplicate only within
    /// [`DeliveryKey::REPEAT_WINDOW`], and only while nothing else arrived for that person (A→B→A is three changes).
    Body([u8; 32]),
}

impl DeliveryKey {
    /// How long an identical body without an id counts as a repeat.
    pub const REPEAT_WINDOW: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is safe.
    Stored(EventId),
    /// It was safe already, under this id.
    Duplicate(EventId),
}

/// The right to work on an event until a time. A claim by another ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which event.
    pub event: EventId,
    /// Whose it is.
    pub firm: FirmId,
    /// Which of its claims this is.
    pub claim: i64,
}

/// An event that is being worked on.
#[derive(Clone)]
pub struct Claim {
    /// The right to do so.
    pub lease: Lease,
    /// Who sent it.
    pub source: System,
    /// The sender's name for what happened.
    pub kind: String,
    /// The bytes as they arrived; or why they cannot be opened, which must not keep the others from being worked on.
    pub payload: Result<Vec<u8>, CannotOpen>,
    /// How many attempts failed before.
    pub failed_attempts: u32,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Everything up to here had been received when it was claimed.
    pub horizon: i64,
    /// The trace it is part of.
    pub trace: TraceId,
}

/// How many events may be claimed, and of whom.
#[derive(Debug, Clone, Default)]
pub struct ClaimRoom {
    /// Altogether.
    pub total: usize,
    /// Of one firm, counting those that are being worked on.
    pub per_firm: usize,
    /// How many of each firm are being worked on.
    pub busy: BTreeMap<FirmId, usize>,
}

/// How an event's turn ended.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// How.
    pub outcome: Outcome,
    /// What was planned, for the record.
    pub plan: Option<PlanRecord>,
    /// Calls that were made to read.
    pub reads: Vec<CallRecord>,
    /// Settle with it the waiting updates of the same record that had been received by this horizon: what they tell
    /// of was read already.
    pub supersedes: Option<i64>,
}

/// A plan as it is kept: words that name no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanRecord {
    /// Each command with its reason.
    pub commands: Vec<PlannedRecord>,
    /// Why nothing, or not everything, was done.
    pub remarks: Vec<String>,
}

/// A command as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedRecord {
    /// What to do.
    pub command: String,
    /// What it achieves; none for what is only remembered.
    pub effect_key: Option<String>,
    /// Why.
    pub reason: String,
}

/// Whether a write was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was.
    Yes,
    /// The lease had been lost to another worker: nothing was written.
    LeaseLost,
}

/// What became of moving an event to another lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejoined {
    /// It is in the right lane.
    AlreadyThere,
    /// It was given up and waits in the right lane for its turn.
    Moved,
    /// The lease had been lost to another worker.
    LeaseLost,
}

/// A change of links.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkChange {
    /// Two records are the same thing; if they are linked already, the base takes over what is new.
    Link(Link),
    /// What both sides agree on now. A link that is not there is not made.
    Agree {
        /// The record in HighLevel.
        highlevel: RecordRef,
        /// The record in CASEpeer.
        casepeer: RecordRef,
        /// What they agree on.
        base: Base,
    },
}

/// A request that is about to be sent.
#[derive(Clone)]
pub struct Intent {
    /// The operation.
    pub operation: &'static str,
    /// The exact body.
    pub body: Vec<u8>,
    /// Whether a retry resends the body that was written down first. Otherwise the newer one replaces it.
    pub is_create: bool,
    /// The same for every attempt.
    pub idempotency_key: String,
    /// Blind keys of the person it creates: while one create holds them, a rival's waits.
    pub match_keys: Vec<[u8; 32]>,
    /// What the body says of a person.
    pub said: Said,
}

/// What is known of a create that may or may not have been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ambiguity {
    /// When the intent was written down: nothing older can be its work.
    pub begun_at: Timestamp,
    /// When its answer stayed away.
    pub since: Timestamp,
    /// How often the vendor has been looked at for it.
    pub looks: u32,
}

/// How an attempt to carry an effect out failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectFailure {
    /// The vendor refused it: the intent is withdrawn, so that a corrected one may take its place.
    Refused,
    /// It was not carried out; the same bytes are sent again.
    NotDone,
    /// It may have been carried out.
    Unknown,
}

/// What [`super::Store::begin_effect`] found.
#[derive(Clone, PartialEq, Eq)]
pub enum Begun {
    /// Send this body under this key.
    Send {
        /// The exact body.
        body: Vec<u8>,
        /// The same for every attempt.
        idempotency_key: String,
        /// What is known if an earlier attempt may have been carried out.
        ambiguity: Option<Ambiguity>,
        /// What the body says of a person.
        fields: Fields,
    },
    /// Another create of the same person is under way.
    Rival,
    /// It was carried out before, with this result.
    AlreadyDone(Option<RecordRef>),
    /// The lease had been lost to another worker.
    LeaseLost,
}

/// The record of one API call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallRecord {
    /// The operation's id.
    pub operation: String,
    /// Method and path; no query, which may name a person.
    pub target: String,
    /// What it was to achieve; none for a read.
    pub effect_key: Option<String>,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// How it went.
    #[schema(value_type = String, example = "ok")]
    pub class: CallClass,
    /// When it was sent, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What was made of a failure, in words that name no person.
    pub detail: Option<String>,
}

/// How many events were given up for a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CauseRow {
    /// Whose.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// Why.
    #[schema(value_type = String, example = "rejected")]
    pub cause: Cause,
    /// How many.
    pub events: u64,
    /// When the oldest was received, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub oldest: Timestamp,
}

/// A firm whose events are kept and not worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Parking {
    /// Which firm.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// Why.
    #[schema(value_type = String, example = "credentials")]
    pub cause: ParkCause,
    /// Which connection; none if a person paused the firm.
    #[schema(value_type = Option<String>, example = "highlevel")]
    pub system: Option<System>,
    /// What happened.
    pub reason: String,
    /// Since when, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it is tried again; never by itself if a person paused the firm.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub probe_at: Option<Timestamp>,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventRow {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: EventId,
    /// Whose it is; empty if no firm is known.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// Who sent it.
    #[schema(value_type = String, example = "highlevel")]
    pub source: System,
    /// The sender's name for what happened.
    #[serde(rename = "type")]
    #[schema(example = "ContactCreate")]
    pub kind: String,
    /// Where it stands.
    #[schema(value_type = String, example = "done")]
    pub state: EventState,
    /// Why it stands there.
    pub reason: Option<String>,
    /// When it arrived, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
}

/// An event's whole story.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventStory {
    /// The event as in a list.
    #[serde(flatten)]
    pub row: EventRow,
    /// How the sender was proven.
    pub verified_by: String,
    /// The records it names.
    #[schema(value_type = Vec<String>, example = json!(["highlevel:contact:nmFmQEsNgz6AVpgLVUJ0"]))]
    pub records: Vec<String>,
    /// When the sender says it happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// When it is due next, if it is not settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// When it was settled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
    /// Why it was given up, if it was.
    #[schema(value_type = Option<String>, example = "rejected")]
    pub cause: Option<Cause>,
    /// How many attempts failed.
    pub failed_attempts: u32,
    /// What was planned last.
    pub plan: Option<PlanRecord>,
    /// The calls that were made, in order.
    pub calls: Vec<CallRecord>,
    /// The questions it waits, or waited, for a person's answer to.
    #[schema(value_type = Vec<String>)]
    pub reviews: Vec<ReviewId>,
}
