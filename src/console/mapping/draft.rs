//! A mapping that is being changed: what the form says, wrong as it may be.

use serde_json::{Map, Value, json};

use super::super::form::Fields;
use crate::rules::SyncRules;

/// The most rows of a kind that are read from a form.
const MOST_ROWS: usize = 300;

/// A mapping as JSON, as `[firms.sync]` has it, with every field's settings written out.
pub(super) struct Draft {
    pub(super) json: Value,
    /// The version it was made from.
    pub(super) from: u32,
}

impl Draft {
    /// Of the rules in force.
    pub(super) fn of(rules: &SyncRules, from: u32) -> Self {
        let mut json = rules.to_json();
        let fields = rules.fields.written().map(|(name, settings)| {
            let settings = serde_json::to_value(settings).expect("settings have names that are texts");
            (name.to_owned(), settings)
        });
        json["fields"] = Value::Object(fields.collect());
        Self { json, from }
    }

    /// Of a form, over the rules in force: what the form does not speak of stays.
    pub(super) fn read(rules: &SyncRules, fields: &Fields) -> Self {
        let mut json = rules.to_json();
        json["fields"] = read_fields(fields);
        json["statuses"] = statuses(fields);
        json["lost_reasons"] = map(fields, "lost");
        json["tasks"]["assignees"] = map(fields, "assignees");
        json["tasks"]["priorities"] = map(fields, "priorities");
        json["notes"]["to_highlevel"] = lines(fields.raw("categories"));
        json["notes"]["to_casepeer"] = (fields.text("notes_to_casepeer") == "yes").into();
        json["businesses"]["source_types"] = lines(fields.raw("source_types"));
        json["initial_tasks"] = tasks(fields);
        json["tasks"]["text_to_highlevel"] = (fields.text("text_to_highlevel") == "yes").into();
        json["tasks"]["default_due_in"] = fields.text("default_due_in").into();
        json["appointments"]["create"] = fields.text("appointments").into();
        Self { json, from: fields.text("from").parse().unwrap_or(0) }
    }

    /// The rules it says, or what is wrong with it.
    pub(super) fn rules(&self) -> Result<SyncRules, String> {
        SyncRules::from_json(self.json.clone())
    }
}

/// The pairs of a map's rows; those without a key are none.
fn map(fields: &Fields, name: &str) -> Value {
    let (key, to) = (format!("{name}:key"), format!("{name}:to"));
    let pairs = fields.all(&key).zip(fields.all(&to)).map(|(key, to)| (key.trim(), to.trim()));
    let pairs = pairs.filter(|(key, _)| !key.is_empty());
    Value::Object(pairs.map(|(key, to)| (key.to_owned(), to.into())).collect())
}

fn lines(text: &str) -> Value {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

fn read_fields(fields: &Fields) -> Value {
    let mut all = Map::new();
    for index in 0..MOST_ROWS {
        let at = format!("f.{index}");
        let text = |what: &str| fields.text(&format!("{at}:{what}"));
        let name = text("name");
        if name.is_empty() {
            break;
        }
        let mut settings = Map::new();
        for key in ["direction", "write", "highlevel_key", "casepeer_key"] {
            if !text(key).is_empty() {
                settings.insert(key.to_owned(), text(key).into());
            }
        }
        settings.insert("owner".into(), json!({ "open": text("open"), "signed": text("signed") }));
        settings.insert("values".into(), map(fields, &format!("{at}:values")));
        settings.insert("tags".into(), map(fields, &format!("{at}:tags")));
        all.insert(name.to_owned(), settings.into());
    }
    let own = fields.text("own");
    if !own.is_empty() && fields.text("do") == "add-field" && !all.contains_key(own) {
        let settings = json!({ "highlevel_key": own, "casepeer_key": own, "direction": "to_casepeer", "write": "always",
            "owner": { "open": "highlevel", "signed": "casepeer" } });
        all.insert(own.to_owned(), settings);
    }
    all.into()
}

fn statuses(fields: &Fields) -> Value {
    let mut all = Map::new();
    for index in 0..MOST_ROWS {
        let at = format!("s.{index}");
        if fields.all(&format!("{at}:name")).next().is_none() {
            break;
        }
        let text = |what: &str| fields.text(&format!("{at}:{what}"));
        if text("name").is_empty() {
            continue;
        }
        let mut rule = Map::new();
        for key in ["milestone", "pipeline", "stage", "opportunity"] {
            if !text(key).is_empty() {
                rule.insert(key.to_owned(), text(key).into());
            }
        }
        let tags = text("tags").split(',').map(str::trim).filter(|tag| !tag.is_empty());
        rule.insert("tags".into(), tags.collect());
        all.insert(text("name").to_owned(), rule.into());
    }
    if let Some(name) = fields.raw("do").strip_prefix("status ") {
        all.entry(name.to_owned()).or_insert_with(|| json!({ "tags": [] }));
    }
    all.into()
}

fn tasks(fields: &Fields) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for index in 0..MOST_ROWS {
        let at = format!("t.{index}");
        if fields.all(&format!("{at}:title")).next().is_none() {
            break;
        }
        let text = |what: &str| fields.text(&format!("{at}:{what}"));
        if text("title").is_empty() {
            continue;
        }
        let or = |text: &str, usual: &str| if text.is_empty() { usual.to_owned() } else { text.to_owned() };
        let mut task = Map::new();
        task.insert("title".into(), text("title").into());
        task.insert("case_type".into(), or(text("case_type"), "*").into());
        task.insert("due_in".into(), or(text("due_in"), "1d").into());
        task.insert("key".into(), or(text("key"), &free_key(text("title"), &all)).into());
        for key in ["body", "assignee"] {
            if !text(key).is_empty() {
                task.insert(key.to_owned(), text(key).into());
            }
        }
        all.push(task.into());
    }
    all.into()
}

/// A key for a new task, made of its title.
fn free_key(title: &str, taken: &[Value]) -> String {
    let words: String =
        title.chars().map(|letter| if letter.is_alphanumeric() { letter } else { ' ' }).collect();
    let plain = words.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    let is_taken = |key: &str| taken.iter().any(|task| task["key"] == key);
    let others = (2..).map(|number| format!("{plain}-{number}"));
    std::iter::once(plain.clone()).chain(others).find(|key| !is_taken(key)).unwrap_or_default()
}
