//! `casebridge events`: what came and what was made of it.

mod list;
mod replay;
mod show;
mod what_if;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::{Span, SpanRelativeTo, Timestamp};

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{print_json, say};
use super::serve::{keyring, open_store};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::domain::{Cause, Deed, EventId, EventState, FirmId};
use crate::store::{EventFilter, SharedStore};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List events, the newest first.
    List {
        #[command(flatten)]
        config: ConfigArgument,
        #[command(flatten)]
        which: Which,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Count what was given up, by firm and cause.
    Causes {
        #[command(flatten)]
        config: ConfigArgument,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Tell one event's whole story.
    Show {
        #[command(flatten)]
        config: ConfigArgument,
        /// The event.
        id: EventId,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put settled events at the tail of their person's lane. What they achieved before is not done again.
    Replay {
        #[command(flatten)]
        config: ConfigArgument,
        /// One event; or say which by --undelivered, --state, --cause, --firm and --since.
        id: Option<EventId>,
        #[command(flatten)]
        which: Which,
        /// Only say what would be done: done, will do, changed since.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask before replaying several.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        by: By,
    },
    /// Say which calls a changed configuration would make for stored events, and which no longer. Nothing is done.
    WhatIf {
        #[command(flatten)]
        config: ConfigArgument,
        /// The changed configuration, a whole file: its maps, rules and profiles are tried on this one's events.
        #[arg(long, value_name = "FILE")]
        with: PathBuf,
        #[command(flatten)]
        which: Which,
        /// The most events, the newest.
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Settle undelivered events as needing no effect.
    Discard {
        #[command(flatten)]
        config: ConfigArgument,
        /// The events.
        #[arg(required = true)]
        ids: Vec<EventId>,
        /// Why; kept with the event.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        by: By,
    },
}

/// Which events are meant.
#[derive(Debug, Args)]
struct Which {
    /// Of this firm only.
    #[arg(long)]
    firm: Option<String>,
    /// In this state only; may be given more than once.
    #[arg(long, value_parser = word::<EventState>)]
    state: Vec<EventState>,
    /// Only those that were settled without effect and need a person.
    #[arg(long, conflicts_with = "state")]
    undelivered: bool,
    /// Only those that were given up for this cause.
    #[arg(long, value_parser = word::<Cause>)]
    cause: Option<Cause>,
    /// Received since: a span such as 7d or 2h, or a moment such as 2026-11-24T12:00:00Z.
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
}

impl Which {
    fn filter(&self, limit: usize) -> EventFilter {
        EventFilter {
            firm: self.firm.clone().map(FirmId::new),
            states: if self.undelivered { vec![EventState::Undelivered] } else { self.state.clone() },
            cause: self.cause,
            since: self.since,
            limit,
            ..EventFilter::default()
        }
    }

    fn is_anything(&self) -> bool {
        self.undelivered || !self.state.is_empty() || self.cause.is_some()
    }
}

/// A word of a closed list; a wrong one is answered with the list.
fn word<Word: std::str::FromStr + ClosedList>(text: &str) -> Result<Word, String> {
    text.parse().map_err(|_| format!("one of {}", Word::words()))
}

/// A list of words that can be named to a person.
trait ClosedList {
    fn words() -> String;
}

impl ClosedList for EventState {
    fn words() -> String {
        Self::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl ClosedList for Cause {
    fn words() -> String {
        Self::ALL.iter().map(|cause| cause.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// A span before now, or a moment.
pub(in crate::cli) fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let wrong = || format!("`{text}` is neither a span such as 7d nor a moment such as 2026-11-24T12:00:00Z");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    SystemClock.now().checked_sub(span.abs()).map_err(|_| wrong())
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { config, which, limit, json } => {
            list::list(&open(&config).await?, which.filter(limit), json).await
        }
        Verb::Causes { config, json } => list::causes(&open(&config).await?, json).await,
        Verb::Show { config, id, json } => {
            let story = open(&config).await?.event(id).await?.ok_or_else(|| no_such(id))?;
            if json { print_json(&story) } else { show::show(&story) }
        }
        Verb::Replay { config, id, which, dry_run, yes, by } => {
            replay::run(&config, id, &which, dry_run, yes, &by).await
        }
        Verb::WhatIf { config, with, which, limit, json } => {
            what_if::run(&config, with, which.filter(limit), json).await
        }
        Verb::Discard { config, ids, reason, by } => {
            let store = open(&config).await?;
            for id in ids {
                let firm = store.event(id).await?.ok_or_else(|| no_such(id))?.row.firm;
                match store.discard(id, &reason).await? {
                    None => return Err(no_such(id)),
                    Some(false) => return Err(Failure::failed(format!("{id} is not undelivered"))),
                    Some(true) => {}
                }
                store.note_deed(by.did_because(Deed::Discarded, &reason).at(&firm).about(id)).await?;
                say(&format!("{id} is discarded"))?;
            }
            Ok(())
        }
    }
}

async fn open(config: &ConfigArgument) -> Result<SharedStore, Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    open_store(&config, &keyring(&config)?, &clock).await
}

fn no_such(id: EventId) -> Failure {
    Failure::failed(format!("there is no event {id}")).hint("`casebridge events list` shows the ids")
}
