//! What people do at the console or through the API: each is allowed by role and firm, done, and written down.
//!
//! What belongs to a firm that somebody may not see is not there for them.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Bridge, CannotResolve};
use crate::domain::{Actor, Deed, Details, EventId, FirmId, PersonId, RecordRef, Resolution, ReviewId, Role};
use crate::operations::Effect;
use crate::operations::catalog::{Entry, System};
use crate::store::{AuditEntry, EventStory, PersonStory, ReviewRow, ReviewStory, StoreError};

use crate::vendors::{Exchange, Surface, action};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// There is no such thing, or none that who asks may see.
    #[error("there is nothing here")]
    NotThere,
    /// Who asks may see it, and no more.
    #[error("this takes the role {0}")]
    NotAllowed(Role),
    /// It is not possible now.
    #[error("{0}")]
    Conflict(String),
    /// It was asked in a way that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CannotResolve> for NotDone {
    fn from(why: CannotResolve) -> Self {
        match why {
            CannotResolve::NoReview => Self::NotThere,
            CannotResolve::Resolved => Self::Conflict("The question is answered already.".into()),
            CannotResolve::Answer(why) => Self::Invalid(why),
            CannotResolve::Store(error) => Self::Store(error),
        }
    }
}

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 1_000;

/// A reason in a few words.
pub(super) fn reason(text: &str, for_what: &str) -> Result<String, NotDone> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NotDone::Invalid(format!("`reason` is empty: say in a few words {for_what}")));
    }
    if text.len() > LONGEST_REASON {
        return Err(NotDone::Invalid(format!("a reason has at most {LONGEST_REASON} bytes")));
    }
    Ok(text.to_owned())
}

pub(super) fn allow(actor: &Actor, needed: Role, firm: &FirmId) -> Result<(), NotDone> {
    match (actor.may(needed, firm), actor.reach.covers(firm)) {
        (true, _) => Ok(()),
        (false, true) => Err(NotDone::NotAllowed(needed)),
        (false, false) => Err(NotDone::NotThere),
    }
}

impl Bridge {
    /// An event's story for somebody who may see it.
    pub async fn event_for(&self, actor: &Actor, id: EventId) -> Result<EventStory, NotDone> {
        let story = self.store.event(id).await?.ok_or(NotDone::NotThere)?;
        allow(actor, Role::Viewer, &story.row.firm)?;
        Ok(story)
    }

    /// A question for somebody who may see it; what both sides say of the person only for those who may decide.
    pub async fn review_for(&self, actor: &Actor, id: ReviewId) -> Result<ReviewStory, NotDone> {
        let mut story = self.store.review(id).await?.ok_or(NotDone::NotThere)?;
        allow(actor, Role::Viewer, &story.row.firm)?;
        if !actor.may(Role::Operator, &story.row.firm) {
            (story.details, story.resolution) = (Details::default(), None);
        }
        Ok(story)
    }

    /// Puts a settled event at the tail of its person's lane.
    pub async fn replay_as(&self, actor: &Actor, id: EventId) -> Result<EventStory, NotDone> {
        let firm = self.event_for(actor, id).await?.row.firm;
        allow(actor, Role::Operator, &firm)?;
        let replayed = match self.replay(id).await {
            Err(StoreError::Gone(why)) => return Err(NotDone::Conflict(format!("{why}."))),
            other => other?,
        };
        match replayed {
            None => return Err(NotDone::NotThere),
            Some(false) => return Err(NotDone::Conflict("The event is not settled yet.".into())),
            Some(true) => {}
        }
        self.store.note_deed(AuditEntry::new(&actor.name, Deed::Replayed).at(&firm).about(id)).await?;
        self.event_for(actor, id).await
    }

    /// Settles an undelivered event as needing no effect.
    pub async fn discard_as(&self, actor: &Actor, id: EventId, why: &str) -> Result<(), NotDone> {
        let firm = self.event_for(actor, id).await?.row.firm;
        allow(actor, Role::Operator, &firm)?;
        let why = reason(why, "why the event needs no effect")?;
        match self.store.discard(id, &why).await? {
            None => return Err(NotDone::NotThere),
            Some(false) => {
                return Err(NotDone::Conflict("Only an undelivered event can be discarded.".into()));
            }
            Some(true) => {}
        }
        let deed = AuditEntry::new(&actor.name, Deed::Discarded).at(&firm).about(id).because(why);
        Ok(self.store.note_deed(deed).await?)
    }

    /// What a webhook carried, to somebody who says why they need to see it. It is written down first.
    pub async fn reveal_as(&self, actor: &Actor, id: EventId, why: &str) -> Result<Option<Vec<u8>>, NotDone> {
        let firm = self.event_for(actor, id).await?.row.firm;
        allow(actor, Role::Operator, &firm)?;
        let why = reason(why, "why you need to see it")?;
        let deed = AuditEntry::new(&actor.name, Deed::Revealed).at(&firm).about(id).because(why);
        self.store.note_deed(deed).await?;
        Ok(self.store.payload(id).await?)
    }

