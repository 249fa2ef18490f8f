//! Hooks in the store: who is told of what happens.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::crypto::{Keyring, Place};

/// Hooks in the store.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// A number that grows whenever a hook is made or ends, whoever does it.
    async fn hooks_changed(&self) -> Result<u64, StoreError>;
    /// Makes a hook.
    async fn add_hook(&self, hook: NewHook) -> Result<(), StoreError>;
    /// Every hook that has not been removed, the oldest first; those that ended by themselves, too.
    async fn hooks(&self) -> Result<Vec<Hook>, StoreError>;
    /// Exchanges a hook's address and secrets; false if there is none.
    async fn retarget_hook(&self, id: &str, target: &HookTarget) -> Result<bool, StoreError>;
    /// Removes a hook that was made with this token; false if there is none.
    async fn remove_hook(&self, id: &str, token: &str) -> Result<bool, StoreError>;
    /// Writes down whether a delivery succeeded; since when none has.
    async fn note_delivery(&self, id: &str, is_delivered: bool) -> Result<Option<Timestamp>, StoreError>;
    /// Ends a hook that nobody listens at any more.
    async fn end_hook(&self, id: &str, why: &str) -> Result<(), StoreError>;
}

/// A hook on its way into the store.
#[derive(Debug, Clone)]
pub struct NewHook {
    /// Its id.
    pub id: String,
    /// Whose events.
    pub firm: String,
    /// Which of them: a trigger of the catalog.
    pub trigger: String,
    /// The public name of the token it was made with.
    pub token: String,
    /// Where to.
    pub target: HookTarget,
}

/// A hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Its id.
    pub id: String,
    /// Whose events.
    pub firm: String,
    /// Which of them.
    pub trigger: String,
    /// The public name of the token it was made with.
    pub token: String,
    /// Where to.
    pub target: HookTarget,
    /// When it was made.
    pub made_at: Timestamp,
    /// Since when no delivery has succeeded, if the last did not.
    pub failing_since: Option<Timestamp>,
    /// When it ended by itself, and why.
    pub ended: Option<(Timestamp, String)>,
}

/// Where a hook delivers, and what its deliveries are signed with.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct HookTarget {
    /// The address, which may be a secret itself.
    pub url: String,
    /// The secret, as the Standard Webhooks scheme writes it.
    pub secret: String,
    /// The secret before it, and until when deliveries are signed with it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<(String, Timestamp)>,
}

impl std::fmt::Debug for HookTarget {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("HookTarget")
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "hook", column: "sealed_target", row }
}

pub(super) fn seal(keyring: &Keyring, id: &str, target: &HookTarget) -> Vec<u8> {
    keyring.seal(place(id), &serde_json::to_vec(target).expect("a target is JSON"))
}

pub(super) fn open(keyring: &Keyring, id: &str, sealed: &[u8]) -> Result<HookTarget, StoreError> {
    serde_json::from_slice(&keyring.open(place(id), sealed)?).map_err(super::corrupt)
}
