//! Taking an answer back: what was done for it is undone where that is possible, and the question is asked again as it
//! stands today. What a vendor has created stays there: the bridge deletes nothing, and says what is left.

use std::collections::BTreeMap;

use super::Bridge;
use super::desk::{NotDone, allow};
use crate::domain::{
    Actor, Decision, Deed, Details, FirmId, PersonId, Question, RecordKind, RecordRef, Resolution,
    ReviewAction, ReviewId, ReviewKind, Role, Shown, System,
};
use crate::plan::matching::match_subject;
use crate::store::{AuditEntry, ReviewFilter, ReviewStory, StoreError};

/// What came of taking an answer back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// Two people again: for whom the record left.
    Split(PersonId),
    /// The record that was made for the answer is left alone from now on, and the question is asked again: which record,
    /// and whom it belongs to now.
    Unlinked(RecordRef, PersonId),
    /// What was overwritten is put back, and the question is asked again.
    PutBack,
    /// The question is asked again.
    AskedAgain,
}

/// How an answer can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undoing {
    /// Two people are made of the one.
    Split,
    /// The record that was made is parted from the one it was made for.
    Unlink,
    /// The overwritten values are put back.
    PutBack,
    /// The question is asked again: nothing was done for the answer.
    AskAgain,
}

/// How this answer can be taken back; what to do instead, if it cannot.
pub fn undoing(kind: ReviewKind, action: Option<ReviewAction>) -> Result<Undoing, &'static str> {
    use ReviewAction::{Create, Done, Ignore, Link, PutBack, Retry, UseCasepeer, UseHighlevel};
    match (kind, action) {
        (_, None) => Err("It answered itself: there is nothing to take back."),
        (_, Some(PutBack)) => {
            Err("This took an earlier answer back: decide on the question that is asked again.")
        }
        (ReviewKind::AmbiguousMatch, Some(Link)) => Ok(Undoing::Split),
        (ReviewKind::AmbiguousMatch, Some(Create)) => Ok(Undoing::Unlink),
        (ReviewKind::Conflict, Some(UseHighlevel | UseCasepeer)) => Ok(Undoing::PutBack),
        (ReviewKind::AmbiguousMatch | ReviewKind::Conflict, Some(Ignore)) => Ok(Undoing::AskAgain),
        (ReviewKind::AmbiguousCreate, Some(Link)) => Err(
            "The record counts as the one that was made, and what followed was built on it. It cannot be taken back from \
             here: if it is somebody else's, part the two on the person's page.",
        ),
        (ReviewKind::AmbiguousCreate, Some(Create)) => Err(
            "It was created a second time, and what a vendor has created only a person can delete there. It cannot be \
             taken back from here: delete the one of the two that is not needed, in the system itself.",
        ),
        (ReviewKind::OverdueHandOff, Some(Retry)) => Err(
            "It was sent a second time, and what was sent cannot be called back. It cannot be taken back from here: if it \
             is there twice, delete one of the two in CASEpeer.",
        ),
        (ReviewKind::OverdueHandOff, Some(Done)) => Err(
            "It counts as arrived, and what followed was built on it. It cannot be taken back from here: if it did not \
             arrive, enter it in CASEpeer by hand.",
        ),
        (ReviewKind::HopBudget | ReviewKind::RuleBudget, Some(Retry)) => Err(
            "The writes that waited were made. They cannot be taken back from here: change the values back in either \
             system, and the other follows.",
        ),
        _ => Err(
            "It was left undone, and its event is settled. That cannot be taken back from here: replay the event below, \
             and it is tried again.",
        ),
    }
}

/// Why the queue's past has a question about a record that was made by mistake.
const MADE_BY_MISTAKE: &str = "it was created for an answer that was taken back, and is left alone";

/// Why a person reads of an answer that was taken back.
const TAKEN_BACK: &str = "an answer was taken back: what it overwrote is put back, and it is asked again";

fn not_now(why: impl Into<String>) -> NotDone {
    NotDone::Conflict(why.into())
}

impl Bridge {
    /// Takes an answer back.
    pub async fn undo_as(&self, actor: &Actor, id: ReviewId) -> Result<Undone, NotDone> {
        let story = self.review_for(actor, id).await?;
        let firm = story.row.firm.clone();
        allow(actor, Role::Operator, &firm)?;
        let how = undoing(story.row.kind, story.row.action).map_err(not_now)?;
        let resolution = story.resolution.clone().ok_or_else(|| not_now("There is nothing to take back."))?;
        let undone = match (how, resolution.record) {
            (Undoing::Split, Some(record)) => Undone::Split(self.part(&firm, &record, actor).await?),
            (Undoing::Split, None) => return Err(not_now("There is nothing to take back.")),
            (Undoing::Unlink, _) => self.unlink(actor, &story).await?,
            (Undoing::PutBack, _) => self.put_back(actor, &story).await?,
            (Undoing::AskAgain, _) => {
                self.ask_again(&story).await?;
                Undone::AskedAgain
            }
        };
        self.ring();
        self.store.note_deed(AuditEntry::new(&actor.name, Deed::Undone).at(&firm).about(id)).await?;
        Ok(undone)
    }

    async fn part(&self, firm: &FirmId, record: &RecordRef, actor: &Actor) -> Result<PersonId, NotDone> {
        let split = self.store.split_person(firm, std::slice::from_ref(record), &actor.name).await?;
        Ok(split.map_err(|why| not_now(format!("It cannot be taken back now: {why}.")))?.to)
    }

