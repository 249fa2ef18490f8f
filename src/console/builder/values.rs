//! Where a parameter's value comes from, as a form has it.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::super::form::Fields;
use super::super::rules::TRANSFORMS;
use super::draft::{Button, MOST_PARTS};
use super::look::Look;
use crate::operations::catalog::{Parameter, Type};

/// A key beside a transform's field: name, label, example.
type Beside = (&'static str, &'static str, &'static str);

/// Each transform's keys beside its field. A look-up's table stands apart.
const BESIDE: [(&str, &[Beside]); 3] = [
    ("money", &[("as", "In units or cents", "units")]),
    ("split", &[("by", "What stands between the entries", ",")]),
    (
        "date",
        &[
            ("plus", "Later by", "2d"),
            ("minus", "Earlier by", "1h"),
            ("at", "At the time of", "09:00"),
            ("zone", "In the time zone", "America/Chicago"),
            ("format", "Written as", "%Y-%m-%d"),
        ],
    ),
];

/// A value as it is typed: text as it is, anything else as JSON. A text that would be read as JSON has quotes.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && serde_json::from_str::<Value>(text).is_err() => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// What was typed.
fn understood(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|_| text.into())
}

/// What a parameter is set to when it is added.
pub(super) fn first(parameter: &Parameter) -> Value {
    match parameter.of {
        Type::Boolean => false.into(),
        Type::Texts | Type::List => json!([""]),
        Type::Object => json!({ "constant": {} }),
        _ => "".into(),
    }
}

/// Whether a value is one of a few.
fn choices(parameter: Option<&Parameter>) -> Vec<&str> {
    match parameter {
        Some(parameter) if parameter.of == Type::Boolean => vec!["true", "false"],
        Some(parameter) => parameter.one_of.iter().map(String::as_str).collect(),
        None => Vec::new(),
    }
}

/// How a value is made, in the form's words.
fn how<'a>(value: &'a Value, parameter: Option<&Parameter>) -> &'a str {
    let choices = choices(parameter);
    match value {
        Value::String(text)
            if choices.contains(&text.as_str()) || (!choices.is_empty() && text.is_empty()) =>
        {
            "choice"
        }
        Value::Bool(_) if !choices.is_empty() => "choice",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(object) if object.contains_key("template") => "text",
        Value::Object(object) => {
            let key = object.keys().find(|key| TRANSFORMS.iter().any(|(known, _)| known == key));
            key.map_or("fixed", String::as_str)
        }
        _ => "fixed",
    }
}

/// The value at this place of the form; none where it is left out.
pub(super) fn read(
    fields: &Fields,
    at: &str,
    button: Button<'_>,
    parameter: Option<&Parameter>,
) -> Option<Value> {
    let raw = |what: &str| fields.raw(&format!("{at}:{what}"));
    let text = |what: &str| raw(what).trim();
    let default = (!text("default").is_empty()).then(|| understood(raw("default")));
    // A text of one field alone and that field mean the same: what was filled in is kept when the way is changed.
    let only_field = raw("text").trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    Some(match text("how") {
        "choice" if parameter.is_some_and(|parameter| parameter.of == Type::Boolean) => {
            (text("choice") == "true").into()
        }
        "choice" => text("choice").into(),
        "fixed" => match understood(if raw("json").is_empty() { raw("text") } else { raw("json") }) {
            value @ (Value::Number(_) | Value::Bool(_)) => value,
            value => json!({ "constant": value }),
        },
        "list" => list(fields, at, button),
        "text" | "" => {
            let mut written = raw("text").replace("\r\n", "\n");
            if written.is_empty() && !text("field").is_empty() {
                written = format!("{{{}}}", text("field"));
            }
            if !text("insert").is_empty() {
                written = format!("{written}{{{}}}", text("insert"));
            }
            match default {
                Some(default) => json!({ "template": written, "default": default }),
                None => written.into(),
            }
        }
        key => {
            let field = text("field");
            let field = if field.is_empty() { only_field.unwrap_or_default() } else { field };
            let mut object = Map::from_iter([(key.to_owned(), Value::from(field))]);
            for (beside, _, _) in beside(key) {
                if !text(beside).is_empty() {
                    // White space has a meaning between entries and in a format.
                    object.insert((*beside).to_owned(), raw(beside).into());
                }
            }
            if key == "lookup" {
                object.insert("in".into(), table(fields, at).into());
            }
            object.extend(default.map(|default| ("default".to_owned(), default)));
            object.into()
        }
    })
}

