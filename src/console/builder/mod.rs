//! The builder: a rule is made by choosing what happens, what has to hold and what is done. The form's state is the
//! rule: each change sends the whole form, and the answer is the form anew. It works without JavaScript, too.

mod conditions;
mod draft;
mod look;
mod outcome;
mod steps;
mod values;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use maud::{Markup, html};
use serde::Deserialize;

use self::draft::Draft;
use self::look::Look;
use self::outcome::Trial;
use super::Console;
use super::catalog::title;
use super::events::kind_words;
use super::failure::Failed;
use super::form::Posted;
use super::page::{page, token};
use super::session::Visitor;
use crate::bridge::{NotDone, Tried};
use crate::domain::{EventId, FirmId, Role};
use crate::operations::catalog::{Kind, System, all};
use crate::rules::automation::Rule;
use crate::store::{EventRow, RuleSaved};

/// The events that are offered to look at a rule with.
const OFFERED: usize = 12;
/// The most events that a trial looks at.
const TRIED: usize = 2_000;
/// How far back a trial may go, in days.
const DAYS: [i64; 4] = [1, 7, 14, 30];

/// What is to be built on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    rule: Option<String>,
    version: Option<u32>,
}

/// `/builder`: an empty rule, or one that is there.
pub(super) async fn open(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    visitor.must_be(Role::Admin)?;
    let Some(id) = asked.rule else {
        return shown(&console, &visitor, Draft::blank(), None, Vec::new()).await;
    };
    let seen = console.bridge.rule_for(&visitor.actor, &id).await?;
    let (from, rule) = (seen.row.version, seen.rule);
    let rule = match asked.version {
        None => rule,
        Some(version) => {
            let json =
                console.bridge.store.rule_version(&id, version).await?.ok_or_else(Failed::not_there)?;
            let value: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
            Rule::from_json(&value).map_err(|wrong| wrong[0].to_string())
        }
    };
    let rule = rule.map_err(|why| {
        Failed::invalid(format!(
            "This build cannot read the rule: {why}. Export it, mend the file, and bring it in."
        ))
    })?;
    shown(&console, &visitor, Draft::of(&rule, Some(from)), None, Vec::new()).await
}

/// `POST /builder`: something was changed, tried or saved.
pub(super) async fn build(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_be(Role::Admin)?;
    let draft = Draft::read(&fields);
    let checked = Rule::from_json(&draft.to_json());
    let (mut trial, mut refused) = (None, Vec::new());
    match (fields.text("do"), checked) {
        ("try", Ok(rule)) => {
            let days = fields.text("days").parse().ok().filter(|days| DAYS.contains(days)).unwrap_or(7);
            let since = console.bridge.clock.now().saturating_sub(SignedDuration::from_hours(24 * days));
            let since = since.unwrap_or(jiff::Timestamp::MIN);
            let mut tried = Trial::of(days);
            let bridge = &console.bridge;
            let seen = bridge.try_rule_as(&visitor.actor, &rule, since, TRIED, |one| tried.add(one)).await?;
            tried.seen = seen;
            trial = Some(tried);
        }
        (how @ ("save" | "save-on"), Ok(rule)) => {
            match console.bridge.save_rule_as(&visitor.actor, &rule, draft.from).await? {
                Err(wrong) => refused = wrong,
                Ok(saved) => {
                    return saved_as(&console, &visitor, &rule, saved, how == "save-on", &headers).await;
                }
            }
        }
        _ => {}
    }
    Ok(shown(&console, &visitor, draft, trial, refused).await?.into_response())
}

