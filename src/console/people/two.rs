//! Making one person of two, and two of one: what would happen is shown first.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::person;
use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::form::Posted;
use crate::console::page::{page, token};
use crate::domain::{RecordRef, Role};
use crate::store::PersonStory;

/// A person in a few lines, for those who may mend.
fn beside(story: &PersonStory) -> Markup {
    let pending = story.events.iter().filter(|event| !event.row.state.is_settled()).count();
    html! {
        section.card {
            h2 { "Person " (story.id) }
            ul { @for record in &story.records { li.ids { (record) } } }
            @for link in &story.links {
                dl.facts { @for (field, value) in link.base.fields.iter() { dt { (field.title()) } dd { (value) } } }
            }
            p.hint { (story.events.len()) " events, " (pending) " of them pending." }
        }
    }
}

/// `POST /people/{id}/merge`: first both beside each other, then it is done.
pub(in crate::console) async fn merge(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let one = person(&console, &visitor, &id).await?;
    let other = person(&console, &visitor, fields.text("other")).await?;
    if !fields.text("sure").is_empty() || !visitor.actor.may(Role::Operator, &one.firm) {
        let stays = console.bridge.merge_as(&visitor.actor, &one, &other).await?;
        return Ok(Redirect::to(&format!("/people/{stays}?done=merged")).into_response());
    }
    if one.id == other.id || one.firm != other.firm {
        return Err(Failed::invalid("Two people of one firm can be made one."));
    }
    let body = html! {
        p.back { a href={ "/people/" (one.id) } { "Back to the person" } }
        h1 { "Are they the same person?" }
        p.lead { "Their events become one line, worked on in the order they came. Nothing is written to either system by this; what comes next is." }
        div.grid { (beside(&one)) (beside(&other)) }
        form.card method="post" action={ "/people/" (one.id) "/merge" } {
            (token(&visitor))
            input type="hidden" name="other" value=(other.id);
            input type="hidden" name="sure" value="1";
            div.actions {
                button.primary type="submit" { "Make them one" }
                a.button href={ "/people/" (one.id) } { "Leave them two" }
            }
            p.hint { "It can be taken back: tick what belongs to the other on the person's page." }
        }
    };
    Ok(page(&visitor, "/people", "Are they the same", body).into_response())
}

/// `POST /people/{id}/split`: first who would be who, then it is done.
pub(in crate::console) async fn split(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let story = person(&console, &visitor, &id).await?;
    let records: Result<Vec<RecordRef>, _> = fields.all("record").map(str::parse).collect();
    let records = records.map_err(|_| Failed::invalid("That is no record."))?;
    if !fields.text("sure").is_empty() || !visitor.actor.may(Role::Operator, &story.firm) {
        let to = console.bridge.split_as(&visitor.actor, &story.firm, &records).await?;
        return Ok(Redirect::to(&format!("/people/{to}?done=split")).into_response());
    }
    if records.is_empty() {
        return Err(Failed::invalid("Tick what belongs to somebody else."));
    }
    let leaves = |name: &String| records.iter().any(|record| record.to_string() == *name);
    let parted = |link: &&crate::store::PersonLink| leaves(&link.highlevel) != leaves(&link.casepeer);
    let ended: Vec<_> = story.links.iter().filter(parted).collect();
    let body = html! {
        p.back { a href={ "/people/" (story.id) } { "Back to the person" } }
        h1 { "Are these two people?" }
        p.lead { "What leaves takes its tasks, notes and pending events along. Nothing is written to either system by this." }
        div.grid {
            section.card { h2 { "Stays" } ul { @for record in story.records.iter().filter(|name| !leaves(name)) { li.ids { (record) } } } }
            section.card { h2 { "Leaves" } ul { @for record in &records { li.ids { (record) } } } }
        }
        @if !ended.is_empty() {
            p { "These links end, and matching will not make them again:" }
            ul { @for link in &ended { li.ids { (link.highlevel) " = " (link.casepeer) } } }
        }
        form.card method="post" action={ "/people/" (story.id) "/split" } {
            (token(&visitor))
            @for record in &records { input type="hidden" name="record" value=(record); }
            input type="hidden" name="sure" value="1";
            div.actions {
                button.primary type="submit" { "Make them two" }
                a.button href={ "/people/" (story.id) } { "Leave them one" }
            }
        }
    };
    Ok(page(&visitor, "/people", "Are these two", body).into_response())
}
