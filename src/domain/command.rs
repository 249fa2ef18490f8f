//! What ought to be done, and why.

use std::fmt;

use jiff::Timestamp;

use super::{Base, Field, Fields, Link, Opportunity, Question, RecordKind, RecordRef};

/// Names what a command achieves, unique in a firm and never derived from the delivery: a completed key is not carried
/// out again, however it came about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectKey(pub String);

impl fmt::Display for EffectKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What to do about an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Carry these out, in order.
    pub commands: Vec<Planned>,
    /// Why nothing, or not everything, is done; in words that name no person.
    pub remarks: Vec<String>,
    /// What should be done but cannot be until a person acts.
    pub unmet: Option<String>,
    /// What only a person can decide; the commands are carried out all the same.
    pub questions: Vec<Question>,
}

impl Plan {
    /// A plan to do nothing, and why.
    pub fn nothing(why: impl Into<String>) -> Self {
        Self { remarks: vec![why.into()], ..Self::default() }
    }

    /// Adds a command with its reason.
    pub fn add(&mut self, command: Command, reason: impl Into<String>) {
        self.commands.push(Planned { command, reason: reason.into() });
    }

    /// Adds why something is not done.
    pub fn remark(&mut self, why: impl Into<String>) {
        self.remarks.push(why.into());
    }

    /// Whether any command changes a system.
    pub fn changes_something(&self) -> bool {
        self.commands.iter().any(|planned| planned.command.effect_key().is_some())
    }
}

/// A command with the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// What to do.
    pub command: Command,
    /// Why, in words that name no person.
    pub reason: String,
}

/// The record a command works on; it may come into being by an earlier command of the same plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A record that exists.
    Record(RecordRef),
    /// Whatever is linked to this record on the other side when the command's turn comes.
    CounterpartOf(RecordRef),
}

/// One intended change. All but [`Command::Link`] and [`Command::Agree`] are one API call.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Remember that two records are the same thing.
    Link(Link),
    /// Remember what both sides agree on now.
    Agree {
        /// The record in HighLevel.
        highlevel: RecordRef,
        /// The record in CASEpeer.
        casepeer: RecordRef,
        /// What they agree on.
        base: Base,
    },
    /// Create a lead in CASEpeer for a contact.
    CreateLead(NewLead),
    /// Create a contact in HighLevel for a lead or case.
    CreateContact(NewContact),
    /// Change a contact's fields.
    UpdateContact {
        /// Which.
        contact: RecordRef,
        /// The matter whose values these are.
        matter: RecordRef,
        /// Only what changes.
        fields: Fields,
        /// What both sides agree on after it, where that is not these values: they are put back, and differ again.
        agreed: Option<Fields>,
        /// The link's revision this was decided on.
        revision: i64,
    },
    /// Change a lead's or case's client.
    UpdateMatter {
        /// Which.
        matter: RecordRef,
        /// The contact whose values these are.
        contact: RecordRef,
        /// Only what changes.
        fields: Fields,
        /// What both sides agree on after it, where that is not these values: they are put back, and differ again.
        agreed: Option<Fields>,
        /// The link's revision this was decided on.
        revision: i64,
        /// The version this was decided on, if the vendor gave one.
        version: Option<String>,
    },
    /// Add tags to a contact.
    AddTags {
        /// Which.
        contact: Target,
        /// What to add.
        tags: Vec<String>,
        /// What this achieves.
        effect: EffectKey,
    },
    /// Take tags off a contact.
    RemoveTags {
        /// Which.
        contact: RecordRef,
        /// What to take off.
        tags: Vec<String>,
        /// What this achieves.
        effect: EffectKey,
    },
    /// Create a business.
    CreateBusiness {
        /// What it is called.
        name: String,
        /// What this achieves.
        effect: EffectKey,
    },
    /// Put a contact under a business.
    JoinBusiness {
        /// Which contact.
        contact: RecordRef,
        /// The matter whose source it is.
        matter: RecordRef,
        /// The business's name.
        name: String,
        /// The link's revision this was decided on.
        revision: i64,
    },
    /// Create a task.
    CreateTask(NewTask),
    /// Mark a task as done.
    CompleteTask {
        /// Which.
        task: RecordRef,
        /// Whose it is.
        owner: Target,
        /// The task on the other side that was completed.
        source: RecordRef,
        /// The link's revision this was decided on.
        revision: i64,
    },
    /// Create a note.
    CreateNote(NewNote),
    /// Put a case into a pipeline.
    CreateOpportunity(NewOpportunity),
    /// Move a case's deal.
    UpdateOpportunity {
        /// Which.
        opportunity: RecordRef,
        /// The case it stands for.
        case: RecordRef,
        /// Where to.
        to: Opportunity,
        /// The link's revision this was decided on.
        revision: i64,
    },
    /// Say why a case's deal was lost.
    SetLostReason {
        /// The case.
        case: RecordRef,
        /// Where its deal is by then, with the reason.
        to: Opportunity,
        /// The link's revision this was decided on.
        revision: i64,
    },
}

