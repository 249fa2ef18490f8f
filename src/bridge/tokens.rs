//! Tokens with which programs call actions: made once, shown once, kept as digests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Bridge, NotDone};
use crate::config::Secret;
use crate::crypto::random_key;
use crate::domain::{Actor, Deed, FirmId};
use crate::operations::catalog::{self, Kind, nearest_entry};
use crate::store::{AuditEntry, NewToken, SharedStore, StoreError};

/// What every token begins with, so that one that got lost is recognised.
pub const TOKEN_START: &str = "cbt_";
/// What a token for subscriptions is good for, in place of an action.
pub const HOOKS: &str = "hooks";
/// The longest name, in bytes.
const LONGEST_NAME: usize = 200;

/// What a new token is to be good for.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    /// What it is for, in words.
    pub name: String,
    /// The firms; none means every firm.
    pub firms: Vec<String>,
    /// The actions: ids, beginnings such as `contacts.*`, or [`HOOKS`].
    pub actions: Vec<String>,
}

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CannotMakeToken {
    /// It has no name, or too long a one.
    #[error("say in a few words what the token is for")]
    Name,
    /// There is no such firm.
    #[error("there is no firm `{0}`")]
    Firm(String),
    /// It would be good for nothing.
    #[error("say what the token is good for: an action, or the beginning of some, such as `contacts.*`")]
    Nothing,
    /// There is no such action; one that is called nearly so.
    #[error("no action is called `{0}`")]
    Action(String, Option<&'static str>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CannotMakeToken> for NotDone {
    fn from(why: CannotMakeToken) -> Self {
        match why {
            CannotMakeToken::Store(error) => Self::Store(error),
            CannotMakeToken::Action(_, Some(guess)) => {
                Self::Invalid(format!("{why}: did you mean `{guess}`?"))
            }
            other => Self::Invalid(format!("{other}.")),
        }
    }
}

fn is_action(id: &str) -> bool {
    if id == HOOKS {
        return true;
    }
    let mut all = catalog::all().iter().filter(|entry| entry.kind == Kind::Action);
    match id.strip_suffix('*') {
        Some(beginning) => all.any(|entry| entry.id.starts_with(beginning)),
        None => all.any(|entry| entry.id == id),
    }
}

/// Makes a token; its id, and the token itself, which is kept nowhere.
pub async fn make_token(
    store: &SharedStore,
    known: &[FirmId],
    grant: TokenGrant,
    by: &str,
) -> Result<(String, Secret), CannotMakeToken> {
    let TokenGrant { name, firms, actions } = grant;
    if name.trim().is_empty() || name.len() > LONGEST_NAME {
        return Err(CannotMakeToken::Name);
    }
    if let Some(unknown) = firms.iter().find(|id| known.iter().all(|firm| firm.as_str() != *id)) {
        return Err(CannotMakeToken::Firm(unknown.clone()));
    }
    if actions.is_empty() {
        return Err(CannotMakeToken::Nothing);
    }
    if let Some(unknown) = actions.iter().find(|id| !is_action(id)) {
        return Err(CannotMakeToken::Action(unknown.clone(), nearest_entry(unknown)));
    }
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(&random_key()[..]));
    let token = Zeroizing::new(format!("{TOKEN_START}{}", *secret));
    let digest = Sha256::digest(token.as_bytes()).into();
    let id = hex::encode(&random_key()[..6]);
    store.add_token(NewToken { id: id.clone(), name, digest, firms, actions, by: by.to_owned() }).await?;
    Ok((id, Secret::new(token.as_str())))
}

impl Bridge {
    /// Makes a token as somebody who governs asks.
    pub async fn make_token_as(&self, actor: &Actor, grant: TokenGrant) -> Result<(String, Secret), NotDone> {
        let known: Vec<FirmId> = self.firms.iter().map(|firm| firm.id.clone()).collect();
        let (what, name) = (grant.actions.join(" "), grant.name.clone());
        let (id, token) = make_token(&self.store, &known, grant, &actor.name).await?;
        let deed = AuditEntry::new(&actor.name, Deed::TokenMade).about(format!("{id}, {name}: {what}"));
        self.store.note_deed(deed).await?;
        Ok((id, token))
    }

    /// Ends a token, at once and on every instance.
    pub async fn revoke_token_as(&self, actor: &Actor, id: &str) -> Result<(), NotDone> {
        if !self.store.revoke_token(id).await? {
            return Err(NotDone::Conflict("There is no such token, or it has ended already.".into()));
        }
        Ok(self.store.note_deed(AuditEntry::new(&actor.name, Deed::TokenRevoked).about(id)).await?)
    }
}
