//! Mappings pass.

use async_trait::async_trait;
use casebridge::domain::FirmId;
use casebridge::store::{MappingRow, Mappings, StoreError};

use super::Doomed;

#[async_trait]
impl Mappings for Doomed {
    async fn mappings_changed(&self) -> Result<u64, StoreError> {
        self.inner.mappings_changed().await
    }

    async fn mappings(&self) -> Result<Vec<MappingRow>, StoreError> {
        self.inner.mappings().await
    }

    async fn mapping_versions(&self, firm: &FirmId) -> Result<Vec<MappingRow>, StoreError> {
        self.inner.mapping_versions(firm).await
    }

    async fn save_mapping(
        &self,
        firm: &FirmId,
        json: Option<&str>,
        from: u32,
        by: &str,
    ) -> Result<Option<u32>, StoreError> {
        self.inner.save_mapping(firm, json, from, by).await
    }
}
