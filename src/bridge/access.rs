//! Signing in: passwords, sessions, and the link by which the first administrator is made.
//!
//! A password is hashed with Argon2id (RFC 9106; the parameters are those OWASP recommends). A session is a random
//! cookie of which only a keyed digest is stored. Tries are counted in the store, so that several instances share the
//! count and a restart does not forget it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::Bridge;
use crate::config::Secret;
use crate::crypto::random_key;
use crate::domain::{Actor, Deed, LONGEST_PASSWORD, Reach, Role, check_password, sign_in_name};
use crate::store::{AuditEntry, Digest, NewAccount, PasswordHash, StoreError};

/// How long a session may be idle.
pub const IDLE: SignedDuration = SignedDuration::from_hours(1);
/// How long the link for the first administrator is good.
const SETUP_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Over what span tries to sign in are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// The most tries of one name from one address, from one address, and of one name from anywhere: the last is high, so
/// that nobody is kept out by somebody who tries for them.
const MOST_TRIES: [u64; 3] = [10, 50, 200];
/// How many passwords are hashed at once: each takes 19 MiB for some 20 ms.
const HASHES_AT_ONCE: usize = 2;

/// What signing in needs beside the store.
pub(super) struct Door {
    hashing: Semaphore,
    /// Whether there is anybody; once there is, that is not asked again.
    has_people: AtomicBool,
}

impl Default for Door {
    fn default() -> Self {
        Self { hashing: Semaphore::new(HASHES_AT_ONCE), has_people: AtomicBool::new(false) }
    }
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// The name or the password is wrong; which, is not said.
    #[error("the name or the password is wrong")]
    Wrong,
    /// There were too many tries.
    #[error("there were too many tries: wait a quarter of an hour")]
    TooMany,
    /// The link is no good.
    #[error("this link has been used or is over: restart `casebridge serve`, which prints another")]
    Link,
    /// A name or password that cannot be chosen.
    #[error("{0}")]
    Choice(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Hashes a password that may be chosen. Takes tens of milliseconds: not for a thread that others wait for.
///
/// # Errors
/// What is wrong with the password.
pub fn hash_password(name: &str, password: &Secret) -> Result<PasswordHash, String> {
    check_password(password.reveal(), name)?;
    let salt = &random_key()[..16];
    let hashed = Argon2::default().hash_password_with_salt(password.reveal().as_bytes(), salt);
    let hashed = hashed.map_err(|error| format!("the password cannot be hashed: {error}"))?;
    Ok(PasswordHash(Secret::new(hashed.to_string())))
}

/// Whether this is the password; takes as long if there is nobody of that name.
fn is_password(password: &Secret, hash: Option<&PasswordHash>) -> bool {
    // The hash of a password that nobody knows.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$\
        AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let text = hash.map_or(NOBODY, |hash| hash.0.reveal());
    let is_right = Argon2::default().verify_password(password.reveal().as_bytes(), text).is_ok();
    is_right && hash.is_some()
}

/// A random word of 256 bits, for a cookie or a link.
fn random_word() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(&random_key()[..]))
}

impl Bridge {
    /// Whether anybody may sign in: from then on nobody is let in for being on this machine.
    pub async fn has_people(&self) -> Result<bool, StoreError> {
        if self.door.has_people.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let has_people = !self.store.accounts().await?.is_empty();
        if has_people {
            self.door.has_people.store(true, Ordering::Relaxed);
        }
        Ok(has_people)
    }

    /// The word of a link by which the first administrator is made, once and within an hour; none if there is somebody.
    pub async fn offer_setup(&self) -> Result<Option<Secret>, StoreError> {
        let word = random_word();
        let digest = self.keyring.fingerprint("setup link", word.reveal().as_bytes());
        Ok(self.store.offer_setup(digest, SETUP_LIFE).await?.then_some(word))
    }

    /// Whether a word is that of the link, and still good.
    pub async fn is_setup_link(&self, word: &str) -> Result<bool, StoreError> {
        self.store.is_setup_link(self.keyring.fingerprint("setup link", word.as_bytes())).await
    }

    /// Makes the first administrator, and signs them in; the session's cookie.
    pub async fn set_up(&self, word: &str, name: &str, password: Secret) -> Result<Secret, NotSignedIn> {
        let name = sign_in_name(name).map_err(NotSignedIn::Choice)?;
        let link = self.keyring.fingerprint("setup link", word.as_bytes());
        if !self.store.is_setup_link(link).await? {
            return Err(NotSignedIn::Link);
        }
        let password = self.hashed(&name, password).await?;
        let first = NewAccount { name: name.clone(), role: Role::Admin, reach: Reach::Everywhere, password };
        if !self.store.set_up(link, first).await? {
            return Err(NotSignedIn::Link);
        }
        self.store.note_deed(AuditEntry::new(&name, Deed::SetUp)).await?;
        Ok(self.begin_session(&name).await?)
    }

