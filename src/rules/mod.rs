//! What a firm has settled about its sync: initial tasks, the meaning of its statuses, what may cross.
//!
//! Data only: parsed with the configuration, checked there, evaluated by `plan`.

mod status;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use crate::domain::Period as DueIn;
pub use status::{Milestone, StatusRule};

/// `[firms.sync]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncRules {
    /// Which contacts become leads.
    pub leads_from: LeadsFrom,
    /// Stands in CASEpeer for a first or last name that HighLevel does not know.
    pub name_filler: String,
    /// Tasks that a new lead of a case type starts with, in HighLevel.
    pub initial_tasks: Vec<InitialTask>,
    /// What the firm's CASEpeer statuses mean, by name.
    pub statuses: BTreeMap<String, StatusRule>,
    /// Which notes cross.
    pub notes: NoteRules,
    /// How tasks cross.
    pub tasks: TaskRules,
}

impl Default for SyncRules {
    fn default() -> Self {
        Self {
            leads_from: LeadsFrom::All,
            name_filler: "Unknown".into(),
            initial_tasks: Vec::new(),
            statuses: BTreeMap::new(),
            notes: NoteRules::default(),
            tasks: TaskRules::default(),
        }
    }
}

impl SyncRules {
    /// The initial tasks of a case type: those made for it and those made for every type (`*`).
    pub fn initial_tasks_of<'a>(
        &'a self,
        case_type: Option<&'a str>,
    ) -> impl Iterator<Item = &'a InitialTask> {
        self.initial_tasks.iter().filter(move |task| {
            task.case_type == "*"
                || case_type.is_some_and(|given| given.eq_ignore_ascii_case(&task.case_type))
        })
    }

    /// What a status means, if the firm has said so.
    pub fn status(&self, name: &str) -> Option<&StatusRule> {
        self.statuses.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, rule)| rule)
    }
}

/// Which contacts become leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeadsFrom {
    /// Every contact that can be reached.
    All,
}

/// `[[firms.sync.initial_tasks]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialTask {
    /// The case type it is for, or `*`.
    pub case_type: String,
    /// Its name among the firm's initial tasks: a lead gets each at most once.
    pub key: String,
    /// What to do.
    pub title: String,
    /// More about it.
    pub body: Option<String>,
    /// How long after the lead it is due.
    #[serde(default)]
    pub due_in: DueIn,
    /// The HighLevel user who is to do it.
    pub assignee: Option<String>,
}

/// `[firms.sync.notes]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoteRules {
    /// CASEpeer categories whose notes are copied to HighLevel. Notes are free text about an injured person, so
    /// none is unless it is listed.
    pub to_highlevel: Vec<String>,
    /// Whether HighLevel's notes are copied to CASEpeer.
    pub to_casepeer: bool,
    /// The category they get there.
    pub category: Option<String>,
}

impl Default for NoteRules {
    fn default() -> Self {
        Self { to_highlevel: Vec::new(), to_casepeer: true, category: None }
    }
}

/// `[firms.sync.tasks]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskRules {
    /// When a copied task without a due date is due.
    pub default_due_in: DueIn,
    /// Whether the title and body of CASEpeer's tasks may be read in HighLevel. They are free text that may speak of
    /// treatment; where this is off, the copy there is called "Task in CASEpeer".
    pub text_to_highlevel: bool,
}
