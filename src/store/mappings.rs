//! What was settled in the console about a firm's sync: versions, of which the newest is in force. A version is never
//! changed. A firm that has none, or whose newest says so, is synced as the configuration has it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::crypto::{Keyring, Place};
use crate::domain::FirmId;

/// Mappings in the store.
#[async_trait]
pub trait Mappings: Send + Sync {
    /// A number that grows whenever a mapping is saved, whoever does it.
    async fn mappings_changed(&self) -> Result<u64, StoreError>;
    /// The newest version of each firm that has one.
    async fn mappings(&self) -> Result<Vec<MappingRow>, StoreError>;
    /// Every version of a firm, the newest first.
    async fn mapping_versions(&self, firm: &FirmId) -> Result<Vec<MappingRow>, StoreError>;
    /// Saves a mapping as JSON, made from this version (0: the first); none to go by the configuration again. Its
    /// version, or nothing if somebody saved another one meanwhile.
    async fn save_mapping(
        &self,
        firm: &FirmId,
        json: Option<&str>,
        from: u32,
        by: &str,
    ) -> Result<Option<u32>, StoreError>;
}

/// A version of a firm's mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingRow {
    /// Whose.
    pub firm: FirmId,
    /// Which, from 1 on.
    pub version: u32,
    /// The mapping as JSON; none: as the configuration has it.
    pub json: Option<String>,
    /// Since when.
    pub saved_at: Timestamp,
    /// By whom.
    pub saved_by: String,
}

/// What a version's row is called.
pub(super) fn version_name(firm: &FirmId, version: u32) -> String {
    format!("{firm}@{version}")
}

fn place(name: &str) -> Place<'_> {
    Place { table: "mapping", column: "sealed_sync", row: name }
}

pub(super) fn seal(keyring: &Keyring, name: &str, json: &str) -> Vec<u8> {
    keyring.seal(place(name), json.as_bytes())
}

pub(super) fn open(keyring: &Keyring, name: &str, sealed: &[u8]) -> Result<String, StoreError> {
    let plain = keyring.open(place(name), sealed)?;
    String::from_utf8(plain).map_err(|_| StoreError::Corrupt("a mapping is no text".into()))
}
