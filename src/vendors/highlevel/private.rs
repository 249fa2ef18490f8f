//! Private integration tokens: made and rotated by a person in HighLevel, where old and new are good together for a week
//! (help.gohighlevel.com, "Private Integrations").

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::clock::SharedClock;
use crate::config::Secret;
use crate::domain::CallClass;
use crate::vendors::{Failure, Granted, TokenSource};

/// How long a file's content is believed while its token is accepted.
const BELIEVED: SignedDuration = SignedDuration::from_mins(1);

/// The tokens of one location, the preferred one first.
pub struct PrivateTokens {
    clock: SharedClock,
    state: Mutex<State>,
}

struct State {
    tokens: Vec<Secret>,
    read_at: Timestamp,
    /// The one that was turned to when another had been refused.
    turned_to: Option<Secret>,
}

impl PrivateTokens {
    /// These tokens; those that came from files follow their files.
    pub fn new(tokens: Vec<Secret>, clock: SharedClock) -> Self {
        let read_at = clock.now();
        Self { clock, state: Mutex::new(State { tokens, read_at, turned_to: None }) }
    }
}

impl State {
    async fn read_again(&mut self, now: Timestamp) {
        self.read_at = now;
        let known = self.tokens.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let read = |known: Secret| known.read_again().map_err(|why| (known, why));
            known.into_iter().map(read).collect::<Vec<_>>()
        });
        let Ok(read) = reading.await else { return };
        let kept = read.into_iter().map(|one| {
            one.unwrap_or_else(|(known, why)| {
                // A file that is being replaced may be away for a moment.
                tracing::warn!("a private token stays as it was: {why}");
                known
            })
        });
        self.tokens = kept.collect();
    }
}

fn is_among(token: &Secret, tokens: &[Secret]) -> bool {
    tokens.iter().any(|one| one.reveal() == token.reveal())
}

#[async_trait]
impl TokenSource for PrivateTokens {
    async fn token(&self) -> Result<Granted, Failure> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if now.duration_since(state.read_at).abs() >= BELIEVED {
            state.read_again(now).await;
        }
        let known = state.turned_to.as_ref().filter(|token| is_among(token, &state.tokens));
        let Some(token) = known.or(state.tokens.first()) else {
            let detail = format!("was not sent: there is no private token yet; {}", self.how_to_renew());
            return Err(Failure { class: CallClass::Unauthorised, retry_after: None, detail, answer: None });
        };
        Ok(Granted { token: token.clone(), scopes: None })
    }

    async fn instead_of(&self, refused: &[Secret]) -> Result<Option<Granted>, Failure> {
        let mut state = self.state.lock().await;
        state.read_again(self.clock.now()).await;
        state.turned_to = state.tokens.iter().find(|token| !is_among(token, refused)).cloned();
        Ok(state.turned_to.clone().map(|token| Granted { token, scopes: None }))
    }

    fn how_to_grant(&self, scope: &str) -> String {
        format!(
            "the private integration lacks the scope `{scope}`: add it in HighLevel (Settings > Private Integrations > \
             edit > scopes)"
        )
    }

    fn how_to_renew(&self) -> String {
        "make or rotate the private integration's token in HighLevel (Settings > Private Integrations) and paste it on \
         the firm's page, or set firms.highlevel.token"
            .into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::ManualClock;

    fn tokens(values: &[&str]) -> PrivateTokens {
        let values = values.iter().map(|value| Secret::new(*value)).collect();
        PrivateTokens::new(values, Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)))
    }

    #[tokio::test]
    async fn the_first_that_is_accepted_is_kept_to() {
        let tokens = tokens(&["new", "old"]);
        let first = tokens.token().await.unwrap().token;
        assert_eq!(first.reveal(), "new");
        let second = tokens.instead_of(std::slice::from_ref(&first)).await.unwrap().unwrap().token;
        assert_eq!(second.reveal(), "old");
        assert_eq!(tokens.token().await.unwrap().token.reveal(), "old");
        let other = tokens.instead_of(std::slice::from_ref(&second)).await.unwrap().unwrap().token;
        assert_eq!(other.reveal(), "new", "one that was not in force yet may be by now");
        assert!(tokens.instead_of(&[second, other]).await.unwrap().is_none());
        assert_eq!(tokens.token().await.unwrap().token.reveal(), "new", "all are tried again");
    }

    #[tokio::test]
    async fn a_refused_token_is_read_again_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "old\n").unwrap();
        let path = file.path().to_str().unwrap();
        let reference: toml::Table = format!("token = {{ file = {path:?} }}").parse().unwrap();
        let token: Secret = reference["token"].clone().try_into().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let tokens = PrivateTokens::new(vec![token], clock.clone());
        std::fs::write(file.path(), "new\n").unwrap();
        let old = tokens.token().await.unwrap().token;
        assert_eq!(old.reveal(), "old");
        assert_eq!(tokens.instead_of(&[old]).await.unwrap().unwrap().token.reveal(), "new");
        // An accepted one is followed too, a little later.
        std::fs::write(file.path(), "newer\n").unwrap();
        clock.advance(BELIEVED);
        assert_eq!(tokens.token().await.unwrap().token.reveal(), "newer");
        // A file that is away for a moment changes nothing.
        std::fs::remove_file(file.path()).unwrap();
        clock.advance(BELIEVED);
        assert_eq!(tokens.token().await.unwrap().token.reveal(), "newer");
    }
}
