//! What a carrier took over and has not confirmed yet.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{CallRecord, Lease, Settled, StoreError};
use crate::crypto::Place;
use crate::domain::{Base, EffectKey, FirmId, Outcome, RecordKind, RecordRef};

/// Hand-overs: a carrier that accepts a call, such as a Zap, only says later, in a webhook of its own, whether it was
/// carried out. Until then the effect is open, its event is `handed_off`, and nothing sends it a second time.
#[async_trait]
pub trait HandOffs: Send + Sync {
    /// Writes down that a carrier has, or may have, taken an effect over. The call is none if it is not known how it
    /// went, as after a crash.
    async fn hand_over(
        &self,
        lease: &Lease,
        key: &EffectKey,
        hand_over: HandOver,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError>;
    /// An effect's hand-over that waits for its confirmation.
    async fn hand_off(&self, firm: &FirmId, key: &EffectKey) -> Result<Option<HandOff>, StoreError>;
    /// Completes a hand-over: its effect is carried out, the record is linked, and the events that wait for it are done
    /// or, where they have more to do, due again.
    async fn confirm(
        &self,
        firm: &FirmId,
        key: &EffectKey,
        record: Option<RecordRef>,
    ) -> Result<Confirmed, StoreError>;
    /// Has events whose hand-over is overdue meet it again, each once; how many.
    async fn wake_overdue(&self) -> Result<u64, StoreError>;
    /// Forgets a hand-over that a person says came to nothing, so that it may be sent again.
    async fn withdraw(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError>;
}

/// A hand-over to write down.
#[derive(Debug, Clone)]
pub struct HandOver {
    /// What the record that comes of it is the counterpart of.
    pub original: Option<RecordRef>,
    /// The kind of record that comes of it.
    pub makes: Option<RecordKind>,
    /// What both sides agree on once it is confirmed.
    pub base: Base,
    /// Whether its event has more to do once it is confirmed.
    pub has_rest: bool,
    /// How long it may take until a person is asked.
    pub within: SignedDuration,
}

/// A hand-over that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandOff {
    /// Since when.
    pub handed_at: Timestamp,
    /// Whether it should have been confirmed by now.
    pub is_overdue: bool,
}

/// What became of a confirmation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// The hand-over is confirmed.
    Yes,
    /// It was carried out before, with this result.
    Before(Option<RecordRef>),
    /// The effect is under way, and its hand-over is not written down yet.
    TooEarly,
    /// The record is of a kind that cannot come of it.
    OtherKind,
    /// There is no such effect.
    Unknown,
}

impl HandOver {
    /// Whether a record of this kind may come of what makes that one. CASEpeer may call a lead a case.
    pub(super) fn may_make(makes: Option<&str>, kind: RecordKind) -> bool {
        let is_matter = |kind: &str| kind == RecordKind::Lead.as_str() || kind == RecordKind::Case.as_str();
        makes.is_none_or(|makes| makes == kind.as_str() || (is_matter(makes) && is_matter(kind.as_str())))
    }
}

/// Where a hand-over's base lives.
pub(super) fn place(row: &str) -> Place<'_> {
    Place { table: "hand_off", column: "sealed_base", row }
}

pub(super) fn row_name(firm: &str, key: &EffectKey) -> String {
    format!("{firm}\0{key}")
}

/// What a turn ends with that meant to wait for a hand-over which is confirmed, withdrawn or overdue by now: nobody would
/// wake its event any more, so it goes on at once and meets what there is.
pub(super) fn no_longer_waits() -> Outcome {
    let why = "what it was to wait for has come meanwhile".into();
    Outcome::RetryIn { pause: SignedDuration::ZERO, why, counts: false }
}

/// The reason of an event that waited for this confirmation.
pub(super) fn reason(record: Option<&RecordRef>) -> String {
    match record {
        Some(record) => format!("confirmed: {record}"),
        None => "confirmed without an id".into(),
    }
}
