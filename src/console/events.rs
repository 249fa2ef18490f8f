//! Events: searched, told whole, put back to work or set aside.

mod story;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{moment, notice, page, state, token};
use super::session::Visitor;
use crate::bridge::{NoPreview, Preview, Would};
use crate::domain::{EventId, EventState, FirmId, Role};
use crate::store::{EventFilter, EventRow};

/// Events of one page.
const ROWS: usize = 50;

/// What is looked for. The words a person is looked for by are never part of an address: they come in a form.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    state: Option<String>,
    firm: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    since: Option<String>,
    before: Option<EventId>,
    done: Option<String>,
}

/// The choices of "where it stands", in the words of those who look.
const STANDS: [(&str, &str, &[EventState]); 6] = [
    ("", "Anything", &[]),
    ("failed", "Undelivered", &[EventState::Undelivered]),
    ("decide", "Needs a decision", &[EventState::InReview]),
    (
        "pending",
        "On its way",
        &[
            EventState::Waiting,
            EventState::Ready,
            EventState::Running,
            EventState::Retrying,
            EventState::Parked,
            EventState::HandedOff,
        ],
    ),
    ("done", "Done", &[EventState::Done]),
    ("nothing", "Nothing to do", &[EventState::NothingToDo, EventState::Superseded, EventState::Discarded]),
];

/// The choices of "when", in hours.
const SPANS: [(&str, &str, i64); 5] = [
    ("", "Any time", 0),
    ("1h", "The last hour", 1),
    ("24h", "The last 24 hours", 24),
    ("7d", "The last 7 days", 24 * 7),
    ("30d", "The last 30 days", 24 * 30),
];

/// Text that was given, if any was.
fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What is asked as a filter of the store's.
fn filter(console: &Console, visitor: &Visitor, asked: &Asked) -> EventFilter {
    let stands = STANDS.iter().find(|(word, _, _)| Some(*word) == asked.state.as_deref());
    let hours = SPANS.iter().find(|(word, _, _)| Some(*word) == asked.since.as_deref()).map(|span| span.2);
    let now = console.bridge.clock.now();
    EventFilter {
        firm: given(asked.firm.as_deref()).map(FirmId::new),
        within: visitor.actor.reach.firms(),
        states: stands.map(|(_, _, states)| states.to_vec()).unwrap_or_default(),
        kind: given(asked.kind.as_deref()),
        since: hours
            .filter(|hours| *hours > 0)
            .and_then(|hours| now.checked_sub(jiff::SignedDuration::from_hours(hours)).ok()),
        before: asked.before,
        limit: ROWS,
        ..EventFilter::default()
    }
}

/// `/events`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let rows = console.bridge.store.events(filter(&console, &visitor, &asked)).await?;
    Ok(page(&visitor, "/events", "Events", list_body(&console, &visitor, &asked, "", &rows)))
}

/// `POST /events`: what names a person comes in the body of a form.
pub(super) async fn search(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    let word = fields.text("word").to_owned();
    let text = |name: &str| given(Some(fields.text(name)));
    let asked = Asked {
        state: text("state"),
        firm: text("firm"),
        kind: text("type"),
        since: text("since"),
        ..Asked::default()
    };
    let rows = if word.is_empty() {
        console.bridge.store.events(filter(&console, &visitor, &asked)).await?
    } else if let Ok(id) = word.parse::<EventId>() {
        console.bridge.event_for(&visitor.actor, id).await.map(|story| vec![story.row]).unwrap_or_default()
    } else {
        console.bridge.find_new().await?;
        let filter = EventFilter { word: Some(word.clone()), ..filter(&console, &visitor, &asked) };
        console.bridge.store.events(filter).await?
    };
    Ok(page(&visitor, "/events", "Events", list_body(&console, &visitor, &asked, &word, &rows)))
}

fn list_body(console: &Console, visitor: &Visitor, asked: &Asked, word: &str, rows: &[EventRow]) -> Markup {
    let older = rows.last().filter(|_| rows.len() == ROWS && word.is_empty()).map(|row| row.id);
    let chosen = |name: &Option<String>, value: &str| name.as_deref().unwrap_or_default() == value;
    html! {
        h1 { "Events" }
        (notice(match asked.done.as_deref() {
            Some("discarded") => "Discarded: it is settled as needing no effect.",
            _ => "",
        }))
        p.lead { "Everything both systems told the bridge, the newest first." }
        form.line.card method="post" action="/events" role="search" hx-post="/events" hx-target="#found" hx-select="#found" hx-swap="outerHTML" hx-trigger="submit, change, input delay:400ms from:#word" {
            (token(visitor))
            div.grow {
                label for="word" { "Person, phone, e-mail, case number or event id" }
                input #word type="search" name="word" value=(word) autocomplete="off";
            }
            div {
                label for="state" { "Where it stands" }
                select #state name="state" {
                    @for (value, name, _) in STANDS { option value=(value) selected[chosen(&asked.state, value)] { (name) } }
                }
            }
            div {
                label for="firm" { "Firm" }
                select #firm name="firm" {
                    option value="" { "All" }
                    @for firm in console.firms(visitor) {
                        option value=(firm.id.as_str()) selected[chosen(&asked.firm, firm.id.as_str())] { (firm.id) }
                    }
                }
            }
            div {
                label for="since" { "When" }
                select #since name="since" {
                    @for (value, name, _) in SPANS { option value=(value) selected[chosen(&asked.since, value)] { (name) } }
                }
            }
            div {
                label for="type" { "Type" }
                input #type name="type" value=(asked.kind.as_deref().unwrap_or_default()) placeholder="ContactCreate";
            }
            button.primary type="submit" { "Search" }
        }
        section #found aria-label="Found" aria-live="polite" {
            @if rows.is_empty() {
                p.empty { "Nothing was found. " @if word.is_empty() { "Widen the choices above; a new firm shows here with its first webhook." }
                    @else { "Look for the whole phone number, e-mail address, name or number; spelling counts, spaces and case do not. \
                        What came more than 30 days ago is no longer kept with the person's details." } }
            } @else {
                (table(rows))
            }
            @if let Some(older) = older {
                p.actions { a.button href=(older_link(asked, older)) { "Older" } }
            }
        }
    }
}

