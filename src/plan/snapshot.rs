//! Everything a decision may look at.

use jiff::Timestamp;

use crate::domain::{Contact, Decision, Link, Matter, Note, RecordRef, ReviewKind, Task};
use crate::operations::highlevel::Pipelines;

/// Both systems and the store, as they were when the event was prepared.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was taken.
    pub now: Timestamp,
    /// The firm's HighLevel location.
    pub location: String,
    /// What was seen.
    pub view: View,
    /// What people decided about the questions that this snapshot raises, the newest first.
    pub decisions: Vec<Decision>,
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
    /// A task of either side.
    Task(CopyView<Task>),
    /// A note of either side.
    Note(CopyView<Note>),
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
