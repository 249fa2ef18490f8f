//! Connections that a person gave in the browser, to HighLevel or to a CASEpeer account: made, kept alive, and told of when
//! they end.
//!
//! HighLevel's access tokens last a day and a refresh token is good for one use. So a token is renewed ahead of its end, by one
//! task of one process at a time (`renew`), and the new one is on disk before it is used. A crash after HighLevel's
//! answer and before that commit loses nothing: for 30 s HighLevel gives the same answer to the same refresh token, the
//! lease of the process that is gone ends earlier, and after that `/oauth/reconnect` gives a new beginning. No standard
//! promises such a second chance: with another vendor such a crash may mean that a person connects the account again.
//!
//! `journey` and `connect` are the way through the browser, `installs` what HighLevel tells of the app's installations,
//! `pasted` private tokens that need no app.

mod connect;
mod installs;
mod journey;
mod not_connected;
mod pasted;
mod renew;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

pub use self::connect::{Connected, Return};
pub use self::journey::{Begun, LINK_LIFE};
pub use self::not_connected::NotConnected;
pub(super) use self::pasted::PastedOrConfigured;
use self::renew::NotRenewed;
use super::{Bridge, Firm};
use crate::clock::SharedClock;
use crate::config::Secret;
use crate::crypto::Keyring;
use crate::domain::{FirmId, System};
use crate::operations::highlevel::scopes;
use crate::store::{Credential, Holder, SharedStore};
use crate::vendors::casepeer::AccountClient;
use crate::vendors::highlevel::OAuthClient;
use crate::vendors::{Failure, Granted, OwnAddress, Surface, TokenSource};

/// How long before its end a token of HighLevel's is renewed.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// A token this close to its end may be over when it arrives.
const LAST_USE: SignedDuration = SignedDuration::from_secs(60);
/// When a renewal is tried again that failed while the present token is still good: within the 30 s in which HighLevel
/// repeats an answer that was lost.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// How long a failed try answers for all who ask: when HighLevel is away, those who wait must not each wait for it.
const FAILURE_SERVES: SignedDuration = SignedDuration::from_secs(1);
/// How many tokens one call may try: the present one, and a new one.
const MOST_TOKENS: usize = 2;

/// All connections of this process.
pub struct Connections {
    /// The Marketplace app, if there is one.
    app: Option<OAuthClient>,
    /// The accounts that are connected in the browser, by firm. A changed configuration replaces them.
    accounts: RwLock<Accounts>,
    own: Option<OwnAddress>,
    store: SharedStore,
    clock: SharedClock,
    keyring: Arc<Keyring>,
    /// What this process's renewals are leased under.
    instance: String,
    /// Each lock is held while its token is renewed, so that one renewal serves all who wait.
    present: Mutex<HashMap<Holder, Slot>>,
    /// The private tokens that were pasted, as far as they are known.
    pasted: RwLock<HashMap<Holder, pasted::Known>>,
}

type Slot = Arc<Mutex<Held>>;

/// Accounts by firm.
pub(super) type Accounts = HashMap<FirmId, (Holder, Arc<AccountClient>)>;

/// What is known of one connection's token.
#[derive(Default)]
struct Held {
    present: Option<Present>,
    /// What came of the last try, for those who waited for it.
    failed: Option<(Timestamp, NotRenewed)>,
}

/// The token of the moment.
struct Present {
    granted: Granted,
    revision: u64,
    renew_at: Timestamp,
}

impl Present {
    fn of(credential: &Credential, renew_at: Timestamp) -> Self {
        Self {
            granted: Granted {
                token: credential.access.clone(),
                scopes: Some(credential.row.scopes.clone().into())
                    .filter(|scopes: &Arc<[_]>| !scopes.is_empty()),
            },
            revision: credential.row.revision,
            renew_at,
        }
    }
}

fn is_usable(credential: &Credential, now: Timestamp) -> bool {
    credential.row.expires_at.saturating_sub(LAST_USE).is_ok_and(|end| now < end)
}

impl Connections {
    pub(super) fn new(
        app: Option<OAuthClient>,
        own: Option<OwnAddress>,
        store: SharedStore,
        clock: SharedClock,
        keyring: Arc<Keyring>,
    ) -> Self {
        let instance = uuid::Uuid::now_v7().to_string();
        let (accounts, present, pasted) = (RwLock::default(), Mutex::default(), RwLock::default());
        Self { app, accounts, own, store, clock, keyring, instance, present, pasted }
    }

