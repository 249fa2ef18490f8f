//! People across both systems: who they are, that two are one, and that one is two.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EventStory, StoreError};
use crate::crypto::Keyring;
use crate::domain::{Base, Details, Field, Fields, FirmId, Link, PersonId, RecordKind, RecordRef, Shown};

/// What people do with people.
#[async_trait]
pub trait People: Send + Sync {
    /// The person of this number, or whom this one was merged into.
    async fn person(&self, id: PersonId) -> Result<Option<PersonStory>, StoreError>;
    /// People, by number; merged ones are not among them.
    async fn people(&self, filter: PeopleFilter) -> Result<Vec<PersonRow>, StoreError>;
    /// The person this record belongs to.
    async fn person_of(&self, firm: &FirmId, record: &RecordRef) -> Result<Option<PersonId>, StoreError>;
    /// The records of the person this record belongs to, itself among them; none if it is nobody's.
    async fn records_with(&self, firm: &FirmId, record: &RecordRef) -> Result<Vec<RecordRef>, StoreError>;
    /// Makes one person of two: their pending events become one lane, in order of receipt. The one that stays; nothing
    /// if one of them is not there, or they are of two firms.
    async fn merge_people(&self, one: PersonId, other: PersonId) -> Result<Option<PersonId>, StoreError>;
    /// Remembers that two records are one person's, as a person says, and answers what was asked about either.
    async fn link_records(&self, firm: &FirmId, link: Link) -> Result<(), StoreError>;
    /// Makes two people of one: these records, with what hangs on them, leave for a new person, and their pending
    /// events with them. Links between the two end, and matching will not make them again. An event that is being
    /// worked on starts over.
    async fn split_person(
        &self,
        firm: &FirmId,
        records: &[RecordRef],
        by: &str,
    ) -> Result<Result<Split, CannotSplit>, StoreError>;
}

/// Which people to list.
#[derive(Debug, Clone, Default)]
pub struct PeopleFilter {
    /// Of this firm only.
    pub firm: Option<FirmId>,
    /// Only those one of whose linked contacts has, or had, the e-mail or phone that [`person_key`] makes this of.
    pub key: Option<[u8; 32]>,
    /// With a higher number: the last of the page before.
    pub after: Option<PersonId>,
    /// How many.
    pub limit: usize,
}

/// A person in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonRow {
    /// Its number.
    #[schema(value_type = i64)]
    pub id: PersonId,
    /// Whose it is.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// Its records in both systems.
    #[schema(value_type = Vec<String>, example = json!(["highlevel:contact:nmFmQEsNgz6AVpgLVUJ0", "casepeer:lead:L-1"]))]
    pub records: Vec<String>,
}

/// What a person is found by without being named: the keyed hash of an e-mail or phone in its canonical form. None for
/// any other field.
pub fn person_key(keyring: &Keyring, field: Field, value: &str) -> Option<[u8; 32]> {
    let purpose = match field {
        Field::Email => "email",
        Field::Phone => "phone",
        _ => return None,
    };
    Some(keyring.fingerprint(purpose, value.as_bytes()))
}

/// What the contact of a link is found by, as far as it was not before.
pub(super) fn new_keys(
    keyring: &Keyring,
    highlevel: &RecordRef,
    before: Option<&Base>,
    now: &Base,
) -> Vec<[u8; 32]> {
    if highlevel.kind != RecordKind::Contact {
        return Vec::new();
    }
    let fields = [Field::Email, Field::Phone].into_iter();
    let keys = fields.filter_map(|field| {
        let value = now.fields.get(field)?;
        let is_known = before.is_some_and(|before| before.fields.get(field) == Some(value));
        person_key(keyring, field, value).filter(|_| !is_known)
    });
    keys.collect()
}

/// The most events that a person's story tells, the newest.
pub const MOST_EVENTS: usize = 200;

/// A person, with everything that is known and was done.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonStory {
    /// Its number.
    #[schema(value_type = i64)]
    pub id: PersonId,
    /// Whose it is.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// The numbers of those that were merged into it.
    #[schema(value_type = Vec<i64>)]
    pub merged: Vec<PersonId>,
    /// Its records in both systems.
    #[schema(value_type = Vec<String>, example = json!(["highlevel:contact:nmFmQEsNgz6AVpgLVUJ0", "casepeer:lead:L-1"]))]
    pub records: Vec<String>,
    /// Which of them are the same thing, the oldest first.
    pub links: Vec<PersonLink>,
    /// What happened, the oldest first; of many, the newest.
    pub events: Vec<EventStory>,
}

