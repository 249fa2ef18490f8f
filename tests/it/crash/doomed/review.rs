//! The review queue, which is passed through.

use std::collections::BTreeMap;

use async_trait::async_trait;
use casebridge::domain::{Decision, EventId, FirmId, Question, Resolution, ReviewId, ReviewKind};
use casebridge::store::{Review, ReviewFilter, ReviewRow, ReviewStory, StoreError};

use super::Doomed;

#[async_trait]
impl Review for Doomed {
    async fn open_review(
        &self,
        firm: &FirmId,
        question: Question,
        event: Option<EventId>,
    ) -> Result<ReviewId, StoreError> {
        self.inner.open_review(firm, question, event).await
    }

    async fn reviews(&self, filter: ReviewFilter) -> Result<Vec<ReviewRow>, StoreError> {
        self.inner.reviews(filter).await
    }

    async fn review(&self, id: ReviewId) -> Result<Option<ReviewStory>, StoreError> {
        self.inner.review(id).await
    }

    async fn resolve_review(
        &self,
        id: ReviewId,
        resolution: &Resolution,
        by: &str,
    ) -> Result<Option<bool>, StoreError> {
        self.inner.resolve_review(id, resolution, by).await
    }

    async fn reopen_review(&self, id: ReviewId) -> Result<Option<bool>, StoreError> {
        self.inner.reopen_review(id).await
    }

    async fn decisions(&self, firm: &FirmId, subjects: &[String]) -> Result<Vec<Decision>, StoreError> {
        self.inner.decisions(firm, subjects).await
    }

    async fn open_reviews(
        &self,
        within: Option<Vec<FirmId>>,
    ) -> Result<BTreeMap<ReviewKind, u64>, StoreError> {
        self.inner.open_reviews(within).await
    }
}
