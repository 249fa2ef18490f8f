//! Counting and finding, which are passed through.

use async_trait::async_trait;
use casebridge::store::{
    ActivityFilter, ActivityRow, Figures, HourSpan, PipelineFilter, PipelineRow, StoreError,
};

use super::Doomed;

#[async_trait]
impl Figures for Doomed {
    async fn hours_to_count(&self, most: usize) -> Result<Vec<HourSpan>, StoreError> {
        self.inner.hours_to_count(most).await
    }

    async fn count_hour(&self, hour: HourSpan) -> Result<(), StoreError> {
        self.inner.count_hour(hour).await
    }

    async fn activity(&self, filter: ActivityFilter) -> Result<Vec<ActivityRow>, StoreError> {
        self.inner.activity(filter).await
    }

    async fn pipeline(&self, filter: PipelineFilter) -> Result<Vec<PipelineRow>, StoreError> {
        self.inner.pipeline(filter).await
    }

    async fn index_events(&self, most: usize) -> Result<usize, StoreError> {
        self.inner.index_events(most).await
    }
}
