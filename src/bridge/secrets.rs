//! How old the secrets in use are.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::{Bridge, NotDone};
use crate::config::{Config, Secret};
use crate::crypto::{Keyring, random_key};
use crate::domain::{Actor, Deed};
use crate::store::{AuditEntry, CredentialRow, Holder, SealedPlace, SharedStore, StoreError};

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
    /// The variable or file it was read from, or that it was pasted in the console.
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

/// A new secret that webhooks are signed with: 32 bytes in hexadecimal. It is kept nowhere.
pub fn webhook_secret() -> Secret {
    Secret::new(hex::encode(&random_key()[..]))
}

/// Values that are sealed anew in one transaction: some milliseconds, in which the service waits to write.
const STEP: usize = 100;

/// What came of sealing anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealing {
    /// How many values.
    pub values: u64,
    /// The keys with which nothing is sealed any more.
    pub forgotten: Vec<String>,
}

/// Seals every stored value anew with the active key, while the service runs. May be broken off at any time and goes on
/// where it was. Whoever reads the store must know that key. `told` hears how many are done, and whether that is all.
pub async fn reseal(
    store: &SharedStore,
    mut told: impl FnMut(u64, bool) + Send,
) -> Result<Resealing, StoreError> {
    let mut values = 0;
    for (at, place) in SealedPlace::ALL.into_iter().enumerate() {
        let mut next = None;
        loop {
            let step = store.reseal(place, next, STEP).await?;
            values += step.values;
            next = step.next;
            told(values, next.is_none() && at + 1 == SealedPlace::ALL.len());
            if next.is_none() {
                break;
            }
        }
    }
    Ok(Resealing { values, forgotten: store.forget_keys().await? })
}

impl Bridge {
    /// The key that seals, and how many stored values are sealed with others.
    pub async fn sealed_by_others(&self) -> Result<(String, Vec<(String, u64)>), StoreError> {
        let active = self.keyring.active().to_owned();
        let mut others = self.store.sealed_by().await?;
        others.retain(|(id, values)| *id != active && *values > 0);
        Ok((active, others))
    }

    /// Seals everything anew with the active key, beside the work, as somebody who governs asks. One run at a time.
    pub async fn reseal_as(self: &Arc<Self>, actor: &Actor) -> Result<(), NotDone> {
        if self.is_resealing.swap(true, Ordering::Relaxed) {
            return Err(NotDone::Conflict("It is under way already.".into()));
        }
        let deed = AuditEntry::new(&actor.name, Deed::Resealed).about(self.keyring.active());
        if let Err(error) = self.store.note_deed(deed).await {
            self.is_resealing.store(false, Ordering::Relaxed);
            return Err(error.into());
        }
        let bridge = Arc::clone(self);
        tokio::spawn(async move {
            match reseal(&bridge.store, |_, _| {}).await {
                Ok(done) => tracing::info!(values = done.values, "what is stored was sealed anew"),
                Err(error) => tracing::error!("what is stored could not be sealed anew: {error}"),
            }
            bridge.is_resealing.store(false, Ordering::Relaxed);
        });
        Ok(())
    }

    /// Whether that is under way in this process.
    pub fn is_resealing(&self) -> bool {
        self.is_resealing.load(Ordering::Relaxed)
    }

    /// Since when each is known. That does not change, so that the store is asked, and written to, for new ones alone:
    /// the console's first page asks at every look.
    async fn first_seen(&self, asked: &[(String, [u8; 32])]) -> Result<Vec<Timestamp>, StoreError> {
        let known = |one| self.first_seen.read().unwrap_or_else(PoisonError::into_inner).get(one).copied();
        let new: Vec<_> = asked.iter().filter(|one| known(one).is_none()).cloned().collect();
        if !new.is_empty() {
            let told = self.store.first_seen(&new).await?;
            self.first_seen.write().unwrap_or_else(PoisonError::into_inner).extend(new.into_iter().zip(told));
        }
        let seen = self.first_seen.read().unwrap_or_else(PoisonError::into_inner);
        Ok(asked.iter().map(|one| seen[one]).collect())
    }

    /// How old each private token is that was pasted in the console.
    async fn pasted_ages(&self) -> Result<Vec<SecretAge>, StoreError> {
        let (rows, now) = (self.store.credentials().await?, self.clock.now());
        let of_firm = |row: CredentialRow| {
            let Holder::Private(location) = &row.holder else { return None };
            let firm = self.firm_of(location).filter(|firm| !firm.is_connected_by_browser)?;
            let age = now.duration_since(row.renewed_at);
            Some(SecretAge {
                reference: format!("firms.{}.highlevel.token", firm.id),
                origin: Some("pasted in the console".into()),
                first_seen: row.renewed_at,
                age_days: age.as_hours().max(0) / 24,
                is_due: age >= RENEW_AFTER,
                until: None,
            })
        };
        Ok(rows.into_iter().filter_map(of_firm).collect())
    }

    /// How old each secret is that is in use. A new one is known from now on.
    pub async fn secret_ages(&self) -> Result<Vec<SecretAge>, StoreError> {
        let secrets = Arc::clone(&self.secrets.read().unwrap_or_else(PoisonError::into_inner));
        let asked: Vec<_> =
            secrets.iter().map(|secret| (secret.reference.clone(), secret.fingerprint)).collect();
        let first_seen = self.first_seen(&asked).await?;
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
        let mut ages: Vec<SecretAge> = secrets.iter().zip(first_seen).map(age).collect();
        ages.extend(self.pasted_ages().await?);
        Ok(ages)
    }
}
