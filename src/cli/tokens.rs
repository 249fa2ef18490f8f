//! `casebridge tokens`: tokens with which programs call actions.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::ConfigArgument;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::crypto::random_key;
use crate::http::TOKEN_START;
use crate::operations::catalog::{self, Kind, nearest_entry};
use crate::store::{NewToken, SharedStore};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token and print it, once.
    Create {
        #[command(flatten)]
        config: ConfigArgument,
        /// What it is for, in words.
        name: String,
        /// A firm it is good for; may be given more than once.
        #[arg(long = "firm", value_name = "ID", required_unless_present = "all_firms")]
        firms: Vec<String>,
        /// Good for every firm.
        #[arg(long, conflicts_with = "firms")]
        all_firms: bool,
        /// An action it is good for, or a beginning such as `contacts.*`, or `hooks` for subscriptions; may be given more than once.
        #[arg(long = "action", value_name = "ID", required = true)]
        actions: Vec<String>,
        /// Who makes it; kept.
        #[arg(long, env = "USER", default_value = "cli")]
        by: String,
    },
    /// List the tokens, without the tokens.
    List {
        #[command(flatten)]
        config: ConfigArgument,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// End a token; at once, on every instance.
    Revoke {
        #[command(flatten)]
        config: ConfigArgument,
        /// Its id, as in the list.
        id: String,
    },
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Create { config, name, firms, actions, by, .. } => {
            let (config, store) = open(&config).await?;
            check(&config, &firms, &actions)?;
            let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(&random_key()[..]));
            let token = Zeroizing::new(format!("{TOKEN_START}{}", *secret));
            let digest = Sha256::digest(token.as_bytes()).into();
            let id = hex::encode(&random_key()[..6]);
            store.add_token(NewToken { id: id.clone(), name, digest, firms, actions, by }).await?;
            say(&token)?;
            note(&format!("this is shown once; `casebridge tokens revoke {id}` ends it"));
            Ok(())
        }
        Verb::List { config, json } => {
            let tokens = open(&config).await?.1.tokens().await?;
            if json {
                return print_json(&tokens);
            }
            let mut text = format!("{:<14}  {:<24}  {:<20}  {:<8}  ACTIONS", "ID", "NAME", "FIRMS", "STATE");
            for token in &tokens {
                let firms =
                    if token.firms.is_empty() { "every firm".to_owned() } else { token.firms.join(",") };
                let state = if token.revoked_at.is_some() { "revoked" } else { "good" };
                let actions = token.actions.join(" ");
                text.push_str(&format!(
                    "\n{:<14}  {:<24}  {firms:<20}  {state:<8}  {actions}",
                    token.id, token.name
                ));
            }
            say(&text)
        }
        Verb::Revoke { config, id } => match open(&config).await?.1.revoke_token(&id).await? {
            true => say(&format!("`{id}` is revoked")),
            false => Err(Failure::failed(format!("there is no token `{id}` that is good"))
                .hint("`casebridge tokens list` shows the ids")),
        },
    }
}

async fn open(config: &ConfigArgument) -> Result<(Config, SharedStore), Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(&config, &keyring(&config)?, &clock).await?;
    Ok((config, store))
}

fn check(config: &Config, firms: &[String], actions: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = firms.iter().find(|id| config.firms.iter().all(|firm| firm.id != **id)) {
        return Err(Failure::usage(format!("there is no firm `{unknown}`"))
            .hint("`casebridge firms list` shows the ids"));
    }
    let is_action = |id: &str| {
        if id == "hooks" {
            return true;
        }
        let mut all = catalog::all().iter().filter(|entry| entry.kind == Kind::Action);
        match id.strip_suffix('*') {
            Some(beginning) => all.any(|entry| entry.id.starts_with(beginning)),
            None => all.any(|entry| entry.id == id),
        }
    };
    match actions.iter().find(|id| !is_action(id)) {
        None => Ok(()),
        Some(unknown) => {
            let failure = Failure::usage(format!("no action is called `{unknown}`"));
            Err(match nearest_entry(unknown) {
                Some(guess) => failure.hint(format!("did you mean `{guess}`?")),
                None => failure.hint("`casebridge catalog list --kind action` lists them"),
            })
        }
    }
}
