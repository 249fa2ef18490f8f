//! Rules: which there are, what each says, who changed it, when it ran and what it called.

mod start;
mod words;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

pub(super) use self::start::{begin, bring};
pub(super) use self::words::{OPERATORS, TRANSFORMS};
use super::Console;
use super::difference;
use super::failure::Failed;
use super::form::Posted;
use super::page::{Done, moment, page, pill, state, token};
use super::session::Visitor;
use crate::bridge::{RuleRan, RuleSeen};
use crate::domain::{CallClass, Role};
use crate::rules::automation::Rule;
use crate::store::{RanOnce, RuleVersion};

/// The runs that a rule's page shows.
const RUNS: usize = 20;

/// What a page is asked besides.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    version: Option<u32>,
    firm: Option<String>,
}

/// What was just done, by its code.
const DONE: [(&str, &str); 6] = [
    ("saved", "Saved. It is off: try it, then switch it on."),
    ("saved-on", "Saved. It runs from the next event on."),
    ("same", "It says what it said before: there is no new version."),
    ("on", "It is on, and runs from the next event on."),
    ("off", "It is off. What it began it ends."),
    ("removed", "Removed. Its versions are kept for what ran by them."),
];

/// `/rules`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    let mut rules = console.bridge.rules_for(&visitor.actor).await?;
    let firm = asked.firm.as_deref().filter(|firm| !firm.is_empty());
    if let Some(firm) = firm {
        rules.retain(|rule| rule.firms.is_empty() || rule.firms.iter().any(|one| one.as_str() == firm));
    }
    let within = visitor.actor.reach.firms();
    let mut rows = Vec::with_capacity(rules.len());
    for rule in &rules {
        let last = console.bridge.store.last_runs(&rule.row.id, within.as_deref(), 1).await?;
        rows.push((rule, last.into_iter().next()));
    }
    let body = html! {
        div.between {
            h1 { "Rules" }
            @if visitor.actor.role >= Role::Admin { a.button.primary href="/builder/start" { "New rule" } }
        }
        (done.notice(&DONE))
        p.lead { "When something happens, if something holds, then these actions. Rules add to what is kept in step anyway." }
        @if console.firms(&visitor).count() > 1 {
            form.line method="get" action="/rules" {
                div { label for="firm" { "Those that run for" } select #firm name="firm" {
                    option value="" { "any firm" }
                    @for one in console.firms(&visitor) { option value=(one.id.as_str()) selected[firm == Some(one.id.as_str())] { (one.id) } }
                } }
                button type="submit" { "Show" }
            }
        }
        @if rows.is_empty() { p.empty { "There is no rule yet. Start from a ready-made one: a tag when a case is signed, or a task when an appointment is booked." } }
        @else {
            div.table tabindex="0" role="region" aria-label="Rules" { table.stack {
                thead { tr { @for name in ["Rule", "State", "When", "For", "Version", "Last run"] { th scope="col" { (name) } } } }
                tbody { @for (rule, last) in &rows { (row(&visitor, rule, last.as_ref())) } }
            } }
        }
    };
    Ok(page(&visitor, "/rules", "Rules", body))
}

fn row(visitor: &Visitor, seen: &RuleSeen, last: Option<&RanOnce>) -> Markup {
    html! {
        tr {
            th scope="row" { a href={ "/rules/" (seen.row.id) } { (seen.name()) } }
            td { (on_off(seen)) }
            td data-label="When" { @if let Ok(rule) = &seen.rule { (rule.when.help) } @else { "cannot be read" } }
            td data-label="For" { (whose(visitor, seen)) }
            td data-label="Version" { (seen.row.version) ", by " (seen.row.saved_by) }
            td data-label="Last run" { @match last { Some(run) => (moment(run.begun_at)), None => "never" } }
        }
    }
}

fn on_off(seen: &RuleSeen) -> Markup {
    match (&seen.rule, seen.row.is_on) {
        (Err(_), true) => pill("bad", "on, but does not run"),
        (_, true) => pill("good", "on"),
        (_, false) => pill("calm", "off"),
    }
}

/// The firms it is for, as far as who looks may know of them.
fn whose(visitor: &Visitor, seen: &RuleSeen) -> String {
    if seen.firms.is_empty() {
        return "every firm".into();
    }
    let known = seen.firms.iter().filter(|firm| visitor.actor.reach.covers(firm));
    let known: Vec<&str> = known.map(|firm| firm.as_str()).collect();
    let others = if known.len() < seen.firms.len() { " and others" } else { "" };
    format!("{}{others}", known.join(", "))
}

/// `/rules/{id}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    let seen = console.bridge.rule_for(&visitor.actor, &id).await?;
    let versions = console.bridge.store.rule_versions(&id).await?;
    let runs = console.bridge.rule_runs_for(&visitor.actor, &id, RUNS).await?;
    let keeps = seen.is_kept_by(&visitor.actor);
    let chosen = match asked.version {
        Some(version) if seen.is_wholly_seen_by(&visitor.actor) => {
            Some(version_shown(&console, &seen, version, keeps).await?)
        }
        _ => None,
    };
    let body = html! {
        p.back { a href="/rules" { "All rules" } }
        div.between { h1 { (seen.name()) } (on_off(&seen)) }
        (done.notice(&DONE))
        @match &seen.rule {
            Err(why) => p.alarm { "This rule does not run: " (why) },
            Ok(rule) => (words::rule(rule, &whose(&visitor, &seen))),
        }
        @if keeps { (doing(&visitor, &seen)) }
        @else { p.hint { "An administrator of its firms can change it." } }
        (runs_shown(&runs))
        section aria-labelledby="versions" {
            h2 #versions { "Versions" }
            @if let Some(chosen) = chosen { (chosen) }
            (version_table(&seen, &versions))
            @if seen.is_wholly_seen_by(&visitor.actor) { p.actions { a.button href={ "/rules/" (seen.row.id) "/export" } { "Export as a file" } } }
        }
    };
    Ok(page(&visitor, "/rules", "A rule", body))
}

