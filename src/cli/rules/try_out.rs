//! Trying a rule on stored events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;
use serde_json::Value;

use super::super::ConfigArgument;
use super::super::by::By;
use super::super::failure::Failure;
use super::super::output::{note, print_json, say};
use super::super::serve::{keyring, open_store};
use super::read;
use crate::bridge::{Bridge, Tried};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::domain::{Deed, EventId, FirmId, Period};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The rule, as TOML; `-` is standard input.
    file: PathBuf,
    /// How far back.
    #[arg(long, default_value = "7d", value_parser = period)]
    since: Period,
    /// Of this firm only.
    #[arg(long)]
    firm: Option<String>,
    /// On this event alone.
    #[arg(long, conflicts_with_all = ["since", "sample"])]
    event: Option<EventId>,
    /// On the trigger's example alone, for the firm.
    #[arg(long, requires = "firm")]
    sample: bool,
    /// How many events are looked at, at most.
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
    /// Also the events it would do nothing for, and why.
    #[arg(long)]
    all: bool,
    /// JSON, a line for each event.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    by: By,
}

fn period(text: &str) -> Result<Period, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let rule = read(&arguments.file)?;
    let config = arguments.config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let ring = keyring(&config)?;
    let store = open_store(&config, &ring, &clock).await?;
    let bridge = Bridge::new(&config, store, ring, clock).map_err(Failure::configuration)?;
    bridge.refresh_rules().await?;
    let firm = arguments.firm.clone().map(FirmId::new);
    if let Some(firm) = firm.as_ref().filter(|firm| bridge.firms.iter().all(|one| one.id != **firm)) {
        return Err(Failure::failed(format!("there is no firm `{firm}`"))
            .hint("`casebridge firms list` shows the ids"));
    }
    if let (true, Some(firm)) = (arguments.sample, &firm) {
        let tried = bridge.try_rule_on_sample(&rule, firm).expect("a configured firm");
        return show(&tried, arguments.json);
    }
    // What webhooks carried is shown from here on.
    let what = arguments.event.map_or_else(|| rule.id.clone(), |event| format!("{}, {event}", rule.id));
    bridge.store.note_deed(arguments.by.did(Deed::RuleTried).about(what)).await?;
    if let Some(event) = arguments.event {
        let tried = bridge.try_rule_on(&rule, event).await?.ok_or_else(|| {
            Failure::failed(format!("{event} is no event of {}", rule.when.id))
                .hint("`casebridge events list` shows the events and their types")
        })?;
        return show(&tried, arguments.json);
    }
    let began = Instant::now();
    let since = SystemClock.now().saturating_sub(arguments.since.duration());
    let since = since.unwrap_or(jiff::Timestamp::MIN);
    let (mut runs, mut calls, mut skipped, mut failed) = (0, 0, 0, Ok(()));
    let each = |tried: Tried| {
        if tried.skipped.is_some() {
            skipped += 1;
        } else {
            runs += 1;
            calls += tried.steps.iter().filter(|step| step.refused.is_none() && !step.is_done).count();
        }
        if failed.is_ok() && (arguments.all || tried.skipped.is_none()) {
            failed = show(&tried, arguments.json);
        }
    };
    let seen = bridge.try_rule(&rule, firm.map(|firm| vec![firm]), since, arguments.limit, each).await?;
    failed?;
    let took = SignedDuration::try_from(began.elapsed()).unwrap_or_default();
    note(&format!(
        "{seen} events looked at in {:.1} s: it would run for {runs} and make {calls} calls; {skipped} of its trigger left alone",
        took.as_secs_f64()
    ));
    Ok(())
}

fn show(tried: &Tried, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(tried);
    }
    let event = tried.event.map_or_else(|| "the example".to_owned(), |event| event.to_string());
    let at = tried.received_at.map(|at| format!(" {at}")).unwrap_or_default();
    let mut text = format!("{event}{at} {}", tried.firm);
    if let Some(why) = &tried.skipped {
        text.push_str(&format!("\n    nothing: {why}"));
    }
    for step in &tried.steps {
        let done = if step.is_done { "done already: " } else { "" };
        let target = step.target.as_deref().unwrap_or_default();
        text.push_str(&format!("\n    {done}{} {target}", step.action));
        for (name, value) in &step.query {
            text.push_str(&format!(" {name}={value}"));
        }
        if let Some(body) = step.body.as_ref().filter(|body| **body != Value::Null) {
            text.push_str(&format!("\n        {body}"));
        }
        if let Some(why) = &step.refused {
            text.push_str(&format!("\n        refused: {why}"));
        }
    }
    say(&text)
}
