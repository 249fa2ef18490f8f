//! What people do with rules at the console. A rule that names firms is its firms' administrators'; one for every firm
//! is the administrators' of all firms. Whoever sees one of its firms sees the rule.

use jiff::Timestamp;

use super::super::Bridge;
use super::super::desk::NotDone;
use super::save::save_rule_from;
use super::try_out::narrowed;
use super::{NotSaved, Tried, happened, saved_rules};
use crate::domain::{Actor, Deed, EventId, EventState, FirmId, Role};
use crate::operations::catalog::Entry;
use crate::rules::automation::{Occasion, Rule, Wrong};
use crate::store::{AuditEntry, CallRecord, EventFilter, EventRow, RanOnce, RuleRow, RuleSaved};

/// How many events are looked through for those of a trigger.
const LOOKED_THROUGH: usize = 500;

/// A rule as somebody sees it.
pub struct RuleSeen {
    /// Its version in force.
    pub row: RuleRow,
    /// What it says; or why this build cannot read it.
    pub rule: Result<Rule, String>,
    /// The firms it names; none is every firm.
    pub firms: Vec<FirmId>,
}

/// A run of a rule.
pub struct RuleRan {
    /// For what, and when.
    pub run: RanOnce,
    /// Where its event stands; none if that is no longer kept.
    pub state: Option<EventState>,
    /// The calls it made, with those that failed.
    pub calls: Vec<CallRecord>,
}

impl RuleSeen {
    fn new((row, rule): (RuleRow, Result<Rule, String>)) -> Self {
        let said: serde_json::Value = serde_json::from_str(&row.json).unwrap_or_default();
        let firms = said["firms"].as_array().into_iter().flatten();
        let firms = firms.filter_map(|firm| firm.as_str().map(FirmId::new)).collect();
        Self { row, rule, firms }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.rule.as_ref().map_or(&self.row.id, |rule| &rule.name)
    }

    /// Whether somebody may change it and switch it.
    pub fn is_kept_by(&self, actor: &Actor) -> bool {
        keeps(actor, &self.firms)
    }

    /// Whether somebody may see every firm it names, and so its text.
    pub fn is_wholly_seen_by(&self, actor: &Actor) -> bool {
        self.firms.iter().all(|firm| actor.reach.covers(firm))
    }

    fn is_seen_by(&self, actor: &Actor) -> bool {
        self.firms.is_empty() || self.firms.iter().any(|firm| actor.reach.covers(firm))
    }
}

fn keeps(actor: &Actor, firms: &[FirmId]) -> bool {
    match firms {
        [] => actor.governs(),
        firms => firms.iter().all(|firm| actor.may(Role::Admin, firm)),
    }
}

/// Refuses those who may not keep a rule for these firms.
fn must_keep(actor: &Actor, firms: &[FirmId]) -> Result<(), NotDone> {
    if actor.role < Role::Admin {
        return Err(NotDone::NotAllowed(Role::Admin));
    }
    if keeps(actor, firms) {
        return Ok(());
    }
    let why = "A rule for every firm, or for firms that are not yours, takes an administrator of all of them: choose \
        firms of yours.";
    Err(NotDone::Invalid(why.into()))
}

impl Bridge {
    /// The rules somebody may see.
    pub async fn rules_for(&self, actor: &Actor) -> Result<Vec<RuleSeen>, NotDone> {
        let rules = saved_rules(&self.store).await?.into_iter().map(RuleSeen::new);
        Ok(rules.filter(|rule| rule.is_seen_by(actor)).collect())
    }

    /// One of them.
    pub async fn rule_for(&self, actor: &Actor, id: &str) -> Result<RuleSeen, NotDone> {
        let rules = self.rules_for(actor).await?;
        rules.into_iter().find(|rule| rule.row.id == id).ok_or(NotDone::NotThere)
    }

    async fn rule_kept_by(&self, actor: &Actor, id: &str) -> Result<RuleSeen, NotDone> {
        let rule = self.rule_for(actor, id).await?;
        must_keep(actor, &rule.firms)?;
        Ok(rule)
    }

    /// Saves a rule that was made from this version; what is wrong with it otherwise.
    pub async fn save_rule_as(
        &self,
        actor: &Actor,
        rule: &Rule,
        from: Option<u32>,
    ) -> Result<Result<RuleSaved, Vec<Wrong>>, NotDone> {
        let firms: Vec<FirmId> = rule.firms.iter().map(FirmId::new).collect();
        must_keep(actor, &firms)?;
        if from.is_some() {
            // Not only what it becomes must be theirs, but what it was.
            self.rule_kept_by(actor, &rule.id).await?;
        }
        let saved = match save_rule_from(&self.store, rule, from, &actor.name).await {
            Ok(saved) => saved,
            Err(NotSaved::Wrong(wrong)) => return Ok(Err(wrong)),
            Err(NotSaved::Store(error)) => return Err(error.into()),
            Err(NotSaved::Changed) => {
                let why = match from {
                    Some(_) => {
                        "Somebody else saved this rule meanwhile, or removed it. Look at it and change it anew."
                    }
                    None => "There is a rule with this short name already: choose another one.",
                };
                return Err(NotDone::Conflict(why.into()));
            }
        };
        if let RuleSaved::As(version) = saved {
            let about = format!("{}, version {version}", rule.id);
            self.store.note_deed(AuditEntry::new(&actor.name, Deed::RuleSaved).about(about)).await?;
        }
        Ok(Ok(saved))
    }

