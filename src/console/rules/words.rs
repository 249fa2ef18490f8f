//! A rule in words.

use maud::{Markup, html};
use serde_json::Value;

use crate::rules::automation::{OnError, OncePer, Rule};

/// The operators of a condition: as a rule has them, and in words.
pub(in crate::console) const OPERATORS: [(&str, &str); 12] = [
    ("equals", "is"),
    ("not_equals", "is not"),
    ("contains", "contains"),
    ("not_contains", "does not contain"),
    ("starts_with", "begins with"),
    ("ends_with", "ends with"),
    ("in", "is one of"),
    ("not_in", "is none of"),
    ("exists", "has a value"),
    ("not_exists", "has no value"),
    ("greater_than", "is more than"),
    ("less_than", "is less than"),
];

/// The transforms of a field: as a rule has them, and in words.
pub(in crate::console) const TRANSFORMS: [(&str, &str); 14] = [
    ("copy", "A field as it is"),
    ("date", "A date or time"),
    ("lookup", "A value from a table"),
    ("phone", "A phone number, tidied"),
    ("email", "An e-mail address, tidied"),
    ("first_name", "The first name of a full name"),
    ("last_name", "The last name of a full name"),
    ("number", "A number"),
    ("money", "An amount of money"),
    ("lower", "A field in small letters"),
    ("upper", "A field in capitals"),
    ("trim", "A field without spaces around it"),
    ("plain", "Rich text as plain text"),
    ("split", "A text split into a list"),
];

/// A whole rule.
pub(super) fn rule(rule: &Rule, whose: &str) -> Markup {
    let written = rule.to_json();
    html! {
        div.card.story {
            dl.facts {
                dt { "When" } dd { (rule.when.help) " " span.ids { (rule.when.id) } }
                dt { "If" } dd { @match written.get("if") { Some(condition) => (self::condition(condition)), None => "always" } }
                dt { "Then" } dd { ol { @for (step, written) in rule.steps.iter().zip(written["then"].as_array().into_iter().flatten()) {
                    li {
                        (step.action.help) " " span.ids { (step.action.id) }
                        ul.plain { @for (name, value) in written["with"].as_object().into_iter().flatten() { li { span.label { (name) } " " (expression(value)) } } }
                    }
                } } }
                dt { "For" } dd { (whose) }
                dt { "Once for each" } dd { @match rule.once_per { OncePer::Event => "event", OncePer::Record => "record, however often it happens to it" } }
                dt { "If a step fails" } dd { @match rule.on_error { OnError::Stop => "the rest is not done, and a person is told", OnError::Continue => "the rest is done all the same" } }
                dt { "At most" } dd { (rule.writes_per_hour) " changes within an hour for a firm" }
                @if rule.may_trigger_itself { dt { "Loops" } dd { "What it does may set it off again" } }
            }
        }
    }
}

/// A condition as nested lists.
fn condition(written: &Value) -> Markup {
    let parts = |key: &str| written.get(key).and_then(Value::as_array);
    html! {
        @if let Some(parts) = parts("all") { (group("all of these hold", parts)) }
        @else if let Some(parts) = parts("any") { (group("any of these holds", parts)) }
        @else if let Some(part) = written.get("not") { "not: " (condition(part)) }
        @else {
            code { (written["field"].as_str().unwrap_or_default()) } " " (operator(written["operator"].as_str().unwrap_or_default()))
            @if let Some(value) = written.get("value") { " " strong { (plain(value)) } }
        }
    }
}

fn group(how: &str, parts: &[Value]) -> Markup {
    html! { (how) ":" ul { @for part in parts { li { (condition(part)) } } } }
}

fn operator(word: &str) -> &str {
    OPERATORS.iter().find(|(known, _)| *known == word).map_or(word, |(_, words)| words)
}

/// A value without quotes around it; a list with commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Where a parameter's value comes from.
fn expression(written: &Value) -> Markup {
    let object = written.as_object();
    let transform = object.and_then(|object| TRANSFORMS.iter().find(|(key, _)| object.contains_key(*key)));
    html! {
        @if let Value::Array(items) = written { "a list of" ul { @for item in items { li { (expression(item)) } } } }
        @else if let (Some(object), Some((key, words))) = (object, transform) {
            (words.to_lowercase()) ": " code { (plain(&object[*key])) }
            @for (name, value) in object.iter().filter(|(name, _)| name != key) { ", " (name) " " (plain(value)) }
        } @else if let Some(object) = object {
            @for (name, value) in object { @if name != "constant" && name != "template" { " " (name) " " } strong { (plain(value)) } }
        } @else { strong { (plain(written)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Operator;

    #[test]
    fn every_operator_has_words() {
        let known: Vec<&str> = Operator::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(OPERATORS.map(|(word, _)| word).to_vec(), known);
    }
}
