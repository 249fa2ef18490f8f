//! Hooks pass.

use async_trait::async_trait;
use casebridge::store::{Hook, HookTarget, Hooks, NewHook, StoreError};
use jiff::Timestamp;

use super::Doomed;

#[async_trait]
impl Hooks for Doomed {
    async fn hooks_changed(&self) -> Result<u64, StoreError> {
        self.inner.hooks_changed().await
    }

    async fn add_hook(&self, hook: NewHook) -> Result<(), StoreError> {
        self.inner.add_hook(hook).await
    }

    async fn hooks(&self) -> Result<Vec<Hook>, StoreError> {
        self.inner.hooks().await
    }

    async fn retarget_hook(&self, id: &str, target: &HookTarget) -> Result<bool, StoreError> {
        self.inner.retarget_hook(id, target).await
    }

    async fn remove_hook(&self, id: &str, token: &str) -> Result<bool, StoreError> {
        self.inner.remove_hook(id, token).await
    }

    async fn note_delivery(&self, id: &str, is_delivered: bool) -> Result<Option<Timestamp>, StoreError> {
        self.inner.note_delivery(id, is_delivered).await
    }

    async fn end_hook(&self, id: &str, why: &str) -> Result<(), StoreError> {
        self.inner.end_hook(id, why).await
    }
}
