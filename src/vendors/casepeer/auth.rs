//! The credential of a CASEpeer account.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::AccountClient;
use crate::config::{CasePeerAuth, KeyPlace, Secret};
use crate::domain::{CallClass, System};
use crate::vendors::exchange::Credential;
use crate::vendors::{Failure, HttpClient, TokenError, TokenSource};

/// How long a token is used whose answer does not say.
const UNSTATED_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// Gives out the token of the moment.
pub(super) struct Auth {
    kind: CasePeerAuth,
    source: Source,
}

/// Where tokens come from that change.
pub enum Source {
    /// There are none.
    None,
    /// The client gets them for itself.
    Client(Box<ClientTokens>),
    /// A person gave them in the browser, and they are kept.
    Kept(Arc<dyn TokenSource>),
}

/// Tokens that a client gets for itself, as often as it likes.
pub struct ClientTokens {
    http: HttpClient,
    client: AccountClient,
    /// Held while a token is fetched, so that one fetch serves all who wait.
    current: Mutex<Option<Current>>,
    calls: AtomicU64,
}

struct Current {
    token: Secret,
    renew_at: Timestamp,
}

impl ClientTokens {
    /// Tokens of this client.
    pub fn new(http: HttpClient, client: AccountClient) -> Self {
        Self { http, client, current: Mutex::new(None), calls: AtomicU64::new(0) }
    }

    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, Failure> {
        let mut current = self.current.lock().await;
        // One that was refused is dropped, unless it was renewed meanwhile.
        let is_refused =
            |known: &Current| refused.is_some_and(|token| token.reveal() == known.token.reveal());
        let now = self.http.clock().now();
        if let Some(known) = current.as_ref().filter(|known| now < known.renew_at && !is_refused(known)) {
            return Ok(known.token.clone());
        }
        *current = None;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let issued = self.client.client_credentials().await.map_err(failed)?;
        let life = issued.life.unwrap_or(UNSTATED_LIFE);
        // A token that lives shorter than it is renewed ahead would be asked for at every call.
        let renew_at = now.saturating_add(life - self.client.ahead().min(life / 2)).unwrap_or(Timestamp::MAX);
        *current = Some(Current { token: issued.access.clone(), renew_at });
        Ok(issued.access)
    }
}

fn failed(error: TokenError) -> Failure {
    let detail = format!("was not sent: {}", error.told(System::CasePeer));
    match error {
        TokenError::Unavailable(failure) => Failure { detail, ..failure },
        TokenError::Client | TokenError::Refused(_) => {
            Failure { class: CallClass::Unauthorised, retry_after: None, detail, answer: None }
        }
    }
}

impl Auth {
    pub(super) fn new(kind: CasePeerAuth, source: Source) -> Self {
        Self { kind, source }
    }

    /// The token of the moment, for the kinds of credential that have one.
    pub(super) async fn token(&self) -> Result<Option<Secret>, Failure> {
        match (&self.source, &self.kind) {
            (Source::Client(tokens), _) => tokens.token(None).await.map(Some),
            (Source::Kept(tokens), _) => tokens.token().await.map(|granted| Some(granted.token)),
            (Source::None, CasePeerAuth::BearerStatic { token }) => Ok(Some(token.clone())),
            (Source::None, _) => Ok(None),
        }
    }

    /// Another token than the one that was refused; none if there is none.
    pub(super) async fn instead_of(&self, refused: &Secret) -> Result<Option<Secret>, Failure> {
        match &self.source {
            Source::Client(tokens) => tokens.token(Some(refused)).await.map(Some),
            Source::Kept(tokens) => {
                let other = tokens.instead_of(std::slice::from_ref(refused)).await?;
                Ok(other.map(|granted| granted.token))
            }
            Source::None => Ok(None),
        }
    }

    /// How many calls were made for tokens since this was last asked.
    pub(super) fn take_calls(&self) -> u64 {
        match &self.source {
            Source::Client(tokens) => tokens.calls.swap(0, Ordering::Relaxed),
            Source::Kept(tokens) => tokens.take_calls(),
            Source::None => 0,
        }
    }

    /// What a person does when no token is taken any more, where the bridge knows.
    pub(super) fn how_to_renew(&self) -> Option<String> {
        match &self.source {
            Source::Kept(tokens) => Some(tokens.how_to_renew()),
            Source::Client(_) | Source::None => None,
        }
    }

    /// What a request proves itself with.
    pub(super) fn credential<'a>(&'a self, token: Option<&'a Secret>) -> Credential<'a> {
        match (&self.kind, token) {
            (CasePeerAuth::ApiKey { r#in: KeyPlace::Header, name, key, .. }, _) => {
                Credential::Header { name, value: key.reveal() }
            }
            (CasePeerAuth::ApiKey { r#in: KeyPlace::Query, name, key, .. }, _) => {
                Credential::Query { name, value: key.reveal() }
            }
            (CasePeerAuth::Basic { user, password }, _) => {
                Credential::Basic { user, password: password.reveal() }
            }
            (_, Some(token)) => Credential::Bearer(token.reveal()),
            (_, None) => Credential::None,
        }
    }
}
