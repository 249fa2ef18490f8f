//! A rule that is being built: what the form says, wrong or not yet whole as it may be. The form's state is the rule
//! itself; each button sends the whole form, and says what is to be changed in it.

use serde_json::{Map, Value, json};

use super::super::form::Fields;
use super::values;
use crate::operations::catalog::{Entry, Parameter, find};
use crate::rules::automation::{MOST_STEPS, Rule, WRITES_PER_HOUR, find_trigger};

/// The most parts of one group, entries of one list, parameters of one step that are read from a form.
pub(super) const MOST_PARTS: usize = 200;

/// A button of the form: what to do, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Button<'a> {
    pub(super) verb: &'a str,
    pub(super) at: &'a str,
}

impl<'a> Button<'a> {
    fn of(fields: &'a Fields) -> Self {
        let text = fields.raw("do");
        let (verb, at) = text.split_once(' ').unwrap_or((text, ""));
        Self { verb, at }
    }

    pub(super) fn is(self, verb: &str, at: &str) -> bool {
        self.verb == verb && self.at == at
    }
}

/// The rule as far as it goes.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) name: String,
    /// The version it was made from; none of a new rule.
    pub(super) from: Option<u32>,
    pub(super) firms: Vec<String>,
    pub(super) when: Option<&'static Entry>,
    pub(super) condition: Option<Value>,
    pub(super) steps: Vec<StepDraft>,
    pub(super) goes_on: bool,
    pub(super) is_once_per_record: bool,
    pub(super) writes_per_hour: String,
    pub(super) may_trigger_itself: bool,
    /// The event it is looked at with; empty is the trigger's example.
    pub(super) event: String,
    /// Whether somebody has asked what is wrong: before, what is still empty is no fault.
    pub(super) is_asked: bool,
    /// What was just added, and is to be filled in next.
    pub(super) focus: Option<String>,
}

/// A step as far as it goes.
#[derive(Debug, Default)]
pub(super) struct StepDraft {
    pub(super) action: Option<&'static Entry>,
    /// What actions are looked for by.
    pub(super) find: String,
    pub(super) with: Vec<(String, Value)>,
}

/// A test that is to be filled in.
fn blank_test() -> Value {
    json!({ "field": "", "operator": "equals", "value": "" })
}

