//! Everything that can be called or waited for, with its help, and a form to call it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{page, pill, token};
use super::session::Visitor;
use crate::domain::{FirmId, Role};
use crate::operations::Effect;
use crate::operations::catalog::{Entry, Filled, Kind, Parameter, System, Type, all, find};

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    word: Option<String>,
    system: Option<String>,
    kind: Option<String>,
}

pub(super) fn title(system: System) -> &'static str {
    match system {
        System::HighLevel => "HighLevel",
        System::CasePeer => "CASEpeer",
        System::Casebridge => "Casebridge",
    }
}

/// `/catalog`
pub(super) async fn list(visitor: Visitor, Query(asked): Query<Asked>) -> Html<String> {
    let word = asked.word.as_deref().unwrap_or_default().trim();
    let is = |chosen: &Option<String>, value: &str| {
        chosen.as_deref().is_none_or(|chosen| chosen.is_empty() || chosen == value)
    };
    let found: Vec<&Entry> = all()
        .iter()
        .filter(|entry| is(&asked.system, entry.system.as_str()) && is(&asked.kind, entry.kind.as_str()))
        .filter(|entry| word.split_whitespace().all(|word| entry.mentions(word)))
        .collect();
    let chosen = |name: &Option<String>, value: &str| name.as_deref() == Some(value);
    let body = html! {
        h1 { "Catalog" }
        p.lead { "Every action that can be called and every trigger that can be waited for." }
        form.line.card method="get" action="/catalog" role="search" hx-get="/catalog" hx-target="#found" hx-select="#found" hx-swap="outerHTML" hx-trigger="submit, change, input delay:400ms from:#word" {
            div.grow {
                label for="word" { "What it does, its name or its scope" }
                input #word type="search" name="word" value=(word) autocomplete="off";
            }
            div { label for="system" { "System" } select #system name="system" {
                option value="" { "All" }
                @for system in System::ALL { option value=(system.as_str()) selected[chosen(&asked.system, system.as_str())] { (title(system)) } }
            } }
            div { label for="kind" { "Kind" } select #kind name="kind" {
                option value="" { "Both" }
                @for kind in Kind::ALL { option value=(kind.as_str()) selected[chosen(&asked.kind, kind.as_str())] { (kind.as_str()) } }
            } }
            button.primary type="submit" { "Search" }
        }
        section #found aria-label="Found" {
            p role="status" { (found.len()) " of " (all().len()) }
            @if found.is_empty() { p.empty { "Nothing is called that. Try fewer words, such as “note” or “contact”." } }
            @else {
                div.table tabindex="0" role="region" aria-label="Catalog" {
                    table.stack {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "System" } th scope="col" { "What it does" } th scope="col" { "Scope" } } }
                        tbody { @for entry in &found { tr {
                            th scope="row" { a href={ "/catalog/" (entry.id) } { (entry.id) } }
                            td data-label="System" { (title(entry.system)) " " (entry.kind.as_str()) }
                            td { (entry.help) @if entry.deprecated { " " (pill("warn", "not advised")) } }
                            td.ids data-label="Scope" { @if let Some(scope) = &entry.scope { (scope) } }
                        } } }
                    }
                }
            }
        }
    };
    page(&visitor, "/catalog", "Catalog", body)
}

/// What came of a call.
struct Outcome {
    heading: String,
    is_good: bool,
    answer: Option<String>,
}

/// `/catalog/{id}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let entry = find(&id).ok_or_else(Failed::not_there)?;
    Ok(page(&visitor, "/catalog", &entry.id, entry_body(&console, &visitor, entry, None, None)))
}

fn entry_body(
    console: &Console,
    visitor: &Visitor,
    entry: &Entry,
    given: Option<&super::form::Fields>,
    outcome: Option<&Outcome>,
) -> Markup {
    html! {
        p.back { a href="/catalog" { "The whole catalog" } }
        h1 { (entry.id) }
        p.lead { (entry.help) }
        @if entry.deprecated { p.alarm { "The vendor advises against it." } }
        @if let Some(outcome) = outcome {
            section.card aria-labelledby="outcome" {
                h2 #outcome { "What came of it" }
                p.{ (if outcome.is_good { "notice" } else { "alarm" }) } role="status" { (outcome.heading) }
                @if let Some(answer) = &outcome.answer { pre tabindex="0" { (answer) } }
            }
        }
        section.card aria-labelledby="what" {
            h2 #what { "What it is" }
            dl.facts {
                dt { "System" } dd { (title(entry.system)) ", " (entry.kind.as_str()) }
                @if let (Some(method), Some(path)) = (entry.method, &entry.path) { dt { "Request" } dd.ids { (method.as_str()) " " (path) } }
                dt { "Scope" } dd.ids { (entry.scope.as_deref().unwrap_or("none is documented")) }
                dt { "Effect" } dd { (effect(entry)) }
                dt { "Answer" } dd { (entry.result) }
            }
        }
        @if entry.kind == Kind::Action && entry.path.is_some() { (call_form(console, visitor, entry, given)) }
        @else if !entry.parameters.is_empty() { (parameters(entry)) }
    }
}

