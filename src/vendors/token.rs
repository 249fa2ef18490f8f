//! Tokens that calls carry, and where they come from.

use std::sync::Arc;

use async_trait::async_trait;

use super::Failure;
use crate::config::Secret;
use crate::operations::highlevel::scopes::is_granted;

/// A token to call with.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The token.
    pub token: Secret,
    /// The scopes that were granted with it; none where nobody knows, as with a private integration's.
    pub scopes: Option<Arc<[String]>>,
}

impl Granted {
    /// Whether a scope was granted, as far as it is known.
    pub fn allows(&self, scope: &str) -> bool {
        self.scopes.as_deref().is_none_or(|scopes| is_granted(scopes, scope))
    }
}

/// Gives out the token of the moment.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The token to call with.
    async fn token(&self) -> Result<Granted, Failure>;
    /// Another one than those that the vendor refused to this call, the last of them just now; none if there is none.
    async fn instead_of(&self, refused: &[Secret]) -> Result<Option<Granted>, Failure>;
    /// How many calls of the vendor it has made for tokens since this was last asked.
    fn take_calls(&self) -> u64 {
        0
    }
    /// What a person does to have a missing scope granted.
    fn how_to_grant(&self, scope: &str) -> String;
    /// What a person does when the vendor takes no token any more.
    fn how_to_renew(&self) -> String;
}
