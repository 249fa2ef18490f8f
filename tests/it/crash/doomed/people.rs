//! What people do with people, which is passed through.

use async_trait::async_trait;
use casebridge::domain::{FirmId, Link, PersonId, RecordRef};
use casebridge::store::{CannotSplit, People, PeopleFilter, PersonRow, PersonStory, Split, StoreError};

use super::Doomed;

#[async_trait]
impl People for Doomed {
    async fn person(&self, id: PersonId) -> Result<Option<PersonStory>, StoreError> {
        self.inner.person(id).await
    }

    async fn people(&self, filter: PeopleFilter) -> Result<Vec<PersonRow>, StoreError> {
        self.inner.people(filter).await
    }

    async fn person_of(&self, firm: &FirmId, record: &RecordRef) -> Result<Option<PersonId>, StoreError> {
        self.inner.person_of(firm, record).await
    }

    async fn records_with(&self, firm: &FirmId, record: &RecordRef) -> Result<Vec<RecordRef>, StoreError> {
        self.inner.records_with(firm, record).await
    }

    async fn merge_people(&self, one: PersonId, other: PersonId) -> Result<Option<PersonId>, StoreError> {
        self.inner.merge_people(one, other).await
    }

    async fn link_records(&self, firm: &FirmId, link: Link) -> Result<(), StoreError> {
        self.inner.link_records(firm, link).await
    }

    async fn split_person(
        &self,
        firm: &FirmId,
        records: &[RecordRef],
        by: &str,
    ) -> Result<Result<Split, CannotSplit>, StoreError> {
        self.inner.split_person(firm, records, by).await
    }
}