fn doing(visitor: &Visitor, seen: &RuleSeen) -> Markup {
    let id = &seen.row.id;
    html! {
        div.actions {
            a.button.primary href={ "/builder?rule=" (id) } { "Change" }
            form method="post" action={ "/rules/" (id) "/switch" } {
                (token(visitor))
                @if seen.row.is_on { button type="submit" name="to" value="off" { "Switch off" } }
                @else { button type="submit" name="to" value="on" disabled[seen.rule.is_err()] { "Switch on" } }
            }
            details {
                summary { "Remove…" }
                form method="post" action={ "/rules/" (id) "/remove" } {
                    (token(visitor))
                    p.hint { "It runs no more. What it did stays, and so do its versions." }
                    button.danger type="submit" { "Remove this rule" }
                }
            }
        }
    }
}

fn runs_shown(runs: &[RuleRan]) -> Markup {
    html! {
        section aria-labelledby="runs" {
            h2 #runs { "Last runs" }
            @if runs.is_empty() { p.empty { "It has not run yet." } }
            @else {
                div.table tabindex="0" role="region" aria-label="Each run" { table.stack {
                    thead { tr { @for name in ["When", "Firm", "By version", "Calls", "Event"] { th scope="col" { (name) } } } }
                    tbody { @for ran in runs { tr {
                        td data-label="When" { (moment(ran.run.begun_at)) }
                        td data-label="Firm" { (ran.run.firm) }
                        td data-label="By version" { (ran.run.version) }
                        td data-label="Calls" {
                            @if ran.calls.is_empty() { "none" }
                            @for call in &ran.calls { div {
                                (call.operation) " "
                                @if call.class == CallClass::Ok { (pill("good", "accepted")) } @else { (pill("bad", &call.class.as_str().replace('_', " "))) }
                                @if let Some(status) = call.status { " " (status) }
                            } }
                        }
                        td data-label="Event" { @match ran.state {
                            Some(is) => { a href={ "/events/" (ran.run.event) } { "Its story" } " " (state(is)) },
                            None => "no longer kept",
                        } }
                    } } }
                } }
            }
        }
    }
}

fn version_table(seen: &RuleSeen, versions: &[RuleVersion]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Each version" { table.stack {
            thead { tr { @for name in ["Version", "Saved", "By"] { th scope="col" { (name) } } } }
            tbody { @for one in versions { tr {
                th scope="row" {
                    a href={ "/rules/" (seen.row.id) "?version=" (one.version) "#versions" } { "Version " (one.version) }
                    @if one.version == seen.row.version { " " (pill("calm", "in force")) }
                }
                td data-label="Saved" { (moment(one.saved_at)) }
                td data-label="By" { (one.saved_by) }
            } } }
        } }
    }
}

/// A version as a file.
async fn text_of(console: &Console, id: &str, version: u32) -> Result<String, Failed> {
    let json = console.bridge.store.rule_version(id, version).await?.ok_or_else(Failed::not_there)?;
    let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    // One that this build does not understand is shown as it was kept.
    Ok(Rule::from_json(&value).map_or_else(|_| format!("{value:#}"), |rule| rule.to_toml()))
}

async fn version_shown(
    console: &Console,
    seen: &RuleSeen,
    version: u32,
    keeps: bool,
) -> Result<Markup, Failed> {
    let id = &seen.row.id;
    let text = text_of(console, id, version).await?;
    let before = match version {
        ..=1 => None,
        _ => Some(text_of(console, id, version - 1).await?),
    };
    Ok(html! {
        div.card {
            h3 { "Version " (version) @if before.is_some() { ", and what it changed" } }
            @match before { Some(before) => (difference::shown(&before, &text)), None => pre tabindex="0" { (text) } }
            p.actions {
                @if keeps && version != seen.row.version { a.button href={ "/builder?rule=" (id) "&version=" (version) } { "Go back to this version…" } }
                a.button href={ "/rules/" (id) "/export?version=" (version) } { "Export version " (version) }
            }
        }
    })
}

/// `/rules/{id}/export`
pub(super) async fn export(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let seen = console.bridge.rule_for(&visitor.actor, &id).await?;
    if !seen.is_wholly_seen_by(&visitor.actor) {
        return Err(Failed::not_allowed("It names firms that you may not see."));
    }
    let text = text_of(&console, &id, asked.version.unwrap_or(seen.row.version)).await?;
    let headers = [
        (CONTENT_TYPE, "application/toml; charset=utf-8".to_owned()),
        // A rule's short name has small letters, digits and dashes only.
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{}.toml\"", seen.row.id)),
    ];
    Ok((headers, text).into_response())
}

/// `POST /rules/{id}/switch`
pub(super) async fn switch(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let is_on = fields.text("to") == "on";
    console.bridge.switch_rule_as(&visitor.actor, &id, is_on).await?;
    let done = if is_on { "on" } else { "off" };
    Ok(Redirect::to(&format!("/rules/{id}?done={done}")).into_response())
}

/// `POST /rules/{id}/remove`
pub(super) async fn remove(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Response, Failed> {
    console.bridge.remove_rule_as(&visitor.actor, &id).await?;
    Ok(Redirect::to("/rules?done=removed").into_response())
}
