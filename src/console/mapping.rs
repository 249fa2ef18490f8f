//! What is synced for a firm, and how: fields, statuses, first tasks, notes.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::Console;
use super::failure::Failed;
use super::page::{page, pill};
use super::session::Visitor;
use crate::domain::FirmId;
use crate::rules::{Direction, Owner, Stage, SyncRules, WriteRule};

/// `/mapping`: of the first firm.
pub(super) async fn first(State(console): State<Arc<Console>>, visitor: Visitor) -> Result<Response, Failed> {
    let firm = console.firms(&visitor).next().ok_or_else(Failed::not_there)?;
    Ok(Redirect::to(&format!("/mapping/{}", firm.id)).into_response())
}

/// `/mapping/{firm}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let id = FirmId::new(id);
    let firm = console.firms(&visitor).find(|firm| firm.id == id).ok_or_else(Failed::not_there)?;
    let rules = &firm.rules;
    let body = html! {
        h1 { "Mapping" }
        p.lead { "What is kept in step for " strong { (firm.id) } ", and whose value stands. It stands in the configuration under "
            code { "[firms.sync]" } " and is read anew when that changes." }
        @if console.firms(&visitor).count() > 1 {
            p { "Other firms: " @for other in console.firms(&visitor).filter(|other| other.id != id) { a href={ "/mapping/" (other.id) } { (other.id) } " " } }
        }
        (fields(rules))
        (statuses(rules))
        section.card aria-labelledby="tasks" {
            h2 #tasks { "First tasks of a new lead" }
            @if rules.initial_tasks.is_empty() { p { "None. A firm lists them under " code { "[[firms.sync.initial_tasks]]" } "." } }
            @else { div.table tabindex="0" role="region" aria-label="First tasks" { table.stack {
                thead { tr { th scope="col" { "Case type" } th scope="col" { "Task" } th scope="col" { "For whom" } } }
                tbody { @for task in &rules.initial_tasks { tr {
                    td data-label="Case type" { @if task.case_type == "*" { "every" } @else { (task.case_type) } }
                    th scope="row" { (task.title) }
                    td data-label="For whom" { (task.assignee.as_deref().unwrap_or("nobody yet")) }
                } } }
            } } }
        }
    };
    Ok(page(&visitor, "/mapping", "Mapping", body))
}

fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::HighLevel => "HighLevel",
        Owner::CasePeer => "CASEpeer",
        Owner::Newest => "the newest",
        Owner::Manual => "a person decides",
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "both ways",
        Direction::ToHighlevel => "CASEpeer → HighLevel",
        Direction::ToCasepeer => "HighLevel → CASEpeer",
    }
}

fn fields(rules: &SyncRules) -> Markup {
    let signed: Vec<_> = rules.fields.policies(Stage::Signed).collect();
    html! {
        section aria-labelledby="fields" {
            h2 #fields { "Fields" }
            p.hint { "Statute dates, SSN, medical, insurance and settlement data are never written, whatever is set." }
            div.table tabindex="0" role="region" aria-label="Fields" { table.stack {
                thead { tr { @for name in ["Field", "Goes", "Written", "Stands before signing", "Stands after signing"] { th scope="col" { (name) } } } }
                tbody { @for ((name, open), (_, signed)) in rules.fields.policies(Stage::Open).zip(&signed) { tr {
                    th scope="row" { (name.title()) @if let Some(key) = rules.fields.highlevel_key(name) { div.ids { (key) } } }
                    td data-label="Goes" { (direction(open.direction)) }
                    td data-label="Written" { @match open.write { WriteRule::Always => "always", WriteRule::IfEmpty => "if empty", WriteRule::Never => "never" } }
                    td data-label="Before signing" { (owner(open.owner)) }
                    td data-label="After signing" { (owner(signed.owner)) }
                } } }
            } }
        }
    }
}

fn statuses(rules: &SyncRules) -> Markup {
    html! {
        section aria-labelledby="statuses" {
            h2 #statuses { "CASEpeer statuses" }
            p.hint { "A status that is not listed changes nothing in HighLevel." }
            @if rules.statuses.is_empty() { p.empty { "None is mapped yet. A firm says what its statuses mean under " code { "[firms.sync.statuses.\"Treating\"]" } "." } }
            @else { div.table tabindex="0" role="region" aria-label="Statuses" { table.stack {
                thead { tr { @for name in ["Status", "Milestone", "Pipeline and stage", "Tags"] { th scope="col" { (name) } } } }
                tbody { @for (name, rule) in &rules.statuses { tr {
                    th scope="row" { (name) }
                    td data-label="Milestone" { @if let Some(milestone) = rule.milestone { (pill("wait", &milestone.as_str().replace('_', " "))) } }
                    td data-label="Pipeline and stage" { (rule.pipeline.as_deref().unwrap_or("no opportunity")) @if let Some(stage) = &rule.stage { ", " (stage) } }
                    td data-label="Tags" { (rule.tags.join(", ")) }
                } } }
            } } }
        }
    }
}
