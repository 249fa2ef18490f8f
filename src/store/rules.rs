//! Rules in the store: every version of each, which one is in force, what ran by which, and what they may still write.
//!
//! A version is never changed. A run is pinned to the version it began with: whatever is saved meanwhile, an event that
//! is tried again goes on by the steps it began with.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Lease, Settled, StoreError};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, FirmId};

/// Rules in the store.
#[async_trait]
pub trait Rules: Send + Sync {
    /// A number that grows whenever a rule is saved, switched or removed, whoever does it.
    async fn rules_changed(&self) -> Result<u64, StoreError>;
    /// The version in force of each rule, by id.
    async fn rules(&self) -> Result<Vec<RuleRow>, StoreError>;
    /// Every version of a rule, the newest first.
    async fn rule_versions(&self, id: &str) -> Result<Vec<RuleVersion>, StoreError>;
    /// One version, as JSON; also of a rule that was removed, for what began by it.
    async fn rule_version(&self, id: &str, version: u32) -> Result<Option<String>, StoreError>;
    /// Saves a rule as JSON, made from this version; none makes a new rule, which is off. What differs in nothing is
    /// no new version.
    async fn save_rule(
        &self,
        id: &str,
        json: &str,
        from: Option<u32>,
        by: &str,
    ) -> Result<RuleSaved, StoreError>;
    /// Switches a rule on or off; false if there is none.
    async fn switch_rule(&self, id: &str, is_on: bool) -> Result<bool, StoreError>;
    /// Removes a rule; false if there is none. What began by it ends by it.
    async fn remove_rule(&self, id: &str) -> Result<bool, StoreError>;
    /// Writes down by which versions of which rules an event's turn runs, unless that is written down already.
    async fn begin_runs(&self, lease: &Lease, runs: Vec<RuleRun>) -> Result<Settled, StoreError>;
    /// By which versions an event ran.
    async fn runs_of(&self, event: EventId) -> Result<Vec<RuleRun>, StoreError>;
    /// For which events a rule ran last, the newest first, at most so many; at these firms only, or at all.
    async fn last_runs(
        &self,
        rule: &str,
        within: Option<&[FirmId]>,
        most: usize,
    ) -> Result<Vec<RanOnce>, StoreError>;
    /// How often a rule ran for this record since then.
    async fn count_runs(
        &self,
        firm: &FirmId,
        rule: &str,
        subject: &str,
        since: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Takes one write out of what a rule may still do for a firm; false if nothing is left. What was counted before
    /// `since` does not count any more.
    async fn spend_write(
        &self,
        firm: &FirmId,
        rule: &str,
        most: u32,
        since: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// A rule in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RuleRow {
    /// Its short name.
    #[schema(example = "signed-tag")]
    pub id: String,
    /// Its newest version.
    pub version: u32,
    /// Whether it is on.
    pub is_on: bool,
    /// When this version was saved, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub saved_at: Timestamp,
    /// By whom.
    pub saved_by: String,
    /// The rule as JSON.
    #[schema(value_type = Object)]
    pub json: String,
}

/// A version of a rule in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RuleVersion {
    /// Which.
    pub version: u32,
    /// When it was saved, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub saved_at: Timestamp,
    /// By whom.
    pub saved_by: String,
}

/// What became of saving a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleSaved {
    /// It is this version.
    As(u32),
    /// This version says the same.
    Same(u32),
    /// Somebody saved another version meanwhile, or the rule is there already, or is gone.
    Changed,
}

/// That a rule ran for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRun {
    /// Which rule.
    pub rule: String,
    /// By which version.
    pub version: u32,
    /// The record it ran for; empty if the event names none.
    pub subject: String,
}

/// A run of a rule, as a list of them has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RanOnce {
    /// For which event.
    pub event: EventId,
    /// At which firm.
    pub firm: FirmId,
    /// By which version.
    pub version: u32,
    /// When it began.
    pub begun_at: Timestamp,
}

/// What a version's row is called.
pub(super) fn version_name(id: &str, version: u32) -> String {
    format!("{id}@{version}")
}

fn place(name: &str) -> Place<'_> {
    Place { table: "rule_version", column: "sealed_rule", row: name }
}

pub(super) fn seal(keyring: &Keyring, name: &str, json: &str) -> Vec<u8> {
    keyring.seal(place(name), json.as_bytes())
}

pub(super) fn open(keyring: &Keyring, name: &str, sealed: &[u8]) -> Result<String, StoreError> {
    let plain = keyring.open(place(name), sealed)?;
    String::from_utf8(plain).map_err(|_| StoreError::Corrupt("a rule is no text".into()))
}