impl Draft {
    /// Of a rule that is saved, or brought in.
    pub(super) fn of(rule: &Rule, from: Option<u32>) -> Self {
        let written = rule.to_json();
        let steps = rule.steps.iter().zip(written["then"].as_array().into_iter().flatten());
        let steps = steps.map(|(step, written)| StepDraft {
            action: Some(step.action),
            find: String::new(),
            with: written["with"].as_object().cloned().unwrap_or_default().into_iter().collect(),
        });
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            from,
            firms: rule.firms.clone(),
            when: Some(rule.when),
            condition: written.get("if").cloned(),
            steps: steps.collect(),
            goes_on: written.get("on_error").is_some(),
            is_once_per_record: written.get("once_per").is_some(),
            writes_per_hour: rule.writes_per_hour.to_string(),
            may_trigger_itself: rule.may_trigger_itself,
            ..Self::default()
        }
    }

    /// Of nothing.
    pub(super) fn blank() -> Self {
        Self {
            steps: vec![StepDraft::default()],
            writes_per_hour: WRITES_PER_HOUR.to_string(),
            ..Self::default()
        }
    }

    /// Of a form, with what its button changes.
    pub(super) fn read(fields: &Fields) -> Self {
        let button = Button::of(fields);
        let when = find_trigger(fields.text("when"));
        let mut steps = Vec::new();
        for index in 0..MOST_STEPS {
            let at = format!("then.{index}");
            if fields.all(&format!("{at}:step")).next().is_none() {
                break;
            }
            if !button.is("remove-step", &at) {
                steps.push(StepDraft::read(fields, &at, button, when));
            }
        }
        let place = button.at.strip_prefix("then.").and_then(|index| index.parse::<usize>().ok());
        match (button.verb, place) {
            ("add-step", _) if steps.len() < MOST_STEPS => steps.push(StepDraft::default()),
            ("up", Some(index)) if (1..steps.len()).contains(&index) => steps.swap(index, index - 1),
            ("down", Some(index)) if index + 1 < steps.len() => steps.swap(index, index + 1),
            _ => {}
        }
        let condition = condition(fields, "if", button);
        let focus = focus(button, condition.as_ref(), &steps);
        Self {
            id: fields.text("id").to_owned(),
            name: fields.text("name").to_owned(),
            from: fields.text("from").parse().ok(),
            firms: fields.all("firm").map(str::to_owned).collect(),
            when,
            condition,
            steps,
            goes_on: fields.text("on_error") == "continue",
            is_once_per_record: fields.text("once_per") == "record",
            writes_per_hour: fields.text("writes_per_hour").to_owned(),
            may_trigger_itself: fields.text("may_trigger_itself") == "yes",
            event: fields.text("event").to_owned(),
            is_asked: fields.text("asked") == "yes" || matches!(button.verb, "save" | "save-on" | "try"),
            focus,
        }
    }

    /// The rule as JSON. What is empty is left out; a new rule gets its short name from its name.
    pub(super) fn to_json(&self) -> Value {
        let mut written = Map::new();
        let mut put = |key: &str, value: Value| drop(written.insert(key.to_owned(), value));
        let id = self.short_name();
        if !id.is_empty() {
            put("id", id.into());
        }
        if !self.name.is_empty() {
            put("name", self.name.as_str().into());
        }
        if !self.firms.is_empty() {
            put("firms", json!(self.firms));
        }
        if let Some(when) = self.when {
            put("when", when.id.as_str().into());
        }
        if let Some(condition) = &self.condition {
            put("if", condition.clone());
        }
        if self.goes_on {
            put("on_error", "continue".into());
        }
        if self.is_once_per_record {
            put("once_per", "record".into());
        }
        let writes: Value = self.writes_per_hour.parse::<u64>().map_or(Value::Null, Value::from);
        put("writes_per_hour", writes);
        if self.may_trigger_itself {
            put("may_trigger_itself", true.into());
        }
        put("then", self.steps.iter().map(StepDraft::to_json).collect());
        written.into()
    }

    fn short_name(&self) -> String {
        if !self.id.is_empty() {
            return self.id.clone();
        }
        let plain =
            |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' };
        let words: String = self.name.chars().map(plain).collect();
        let name = words.split_whitespace().collect::<Vec<_>>().join("-");
        name.chars().take(60).collect::<String>().trim_end_matches('-').to_owned()
    }
}

impl StepDraft {
    fn read(fields: &Fields, at: &str, button: Button<'_>, when: Option<&Entry>) -> Self {
        let chosen = (button.verb == "choose").then(|| button.at.split_once(' ')).flatten();
        let chosen = chosen.filter(|(place, _)| *place == at).and_then(|(_, id)| find(id));
        let is_other = button.is("other", at);
        let before = find(fields.text(&format!("{at}:action"))).filter(|_| !is_other);
        let action = chosen.or(before);
        let mut with: Vec<(String, Value)> = Vec::new();
        for index in 0..MOST_PARTS {
            let at = format!("{at}.{index}");
            let name = fields.text(&format!("{at}:name"));
            if name.is_empty() {
                break;
            }
            if button.is("unset", &at) {
                continue;
            }
            let parameter = action.and_then(|action| action.parameter(name));
            with.extend(values::read(fields, &at, button, parameter).map(|value| (name.to_owned(), value)));
        }
        if let Some(action) = action {
            let required = action.parameters.iter().filter(|one| one.required && one.filled.is_none());
            let asked = fields.text(&format!("{at}:add"));
            let asked = action.parameters.iter().filter(|one| one.name == asked);
            for one in required.chain(asked) {
                if with.iter().all(|(name, _)| *name != one.name) {
                    with.push((one.name.clone(), first_value(one, when)));
                }
            }
        }
        if chosen.is_some() {
            // What another action was given in vain is not carried over.
            with.retain(|(name, value)| {
                !is_empty(value) || action.is_some_and(|action| action.parameter(name).is_some())
            });
        }
        Self { action, find: fields.text(&format!("{at}:find")).to_owned(), with }
    }

