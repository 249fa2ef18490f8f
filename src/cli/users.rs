//! `casebridge users`: who may sign in to the console.

use std::io::BufRead;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::hash_password;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, Secret};
use crate::crypto::random_key;
use crate::domain::{Deed, FirmId, Reach, Role, sign_in_name};
use crate::store::{Changed, NewAccount, PasswordHash, SharedStore};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List who may sign in.
    List {
        #[command(flatten)]
        config: ConfigArgument,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Add somebody. Prints a first password, unless one is given.
    Add {
        #[command(flatten)]
        config: ConfigArgument,
        /// What they sign in with.
        #[arg(value_parser = sign_in_name)]
        name: String,
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        password: PasswordArgument,
        #[command(flatten)]
        by: By,
    },
    /// Give somebody a new password, and end their sessions. Prints it, unless one is given.
    Passwd {
        #[command(flatten)]
        config: ConfigArgument,
        /// Whose.
        #[arg(value_parser = sign_in_name)]
        name: String,
        #[command(flatten)]
        password: PasswordArgument,
        #[command(flatten)]
        by: By,
    },
    /// Change what somebody may do, and at which firms; ends their sessions.
    Role {
        #[command(flatten)]
        config: ConfigArgument,
        /// Who.
        #[arg(value_parser = sign_in_name)]
        name: String,
        #[command(flatten)]
        rights: Rights,
        #[command(flatten)]
        by: By,
    },
    /// Remove somebody, and end their sessions.
    Remove {
        #[command(flatten)]
        config: ConfigArgument,
        /// Who.
        #[arg(value_parser = sign_in_name)]
        name: String,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct Rights {
    /// viewer sees, operator mends, admin changes how it works.
    #[arg(long, value_parser = role)]
    role: Role,
    /// Only at this firm; may be given more than once. Without it: all firms.
    #[arg(long = "firm", value_name = "FIRM")]
    firms: Vec<String>,
}

#[derive(Debug, Args)]
struct PasswordArgument {
    /// Read the password from standard input: one line.
    #[arg(long)]
    password_stdin: bool,
}

fn role(word: &str) -> Result<Role, String> {
    let all = || Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    word.parse().map_err(|_| format!("one of {}", all()))
}

/// Somebody in the list.
#[derive(Serialize)]
struct Row {
    name: String,
    role: Role,
    firms: Option<Vec<FirmId>>,
    created_at: jiff::Timestamp,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { config, json } => list(&open(&config).await?.1, json).await,
        Verb::Add { config, name, rights, password, by } => {
            let (config, store) = open(&config).await?;
            let reach = reach(&config, &rights)?;
            let (hash, made) = choose(&name, &password)?;
            let about = format!("{name}: {}, {reach}", rights.role);
            let new = NewAccount { name: name.clone(), role: rights.role, reach, password: hash };
            if !store.add_account(new).await? {
                return Err(Failure::failed(format!("`{name}` is there already"))
                    .hint("`casebridge users role` changes what they may do"));
            }
            store.note_deed(by.did(Deed::UserAdded).about(about)).await?;
            tell(&format!("{name} may sign in"), made)
        }
        Verb::Passwd { config, name, password, by } => {
            let (_, store) = open(&config).await?;
            let (hash, made) = choose(&name, &password)?;
            if !store.change_password(&name, hash).await? {
                return Err(nobody(&name));
            }
            store.note_deed(by.did(Deed::PasswordChanged).about(&name)).await?;
            tell(&format!("{name} has a new password and is signed out"), made)
        }
        Verb::Role { config, name, rights, by } => {
            let (config, store) = open(&config).await?;
            let reach = reach(&config, &rights)?;
            changed(&name, store.change_account(&name, rights.role, &reach).await?)?;
            let about = format!("{name}: {}, {reach}", rights.role);
            store.note_deed(by.did(Deed::UserChanged).about(about)).await?;
            say(&format!("{name} is {} at {reach}, and has to sign in again", rights.role))
        }
        Verb::Remove { config, name, by } => {
            let (_, store) = open(&config).await?;
            changed(&name, store.remove_account(&name).await?)?;
            store.note_deed(by.did(Deed::UserRemoved).about(&name)).await?;
            say(&format!("{name} is removed and signed out"))
        }
    }
}

async fn open(config: &ConfigArgument) -> Result<(Config, SharedStore), Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = open_store(&config, &keyring(&config)?, &clock).await?;
    Ok((config, store))
}

fn reach(config: &Config, rights: &Rights) -> Result<Reach, Failure> {
    if rights.firms.is_empty() {
        return Ok(Reach::Everywhere);
    }
    for firm in &rights.firms {
        if !config.firms.iter().any(|known| known.id == *firm) {
            return Err(Failure::failed(format!("there is no firm `{firm}`"))
                .hint("`casebridge firms list` shows the ids"));
        }
    }
    Ok(Reach::Firms(rights.firms.iter().map(FirmId::new).collect()))
}

/// The hash of the password that is given, or of one that is made here, which is then to be told.
fn choose(name: &str, argument: &PasswordArgument) -> Result<(PasswordHash, Option<Secret>), Failure> {
    let (password, made) = if argument.password_stdin {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(|error| Failure::failed(error.to_string()))?;
        (Secret::new(line.trim_end_matches(['\r', '\n'])), None)
    } else {
        let made = Secret::new(URL_SAFE_NO_PAD.encode(&random_key()[..18]));
        (made.clone(), Some(made))
    };
    Ok((hash_password(name, &password).map_err(Failure::usage)?, made))
}

fn tell(what: &str, made: Option<Secret>) -> Result<(), Failure> {
    match made {
        None => say(what),
        Some(password) => {
            note(&format!("{what}; the password is printed once, hand it over in person"));
            say(password.reveal())
        }
    }
}

fn changed(name: &str, changed: Changed) -> Result<(), Failure> {
    match changed {
        Changed::Yes => Ok(()),
        Changed::Nobody => Err(nobody(name)),
        Changed::LastAdmin => {
            Err(Failure::failed(format!("`{name}` is the last administrator of all firms"))
                .hint("make somebody else one first: `casebridge users role NAME --role admin`"))
        }
    }
}

fn nobody(name: &str) -> Failure {
    Failure::failed(format!("there is nobody called `{name}`"))
        .hint("`casebridge users list` shows the names")
}

async fn list(store: &SharedStore, json: bool) -> Result<(), Failure> {
    let accounts = store.accounts().await?;
    if json {
        let row = |account: crate::store::Account| Row {
            firms: account.reach.firms(),
            name: account.name,
            role: account.role,
            created_at: account.created_at,
        };
        return print_json(&accounts.into_iter().map(row).collect::<Vec<_>>());
    }
    if accounts.is_empty() {
        return say(
            "nobody may sign in yet; `casebridge serve` prints a link to make the first administrator",
        );
    }
    let mut text = format!("{:<24}  {:<8}  FIRMS", "NAME", "ROLE");
    for account in accounts {
        text.push_str(&format!("\n{:<24}  {:<8}  {}", account.name, account.role.as_str(), account.reach));
    }
    say(&text)
}
