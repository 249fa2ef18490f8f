//! Hand-overs, which are passed through but for the moment after the carrier's answer.

use async_trait::async_trait;
use casebridge::domain::{EffectKey, FirmId, RecordRef};
use casebridge::store::{CallRecord, Confirmed, HandOff, HandOffs, HandOver, Lease, Settled, StoreError};

use super::{Doomed, Point};

#[async_trait]
impl HandOffs for Doomed {
    async fn hand_over(
        &self,
        lease: &Lease,
        key: &EffectKey,
        hand_over: HandOver,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError> {
        self.stop_at(Point::AfterAnswer, Some(key)).await;
        self.inner.hand_over(lease, key, hand_over, call).await
    }

    async fn hand_off(&self, firm: &FirmId, key: &EffectKey) -> Result<Option<HandOff>, StoreError> {
        self.inner.hand_off(firm, key).await
    }

    async fn confirm(
        &self,
        firm: &FirmId,
        key: &EffectKey,
        record: Option<RecordRef>,
    ) -> Result<Confirmed, StoreError> {
        self.inner.confirm(firm, key, record).await
    }

    async fn wake_overdue(&self) -> Result<u64, StoreError> {
        self.inner.wake_overdue().await
    }

    async fn withdraw(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError> {
        self.inner.withdraw(lease, key).await
    }
}
