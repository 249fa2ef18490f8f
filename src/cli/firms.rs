//! `casebridge firms`: which are there, which are parked, where the app is installed; connect, pause and resume.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::Bridge;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Deed, FirmId};
use crate::store::{CredentialRow, Holder, Installation, Parking, Quota, SharedStore};
use crate::vendors::Surface;

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
    /// Print a link, good once and for an hour, by which a person connects a firm to HighLevel, or its CASEpeer account, in
    /// the browser.
    Connect {
        #[command(flatten)]
        config: ConfigArgument,
        /// The firm.
        id: String,
        /// With addresses that do not speak of HighLevel (/oauth/crm/…).
        #[arg(long, conflicts_with = "casepeer")]
        white_label: bool,
        /// The firm's account on the CASEpeer side. Without it, HighLevel; or that account, where only it is connected so.
        #[arg(long)]
        casepeer: bool,
        #[command(flatten)]
        by: By,
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
        #[command(flatten)]
        by: By,
    },
    /// Let a parked firm's events go on, in order.
    Resume {
        #[command(flatten)]
        config: ConfigArgument,
        /// The firm.
        id: String,
        #[command(flatten)]
        by: By,
    },
}

/// A firm in the list, or a location without one.
#[derive(Serialize)]
struct Row {
    /// None for a location that has the app and no firm.
    id: Option<String>,
    name: Option<String>,
    location: String,
    credential: Option<&'static str>,
    connection: Option<CredentialRow>,
    /// The connection of its CASEpeer account; absent where a person does not connect that, and while nobody has.
    account: Option<CredentialRow>,
    /// How that connection stands, where a person makes it.
    account_state: Option<&'static str>,
    parked: Option<Parking>,
    quotas: Vec<Quota>,
    /// Since when the app is installed, as far as its webhooks told.
    installed_at: Option<Timestamp>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { config, json } => list(&config, json).await,
        Verb::Connect { config, id, white_label, casepeer, by } => {
            let surface = match (white_label, casepeer) {
                (true, _) => Some(Surface::WhiteLabel),
                (false, true) => Some(Surface::CasePeer),
                (false, false) => None,
            };
            connect(&config, &id, surface, &by).await
        }
        Verb::Pause { config, id, reason, by } => {
            let (config, store) = open(&config).await?;
            let firm = known(&config, &id)?;
            store.pause(&firm, &reason).await?;
            store.note_deed(by.did_because(Deed::Paused, &reason).at(&firm)).await?;
            say(&format!("{id} is paused: its events are kept until `casebridge firms resume {id}`"))
        }
        Verb::Resume { config, id, by } => {
            let (config, store) = open(&config).await?;
            let firm = known(&config, &id)?;
            let Some(events) = store.resume(&firm).await? else {
                return say(&format!("{id} is not parked"));
            };
            store.note_deed(by.did(Deed::Resumed).at(&firm)).await?;
            say(&format!("{id} goes on with {events} people whose events were kept"))
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

async fn connect(config: &ConfigArgument, id: &str, wanted: Option<Surface>, by: &By) -> Result<(), Failure> {
    let config = config.load()?;
    let firm = known(&config, id)?;
    let settings = config.firms.iter().find(|settings| settings.id == id);
    let (location, account) = settings.map_or((false, false), |settings| {
        (settings.highlevel.oauth, settings.casepeer.auth.is_by_browser())
    });
    let surface = match wanted {
        None if account && !location => Surface::CasePeer,
        wanted => wanted.unwrap_or(Surface::HighLevel),
    };
    match surface {
        Surface::CasePeer if !account => {
            return Err(Failure::configuration(format!("the firm `{id}` has another kind of casepeer.auth"))
                .hint("to connect it in the browser, write `kind = \"oauth2_authorization_code\"` there"));
        }
        Surface::HighLevel | Surface::WhiteLabel if !location => {
            return Err(Failure::configuration(format!("the firm `{id}` uses a private token"))
                .hint("to connect it in the browser, write `oauth = true` in place of the token under its [firms.highlevel]"));
        }
        _ => {}
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let keyring = keyring(&config)?;
    let store = open_store(&config, &keyring, &clock).await?;
    let bridge = Bridge::new(&config, store, keyring, clock).map_err(Failure::configuration)?;
    let connections = bridge.connections();
    let (link, until) = connections.make_link(surface, &firm).await?;
    bridge.store.note_deed(by.did(Deed::LinkMade).at(&firm)).await?;
    let choose = match surface {
        Surface::CasePeer => format!("to the account of {id}"),
        Surface::HighLevel | Surface::WhiteLabel => format!("to HighLevel, and choose the location of {id}"),
    };
    note(&format!(
        "open it by {until} in a browser that is signed in {choose}; it connects once; the app's redirect URL is {}",
        connections.own_url(surface, "/callback")
    ));
    say(&link)
}

async fn list(config: &ConfigArgument, json: bool) -> Result<(), Failure> {
    let (config, store) = open(config).await?;
    let rows = rows(&config, &store).await?;
    if json {
        return print_json(&rows);
    }
    let mut text = format!("{:<16}  {:<28}  {:<24}  {:<22}  STATE", "ID", "NAME", "LOCATION", "HIGHLEVEL");
    for row in &rows {
        let id = row.id.as_deref().unwrap_or("(none)");
        let name = row.name.as_deref().unwrap_or_default();
        let (location, credential, state) = (&row.location, credential(row), state(row));
        text.push_str(&format!("\n{id:<16}  {name:<28}  {location:<24}  {credential:<22}  {state}"));
        if let Some(state) = row.account_state {
            text.push_str(&format!("\n{:<16}  CASEpeer account: {state}", ""));
        }
        for quota in &row.quotas {
            text.push_str(&format!("\n{:<16}  {}: {}", "", quota.system.title(), quota.line()));
        }
    }
    say(&text)
}

async fn rows(config: &Config, store: &SharedStore) -> Result<Vec<Row>, Failure> {
    let (parkings, credentials) = (store.parkings().await?, store.credentials().await?);
    let quotas = store.quotas().await?;
    let mut installed: BTreeMap<Holder, Installation> = store
        .installations()
        .await?
        .into_iter()
        .filter(|one| one.retired_at.is_none())
        .map(|one| (one.holder.clone(), one))
        .collect();
    let mut rows = Vec::new();
    for firm in &config.firms {
        let holder = Holder::Location(firm.highlevel.location_id.clone());
        let is_oauth = firm.highlevel.oauth;
        let account = firm
            .casepeer
            .auth
            .is_by_browser()
            .then(|| credentials.iter().find(|row| row.holder.is_account_of(&firm.id)));
        rows.push(Row {
            id: Some(firm.id.clone()),
            name: firm.name.clone(),
            location: firm.highlevel.location_id.clone(),
            credential: Some(if is_oauth { "oauth" } else { "private_token" }),
            connection: credentials.iter().find(|row| is_oauth && row.holder == holder).cloned(),
            account_state: account.map(|row| row.map_or("not connected", connected)),
            account: account.flatten().cloned(),
            parked: parkings.iter().find(|parking| parking.firm.as_str() == firm.id).cloned(),
            quotas: quotas.iter().filter(|quota| quota.firm.as_str() == firm.id).cloned().collect(),
            installed_at: installed.remove(&holder).map(|one| one.installed_at),
        });
    }
    let unclaimed = installed.into_values().filter(|one| matches!(one.holder, Holder::Location(_)));
    rows.extend(unclaimed.map(|one| Row {
        id: None,
        name: one.name,
        location: one.holder.id().to_owned(),
        credential: None,
        connection: None,
        account: None,
        account_state: None,
        parked: None,
        quotas: Vec::new(),
        installed_at: Some(one.installed_at),
    }));
    Ok(rows)
}

fn credential(row: &Row) -> &'static str {
    match (row.credential, &row.connection) {
        (Some("oauth"), None) => "not connected",
        (Some("oauth"), Some(connection)) => connected(connection),
        (Some(_), _) => "private token",
        (None, _) => "-",
    }
}

fn connected(connection: &CredentialRow) -> &'static str {
    if connection.refused_at.is_some() { "refused, connect again" } else { "connected" }
}

fn state(row: &Row) -> String {
    match (&row.id, &row.parked) {
        (None, _) => "unclaimed: the app is installed here, and no firm has this location".into(),
        (Some(_), None) => "working".into(),
        (Some(_), Some(parking)) => {
            let again = parking.probe_at.map_or(String::new(), |at| format!("; tried again at {at}"));
            format!("parked since {} ({}): {}{again}", parking.since, parking.cause, parking.reason)
        }
    }
}
