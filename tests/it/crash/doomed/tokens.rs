//! Stops around the saving of tokens; everything else passes.

use async_trait::async_trait;
use casebridge::domain::FirmId;
use casebridge::store::{
    ConnectLink, Credential, CredentialRow, Credentials, Digest, Holder, Installation, RenewalLease, Saved,
    StoreError, Tokens,
};
use jiff::{SignedDuration, Timestamp};

use super::{Doomed, Point};

#[async_trait]
impl Credentials for Doomed {
    async fn save_tokens(
        &self,
        holder: &Holder,
        tokens: &Tokens,
        over: Option<u64>,
    ) -> Result<Saved, StoreError> {
        self.stop_at(Point::BeforeTokens, None).await;
        let saved = self.inner.save_tokens(holder, tokens, over).await;
        self.stop_at(Point::AfterTokens, None).await;
        saved
    }

    async fn lease_renewal(
        &self,
        holder: &Holder,
        owner: &str,
        lease: SignedDuration,
    ) -> Result<RenewalLease, StoreError> {
        let leased = self.inner.lease_renewal(holder, owner, lease).await;
        self.stop_at(Point::AfterLease, None).await;
        leased
    }

    async fn make_link(
        &self,
        link: Digest,
        firm: &FirmId,
        life: SignedDuration,
    ) -> Result<Timestamp, StoreError> {
        self.inner.make_link(link, firm, life).await
    }

    async fn link(&self, link: Digest) -> Result<ConnectLink, StoreError> {
        self.inner.link(link).await
    }

    async fn use_link(&self, link: Digest, patience: SignedDuration) -> Result<ConnectLink, StoreError> {
        self.inner.use_link(link, patience).await
    }

    async fn credential(&self, holder: &Holder) -> Result<Option<Credential>, StoreError> {
        self.inner.credential(holder).await
    }

    async fn credentials(&self) -> Result<Vec<CredentialRow>, StoreError> {
        self.inner.credentials().await
    }

    async fn end_renewal(&self, holder: &Holder, owner: &str) -> Result<(), StoreError> {
        self.inner.end_renewal(holder, owner).await
    }

    async fn note_refusal(&self, holder: &Holder, revision: u64, why: &str) -> Result<(), StoreError> {
        self.inner.note_refusal(holder, revision, why).await
    }

    async fn drop_credential(&self, holder: &Holder, revision: u64) -> Result<bool, StoreError> {
        self.inner.drop_credential(holder, revision).await
    }

    async fn note_installed(
        &self,
        holder: &Holder,
        company: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        self.inner.note_installed(holder, company, name).await
    }

    async fn retire(&self, holder: &Holder) -> Result<(), StoreError> {
        self.inner.retire(holder).await
    }

    async fn installations(&self) -> Result<Vec<Installation>, StoreError> {
        self.inner.installations().await
    }
}
