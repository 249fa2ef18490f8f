//! How old the secrets in use are.

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Bridge;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::store::StoreError;

/// How old a secret may be before a person is asked to renew it: what HighLevel advises for its tokens
/// (help.gohighlevel.com, "Private Integrations").
pub const RENEW_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A secret that is in use, without the secret.
#[derive(Debug, Clone)]
pub struct SecretInUse {
    reference: String,
    origin: Option<String>,
    until: Option<Timestamp>,
    fingerprint: [u8; 32],
}

/// How a secret stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct SecretAge {
    /// Its key in the configuration; firms and keys by id.
    #[schema(example = "firms.acme.highlevel.token")]
    pub reference: String,
    /// The variable or file it was read from.
    #[schema(example = "variable ACME_HIGHLEVEL_TOKEN")]
    pub origin: Option<String>,
    /// Since when this installation has known it, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// Whole days since then.
    pub age_days: i64,
    /// Whether it is older than 90 days.
    pub is_due: bool,
    /// Until when it is accepted, if it ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl SecretInUse {
    /// Those of a configuration.
    pub fn all(config: &Config, keyring: &Keyring) -> Vec<Self> {
        let in_use = |named: crate::config::NamedSecret<'_>| Self {
            origin: named.secret.origin().map(str::to_owned),
            until: named.secret.until(),
            fingerprint: keyring.fingerprint("secret", named.secret.reveal().as_bytes()),
            reference: named.reference,
        };
        config.secrets().into_iter().map(in_use).collect()
    }
}

impl Bridge {
    /// How old each secret is that is in use. A new one is known from now on.
    pub async fn secret_ages(&self) -> Result<Vec<SecretAge>, StoreError> {
        let secrets = Arc::clone(&self.secrets.read().unwrap_or_else(PoisonError::into_inner));
        let asked: Vec<_> =
            secrets.iter().map(|secret| (secret.reference.clone(), secret.fingerprint)).collect();
        let first_seen = self.store.first_seen(&asked).await?;
        let now = self.clock.now();
        let age = |(secret, first_seen): (&SecretInUse, Timestamp)| {
            let age = now.duration_since(first_seen);
            SecretAge {
                reference: secret.reference.clone(),
                origin: secret.origin.clone(),
                first_seen,
                age_days: age.as_hours().max(0) / 24,
                is_due: age >= RENEW_AFTER,
                until: secret.until,
            }
        };
        Ok(secrets.iter().zip(first_seen).map(age).collect())
    }
}