    /// Whether there is a Marketplace app.
    pub fn has_app(&self) -> bool {
        self.app.is_some()
    }

    /// The bridge's own address with this path.
    pub fn own_url(&self, surface: Surface, rest: &str) -> String {
        match &self.own {
            Some(own) => own.url(surface, rest),
            None => format!("{}{rest}", surface.path()),
        }
    }

    /// Whether the browser reaches the bridge by TLS.
    pub fn is_secure(&self) -> bool {
        self.own.as_ref().is_some_and(OwnAddress::is_secure)
    }

    fn app(&self) -> Result<&OAuthClient, NotRenewed> {
        self.app.as_ref().ok_or(NotRenewed::NotConnected)
    }

    fn is_app(&self, id: &str) -> bool {
        self.app.as_ref().is_some_and(|app| app.app_id() == id)
    }

    /// Replaces the accounts by those of another configuration.
    pub(super) fn set_accounts(&self, accounts: Accounts) {
        *self.accounts.write().unwrap_or_else(PoisonError::into_inner) = accounts;
    }

    /// The account of a firm, if it is connected in the browser.
    fn account_of(&self, firm: &FirmId) -> Option<(Holder, Arc<AccountClient>)> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(firm).cloned()
    }

    fn client(&self, holder: &Holder) -> Option<Arc<AccountClient>> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts.values().find(|(known, _)| known == holder).map(|(_, client)| Arc::clone(client))
    }

    /// When a token is renewed: ahead of its end, and before its refresh token ends for want of use.
    fn renew_at(&self, credential: &Credential) -> Timestamp {
        let (row, client) = (&credential.row, self.client(&credential.holder));
        let ahead = client.as_ref().map_or(AHEAD, |client| client.ahead());
        // A token that lives shorter than it is renewed ahead would be renewed at every call.
        let ahead = ahead.min(row.expires_at.duration_since(row.renewed_at).abs() / 2);
        let at = row.expires_at.saturating_sub(ahead).unwrap_or(Timestamp::MIN);
        let keep_alive =
            client.filter(|_| credential.refresh.is_some()).and_then(|client| client.keep_alive());
        match keep_alive {
            Some(span) => at.min(row.renewed_at.saturating_add(span).unwrap_or(Timestamp::MAX)),
            None => at,
        }
    }

    /// Whether it is neither due nor refused.
    fn is_fresh(&self, credential: &Credential, now: Timestamp) -> bool {
        credential.row.refused_at.is_none() && now < self.renew_at(credential)
    }

    async fn slot(&self, holder: &Holder) -> Slot {
        Arc::clone(self.present.lock().await.entry(holder.clone()).or_default())
    }

    /// Forgets what is known of a token, so that the store is asked.
    async fn forget(&self, holder: &Holder) {
        *self.slot(holder).await.lock().await = Held::default();
    }

    /// The token to call with.
    async fn token(&self, holder: &Holder) -> Result<Granted, NotRenewed> {
        let slot = self.slot(holder).await;
        let mut held = slot.lock().await;
        if let Some(known) = held.present.as_ref()
            && self.clock.now() < known.renew_at
        {
            return Ok(known.granted.clone());
        }
        self.bring_up_to_date(holder, &mut held, None).await
    }

    /// Another token than the one that was refused.
    async fn instead_of(&self, holder: &Holder, refused: &Secret) -> Result<Granted, NotRenewed> {
        let slot = self.slot(holder).await;
        let mut held = slot.lock().await;
        match held.present.as_ref() {
            // Renewed while the refusal was on its way.
            Some(known) if known.granted.token.reveal() != refused.reveal() => Ok(known.granted.clone()),
            Some(known) => {
                let refused = Some(known.revision);
                self.bring_up_to_date(holder, &mut held, refused).await
            }
            None => {
                let stored = self.store.credential(holder).await?;
                let stored = stored.filter(|stored| stored.access.reveal() == refused.reveal());
                let refused = stored.map(|stored| stored.row.revision);
                self.bring_up_to_date(holder, &mut held, refused).await
            }
        }
    }

    /// Asks the vendor for a new token, whatever the present one is worth.
    async fn renew_now(&self, holder: &Holder) -> Result<Granted, NotRenewed> {
        let slot = self.slot(holder).await;
        let mut held = slot.lock().await;
        held.failed = None;
        let stored = self.store.credential(holder).await?;
        self.bring_up_to_date(holder, &mut held, stored.map(|stored| stored.row.revision)).await
    }

    async fn bring_up_to_date(
        &self,
        holder: &Holder,
        held: &mut Held,
        refused: Option<u64>,
    ) -> Result<Granted, NotRenewed> {
        let now = self.clock.now();
        if let Some((at, why)) = &held.failed
            && now.duration_since(*at).abs() < FAILURE_SERVES
        {
            return Err(why.clone());
        }
        let result = self.ask(holder, &mut held.present, refused).await;
        held.failed = result.as_ref().err().map(|why| (self.clock.now(), why.clone()));
        result
    }

    async fn ask(
        &self,
        holder: &Holder,
        present: &mut Option<Present>,
        refused: Option<u64>,
    ) -> Result<Granted, NotRenewed> {
        let Some(stored) = self.store.credential(holder).await? else {
            *present = None;
            return Err(NotRenewed::NotConnected);
        };
        let now = self.clock.now();
        let present_of = |credential: &Credential| Present::of(credential, self.renew_at(credential));
        let again = now.saturating_add(AGAIN).unwrap_or(Timestamp::MAX);
        let renewed = if refused != Some(stored.row.revision) && self.is_fresh(&stored, now) {
            // By another process, or before this one started.
            present_of(&stored)
        } else {
            match self.renew(holder, refused).await {
                Ok(credential) => {
                    // Not renewed yet, by whoever is at it: it is looked at again soon.
                    Present::of(&credential, self.renew_at(&credential).max(again))
                }
                Err(why) if why.may_pass() && refused.is_none() && is_usable(&stored, now) => {
                    tracing::warn!(%holder, "a token could not be renewed yet: {why}");
                    Present::of(&stored, again)
                }
                Err(why) => {
                    *present = None;
                    return Err(why);
                }
            }
        };
        let granted = renewed.granted.clone();
        *present = Some(renewed);
        Ok(granted)
    }
}

