//! Accounts, sessions and the audit log, which are passed through.

use async_trait::async_trait;
use casebridge::domain::{Reach, Role};
use casebridge::store::{
    Access, Account, AuditEntry, AuditFilter, AuditRow, Changed, Digest, NewAccount, PasswordHash, StoreError,
};
use jiff::SignedDuration;

use super::Doomed;

#[async_trait]
impl Access for Doomed {
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.inner.accounts().await
    }

    async fn account(&self, name: &str) -> Result<Option<(Account, PasswordHash)>, StoreError> {
        self.inner.account(name).await
    }

    async fn add_account(&self, new: NewAccount) -> Result<bool, StoreError> {
        self.inner.add_account(new).await
    }

    async fn change_account(&self, name: &str, role: Role, reach: &Reach) -> Result<Changed, StoreError> {
        self.inner.change_account(name, role, reach).await
    }

    async fn change_password(&self, name: &str, password: PasswordHash) -> Result<bool, StoreError> {
        self.inner.change_password(name, password).await
    }

    async fn remove_account(&self, name: &str) -> Result<Changed, StoreError> {
        self.inner.remove_account(name).await
    }

    async fn offer_setup(&self, link: Digest, life: SignedDuration) -> Result<bool, StoreError> {
        self.inner.offer_setup(link, life).await
    }

    async fn is_setup_link(&self, link: Digest) -> Result<bool, StoreError> {
        self.inner.is_setup_link(link).await
    }

    async fn set_up(&self, link: Digest, first: NewAccount) -> Result<bool, StoreError> {
        self.inner.set_up(link, first).await
    }

    async fn open_session(&self, token: Digest, name: &str, idle: SignedDuration) -> Result<(), StoreError> {
        self.inner.open_session(token, name, idle).await
    }

    async fn session(&self, token: Digest, idle: SignedDuration) -> Result<Option<Account>, StoreError> {
        self.inner.session(token, idle).await
    }

    async fn end_session(&self, token: Digest) -> Result<Option<String>, StoreError> {
        self.inner.end_session(token).await
    }

    async fn count_try(&self, by: Digest, window: SignedDuration) -> Result<u64, StoreError> {
        self.inner.count_try(by, window).await
    }

    async fn forget_tries(&self, by: Digest) -> Result<(), StoreError> {
        self.inner.forget_tries(by).await
    }

    async fn note_deed(&self, deed: AuditEntry) -> Result<(), StoreError> {
        self.inner.note_deed(deed).await
    }

    async fn audit_log(&self, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        self.inner.audit_log(filter).await
    }
}
