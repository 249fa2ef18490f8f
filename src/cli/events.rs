//! `casebridge events`: what came and what was made of it.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::failure::Failure;
use super::output::say;
use super::serve::{keyring, open_store};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::{EventId, EventState, FirmId};
use crate::store::{EventFilter, EventStory, SharedStore};

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
        /// Of this firm only.
        #[arg(long)]
        firm: Option<String>,
        /// In this state only; may be given more than once.
        #[arg(long, value_parser = state)]
        state: Vec<EventState>,
        /// Only those that were settled without effect and need a person.
        #[arg(long, conflicts_with = "state")]
        undelivered: bool,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One JSON object a line.
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
    /// Put a settled event at the tail of its person's lane. What it achieved before is not done again.
    Replay {
        #[command(flatten)]
        config: ConfigArgument,
        /// The event.
        id: EventId,
    },
    /// Settle an undelivered event as needing no effect.
    Discard {
        #[command(flatten)]
        config: ConfigArgument,
        /// The event.
        id: EventId,
        /// Why; kept with the event.
        #[arg(long)]
        reason: String,
    },
}

fn state(word: &str) -> Result<EventState, String> {
    word.parse().map_err(|_| {
        let all: Vec<&str> = EventState::ALL.iter().map(|state| state.as_str()).collect();
        format!("the states are {}", all.join(", "))
    })
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { config, firm, state, undelivered, limit, json } => {
            let states = if undelivered { vec![EventState::Undelivered] } else { state };
            let filter = EventFilter { firm: firm.map(FirmId::new), states, limit, ..EventFilter::default() };
            list(&open(&config)?, filter, json).await
        }
        Verb::Show { config, id, json } => {
            let story = open(&config)?.event(id).await?.ok_or_else(|| no_such(id))?;
            if json { print_json(&story) } else { show(&story) }
        }
        Verb::Replay { config, id } => match open(&config)?.replay(id).await? {
            None => Err(no_such(id)),
            Some(false) => Err(Failure::failed(format!("{id} is not settled yet"))),
            Some(true) => say(&format!("{id} waits for its turn")),
        },
        Verb::Discard { config, id, reason } => match open(&config)?.discard(id, &reason).await? {
            None => Err(no_such(id)),
            Some(false) => Err(Failure::failed(format!("{id} is not undelivered"))),
            Some(true) => say(&format!("{id} is discarded")),
        },
    }
}

fn open(config: &ConfigArgument) -> Result<SharedStore, Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    open_store(&config, &keyring(&config)?, &clock)
}

fn no_such(id: EventId) -> Failure {
    Failure::failed(format!("there is no event {id}")).hint("`casebridge events list` shows the ids")
}

async fn list(store: &SharedStore, filter: EventFilter, json: bool) -> Result<(), Failure> {
    let limit = filter.limit;
    let rows = store.events(filter).await?;
    if json {
        return rows.iter().try_for_each(print_json);
    }
    if rows.is_empty() {
        return say("no events");
    }
    let mut text = format!(
        "{:<36}  {:<20}  {:<12}  {:<9}  {:<24}  {:<13}  {}\n",
        "ID", "RECEIVED", "FIRM", "SOURCE", "TYPE", "STATE", "REASON"
    );
    for row in &rows {
        let received = row.received_at.strftime("%Y-%m-%d %H:%M:%S");
        let reason = row.reason.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{:<36}  {received:<20}  {:<12}  {:<9}  {:<24}  {:<13}  {reason}\n",
            row.id.to_string(),
            row.firm.to_string(),
            row.source.as_str(),
            row.kind,
            row.state.as_str()
        ));
    }
    if rows.len() == limit {
        text.push_str(&format!("the newest {limit}; --limit shows more\n"));
    }
    say(text.trim_end())
}

fn show(story: &EventStory) -> Result<(), Failure> {
    let row = &story.row;
    let mut lines = vec![
        format!("{}  {} {}  {}", row.id, row.source.title(), row.kind, row.state),
        format!("  firm      {}", row.firm),
        format!("  about     {}", story.records.join(", ")),
        format!("  received  {}, sender proven by {}", row.received_at, story.verified_by),
    ];
    if let Some(sent_at) = story.sent_at {
        lines.push(format!("  sent      {sent_at}"));
    }
    if let Some(reason) = &row.reason {
        lines.push(format!("  reason    {reason}"));
    }
    if let Some(settled_at) = story.settled_at {
        let took = settled_at.duration_since(row.received_at);
        lines.push(format!("  settled   {settled_at}, {} ms after receipt", took.as_millis()));
    }
    if let Some(due_at) = story.due_at {
        lines.push(format!("  due       {due_at}, after {} failed attempts", story.failed_attempts));
    }
    if let Some(plan) = &story.plan {
        lines.push("plan".into());
        for planned in &plan.commands {
            lines.push(format!("  {}: {}", planned.command, planned.reason));
            if let Some(key) = &planned.effect_key {
                lines.push(format!("      effect {key}"));
            }
        }
        lines.extend(plan.remarks.iter().map(|remark| format!("  {remark}")));
    }
    if !story.calls.is_empty() {
        lines.push("calls".into());
    }
    for call in &story.calls {
        let status = call.status.map_or("-".into(), |status| status.to_string());
        let detail = call.detail.as_deref().unwrap_or_default();
        let at = call.started_at.strftime("%H:%M:%S%.3f");
        lines.push(format!(
            "  {at}  {status:<3}  {:<12}  {:>5} ms  {}  {detail}",
            call.class.as_str(),
            call.duration_ms,
            call.target
        ));
    }
    say(&lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n"))
}

fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string(value).expect("rows are JSON"))
}
