//! A store that comes to a stop at a chosen point, as if the program had been killed, or frozen, there.

mod access;
mod alerts;
mod api_tokens;
mod figures;
mod hand_offs;
mod hooks;
mod keeping;
mod mappings;
mod people;
mod review;
mod rules;
mod sweeps;
mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use casebridge::domain::{EffectKey, EventId, FirmId, Link, RecordRef, System};
use casebridge::store::{
    Address, Arrival, Begun, Block, CallRecord, CallsAsked, CauseRow, Claim, ClaimRoom, Cursor,
    EffectFailure, EventFilter, EventRow, EventStory, Intent, LaneState, Lease, LinkChange, Parking, Quota,
    Quotas, Recorded, Rejoined, Resealed, SealedPlace, Secrets, Settled, Settlement, SharedStore, Store,
    StoreError,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::PATIENCE;

/// Where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Before the intent is written down.
    BeforeIntent,
    /// The intent is on disk, the request has not left.
    BeforeSend,
    /// The vendor has done it and answered, and nobody has written that down.
    AfterAnswer,
    /// The effect is written down, the event is not settled.
    BeforeSettle,
    /// The event is settled, and the worker does not know.
    AfterSettle,
    /// The right to renew a token is ours, and nothing has been asked.
    AfterLease,
    /// HighLevel has answered with new tokens, and they are not on disk.
    BeforeTokens,
    /// They are on disk, and nobody has used them.
    AfterTokens,
}

impl Point {
    /// Those of an effect.
    pub const ALL: [Self; 5] =
        [Self::BeforeIntent, Self::BeforeSend, Self::AfterAnswer, Self::BeforeSettle, Self::AfterSettle];
}

/// A store that stops once it has reached the point of the effect whose key begins so.
pub struct Doomed {
    inner: SharedStore,
    point: Point,
    effect: &'static str,
    reached: Notify,
    thawed: Notify,
    has_stopped: AtomicBool,
}

impl Doomed {
    pub fn new(inner: SharedStore, point: Point, effect: &'static str) -> Arc<Self> {
        Arc::new(Self {
            inner,
            point,
            effect,
            reached: Notify::new(),
            thawed: Notify::new(),
            has_stopped: AtomicBool::new(false),
        })
    }

    /// Resolves at the point.
    pub async fn reached(&self) {
        let reached = tokio::time::timeout(PATIENCE, self.reached.notified()).await;
        assert!(reached.is_ok(), "nobody came to {:?} of {}", self.point, self.effect);
    }

    /// Lets it go on, where it had only been frozen.
    pub fn thaw(&self) {
        self.thawed.notify_one();
    }

    async fn stop_at(&self, point: Point, key: Option<&EffectKey>) {
        if self.point == point && key.is_none_or(|key| key.0.starts_with(self.effect)) {
            if self.has_stopped.swap(true, Ordering::SeqCst) {
                return;
            }
            self.reached.notify_one();
            self.thawed.notified().await;
        }
    }
}

#[async_trait]
impl Quotas for Doomed {
    async fn lease_calls(&self, firm: &FirmId, system: System, ask: CallsAsked) -> Result<Block, StoreError> {
        self.inner.lease_calls(firm, system, ask).await
    }

    async fn quotas(&self) -> Result<Vec<Quota>, StoreError> {
        self.inner.quotas().await
    }
}

#[async_trait]
impl Secrets for Doomed {
    async fn first_seen(&self, secrets: &[(String, [u8; 32])]) -> Result<Vec<Timestamp>, StoreError> {
        self.inner.first_seen(secrets).await
    }

    async fn sealed_by(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.inner.sealed_by().await
    }

    async fn reseal(
        &self,
        place: SealedPlace,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Resealed, StoreError> {
        self.inner.reseal(place, after, most).await
    }

    async fn forget_keys(&self) -> Result<Vec<String>, StoreError> {
        self.inner.forget_keys().await
    }
}

#[async_trait]
impl Store for Doomed {
    async fn begin_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        intent: Intent,
    ) -> Result<Begun, StoreError> {
        self.stop_at(Point::BeforeIntent, Some(key)).await;
        let begun = self.inner.begin_effect(lease, key, intent).await;
        self.stop_at(Point::BeforeSend, Some(key)).await;
        begun
    }

