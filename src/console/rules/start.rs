//! Where a rule begins: a ready-made one, a file, or an empty page.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::super::Console;
use super::super::failure::Failed;
use super::super::form::{Fields, Posted};
use super::super::page::{capital, page, token};
use super::super::session::Visitor;
use crate::config::line_of;
use crate::domain::Role;
use crate::rules::automation::{ReadyMade, Rule, Wrong, from_toml, ready_made};
use crate::store::RuleSaved;

/// `/builder/start`
pub(in crate::console) async fn begin(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
) -> Result<Html<String>, Failed> {
    visitor.must_be(Role::Admin)?;
    Ok(page(&visitor, "/rules", "New rule", body(&console, &visitor, None, &[])))
}

fn body(console: &Console, visitor: &Visitor, given: Option<&Fields>, wrong: &[Wrong]) -> Markup {
    let chosen = given.map_or("", |given| given.text("ready"));
    let is_file = given.is_some() && chosen.is_empty();
    html! {
        p.back { a href="/rules" { "All rules" } }
        h1 { "New rule" }
        p.lead { "A new rule is off until you switch it on. You can try it on what came before, and see the calls it would make." }
        section.card aria-labelledby="blank" {
            h2 #blank { "Build it" }
            p { "Choose what has to happen, what has to hold, and what is done then." }
            a.button.primary href="/builder" { "Start with an empty rule" }
        }
        section aria-labelledby="ready" {
            h2 #ready { "Start from a ready-made rule" }
            div.grid { @for one in &ready_made::ALL {
                div.card {
                    h3 { (one.title()) }
                    p { (one.help()) }
                    @if one.name == chosen { (wrong_list(wrong, None)) }
                    form method="post" action="/builder/start" {
                        (token(visitor))
                        input type="hidden" name="ready" value=(one.name);
                        @for (place, help) in one.places() {
                            @let id = format!("{}-{place}", one.name);
                            label for=(id) { (capital(&place.replace('_', " "))) }
                            input id=(id) name={ "place:" (place) } required autocomplete="off" aria-describedby={ (id) "-help" }
                                value=[given.filter(|_| one.name == chosen).map(|given| given.text(&format!("place:{place}")))];
                            p.hint id={ (id) "-help" } { (capital(help)) "." }
                        }
                        (firms(console, visitor, one.name))
                        button type="submit" { "Use it" }
                    }
                }
            } }
        }
        section.card aria-labelledby="file" {
            h2 #file { "Bring in a file" }
            p { "A rule as a file (TOML), as “Export” or " code { "casebridge rules export" } " writes it." }
            form method="post" action="/builder/start" {
                (token(visitor))
                label for="pick" { "Choose a file, or paste it below" }
                input #pick type="file" accept=".toml,text/plain" data-into="text";
                @if is_file { (wrong_list(wrong, given.map(|given| given.raw("text")))) }
                label for="text" { "The rule" }
                textarea #text.code name="text" rows="14" required spellcheck="false" autocomplete="off"
                    aria-invalid=[is_file.then_some("true")] { @if let Some(given) = given { (given.raw("text")) } }
                (firms(console, visitor, "file"))
                label.choice { input type="checkbox" name="replace" value="yes"; " It may take the place of a rule with the same short name" }
                button type="submit" { "Check and save" }
            }
        }
    }
}

/// The firms a rule may be made for.
fn firms(console: &Console, visitor: &Visitor, of: &str) -> Markup {
    let firms: Vec<_> =
        console.firms(visitor).filter(|firm| visitor.actor.may(Role::Admin, &firm.id)).collect();
    html! {
        @if firms.len() > 1 || !visitor.actor.governs() {
            fieldset {
                legend { "Firms" }
                p.hint { @if of == "file" { "None ticked means the firms that the file names." } @else { "None ticked means every firm." } }
                div.choices { @for firm in &firms {
                    label.choice { input type="checkbox" name="firm" value=(firm.id.as_str()); " " (firm.id) }
                } }
            }
        }
    }
}

/// What is wrong, each with its place, its reason and what was probably meant.
fn wrong_list(wrong: &[Wrong], text: Option<&str>) -> Markup {
    html! {
        @if !wrong.is_empty() {
            div.alarm role="alert" {
                p { strong { "It does not check. What is in force stays as it is." } }
                ul { @for one in wrong { li { @if let Some(line) = text.and_then(|text| line(text, &one.at)) { "Line " (line) ", " } code { (one.at) } ": " (one.why) } } }
            }
        }
    }
}

/// The line of a place of the language: steps are counted from 1, the parts of a condition from 0.
fn line(text: &str, at: &str) -> Option<usize> {
    let mut key = at.replace('[', ".").replace(']', "");
    if let Some((step, rest)) =
        key.strip_prefix("then.").map(|rest| rest.split_once('.').unwrap_or((rest, "")))
    {
        key = format!("then.{}.{rest}", step.parse::<usize>().ok()?.checked_sub(1)?);
    }
    line_of(text, key.trim_end_matches('.'))
}

/// The rule that was chosen or given.
fn read(fields: &Fields) -> Result<Rule, Vec<Wrong>> {
    let text = match ReadyMade::find(fields.text("ready")) {
        None => fields.raw("text").to_owned(),
        Some(ready) => {
            let places = fields.iter().filter_map(|(name, value)| {
                Some((name.strip_prefix("place:")?.to_owned(), value.trim().to_owned()))
            });
            let filled = ready.filled(&places.collect::<BTreeMap<_, _>>());
            filled.map_err(|why| vec![Wrong { at: ready.name.into(), why }])?
        }
    };
    let mut rule = from_toml(&text)?;
    let firms: Vec<String> = fields.all("firm").map(str::to_owned).collect();
    if !firms.is_empty() {
        rule.firms = firms;
    }
    Ok(rule)
}

/// `POST /builder/start`: brings in a ready-made rule or a file.
pub(in crate::console) async fn bring(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_be(Role::Admin)?;
    let again = |wrong: &[Wrong]| {
        page(&visitor, "/rules", "New rule", body(&console, &visitor, Some(&fields), wrong)).into_response()
    };
    let rule = match read(&fields) {
        Ok(rule) => rule,
        Err(wrong) => return Ok(again(&wrong)),
    };
    let known = console.bridge.rule_for(&visitor.actor, &rule.id).await.ok();
    let from = known.filter(|_| fields.text("replace") == "yes").map(|known| known.row);
    let was_on = from.as_ref().is_some_and(|row| row.is_on);
    match console.bridge.save_rule_as(&visitor.actor, &rule, from.map(|row| row.version)).await? {
        Err(wrong) => Ok(again(&wrong)),
        Ok(saved) => {
            let done = match saved {
                RuleSaved::Same(_) => "same",
                _ if was_on => "saved-on",
                _ => "saved",
            };
            Ok(Redirect::to(&format!("/rules/{}?done={done}", rule.id)).into_response())
        }
    }
}
