//! One event's story: what came, what was decided and why, every call, and what can be done now.

use maud::{Markup, html};

use super::kind_words;
use crate::console::page::{capital, moment, notice, pill, span, state, token};
use crate::console::session::Visitor;
use crate::domain::{CallClass, EventState, PersonId, Role};
use crate::store::{CallRecord, EventStory};

/// What a webhook carried is shown up to here, in bytes.
const MOST_SHOWN: usize = 256 * 1024;

pub(super) fn body(visitor: &Visitor, story: &EventStory, person: Option<PersonId>, said: &str) -> Markup {
    let row = &story.row;
    html! {
        p.back { a href="/events" { "All events" } }
        div.between {
            h1 { (kind_words(&row.kind)) " from " (row.source.title()) }
            (state(row.state))
        }
        (notice(said))
        @if let Some(reason) = &row.reason { p.lead { (reason) } }
        (doing(visitor, story))
        div.grid {
            section.card aria-labelledby="came" {
                h2 #came { "What came" }
                dl.facts {
                    dt { "Firm" } dd { (row.firm) }
                    dt { "About" } dd.ids { @for record in &story.records { div { (record) } } }
                    @if let Some(person) = person { dt { "Person" } dd { a href={ "/people/" (person) } { "See everything of this person" } } }
                    dt { "Received" } dd { (moment(row.received_at)) }
                    @if let Some(sent) = story.sent_at { dt { "Sent" } dd { (moment(sent)) } }
                    dt { "Proven by" } dd { (proof(&story.verified_by)) }
                    @if let Some(settled) = story.settled_at {
                        dt { "Settled" } dd { (moment(settled)) ", " (span(settled.duration_since(row.received_at))) " after it came" }
                    }
                    @if let Some(cause) = story.cause { dt { "Cause" } dd { (cause) } }
                    @if let Some(due) = story.due_at { dt { "Due" } dd { (moment(due)) ", after " (story.failed_attempts) " failed tries" } }
                    dt { "Event id" } dd.ids { (row.id) }
                }
                (reveal(visitor, story))
            }
            section.card aria-labelledby="plan" {
                h2 #plan { "What was decided" }
                @match &story.plan {
                    None => p { "Nothing yet." },
                    Some(plan) => {
                        @if plan.commands.is_empty() { p { "There was nothing to do." } }
                        ol {
                            @for planned in &plan.commands {
                                li { strong { (capital(&planned.command)) } p.hint { (planned.reason) } }
                            }
                        }
                        @for remark in &plan.remarks { p.hint { (remark) } }
                    }
                }
            }
        }
        section aria-labelledby="calls" {
            h2 #calls { "Calls that were made" }
            @if story.calls.is_empty() { p.empty { "None." } } @else { (calls(&story.calls)) }
        }
    }
}

/// What can be done with it now, by those who may.
fn doing(visitor: &Visitor, story: &EventStory) -> Markup {
    let row = &story.row;
    let may = visitor.actor.may(Role::Operator, &row.firm);
    let is_settled = row.state.is_settled();
    html! {
        @if row.state == EventState::InReview { p.actions { a.button.primary href="/review" { "Decide" } } }
        @if may && is_settled {
            div.actions {
                form method="post" action={ "/events/" (row.id) "/preview" } {
                    (token(visitor)) button.primary type="submit" { "Replay…" }
                }
                @if row.state == EventState::Undelivered {
                    details {
                        summary { "Discard…" }
                        form method="post" action={ "/events/" (row.id) "/discard" } {
                            (token(visitor))
                            label for="why" { "Why it needs no effect" }
                            input #why name="reason" required maxlength="500";
                            button.danger type="submit" { "Discard" }
                        }
                    }
                }
            }
        }
    }
}

fn reveal(visitor: &Visitor, story: &EventStory) -> Markup {
    html! {
        @if visitor.actor.may(Role::Operator, &story.row.firm) {
            details {
                summary { "Show what it carried…" }
                form method="post" action={ "/events/" (story.row.id) "/reveal" } {
                    (token(visitor))
                    p.hint { "It holds personal data. Your name and reason go to the audit log." }
                    label for="reveal-why" { "Why you need to see it" }
                    input #reveal-why name="reason" required maxlength="500";
                    button type="submit" { "Show" }
                }
            }
        } @else {
            p.hint { "What it carried holds personal data; an operator can show it." }
        }
    }
}

/// How the sender was proven, in words.
fn proof(word: &str) -> &str {
    match word {
        "ed25519" => "HighLevel's signature (Ed25519)",
        "rsa" => "HighLevel's older signature (RSA)",
        "secret_url" => "the secret address it was sent to",
        "hmac" | "hmac_sha256" => "a signature with the firm's secret",
        "sweep" => "found by comparing both systems",
        "backfill" => "read from both systems at the start",
        other => other,
    }
}

fn calls(calls: &[CallRecord]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Calls" {
            table.stack {
                thead { tr {
                    @for name in ["At", "What for", "Request", "Answer", "Took", "What was made of it"] { th scope="col" { (name) } }
                } }
                tbody {
                    @for call in calls {
                        tr {
                            td data-label="At" { (call.started_at.strftime("%H:%M:%S%.3f").to_string()) }
                            td data-label="What for" { @if call.effect_key.is_some() { "to write" } @else { "to read" } }
                            td.ids data-label="Request" { (call.target) }
                            td data-label="Answer" {
                                (class(call.class)) " "
                                @if let Some(status) = call.status { (status) } @else { "no answer" }
                            }
                            td.number data-label="Took" { (call.duration_ms) " ms" }
                            td data-label="What was made of it" { @if let Some(detail) = &call.detail { (detail) } }
                        }
                    }
                }
            }
        }
    }
}

fn class(class: CallClass) -> Markup {
    match class {
        CallClass::Ok => pill("good", "accepted"),
        CallClass::RateLimited | CallClass::Unreachable | CallClass::Timeout => {
            pill("warn", &class.as_str().replace('_', " "))
        }
        other => pill("bad", &other.as_str().replace('_', " ")),
    }
}

/// What a webhook carried, to somebody who said why.
pub(super) fn revealed(story: &EventStory, payload: Option<&[u8]>) -> Markup {
    let text = payload.map(|bytes| {
        let shown = &bytes[..bytes.len().min(MOST_SHOWN)];
        let json = serde_json::from_slice::<serde_json::Value>(bytes).ok();
        let pretty = json.and_then(|value| serde_json::to_string_pretty(&value).ok());
        pretty.unwrap_or_else(|| String::from_utf8_lossy(shown).into_owned())
    });
    html! {
        p.back { a href={ "/events/" (story.row.id) } { "Back to the event" } }
        h1 { "What it carried" }
        p.lead { "Personal data: your name and reason are in the audit log." }
        @match text {
            Some(text) => pre tabindex="0" { (text) },
            None => p.empty { "It is no longer kept." },
        }
    }
}