fn effect(entry: &Entry) -> &'static str {
    match (entry.kind, entry.effect) {
        (Kind::Trigger, _) => "happens by itself",
        (_, Effect::Read) => "changes nothing",
        (_, Effect::Idempotent) => "writes; doing it again changes nothing more",
        (_, Effect::Create) => "writes; doing it again may do it twice",
    }
}

fn parameters(entry: &Entry) -> Markup {
    html! {
        section aria-labelledby="fields" {
            h2 #fields { "What it brings" }
            div.table tabindex="0" role="region" aria-label="Fields" { table.stack {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Type" } th scope="col" { "What it is" } } }
                tbody { @for one in &entry.parameters { tr { th scope="row" { (one.name) } td data-label="Type" { (one.of.as_str()) } td { (one.help) } } } }
            } }
        }
    }
}

fn call_form(
    console: &Console,
    visitor: &Visitor,
    entry: &Entry,
    given: Option<&super::form::Fields>,
) -> Markup {
    let firms: Vec<_> =
        console.firms(visitor).filter(|firm| visitor.actor.may(Role::Operator, &firm.id)).collect();
    let value = |name: &str| given.map(|given| given.text(name)).unwrap_or_default().to_owned();
    html! {
        section.card aria-labelledby="call" {
            h2 #call { "Call it" }
            @if firms.is_empty() { p.hint { "An operator of a firm can call it." } (parameters(entry)) }
            @else {
                form method="post" action={ "/catalog/" (entry.id) } {
                    (token(visitor))
                    label for="firm" { "For which firm" }
                    select #firm name="firm" required {
                        @for firm in &firms { option value=(firm.id.as_str()) selected[value("firm") == firm.id.as_str()] { (firm.id) } }
                    }
                    @for one in entry.parameters.iter().filter(|one| one.filled != Some(Filled::Location)) { (input(one, &value(&format!("p:{}", one.name)))) }
                    @if entry.effect != Effect::Read { p.hint { "It changes the real system at once. Your name goes to the audit log." } }
                    button.primary type="submit" { "Call it" }
                }
            }
        }
    }
}

fn input(one: &Parameter, value: &str) -> Markup {
    let (id, hint) = (format!("p-{}", one.name), format!("h-{}", one.name));
    let name = format!("p:{}", one.name);
    let example = match &one.example {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    html! {
        label for=(id) { (one.name) @if one.required { " (needed)" } }
        @if one.of == Type::Boolean {
            select id=(id) name=(name) aria-describedby=(hint) {
                option value="" { "" }
                option value="true" selected[value == "true"] { "yes" }
                option value="false" selected[value == "false"] { "no" }
            }
        } @else if !one.one_of.is_empty() {
            select id=(id) name=(name) required[one.required] aria-describedby=(hint) {
                option value="" { "" }
                @for word in &one.one_of { option value=(word) selected[value == word] { (word) } }
            }
        } @else if matches!(one.of, Type::Object | Type::List) {
            textarea id=(id) name=(name) required[one.required] aria-describedby=(hint) { (value) }
        } @else {
            input id=(id) name=(name) value=(value) type=[one.secret.then_some("password")] required[one.required] autocomplete="off" aria-describedby=(hint);
        }
        p.hint id=(hint) { (one.help) " For example " code { (example) } "." }
    }
}

/// `POST /catalog/{id}`
pub(super) async fn call(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    let entry = find(&id).filter(|entry| entry.kind == Kind::Action).ok_or_else(Failed::not_there)?;
    let firm = FirmId::new(fields.text("firm"));
    let mut given = Map::new();
    for (name, text) in fields.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let Some(one) = name.strip_prefix("p:").and_then(|name| entry.parameter(name)) else { continue };
        let value = one.read(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        given.insert(one.name.clone(), value);
    }
    let outcome = match console.bridge.call_as(&visitor.actor, &firm, entry, &given).await? {
        Err(wrong) => Outcome { heading: wrong, is_good: false, answer: None },
        Ok(exchange) => {
            let status =
                exchange.status().map_or("No answer".to_owned(), |status| format!("Answered {status}"));
            let pretty = |value: &Value| serde_json::to_string_pretty(value).ok();
            let (is_good, said, answer) = match &exchange.result {
                Ok(answer) => (true, String::new(), pretty(&answer.body)),
                Err(failure) => {
                    let answer = failure.answer.as_ref().filter(|answer| !answer.body.is_null());
                    (false, format!(": {}", failure.detail), answer.and_then(|answer| pretty(&answer.body)))
                }
            };
            let heading = format!("{status} in {} ms{said}", exchange.duration.as_millis());
            Outcome { heading, is_good, answer }
        }
    };
    let body = entry_body(&console, &visitor, entry, Some(&fields), Some(&outcome));
    Ok(page(&visitor, "/catalog", &entry.id, body))
}
