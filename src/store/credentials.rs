//! Authorisations that the vendors gave, the links by which a person gives them, and where HighLevel's app is installed.
//!
//! A refresh token is good for one use, so renewing is done by one process at a time, which holds the row's lease, and
//! a new token replaces only the one it came of: revisions are compared and set.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::StoreError;
use crate::config::Secret;
use crate::crypto::{CannotOpen, Keyring, Place};
use crate::domain::{FirmId, System};

/// Who gave an authorisation: one location of HighLevel's (sub-account), an agency for its locations, or a firm's account
/// on the CASEpeer side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A location.
    Location(String),
    /// An agency, which HighLevel calls a company.
    Company(String),
    /// A firm's account, as `firm@host`: see [`Holder::account`].
    Account(String),
    /// Whoever pasted a private token of this location, which is no app's.
    Private(String),
}

impl Holder {
    /// The account of a firm with whoever gives out tokens at this host: another host's tokens are never sent there.
    pub fn account(firm: &FirmId, host: &str) -> Self {
        Self::Account(format!("{firm}@{host}"))
    }

    /// Whether it is an account of this firm.
    pub fn is_account_of(&self, firm: &str) -> bool {
        matches!(self, Self::Account(id) if id.split('@').next() == Some(firm))
    }

    /// Its id: HighLevel's own of a location or an agency.
    pub fn id(&self) -> &str {
        match self {
            Self::Location(id) | Self::Company(id) | Self::Account(id) | Self::Private(id) => id,
        }
    }

    /// Whose authorisation it is.
    pub fn system(&self) -> System {
        match self {
            Self::Location(_) | Self::Company(_) | Self::Private(_) => System::HighLevel,
            Self::Account(_) => System::CasePeer,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location(id) => write!(out, "location:{id}"),
            Self::Company(id) => write!(out, "company:{id}"),
            Self::Account(id) => write!(out, "account:{id}"),
            Self::Private(id) => write!(out, "private:{id}"),
        }
    }
}

impl FromStr for Holder {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text.split_once(':') {
            Some(("location", id)) => Ok(Self::Location(id.to_owned())),
            Some(("company", id)) => Ok(Self::Company(id.to_owned())),
            Some(("account", id)) => Ok(Self::Account(id.to_owned())),
            Some(("private", id)) => Ok(Self::Private(id.to_owned())),
            _ => Err(StoreError::Corrupt("a credential belongs to no location, company or account".into())),
        }
    }
}

impl Serialize for Holder {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

/// What an authorisation consists of, as the vendor answered it.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// What calls carry.
    pub access: Secret,
    /// What the next access token is got with, once. None for a location's token that was made from its agency's.
    pub refresh: Option<Secret>,
    /// The scopes that were granted, separated by spaces; none if the answer did not say, and then they stay.
    pub scopes: Option<String>,
    /// How long the access token is good for.
    pub life: SignedDuration,
    /// The agency.
    pub company: Option<String>,
}

/// An authorisation as it is kept.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Whose it is.
    pub holder: Holder,
    /// What calls carry.
    pub access: Secret,
    /// What the next access token is got with.
    pub refresh: Option<Secret>,
    /// What is told of it.
    pub row: CredentialRow,
}

/// What may be told of an authorisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CredentialRow {
    /// `location:ID` or `company:ID` of HighLevel, `account:FIRM@HOST` of the CASEpeer side, or `private:LOCATION` of a
    /// private token that was pasted.
    #[schema(value_type = String, example = "location:ve9EPM428h8vShlRW1KT")]
    pub holder: Holder,
    /// The agency it belongs to, or its tokens are made from.
    pub company: Option<String>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// When the present access token ends; it is renewed before.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// When a person connected it.
    #[schema(value_type = String, format = DateTime)]
    pub connected_at: Timestamp,
    /// When it was renewed last.
    #[schema(value_type = String, format = DateTime)]
    pub renewed_at: Timestamp,
    /// Grows with each new token.
    pub revision: u64,
    /// Since when the vendor takes it no more, and why; it has to be connected again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub refused_at: Option<Timestamp>,
    /// Why.
    pub refused_why: Option<String>,
}

/// What came of asking for the right to renew.
#[derive(Debug)]
pub enum RenewalLease {
    /// It is ours; this is the authorisation at that moment.
    Ours(Box<Credential>),
    /// Another process is renewing it; this is what is there meanwhile.
    Theirs(Box<Credential>),
    /// There is no such authorisation.
    Unknown,
}

/// What came of saving new tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// They are on disk, under this revision.
    Yes(u64),
    /// Newer ones were there already; these are not kept.
    Outdated,
}

/// A keyed hash of a link, a state or a cookie.
pub type Digest = [u8; 32];

/// How a link stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectLink {
    /// It is good for this firm.
    For(FirmId),
    /// There is no such link.
    Unknown,
    /// It is too old.
    Expired,
    /// A firm was connected with it, or that has failed.
    Used,
}

