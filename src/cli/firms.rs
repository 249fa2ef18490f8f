//! `casebridge firms`: which are there, which are parked; pause and resume.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::ConfigArgument;
use super::failure::Failure;
use super::output::{print_json, say};
use super::serve::{keyring, open_store};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::FirmId;
use crate::store::{Parking, Quota, SharedStore};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the firms, with what keeps a parked one and how long the day's API calls last.
    List {
        #[command(flatten)]
        config: ConfigArgument,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Keep a firm's events without working on them; webhooks are still taken.
    Pause {
        #[command(flatten)]
        config: ConfigArgument,
        /// The firm.
        id: String,
        /// Why; shown with the firm.
        #[arg(long, default_value = "paused by an operator")]
        reason: String,
    },
    /// Let a parked firm's events go on, in order.
    Resume {
        #[command(flatten)]
        config: ConfigArgument,
        /// The firm.
        id: String,
    },
}

/// A firm in the list.
#[derive(Serialize)]
struct Row {
    id: String,
    name: Option<String>,
    location: String,
    parked: Option<Parking>,
    quotas: Vec<Quota>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { config, json } => list(&config, json).await,
        Verb::Pause { config, id, reason } => {
            let (config, store) = open(&config).await?;
            store.pause(&known(&config, &id)?, &reason).await?;
            say(&format!("{id} is paused: its events are kept until `casebridge firms resume {id}`"))
        }
        Verb::Resume { config, id } => {
            let (config, store) = open(&config).await?;
            match store.resume(&known(&config, &id)?).await? {
                None => say(&format!("{id} is not parked")),
                Some(events) => say(&format!("{id} goes on with {events} people whose events were kept")),
            }
        }
    }
}

async fn open(config: &ConfigArgument) -> Result<(Config, SharedStore), Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(&config, &keyring(&config)?, &clock).await?;
    Ok((config, store))
}

fn known(config: &Config, id: &str) -> Result<FirmId, Failure> {
    if config.firms.iter().any(|firm| firm.id == id) {
        return Ok(FirmId::new(id));
    }
    Err(Failure::failed(format!("there is no firm `{id}`")).hint("`casebridge firms list` shows the ids"))
}

async fn list(config: &ConfigArgument, json: bool) -> Result<(), Failure> {
    let (config, store) = open(config).await?;
    let (parkings, quotas) = (store.parkings().await?, store.quotas().await?);
    let rows: Vec<Row> = config
        .firms
        .iter()
        .map(|firm| Row {
            id: firm.id.clone(),
            name: firm.name.clone(),
            location: firm.highlevel.location_id.clone(),
            parked: parkings.iter().find(|parking| parking.firm.as_str() == firm.id).cloned(),
            quotas: quotas.iter().filter(|quota| quota.firm.as_str() == firm.id).cloned().collect(),
        })
        .collect();
    if json {
        return print_json(&rows);
    }
    let mut text = format!("{:<16}  {:<28}  {:<24}  STATE", "ID", "NAME", "LOCATION");
    for row in &rows {
        let name = row.name.as_deref().unwrap_or_default();
        let state = row.parked.as_ref().map_or("working".into(), |parking| {
            let again = parking.probe_at.map_or(String::new(), |at| format!("; tried again at {at}"));
            format!("parked since {} ({}): {}{again}", parking.since, parking.cause, parking.reason)
        });
        text.push_str(&format!("\n{:<16}  {name:<28}  {:<24}  {state}", row.id, row.location));
        for quota in &row.quotas {
            text.push_str(&format!("\n{:<16}  {}: {}", "", quota.system.title(), quota.line()));
        }
    }
    say(&text)
}
