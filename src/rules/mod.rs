//! What a firm has settled about its sync: initial tasks, the meaning of its statuses, what may cross.
//!
//! Data only: parsed with the configuration, checked there, evaluated by `plan`.

pub mod automation;
mod condition;
mod fields;
mod leads;
mod status;
mod suggest;
mod zone;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::domain::Period as DueIn;
pub use condition::{Condition, Facts, Operator, Test};
pub use fields::{
    Direction, FieldRule, FieldRules, FieldSettings, Owner, Owners, Policy, Stage, WriteRule, why_protected,
};
pub use leads::{ContactFacts, LeadsFrom};
pub use status::{Milestone, StatusRule};
pub use zone::TimeZone;

/// `[firms.sync]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncRules {
    /// Which contacts become leads.
    pub leads_from: LeadsFrom,
    /// Stands in CASEpeer for a first or last name that HighLevel does not know.
    pub name_filler: String,
    /// Which fields are kept in step, and whose value stands.
    pub fields: FieldRules,
    /// How often one pair may be written both ways within an hour before a person is asked: something else writes, too.
    pub hop_budget: u32,
    /// By which a day without a time is read.
    pub time_zone: TimeZone,
    /// What CASEpeer's reasons for turning a case down are called in HighLevel, where the names differ.
    pub lost_reasons: BTreeMap<String, String>,
    /// Which sources are businesses.
    pub businesses: BusinessRules,
    /// What becomes of appointments.
    pub appointments: AppointmentRules,
    /// Where a case is opened in CASEpeer: an address with `{id}` in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_url: Option<String>,
    /// Tasks that a new lead of a case type starts with, in HighLevel.
    pub initial_tasks: Vec<InitialTask>,
    /// Whether leads that a backfill finds count as new ones, too.
    pub initial_tasks_on_backfill: bool,
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
            fields: FieldRules::default(),
            hop_budget: 30,
            time_zone: TimeZone::default(),
            lost_reasons: BTreeMap::new(),
            businesses: BusinessRules::default(),
            appointments: AppointmentRules::default(),
            case_url: None,
            initial_tasks: Vec::new(),
            initial_tasks_on_backfill: false,
            statuses: BTreeMap::new(),
            notes: NoteRules::default(),
            tasks: TaskRules::default(),
        }
    }
}

impl SyncRules {
    /// Checks what one value alone cannot show: below which key, and what is wrong.
    ///
    /// # Errors
    /// The first finding.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let mut keys = BTreeSet::new();
        for task in &self.initial_tasks {
            if !keys.insert((&task.key, &task.case_type)) {
                let why = format!("two tasks of `{}` have the key `{}`", task.case_type, task.key);
                return Err(("initial_tasks", why));
            }
        }
        let half =
            self.statuses.iter().find(|(_, status)| status.pipeline.is_some() != status.stage.is_some());
        match half {
            Some((name, _)) => {
                Err(("statuses", format!("`{name}` needs both a pipeline and a stage, or neither")))
            }
            None => Ok(()),
        }
    }

    /// Reads what [`Self::to_json`] wrote, or a form says, and checks it.
    ///
    /// # Errors
    /// What is wrong, with its key.
    pub fn from_json(value: serde_json::Value) -> Result<Self, String> {
        let rules: Self = serde_path_to_error::deserialize(value)
            .map_err(|wrong| format!("{}: {}", wrong.path(), wrong.inner()))?;
        rules.check().map_err(|(key, why)| format!("{key}: {why}"))?;
        Ok(rules)
    }

    /// These rules, with what the console settles taken from others: all but where leads come from and what else is the
    /// installation's.
    pub fn settled_by(&self, settled: &Self) -> Self {
        Self {
            leads_from: self.leads_from.clone(),
            name_filler: self.name_filler.clone(),
            hop_budget: self.hop_budget,
            time_zone: self.time_zone.clone(),
            case_url: self.case_url.clone(),
            initial_tasks_on_backfill: self.initial_tasks_on_backfill,
            ..settled.clone()
        }
    }

    /// As JSON, without what says nothing.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("settings have names that are texts")
    }

    /// As it stands in a configuration file, below its firm.
    pub fn to_toml(&self) -> String {
        let firm = serde_json::json!({ "firms": [{ "sync": self.to_json() }] });
        let text = toml::to_string_pretty(&firm).expect("settings have no values that TOML lacks");
        text.replacen("[[firms]]\n", "", 1).trim_start().to_owned()
    }

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

    /// Whether a matter that is met now gets its initial tasks.
    pub fn wants_initial_tasks(&self, is_backfill: bool) -> bool {
        !is_backfill || self.initial_tasks_on_backfill
    }

    /// HighLevel's name for CASEpeer's reason for turning a case down.
    pub fn lost_reason<'a>(&'a self, reason: &'a str) -> &'a str {
        fields::look_up(&self.lost_reasons, reason).unwrap_or(reason)
    }

    /// Whether a general source is a business.
    pub fn is_business(&self, source_type: &str) -> bool {
        self.businesses.source_types.iter().any(|known| known.eq_ignore_ascii_case(source_type))
    }

    /// What a status means, if the firm has said so.
    pub fn status(&self, name: &str) -> Option<&StatusRule> {
        self.statuses.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, rule)| rule)
    }
}

/// `[[firms.sync.initial_tasks]]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InitialTask {
    /// The case type it is for, or `*`.
    pub case_type: String,
    /// Its name among the firm's initial tasks: a lead gets each at most once.
    pub key: String,
    /// What to do.
    pub title: String,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How long after the lead it is due.
    #[serde(default)]
    pub due_in: DueIn,
    /// Who is to do it: a HighLevel user by id or e-mail, or `role:case_manager` for whoever has that role in the
    /// matter and works under the same e-mail in HighLevel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
}

/// `[firms.sync.businesses]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusinessRules {
    /// CASEpeer's general sources, such as "Attorney Referral", whose particular source is a business: contacts are
    /// put under the HighLevel business of that name.
    pub source_types: Vec<String>,
}

/// `[firms.sync.appointments]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppointmentRules {
    /// What a HighLevel appointment becomes in CASEpeer.
    pub create: AppointmentAs,
}

/// What a HighLevel appointment becomes in CASEpeer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AppointmentAs {
    /// A note, and another for each change.
    #[default]
    Note,
    /// A task that is due when it begins, and a note for each change.
    Task,
    /// Nothing.
    Nothing,
}

/// `[firms.sync.notes]`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoteRules {
    /// CASEpeer categories whose notes are copied to HighLevel. Notes are free text about an injured person, so
    /// none is unless it is listed.
    pub to_highlevel: Vec<String>,
    /// Whether HighLevel's notes are copied to CASEpeer.
    pub to_casepeer: bool,
    /// The category they get there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

impl Default for NoteRules {
    fn default() -> Self {
        Self { to_highlevel: Vec::new(), to_casepeer: true, category: None }
    }
}

/// `[firms.sync.tasks]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskRules {
    /// When a copied task without a due date is due.
    pub default_due_in: DueIn,
    /// What stands before the title in HighLevel, which knows no priorities, for each of CASEpeer's.
    pub priorities: BTreeMap<String, String>,
    /// People whose e-mails differ: CASEpeer's to HighLevel's. Those with the same in both need not be listed.
    pub assignees: BTreeMap<String, String>,
    /// Whether the title and body of CASEpeer's tasks may be read in HighLevel. They are free text that may speak of
    /// treatment; where this is off, the copy there is called "Task in CASEpeer".
    pub text_to_highlevel: bool,
}
