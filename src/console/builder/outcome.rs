//! What the rule would do: the calls for one event, and for what came in the last days.

use maud::{Markup, html};
use serde_json::Value;

use super::super::page::{moment, pill};
use super::look::Look;
use crate::bridge::{Tried, TriedStep};

/// The results of a trial that are shown.
const SHOWN: usize = 25;

/// What a trial on the last days came to.
#[derive(Default)]
pub(super) struct Trial {
    /// How many events were looked at, and since how many days.
    pub(super) seen: usize,
    pub(super) days: i64,
    runs: usize,
    calls: usize,
    skipped: usize,
    first: Vec<Tried>,
}

impl Trial {
    /// On what came in so many days.
    pub(super) fn of(days: i64) -> Self {
        Self { days, ..Self::default() }
    }

    pub(super) fn add(&mut self, tried: Tried) {
        if tried.skipped.is_some() {
            self.skipped += 1;
            return;
        }
        self.runs += 1;
        self.calls += tried.steps.iter().filter(|step| step.refused.is_none() && !step.is_done).count();
        if self.first.len() < SHOWN {
            self.first.push(tried);
        }
    }
}

/// What it comes to with the event that is looked at.
pub(super) fn with_event(look: &Look<'_>, tried: Option<&Tried>) -> Markup {
    let wrong: Vec<_> = look.wrong().collect();
    html! {
        div #outcome role="status" {
            @if look.draft.is_asked && !wrong.is_empty() {
                div.alarm {
                    p { strong { "It is not whole yet:" } }
                    ul { @for one in &wrong { li { code { (one.at) } " " (one.why) } } }
                }
            } @else if !wrong.is_empty() {
                p.hint { "When everything that is needed is filled in, the calls it would make stand here." }
            } @else if let Some(tried) = tried {
                (one(tried))
            } @else {
                p.hint { "This event cannot be read any more. Choose another one." }
            }
        }
    }
}

fn one(tried: &Tried) -> Markup {
    html! {
        @match &tried.skipped {
            Some(why) => p { (pill("calm", "does nothing")) " " (why) "." },
            None => {
                p { (pill("good", "runs")) " and makes " (tried.steps.len()) @if tried.steps.len() == 1 { " call:" } @else { " calls, in this order:" } }
                ol.calls { @for step in &tried.steps { li { (call(step)) } } }
            },
        }
    }
}

fn call(step: &TriedStep) -> Markup {
    let body = step.body.as_ref().filter(|body| !matches!(body, Value::Null));
    html! {
        strong { (step.action) } " "
        @if step.is_done { (pill("calm", "done already for this event")) }
        @if let Some(why) = &step.refused { (pill("bad", "refused")) " " (why) }
        @if let Some(target) = &step.target { div.ids { (target) @for (name, value) in &step.query { " " (name) "=" (value) } } }
        @if let Some(body) = body { pre tabindex="0" { (format!("{body:#}")) } }
    }
}

/// What a trial came to.
pub(super) fn trial(trial: Option<&Trial>) -> Markup {
    html! {
        div #trial role="status" { @if let Some(trial) = trial {
            p {
                "Of " (trial.seen) " events of the last " (trial.days) " days it would have run for " strong { (trial.runs) }
                " and made " strong { (trial.calls) " calls" } "; " (trial.skipped) " of its trigger it would have left alone. Nothing was sent."
            }
            @for tried in &trial.first {
                details {
                    summary { @if let Some(at) = tried.received_at { (moment(at)) } ", " (tried.firm) ": " (tried.steps.len()) " calls" }
                    (one(tried))
                    @if let Some(event) = tried.event { p { a href={ "/events/" (event) } { "The event" } } }
                }
            }
            @if trial.runs > trial.first.len() { p.hint { "The newest " (trial.first.len()) " are shown." } }
        } }
    }
}
