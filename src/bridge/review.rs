//! Answering a question: the answer is checked against what was shown, then the events that wait for it go on.

use crate::domain::{Resolution, ReviewId};
use crate::store::{ReviewRow, SharedStore, StoreError};

use super::Bridge;

/// Why a question could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum CannotResolve {
    /// There is no such question.
    #[error("there is no such question")]
    NoReview,
    /// Somebody was quicker, or it answered itself.
    #[error("it is answered already")]
    Resolved,
    /// The answer does not fit.
    #[error("{0}")]
    Answer(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The longest note and name that are kept, in bytes.
const LONGEST_TEXT: usize = 2000;

impl Bridge {
    /// Answers a question, and wakes the worker; the question as it stands then.
    pub async fn resolve(
        &self,
        id: ReviewId,
        answer: Resolution,
        by: &str,
    ) -> Result<ReviewRow, CannotResolve> {
        let row = resolve(&self.store, id, answer, by).await?;
        self.ring();
        Ok(row)
    }
}

/// Answers a question; the question as it stands then.
pub async fn resolve(
    store: &SharedStore,
    id: ReviewId,
    answer: Resolution,
    by: &str,
) -> Result<ReviewRow, CannotResolve> {
    let story = store.review(id).await?.ok_or(CannotResolve::NoReview)?;
    if story.row.resolved_at.is_some() {
        return Err(CannotResolve::Resolved);
    }
    if answer.note.as_ref().is_some_and(|note| note.len() > LONGEST_TEXT) || by.len() > LONGEST_TEXT {
        return Err(CannotResolve::Answer(format!("a note has at most {LONGEST_TEXT} bytes")));
    }
    let answer = answer.checked(story.row.kind, &story.details).map_err(CannotResolve::Answer)?;
    match store.resolve_review(id, &answer, by).await? {
        None => Err(CannotResolve::NoReview),
        Some(false) => Err(CannotResolve::Resolved),
        Some(true) => Ok(store.review(id).await?.ok_or(CannotResolve::NoReview)?.row),
    }
}
