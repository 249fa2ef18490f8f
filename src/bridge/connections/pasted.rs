//! Private integration tokens that a person pasted in the console: tried before they are kept, kept sealed and never shown
//! again, and used before those of the configuration. When HighLevel refuses the pasted one, calls turn to the
//! configuration's, so that old and new may live together during a rotation wherever each of them is.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::Connections;
use super::renew::{NotRenewed, WITHOUT_END};
use crate::bridge::desk::NotDone;
use crate::bridge::trial::ask_highlevel;
use crate::bridge::{Bridge, Firm};
use crate::config::Secret;
use crate::domain::{Actor, Deed, FirmId, Role, System};
use crate::store::{AuditEntry, Holder, StoreError, Tokens};
use crate::vendors::highlevel::PrivateTokens;
use crate::vendors::{Failure, Granted, TokenSource};

/// How long it is believed that no other process keeps another token, or none.
const BELIEVED: SignedDuration = SignedDuration::from_mins(1);
/// The longest token, in bytes: HighLevel's have 40.
const LONGEST: usize = 1_024;

/// A token that was pasted, as it is known in this process.
#[derive(Clone)]
struct Pasted {
    token: Secret,
    revision: u64,
    is_refused: bool,
}

/// What is known of a location, and since when.
pub(super) struct Known {
    read_at: Timestamp,
    pasted: Option<Pasted>,
}

impl Connections {
    /// The token that was pasted for a location; `anew` asks the store, whatever is known.
    async fn pasted(&self, holder: &Holder, anew: bool) -> Result<Option<Pasted>, StoreError> {
        if let Some(believed) = self.believed(holder).filter(|_| !anew) {
            return Ok(believed);
        }
        let now = self.clock.now();
        let stored = self.store.credential(holder).await?;
        let pasted = stored.map(|stored| Pasted {
            token: stored.access,
            revision: stored.row.revision,
            is_refused: stored.row.refused_at.is_some(),
        });
        let known = Known { read_at: now, pasted: pasted.clone() };
        self.pasted.write().unwrap_or_else(PoisonError::into_inner).insert(holder.clone(), known);
        Ok(pasted)
    }

    /// What is known of a location, if it is not too old.
    fn believed(&self, holder: &Holder) -> Option<Option<Pasted>> {
        let now = self.clock.now();
        let known = self.pasted.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(holder).filter(|known| now.duration_since(known.read_at).abs() < BELIEVED);
        known.map(|known| known.pasted.clone())
    }

    fn forget_pasted(&self, holder: &Holder) {
        self.pasted.write().unwrap_or_else(PoisonError::into_inner).remove(holder);
    }
}

/// The private tokens of one firm's location.
pub(in crate::bridge) struct PastedOrConfigured {
    pub(in crate::bridge) connections: Arc<Connections>,
    pub(in crate::bridge) holder: Holder,
    pub(in crate::bridge) configured: PrivateTokens,
    /// Whether the configuration has any.
    pub(in crate::bridge) is_configured: bool,
}

impl PastedOrConfigured {
    async fn pasted(&self, anew: bool) -> Result<Option<Pasted>, Failure> {
        let pasted = self.connections.pasted(&self.holder, anew).await;
        pasted.map_err(|error| NotRenewed::Store(error).into_failure(System::HighLevel, ""))
    }
}

fn granted(pasted: Pasted) -> Granted {
    Granted { token: pasted.token, scopes: None }
}

#[async_trait]
impl TokenSource for PastedOrConfigured {
    async fn token(&self) -> Result<Granted, Failure> {
        match self.pasted(false).await? {
            Some(pasted) if !pasted.is_refused || !self.is_configured => Ok(granted(pasted)),
            _ => self.configured.token().await,
        }
    }

    async fn instead_of(&self, refused: &[Secret]) -> Result<Option<Granted>, Failure> {
        let pasted = self.pasted(true).await?;
        let is_among = |pasted: &Pasted| refused.iter().any(|one| one.reveal() == pasted.token.reveal());
        if let Some(pasted) = pasted.as_ref().filter(|pasted| !pasted.is_refused) {
            if !is_among(pasted) {
                // Pasted while the refusal was on its way.
                return Ok(Some(granted(pasted.clone())));
            }
            let noted = self.connections.store.note_refusal(&self.holder, pasted.revision, "401").await;
            if let Err(error) = noted {
                tracing::warn!(holder = %self.holder, "that a token is refused could not be noted: {error}");
            }
            self.connections.forget_pasted(&self.holder);
        }
        let other = self.configured.instead_of(refused).await?;
        Ok(other.or_else(|| pasted.filter(|pasted| !is_among(pasted)).map(granted)))
    }

    fn how_to_grant(&self, scope: &str) -> String {
        self.configured.how_to_grant(scope)
    }

    fn how_to_renew(&self) -> String {
        self.configured.how_to_renew()
    }
}

impl Bridge {
    /// Keeps a private token that somebody pasted, if HighLevel takes it, in place of one that was pasted before; what
    /// HighLevel said to it. The firm goes on at once, if it was parked for want of a token.
    pub async fn paste_token_as(
        &self,
        actor: &Actor,
        id: &FirmId,
        token: &Secret,
    ) -> Result<String, NotDone> {
        let (firm, holder) = self.holder_of_pasted(actor, id)?;
        let text = token.reveal().trim();
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why =
                "That is no token: paste the whole of it, as HighLevel shows it once, and nothing else.";
            return Err(NotDone::Invalid(why.into()));
        }
        let token = Secret::new(text);
        let said = ask_highlevel(&firm.highlevel.with_token(&token), &firm).await;
        let said = said.map_err(|fault| {
            NotDone::Conflict(format!("It was tried and not kept: {}. To mend it: {}.", fault.why, fault.fix))
        })?;
        let tokens = Tokens { access: token, refresh: None, scopes: None, life: WITHOUT_END, company: None };
        self.store.save_tokens(&holder, &tokens, None).await?;
        self.connections.forget_pasted(&holder);
        self.store.note_deed(AuditEntry::new(&actor.name, Deed::TokenPasted).at(id)).await?;
        self.resume_after_connecting(id, System::HighLevel).await?;
        Ok(said)
    }

    /// Forgets the token that was pasted: the configuration's is used from now on, if it has one.
    pub async fn forget_token_as(&self, actor: &Actor, id: &FirmId) -> Result<(), NotDone> {
        let (_, holder) = self.holder_of_pasted(actor, id)?;
        let stored = self.store.credential(&holder).await?;
        let revision = stored.map(|stored| stored.row.revision);
        let revision = revision.ok_or_else(|| NotDone::Conflict("No token is pasted.".into()))?;
        if !self.store.drop_credential(&holder, revision).await? {
            return Err(NotDone::Conflict("Somebody pasted another one meanwhile.".into()));
        }
        self.connections.forget_pasted(&holder);
        Ok(self.store.note_deed(AuditEntry::new(&actor.name, Deed::TokenForgotten).at(id)).await?)
    }

    fn holder_of_pasted(&self, actor: &Actor, id: &FirmId) -> Result<(Arc<Firm>, Holder), NotDone> {
        self.known_firm(actor, Role::Admin, id)?;
        let firm = self.firms.find(id).ok_or(NotDone::NotThere)?;
        if firm.is_connected_by_browser {
            let why = "This firm is connected in the browser, and its tokens are renewed by themselves. For a private \
                token, take `oauth = true` out of its [firms.highlevel] first.";
            return Err(NotDone::Conflict(why.into()));
        }
        let holder = Holder::Private(firm.location.clone());
        Ok((firm, holder))
    }
}
