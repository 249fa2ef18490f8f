//! Sweeps pass.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use casebridge::domain::{FirmId, RecordRef};
use casebridge::store::{ListedPair, LossFilter, LossRow, StoreError, SweepRecord, Sweeps};
use jiff::{SignedDuration, Timestamp};

use super::Doomed;

#[async_trait]
impl Sweeps for Doomed {
    async fn sweep_mark(&self, firm: &FirmId, stream: &str) -> Result<Option<String>, StoreError> {
        self.inner.sweep_mark(firm, stream).await
    }

    async fn hold_sweep(
        &self,
        firm: &FirmId,
        name: &str,
        owner: &str,
        span: SignedDuration,
    ) -> Result<bool, StoreError> {
        self.inner.hold_sweep(firm, name, owner, span).await
    }

    async fn first_received(&self, firm: &FirmId) -> Result<Option<Timestamp>, StoreError> {
        self.inner.first_received(firm).await
    }

    async fn heard_since(
        &self,
        firm: &FirmId,
        since: Timestamp,
    ) -> Result<HashMap<RecordRef, Timestamp>, StoreError> {
        self.inner.heard_since(firm, since).await
    }

    async fn named(&self, firm: &FirmId, records: &[RecordRef]) -> Result<BTreeSet<RecordRef>, StoreError> {
        self.inner.named(firm, records).await
    }

    async fn linked_people(
        &self,
        firm: &FirmId,
        after: Option<&RecordRef>,
        most: usize,
    ) -> Result<Vec<(RecordRef, RecordRef)>, StoreError> {
        self.inner.linked_people(firm, after, most).await
    }

    async fn count_linked_people(&self, firm: &FirmId) -> Result<u64, StoreError> {
        self.inner.count_linked_people(firm).await
    }

    async fn link_listed(&self, pairs: Vec<ListedPair>, since: Timestamp) -> Result<Vec<bool>, StoreError> {
        self.inner.link_listed(pairs, since).await
    }

    async fn save_sweep(&self, firm: &FirmId, found: SweepRecord) -> Result<(), StoreError> {
        self.inner.save_sweep(firm, found).await
    }

    async fn losses(&self, filter: LossFilter) -> Result<Vec<LossRow>, StoreError> {
        self.inner.losses(filter).await
    }
}