    /// Signs somebody in; the session's cookie.
    pub async fn sign_in(&self, name: &str, password: Secret, from: IpAddr) -> Result<Secret, NotSignedIn> {
        let name = sign_in_name(name).map_err(|_| NotSignedIn::Wrong)?;
        if password.reveal().len() > LONGEST_PASSWORD {
            return Err(NotSignedIn::Wrong);
        }
        let tries = self.tries(&name, from);
        for (by, most) in tries.iter().zip(MOST_TRIES) {
            if self.store.count_try(*by, WINDOW).await? > most {
                return Err(NotSignedIn::TooMany);
            }
        }
        let known = self.store.account(&name).await?.map(|(_, hash)| hash);
        if !self.hash(move || is_password(&password, known.as_ref())).await? {
            self.store.note_deed(AuditEntry::new(&name, Deed::SignInRefused)).await?;
            return Err(NotSignedIn::Wrong);
        }
        self.store.forget_tries(tries[0]).await?;
        self.store.note_deed(AuditEntry::new(&name, Deed::SignedIn)).await?;
        Ok(self.begin_session(&name).await?)
    }

    /// Ends a session.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), StoreError> {
        if let Some(name) = self.store.end_session(self.session_digest(cookie)).await? {
            self.store.note_deed(AuditEntry::new(&name, Deed::SignedOut)).await?;
        }
        Ok(())
    }

    /// Whose session a cookie is.
    pub async fn actor(&self, cookie: &str) -> Result<Option<Actor>, StoreError> {
        let account = self.store.session(self.session_digest(cookie), IDLE).await?;
        Ok(account.map(|account| Actor { name: account.name, role: account.role, reach: account.reach }))
    }

    /// The same without keeping the session alive, as for a page that only waits.
    pub async fn glance(&self, cookie: &str) -> Result<Option<Actor>, StoreError> {
        let account = self.store.session(self.session_digest(cookie), SignedDuration::ZERO).await?;
        Ok(account.map(|account| Actor { name: account.name, role: account.role, reach: account.reach }))
    }

    /// What a page of ours sends along with a session's cookie, and no other page can know.
    pub fn page_token(&self, cookie: &str) -> String {
        hex::encode(self.keyring.fingerprint("page token", cookie.as_bytes()))
    }

    /// Hashes a password that may be chosen, beside the threads that answer.
    pub async fn hashed(&self, name: &str, password: Secret) -> Result<PasswordHash, NotSignedIn> {
        let name = name.to_owned();
        self.hash(move || hash_password(&name, &password)).await?.map_err(NotSignedIn::Choice)
    }

    /// Changes a person's password; whether there is a person of that name.
    pub async fn change_password(&self, name: &str, password: Secret) -> Result<bool, NotSignedIn> {
        let hash = self.hashed(name, password).await?;
        Ok(self.store.change_password(name, hash).await?)
    }

    async fn begin_session(&self, name: &str) -> Result<Secret, StoreError> {
        let cookie = random_word();
        self.store.open_session(self.session_digest(cookie.reveal()), name, IDLE).await?;
        self.door.has_people.store(true, Ordering::Relaxed);
        Ok(cookie)
    }

    fn session_digest(&self, cookie: &str) -> Digest {
        self.keyring.fingerprint("session", cookie.as_bytes())
    }

    /// What tries are counted by: name and address, address, name.
    fn tries(&self, name: &str, from: IpAddr) -> [Digest; 3] {
        let digest = |text: String| self.keyring.fingerprint("sign-in try", text.as_bytes());
        [
            digest(format!("both {name} {from}")),
            digest(format!("address {from}")),
            digest(format!("name {name}")),
        ]
    }

    /// Runs what hashes beside the threads that answer, a few at a time.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError::Unavailable("this program is stopping".into());
        let _permit = self.door.hashing.acquire().await.map_err(|_| stopped())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| stopped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_nobody_has_one() {
        let password = Secret::new("correct horse battery");
        let hash = hash_password("maria", &password).unwrap();
        assert!(hash.0.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "as OWASP recommends");
        assert!(is_password(&password, Some(&hash)));
        assert!(!is_password(&Secret::new("correct horse batterY"), Some(&hash)));
        assert!(!is_password(&password, None));
        assert_ne!(hash.0.reveal(), hash_password("maria", &password).unwrap().0.reveal(), "salted");
        assert!(hash_password("maria", &Secret::new("short")).is_err());
    }
}
