//! What only a person can decide: both sides beside each other, one click.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{moment, page, pill, span, token};
use super::session::Visitor;
use crate::bridge::{Undoing, Undone, undoing};
use crate::domain::{Difference, Resolution, ReviewAction, ReviewId, ReviewKind, Role, Shown, System};
use crate::store::{ReviewFilter, ReviewRow, ReviewStory};

/// Questions of one page.
const ROWS: usize = 50;

/// Which page.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    all: Option<String>,
    done: Option<String>,
    back: Option<String>,
    after: Option<String>,
}

/// `/review`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let with_resolved = asked.all.is_some();
    let filter = ReviewFilter {
        within: visitor.actor.reach.firms(),
        with_resolved,
        after: asked.after.as_deref().and_then(|text| text.parse().ok()),
        limit: ROWS,
        ..ReviewFilter::default()
    };
    let rows = console.bridge.store.reviews(filter).await?;
    let now = console.bridge.clock.now();
    let next = rows.last().filter(|_| rows.len() == ROWS).map(|row| row.id);
    let body = html! {
        h1 { "Review" }
        @if let Some(done) = &asked.done {
            p.notice role="status" { "Decided. What waited for it goes on. "
                @if let Ok(id) = done.parse::<ReviewId>() { a href={ "/review/" (id) } { "Look at it again" } } }
        }
        @if asked.back.is_some() {
            p.notice role="status" { "Taken back. The values that were overwritten are put back within seconds, and the question is asked again." }
        }
        p.lead { "What only a person can decide. Nothing is written until somebody does; the rest of the firm's work goes on." }
        @if rows.is_empty() { p.empty { "Nothing to decide. Pairs that look alike, conflicting changes and unanswered creates will wait for you here." } }
        ul.tasks {
            @for row in &rows {
                li.task.warn[row.resolved_at.is_none()] {
                    div {
                        strong { a href={ "/review/" (row.id) } { (title(row.kind)) } }
                        p { (row.why) }
                        p { (row.firm) ", " (span(now.duration_since(row.opened_at))) " ago" }
                    }
                    @match row.resolved_at {
                        None => a.button href={ "/review/" (row.id) } { "Look and decide" },
                        Some(_) => (answered(row)),
                    }
                }
            }
        }
        p.actions {
            @if let Some(next) = next { a.button href={ "/review?after=" (next) @if with_resolved { "&all=1" } } { "More" } }
            @if with_resolved { a href="/review" { "Only what waits" } } @else { a href="/review?all=1" { "Show what was decided, too" } }
        }
    };
    Ok(page(&visitor, "/review", "Review", body))
}

/// What is asked, in words.
fn title(kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::AmbiguousMatch => "Is this the same person?",
        ReviewKind::Conflict => "Both sides changed the same thing",
        ReviewKind::AmbiguousCreate => "Was it created or not?",
        ReviewKind::OverdueHandOff => "Did it arrive?",
        ReviewKind::HopBudget => "A record keeps changing back and forth",
        ReviewKind::RuleBudget => "A rule wants to write more often than it may",
    }
}

fn answered(row: &ReviewRow) -> Markup {
    let words = row.action.map_or("answered itself", |action| verb(row.kind, action));
    pill("calm", words)
}

/// An answer, as the button says it.
fn verb(kind: ReviewKind, action: ReviewAction) -> &'static str {
    match (kind, action) {
        (_, ReviewAction::Link) => "Yes, this one",
        (ReviewKind::AmbiguousCreate, ReviewAction::Create) => "No, create it again",
        (_, ReviewAction::Create) => "No, somebody new",
        (_, ReviewAction::Ignore) => "Leave both as they are",
        (_, ReviewAction::UseHighlevel) => "Use HighLevel's",
        (_, ReviewAction::UseCasepeer) => "Use CASEpeer's",
        (_, ReviewAction::PutBack) => "Taken back",
        (_, ReviewAction::Done) => "It arrived",
        (ReviewKind::HopBudget | ReviewKind::RuleBudget, ReviewAction::Retry) => "Let it go on",
        (_, ReviewAction::Retry) => "It did not, send it again",
    }
}

/// `/review/{id}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let id: ReviewId = id.parse().map_err(|_| Failed::not_there())?;
    let story = console.bridge.review_for(&visitor.actor, id).await?;
    let row = &story.row;
    let may = row.resolved_at.is_none() && visitor.actor.may(Role::Operator, &row.firm);
    let body = html! {
        p.back { a href="/review" { "All questions" } }
        h1 { (title(row.kind)) }
        p.lead { (row.why) " (" (row.firm) ", since " (moment(row.opened_at)) ")" }
        @if let Some(at) = row.resolved_at {
            p.notice { "Decided by " (row.resolved_by.as_deref().unwrap_or_default()) ", " (moment(at)) ": "
                (row.action.map_or("it answered itself", |action| verb(row.kind, action))) "." }
            @if visitor.actor.may(Role::Operator, &row.firm) { (take_back(&visitor, row)) }
        }
        @if !visitor.actor.may(Role::Operator, &row.firm) { p.hint { "The values are personal data; an operator sees them." } }
        @else if !story.details.differences.is_empty() { (differences(&story.details.differences)) }
        div.grid {
            @for side in [System::HighLevel, System::CasePeer] {
                @for shown in story.details.on(side) { (record(&visitor, &story, side, shown, may)) }
            }
        }
        @if may { (choices(&visitor, &story)) }
        @else if row.resolved_at.is_none() { p.hint { "An operator of this firm can decide." } }
        @if !story.events.is_empty() {
            section aria-labelledby="waiting" {
                h2 #waiting { "What waits for it" }
                ul { @for event in &story.events { li { a href={ "/events/" (event) } { "Event " (event) } } } }
            }
        }
    };
    Ok(page(&visitor, "/review", "A question", body))
}