    fn to_json(&self) -> Value {
        let with: Map<String, Value> = self
            .with
            .iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(n, v)| (n.clone(), whole(v)))
            .collect();
        match self.action {
            Some(action) => json!({ "action": action.id, "with": with }),
            None => json!({ "with": with }),
        }
    }
}

/// What a parameter begins with: the person's own records where it asks for one of them.
fn first_value(parameter: &Parameter, when: Option<&Entry>) -> Value {
    let known = match parameter.name.as_str() {
        "contactId" => "{contact_id}",
        "lead_id" => "{lead_id}",
        "case_id" => "{case_id}",
        _ => "",
    };
    match when {
        Some(_) if !known.is_empty() => known.into(),
        _ => values::first(parameter),
    }
}

/// Whether nothing was filled in yet.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => !items.is_empty() && items.iter().all(is_empty),
        _ => false,
    }
}

/// A list without the entries that nothing was filled in for.
fn whole(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().filter(|item| !is_empty(item)).map(whole).collect(),
        other => other.clone(),
    }
}

/// The condition at this place of the form.
fn condition(fields: &Fields, at: &str, button: Button<'_>) -> Option<Value> {
    if button.is("remove", at) {
        return None;
    }
    let text = |what: &str| fields.text(&format!("{at}:{what}"));
    let node = match text("kind") {
        "" => return button.is("add", at).then(blank_test),
        kind @ ("all" | "any") => {
            let mut parts = Vec::new();
            for index in 0..MOST_PARTS {
                let inner = format!("{at}.{index}");
                if fields.text(&format!("{inner}:kind")).is_empty() {
                    break;
                }
                parts.extend(condition(fields, &inner, button));
            }
            match button.verb {
                "add" if button.at == at => parts.push(blank_test()),
                "add-all" if button.at == at => parts.push(json!({ "all": [blank_test()] })),
                "add-any" if button.at == at => parts.push(json!({ "any": [blank_test()] })),
                _ => {}
            }
            json!({ kind: parts })
        }
        "not" => {
            let inner = condition(fields, &format!("{at}.0"), button)?;
            if button.is("plain", at) { inner } else { json!({ "not": inner }) }
        }
        _ => test(fields, at),
    };
    Some(match button.verb {
        "negate" if button.at == at => json!({ "not": node }),
        // One more beside what stands alone.
        "add" if button.at == at && !is_group(&node) => json!({ "all": [node, blank_test()] }),
        _ => node,
    })
}

fn is_group(node: &Value) -> bool {
    node.get("all").is_some() || node.get("any").is_some()
}

fn test(fields: &Fields, at: &str) -> Value {
    let text = |what: &str| fields.text(&format!("{at}:{what}"));
    let (field, operator, value) = (text("field"), text("operator"), text("value"));
    match operator {
        "exists" | "not_exists" => json!({ "field": field, "operator": operator }),
        "in" | "not_in" => {
            let values = value.lines().map(str::trim).filter(|line| !line.is_empty());
            json!({ "field": field, "operator": operator, "value": values.collect::<Vec<_>>() })
        }
        _ => json!({ "field": field, "operator": operator, "value": value }),
    }
}

/// The place of what a button added, by its name in the form.
fn focus(button: Button<'_>, condition: Option<&Value>, steps: &[StepDraft]) -> Option<String> {
    let count = |group: &Value| {
        let parts = group.get("all").or_else(|| group.get("any"));
        parts.and_then(Value::as_array).map_or(0, Vec::len)
    };
    match button.verb {
        "add" => {
            let indices = button.at.split('.').skip(1).filter_map(|index| index.parse::<usize>().ok());
            let mut node = condition?;
            for index in indices {
                node = match node.get("not") {
                    Some(inner) => inner,
                    None => node.get("all").or_else(|| node.get("any"))?.get(index)?,
                };
            }
            Some(if is_group(node) {
                format!("{}.{}", button.at, count(node) - 1)
            } else {
                button.at.to_owned()
            })
        }
        "add-step" => Some(format!("then.{}", steps.len() - 1)),
        "choose" => Some(format!("{}.0", button.at.split(' ').next()?)),
        _ => None,
    }
}