/// A lead to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLead {
    /// The contact it is for.
    pub contact: RecordRef,
    /// Who the client is.
    pub fields: Fields,
    /// Stands in for a missing last name, which CASEpeer requires.
    pub last_name_filler: String,
}

/// A contact to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NewContact {
    /// The matter it is for.
    pub matter: RecordRef,
    /// Who it is.
    pub fields: Fields,
    /// Its tags.
    pub tags: Vec<String>,
    /// What HighLevel refuses to have twice, as a person knows: it is left out, and kept as if it were agreed on.
    pub withheld: Vec<Field>,
    /// The client whose matter it is.
    pub client: Option<RecordRef>,
    /// Whether the matter is new, and gets its initial tasks.
    pub has_initial_tasks: bool,
}

impl NewContact {
    /// What is sent to HighLevel.
    pub fn sent(&self) -> Fields {
        let mut fields = self.fields.clone();
        self.withheld.iter().for_each(|field| fields.remove(*field));
        fields
    }
}

/// A task to create.
#[derive(Clone, PartialEq)]
pub struct NewTask {
    /// Whose.
    pub owner: Target,
    /// The task on the other side this is a copy of, if any.
    pub copy_of: Option<RecordRef>,
    /// What to do.
    pub title: String,
    /// More about it.
    pub body: Option<String>,
    /// When it is due.
    pub due_at: Timestamp,
    /// Whether it is done already.
    pub is_completed: bool,
    /// Who is to do it, in the receiving system's id.
    pub assignee: Option<String>,
    /// CASEpeer's priority, when the task goes there.
    pub priority: Option<String>,
    /// What this achieves.
    pub effect: EffectKey,
}

impl fmt::Debug for NewTask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NewTask({}, on {:?}, completed: {})", self.effect, self.owner, self.is_completed)
    }
}

/// A note to create.
#[derive(Clone, PartialEq)]
pub struct NewNote {
    /// Whose.
    pub owner: Target,
    /// The note on the other side this is a copy of, if any.
    pub copy_of: Option<RecordRef>,
    /// What this achieves.
    pub effect: EffectKey,
    /// What it is called in CASEpeer, behind the location.
    pub name: String,
    /// The receiving system's user who wrote it.
    pub author: Option<String>,
    /// When it was written.
    pub written_at: Option<Timestamp>,
    /// What it says.
    pub body: String,
    /// CASEpeer's category, when the note goes there.
    pub category: Option<String>,
    /// What the original says, as a digest, if it is one that may be written anew.
    pub digest: Option<String>,
}

impl fmt::Debug for NewNote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NewNote({}, on {:?})", self.effect, self.owner)
    }
}

/// A deal to create.
#[derive(Clone, PartialEq)]
pub struct NewOpportunity {
    /// The case it stands for.
    pub case: RecordRef,
    /// The contact it hangs on.
    pub contact: Target,
    /// What it is called.
    pub name: String,
    /// Where it starts.
    pub to: Opportunity,
}

impl fmt::Debug for NewOpportunity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its name is the client's.
        write!(out, "NewOpportunity(for {}, on {:?}, {:?})", self.case, self.contact, self.to)
    }
}