fn beside(key: &str) -> &'static [Beside] {
    BESIDE.iter().find(|(known, _)| *known == key).map_or(&[], |(_, beside)| beside)
}

fn list(fields: &Fields, at: &str, button: Button<'_>) -> Value {
    let mut items = Vec::new();
    for index in 0..MOST_PARTS {
        let inner = format!("{at}.{index}");
        if fields.text(&format!("{inner}:how")).is_empty() {
            break;
        }
        if !button.is("drop", &inner) {
            items.extend(read(fields, &inner, button, None));
        }
    }
    // What was a text before becomes the first entry.
    let text = fields.raw(&format!("{at}:text"));
    if items.is_empty() && !text.is_empty() {
        items.push(text.into());
    }
    if button.is("item", at) || (items.is_empty() && fields.text(&format!("{at}:was")) != "list") {
        items.push("".into());
    }
    items.into()
}

fn table(fields: &Fields, at: &str) -> Map<String, Value> {
    let (key, to) = (format!("{at}:key"), format!("{at}:to"));
    let pairs = fields.all(&key).zip(fields.all(&to));
    pairs
        .filter(|(key, _)| !key.trim().is_empty())
        .map(|(key, to)| (key.to_owned(), understood(to)))
        .collect()
}

/// The part of the form for a value.
pub(super) fn shown(
    look: &Look<'_>,
    at: &str,
    label: &str,
    value: &Value,
    parameter: Option<&Parameter>,
) -> Markup {
    let (id, how) = (at.replace('.', "-"), how(value, parameter));
    let named = |what: &str| format!("{at}:{what}");
    let is_list_wanted =
        how == "list" || parameter.is_none_or(|one| matches!(one.of, Type::Texts | Type::List));
    html! {
        div.value {
            label.unseen for={ "how-" (id) } { "Where the value of " (label) " comes from" }
            select.how id={ "how-" (id) } name=(named("how")) hx-post="/builder" hx-trigger="change" {
                @if !choices(parameter).is_empty() { option value="choice" selected[how == "choice"] { "One of these" } }
                option value="text" selected[how == "text"] { "Text, with fields" }
                @for (key, words) in TRANSFORMS { option value=(key) selected[how == key] { (words) } }
                @if is_list_wanted { option value="list" selected[how == "list"] { "A list" } }
                option value="fixed" selected[how == "fixed"] { "A fixed value" }
            }
            input type="hidden" name=(named("was")) value=(how);
            @match how {
                "choice" => (choice(&id, &named("choice"), label, value, parameter)),
                "text" => (template(look, at, label, value)),
                "fixed" => (fixed(&id, &named("json"), label, value)),
                "list" => (entries(look, at, label, value)),
                key => (transformed(at, label, key, value)),
            }
        }
    }
}

fn choice(id: &str, name: &str, label: &str, value: &Value, parameter: Option<&Parameter>) -> Markup {
    let now = typed(value);
    let words = |choice: &str| match (choice, parameter.map(|one| one.of)) {
        ("true", Some(Type::Boolean)) => "yes".to_owned(),
        ("false", Some(Type::Boolean)) => "no".to_owned(),
        (other, _) => other.to_owned(),
    };
    html! {
        select id={ "v-" (id) } name=(name) aria-label=(label) {
            @if now.is_empty() { option value="" { "Choose…" } }
            @for one in choices(parameter) { option value=(one) selected[one == now] { (words(one)) } }
        }
    }
}

fn fixed(id: &str, name: &str, label: &str, value: &Value) -> Markup {
    let value = value.get("constant").unwrap_or(value);
    html! {
        textarea id={ "v-" (id) } name=(name) aria-label=(label) rows="2" spellcheck="false" { (typed(value)) }
        p.hint { "Text, a number, or JSON such as " code { "{ \"key\": \"value\" }" } "." }
    }
}

