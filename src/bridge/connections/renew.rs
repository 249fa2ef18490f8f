//! Renewing a token: one process at a time, committed before it is used.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use super::{Connections, is_usable};
use crate::config::Secret;
use crate::domain::{CallClass, System};
use crate::operations::highlevel::scopes::AGENCY_WRITE;
use crate::store::{Credential, Holder, RenewalLease, Saved, StoreError, Tokens};
use crate::vendors::highlevel::{Grant, GrantedTo};
use crate::vendors::{Failure, Granted, Issued, TokenError};

/// How long a renewal is leased. Longer than HighLevel's answer is waited for, and short enough that another process
/// gets to repeat it within the 30 s in which HighLevel repeats its answer.
const LEASE: SignedDuration = SignedDuration::from_secs(20);
/// How long another process's renewal is waited for when there is no usable token meanwhile.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often the store is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// How long a token is used whose answer does not say; what is refused earlier is renewed on the spot.
const UNSTATED_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Ten years.
pub(super) const WITHOUT_END: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// How long a vendor is not asked again after a final no: every event of a firm would ask.
const NO_COUNTS_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::bridge) enum NotRenewed {
    /// Nobody has connected it.
    #[error("it is not connected")]
    NotConnected,
    /// The vendor says no for good: the app was taken off, or its authorisation withdrawn.
    #[error("the connection is no longer accepted ({0})")]
    Refused(String),
    /// The client's own credentials are wrong.
    #[error("{0}")]
    Client(String),
    /// Not now.
    #[error("{}", .0.detail)]
    Unavailable(Failure),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotRenewed {
    /// Whether the token that is there is good on: only the vendor's final no ends it.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Store(_) | Self::Client(_))
    }

    /// The same as the failure of a call that was never made.
    pub(super) fn into_failure(self, system: System, how_to_renew: &str) -> Failure {
        let detail = format!("was not sent: {self}");
        let of = |class, detail| Failure { class, retry_after: None, detail, answer: None };
        match self {
            Self::NotConnected => of(CallClass::Unauthorised, format!("{detail}; {how_to_renew}")),
            Self::Refused(why) => {
                let vendor = system.title();
                let detail = format!(
                    "was not sent: {vendor} no longer accepts the connection ({why}); {how_to_renew}"
                );
                of(CallClass::Unauthorised, detail)
            }
            Self::Client(_) => of(CallClass::Unauthorised, detail),
            Self::Unavailable(failure) => Failure { detail, ..failure },
            Self::Store(_) => of(CallClass::Unreachable, detail),
        }
    }
}

impl NotRenewed {
    pub(super) fn by(system: System, error: TokenError) -> Self {
        let told = error.told(system);
        match (error, system) {
            (TokenError::Refused(word), _) => Self::Refused(word),
            (TokenError::Client, System::HighLevel) => {
                Self::Client(format!("{told}; see the app's Client Keys in HighLevel's Marketplace"))
            }
            (TokenError::Client, System::CasePeer) => Self::Client(told),
            (TokenError::Unavailable(failure), _) => Self::Unavailable(Failure { detail: told, ..failure }),
        }
    }
}

impl From<TokenError> for NotRenewed {
    /// Of HighLevel's endpoint.
    fn from(error: TokenError) -> Self {
        Self::by(System::HighLevel, error)
    }
}