/// How the answer is taken back, or what to do instead.
fn take_back(visitor: &Visitor, row: &ReviewRow) -> Markup {
    html! {
        @match undoing(row.kind, row.action) {
            Ok(how) => form.card method="post" action={ "/review/" (row.id) "/undo" } {
                (token(visitor))
                p { "Was that wrong? " @match how {
                    Undoing::Split => "They become two people again, and matching will not link them by itself.",
                    Undoing::Unlink => "The record that was created for it is parted from this person, and the question is asked again. Casebridge deletes nothing at a vendor: the record stays there, is left alone from then on, and you are shown which it is, so that you can delete it there.",
                    Undoing::PutBack => "The values that were overwritten are put back where they stood, and the question is asked again. A value that somebody has changed since stays as it is.",
                    Undoing::AskAgain => "The question is asked again, as it stands today.",
                } }
                button type="submit" { "Undo" }
            },
            Err(why) => @if row.action.is_some() { p.hint { (why) } },
        }
    }
}

fn record(visitor: &Visitor, story: &ReviewStory, side: System, shown: &Shown, may: bool) -> Markup {
    let is_candidate = shown.score.is_some();
    html! {
        section.card {
            div.between {
                h2 { (side.title()) }
                @if let Some(score) = shown.score { (pill(if score >= 700 { "good" } else { "warn" }, &format!("{} % alike", score / 10))) }
            }
            p.ids { (shown.record) }
            @if visitor.actor.may(Role::Operator, &story.row.firm) {
                dl.facts { @for (name, value) in &shown.values { dt { (name) } dd { (value) } } }
            }
            @if !shown.reasons.is_empty() { ul { @for reason in &shown.reasons { li { (reason) } } } }
            @if may && is_candidate && story.row.kind.actions().contains(&ReviewAction::Link) {
                form method="post" action={ "/review/" (story.row.id) } {
                    (token(visitor))
                    input type="hidden" name="record" value=(shown.record);
                    button.primary type="submit" name="action" value="link" { (verb(story.row.kind, ReviewAction::Link)) }
                }
            }
        }
    }
}

fn differences(differences: &[Difference]) -> Markup {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(empty)".into());
    let by = |by: &Option<String>| html! { @if let Some(by) = by { div.hint { (by) } } };
    html! {
        div.table tabindex="0" role="region" aria-label="Differences" {
            table.stack {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Both agreed on" } th scope="col" { "HighLevel" } th scope="col" { "CASEpeer" } } }
                tbody {
                    @for one in differences {
                        tr {
                            th scope="row" { (one.field) }
                            td data-label="Both agreed on" { (value(&one.base)) }
                            td data-label="HighLevel" { (value(&one.highlevel)) (by(&one.highlevel_changed)) }
                            td data-label="CASEpeer" { (value(&one.casepeer)) (by(&one.casepeer_changed)) }
                        }
                    }
                }
            }
        }
    }
}

fn choices(visitor: &Visitor, story: &ReviewStory) -> Markup {
    let kind = story.row.kind;
    let others = kind.actions().iter().filter(|action| **action != ReviewAction::Link);
    html! {
        form.card method="post" action={ "/review/" (story.row.id) } {
            (token(visitor))
            @if kind == ReviewKind::Conflict && story.details.differences.len() > 1 {
                fieldset {
                    legend { "Field by field, where it differs from the button below" }
                    @for one in &story.details.differences {
                        label for={ "field-" (one.field) } { (one.field) }
                        select id={ "field-" (one.field) } name={ "field:" (one.field) } {
                            option value="" { "As the button says" }
                            option value="highlevel" { "HighLevel's" }
                            option value="casepeer" { "CASEpeer's" }
                        }
                    }
                }
            }
            label for="note" { "A note, if you like" }
            input #note name="note" maxlength="500";
            div.actions {
                @for action in others {
                    button type="submit" name="action" value=(action) { (verb(kind, *action)) }
                }
            }
        }
    }
}

/// `POST /review/{id}`
pub(super) async fn resolve(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let id: ReviewId = id.parse().map_err(|_| Failed::not_there())?;
    let wrong = |_| Failed::invalid("That is no answer to this question.");
    let mut answer = Resolution::new(fields.text("action").parse().map_err(wrong)?);
    let record = Some(fields.text("record")).filter(|record| !record.is_empty());
    answer.record = record.map(str::parse).transpose().map_err(wrong)?;
    answer.note = Some(fields.text("note").to_owned()).filter(|note| !note.is_empty());
    for (name, side) in fields.iter() {
        if let Some(field) = name.strip_prefix("field:")
            && !side.is_empty()
        {
            answer.fields.insert(field.to_owned(), side.parse().map_err(wrong)?);
        }
    }
    console.bridge.resolve_as(&visitor.actor, id, answer).await?;
    Ok(Redirect::to(&format!("/review?done={id}")).into_response())
}

/// `POST /review/{id}/undo`
pub(super) async fn undo(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Response, Failed> {
    let id: ReviewId = id.parse().map_err(|_| Failed::not_there())?;
    let next = match console.bridge.undo_as(&visitor.actor, id).await? {
        Undone::Split(to) => format!("/people/{to}?done=split"),
        Undone::Unlinked(_, whose) => format!("/people/{whose}?done=left"),
        Undone::PutBack => "/review?back=1".to_owned(),
        Undone::AskedAgain => format!("/review/{id}"),
    };
    Ok(Redirect::to(&next).into_response())
}