    /// Answers a question.
    pub async fn resolve_as(
        &self,
        actor: &Actor,
        id: ReviewId,
        answer: Resolution,
    ) -> Result<ReviewRow, NotDone> {
        let firm = self.review_for(actor, id).await?.row.firm;
        allow(actor, Role::Operator, &firm)?;
        let action = answer.action;
        let row = self.resolve(id, answer, &actor.name).await?;
        let deed = AuditEntry::new(&actor.name, Deed::Resolved).at(&firm);
        self.store.note_deed(deed.about(format!("{id}: {action}"))).await?;
        Ok(row)
    }

    /// Keeps a firm's events without working on them.
    pub async fn pause_as(&self, actor: &Actor, firm: &FirmId, why: &str) -> Result<(), NotDone> {
        self.known_firm(actor, Role::Operator, firm)?;
        let why = reason(why, "why the firm is paused")?;
        self.store.pause(firm, &why).await?;
        let deed = AuditEntry::new(&actor.name, Deed::Paused).at(firm).because(why);
        Ok(self.store.note_deed(deed).await?)
    }

    /// Lets a parked firm's events go on.
    pub async fn resume_as(&self, actor: &Actor, firm: &FirmId) -> Result<(), NotDone> {
        self.known_firm(actor, Role::Operator, firm)?;
        self.store.resume(firm).await?.ok_or_else(|| NotDone::Conflict("The firm is not parked.".into()))?;
        self.ring();
        Ok(self.store.note_deed(AuditEntry::new(&actor.name, Deed::Resumed).at(firm)).await?)
    }

    /// A link by which a firm is connected to one of the systems, once; until when.
    pub async fn connect_link_as(
        &self,
        actor: &Actor,
        id: &FirmId,
        surface: Surface,
    ) -> Result<(String, Timestamp), NotDone> {
        self.known_firm(actor, Role::Admin, id)?;
        let firm = self.firms.find(id).ok_or(NotDone::NotThere)?;
        let is_by_browser = match surface {
            Surface::HighLevel | Surface::WhiteLabel => firm.is_connected_by_browser,
            Surface::CasePeer => firm.account.is_some(),
        };
        if !is_by_browser {
            let why = "The firm is connected by a token from the configuration.";
            return Err(NotDone::Conflict(why.into()));
        }
        let link = self.connections().make_link(surface, id).await?;
        self.store.note_deed(AuditEntry::new(&actor.name, Deed::LinkMade).at(id)).await?;
        Ok(link)
    }

    /// Makes one person of two of the same firm; which stays.
    pub async fn merge_as(
        &self,
        actor: &Actor,
        one: &PersonStory,
        other: &PersonStory,
    ) -> Result<PersonId, NotDone> {
        allow(actor, Role::Operator, &one.firm)?;
        if one.id == other.id || one.firm != other.firm {
            return Err(NotDone::Invalid("Two people of one firm can be made one.".into()));
        }
        let stays = self.store.merge_people(one.id, other.id).await?.ok_or(NotDone::NotThere)?;
        let deed = AuditEntry::new(&actor.name, Deed::Merged).at(&one.firm);
        self.store.note_deed(deed.about(format!("people {} and {}", one.id, other.id))).await?;
        Ok(stays)
    }

    /// Makes two people of one; for whom the records left.
    pub async fn split_as(
        &self,
        actor: &Actor,
        firm: &FirmId,
        records: &[RecordRef],
    ) -> Result<PersonId, NotDone> {
        self.known_firm(actor, Role::Operator, firm)?;
        let split = self.store.split_person(firm, records, &actor.name).await?;
        let split = split.map_err(|why| NotDone::Conflict(format!("{why}.")))?;
        self.ring();
        let deed = AuditEntry::new(&actor.name, Deed::Split).at(firm).about(split.records.join(", "));
        self.store.note_deed(deed).await?;
        Ok(split.to)
    }

    /// Calls an action of the catalog for a firm. What is wrong with what was given, or what came of the call.
    pub async fn call_as(
        &self,
        actor: &Actor,
        firm: &FirmId,
        entry: &'static Entry,
        given: &Map<String, Value>,
    ) -> Result<Result<Exchange, String>, NotDone> {
        self.known_firm(actor, Role::Operator, firm)?;
        let firm = self.firms.find(firm).ok_or(NotDone::NotThere)?;
        let request = match entry.request_for(given, &firm.location, firm.casepeer.profile()) {
            Ok(request) => request,
            Err(wrong) => return Ok(Err(wrong.to_string())),
        };
        // Before it is sent: what was done must not go unnoted.
        self.store
            .note_deed(AuditEntry::new(&actor.name, Deed::Called).at(&firm.id).about(&entry.id))
            .await?;
        let is_create = entry.system == System::CasePeer && entry.effect == Effect::Create;
        let key = is_create.then(|| Uuid::now_v7().to_string());
        Ok(Ok(action::run(entry.system, &request, &firm.highlevel, &firm.casepeer, key.as_deref()).await))
    }

    /// A firm that there is, for somebody who may do there what takes this role.
    pub fn known_firm(&self, actor: &Actor, needed: Role, firm: &FirmId) -> Result<(), NotDone> {
        if self.firms.find(firm).is_none() {
            return Err(NotDone::NotThere);
        }
        allow(actor, needed, firm)
    }
}
