//! Rules pass.

use async_trait::async_trait;
use casebridge::domain::{EventId, FirmId};
use casebridge::store::{
    Lease, RanOnce, RuleRow, RuleRun, RuleSaved, RuleVersion, Rules, Settled, StoreError,
};
use jiff::Timestamp;

use super::Doomed;

#[async_trait]
impl Rules for Doomed {
    async fn rules_changed(&self) -> Result<u64, StoreError> {
        self.inner.rules_changed().await
    }

    async fn rules(&self) -> Result<Vec<RuleRow>, StoreError> {
        self.inner.rules().await
    }

    async fn rule_versions(&self, id: &str) -> Result<Vec<RuleVersion>, StoreError> {
        self.inner.rule_versions(id).await
    }

    async fn rule_version(&self, id: &str, version: u32) -> Result<Option<String>, StoreError> {
        self.inner.rule_version(id, version).await
    }

    async fn save_rule(
        &self,
        id: &str,
        json: &str,
        from: Option<u32>,
        by: &str,
    ) -> Result<RuleSaved, StoreError> {
        self.inner.save_rule(id, json, from, by).await
    }

    async fn switch_rule(&self, id: &str, is_on: bool) -> Result<bool, StoreError> {
        self.inner.switch_rule(id, is_on).await
    }

    async fn remove_rule(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.remove_rule(id).await
    }

    async fn begin_runs(&self, lease: &Lease, runs: Vec<RuleRun>) -> Result<Settled, StoreError> {
        self.inner.begin_runs(lease, runs).await
    }

    async fn runs_of(&self, event: EventId) -> Result<Vec<RuleRun>, StoreError> {
        self.inner.runs_of(event).await
    }

    async fn last_runs(
        &self,
        rule: &str,
        within: Option<&[FirmId]>,
        most: usize,
    ) -> Result<Vec<RanOnce>, StoreError> {
        self.inner.last_runs(rule, within, most).await
    }

    async fn count_runs(
        &self,
        firm: &FirmId,
        rule: &str,
        subject: &str,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        self.inner.count_runs(firm, rule, subject, since).await
    }

    async fn spend_write(
        &self,
        firm: &FirmId,
        rule: &str,
        most: u32,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.spend_write(firm, rule, most, since).await
    }
}