    /// Switches a rule on or off.
    pub async fn switch_rule_as(&self, actor: &Actor, id: &str, is_on: bool) -> Result<(), NotDone> {
        let seen = self.rule_kept_by(actor, id).await?;
        if let (true, Err(why)) = (is_on, &seen.rule) {
            return Err(NotDone::Conflict(format!("It cannot be switched on: {why}.")));
        }
        if !self.store.switch_rule(id, is_on).await? {
            return Err(NotDone::NotThere);
        }
        self.refresh_rules().await?;
        let deed = if is_on { Deed::RuleOn } else { Deed::RuleOff };
        Ok(self.store.note_deed(AuditEntry::new(&actor.name, deed).about(id)).await?)
    }

    /// Removes a rule.
    pub async fn remove_rule_as(&self, actor: &Actor, id: &str) -> Result<(), NotDone> {
        self.rule_kept_by(actor, id).await?;
        if !self.store.remove_rule(id).await? {
            return Err(NotDone::NotThere);
        }
        self.refresh_rules().await?;
        Ok(self.store.note_deed(AuditEntry::new(&actor.name, Deed::RuleRemoved).about(id)).await?)
    }

    /// The last runs of a rule at the firms that somebody may see, with the calls each made.
    pub async fn rule_runs_for(&self, actor: &Actor, id: &str, most: usize) -> Result<Vec<RuleRan>, NotDone> {
        let within = actor.reach.firms();
        let runs = self.store.last_runs(id, within.as_deref(), most).await?;
        let begins = format!("rule:{id}:");
        let mut told = Vec::new();
        for run in runs {
            let story = self.store.event(run.event).await?;
            let state = story.as_ref().map(|story| story.row.state);
            let calls = story.into_iter().flat_map(|story| story.calls);
            let is_its =
                |call: &CallRecord| call.effect_key.as_ref().is_some_and(|key| key.starts_with(&begins));
            told.push(RuleRan { run, state, calls: calls.filter(is_its).collect() });
        }
        Ok(told)
    }

    /// Tries a rule on what came since then at the firms where somebody mends things; how many events were looked at.
    pub async fn try_rule_as(
        &self,
        actor: &Actor,
        rule: &Rule,
        since: Timestamp,
        most: usize,
        each: impl FnMut(Tried),
    ) -> Result<usize, NotDone> {
        if actor.role < Role::Operator {
            return Err(NotDone::NotAllowed(Role::Operator));
        }
        let deed = AuditEntry::new(&actor.name, Deed::RuleTried).about(format!("{}, since {since}", rule.id));
        self.store.note_deed(deed).await?;
        Ok(self.try_rule(rule, actor.reach.firms(), since, most, each).await?)
    }

    /// The newest events of a trigger at the firms where somebody mends things.
    pub async fn events_of(
        &self,
        actor: &Actor,
        trigger: &'static Entry,
        most: usize,
    ) -> Result<Vec<EventRow>, NotDone> {
        if actor.role < Role::Operator {
            return Ok(Vec::new());
        }
        let filter = EventFilter { within: actor.reach.firms(), limit: LOOKED_THROUGH, ..narrowed(trigger) };
        let rows = self.store.events(filter).await?.into_iter();
        let is_it = |row: &EventRow| {
            let firm = self.firms.find(&row.firm);
            firm.is_some_and(|firm| happened::trigger(&firm, row.source, &row.kind) == Some(trigger))
        };
        Ok(rows.filter(is_it).take(most).collect())
    }

    /// What rules of a trigger see of a stored event, for somebody who mends things there. That it was shown is written
    /// down by [`Self::note_rule_look`].
    pub async fn occasion_for(
        &self,
        actor: &Actor,
        trigger: &'static Entry,
        id: EventId,
    ) -> Result<Option<Occasion>, NotDone> {
        let row = self.event_for(actor, id).await?.row;
        if !actor.may(Role::Operator, &row.firm) {
            return Err(NotDone::NotAllowed(Role::Operator));
        }
        let Some(firm) = self.firms.find(&row.firm) else { return Ok(None) };
        if happened::trigger(&firm, row.source, &row.kind) != Some(trigger) {
            return Ok(None);
        }
        Ok(self.occasion_of(&firm, &row, trigger).await?.ok().map(|(occasion, _)| occasion))
    }

    /// Writes down that somebody saw what an event carried, while building a rule.
    pub async fn note_rule_look(&self, actor: &Actor, id: EventId) -> Result<(), NotDone> {
        let firm = self.event_for(actor, id).await?.row.firm;
        let deed = AuditEntry::new(&actor.name, Deed::RuleTried).at(&firm).about(id);
        Ok(self.store.note_deed(deed).await?)
    }
}