async fn saved_as(
    console: &Console,
    visitor: &Visitor,
    rule: &Rule,
    saved: RuleSaved,
    switch_on: bool,
    headers: &HeaderMap,
) -> Result<Response, Failed> {
    if switch_on {
        console.bridge.switch_rule_as(&visitor.actor, &rule.id, true).await?;
    }
    let is_on = console.bridge.rule_for(&visitor.actor, &rule.id).await?.row.is_on;
    let done = match (switch_on, saved, is_on) {
        (true, ..) | (_, RuleSaved::As(_), true) => "saved-on",
        (_, RuleSaved::As(_), false) => "saved",
        _ => "same",
    };
    let address = format!("/rules/{}?done={done}", rule.id);
    // htmx follows where this header points; it would put a redirect's page into the form.
    if headers.contains_key("hx-request") {
        return Ok(([(HeaderName::from_static("hx-redirect"), address)], "").into_response());
    }
    Ok(Redirect::to(&address).into_response())
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    draft: Draft,
    trial: Option<Trial>,
    refused: Vec<crate::rules::automation::Wrong>,
) -> Result<Html<String>, Failed> {
    let bridge = &console.bridge;
    let events = match draft.when {
        Some(when) => bridge.events_of(&visitor.actor, when, OFFERED).await?,
        None => Vec::new(),
    };
    let chosen = draft.event.parse::<EventId>().ok();
    let of_rule = draft.firms.first().map(FirmId::new);
    let firm = console.firms(visitor).find(|firm| of_rule.as_ref().is_none_or(|id| *id == firm.id));
    let occasion = match (draft.when, chosen) {
        (None, _) => None,
        (Some(when), Some(event)) => match bridge.occasion_for(&visitor.actor, when, event).await {
            Err(NotDone::NotThere) => None,
            other => {
                let occasion = other?;
                if occasion.is_some() {
                    console.note_look(visitor, event).await?;
                }
                occasion
            }
        },
        (Some(when), None) => {
            let zone = firm.as_ref().map(|firm| firm.rules.time_zone.clone()).unwrap_or_default();
            Some(crate::rules::automation::sample(when, bridge.clock.now(), zone))
        }
    };
    let mut look = Look::new(&draft, occasion, events);
    look.refused = refused;
    let tried: Option<Tried> = match (&look.checked, chosen) {
        (Err(_), _) => None,
        (Ok(_), Some(_)) if look.occasion.is_none() => None,
        (Ok(rule), Some(event)) => bridge.try_rule_on(rule, event).await?,
        (Ok(rule), None) => firm.as_ref().and_then(|firm| bridge.try_rule_on_sample(rule, &firm.id)),
    };
    let body = form(console, visitor, &look, tried.as_ref(), trial.as_ref());
    Ok(page(visitor, "/rules", "Build a rule", body))
}

fn form(
    console: &Console,
    visitor: &Visitor,
    look: &Look<'_>,
    tried: Option<&Tried>,
    trial: Option<&Trial>,
) -> Markup {
    let draft = look.draft;
    let back = if draft.from.is_some() { format!("/rules/{}", draft.id) } else { "/builder/start".into() };
    let inside = html! {
        (token(visitor))
        // What Enter in a field presses.
        button hidden type="submit" name="do" value="look" { "Look" }
        input type="hidden" name="from" value=(draft.from.map(|from| from.to_string()).unwrap_or_default());
        @if draft.is_asked { input type="hidden" name="asked" value="yes"; }
        datalist #fields { @for field in &look.fields { option value=(field.name) { (field.help) } } }
        (called(look))
        (trigger(console, visitor, look))
        (conditions::section(look))
        (steps::section(look))
        (details(look))
        (seen(look, tried, trial))
    };
    // What typing changes: never the fields themselves.
    let said: Vec<String> = ids_of(&inside.0, "said-").chain(["outcome".to_owned()]).collect();
    let said = said.iter().map(|id| format!("#{id}")).collect::<Vec<_>>().join(",");
    html! {
        p.back { a href=(back) { @if draft.from.is_some() { "Back to the rule" } @else { "Other ways to begin" } } }
        h1 { @if draft.from.is_some() { "Change a rule" } @else { "Build a rule" } }
        form #builder method="post" action="/builder" hx-post="/builder" hx-target="#builder" hx-select="#builder" hx-swap="outerHTML" hx-sync="#builder:replace" {
            (inside)
            div hidden hx-post="/builder" hx-trigger="input delay:500ms from:closest form" hx-swap="none" hx-select-oob=(said) {}
        }
    }
}

/// The ids in a text of our own that begin so.
fn ids_of<'a>(text: &'a str, begins: &'static str) -> impl Iterator<Item = String> + 'a {
    let marks = text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    marks.filter(move |id| id.starts_with(begins)).map(str::to_owned)
}

fn called(look: &Look<'_>) -> Markup {
    let draft = look.draft;
    html! {
        section.card aria-labelledby="called" {
            h2 #called { "What it is called" }
            label for="name" { "Name" }
            input #name name="name" value=(draft.name) maxlength="200" autocomplete="off" placeholder="Signed: tag and welcome task" aria-describedby="said-name";
            (look.said("name", "name", draft.name.is_empty(), None))
            @if draft.from.is_some() { input type="hidden" name="id" value=(draft.id); }
            @else {
                label for="id" { "Short name" }
                input #id name="id" value=(draft.id) maxlength="60" autocomplete="off" spellcheck="false" placeholder="made from the name" aria-describedby="said-id";
                (look.said("id", "id", draft.id.is_empty() && draft.name.is_empty(), None))
            }
        }
    }
}

