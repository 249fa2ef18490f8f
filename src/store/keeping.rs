//! How long what is stored about people is kept: deleted by class when its time is over, held back for the law, handed
//! out and erased for a person.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ReviewStory, StoreError};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, FirmId, PersonId, RecordRef};

/// What is kept, and for how long.
#[async_trait]
pub trait Keeping: Send + Sync {
    /// Deletes up to a batch of a firm's values of this class that are older than a moment, after this cursor. What a
    /// legal hold is about stays, and so does what is not settled: its work needs it.
    async fn let_go(
        &self,
        firm: &FirmId,
        class: Kept,
        before: Timestamp,
        after: Option<String>,
    ) -> Result<LetGo, StoreError>;
    /// Has the database give up the bytes of what was deleted, as far as it can: SQLite's log is folded in and cut off;
    /// PostgreSQL takes dead rows out of its pages, whose bytes it overwrites when it needs the room.
    async fn wipe(&self) -> Result<(), StoreError>;
    /// Keeps everything about a person until the hold is released. None if there is no such person.
    async fn hold(&self, person: PersonId, why: &str, by: &str) -> Result<Option<Hold>, StoreError>;
    /// Ends every hold on a person; how many those were.
    async fn release_holds(&self, person: PersonId, by: &str) -> Result<u64, StoreError>;
    /// Every hold, the oldest first; of a person, if one is given.
    async fn holds(&self, person: Option<PersonId>) -> Result<Vec<Hold>, StoreError>;
    /// What is kept about a person besides their story. None if there is no such person.
    async fn papers(&self, person: PersonId) -> Result<Option<Papers>, StoreError>;
    /// Deletes what is kept about a person, all at once. Pending events end as discarded. What stays names the records
    /// only: keys that keep a delivery from being taken, and an effect from being achieved, twice.
    async fn erase(&self, person: PersonId, by: &str) -> Result<Result<Erased, CannotErase>, StoreError>;
}

/// How many values one step deletes: few enough that nobody waits for it.
pub(super) const BATCH: usize = 500;

/// What has a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Webhooks' bodies, by receipt.
    Payloads,
    /// Bodies of requests that were carried out, by then.
    Requests,
    /// Events with their plans and calls, questions that answered themselves, days of the loss meter.
    History,
}

/// What a step deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetGo {
    /// How many values.
    pub count: u64,
    /// Where to go on; none if the class is done.
    pub next: Option<String>,
}

/// The states of an event that nobody works on again unless it is replayed. Spelt as in SQL.
pub(super) const OVER: &str = "'done', 'nothing_to_do', 'superseded', 'discarded', 'undelivered'";

/// The numbers of everybody whom a hold is about: of the person, and of all who are one with them.
pub(super) const HELD: &str = "WITH RECURSIVE up (id) AS (
        SELECT legal_hold_person.person FROM legal_hold_person
        JOIN legal_hold ON legal_hold.id = legal_hold_person.hold WHERE legal_hold.released_at IS NULL
        UNION SELECT person.merged_into FROM up JOIN person ON person.id = up.id WHERE person.merged_into IS NOT NULL),
    tree (id) AS (
        SELECT id FROM up UNION SELECT person.id FROM tree JOIN person ON person.merged_into = tree.id)
    SELECT id FROM tree";

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub firm: FirmId,
    /// Whom it is about.
    pub people: Vec<PersonId>,
    /// Why, in the words of who placed it.
    pub why: String,
    /// Since when.
    pub held_at: Timestamp,
    /// By whom.
    pub held_by: String,
    /// Until when.
    pub released_at: Option<Timestamp>,
    /// Who ended it.
    pub released_by: Option<String>,
}

fn why_place(row: &str) -> Place<'_> {
    Place { table: "legal_hold", column: "sealed_why", row }
}

pub(super) fn seal_why(keyring: &Keyring, id: Uuid, why: &str) -> Vec<u8> {
    keyring.seal(why_place(&id.to_string()), why.as_bytes())
}

pub(super) fn open_why(keyring: &Keyring, id: Uuid, sealed: &[u8]) -> Result<String, StoreError> {
    let plain = keyring.open(why_place(&id.to_string()), sealed)?;
    String::from_utf8(plain).map_err(|_| StoreError::Corrupt("a hold's reason is not text".into()))
}

/// What is kept about a person besides their story.
#[derive(Debug, Clone)]
pub struct Papers {
    /// Every event, the oldest first.
    pub events: Vec<EventId>,
    /// What was sent, or was about to be.
    pub requests: Vec<SentRequest>,
    /// Questions that show one of their records.
    pub reviews: Vec<ReviewStory>,
}

/// A request whose body is kept.
#[derive(Clone, Serialize)]
pub struct SentRequest {
    /// What it was to achieve.
    pub effect: String,
    /// What was asked of the vendor.
    pub operation: String,
    /// When it was written down.
    pub begun_at: Timestamp,
    /// When it was carried out.
    pub completed_at: Option<Timestamp>,
    /// The record that came of it.
    pub result: Option<String>,
    /// Its body; none once that was deleted.
    #[serde(skip)]
    pub body: Option<Vec<u8>>,
}

impl std::fmt::Debug for SentRequest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SentRequest").field("effect", &self.effect).finish_non_exhaustive()
    }
}

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// The erasure's id, under which the store remembers it.
    pub id: Uuid,
    /// Whose person.
    pub firm: FirmId,
    /// Their number.
    pub person: PersonId,
    /// The records they had, which the store does not remember.
    pub records: Vec<String>,
    /// When.
    pub erased_at: Timestamp,
    /// Who asked for it.
    pub erased_by: String,
    /// How much.
    pub erased: ErasedCounts,
}

/// How much was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedCounts {
    /// Events that lost what they were about.
    pub events: u64,
    /// Of these, those that were not settled yet.
    pub discarded: u64,
    /// Bodies of webhooks.
    pub payloads: u64,
    /// Bodies of requests.
    pub requests: u64,
    /// Records of calls.
    pub calls: u64,
    /// Links with what both sides agreed on.
    pub links: u64,
    /// Questions that showed one of the records.
    pub reviews: u64,
}

/// Why nobody was erased.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotErase {
    /// Nobody has this number.
    #[error("there is no such person")]
    NotThere,
    /// The law comes first.
    #[error("the person is under legal hold since {}", .0.held_at)]
    Held(Box<Hold>),
    /// What it is about to write would come after.
    #[error("one of the person's events is being worked on at this moment")]
    AtWork,
}

/// Whether a question shows one of these records, as what it is about or as a candidate.
pub(super) fn shows(review: &ReviewStory, records: &[RecordRef]) -> bool {
    let about = |record: &RecordRef| {
        let name = record.to_string();
        review.row.subject.split(' ').any(|part| part == name)
    };
    let sides = review.details.highlevel.iter().chain(&review.details.casepeer);
    records.iter().any(about) || sides.into_iter().any(|shown| records.contains(&shown.record))
}
