//! Renewing a token: one process at a time, committed before it is used.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use super::{Connections, is_fresh, is_usable};
use crate::config::Secret;
use crate::domain::CallClass;
use crate::operations::highlevel::scopes::AGENCY_WRITE;
use crate::store::{Credential, Holder, RenewalLease, Saved, StoreError, Tokens};
use crate::vendors::Failure;
use crate::vendors::highlevel::{Grant, Granted, GrantedTo, TokenError};

/// How long a renewal is leased. Longer than HighLevel's answer is waited for, and short enough that another process
/// gets to repeat it within the 30 s in which HighLevel repeats its answer.
const LEASE: SignedDuration = SignedDuration::from_secs(20);
/// How long another process's renewal is waited for when there is no usable token meanwhile.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often the store is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// How long HighLevel is not asked again after a final no: every event of a firm would ask.
const NO_COUNTS_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::bridge) enum NotRenewed {
    /// Nobody has connected it.
    #[error("it is not connected")]
    NotConnected,
    /// HighLevel says no for good: the app was taken off, or its authorisation withdrawn.
    #[error("HighLevel no longer accepts the connection ({0})")]
    Refused(String),
    /// The app's own credentials are wrong.
    #[error("{0}; see the app's Client Keys in HighLevel's Marketplace")]
    App(String),
    /// Not now.
    #[error("{}", .0.detail)]
    Unavailable(Failure),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotRenewed {
    /// Whether trying again may help without a person.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Store(_))
    }

    /// The same as the failure of a call that was never made.
    pub(super) fn into_failure(self, how_to_renew: &str) -> Failure {
        let detail = format!("was not sent: {self}");
        let of = |class, detail| Failure { class, retry_after: None, detail, answer: None };
        match self {
            Self::NotConnected | Self::Refused(_) => {
                of(CallClass::Unauthorised, format!("{detail}; {how_to_renew}"))
            }
            Self::App(_) => of(CallClass::Unauthorised, detail),
            Self::Unavailable(failure) => Failure { detail, ..failure },
            Self::Store(_) => of(CallClass::Unreachable, detail),
        }
    }
}

impl From<TokenError> for NotRenewed {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused(word) => Self::Refused(word),
            TokenError::Client => Self::App(error.to_string()),
            TokenError::Unavailable(failure) => {
                let detail = format!("HighLevel's token endpoint {}", failure.detail);
                Self::Unavailable(Failure { detail, ..failure })
            }
        }
    }
}

impl Connections {
    /// A newer authorisation than the refused one: from HighLevel, or from the process that is getting it.
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
        if refused != Some(stored.row.revision) && is_fresh(stored, now) {
            return Ok(stored.clone());
        }
        if let (Some(at), Some(why)) = (stored.row.refused_at, &stored.row.refused_why)
            && now.duration_since(at).abs() < NO_COUNTS_FOR
        {
            return Err(NotRenewed::Refused(why.clone()));
        }
        let renewed = match (&stored.refresh, &stored.holder, &stored.row.company) {
            (Some(refresh), holder, _) => match self.app.refresh(refresh, granted_to(holder)).await {
                Err(TokenError::Refused(word)) => self.reconnect(holder, &word).await,
                other => other.map_err(Into::into),
            },
            (None, Holder::Location(location), Some(company)) => {
                self.make_location_token(company, location).await
            }
            (None, ..) => Err(NotRenewed::Refused("it came without a refresh token".into())),
        };
        let result = match renewed.and_then(|grant| self.belongs(grant, &stored.holder)) {
            Ok(grant) => self.keep(stored, grant).await,
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

    /// The way back from a refresh token that was used and whose answer was lost.
    async fn reconnect(&self, holder: &Holder, refused: &str) -> Result<Grant, NotRenewed> {
        tracing::warn!(%holder, "a refresh token was refused ({refused}): asking HighLevel for a new beginning");
        // Two more answers are waited for.
        self.store.lease_renewal(holder, &self.instance, LEASE).await?;
        let explain = |error: TokenError, step: &str| match error {
            TokenError::Refused(word) => NotRenewed::Refused(format!("{refused}, {step}: {word}")),
            other => other.into(),
        };
        let code = self.app.reconnect(granted_to(holder), holder.id()).await;
        let code = code.map_err(|error| explain(error, "reconnect"))?;
        let grant = self.app.exchange(None, &code).await;
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
        match self.app.location_token(&granted.token, company, location).await {
            Err(TokenError::Refused(word)) if word.contains("401") => {
                let granted = self.agency_token(&agency, Some(&granted.token)).await.map_err(told)?;
                Ok(self.app.location_token(&granted.token, company, location).await?)
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
        if grant.app.as_deref().is_some_and(|app| app != self.app.app_id()) {
            return Err(NotRenewed::Refused("it answered for another app".into()));
        }
        Ok(grant)
    }

    /// Commits what HighLevel answered, before anybody uses it.
    async fn keep(&self, stored: &Credential, grant: Grant) -> Result<Credential, NotRenewed> {
        let mut tokens = tokens(grant);
        // An answer without a refresh token leaves the one that was used good (RFC 6749 section 6).
        tokens.refresh = tokens.refresh.or_else(|| stored.refresh.clone());
        let saved = self.store.save_tokens(&stored.holder, &tokens, Some(stored.row.revision)).await?;
        match saved {
            Saved::Yes(revision) => {
                tracing::info!(holder = %stored.holder, revision, "a HighLevel token was renewed");
            }
            Saved::Outdated => {
                tracing::info!(holder = %stored.holder, "a HighLevel token had been renewed meanwhile")
            }
        }
        self.store.credential(&stored.holder).await?.ok_or(NotRenewed::NotConnected)
    }
}

pub(super) fn granted_to(holder: &Holder) -> GrantedTo {
    match holder {
        Holder::Location(_) => GrantedTo::Location,
        Holder::Company(_) => GrantedTo::Company,
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
