//! Records of both systems, as the bridge understands them: only what a decision may look at.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Fields, Link, RecordKind, RecordRef};

/// A HighLevel contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Which one.
    pub record: RecordRef,
    /// Who it is.
    pub fields: Fields,
    /// Its tags, as spelt in HighLevel.
    pub tags: Vec<String>,
    /// Where the lead came from, in HighLevel's words.
    pub source: Option<String>,
    /// When HighLevel says it was added.
    pub added_at: Option<Timestamp>,
    /// When HighLevel says it was changed last; its tasks and notes do not count there.
    pub updated_at: Option<Timestamp>,
    /// Custom fields by key, where the location's definitions name one.
    pub custom: BTreeMap<String, String>,
    /// The business it belongs to.
    pub business: Option<String>,
    /// The user it is assigned to.
    pub assignee: Option<String>,
}

impl Contact {
    /// A contact of which nothing is known yet.
    pub fn new(record: RecordRef) -> Self {
        Self {
            record,
            fields: Fields::default(),
            tags: Vec::new(),
            source: None,
            added_at: None,
            updated_at: None,
            custom: BTreeMap::new(),
            business: None,
            assignee: None,
        }
    }
}

/// A CASEpeer lead or case: in the law's word, a matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// Which one; a lead or a case.
    pub record: RecordRef,
    /// The lead a case began as.
    pub lead: Option<RecordRef>,
    /// The case a lead became.
    pub case: Option<RecordRef>,
    /// The person, who may have other matters too.
    pub client: Option<RecordRef>,
    /// What the creator called it; ours names the contact (see [`external_ref`]).
    pub external_ref: Option<String>,
    /// Who the client is.
    pub fields: Fields,
    /// Status, in the firm's own words.
    pub status: Option<String>,
    /// Type of case, in the firm's own words.
    pub case_type: Option<String>,
    /// Where the lead came from.
    pub source: Option<String>,
    /// When the firm was retained: the person has signed.
    pub retained_at: Option<String>,
    /// Whether this is only what a webhook told: what is missing is unknown, not empty.
    pub is_told: bool,
    /// Why the firm turned it down, in the firm's words.
    pub reject_reason: Option<String>,
    /// Who works on it: users by role.
    pub assignees: BTreeMap<String, String>,
    /// Values of the firm's own fields by key.
    pub custom: BTreeMap<String, String>,
    /// When CASEpeer says it was changed last.
    pub updated_at: Option<Timestamp>,
    /// Tag that a write must carry so as not to overwrite somebody else's (RFC 9110 section 13.1.1).
    pub version: Option<String>,
}

impl Matter {
    /// The matter at the end of a link, where it cannot be read: what both sides agreed on last is all that is known.
    pub fn as_agreed(link: &Link) -> Self {
        Self { fields: link.base.fields.clone(), ..Self::new(link.casepeer.clone()) }
    }

    /// A lead or case of which nothing is known yet.
    pub fn new(record: RecordRef) -> Self {
        Self {
            record,
            lead: None,
            case: None,
            client: None,
            external_ref: None,
            fields: Fields::default(),
            status: None,
            case_type: None,
            source: None,
            retained_at: None,
            is_told: false,
            reject_reason: None,
            assignees: BTreeMap::new(),
            custom: BTreeMap::new(),
            updated_at: None,
            version: None,
        }
    }

    /// The record whose name stands for the whole matter: the lead it began as, else itself.
    pub fn root(&self) -> &RecordRef {
        self.lead.as_ref().unwrap_or(&self.record)
    }
}

/// A task on either side.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    /// Which one.
    pub record: RecordRef,
    /// Whose it is: a contact, a lead or a case.
    pub owner: Option<RecordRef>,
    /// What to do, in a line.
    pub title: String,
    /// More about it.
    pub body: Option<String>,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// When it is due, as CASEpeer wrote it, where that is a day or has no time zone.
    pub due_text: Option<String>,
    /// CASEpeer's priority.
    pub priority: Option<String>,
    /// The user who is to do it.
    pub assignee: Option<String>,
    /// Whether it is done.
    pub is_completed: bool,
    /// What the creator called it.
    pub external_ref: Option<String>,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Titles and bodies are free text about people.
        write!(out, "Task({}, completed: {})", self.record, self.is_completed)
    }
}

/// A note on either side.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Which one.
    pub record: RecordRef,
    /// Whose it is: a contact, a lead or a case.
    pub owner: Option<RecordRef>,
    /// What it says.
    pub body: String,
    /// CASEpeer's category.
    pub category: Option<String>,
    /// What the creator called it.
    pub external_ref: Option<String>,
    /// The user who wrote it.
    pub author: Option<String>,
    /// When it was written.
    pub added_at: Option<Timestamp>,
}

/// An appointment in HighLevel.
#[derive(Clone, PartialEq, Eq)]
pub struct Appointment {
    /// Which one.
    pub record: RecordRef,
    /// Whose it is.
    pub owner: Option<RecordRef>,
    /// What it is called.
    pub title: String,
    /// `confirmed`, `cancelled` and the like.
    pub status: Option<String>,
    /// When it begins.
    pub starts_at: Option<Timestamp>,
}

impl std::fmt::Debug for Appointment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Appointment({}, status: {:?})", self.record, self.status)
    }
}

impl std::fmt::Debug for Note {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Note({}, category: {:?})", self.record, self.category)
    }
}

/// Where a deal stands (HighLevel's `status` of an opportunity).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpportunityStatus {
    /// Being worked on.
    Open,
    /// The person signed.
    Won,
    /// The firm declined or the person left.
    Lost,
    /// Nobody pursues it.
    Abandoned,
}

/// The deal that stands for a case in a HighLevel pipeline, with vendor ids.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Opportunity {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub stage: String,
    /// Open, won, lost or abandoned.
    pub status: OpportunityStatus,
    /// Why it was lost: HighLevel's id of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_reason: Option<String>,
}

/// How we name a HighLevel record inside CASEpeer: `ghl:{location}:{id}`.
pub fn external_ref(location: &str, id: &str) -> String {
    format!("ghl:{location}:{id}")
}

/// The contact that an external reference of ours names, if it is one of this location.
pub fn parse_external_ref(reference: &str, location: &str, kind: RecordKind) -> Option<RecordRef> {
    let id = reference.strip_prefix("ghl:")?.strip_prefix(location)?.strip_prefix(':')?;
    (!id.is_empty()).then(|| RecordRef::highlevel(kind, id))
}