/// The page before this one. No word that names a person is part of it.
fn older_link(asked: &Asked, before: EventId) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in
        [("state", &asked.state), ("firm", &asked.firm), ("type", &asked.kind), ("since", &asked.since)]
    {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            query.append_pair(name, value);
        }
    }
    query.append_pair("before", &before.to_string());
    format!("/events?{}", query.finish())
}

/// What came, in words: `ContactCreate` is hard on the eye.
pub(super) fn kind_words(kind: &str) -> String {
    let mut words = String::with_capacity(kind.len() + 4);
    for (at, letter) in kind.chars().enumerate() {
        match letter {
            _ if at == 0 => words.extend(letter.to_uppercase()),
            '.' | '_' => words.push(' '),
            _ if letter.is_uppercase() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            _ => words.push(letter),
        }
    }
    words
}

pub(super) fn table(rows: &[EventRow]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Events" {
            table.stack {
                thead { tr {
                    th scope="col" { "Received" } th scope="col" { "What" } th scope="col" { "From" }
                    th scope="col" { "Firm" } th scope="col" { "Where it stands" } th scope="col" { "Why" }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            td data-label="Received" { (moment(row.received_at)) }
                            th scope="row" { a href={ "/events/" (row.id) } { (kind_words(&row.kind)) } }
                            td data-label="From" { (row.source.title()) }
                            td data-label="Firm" { (row.firm) }
                            td { (state(row.state)) }
                            td data-label="Why" { @if let Some(reason) = &row.reason { (reason) } }
                        }
                    }
                }
            }
        }
    }
}

fn id(text: &str) -> Result<EventId, Failed> {
    text.parse().map_err(|_| Failed::not_there())
}

/// `/events/{id}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(text): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let story = console.bridge.event_for(&visitor.actor, id(&text)?).await?;
    let said = match asked.done.as_deref() {
        Some("replayed") => "It is in line again. What it achieved before is not done a second time.",
        _ => "",
    };
    let person = match story.records.iter().find_map(|record| record.parse().ok()) {
        Some(record) => console.bridge.store.person_of(&story.row.firm, &record).await?,
        None => None,
    };
    Ok(page(&visitor, "/events", "An event", story::body(&visitor, &story, person, said)))
}

/// `POST /events/{id}/reveal`
pub(super) async fn reveal(
    State(console): State<Arc<Console>>,
    Path(text): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    let id = id(&text)?;
    let payload = console.bridge.reveal_as(&visitor.actor, id, fields.text("reason")).await?;
    let story = console.bridge.event_for(&visitor.actor, id).await?;
    Ok(page(&visitor, "/events", "What an event carried", story::revealed(&story, payload.as_deref())))
}

/// `POST /events/{id}/preview`
pub(super) async fn preview(
    State(console): State<Arc<Console>>,
    Path(text): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Html<String>, Failed> {
    let id = id(&text)?;
    let story = console.bridge.event_for(&visitor.actor, id).await?;
    if !visitor.actor.may(Role::Operator, &story.row.firm) {
        return Err(crate::bridge::NotDone::NotAllowed(Role::Operator).into());
    }
    let preview = match console.bridge.preview(id).await {
        Err(NoPreview::NoEvent) => return Err(Failed::not_there()),
        other => other.map_err(|why| why.to_string()),
    };
    let body = html! {
        p.back { a href={ "/events/" (id) } { "Back to the event" } }
        h1 { "What a replay would do now" }
        p.lead { "Both systems were read just now; nothing was written." }
        @match &preview {
            Err(why) => p.alarm { "It cannot be said: " (why) "." },
            Ok(preview) => (preview_list(preview)),
        }
        div.actions {
            form method="post" action={ "/events/" (id) "/replay" } {
                (token(&visitor))
                button.primary type="submit" { "Replay it" }
            }
            a.button href={ "/events/" (id) } { "Leave it" }
        }
    };
    Ok(page(&visitor, "/events", "A replay", body))
}

fn preview_list(preview: &Preview) -> Markup {
    html! {
        @if preview.steps.is_empty() { p.empty { "Nothing: both sides agree." } }
        ul.tasks {
            @for step in &preview.steps {
                li.task {
                    div { strong { (step.command) } p { (step.reason) } }
                    @match step.would {
                        Would::Done => (super::page::pill("calm", "done before, not again")),
                        Would::WillDo => (super::page::pill("wait", "will do")),
                        Would::ChangedSince => (super::page::pill("warn", "new since then: will do")),
                    }
                }
            }
        }
        @for remark in &preview.remarks { p.hint { (remark) } }
    }
}

/// `POST /events/{id}/replay`
pub(super) async fn replay(
    State(console): State<Arc<Console>>,
    Path(text): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Response, Failed> {
    let id = id(&text)?;
    console.bridge.replay_as(&visitor.actor, id).await?;
    Ok(Redirect::to(&format!("/events/{id}?done=replayed")).into_response())
}

/// `POST /events/{id}/discard`
pub(super) async fn discard(
    State(console): State<Arc<Console>>,
    Path(text): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    console.bridge.discard_as(&visitor.actor, id(&text)?, fields.text("reason")).await?;
    Ok(Redirect::to("/events?state=failed&done=discarded").into_response())
}