/// A link as its person's story tells it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonLink {
    /// The record in HighLevel.
    #[schema(example = "highlevel:contact:nmFmQEsNgz6AVpgLVUJ0")]
    pub highlevel: String,
    /// The record in CASEpeer.
    #[schema(example = "casepeer:lead:L-1")]
    pub casepeer: String,
    /// The system in which the thing came into being.
    #[schema(example = "highlevel")]
    pub origin: String,
    /// What both sides agreed on last.
    #[schema(value_type = serde_json::Value)]
    pub base: crate::domain::Base,
    /// How often that changed.
    pub revision: i64,
    /// Since when they are linked, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub linked_at: Timestamp,
    /// When what they agree on changed last, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub agreed_at: Timestamp,
}

impl PersonLink {
    /// A link of this age.
    pub(super) fn new(link: Link, linked_at: Timestamp, agreed_at: Timestamp) -> Self {
        Self {
            highlevel: link.highlevel.to_string(),
            casepeer: link.casepeer.to_string(),
            origin: link.origin.as_str().into(),
            base: link.base,
            revision: link.revision,
            linked_at,
            agreed_at,
        }
    }
}

/// What came of making two people of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Split {
    /// Who was one.
    #[schema(value_type = i64)]
    pub from: PersonId,
    /// Who the records belong to now.
    #[schema(value_type = i64)]
    pub to: PersonId,
    /// Those records, with what hangs on them.
    pub records: Vec<String>,
    /// How many pending events went with them.
    pub events: u64,
    /// How many links ended.
    pub links: u64,
}

/// Why two people could not be made of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSplit {
    /// The bridge does not know the record.
    #[error("nobody's record is called {0}")]
    Unknown(RecordRef),
    /// They are not one person's to begin with.
    #[error("the records are not all of one person")]
    Several,
    /// Nobody would be left.
    #[error("the person has no other contact, lead or case that would stay")]
    Nothing,
}

/// Whether a record stands for a person; tasks, notes and deals only hang on one.
fn is_person(record: &RecordRef) -> bool {
    matches!(record.kind, RecordKind::Contact | RecordKind::Lead | RecordKind::Case | RecordKind::Client)
}

/// The records that leave: those named, and what hangs on them: a system's tasks, notes and deals go where all of its
/// records of people go, and stay while one of those stays.
pub(super) fn leaving(all: &[RecordRef], named: &[RecordRef]) -> Result<Vec<RecordRef>, CannotSplit> {
    let stays = |record: &RecordRef| !named.contains(record);
    if !all.iter().any(|record| is_person(record) && stays(record)) {
        return Err(CannotSplit::Nothing);
    }
    let leaves_whole = |record: &RecordRef| {
        let mut people =
            all.iter().filter(|other| other.system == record.system && is_person(other)).peekable();
        people.peek().is_some() && !people.any(stays)
    };
    let leaves = |record: &&RecordRef| !stays(record) || !is_person(record) && leaves_whole(record);
    Ok(all.iter().filter(leaves).cloned().collect())
}

/// Whether matching must be told that the two records of an ended link are two people's.
pub(super) fn is_match(highlevel: &RecordRef, casepeer: &RecordRef) -> bool {
    highlevel.kind == RecordKind::Contact && matches!(casepeer.kind, RecordKind::Lead | RecordKind::Case)
}

/// What keeps matching from linking two records again: the other one was shown, and is not the one meant.
pub(super) fn apart(other: &RecordRef) -> Details {
    let shown = Shown { score: Some(0), ..Shown::of(other, &Fields::default()) };
    match other.system {
        crate::domain::System::HighLevel => Details { highlevel: vec![shown], ..Details::default() },
        crate::domain::System::CasePeer => Details { casepeer: vec![shown], ..Details::default() },
    }
}

/// Why such a question is in the queue's past.
pub(super) const APART: &str = "the two were made two people";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_on_records_goes_with_them() {
        let of =
            |list: &[&str]| -> Vec<RecordRef> { list.iter().map(|text| text.parse().unwrap()).collect() };
        let all = of(&[
            "highlevel:contact:c",
            "highlevel:task:t",
            "casepeer:lead:l",
            "casepeer:case:k",
            "casepeer:task:t",
        ]);
        let left = |named: &[&str]| leaving(&all, &of(named));
        assert_eq!(left(&["highlevel:contact:c"]), Ok(of(&["highlevel:contact:c", "highlevel:task:t"])));
        assert_eq!(left(&["casepeer:case:k"]), Ok(of(&["casepeer:case:k"])));
        assert_eq!(
            left(&["casepeer:lead:l", "casepeer:case:k"]),
            Ok(of(&["casepeer:lead:l", "casepeer:case:k", "casepeer:task:t"]))
        );
        assert_eq!(left(&["casepeer:task:t"]), Ok(of(&["casepeer:task:t"])));
        let everybody = ["highlevel:contact:c", "casepeer:lead:l", "casepeer:case:k"];
        assert_eq!(left(&everybody), Err(CannotSplit::Nothing));
    }
}