    /// Asks the same question again, and has its events worked on anew.
    async fn ask_again(&self, story: &ReviewStory) -> Result<(), NotDone> {
        if self.store.reopen_review(story.row.id).await? != Some(true) {
            return Err(not_now("The question is asked again already."));
        }
        self.replay_all(story).await;
        Ok(())
    }

    async fn replay_all(&self, story: &ReviewStory) {
        for event in &story.events {
            // One that waits for something else meets the question when it goes on; one whose body is gone leaves it to
            // be answered without.
            if let Err(error) = self.replay(*event).await {
                tracing::info!(%event, "not worked on again for a question that is asked again: {error}");
            }
        }
    }

    /// Parts the record that was made from the one it was made for, has it left alone, and asks again who that one is.
    async fn unlink(&self, actor: &Actor, story: &ReviewStory) -> Result<Undone, NotDone> {
        let firm = &story.row.firm;
        let Some((asked, made)) = self.made_for(story).await? else {
            // Nothing was created yet: there is nothing to leave behind.
            self.ask_again(story).await?;
            return Ok(Undone::AskedAgain);
        };
        let whose = self.part(firm, &made, actor).await?;
        let candidate = Shown { score: Some(0), ..Shown::of(&asked, &Default::default()) };
        let mut details = Details::default();
        for shown in [candidate, Shown::of(&made, &Default::default())] {
            match shown.record.system {
                System::HighLevel => details.highlevel.push(shown),
                System::CasePeer => details.casepeer.push(shown),
            }
        }
        let (kind, subject) = (ReviewKind::AmbiguousMatch, match_subject(&made));
        let left = Question { kind, subject, why: MADE_BY_MISTAKE.into(), details };
        let left = self.store.open_review(firm, left, None).await?;
        self.store.resolve_review(left, &Resolution::new(ReviewAction::Ignore), &actor.name).await?;
        self.ask_again(story).await?;
        Ok(Undone::Unlinked(made, whose))
    }

    /// The record that was in question, and the one that was made for it since; nothing if none was.
    async fn made_for(&self, story: &ReviewStory) -> Result<Option<(RecordRef, RecordRef)>, StoreError> {
        let details = &story.details;
        let shown = || details.highlevel.iter().chain(&details.casepeer);
        let Some(asked) = shown().find(|shown| shown.score.is_none()).map(|shown| shown.record.clone())
        else {
            return Ok(None);
        };
        let links = self.store.links_of(&story.row.firm, std::slice::from_ref(&asked)).await?;
        let others = links.iter().filter(|link| link.is_live()).map(|link| match asked.system {
            System::HighLevel => &link.casepeer,
            System::CasePeer => &link.highlevel,
        });
        let is_person = |record: &&RecordRef| {
            matches!(record.kind, RecordKind::Contact | RecordKind::Lead | RecordKind::Case)
        };
        let made = others.filter(is_person).find(|record| shown().all(|shown| shown.record != **record));
        Ok(made.cloned().map(|made| (asked, made)))
    }

    /// Has what the answer overwrote put back by the events that asked, which then ask again.
    async fn put_back(&self, actor: &Actor, story: &ReviewStory) -> Result<Undone, NotDone> {
        let (row, firm) = (&story.row, &story.row.firm);
        self.is_the_last_word(story).await?;
        let mut has_event = false;
        for event in &story.events {
            has_event |= self.store.payload(*event).await?.is_some();
        }
        if !has_event {
            return Err(not_now(
                "The webhook that raised the question is no longer kept, so that nothing can be worked on again for it: \
                 change the values back in either system, and the other follows.",
            ));
        }
        let resolution = story.resolution.as_ref().expect("an answer was given");
        let whole = match resolution.action {
            ReviewAction::UseHighlevel => System::HighLevel,
            _ => System::CasePeer,
        };
        let stands = |field: &String| resolution.fields.get(field).copied().unwrap_or(whole);
        let fields: BTreeMap<String, System> =
            story.details.differences.iter().map(|one| (one.field.clone(), stands(&one.field))).collect();
        let question = Question {
            kind: row.kind,
            subject: row.subject.clone(),
            why: TAKEN_BACK.into(),
            details: story.details.clone(),
        };
        let back = self.store.open_review(firm, question, None).await?;
        let answer = Resolution { fields, ..Resolution::new(ReviewAction::PutBack) };
        self.store.resolve_review(back, &answer, &actor.name).await?;
        self.replay_all(story).await;
        Ok(Undone::PutBack)
    }

    /// Refuses to take back what was asked or decided anew since.
    async fn is_the_last_word(&self, story: &ReviewStory) -> Result<(), NotDone> {
        let (row, firm) = (&story.row, &story.row.firm);
        let filter = ReviewFilter {
            firm: Some(firm.clone()),
            kind: Some(row.kind),
            limit: usize::MAX,
            ..ReviewFilter::default()
        };
        let open = self.store.reviews(filter).await?;
        if open.iter().any(|one| one.subject == row.subject) {
            return Err(not_now("The same is asked anew already: decide on that question."));
        }
        let decisions = self.store.decisions(firm, std::slice::from_ref(&row.subject)).await?;
        let newest = decisions.iter().find(|one| one.kind == row.kind);
        let is_this = |newest: &Decision| {
            Some(newest.at) == row.resolved_at && Some(newest.resolution.action) == row.action
        };
        match newest.is_some_and(is_this) {
            true => Ok(()),
            false => Err(not_now(
                "Something newer was decided about the same two records, or it was taken back already.",
            )),
        }
    }
}
