//! From TOML or JSON to a rule, or to everything that is wrong with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::condition::Condition;
use super::super::suggest::hint;
use super::check;
use super::expression::Expression;
use super::trigger::find_trigger;
use super::{LARGEST_RULE, MOST_STEPS, OnError, OncePer, Rule, Step, WRITES_PER_HOUR};
use crate::operations::Effect;
use crate::operations::catalog::{self, Kind, nearest_entry};

/// The keys of a rule.
const KEYS: [&str; 10] = [
    "id",
    "name",
    "firms",
    "when",
    "if",
    "then",
    "on_error",
    "writes_per_hour",
    "once_per",
    "may_trigger_itself",
];
/// The longest short name, in bytes.
const LONGEST_ID: usize = 60;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 200;
/// The most firms that a rule names.
const MOST_FIRMS: usize = 1_000;

/// Something wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Wrong {
    /// Where: `when`, `if.all[0]`, `then[1].with.title`.
    pub at: String,
    /// What is wrong, and what was probably meant.
    pub why: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.at, self.why)
    }
}

/// Reads a rule from TOML.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_toml(text: &str) -> Result<Rule, Vec<Wrong>> {
    let whole = |why: String| vec![Wrong { at: "rule".into(), why }];
    if text.len() > LARGEST_RULE {
        return Err(whole(format!("may have {LARGEST_RULE} bytes at most")));
    }
    let value: Value =
        toml::from_str(text).map_err(|error| whole(format!("is no TOML: {}", error.to_string().trim())))?;
    Rule::from_json(&value)
}

impl Rule {
    /// Reads a rule from JSON, and checks it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(value: &Value) -> Result<Self, Vec<Wrong>> {
        let Value::Object(object) = value else {
            return Err(vec![Wrong { at: "rule".into(), why: "is no table".into() }]);
        };
        let mut reader = Reader { object, wrong: Vec::new() };
        reader.strangers();
        let rule = reader.rule();
        let Reader { mut wrong, .. } = reader;
        let Some(rule) = rule else { return Err(wrong) };
        check::loops(&rule, &mut wrong);
        if wrong.is_empty() { Ok(rule) } else { Err(wrong) }
    }
}