fn template(look: &Look<'_>, at: &str, label: &str, value: &Value) -> Markup {
    let id = at.replace('.', "-");
    let written = value.as_str().or_else(|| value["template"].as_str()).unwrap_or_default();
    html! {
        textarea id={ "v-" (id) } name={ (at) ":text" } aria-label=(label) rows=(written.lines().count().clamp(1, 8))
            autofocus[look.draft.focus.as_deref() == Some(at)] aria-describedby={ "said-" (id) } { (written) }
        div.line.inside {
            div.grow {
                label for={ "insert-" (id) } { "Insert a field" }
                select id={ "insert-" (id) } name={ (at) ":insert" } hx-post="/builder" hx-trigger="change" {
                    option value="" { "Choose a field…" }
                    @for field in &look.fields { option value=(field.name) { (field.name) " – " (field.help) } }
                }
            }
            (default(at, value))
        }
    }
}

/// What stands for it where there is no value.
fn default(at: &str, value: &Value) -> Markup {
    let id = at.replace('.', "-");
    html! {
        div.grow {
            label for={ "default-" (id) } { "If there is none" }
            input id={ "default-" (id) } name={ (at) ":default" } placeholder="it is left out" autocomplete="off"
                value=(value.get("default").map(typed).unwrap_or_default());
        }
    }
}

fn transformed(at: &str, label: &str, key: &str, value: &Value) -> Markup {
    let id = at.replace('.', "-");
    let text = |what: &str| value.get(what).and_then(Value::as_str).unwrap_or_default().to_owned();
    html! {
        div.line.inside {
            div.grow {
                label for={ "v-" (id) } { "Field" span.unseen { " for " (label) } }
                input id={ "v-" (id) } name={ (at) ":field" } value=(text(key)) list="fields" autocomplete="off" spellcheck="false"
                    aria-describedby={ "said-" (id) };
            }
            @for (beside, words, example) in beside(key) {
                div {
                    label for={ (beside) "-" (id) } { (words) }
                    input id={ (beside) "-" (id) } name={ (at) ":" (beside) } value=(text(beside)) placeholder=(example) autocomplete="off";
                }
            }
            @if key != "lookup" { (default(at, value)) }
        }
        @if key == "lookup" { (look_up(at, value)) div.line.inside { (default(at, value)) } }
    }
}

fn look_up(at: &str, value: &Value) -> Markup {
    let empty = Map::new();
    let rows = value["in"].as_object().unwrap_or(&empty);
    let row = |key: &str, to: &str| {
        html! {
            div.line.inside {
                div.grow { input name={ (at) ":key" } value=(key) aria-label="If it is" placeholder="If it is" autocomplete="off"; }
                div.grow { input name={ (at) ":to" } value=(to) aria-label="then this" placeholder="then this" autocomplete="off"; }
            }
        }
    };
    html! {
        @for (key, to) in rows { (row(key, &typed(to))) }
        (row("", ""))
        button.small type="submit" name="do" value="look" { "One more row" }
    }
}

fn entries(look: &Look<'_>, at: &str, label: &str, value: &Value) -> Markup {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    html! {
        ol.entries { @for (index, item) in items.iter().enumerate() {
            @let inner = format!("{at}.{index}");
            li {
                (shown(look, &inner, &format!("{label}, entry {}", index + 1), item, None))
                button.small type="submit" name="do" value={ "drop " (inner) } { "Remove" span.unseen { " entry " (index + 1) " of " (label) } }
            }
        } }
        button.small type="submit" name="do" value={ "item " (at) } { "One more entry" span.unseen { " of " (label) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_means_what_it_was() {
        for value in [
            json!("a b"),
            json!("3"),
            json!(3),
            json!(true),
            json!("true"),
            json!({ "a": [1] }),
            json!(""),
            json!("\""),
        ] {
            assert_eq!(understood(&typed(&value)), value, "{value}");
        }
    }
}
