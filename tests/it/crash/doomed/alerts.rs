//! What people are told of, which is passed through.

use async_trait::async_trait;
use casebridge::domain::EventId;
use casebridge::store::{Alert, Alerts, BacklogRow, Notice, Raised, StoreError};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Doomed;

#[async_trait]
impl Alerts for Doomed {
    async fn raise(&self, alert: &Raised, channels: &[&str], tell_at: Timestamp) -> Result<bool, StoreError> {
        self.inner.raise(alert, channels, tell_at).await
    }

    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.inner.open_alerts().await
    }

    async fn end_alert(&self, id: Uuid, tell_at: Timestamp) -> Result<bool, StoreError> {
        self.inner.end_alert(id, tell_at).await
    }

    async fn take_notices(
        &self,
        owner: &str,
        lease: SignedDuration,
        most: usize,
    ) -> Result<Vec<Notice>, StoreError> {
        self.inner.take_notices(owner, lease, most).await
    }

    async fn told(&self, notice: &Notice) -> Result<(), StoreError> {
        self.inner.told(notice).await
    }

    async fn tell_later(&self, notice: &Notice, pause: SignedDuration) -> Result<(), StoreError> {
        self.inner.tell_later(notice, pause).await
    }

    async fn backlog(&self) -> Result<Vec<BacklogRow>, StoreError> {
        self.inner.backlog().await
    }

    async fn forget(&self, event: EventId) -> Result<bool, StoreError> {
        self.inner.forget(event).await
    }
}