    async fn complete_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        result: Option<RecordRef>,
        links: Vec<LinkChange>,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError> {
        self.stop_at(Point::AfterAnswer, Some(key)).await;
        self.inner.complete_effect(lease, key, result, links, call).await
    }

    async fn settle(&self, lease: &Lease, settlement: Settlement) -> Result<Settled, StoreError> {
        self.stop_at(Point::BeforeSettle, None).await;
        let settled = self.inner.settle(lease, settlement).await;
        self.stop_at(Point::AfterSettle, None).await;
        settled
    }

    async fn send_again(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError> {
        self.inner.send_again(lease, key).await
    }

    async fn record(&self, arrival: Arrival) -> Result<Recorded, StoreError> {
        self.inner.record(arrival).await
    }

    async fn claim(
        &self,
        worker: &str,
        room: &ClaimRoom,
        lease: SignedDuration,
    ) -> Result<Vec<Claim>, StoreError> {
        self.inner.claim(worker, room, lease).await
    }

    async fn rejoin(&self, lease: &Lease, owner: &RecordRef) -> Result<Rejoined, StoreError> {
        self.inner.rejoin(lease, owner).await
    }

    async fn release(&self, worker: &str) -> Result<u64, StoreError> {
        self.inner.release(worker).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due().await
    }

    async fn links_of(&self, firm: &FirmId, records: &[RecordRef]) -> Result<Vec<Link>, StoreError> {
        self.inner.links_of(firm, records).await
    }

    async fn save_links(&self, lease: &Lease, changes: Vec<LinkChange>) -> Result<Settled, StoreError> {
        self.inner.save_links(lease, changes).await
    }

    async fn fail_effect(
        &self,
        lease: &Lease,
        key: &EffectKey,
        failure: EffectFailure,
        call: CallRecord,
    ) -> Result<Settled, StoreError> {
        self.inner.fail_effect(lease, key, failure, call).await
    }

    async fn note_look(&self, lease: &Lease, key: &EffectKey) -> Result<(), StoreError> {
        self.inner.note_look(lease, key).await
    }

    async fn recall(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.recall(lease).await
    }

    async fn is_ours(&self, firm: &FirmId, record: &RecordRef) -> Result<bool, StoreError> {
        self.inner.is_ours(firm, record).await
    }

    async fn completed_since(
        &self,
        firm: &FirmId,
        keys: &[EffectKey],
        since: Timestamp,
    ) -> Result<usize, StoreError> {
        self.inner.completed_since(firm, keys, since).await
    }
    async fn completed(&self, firm: &FirmId, keys: &[EffectKey]) -> Result<BTreeSet<EffectKey>, StoreError> {
        self.inner.completed(firm, keys).await
    }

    async fn pause(&self, firm: &FirmId, why: &str) -> Result<(), StoreError> {
        self.inner.pause(firm, why).await
    }

    async fn resume(&self, firm: &FirmId) -> Result<Option<u64>, StoreError> {
        self.inner.resume(firm).await
    }

    async fn probe(&self) -> Result<u64, StoreError> {
        self.inner.probe().await
    }

    async fn parkings(&self) -> Result<Vec<Parking>, StoreError> {
        self.inner.parkings().await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<EventRow>, StoreError> {
        self.inner.events(filter).await
    }

    async fn event(&self, id: EventId) -> Result<Option<EventStory>, StoreError> {
        self.inner.event(id).await
    }

    async fn payload(&self, id: EventId) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.payload(id).await
    }

    async fn causes(&self) -> Result<Vec<CauseRow>, StoreError> {
        self.inner.causes().await
    }

    async fn readdress(&self, id: EventId, address: Address) -> Result<(), StoreError> {
        self.inner.readdress(id, address).await
    }

    async fn replay(&self, id: EventId) -> Result<Option<bool>, StoreError> {
        self.inner.replay(id).await
    }

    async fn discard(&self, id: EventId, why: &str) -> Result<Option<bool>, StoreError> {
        self.inner.discard(id, why).await
    }

    async fn counts(&self) -> Result<LaneState, StoreError> {
        self.inner.counts().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