fn trigger(console: &Console, visitor: &Visitor, look: &Look<'_>) -> Markup {
    let draft = look.draft;
    let firms: Vec<_> =
        console.firms(visitor).filter(|firm| visitor.actor.may(Role::Admin, &firm.id)).collect();
    let of = |system: System| {
        all().iter().filter(move |entry| entry.kind == Kind::Trigger && entry.system == system)
    };
    html! {
        section.card aria-labelledby="when" {
            h2 #when { "When" }
            label for="trigger" { "What has to happen" }
            select #trigger name="when" hx-post="/builder" hx-trigger="change" aria-describedby="said-when" {
                option value="" { "Choose…" }
                @for system in System::ALL {
                    optgroup label=(title(system)) { @for entry in of(system) {
                        option value=(entry.id) selected[draft.when == Some(entry)] { (entry.help.trim_end_matches('.')) " (" (entry.id) ")" }
                    } }
                }
            }
            (look.said("when", "when", draft.when.is_none(), None))
            @if draft.when.is_some() {
                details {
                    summary { "What it brings: " (look.fields.len()) " fields" }
                    dl.facts { @for field in &look.fields {
                        dt { code { (field.name) } }
                        dd { (field.help) @if !field.example.is_null() { " For example " code { (field.example) } "." } }
                    } }
                }
            }
            @if firms.len() > 1 || !draft.firms.is_empty() || !visitor.actor.governs() {
                fieldset {
                    legend { "At which firms" }
                    p.hint { "None ticked means every firm." }
                    div.choices { @for firm in &firms {
                        label.choice { input type="checkbox" name="firm" value=(firm.id.as_str()) checked[draft.firms.iter().any(|one| one == firm.id.as_str())]; " " (firm.id) }
                    } }
                }
            }
            // Firms that are not among those to choose from stay named.
            @for other in draft.firms.iter().filter(|one| firms.iter().all(|firm| firm.id.as_str() != one.as_str())) {
                input type="hidden" name="firm" value=(other);
            }
            (look.said("firms", "firms", false, None))
        }
    }
}

fn details(look: &Look<'_>) -> Markup {
    let draft = look.draft;
    let asks = look.wrong().any(|one| ["writes_per_hour", "then"].contains(&one.at.as_str()));
    html! {
        section.card aria-labelledby="details" {
            h2 #details { "How it runs" }
            label for="once" { "It runs once for each" }
            select #once name="once_per" {
                option value="event" selected[!draft.is_once_per_record] { "event" }
                option value="record" selected[draft.is_once_per_record] { "record, however often it happens to it" }
            }
            label for="on-error" { "If a step is refused" }
            select #on-error name="on_error" {
                option value="stop" selected[!draft.goes_on] { "stop, and tell a person" }
                option value="continue" selected[draft.goes_on] { "go on with the rest" }
            }
            label for="writes" { "At most so many changes within an hour, for each firm" }
            input #writes name="writes_per_hour" value=(draft.writes_per_hour) inputmode="numeric" autocomplete="off" aria-describedby="said-writes";
            (look.said("writes", "writes_per_hour", false, None))
            label.choice { input type="checkbox" name="may_trigger_itself" value="yes" checked[draft.may_trigger_itself]; " It may set itself off again" }
            p.hint { "Needed where what it does is also what it waits for. It is stopped when it goes round and round." @if asks { " See what is said under “Then”." } }
        }
    }
}

fn seen(look: &Look<'_>, tried: Option<&Tried>, trial: Option<&Trial>) -> Markup {
    html! {
        section.card aria-labelledby="see" {
            h2 #see { "See what it would do" }
            p.hint { "Nothing is sent. What stands beside the fields above comes from this event." }
            label for="event" { "Seen with" }
            select #event name="event" hx-post="/builder" hx-trigger="change" {
                option value="" { "The example of the trigger" }
                @for row in &look.events { option value=(row.id) selected[look.draft.event == row.id.to_string()] { (event_words(row)) } }
            }
            p.hint { "An event of yours shows what it carried; that you looked goes to the audit log." }
            (outcome::with_event(look, tried))
            div.line {
                div {
                    label for="days" { "Try it on the last" }
                    select #days name="days" { @for days in DAYS { option value=(days) selected[days == trial.map_or(7, |trial| trial.days)] { (days) @if days == 1 { " day" } @else { " days" } } } }
                }
                button type="submit" name="do" value="try" { "Try it" }
            }
            (outcome::trial(trial))
        }
        div.actions.save {
            button.primary type="submit" name="do" value="save" { "Save" }
            button type="submit" name="do" value="save-on" { "Save and switch on" }
        }
    }
}

/// An event in a list to choose from: what happened and when, and nobody's name.
fn event_words(row: &EventRow) -> String {
    let at = row.received_at.strftime("%-d %b, %H:%M:%S UTC");
    format!("{} at {}, {at}", kind_words(&row.kind), row.firm)
}
