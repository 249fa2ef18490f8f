//! `[crypto]`.

use serde::Deserialize;

use super::SecretKey;
use crate::crypto::{InvalidKeys, Keyring};

/// Keys that seal what is kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CryptoConfig {
    /// The first one seals, any opens.
    pub keys: Vec<KeyConfig>,
}

/// One key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Its name, stored beside what it seals.
    pub id: String,
    /// 32 bytes in base64: `casebridge secrets new key`.
    pub secret: SecretKey,
}

impl CryptoConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.keyring() {
            Ok(_) | Err(InvalidKeys::None) => Ok(()),
            Err(wrong) => Err(wrong.to_string()),
        }
    }

    /// The keys, ready for use.
    pub fn keyring(&self) -> Result<Keyring, InvalidKeys> {
        Keyring::new(self.keys.iter().map(|key| (key.id.clone(), key.secret.bytes())))
    }
}