impl Command {
    /// What the command achieves; none for what is only remembered.
    pub fn effect_key(&self) -> Option<EffectKey> {
        let key = match self {
            Self::Link(_) | Self::Agree { .. } => return None,
            Self::CreateLead(new) => return Some(Self::lead_effect(&new.contact)),
            Self::CreateContact(new) => format!("contact-of:{}", new.matter),
            Self::UpdateContact { contact, matter, agreed, revision, .. } => {
                format!("{}:{contact}:from:{matter}@{revision}", aim(agreed.as_ref()))
            }
            Self::UpdateMatter { matter, contact, agreed, revision, .. } => {
                format!("{}:{matter}:from:{contact}@{revision}", aim(agreed.as_ref()))
            }
            Self::AddTags { effect, .. } => return Some(effect.clone()),
            Self::CreateTask(new) => return Some(new.effect.clone()),
            Self::CompleteTask { task, revision, .. } => format!("complete:{task}@{revision}"),
            Self::CreateNote(new) => return Some(new.effect.clone()),
            Self::RemoveTags { effect, .. } | Self::CreateBusiness { effect, .. } => {
                return Some(effect.clone());
            }
            Self::JoinBusiness { contact, matter, revision, .. } => {
                format!("business-of:{contact}:from:{matter}@{revision}")
            }
            Self::SetLostReason { case, revision, .. } => format!("lost-reason:{case}@{revision}"),
            Self::CreateOpportunity(new) => format!("opportunity-of:{}", new.case),
            Self::UpdateOpportunity { opportunity, revision, .. } => {
                format!("stage:{opportunity}@{revision}")
            }
        };
        Some(EffectKey(key))
    }

    /// What creating the lead of a contact achieves.
    pub fn lead_effect(contact: &RecordRef) -> EffectKey {
        EffectKey(format!("lead-of:{contact}"))
    }

    /// The command in a few words that name no person.
    pub fn summary(&self) -> String {
        match self {
            Self::Link(link) => format!("link {} with {}", link.highlevel, link.casepeer),
            Self::Agree { highlevel, casepeer, .. } => format!("note that {highlevel} and {casepeer} agree"),
            Self::CreateLead(_) => "create a lead in CASEpeer".into(),
            Self::CreateContact(_) => "create a contact in HighLevel".into(),
            Self::UpdateContact { contact, fields, .. } => format!("set {} of {contact}", titles(fields)),
            Self::UpdateMatter { matter, fields, .. } => format!("set {} of {matter}", titles(fields)),
            Self::AddTags { tags, .. } => format!("add the tag {}", tags.join(", ")),
            Self::RemoveTags { tags, .. } => format!("take off the tag {}", tags.join(", ")),
            Self::CreateBusiness { .. } => "create a business in HighLevel".into(),
            Self::JoinBusiness { contact, .. } => format!("put {contact} under its business"),
            Self::SetLostReason { case, .. } => format!("say why the deal of {case} was lost"),
            Self::CreateTask(new) => format!("create a task in {}", new.owner.side().title()),
            Self::CompleteTask { task, .. } => format!("complete {task}"),
            Self::CreateNote(new) => format!("create a note in {}", new.owner.side().title()),
            Self::CreateOpportunity(_) => "create an opportunity in HighLevel".into(),
            Self::UpdateOpportunity { opportunity, to, .. } => {
                format!("move {opportunity} to stage {} ({:?})", to.stage, to.status)
            }
        }
    }
}

/// Fields that are brought in step and those that are put back may be written for one revision.
fn aim(agreed: Option<&Fields>) -> &'static str {
    if agreed.is_some() { "put-back" } else { "fields" }
}

fn titles(fields: &Fields) -> String {
    fields.iter().map(|(name, _)| name.title()).collect::<Vec<_>>().join(", ")
}

impl Target {
    /// The system the target lives in.
    pub fn side(&self) -> super::System {
        match self {
            Self::Record(record) => record.system,
            Self::CounterpartOf(record) => record.system.opposite(),
        }
    }
}

impl RecordRef {
    /// The effect key of a copy of this record on the other side.
    pub fn copy_effect(&self) -> EffectKey {
        debug_assert!(matches!(self.kind, RecordKind::Task | RecordKind::Note));
        EffectKey(format!("copy-of:{self}"))
    }
}
