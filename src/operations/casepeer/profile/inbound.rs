//! `[inbound]` and `[events]`: how the account's webhooks are proven, and what they mean.

use serde::Deserialize;

/// `[inbound]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {}

/// `[events]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {}
