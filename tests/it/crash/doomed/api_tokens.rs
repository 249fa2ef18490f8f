//! Tokens of programs pass.

use async_trait::async_trait;
use casebridge::domain::EventId;
use casebridge::store::{ActionAnswer, ApiToken, ApiTokens, Digest, Lease, NewToken, Settled, StoreError};

use super::Doomed;

#[async_trait]
impl ApiTokens for Doomed {
    async fn add_token(&self, token: NewToken) -> Result<(), StoreError> {
        self.inner.add_token(token).await
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        self.inner.tokens().await
    }

    async fn token_by(&self, digest: Digest) -> Result<Option<ApiToken>, StoreError> {
        self.inner.token_by(digest).await
    }

    async fn revoke_token(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.revoke_token(id).await
    }

    async fn save_answer(&self, lease: &Lease, answer: ActionAnswer) -> Result<Settled, StoreError> {
        self.inner.save_answer(lease, answer).await
    }

    async fn answer(&self, event: EventId) -> Result<Option<ActionAnswer>, StoreError> {
        self.inner.answer(event).await
    }
}
