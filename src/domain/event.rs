//! What happened, in the past tense. No vendor's name for a type and no JSON value travels further than this.

use jiff::Timestamp;

use super::{EventId, FirmId, RecordRef, System};

/// One thing that happened in one of the systems, as a webhook told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The webhook that told it.
    pub id: EventId,
    /// Whose it is.
    pub firm: FirmId,
    /// Where it happened.
    pub source: System,
    /// When the webhook reached us.
    pub received_at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// The things the bridge acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A contact came into being in HighLevel.
    ContactCreated {
        /// Which.
        contact: RecordRef,
    },
    /// A contact was deleted in HighLevel, or merged into another.
    ContactDeleted {
        /// Which.
        contact: RecordRef,
    },
    /// An appointment was made, moved or cancelled in HighLevel.
    AppointmentChanged {
        /// Which.
        appointment: RecordRef,
        /// Whose it is, if the webhook says.
        owner: Option<RecordRef>,
    },
    /// A contact's data changed in HighLevel.
    ContactUpdated {
        /// Which.
        contact: RecordRef,
    },
    /// A lead came into being in CASEpeer.
    LeadCreated {
        /// Which.
        lead: RecordRef,
    },
    /// A lead's data changed in CASEpeer.
    LeadUpdated {
        /// Which.
        lead: RecordRef,
    },
    /// The person whose leads and cases CASEpeer has changed there, or another was merged into them.
    ClientUpdated {
        /// Which.
        client: RecordRef,
        /// Who was merged into it.
        merged: Option<RecordRef>,
    },
    /// A case came into being in CASEpeer.
    CaseCreated {
        /// Which.
        case: RecordRef,
        /// The status it had then, as this webhook says.
        status: Option<String>,
    },
    /// Something of a case changed in CASEpeer, perhaps its status: the webhook does not say what.
    CaseUpdated {
        /// Which.
        case: RecordRef,
    },
    /// A case moved to another status in CASEpeer.
    CaseStatusChanged {
        /// Which.
        case: RecordRef,
        /// The status it moved to, as this webhook says: it counts as a milestone even when a later one follows.
        status: Option<String>,
    },
    /// A task came into being.
    TaskCreated {
        /// Which.
        task: RecordRef,
        /// Whose it is, if the webhook says (HighLevel's may not).
        owner: Option<RecordRef>,
    },
    /// A task was completed.
    TaskCompleted {
        /// Which.
        task: RecordRef,
        /// Whose it is, if the webhook says.
        owner: Option<RecordRef>,
    },
    /// A note was written.
    NoteCreated {
        /// Which.
        note: RecordRef,
        /// Whose it is, if the webhook says.
        owner: Option<RecordRef>,
    },
    /// A note was written anew in HighLevel.
    NoteUpdated {
        /// Which.
        note: RecordRef,
        /// Whose it is, if the webhook says.
        owner: Option<RecordRef>,
    },
    /// A task or note was deleted in HighLevel.
    CopyDeleted {
        /// Which.
        record: RecordRef,
        /// Whose it was, if the webhook says.
        owner: Option<RecordRef>,
    },
}

impl Fact {
    /// The record it is about.
    pub fn subject(&self) -> &RecordRef {
        match self {
            Self::ContactCreated { contact }
            | Self::ContactUpdated { contact }
            | Self::ContactDeleted { contact } => contact,
            Self::AppointmentChanged { appointment, .. } => appointment,
            Self::LeadCreated { lead } | Self::LeadUpdated { lead } => lead,
            Self::ClientUpdated { client, .. } => client,
            Self::CaseCreated { case, .. }
            | Self::CaseUpdated { case }
            | Self::CaseStatusChanged { case, .. } => case,
            Self::TaskCreated { task, .. } | Self::TaskCompleted { task, .. } => task,
            Self::NoteCreated { note, .. } | Self::NoteUpdated { note, .. } => note,
            Self::CopyDeleted { record, .. } => record,
        }
    }
}
