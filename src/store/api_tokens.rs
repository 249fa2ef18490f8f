//! Tokens for programs, by their digests, and what was answered to the calls they asked for.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Digest, Lease, Settled, StoreError};
use crate::crypto::{Keyring, Place};
use crate::domain::EventId;

/// Tokens and answers in the store.
#[async_trait]
pub trait ApiTokens: Send + Sync {
    /// Keeps a token's digest and what it is good for.
    async fn add_token(&self, token: NewToken) -> Result<(), StoreError>;
    /// Every token, the oldest first.
    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError>;
    /// The token with this digest, unless it was revoked.
    async fn token_by(&self, digest: Digest) -> Result<Option<ApiToken>, StoreError>;
    /// Ends a token; false if there is none, or it has ended.
    async fn revoke_token(&self, id: &str) -> Result<bool, StoreError>;
    /// Keeps what was answered to the call that an event asks for.
    async fn save_answer(&self, lease: &Lease, answer: ActionAnswer) -> Result<Settled, StoreError>;
    /// What was answered to the call that an event asks for, while it is kept.
    async fn answer(&self, event: EventId) -> Result<Option<ActionAnswer>, StoreError>;
}

/// A token on its way into the store.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its public name, which is no secret.
    pub id: String,
    /// What it is for, in words.
    pub name: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// The firms it is good for; none means every firm.
    pub firms: Vec<String>,
    /// The actions it is good for: ids, or their beginnings as `contacts.*`.
    pub actions: Vec<String>,
    /// Who made it.
    pub by: String,
}

/// A token, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its public name.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The firms it is good for; none means every firm.
    pub firms: Vec<String>,
    /// The actions it is good for: ids, or their beginnings as `contacts.*`.
    pub actions: Vec<String>,
    /// When it was made, RFC 3339.
    pub made_at: Timestamp,
    /// By whom.
    pub made_by: String,
    /// When it ended, if it has.
    pub revoked_at: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it is good for this action.
    pub fn may_call(&self, action: &str) -> bool {
        self.actions.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => action.starts_with(beginning),
            None => known == action,
        })
    }

    /// Whether it is good for this firm.
    pub fn is_for(&self, firm: &str) -> bool {
        self.firms.is_empty() || self.firms.iter().any(|known| known == firm)
    }
}

/// What came of a call that a program asked for.
#[derive(Clone, PartialEq)]
pub struct ActionAnswer {
    /// The vendor's status; none if nothing was sent.
    pub status: Option<u16>,
    /// Why it was refused; none if it was carried out.
    pub why: Option<String>,
    /// The vendor's body.
    pub body: Value,
}

impl std::fmt::Debug for ActionAnswer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body names people.
        write!(out, "ActionAnswer({:?}, {:?})", self.status, self.why)
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "action_answer", column: "sealed_answer", row }
}

pub(super) fn seal(keyring: &Keyring, event: EventId, body: &Value) -> Vec<u8> {
    keyring.seal(place(&event.to_string()), body.to_string().as_bytes())
}

pub(super) fn open(keyring: &Keyring, event: EventId, sealed: &[u8]) -> Result<Value, StoreError> {
    let plain = keyring.open(place(&event.to_string()), sealed)?;
    serde_json::from_slice(&plain).map_err(super::corrupt)
}

/// A list as its column holds it.
pub(super) fn list(items: &[String]) -> String {
    serde_json::to_string(items).expect("texts are JSON")
}

pub(super) fn read_list(text: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(text).map_err(super::corrupt)
}
