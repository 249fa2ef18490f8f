//! One person across both systems: found, seen whole, made one or two.

mod law;
mod two;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};

use super::Console;
use super::events::kind_words;
use super::failure::Failed;
use super::form::Posted;
use super::page::{Done, moment, page, pill, state, token};
use super::session::Visitor;

pub(super) use self::law::{erase, export, hold, preview, release};
pub(super) use self::two::{merge, split};
use crate::domain::{PersonId, RecordRef, Role};
use crate::store::{EventFilter, EventRow, PersonLink, PersonStory};

/// Events that are looked through for people.
const LOOKED_THROUGH: usize = 200;

/// What was just done, by its code.
const DONE: [(&str, &str); 5] = [
    ("merged", "They are one person now: their events come one after another."),
    ("held", "On legal hold: nothing about this person is deleted."),
    ("released", "Released."),
    ("split", "They are two people now. This is the one the records left for."),
    (
        "left",
        "Taken back, and asked again in Review. The record below was created for that answer: it stays in its system, where \
         only a person can delete it, and Casebridge leaves it alone from now on.",
    ),
];

/// `/people`
pub(super) async fn list(visitor: Visitor) -> Html<String> {
    page(&visitor, "/people", "People", search_body(&visitor, "", None))
}

fn search_body(visitor: &Visitor, word: &str, found: Option<&[(PersonId, EventRow)]>) -> Markup {
    html! {
        h1 { "People" }
        p.lead { "A person as both systems know them: their records, what happened, what was done." }
        form.line.card method="post" action="/people" role="search" {
            (token(visitor))
            div.grow {
                label for="word" { "Name, phone, e-mail, or a record's number" }
                input #word type="search" name="word" value=(word) autocomplete="off" required;
            }
            button.primary type="submit" { "Find" }
        }
        @match found {
            None => {},
            Some([]) => p.empty { "Nobody was found. Look for the whole phone number, e-mail address or name." },
            Some(found) => section aria-label="Found" {
                div.table tabindex="0" role="region" aria-label="People" {
                    table.stack {
                        thead { tr { th scope="col" { "Person" } th scope="col" { "Firm" } th scope="col" { "Last heard of" } th scope="col" { "Last event" } } }
                        tbody {
                            @for (person, row) in found {
                                tr {
                                    th scope="row" { a href={ "/people/" (person) } { "Person " (person) } }
                                    td data-label="Firm" { (row.firm) }
                                    td data-label="Last heard of" { (moment(row.received_at)) }
                                    td data-label="Last event" { (kind_words(&row.kind)) " " (state(row.state)) }
                                }
                            }
                        }
                    }
                }
            },
        }
    }
}

/// `POST /people`: a name is never part of an address.
pub(super) async fn search(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    let word = fields.text("word").to_owned();
    let store = &console.bridge.store;
    console.bridge.find_new().await?;
    let filter = EventFilter {
        within: visitor.actor.reach.firms(),
        word: Some(word.clone()),
        limit: LOOKED_THROUGH,
        ..EventFilter::default()
    };
    let mut found = BTreeMap::new();
    for row in store.events(filter).await? {
        let Some(story) = store.event(row.id).await? else { continue };
        let Some(record) = story.records.iter().find_map(|record| record.parse::<RecordRef>().ok()) else {
            continue;
        };
        if let Some(person) = store.person_of(&row.firm, &record).await? {
            found.entry(person).or_insert(row);
        }
    }
    let found: Vec<_> = found.into_iter().collect();
    Ok(page(&visitor, "/people", "People", search_body(&visitor, &word, Some(&found))))
}

async fn person(console: &Console, visitor: &Visitor, text: &str) -> Result<PersonStory, Failed> {
    let id = text.parse().map(PersonId).map_err(|_| Failed::not_there())?;
    let story = console.bridge.store.person(id).await?.ok_or_else(Failed::not_there)?;
    if !visitor.actor.may(Role::Viewer, &story.firm) {
        return Err(Failed::not_there());
    }
    Ok(story)
}

/// `/people/{id}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    let story = person(&console, &visitor, &id).await?;
    let may = visitor.actor.may(Role::Operator, &story.firm);
    let law = match visitor.actor.may(Role::Admin, &story.firm) {
        true => law::section(&console, &visitor, &story).await?,
        false => Markup::default(),
    };
    let body = html! {
        p.back { a href="/people" { "Find another person" } }
        h1 { "Person " (story.id) }
        (done.notice(&DONE))
        p.lead { "Of " (story.firm) "."
            @if !story.merged.is_empty() { " Merged into it: " @for id in &story.merged { (id) " " } } }
        div.grid {
            section.card aria-labelledby="records" {
                h2 #records { "Records" }
                (records(&visitor, &story, may))
            }
            section.card aria-labelledby="links" {
                h2 #links { "What both sides agree on" }
                @if story.links.is_empty() { p { "Nothing is linked yet." } }
                @for link in &story.links { (linked(link, may)) }
            }
        }
        section aria-labelledby="timeline" {
            h2 #timeline { "What happened" }
            @if story.events.is_empty() { p.empty { "Nothing yet." } }
            ul.tasks { @for event in story.events.iter().rev() {
                li.task {
                    div {
                        strong { a href={ "/events/" (event.row.id) } { (kind_words(&event.row.kind)) } } " from " (event.row.source.title())
                        p { (moment(event.row.received_at)) @if let Some(reason) = &event.row.reason { " · " (reason) } }
                        @if let Some(plan) = &event.plan { @for planned in &plan.commands { p { "→ " (planned.command) ": " (planned.reason) } } }
                    }
                    (state(event.row.state))
                }
            } }
        }
        @if may {
            section.card aria-labelledby="merge" {
                h2 #merge { "Is somebody else the same person?" }
                form method="post" action={ "/people/" (story.id) "/merge" } {
                    (token(&visitor))
                    label for="other" { "The other person's number" }
                    input #other name="other" inputmode="numeric" pattern="[0-9]+" required;
                    button type="submit" { "Show both" }
                }
            }
        }
        (law)
    };
    Ok(page(&visitor, "/people", "A person", body))
}

fn records(visitor: &Visitor, story: &PersonStory, may: bool) -> Markup {
    let has_several = story.records.len() > 1;
    html! {
        @if may && has_several {
            form method="post" action={ "/people/" (story.id) "/split" } {
                (token(visitor))
                fieldset {
                    legend { "Tick what belongs to somebody else" }
                    @for record in &story.records {
                        label.choice { input type="checkbox" name="record" value=(record); span.ids { (record) } }
                    }
                }
                button type="submit" { "Show who would be who" }
            }
        } @else {
            ul { @for record in &story.records { li.ids { (record) } } }
        }
    }
}

/// A link with what both sides agreed on last; the values only for those who may mend.
fn linked(link: &PersonLink, may: bool) -> Markup {
    html! {
        p.ids { (link.highlevel) " = " (link.casepeer) }
        p.hint { "Linked since " (moment(link.linked_at)) ", agreed " (moment(link.agreed_at)) ". "
            @if let Some(matched) = &link.base.matched { (pill("good", &format!("{} % alike", matched.score / 10))) " " (matched.reasons.join(", ")) } }
        @if may {
            dl.facts { @for (field, value) in link.base.fields.iter() { dt { (field.title()) } dd { (value) } } }
        } @else {
            p.hint { "The values are personal data; an operator sees them." }
        }
    }
}
