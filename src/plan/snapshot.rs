//! Everything a decision may look at.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    Appointment, Contact, Decision, Link, Matter, Note, RecordKind, RecordRef, ReviewKind, Task, Users,
    counterpart,
};
use crate::operations::highlevel::Pipelines;

/// Both systems and the store, as they were when the event was prepared.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was taken.
    pub now: Timestamp,
    /// The firm's HighLevel location.
    pub location: String,
    /// The keys of the location's custom fields of contacts.
    pub custom_fields: BTreeSet<String>,
    /// The users of both systems, if what was seen names one.
    pub users: Users,
    /// The location's businesses, ids and names, if the firm makes any.
    pub businesses: Vec<(String, String)>,
    /// What was seen.
    pub view: View,
    /// What people decided about the questions that this snapshot raises, the newest first.
    pub decisions: Vec<Decision>,
    /// Whether a backfill asks: what it brings in is old.
    pub is_backfill: bool,
}

impl Snapshot {
    /// What was decided last about a question.
    pub fn decision(&self, kind: ReviewKind, subject: &str) -> Option<&Decision> {
        self.decisions.iter().find(|decision| decision.kind == kind && decision.subject == subject)
    }
}

/// What was seen, by what the event is about.
#[derive(Debug, Clone)]
pub enum View {
    /// The record, or its counterpart, was known and has been deleted.
    Gone,
    /// A HighLevel contact.
    Contact(Box<ContactView>),
    /// A CASEpeer lead or case.
    Matter(Box<MatterView>),
    /// The leads and cases of a CASEpeer client.
    Client(Vec<MatterView>),
    /// A task of either side.
    Task(CopyView<Task>),
    /// A note of either side.
    Note(CopyView<Note>),
    /// An appointment in HighLevel.
    Appointment(CopyView<Appointment>),
    /// A contact that was deleted in HighLevel.
    Deleted(DeletedView),
    /// A task or note that was deleted in HighLevel.
    Erased(ErasedView),
}

/// A task or note that was deleted in HighLevel, and its copy.
#[derive(Debug, Clone)]
pub struct ErasedView {
    /// The link to its copy.
    pub link: Option<Link>,
    /// The copy of a task as it is now.
    pub task: Option<Task>,
}

/// A contact that was deleted, or merged into another, and the matters it leaves behind.
#[derive(Debug, Clone)]
pub struct DeletedView {
    /// Which it was.
    pub contact: RecordRef,
    /// Its matters as they are now, each with the contact that HighLevel knows for its person, if any.
    pub orphans: Vec<(Pair, Option<Contact>)>,
}

/// A contact, and what is known of it in CASEpeer.
#[derive(Debug, Clone)]
pub struct ContactView {
    /// The contact as it is now.
    pub contact: Contact,
    /// The matters it is linked to, as they are now.
    pub pairs: Vec<Pair>,
    /// For a contact without a link: leads and cases that name it or share its e-mail or phone.
    pub candidates: Vec<Matter>,
    /// How many more there are that could be its person's.
    pub left_off: usize,
    /// What people decided about who it is, the newest first.
    pub decisions: Vec<Decision>,
    /// For a contact without a link, if the firm makes leads by pipeline: those it has an opportunity in, by name and id.
    pub pipelines: Vec<String>,
    /// For a contact without a link: its open tasks.
    pub tasks: Vec<Task>,
    /// For a contact without a link: its notes.
    pub notes: Vec<Note>,
}

/// A link and the matter at its other end.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The link.
    pub link: Link,
    /// The lead or case as it is now.
    pub matter: Matter,
    /// Which of the person's matters it is.
    pub standing: Standing,
}

/// Which of a person's matters one is. What is a matter's own, such as its type, must not wander from one accident to
/// another by way of the contact they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The only one.
    Only,
    /// The newest of several: the contact shows what is its own.
    Newest,
    /// One that a newer one has taken the place of.
    Older,
}

impl Standing {
    /// Which one this is among the links of a contact.
    pub fn of(matter: &Matter, links: &[Link]) -> Self {
        let same = |record: &RecordRef| {
            [Some(&matter.record), matter.lead.as_ref(), matter.case.as_ref()].contains(&Some(record))
        };
        let is_matter = |link: &&Link| {
            link.is_live() && matches!(link.casepeer.kind, RecordKind::Lead | RecordKind::Case)
        };
        let mut others = links.iter().filter(is_matter).filter(|link| !same(&link.casepeer));
        if others.next().is_none() {
            return Self::Only;
        }
        let newest = links.first().and_then(|link| counterpart(links, &link.highlevel));
        if newest.is_none_or(same) { Self::Newest } else { Self::Older }
    }
}

/// A lead or case, and what is known of its client in HighLevel.
#[derive(Debug, Clone)]
pub struct MatterView {
    /// The lead or case as it is now.
    pub matter: Matter,
    /// Its link, or the link of the lead it began as.
    pub link: Option<Link>,
    /// The contact at the link's other end as it is now.
    pub contact: Option<Contact>,
    /// Which of that contact's matters it is.
    pub standing: Standing,
    /// The links of that contact's other matters.
    pub siblings: Vec<Link>,
    /// For a matter without a link: contacts it names, or that share its e-mail or phone.
    pub candidates: Vec<Contact>,
    /// How many more there are that could be its client's.
    pub left_off: usize,
    /// What people decided about who it is, the newest first.
    pub decisions: Vec<Decision>,
    /// The link of its opportunity.
    pub opportunity: Option<Link>,
    /// The location's pipelines, when the status names one.
    pub pipelines: Option<Pipelines>,
    /// The location's reasons for losing a deal, ids and names, when the case was turned down.
    pub lost_reasons: Vec<(String, String)>,
}

/// A task or note, its copy's link, and whose it is.
#[derive(Debug, Clone)]
pub struct CopyView<Record> {
    /// The record as it is now.
    pub record: Record,
    /// The link to its copy.
    pub link: Option<Link>,
    /// Whether one of our own calls created it.
    pub is_ours: bool,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose a task or note is.
#[derive(Debug, Clone)]
pub enum Owner {
    /// A record with this counterpart on the other side.
    Linked {
        /// The owner on this side.
        here: RecordRef,
        /// The owner on the other side.
        there: RecordRef,
    },
    /// A contact that is not in CASEpeer yet.
    Contact(Box<ContactView>),
    /// A lead or case that is not in HighLevel yet.
    Matter(Box<MatterView>),
    /// Nobody the bridge could find.
    Missing,
}
