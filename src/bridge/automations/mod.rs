//! Rules at work: which ones an event triggers, by which version it runs, and what they do.
//!
//! They follow the built-in sync in the event's own turn, so they are durable, retried, and in order for each person as
//! everything else is: each step is an effect with a key of its own, which a repeat finds done.

mod budget;
mod desk;
pub(super) mod happened;
mod run;
mod save;
mod tell;
mod try_out;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

pub use desk::{RuleRan, RuleSeen};
pub(super) use happened::OWN;
pub(super) use run::system_of;
pub use save::{NotSaved, save_rule, saved_rules};
pub use try_out::{Tried, TriedStep};

use crate::rules::automation::Rule;
use crate::store::{RuleRow, SharedStore, StoreError};

/// Triggers that only say that a record changed. Where a rule listens to one, each event has its own turn.
pub(super) const UPDATES: [&str; 4] =
    ["webhook.ContactUpdate", "webhook.ContactTagUpdate", "webhook.ContactDndUpdate", "lead.updated"];

/// The rules that are on, as they were read last.
#[derive(Default)]
pub(super) struct Automations(RwLock<Arc<Index>>);

#[derive(Default)]
struct Index {
    /// By which state of the store; nothing before the first look.
    changes: Option<u64>,
    by_trigger: HashMap<&'static str, Vec<Arc<Automation>>>,
}

/// A rule that is on.
pub(super) struct Automation {
    pub(super) version: u32,
    pub(super) rule: Rule,
}

impl Automations {
    fn now(&self) -> Arc<Index> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the rules anew if somebody changed one.
    pub(super) async fn refresh(&self, store: &SharedStore) -> Result<(), StoreError> {
        let changes = store.rules_changed().await?;
        if self.now().changes == Some(changes) {
            return Ok(());
        }
        let mut by_trigger: HashMap<&'static str, Vec<Arc<Automation>>> = HashMap::new();
        for row in store.rules().await?.into_iter().filter(|row| row.is_on) {
            match read(&row) {
                Ok(rule) => {
                    let automation = Arc::new(Automation { version: row.version, rule });
                    by_trigger.entry(&automation.rule.when.id).or_default().push(automation);
                }
                Err(why) => tracing::error!(rule = row.id, "a rule that is on does not run: {why}"),
            }
        }
        let index = Arc::new(Index { changes: Some(changes), by_trigger });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = index;
        Ok(())
    }

    /// Those that this trigger may set off for a firm.
    pub(super) fn of(&self, firm: &str, trigger: &str) -> Vec<Arc<Automation>> {
        let index = self.now();
        let all = index.by_trigger.get(trigger).into_iter().flatten();
        all.filter(|automation| automation.rule.is_for(firm)).cloned().collect()
    }

    /// Whether each update must have its own turn, because a rule listens to it.
    pub(super) fn hears_updates(&self, firm: &str) -> bool {
        let index = self.now();
        !index.by_trigger.is_empty()
            && UPDATES.iter().any(|trigger| {
                let rules = index.by_trigger.get(trigger);
                rules.is_some_and(|rules| rules.iter().any(|one| one.rule.is_for(firm)))
            })
    }
}

/// A stored rule; it was checked when it was saved, by a build that may have had another catalog.
fn read(row: &RuleRow) -> Result<Rule, String> {
    read_json(&row.json)
}

fn read_json(json: &str) -> Result<Rule, String> {
    let value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Rule::from_json(&value)
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}