/// A place where the app is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Installation {
    /// `location:ID` or `company:ID`.
    #[schema(value_type = String, example = "location:ve9EPM428h8vShlRW1KT")]
    pub holder: Holder,
    /// The agency it belongs to.
    pub company: Option<String>,
    /// Its name, where HighLevel told it.
    pub name: Option<String>,
    /// When it was installed, as far as it is known here.
    #[schema(value_type = String, format = DateTime)]
    pub installed_at: Timestamp,
    /// When the app was taken off it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retired_at: Option<Timestamp>,
}

/// Authorisations and installations.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Makes a link by which this firm can be connected, once; when it ends.
    async fn make_link(
        &self,
        link: Digest,
        firm: &FirmId,
        life: SignedDuration,
    ) -> Result<Timestamp, StoreError>;
    /// How a link stands. Looking does not use it up: mail scanners and previews open links too.
    async fn link(&self, link: Digest) -> Result<ConnectLink, StoreError>;
    /// Uses a link up, by whoever comes first, until `patience` after its end.
    async fn use_link(&self, link: Digest, patience: SignedDuration) -> Result<ConnectLink, StoreError>;

    /// An authorisation with its tokens.
    async fn credential(&self, holder: &Holder) -> Result<Option<Credential>, StoreError>;
    /// Every authorisation, without tokens.
    async fn credentials(&self) -> Result<Vec<CredentialRow>, StoreError>;
    /// Saves tokens on disk in place of those of revision `over`, or, as after a person connected it, of any; ends the
    /// lease and the refusal.
    async fn save_tokens(
        &self,
        holder: &Holder,
        tokens: &Tokens,
        over: Option<u64>,
    ) -> Result<Saved, StoreError>;
    /// Asks for the right to renew an authorisation for this long. Who has it gets it again, for longer.
    async fn lease_renewal(
        &self,
        holder: &Holder,
        owner: &str,
        lease: SignedDuration,
    ) -> Result<RenewalLease, StoreError>;
    /// Gives the right back.
    async fn end_renewal(&self, holder: &Holder, owner: &str) -> Result<(), StoreError>;
    /// Notes that the vendor takes the tokens of this revision no more.
    async fn note_refusal(&self, holder: &Holder, revision: u64, why: &str) -> Result<(), StoreError>;
    /// Forgets an authorisation, unless it has been renewed since this revision. Whether it was there.
    async fn drop_credential(&self, holder: &Holder, revision: u64) -> Result<bool, StoreError>;

    /// Notes where the app is installed. What is known and not told again stays.
    async fn note_installed(
        &self,
        holder: &Holder,
        company: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), StoreError>;
    /// Notes that the app was taken off.
    async fn retire(&self, holder: &Holder) -> Result<(), StoreError>;
    /// Everywhere it is or was installed.
    async fn installations(&self) -> Result<Vec<Installation>, StoreError>;
}

/// Tokens as they lie in their row.
pub(super) struct SealedTokens {
    pub(super) access: Vec<u8>,
    pub(super) refresh: Option<Vec<u8>>,
}

fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place { table: "credential", column, row }
}

pub(super) fn seal(keyring: &Keyring, holder: &Holder, tokens: &Tokens) -> SealedTokens {
    let row = holder.to_string();
    let seal = |column, secret: &Secret| keyring.seal(place(column, &row), secret.reveal().as_bytes());
    SealedTokens {
        access: seal("sealed_access", &tokens.access),
        refresh: tokens.refresh.as_ref().map(|refresh| seal("sealed_refresh", refresh)),
    }
}

pub(super) fn open(
    keyring: &Keyring,
    row: CredentialRow,
    sealed: &SealedTokens,
) -> Result<Credential, StoreError> {
    let name = row.holder.to_string();
    let open = |column, sealed: &[u8]| {
        let plain = zeroize::Zeroizing::new(keyring.open(place(column, &name), sealed)?);
        let text = std::str::from_utf8(&plain).map_err(|_| CannotOpen::Mismatch)?;
        Ok::<_, StoreError>(Secret::new(text))
    };
    Ok(Credential {
        holder: row.holder.clone(),
        access: open("sealed_access", &sealed.access)?,
        refresh: sealed.refresh.as_deref().map(|sealed| open("sealed_refresh", sealed)).transpose()?,
        row,
    })
}

/// What a link's row says.
pub(super) struct LinkRow {
    pub(super) firm: String,
    pub(super) expires_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
}

/// How a link stands that may be used until `patience` after its end.
pub(super) fn judge(row: Option<LinkRow>, patience: SignedDuration, now: Timestamp) -> ConnectLink {
    match row {
        None => ConnectLink::Unknown,
        Some(row) if row.finished_at.is_some() => ConnectLink::Used,
        Some(row) if row.expires_at.saturating_add(patience).is_ok_and(|end| end <= now) => {
            ConnectLink::Expired
        }
        Some(row) => ConnectLink::For(FirmId::new(row.firm)),
    }
}

/// How long a link that is over is kept, so that who opens it is told that it is.
pub(super) const LINKS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
