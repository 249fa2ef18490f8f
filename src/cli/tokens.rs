//! `casebridge tokens`: tokens with which programs call actions.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::{CannotMakeToken, TokenGrant, make_token};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::{Deed, FirmId};
use crate::store::SharedStore;

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
        #[command(flatten)]
        by: By,
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
        #[command(flatten)]
        by: By,
    },
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Create { config, name, firms, actions, by, .. } => {
            let (config, store) = open(&config).await?;
            let known: Vec<FirmId> = config.firms.iter().map(|firm| FirmId::new(&firm.id)).collect();
            let what = format!("{name}: {}", actions.join(" "));
            let made = make_token(&store, &known, TokenGrant { name, firms, actions }, by.name()).await;
            let (id, token) = made.map_err(cannot)?;
            store.note_deed(by.did(Deed::TokenMade).about(format!("{id}, {what}"))).await?;
            say(token.reveal())?;
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
        Verb::Revoke { config, id, by } => {
            let (_, store) = open(&config).await?;
            if !store.revoke_token(&id).await? {
                return Err(Failure::failed(format!("there is no token `{id}` that is good"))
                    .hint("`casebridge tokens list` shows the ids"));
            }
            store.note_deed(by.did(Deed::TokenRevoked).about(&id)).await?;
            say(&format!("`{id}` is revoked"))
        }
    }
}

async fn open(config: &ConfigArgument) -> Result<(Config, SharedStore), Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(&config, &keyring(&config)?, &clock).await?;
    Ok((config, store))
}

fn cannot(why: CannotMakeToken) -> Failure {
    let failure = Failure::usage(why.to_string());
    match why {
        CannotMakeToken::Store(error) => error.into(),
        CannotMakeToken::Firm(_) => failure.hint("`casebridge firms list` shows the ids"),
        CannotMakeToken::Action(_, Some(guess)) => failure.hint(format!("did you mean `{guess}`?")),
        CannotMakeToken::Action(_, None) | CannotMakeToken::Nothing => {
            failure.hint("`casebridge catalog list --kind action` lists them")
        }
        CannotMakeToken::Name => failure,
    }
}
