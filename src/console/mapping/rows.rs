//! The rows of the form in which a mapping is changed.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::super::difference;
use super::super::page::capital;
use super::milestone;
use crate::bridge::WhatIf;
use crate::domain::Field;
use crate::rules::{Milestone, SyncRules};

pub(super) fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty)
}

/// A map by its values.
pub(super) fn reversed(map: &Value) -> Value {
    let pairs = map.as_object().into_iter().flatten();
    Value::Object(
        pairs.filter_map(|(key, to)| Some((to.as_str()?.to_owned(), key.as_str().into()))).collect(),
    )
}

pub(super) fn differs(old: &SyncRules, new: &SyncRules) -> Markup {
    html! { details open { summary { "Line by line" } (difference::shown(&old.to_toml(), &new.to_toml())) } }
}

/// One of a few, as a cell of a field's row.
pub(super) fn select<const N: usize>(
    (at, title): (&str, &str),
    key: &str,
    label: &str,
    choices: [(&str, &str); N],
    now: &str,
) -> Markup {
    html! {
        td data-label=(capital(label)) {
            select name={ (at) ":" (key) } aria-label={ (title) ": " (label) } { @for (word, words) in choices { option value=(word) selected[word == now] { (words) } } }
        }
    }
}

/// Fields in their usual order, then the firm's own.
pub(super) fn in_order(rows: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let place = |name: &str| Field::ALL.iter().position(|field| field.as_str() == name).unwrap_or(usize::MAX);
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|(name, _)| place(name));
    rows.into_iter()
}

/// The rows of a map, and an empty one. Each side has a label, and a list to pick from.
pub(super) fn map(name: &str, value: &Value, key: (&str, &str), to: (&str, &str)) -> Markup {
    let row = |from: &str, into: &str| {
        html! {
            div.line.inside {
                div.grow { input name={ (name) ":key" } value=(from) aria-label=(key.0) placeholder=(key.0) list=[(!key.1.is_empty()).then_some(key.1)] autocomplete="off"; }
                div.grow { input name={ (name) ":to" } value=(into) aria-label=(to.0) placeholder=(to.0) list=[(!to.1.is_empty()).then_some(to.1)] autocomplete="off"; }
            }
        }
    };
    html! {
        @for (from, into) in value.as_object().into_iter().flatten() { (row(from, into.as_str().unwrap_or_default())) }
        (row("", ""))
        button.small type="submit" name="do" value={ "look " (name) } { "One more row" span.unseen { " for " (key.0) } }
    }
}

pub(super) fn status(index: usize, name: &str, rule: &Value) -> Markup {
    let at = format!("s.{index}");
    let text = |key: &str| rule[key].as_str().unwrap_or_default();
    let tags: Vec<&str> = rule["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let input = |key: &str, label: &str, value: &str, list: &str| {
        html! {
            div.grow {
                label for={ "s-" (index) "-" (key) } { (label) }
                input id={ "s-" (index) "-" (key) } name={ (at) ":" (key) } value=(value) list=[(!list.is_empty()).then_some(list)] autocomplete="off";
            }
        }
    };
    html! {
        fieldset.step {
            legend { @if name.is_empty() { "Another status" } @else { (name) } }
            div.line {
                (input("name", "Status", name, "statuses-known"))
                div.grow {
                    label for={ "s-" (index) "-milestone" } { "Milestone" }
                    select id={ "s-" (index) "-milestone" } name={ (at) ":milestone" } {
                        option value="" { "none" }
                        @for one in Milestone::ALL { option value=(one.as_str()) selected[one.as_str() == text("milestone")] { (milestone(one)) } }
                    }
                }
                (input("pipeline", "Pipeline", text("pipeline"), "pipelines"))
                (input("stage", "Stage", text("stage"), "stages"))
                div {
                    label for={ "s-" (index) "-opportunity" } { "The deal is" }
                    select id={ "s-" (index) "-opportunity" } name={ (at) ":opportunity" } {
                        option value="" { "left open" }
                        @for one in ["open", "won", "lost", "abandoned"] { option value=(one) selected[one == text("opportunity")] { (one) } }
                    }
                }
                (input("tags", "Tags, with commas", &tags.join(", "), ""))
            }
        }
    }
}

pub(super) fn what_if(told: &WhatIf) -> Markup {
    html! {
        div role="status" #what-if {
            p {
                "Of the last events of " strong { (told.looked) } " people, other calls would be made for " strong { (told.differences.len()) } "."
                @if told.unsaid > 0 { " For " (told.unsaid) " it cannot be said" @if let Some(why) = &told.why { ": " (why) } "." }
                " Nothing was done."
            }
            @for one in &told.differences {
                div.card.inner {
                    p { a href={ "/events/" (one.event) } { "This event" } }
                    ul.difference {
                        @for call in &one.no_longer { li { del { "no longer: " (call) } } }
                        @for call in &one.instead { li { ins { "instead: " (call) } } }
                    }
                }
            }
        }
    }
}

/// A first task of a new lead; an empty one to add another.
pub(super) fn task(index: usize, task: &Value) -> Markup {
    let at = format!("t.{index}");
    let text = |key: &str| task[key].as_str().unwrap_or_default();
    let input = |key: &str, label: &str, list: &str, example: &str| {
        html! {
            div.grow {
                label for={ "t-" (index) "-" (key) } { (label) }
                input id={ "t-" (index) "-" (key) } name={ (at) ":" (key) } value=(text(key)) placeholder=(example) list=[(!list.is_empty()).then_some(list)] autocomplete="off";
            }
        }
    };
    html! {
        fieldset.step {
            legend { @if text("title").is_empty() { "Another task" } @else { (text("title")) } }
            // What makes it the same task: a lead gets it once, whatever it is called.
            input type="hidden" name={ (at) ":key" } value=(text("key"));
            div.line {
                (input("title", "What to do", "", "Order the police report"))
                (input("case_type", "For the case type", "case-types", "* for every one"))
                (input("due_in", "Due after", "", "2d"))
                (input("assignee", "For whom", "highlevel-users", "nobody yet"))
                (input("body", "More about it", "", ""))
            }
        }
    }
}