/// The tokens of one firm's location or account.
pub(super) struct FirmTokens {
    pub(super) connections: Arc<Connections>,
    pub(super) firm: FirmId,
    pub(super) holder: Holder,
}

impl FirmTokens {
    fn explain(&self, why: NotRenewed) -> Failure {
        why.into_failure(self.holder.system(), &self.how_to_renew())
    }
}

#[async_trait]
impl TokenSource for FirmTokens {
    async fn token(&self) -> Result<Granted, Failure> {
        self.connections.token(&self.holder).await.map_err(|why| self.explain(why))
    }

    async fn instead_of(&self, refused: &[Secret]) -> Result<Option<Granted>, Failure> {
        let Some(last) = refused.last() else { return self.token().await.map(Some) };
        if refused.len() >= MOST_TOKENS {
            // A new one that is refused too is no matter of age.
            return Ok(None);
        }
        let other = self.connections.instead_of(&self.holder, last).await;
        let other = other.map_err(|why| self.explain(why))?;
        let is_new = refused.iter().all(|one| one.reveal() != other.token.reveal());
        Ok(is_new.then_some(other))
    }

    fn how_to_grant(&self, scope: &str) -> String {
        format!("{} {}`", scopes::how_to_grant(scope).trim_end_matches('`'), self.firm)
    }

    fn how_to_renew(&self) -> String {
        let to = match self.holder.system() {
            System::HighLevel => "",
            System::CasePeer => " --casepeer",
        };
        format!("connect it with `casebridge firms connect {}{to}` and the link that prints", self.firm)
    }
}

impl Bridge {
    /// Renews what is due, so that no token ends unused while a firm is quiet: also a refresh token ends, HighLevel's after a
    /// year, others sooner.
    pub async fn keep_connections(&self) {
        for firm in self.firms.iter() {
            if firm.is_connected_by_browser
                && let Err(failure) = firm.highlevel.granted().await
            {
                tracing::warn!(firm = %firm.id, "the connection to HighLevel cannot be kept up: {failure}");
            }
            if firm.account.is_some()
                && let Err(failure) = firm.casepeer.keep_credential().await
            {
                tracing::warn!(firm = %firm.id, "the connection to CASEpeer cannot be kept up: {failure}");
            }
        }
    }

    /// The connections that are made in the browser.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// The firm that has a location, if one has.
    pub fn firm_of(&self, location: &str) -> Option<Arc<Firm>> {
        self.firms.by_location(location)
    }
}