struct Reader<'a> {
    object: &'a Map<String, Value>,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn say(&mut self, at: impl Into<String>, why: impl Into<String>) {
        self.wrong.push(Wrong { at: at.into(), why: why.into() });
    }

    fn strangers(&mut self) {
        for key in self.object.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let why = format!("is no key of a rule{} Known: {}", hint(key, KEYS), KEYS.join(", "));
            self.wrong.push(Wrong { at: key.clone(), why });
        }
    }

    fn rule(&mut self) -> Option<Rule> {
        let id = self.id();
        let name = self.name();
        let firms = self.firms();
        let when = self.when();
        let condition = self.condition();
        if let (Some(when), Some(condition)) = (when, &condition) {
            check::condition(when, condition, &mut self.wrong);
        }
        let steps = self.steps(when);
        let on_error =
            self.word("on_error", OnError::Stop, &[("stop", OnError::Stop), ("continue", OnError::Continue)]);
        let once_per =
            self.word("once_per", OncePer::Event, &[("event", OncePer::Event), ("record", OncePer::Record)]);
        let writes_per_hour = self.writes_per_hour();
        let may_trigger_itself = self.word_of_flag("may_trigger_itself");
        let (id, when, condition, steps) = (id?, when?, condition?, steps?);
        let name = name.unwrap_or_else(|| id.clone());
        Some(Rule {
            id,
            name,
            firms,
            when,
            condition,
            steps,
            on_error,
            writes_per_hour,
            once_per,
            may_trigger_itself,
        })
    }

    fn id(&mut self) -> Option<String> {
        let plain = |id: &str| {
            (1..=LONGEST_ID).contains(&id.len())
                && id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        match self.object.get("id") {
            Some(Value::String(id)) if plain(id) => return Some(id.clone()),
            Some(_) => self.say(
                "id",
                format!("is 1 to {LONGEST_ID} small letters, digits and dashes, such as \"signed-tag\""),
            ),
            None => self.say("id", "is missing: a short name such as \"signed-tag\""),
        }
        None
    }

    fn name(&mut self) -> Option<String> {
        match self.object.get("name") {
            Some(Value::String(name)) if !name.trim().is_empty() && name.len() <= LONGEST_NAME => {
                return Some(name.clone());
            }
            Some(_) => self.say("name", format!("is a text of 1 to {LONGEST_NAME} bytes")),
            None => {}
        }
        None
    }

    fn firms(&mut self) -> Vec<String> {
        let Some(value) = self.object.get("firms") else { return Vec::new() };
        let read = value.as_array().filter(|firms| (1..=MOST_FIRMS).contains(&firms.len()));
        let names = read.and_then(|firms| firms.iter().map(|firm| Some(firm.as_str()?.to_owned())).collect());
        names.unwrap_or_else(|| {
            self.say("firms", "is a list of firms' ids, such as [\"acme\"]; leave it out for every firm");
            Vec::new()
        })
    }

    fn when(&mut self) -> Option<&'static catalog::Entry> {
        let Some(id) = self.object.get("when") else {
            self.say("when", "is missing: a trigger such as \"webhook.ContactCreate\" (casebridge catalog list --kind trigger)");
            return None;
        };
        let Some(id) = id.as_str() else {
            self.say("when", "is the id of a trigger");
            return None;
        };
        let found = find_trigger(id);
        if found.is_none() {
            let why = match catalog::find(id) {
                Some(_) => format!("`{id}` is an action: it can be called, and does not happen"),
                None => {
                    let triggers = catalog::all().iter().filter(|entry| entry.kind == Kind::Trigger);
                    let near = catalog::nearest(id, triggers.map(|entry| entry.id.as_str()));
                    format!("`{id}` is no trigger{}", asked(near))
                }
            };
            self.say("when", why);
        }
        found
    }

    fn condition(&mut self) -> Option<Condition> {
        let Some(value) = self.object.get("if") else { return Some(Condition::All(Vec::new())) };
        match Condition::try_from(value.clone()) {
            Ok(condition) => Some(condition),
            Err(why) => {
                let why = why.strip_prefix("condition").unwrap_or(&why);
                let (at, why) = why.split_once(": ").unwrap_or(("", why));
                self.say(format!("if{at}"), why);
                None
            }
        }
    }

    fn steps(&mut self, when: Option<&catalog::Entry>) -> Option<Vec<Step>> {
        let steps = match self.object.get("then") {
            Some(Value::Array(steps)) if (1..=MOST_STEPS).contains(&steps.len()) => steps,
            Some(_) => {
                self.say(
                    "then",
                    format!("is a list of 1 to {MOST_STEPS} steps: [[then]] with `action` and `with`"),
                );
                return None;
            }
            None => {
                self.say("then", "is missing: [[then]] with `action` and `with`");
                return None;
            }
        };
        let read: Vec<Option<Step>> = steps
            .iter()
            .enumerate()
            .map(|(index, step)| self.step(when, &format!("then[{}]", index + 1), step))
            .collect();
        read.into_iter().collect()
    }

    fn step(&mut self, when: Option<&catalog::Entry>, at: &str, step: &Value) -> Option<Step> {
        let Value::Object(step) = step else {
            self.say(at, "is a table with `action` and `with`");
            return None;
        };
        if let Some(key) = step.keys().find(|key| !matches!(key.as_str(), "action" | "with")) {
            self.say(format!("{at}.{key}"), format!("has no meaning here{}", hint(key, ["action", "with"])));
        }
        let Some(id) = step.get("action").and_then(Value::as_str) else {
            self.say(
                format!("{at}.action"),
                "is missing: an action such as \"contacts.add-tags\" (casebridge catalog list)",
            );
            return None;
        };
        let action = catalog::find(id).filter(|entry| entry.kind == Kind::Action);
        let Some(action) = action else {
            let why = match catalog::find(id) {
                Some(_) => format!("`{id}` is a trigger: it happens and cannot be called"),
                None => format!("`{id}` is no action{}", asked(nearest_entry(id))),
            };
            self.say(format!("{at}.action"), why);
            return None;
        };
        if action.effect == Effect::Read {
            self.say(
                format!("{at}.action"),
                format!("`{id}` only reads: a rule has nothing to do with its answer"),
            );
        }
        let empty = Map::new();
        let given = match step.get("with") {
            None => &empty,
            Some(Value::Object(given)) => given,
            Some(_) => {
                self.say(format!("{at}.with"), "is a table of the action's parameters");
                return None;
            }
        };
        let mut with = BTreeMap::new();
        let mut unread = Vec::new();
        for (name, value) in given {
            match Expression::read(value, 0) {
                Ok(expression) => drop(with.insert(name.clone(), expression)),
                Err(why) => {
                    unread.push(name.as_str());
                    self.say(format!("{at}.with.{name}"), why);
                }
            }
        }
        let step = Step { action, with };
        check::step(when, &step, at, &unread, &mut self.wrong);
        unread.is_empty().then_some(step)
    }

    fn word<T: Copy>(&mut self, key: &str, usual: T, words: &[(&str, T)]) -> T {
        let Some(value) = self.object.get(key) else { return usual };
        let found = value.as_str().and_then(|word| words.iter().find(|(known, _)| *known == word));
        found.map_or_else(
            || {
                let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                self.say(key, format!("is {}", words.join(" or ")));
                usual
            },
            |(_, found)| *found,
        )
    }

    fn word_of_flag(&mut self, key: &str) -> bool {
        match self.object.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.say(key, "is true or false");
                false
            }
        }
    }

    fn writes_per_hour(&mut self) -> u32 {
        match self.object.get("writes_per_hour") {
            None => WRITES_PER_HOUR,
            Some(number) => match number.as_u64().and_then(|number| u32::try_from(number).ok()) {
                Some(number @ 1..=100_000) => number,
                _ => {
                    self.say("writes_per_hour", "is a whole number from 1 to 100000");
                    WRITES_PER_HOUR
                }
            },
        }
    }
}

pub(super) fn asked(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}
