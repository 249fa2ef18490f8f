//! `casebridge secrets rotate`.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::bridge::{Resealing, reseal};
use crate::cli::ConfigArgument;
use crate::cli::by::By;
use crate::cli::failure::Failure;
use crate::cli::output::say;
use crate::cli::serve::{keyring, open_store};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, StoreUrl};
use crate::crypto::Keyring;
use crate::domain::Deed;
use crate::store::sqlite::ServeLock;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Seal every stored value anew with the first of crypto.keys, while the service runs. May be broken off at any time
    /// and goes on where it was. Several instances: list the new key last and restart all, then first and restart all.
    Key {
        #[command(flatten)]
        config: ConfigArgument,
        /// With PostgreSQL: every instance was restarted since the new key stands in its configuration.
        #[arg(long)]
        restarted: bool,
        #[command(flatten)]
        by: By,
    },
    /// How to change the secret a firm's webhooks are signed with, without losing one.
    WebhookSecret {
        /// The firm.
        firm: String,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// How to change a firm's private integration token, without a pause.
    Token {
        /// The firm.
        firm: String,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.what {
        What::Key { config, restarted, by } => key(&config.load()?, restarted, &by).await,
        What::WebhookSecret { firm, config } => {
            known(&config.load()?, &firm)?;
            say(&webhook_secret(&firm))
        }
        What::Token { firm, config } => {
            known(&config.load()?, &firm)?;
            say(&token(&firm))
        }
    }
}

fn known(config: &Config, id: &str) -> Result<(), Failure> {
    if config.firms.iter().any(|firm| firm.id == id) {
        return Ok(());
    }
    Err(Failure::failed(format!("there is no firm `{id}`")).hint("`casebridge firms list` shows the ids"))
}

async fn key(config: &Config, restarted: bool, by: &By) -> Result<(), Failure> {
    let keyring = keyring(config)?;
    must_be_known(config, &keyring, restarted)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(config, &keyring, &clock).await?;
    let active = keyring.active();
    store.note_deed(by.did(Deed::Resealed).about(active)).await?;
    let others = store.sealed_by().await?.into_iter().filter(|(id, _)| id != active);
    let total: u64 = others.map(|(_, values)| values).sum();
    let Resealing { values: done, forgotten } =
        reseal(&store, |done, is_end| show(done, total, is_end)).await?;
    say(&format!("{done} values are sealed anew with `{active}`"))?;
    match (&forgotten[..], keyring.ids().len()) {
        ([], 1) => say(&format!("`{active}` is the only key: nothing else is sealed with another")),
        ([], _) => say("nothing was sealed with another key"),
        (ids, _) => say(&format!(
            "nothing is sealed with {} any more: take it out of crypto.keys, restart, and keep it with the backups made \
             before today, which need it",
            ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// A process that does not know the active key could not open what is sealed anew.
fn must_be_known(config: &Config, keyring: &Keyring, restarted: bool) -> Result<(), Failure> {
    let active = keyring.active();
    match &config.store.url {
        StoreUrl::Sqlite(path) => match ServeLock::keys_of_holder(path) {
            Some(ids) if !ids.iter().any(|id| id == active) => Err(Failure::failed(format!(
                "the `casebridge serve` that runs was started without the key `{active}`: it could not read what is \
                 sealed with it"
            ))
            .hint("restart it, then rotate; it may run meanwhile")),
            _ => Ok(()),
        },
        StoreUrl::Postgres(_) if !restarted => Err(Failure::failed(format!(
            "an instance that was started without the key `{active}` could not read what is sealed with it"
        ))
        .hint(
            "list the new key last and restart every instance; list it first and restart every instance; then say so \
             with --restarted",
        )),
        StoreUrl::Postgres(_) => Ok(()),
    }
}

/// Says how far it is: on a terminal in one line that moves, elsewhere at the end.
fn show(done: u64, total: u64, is_end: bool) {
    let mut out = std::io::stderr().lock();
    // With standard error closed there is nobody left to tell.
    let _ = match (out.is_terminal(), is_end) {
        (true, false) => write!(out, "\rsealed anew: {done} of {}", total.max(done)),
        (true, true) => writeln!(out, "\rsealed anew: {done} of {}", total.max(done)),
        (false, true) => writeln!(out, "sealed anew: {done} of {}", total.max(done)),
        (false, false) => Ok(()),
    };
}

fn webhook_secret(firm: &str) -> String {
    format!(
        "1. casebridge secrets new webhook-secret, and put it into a variable or file of its own.
2. In the configuration of `{firm}` list both, and say until when the old one is accepted:
   webhook_secrets = [{{ env = \"NEW\" }}, {{ env = \"OLD\", until = \"2026-12-31T00:00:00Z\" }}]
   Restart. Both are accepted now.
3. Give the new secret to whoever sends the webhooks.
4. `casebridge events list --firm {firm}` shows that they still come in. After `until` the old one is refused; take it out."
    )
}

fn token(firm: &str) -> String {
    format!(
        "1. In HighLevel, in the location of `{firm}`: Settings > Private Integrations > the integration > Rotate. HighLevel
   lets the old token live for seven days, so that nothing fails meanwhile.
2. Put the new token where firms.highlevel.token of `{firm}` points (`casebridge secrets status` shows where). With
   `tokens = [new, old]` both are tried, and a file is read again by itself; with `token`, restart.
3. `casebridge check` shows that the new one is accepted. Then let the old one expire, and take it out.
CASEpeer's bearer: the same with firms.casepeer.auth; if its owner cannot let both live, pause the firm meanwhile:
   casebridge firms pause {firm}, change it, restart, casebridge firms resume {firm}. Webhooks are still taken."
    )
}
