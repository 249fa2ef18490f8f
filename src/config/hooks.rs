//! `[hooks]`.

use serde::Deserialize;

/// Where hooks may deliver besides public addresses.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HooksConfig {
    /// Addresses whose hosts are reached as they are written, loopback and unencrypted ones included.
    pub allowed: Vec<String>,
}
