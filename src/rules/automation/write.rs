//! A rule as JSON and as TOML.

use serde_json::{Map, Value, json};

use super::super::condition::Condition;
use super::{OnError, OncePer, Rule, WRITES_PER_HOUR};

impl Rule {
    /// As JSON: what [`Rule::from_json`] reads.
    pub fn to_json(&self) -> Value {
        let mut written = Map::new();
        let mut put = |key: &str, value: Value| drop(written.insert(key.to_owned(), value));
        put("id", self.id.as_str().into());
        put("name", self.name.as_str().into());
        if !self.firms.is_empty() {
            put("firms", json!(self.firms));
        }
        put("when", self.when.id.as_str().into());
        if self.condition != Condition::All(Vec::new()) {
            put("if", json!(self.condition));
        }
        if self.on_error == OnError::Continue {
            put("on_error", "continue".into());
        }
        if self.once_per == OncePer::Record {
            put("once_per", "record".into());
        }
        if self.writes_per_hour != WRITES_PER_HOUR {
            put("writes_per_hour", self.writes_per_hour.into());
        }
        if self.may_trigger_itself {
            put("may_trigger_itself", true.into());
        }
        let steps = self.steps.iter().map(|step| {
            let with: Map<String, Value> =
                step.with.iter().map(|(name, expression)| (name.clone(), expression.written())).collect();
            json!({ "action": step.action.id, "with": with })
        });
        put("then", steps.collect());
        written.into()
    }

    /// As TOML: what [`super::from_toml`] reads.
    pub fn to_toml(&self) -> String {
        // TOML has no null; `then` comes last, being a list of tables.
        toml::to_string_pretty(&without_null(self.to_json())).expect("a rule has no values that TOML lacks")
    }
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key, without_null(value))).collect()
        }
        Value::Array(items) => items.into_iter().filter(|item| !item.is_null()).map(without_null).collect(),
        other => other,
    }
}