impl Connections {
    /// A newer authorisation than the refused one: from the vendor, or from the process that is getting it.
    pub(super) async fn renew(
        &self,
        holder: &Holder,
        refused: Option<u64>,
    ) -> Result<Credential, NotRenewed> {
        let waiting_since = Instant::now();
        loop {
            let now = self.clock.now();
            match self.store.lease_renewal(holder, &self.instance, LEASE).await? {
                RenewalLease::Unknown => return Err(NotRenewed::NotConnected),
                RenewalLease::Ours(stored) => {
                    let result = self.renew_leased(&stored, refused).await;
                    // A renewal that was saved has ended its lease already; one that cannot be ended ends by itself.
                    if let Err(error) = self.store.end_renewal(holder, &self.instance).await {
                        tracing::warn!(%holder, "the lease of a renewal runs on: {error}");
                    }
                    return result;
                }
                RenewalLease::Theirs(stored)
                    if refused != Some(stored.row.revision) && is_usable(&stored, now) =>
                {
                    return Ok(*stored);
                }
                RenewalLease::Theirs(_) if waiting_since.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOOK).await;
                }
                RenewalLease::Theirs(_) => {
                    let detail = "another instance is renewing the token".to_owned();
                    return Err(NotRenewed::Unavailable(Failure {
                        class: CallClass::Unreachable,
                        retry_after: None,
                        detail,
                        answer: None,
                    }));
                }
            }
        }
    }

    async fn renew_leased(
        &self,
        stored: &Credential,
        refused: Option<u64>,
    ) -> Result<Credential, NotRenewed> {
        let now = self.clock.now();
        if refused != Some(stored.row.revision) && self.is_fresh(stored, now) {
            return Ok(stored.clone());
        }
        if let (Some(at), Some(why)) = (stored.row.refused_at, &stored.row.refused_why)
            && now.duration_since(at).abs() < NO_COUNTS_FOR
        {
            return Err(NotRenewed::Refused(why.clone()));
        }
        let result = match self.ask_for_another(stored).await {
            Ok(tokens) => self.keep(stored, tokens).await,
            Err(why) => Err(why),
        };
        let outcome = match &result {
            Ok(_) => "renewed",
            Err(NotRenewed::Refused(_)) => "refused",
            Err(_) => "unavailable",
        };
        metrics::counter!("casebridge_token_renewals_total", "result" => outcome).increment(1);
        if let Err(NotRenewed::Refused(why)) = &result {
            self.store.note_refusal(&stored.holder, stored.row.revision, why).await?;
        }
        result
    }

    /// Asks the vendor for the next tokens.
    async fn ask_for_another(&self, stored: &Credential) -> Result<Tokens, NotRenewed> {
        let renewed = match (&stored.holder, &stored.refresh, &stored.row.company) {
            (Holder::Account(_), Some(refresh), _) => {
                return self.refresh_account(&stored.holder, refresh).await;
            }
            (Holder::Location(location), None, Some(company)) => {
                self.make_location_token(company, location).await
            }
            (_, None, _) => return Err(NotRenewed::Refused("it came without a refresh token".into())),
            (holder, Some(refresh), _) => match self.app()?.refresh(refresh, granted_to(holder)).await {
                Err(TokenError::Refused(word)) => self.reconnect(holder, &word).await,
                other => other.map_err(Into::into),
            },
        };
        renewed.and_then(|grant| self.belongs(grant, &stored.holder)).map(tokens)
    }

    async fn refresh_account(&self, holder: &Holder, refresh: &Secret) -> Result<Tokens, NotRenewed> {
        let client = self.client(holder).ok_or(NotRenewed::NotConnected)?;
        let issued = client.refresh(refresh).await;
        let issued = issued.map_err(|error| NotRenewed::by(System::CasePeer, error))?;
        if client.rotates() && issued.refresh.is_none() {
            tracing::warn!(%holder, "a renewal brought no new refresh token, though refresh_rotates says it would");
        }
        Ok(kept(issued))
    }

    /// The way back from a refresh token that was used and whose answer was lost.
    async fn reconnect(&self, holder: &Holder, refused: &str) -> Result<Grant, NotRenewed> {
        tracing::warn!(%holder, "a refresh token was refused ({refused}): asking HighLevel for a new beginning");
        // Two more answers are waited for.
        self.store.lease_renewal(holder, &self.instance, LEASE).await?;
        let explain = |error: TokenError, step: &str| match error {
            TokenError::Refused(word) => NotRenewed::Refused(format!("{refused}, {step}: {word}")),
            other => other.into(),
        };
        let app = self.app()?;
        let code = app.reconnect(granted_to(holder), holder.id()).await;
        let code = code.map_err(|error| explain(error, "reconnect"))?;
        let grant = app.exchange(None, &code).await;
        grant.map_err(|error| explain(error, "reconnect's code"))
    }

    /// A location's token from its agency's.
    pub(super) async fn make_location_token(
        &self,
        company: &str,
        location: &str,
    ) -> Result<Grant, NotRenewed> {
        let agency = Holder::Company(company.to_owned());
        let told = |why: NotRenewed| match why {
            NotRenewed::NotConnected => NotRenewed::Refused("its agency is not connected".into()),
            NotRenewed::Refused(why) => NotRenewed::Refused(format!("its agency: {why}")),
            other => other,
        };
        let granted = self.agency_token(&agency, None).await.map_err(told)?;
        if !granted.allows(AGENCY_WRITE) {
            let why = format!("its agency's connection lacks the scope `{AGENCY_WRITE}`");
            return Err(NotRenewed::Refused(why));
        }
        let app = self.app()?;
        match app.location_token(&granted.token, company, location).await {
            Err(TokenError::Refused(word)) if word.contains("401") => {
                let granted = self.agency_token(&agency, Some(&granted.token)).await.map_err(told)?;
                Ok(app.location_token(&granted.token, company, location).await?)
            }
            other => Ok(other?),
        }
    }

    /// The agency's token, or another than the refused one. Boxed, since it is renewed by these same functions.
    fn agency_token<'a>(
        &'a self,
        agency: &'a Holder,
        refused: Option<&'a Secret>,
    ) -> BoxFuture<'a, Result<Granted, NotRenewed>> {
        Box::pin(async move {
            match refused {
                None => self.token(agency).await,
                Some(refused) => self.instead_of(agency, refused).await,
            }
        })
    }

    /// Refuses what was given to somebody else, or to another app.
    pub(super) fn belongs(&self, grant: Grant, holder: &Holder) -> Result<Grant, NotRenewed> {
        let id = match (grant.to, holder) {
            (GrantedTo::Location, Holder::Location(_)) => grant.location.as_deref(),
            (GrantedTo::Company, Holder::Company(_)) => grant.company.as_deref(),
            _ => None,
        };
        if id != Some(holder.id()) {
            return Err(NotRenewed::Refused("it answered for another account".into()));
        }
        if grant.app.as_deref().is_some_and(|app| !self.is_app(app)) {
            return Err(NotRenewed::Refused("it answered for another app".into()));
        }
        Ok(grant)
    }

    /// Commits what the vendor answered, before anybody uses it.
    async fn keep(&self, stored: &Credential, mut tokens: Tokens) -> Result<Credential, NotRenewed> {
        // An answer without a refresh token leaves the one that was used good (RFC 6749 section 6).
        tokens.refresh = tokens.refresh.or_else(|| stored.refresh.clone());
        let saved = self.store.save_tokens(&stored.holder, &tokens, Some(stored.row.revision)).await?;
        let (holder, vendor) = (&stored.holder, stored.holder.system().title());
        match saved {
            Saved::Yes(revision) => tracing::info!(%holder, revision, "a {vendor} token was renewed"),
            Saved::Outdated => tracing::info!(%holder, "a {vendor} token had been renewed meanwhile"),
        }
        self.store.credential(&stored.holder).await?.ok_or(NotRenewed::NotConnected)
    }
}

pub(super) fn granted_to(holder: &Holder) -> GrantedTo {
    match holder {
        Holder::Company(_) => GrantedTo::Company,
        Holder::Location(_) | Holder::Account(_) | Holder::Private(_) => GrantedTo::Location,
    }
}

/// What is kept of an answer.
pub(super) fn tokens(grant: Grant) -> Tokens {
    Tokens {
        access: grant.access,
        refresh: grant.refresh,
        scopes: grant.scopes,
        life: grant.life,
        company: grant.company,
    }
}

/// The same of an account's answer.
pub(super) fn kept(issued: Issued) -> Tokens {
    // One that says neither when it ends nor how it is renewed is good until it is withdrawn.
    let unstated = if issued.refresh.is_some() { UNSTATED_LIFE } else { WITHOUT_END };
    Tokens {
        access: issued.access,
        refresh: issued.refresh,
        scopes: issued.scopes,
        life: issued.life.unwrap_or(unstated),
        company: None,
    }
}
