//! What the law asks for about a person, at the console: a copy, a hold, erasing.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::person;
use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::form::Posted;
use crate::console::page::{moment, page, token};
use crate::console::session::Visitor;
use crate::domain::Role;
use crate::store::{Hold, PersonStory};

/// The part of a person's page for those who may.
pub(super) async fn section(
    console: &Console,
    visitor: &Visitor,
    story: &PersonStory,
) -> Result<Markup, Failed> {
    let holds = console.bridge.store.holds(Some(story.id)).await?;
    let held: Vec<&Hold> = holds.iter().filter(|hold| hold.released_at.is_none()).collect();
    let at = |verb: &str| format!("/people/{}/{verb}", story.id);
    let why = |id: &str, label: &str| {
        html! { label for=(id) { (label) } input id=(id) name="reason" required maxlength="500" autocomplete="off"; }
    };
    Ok(html! {
        section aria-labelledby="law" {
            h2 #law { "What the law asks for" }
            @for hold in &held {
                p.alarm { "On legal hold since " (moment(hold.held_at)) ", by " (hold.held_by) ": " (hold.why) ". Nothing about this person is deleted." }
            }
            div.grid {
                div.card {
                    h3 { "A copy of everything" }
                    p { "What both systems told of the person, what was decided and sent: one file of JSON." }
                    form method="post" action=(at("export")) { (token(visitor)) (why("export-why", "What it is for")) button type="submit" { "Export" } }
                }
                div.card {
                    h3 { "Legal hold" }
                    @if held.is_empty() {
                        p { "Everything about the person stays until the hold is released." }
                        form method="post" action=(at("hold")) { (token(visitor)) (why("hold-why", "What the hold is for")) button type="submit" { "Hold" } }
                    } @else {
                        p { "What is old enough goes with the next day's deleting once it is released." }
                        form method="post" action=(at("release")) { (token(visitor)) button type="submit" { "Release" } }
                    }
                }
                div.card {
                    h3 { "Erase" }
                    @if held.is_empty() { p { "Everything that names the person goes for good; you see first what that is." } a.button.danger href=(at("erase")) { "Erase…" } }
                    @else { p { "A hold wins over erasing." } }
                }
            }
        }
    })
}

/// `POST /people/{id}/export`: the file.
pub(in crate::console) async fn export(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let story = person(&console, &visitor, &id).await?;
    let everything = console.bridge.export_as(&visitor.actor, &story, fields.text("reason")).await?;
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"casebridge-person-{}.json\"", story.id)),
    ];
    Ok((headers, serde_json::to_string_pretty(&everything).expect("it is JSON")).into_response())
}

/// `POST /people/{id}/hold`
pub(in crate::console) async fn hold(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let story = person(&console, &visitor, &id).await?;
    console.bridge.hold_as(&visitor.actor, &story, fields.text("reason")).await?;
    Ok(Redirect::to(&format!("/people/{}?done=held", story.id)).into_response())
}

/// `POST /people/{id}/release`
pub(in crate::console) async fn release(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Response, Failed> {
    let story = person(&console, &visitor, &id).await?;
    console.bridge.release_as(&visitor.actor, &story).await?;
    Ok(Redirect::to(&format!("/people/{}?done=released", story.id)).into_response())
}

/// `/people/{id}/erase`: what would go.
pub(in crate::console) async fn preview(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let story = person(&console, &visitor, &id).await?;
    if !visitor.actor.may(Role::Admin, &story.firm) {
        return Err(Failed::not_allowed("This takes an administrator of the firm."));
    }
    let papers = console.bridge.store.papers(story.id).await?.ok_or_else(Failed::not_there)?;
    let body = html! {
        p.back { a href={ "/people/" (story.id) } { "Back to the person" } }
        h1 { "Erase person " (story.id) "?" }
        p.lead { "This goes for good, and nothing brings it back:" }
        ul {
            li { (papers.events.len()) " events lose what they carried and what they are about; those that are pending end as discarded" }
            li { (papers.requests.len()) " bodies of requests" }
            li { (story.links.len()) " links with what both sides agreed on" }
            li { (papers.reviews.len()) " questions that show one of the records" }
        }
        p { "HighLevel and CASEpeer hold their own records: erase them there first, or their next webhook brings the person back. Backups hold what was erased until they are deleted." }
        form.card method="post" action={ "/people/" (story.id) "/erase" } {
            (token(&visitor))
            label for="reason" { "Why" }
            input #reason name="reason" required maxlength="500" autocomplete="off";
            label for="number" { "The person's number, once more" }
            input #number name="number" required inputmode="numeric" pattern="[0-9]+" autocomplete="off";
            div.actions {
                button.danger type="submit" { "Erase for good" }
                a.button href={ "/people/" (story.id) } { "Leave it" }
            }
        }
    };
    Ok(page(&visitor, "/people", "Erase a person", body))
}

/// `POST /people/{id}/erase`: the certificate, which is shown this once.
pub(in crate::console) async fn erase(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    let story = person(&console, &visitor, &id).await?;
    if fields.text("number") != story.id.to_string() {
        return Err(Failed::invalid("Nothing was erased: that is not the person's number."));
    }
    let certificate = console.bridge.erase_as(&visitor.actor, &story, fields.text("reason")).await?;
    let text = serde_json::to_string_pretty(&certificate).expect("it is JSON");
    let body = html! {
        p.back { a href="/people" { "People" } }
        h1 { "The person is erased" }
        p.notice role="status" { "This is the certificate, shown this once: it alone says whose records they were. Keep it where the law wants it." }
        pre #certificate tabindex="0" { (text) }
        p { button type="button" data-copy="certificate" { "Copy" } }
    };
    Ok(page(&visitor, "/people", "A person was erased", body))
}
