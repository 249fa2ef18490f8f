//! Automations: when something happens, if something holds, then call actions of the catalog with these values.
//!
//! A rule is data. A form can edit it, it always ends, and it is checked when it is saved: every field is one that its
//! trigger brings, every parameter one that its action takes, and it does not trigger itself. What an event says is an
//! [`Occasion`]; what a rule makes of it is decided here, and carried out by `bridge`.

mod check;
mod expression;
mod loops;
mod occasion;
mod read;
pub mod ready_made;
mod template;
mod transform;
mod trigger;
mod write;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use expression::Expression;
pub use loops::{sets_itself_off, triggers_itself};
pub use occasion::Occasion;
pub use read::{Wrong, from_toml};
pub use ready_made::ReadyMade;
pub use trigger::{TriggerField, fields_of, find_trigger, sample, trigger_of};

use super::condition::Condition;
use crate::operations::catalog::Entry;

/// The most steps of one rule.
pub const MOST_STEPS: usize = 20;
/// The largest rule, as TOML or JSON, in bytes.
pub const LARGEST_RULE: usize = 64 * 1024;
/// How many calls that change something a rule may make within an hour for one firm, where it does not say.
pub const WRITES_PER_HOUR: u32 = 200;

/// An automation.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its short name, unlike any other's.
    pub id: String,
    /// What it is called, for people.
    pub name: String,
    /// The firms it is for; none means every firm.
    pub firms: Vec<String>,
    /// What has to happen.
    pub when: &'static Entry,
    /// What has to hold besides.
    pub condition: Condition,
    /// What is done then, in order.
    pub steps: Vec<Step>,
    /// What happens to the rest of the steps where one is refused.
    pub on_error: OnError,
    /// How many calls that change something it may make within an hour for one firm.
    pub writes_per_hour: u32,
    /// What it runs once for.
    pub once_per: OncePer,
    /// Whether its author knows that what it does may trigger it again.
    pub may_trigger_itself: bool,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which action.
    pub action: &'static Entry,
    /// What it is called with, by the names of its parameters.
    pub with: BTreeMap<String, Expression>,
}

/// What happens to the rest of the steps where one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// They are not taken, and a person is told.
    Stop,
    /// They are taken all the same.
    Continue,
}

/// What a rule runs once for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OncePer {
    /// Each event.
    Event,
    /// Each record that an event is about, however often it happens to it.
    Record,
}

impl Rule {
    /// Whether it is for this firm.
    pub fn is_for(&self, firm: &str) -> bool {
        self.firms.is_empty() || self.firms.iter().any(|one| one == firm)
    }

    /// Whether its conditions hold.
    pub fn holds(&self, occasion: &Occasion) -> bool {
        self.condition.holds(&occasion.facts(self.condition.fields()))
    }

    /// Whether its conditions can hold, told by the event alone: true where they look at what is linked.
    pub fn may_hold(&self, occasion: &Occasion) -> bool {
        self.condition.fields().into_iter().any(trigger::is_linked) || self.holds(occasion)
    }

    /// Its trigger's example, as if it had just happened.
    pub fn when_sample(&self, at: jiff::Timestamp, zone: super::TimeZone) -> Occasion {
        trigger::sample(self.when, at, zone)
    }

    /// What a step achieves, the same however often it is tried. `run` names the event or the record.
    pub fn effect(&self, run: &str, step: usize) -> String {
        format!("rule:{}:{run}:{}", self.id, step + 1)
    }
}

impl Step {
    /// The values it is called with. What has no value is left out.
    pub fn fill(&self, occasion: &Occasion) -> Map<String, Value> {
        let filled = self.with.iter().filter_map(|(name, expression)| {
            let value = expression.value(occasion)?;
            let parameter = self.action.parameter(name);
            let value = parameter.map_or_else(|| value.clone(), |parameter| parameter.fitted(&value));
            Some((name.clone(), value))
        });
        filled.collect()
    }
}

#[cfg(test)]
mod tests;
