//! What is synced for a firm, and how: fields, statuses, the maps between both systems' words, first tasks, notes. Seen
//! by everybody, changed by administrators, with what the change would have done seen first.

mod draft;
mod edit;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

pub(super) use self::edit::{change, edit};
use super::Console;
use super::difference;
use super::failure::Failed;
use super::form::Posted;
use super::page::{Done, capital, moment, page, pill, token};
use super::session::Visitor;
use crate::bridge::MappingSeen;
use crate::domain::{FirmId, Role};
use crate::rules::{Direction, Milestone, Owner, Stage, SyncRules, WriteRule};

/// What was just done, by its code.
const DONE: [(&str, &str); 2] = [
    ("saved", "Saved. It is in force from the next event on."),
    ("back", "The mapping of the configuration file is in force again."),
];

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
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    let id = FirmId::new(id);
    let seen = console.bridge.mapping_for(&visitor.actor, &id).await?;
    let rules = &seen.firm.rules;
    let may = visitor.actor.may(Role::Admin, &id);
    let body = html! {
        div.between { h1 { "Mapping" } @if may { a.button.primary href={ "/mapping/" (id) "/edit" } { "Change" } } }
        (done.notice(&DONE))
        p.lead { "What is kept in step for " strong { (id) } ", and whose value stands." }
        @if console.firms(&visitor).count() > 1 {
            p { "Other firms: " @for other in console.firms(&visitor).filter(|other| other.id != id) { a href={ "/mapping/" (other.id) } { (other.id) } " " } }
        }
        (in_force(&visitor, &seen, may))
        (fields(rules))
        (statuses(rules))
        (words(rules))
        (tasks(rules))
        (versions(&seen, may))
    };
    Ok(page(&visitor, "/mapping", "Mapping", body))
}

/// Which of the two is in force: the file's, or the console's.
fn in_force(visitor: &Visitor, seen: &MappingSeen, may: bool) -> Markup {
    let id = &seen.firm.id;
    let newest = seen.versions.first();
    let is_unread = seen.is_settled() && seen.firm.rules == *seen.firm.configured;
    html! {
        section.card aria-labelledby="in-force" {
            h2 #in-force { "Where it stands" }
            @if let Some(newest) = newest.filter(|_| seen.is_settled()) {
                p { (pill("wait", "settled in the console")) " Version " (newest.version) ", by " (newest.saved_by) ", " (moment(newest.saved_at)) ". What the configuration file says of these things under "
                    code { "[firms.sync]" } " is not in force for this firm while this is." }
                @if is_unread { p.hint { "It says the same as the file." } }
                @else { details {
                    summary { "How it differs from the file" }
                    (difference::shown(&seen.firm.configured.to_toml(), &seen.firm.rules.to_toml()))
                } }
                @if may {
                    details {
                        summary { "Go back to the file…" }
                        p.hint { "To keep what stands here, put it into the file first: it is shown below as the file would have it." }
                        form method="post" action={ "/mapping/" (id) "/edit" } {
                            (token(visitor))
                            input type="hidden" name="from" value=(seen.version());
                            button.danger type="submit" name="do" value="back" { "Use the mapping of the file again" }
                        }
                    }
                }
            } @else {
                p { (pill("calm", "as the configuration file has it")) " It is read anew when the file changes." }
            }
            details {
                summary { "As a file would have it" }
                pre tabindex="0" { (seen.firm.rules.to_toml()) }
            }
        }
    }
}

pub(super) fn owner(owner: Owner) -> &'static str {
    match owner {
        Owner::HighLevel => "HighLevel",
        Owner::CasePeer => "CASEpeer",
        Owner::Newest => "the newest",
        Owner::Manual => "a person decides",
    }
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "both ways",
        Direction::ToHighlevel => "CASEpeer → HighLevel",
        Direction::ToCasepeer => "HighLevel → CASEpeer",
    }
}

pub(super) fn written(write: WriteRule) -> &'static str {
    match write {
        WriteRule::Always => "always",
        WriteRule::IfEmpty => "if empty",
        WriteRule::Never => "never",
    }
}

pub(super) fn milestone(milestone: Milestone) -> String {
    milestone.as_str().replace('_', " ")
}

