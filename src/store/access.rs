//! Who may sign in, who is signed in, and what people did.

use std::fmt;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Digest, StoreError};
use crate::config::Secret;
use crate::crypto::{CannotOpen, Keyring, Place};
use crate::domain::{Deed, FirmId, Reach, Role};

/// Accounts, sessions and the audit log. Secrets come in as keyed digests or as hashes; none is stored as it is.
#[async_trait]
pub trait Access: Send + Sync {
    /// Everybody who may sign in, by name.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
    /// One of them with the hash of the password.
    async fn account(&self, name: &str) -> Result<Option<(Account, PasswordHash)>, StoreError>;
    /// Adds somebody; `false` if the name is taken.
    async fn add_account(&self, new: NewAccount) -> Result<bool, StoreError>;
    /// Changes what somebody may do, and ends their sessions.
    async fn change_account(&self, name: &str, role: Role, reach: &Reach) -> Result<Changed, StoreError>;
    /// Changes somebody's password, and ends their sessions. `false` if there is nobody of that name.
    async fn change_password(&self, name: &str, password: PasswordHash) -> Result<bool, StoreError>;
    /// Removes somebody, and ends their sessions.
    async fn remove_account(&self, name: &str) -> Result<Changed, StoreError>;

    /// Makes this link the one by which the first administrator is made; `false` if there is somebody already.
    async fn offer_setup(&self, link: Digest, life: SignedDuration) -> Result<bool, StoreError>;
    /// Whether this is that link, and still good.
    async fn is_setup_link(&self, link: Digest) -> Result<bool, StoreError>;
    /// Makes the first administrator and ends the link; `false` if the link is no good or somebody was quicker.
    async fn set_up(&self, link: Digest, first: NewAccount) -> Result<bool, StoreError>;

    /// Begins a session that ends when it was idle for so long, and after [`LONGEST_SESSION`] anyway.
    async fn open_session(&self, token: Digest, name: &str, idle: SignedDuration) -> Result<(), StoreError>;
    /// Whose session this is, which thereby goes on.
    async fn session(&self, token: Digest, idle: SignedDuration) -> Result<Option<Account>, StoreError>;
    /// Ends a session; whose it was.
    async fn end_session(&self, token: Digest) -> Result<Option<String>, StoreError>;

    /// Counts a try to sign in, under what it is counted by; how many there were within the window, this one included.
    async fn count_try(&self, by: Digest, window: SignedDuration) -> Result<u64, StoreError>;
    /// Forgets the tries, as after one that succeeded.
    async fn forget_tries(&self, by: Digest) -> Result<(), StoreError>;

    /// Writes down what somebody did. Nothing takes it back.
    async fn note_deed(&self, deed: AuditEntry) -> Result<(), StoreError>;
    /// What people did, the newest first.
    async fn audit_log(&self, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError>;
}

/// How long a session lasts at most, used or not: a working day.
pub const LONGEST_SESSION: SignedDuration = SignedDuration::from_hours(12);
/// How often a session in use is written down as such.
pub(super) const SESSION_NOTED: SignedDuration = SignedDuration::from_secs(60);
/// The most accounts: a list of them is one page.
pub(super) const MOST_ACCOUNTS: i64 = 1_000;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where.
    pub reach: Reach,
    /// Since when.
    pub created_at: Timestamp,
}

/// What is kept of a password: its hash with salt and parameters, as a PHC string.
pub struct PasswordHash(pub Secret);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordHash")
    }
}

/// Somebody to add.
#[derive(Debug)]
pub struct NewAccount {
    /// What they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where.
    pub reach: Reach,
    /// The hash of the password.
    pub password: PasswordHash,
}

/// What came of a change of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Yes,
    /// There is nobody of that name.
    Nobody,
    /// Nobody would be left who may change accounts.
    LastAdmin,
}

/// Something somebody did.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// Who.
    pub who: String,
    /// What.
    pub deed: Deed,
    /// At which firm, if at one.
    pub firm: Option<FirmId>,
    /// On what: an event, a question, a record, an account.
    pub about: Option<String>,
    /// Why, in the person's words; sealed where it is kept.
    pub reason: Option<String>,
}

impl AuditEntry {
    /// That somebody did this.
    pub fn new(who: &str, deed: Deed) -> Self {
        Self { who: who.to_owned(), deed, firm: None, about: None, reason: None }
    }

    /// The same with the firm.
    #[must_use]
    pub fn at(self, firm: &FirmId) -> Self {
        Self { firm: Some(firm.clone()), ..self }
    }

    /// The same with what it was done to.
    #[must_use]
    pub fn about(self, what: impl fmt::Display) -> Self {
        Self { about: Some(what.to_string()), ..self }
    }

    /// The same with the reason that was given.
    #[must_use]
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

/// Which lines of the audit log.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// What was done at these firms only; none for all, and what was done at none.
    pub within: Option<Vec<FirmId>>,
    /// By this person only.
    pub who: Option<String>,
    /// Older than this one: the last of the page before.
    pub before: Option<Uuid>,
    /// How many at most.
    pub limit: usize,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditRow {
    /// Its id, in order of time.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// When, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What.
    #[schema(value_type = String, example = "replayed")]
    pub what: Deed,
    /// At which firm, if at one.
    #[schema(value_type = Option<String>, example = "acme")]
    pub firm: Option<FirmId>,
    /// On what.
    pub about: Option<String>,
    /// Why, in the person's words.
    pub reason: Option<String>,
}

fn password_place(name: &str) -> Place<'_> {
    Place { table: "account", column: "sealed_password", row: name }
}

pub(super) fn seal_password(keyring: &Keyring, name: &str, password: &PasswordHash) -> Vec<u8> {
    keyring.seal(password_place(name), password.0.reveal().as_bytes())
}

pub(super) fn open_password(
    keyring: &Keyring,
    name: &str,
    sealed: &[u8],
) -> Result<PasswordHash, StoreError> {
    let plain = zeroize::Zeroizing::new(keyring.open(password_place(name), sealed)?);
    let text = std::str::from_utf8(&plain).map_err(|_| CannotOpen::Mismatch)?;
    Ok(PasswordHash(Secret::new(text)))
}

fn reason_place(row: &str) -> Place<'_> {
    Place { table: "audit", column: "sealed_reason", row }
}

pub(super) fn seal_reason(keyring: &Keyring, id: Uuid, reason: Option<&str>) -> Option<Vec<u8>> {
    reason.map(|reason| keyring.seal(reason_place(&id.to_string()), reason.as_bytes()))
}

pub(super) fn open_reason(
    keyring: &Keyring,
    id: Uuid,
    sealed: Option<&[u8]>,
) -> Result<Option<String>, StoreError> {
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = keyring.open(reason_place(&id.to_string()), sealed)?;
    Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
}

/// Reach as a column: none is everywhere, else a JSON list.
pub(super) fn reach_column(reach: &Reach) -> Option<String> {
    reach.firms().map(|firms| serde_json::to_string(&firms).expect("names are JSON"))
}

pub(super) fn read_reach(column: Option<&str>) -> Result<Reach, StoreError> {
    match column {
        None => Ok(Reach::Everywhere),
        Some(list) => {
            let firms: Vec<FirmId> = serde_json::from_str(list).map_err(super::corrupt)?;
            Ok(Reach::Firms(firms.into_iter().collect()))
        }
    }
}
