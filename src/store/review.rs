//! The review queue: what only a person can decide, and what was decided.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::crypto::{Keyring, Place};
use crate::domain::{
    Decision, Details, EventId, FirmId, Question, Resolution, ReviewAction, ReviewId, ReviewKind,
};

/// Questions and answers. An event that meets a question settles as `in_review`, which also opens the question; an
/// answer puts the events that wait for it back into their lanes, in the order they were received.
#[async_trait]
pub trait Review: Send + Sync {
    /// Asks, or finds that it is being asked already: once at a time for a firm, kind and subject. The event, if one is
    /// given and is settled, then waits for the answer.
    async fn open_review(
        &self,
        firm: &FirmId,
        question: Question,
        event: Option<EventId>,
    ) -> Result<ReviewId, StoreError>;
    /// Questions, the oldest first.
    async fn reviews(&self, filter: ReviewFilter) -> Result<Vec<ReviewRow>, StoreError>;
    /// One question with everything a person needs to see.
    async fn review(&self, id: ReviewId) -> Result<Option<ReviewStory>, StoreError>;
    /// Answers a question. `None` if there is none, `false` if it is answered already.
    async fn resolve_review(
        &self,
        id: ReviewId,
        resolution: &Resolution,
        by: &str,
    ) -> Result<Option<bool>, StoreError>;
    /// Asks a question again that a person answered: the answer stands no more, and what it decided is left as it is.
    /// `None` if there is no such question, `false` if it is open, answered itself, or is asked anew already.
    async fn reopen_review(&self, id: ReviewId) -> Result<Option<bool>, StoreError>;
    /// What was answered to the questions about these subjects, the newest first, at most `MOST_DECISIONS`.
    async fn decisions(&self, firm: &FirmId, subjects: &[String]) -> Result<Vec<Decision>, StoreError>;
    /// How many questions are open, by kind: of these firms, or of all.
    async fn open_reviews(
        &self,
        within: Option<Vec<FirmId>>,
    ) -> Result<BTreeMap<ReviewKind, u64>, StoreError>;
}

/// The statement that asks a question again, given its id.
macro_rules! reopen {
    ($id:literal) => {
        concat!(
            "UPDATE review SET resolved_at = NULL, resolved_by = NULL, action = NULL, sealed_resolution = NULL \
            WHERE id = ", $id, " AND action IS NOT NULL AND NOT EXISTS (SELECT 1 FROM review AS other \
                WHERE other.firm = review.firm AND other.kind = review.kind AND other.subject = review.subject \
                    AND other.resolved_at IS NULL)"
        )
    };
}
pub(super) use reopen;

/// The most answers that are looked at.
pub const MOST_DECISIONS: usize = 32;

/// Who answers a question that answered itself, as when its event found nothing to ask any more.
pub const MOOT: &str = "casebridge";

/// Which questions to list.
#[derive(Debug, Clone, Default)]
pub struct ReviewFilter {
    /// Of this firm only.
    pub firm: Option<FirmId>,
    /// Of these firms only: those that who asks may see; none for all.
    pub within: Option<Vec<FirmId>>,
    /// Of this kind only.
    pub kind: Option<ReviewKind>,
    /// Those that are answered, too.
    pub with_resolved: bool,
    /// Newer than this one: the last of the page before.
    pub after: Option<ReviewId>,
    /// How many.
    pub limit: usize,
}

/// A question in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReviewRow {
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub id: ReviewId,
    /// Whose it is.
    #[schema(value_type = String, example = "acme")]
    pub firm: FirmId,
    /// What is asked.
    #[schema(value_type = String, example = "ambiguous_match")]
    pub kind: ReviewKind,
    /// What names it: the records it is about.
    #[schema(example = "highlevel:contact:nmFmQEsNgz6AVpgLVUJ0")]
    pub subject: String,
    /// Why it is asked.
    pub why: String,
    /// Since when, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// When it was answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// What was answered; none if the question answered itself.
    #[schema(value_type = Option<String>, example = "link")]
    pub action: Option<ReviewAction>,
}

/// A question with everything a person needs to see.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReviewStory {
    /// The question as in a list.
    #[serde(flatten)]
    pub row: ReviewRow,
    /// The events that wait, or waited, for the answer.
    #[schema(value_type = Vec<String>)]
    pub events: Vec<EventId>,
    /// Both sides.
    pub details: Details,
    /// The answer.
    pub resolution: Option<Resolution>,
}

impl ReviewStory {
    /// What was decided; nothing if the question answered itself.
    pub(super) fn decision(self) -> Option<Decision> {
        let ReviewRow { kind, subject, resolved_at, .. } = self.row;
        Some(Decision {
            kind,
            subject,
            details: self.details,
            resolution: self.resolution?,
            at: resolved_at?,
        })
    }
}

/// Where the two sealed columns of a question live.
fn place<'a>(row: &'a str, column: &'static str) -> Place<'a> {
    Place { table: "review", column, row }
}

pub(super) fn seal_details(keyring: &Keyring, id: ReviewId, details: &Details) -> Vec<u8> {
    let plain = serde_json::to_vec(details).expect("details are JSON");
    keyring.seal(place(&id.to_string(), "sealed_details"), &plain)
}

pub(super) fn seal_resolution(keyring: &Keyring, id: ReviewId, resolution: &Resolution) -> Vec<u8> {
    let plain = serde_json::to_vec(resolution).expect("an answer is JSON");
    keyring.seal(place(&id.to_string(), "sealed_resolution"), &plain)
}

/// Opens what is sealed of a question.
pub(super) fn open(
    keyring: &Keyring,
    id: ReviewId,
    details: &[u8],
    resolution: Option<&[u8]>,
) -> Result<(Details, Option<Resolution>), StoreError> {
    let row = id.to_string();
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(format!("a question: {error}"));
    let details = keyring.open(place(&row, "sealed_details"), details)?;
    let details = serde_json::from_slice(&details).map_err(corrupt)?;
    let Some(sealed) = resolution else { return Ok((details, None)) };
    let resolution = keyring.open(place(&row, "sealed_resolution"), sealed)?;
    Ok((details, Some(serde_json::from_slice(&resolution).map_err(corrupt)?)))
}

/// The reason of an event that waits for answers.
pub(super) fn reason(questions: &[Question]) -> String {
    questions.iter().map(|question| question.why.as_str()).collect::<Vec<_>>().join("; ")
}