fn fields(rules: &SyncRules) -> Markup {
    let signed: Vec<_> = rules.fields.policies(Stage::Signed).collect();
    html! {
        section aria-labelledby="fields" {
            h2 #fields { "Fields" }
            p.hint { "Statute dates, SSN, medical, insurance and settlement data are never written, whatever is set." }
            div.table tabindex="0" role="region" aria-label="Each field" { table.stack {
                thead { tr { @for name in ["Field", "Goes", "Written", "Stands before signing", "Stands after signing"] { th scope="col" { (name) } } } }
                tbody { @for ((name, open), (_, signed)) in rules.fields.policies(Stage::Open).zip(&signed) { tr {
                    th scope="row" { (capital(name.title())) @if let Some(key) = rules.fields.highlevel_key(name) { div.ids { (key) } } }
                    td data-label="Goes" { (direction(open.direction)) }
                    td data-label="Written" { (written(open.write)) }
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
            @if rules.statuses.is_empty() { p.empty { "None is mapped yet." } }
            @else { div.table tabindex="0" role="region" aria-label="Each status" { table.stack {
                thead { tr { @for name in ["Status", "Milestone", "Pipeline and stage", "Tags"] { th scope="col" { (name) } } } }
                tbody { @for (name, rule) in &rules.statuses { tr {
                    th scope="row" { (name) }
                    td data-label="Milestone" { @if let Some(is) = rule.milestone { (pill("wait", &milestone(is))) } }
                    td data-label="Pipeline and stage" { (rule.pipeline.as_deref().unwrap_or("no opportunity")) @if let Some(stage) = &rule.stage { ", " (stage) } }
                    td data-label="Tags" { (rule.tags.join(", ")) }
                } } }
            } } }
        }
    }
}

/// The maps between both systems' words, where there is one.
fn words(rules: &SyncRules) -> Markup {
    let of_fields = rules.fields.all().flat_map(|(name, settings)| {
        let values =
            (format!("{}: HighLevel's value, and CASEpeer's", capital(name.title())), settings.values);
        let tags = (format!("{}: the tag, and CASEpeer's value", capital(name.title())), settings.tags);
        [values, tags]
    });
    let of_rules = [
        ("Users: CASEpeer's e-mail, and HighLevel's".to_owned(), rules.tasks.assignees.clone()),
        (
            "Reasons for turning a case down: CASEpeer's, and HighLevel's".to_owned(),
            rules.lost_reasons.clone(),
        ),
    ];
    let maps: Vec<(String, BTreeMap<String, String>)> =
        of_fields.chain(of_rules).filter(|(_, map)| !map.is_empty()).collect();
    html! {
        @if !maps.is_empty() {
            section aria-labelledby="words" {
                h2 #words { "Words that differ" }
                div.grid { @for (title, map) in &maps {
                    div.card { h3 { (title) } dl.facts { @for (here, there) in map { dt { (here) } dd { (there) } } } }
                } }
            }
        }
    }
}

fn tasks(rules: &SyncRules) -> Markup {
    html! {
        section.card aria-labelledby="tasks" {
            h2 #tasks { "First tasks of a new lead" }
            @if rules.initial_tasks.is_empty() { p { "None." } }
            @else { div.table tabindex="0" role="region" aria-label="Each first task" { table.stack {
                thead { tr { th scope="col" { "Case type" } th scope="col" { "Task" } th scope="col" { "For whom" } } }
                tbody { @for task in &rules.initial_tasks { tr {
                    td data-label="Case type" { @if task.case_type == "*" { "every" } @else { (task.case_type) } }
                    th scope="row" { (task.title) }
                    td data-label="For whom" { (task.assignee.as_deref().unwrap_or("nobody yet")) }
                } } }
            } } }
        }
    }
}

fn versions(seen: &MappingSeen, may: bool) -> Markup {
    html! {
        @if may && !seen.versions.is_empty() {
            section aria-labelledby="versions" {
                h2 #versions { "Who changed it" }
                div.table tabindex="0" role="region" aria-label="Each version" { table.stack {
                    thead { tr { @for name in ["Version", "Saved", "By", "What"] { th scope="col" { (name) } } } }
                    tbody { @for row in &seen.versions { tr {
                        th scope="row" { "Version " (row.version) }
                        td data-label="Saved" { (moment(row.saved_at)) }
                        td data-label="By" { (row.saved_by) }
                        td { @if row.json.is_some() { "settled in the console" } @else { "back to the file" } }
                    } } }
                } }
            }
        }
    }
}

/// `POST` of the page that goes back to the file.
async fn back(console: &Console, posted: &Posted, id: &FirmId) -> Result<Response, Failed> {
    let from = posted.fields.text("from").parse().unwrap_or(0);
    console.bridge.save_mapping_as(&posted.visitor.actor, id, None, from).await?;
    Ok(Redirect::to(&format!("/mapping/{id}?done=back")).into_response())
}
