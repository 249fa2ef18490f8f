//! How long things are kept, which is passed through.

use async_trait::async_trait;
use casebridge::domain::{FirmId, PersonId};
use casebridge::store::{CannotErase, Erased, Hold, Keeping, Kept, LetGo, Papers, StoreError};
use jiff::Timestamp;

use super::Doomed;

#[async_trait]
impl Keeping for Doomed {
    async fn let_go(
        &self,
        firm: &FirmId,
        class: Kept,
        before: Timestamp,
        after: Option<String>,
    ) -> Result<LetGo, StoreError> {
        self.inner.let_go(firm, class, before, after).await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        self.inner.wipe().await
    }

    async fn hold(&self, person: PersonId, why: &str, by: &str) -> Result<Option<Hold>, StoreError> {
        self.inner.hold(person, why, by).await
    }

    async fn release_holds(&self, person: PersonId, by: &str) -> Result<u64, StoreError> {
        self.inner.release_holds(person, by).await
    }

    async fn holds(&self, person: Option<PersonId>) -> Result<Vec<Hold>, StoreError> {
        self.inner.holds(person).await
    }

    async fn papers(&self, person: PersonId) -> Result<Option<Papers>, StoreError> {
        self.inner.papers(person).await
    }

    async fn erase(&self, person: PersonId, by: &str) -> Result<Result<Erased, CannotErase>, StoreError> {
        self.inner.erase(person, by).await
    }
}
