//! Calling an action by hand.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::ConfigArgument;
use super::super::by::By;
use super::super::failure::Failure;
use super::super::output::{note, say};
use super::super::serve::{keyring, open_store};
use super::{dry, find};
use crate::bridge::Bridge;
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, FirmConfig};
use crate::domain::{CallClass, Deed};
use crate::operations::catalog::{Entry, System, nearest};
use crate::operations::highlevel::scopes::{how_to_grant, is_granted};
use crate::operations::{Carrier, Effect, Request};
use crate::store::{Holder, SharedStore};
use crate::vendors::action;

/// The largest file that is read for `--body`, in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The action's id.
    id: String,
    /// The firm it is called for.
    #[arg(long)]
    firm: String,
    /// A parameter; may be given more than once. Lists are separated by commas or written as JSON.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// A JSON file with an object of more parameters; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// What makes a repeat of a CASEpeer create harmless [default: one of its own].
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print the request instead of sending it, without its secrets.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let entry = find(&arguments.id)?;
    let given = given(entry, &arguments)?;
    let config = arguments.config.load()?;
    let settings = firm(&config, &arguments.firm)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let ring = keyring(&config)?;
    let store = open_store(&config, &ring, &clock).await?;
    let bridge = Bridge::new(&config, store, ring, clock).map_err(Failure::configuration)?;
    let firm = bridge.firms.iter().find(|one| one.id.as_str() == settings.id).expect("a configured firm");
    let request = entry.request_for(&given, &firm.location, firm.casepeer.profile());
    let request = request.map_err(|wrong| {
        let hint = format!("`casebridge catalog show {}` lists what it takes", entry.id);
        Failure::usage(wrong.to_string().replace("; `", "\n       `")).hint(hint)
    })?;
    let key = (entry.system == System::CasePeer && entry.effect == Effect::Create)
        .then(|| arguments.idempotency_key.unwrap_or_else(|| Uuid::now_v7().to_string()));
    if arguments.dry_run {
        check_scope(&request, settings, &bridge.store).await?;
        return say(&dry::text(entry, &request, &config.highlevel.base_url, &firm.casepeer, key.as_deref()));
    }
    // Before it is sent: what was done must not go unnoted.
    bridge.store.note_deed(arguments.by.did(Deed::Called).at(&firm.id).about(&entry.id)).await?;
    let exchange = action::run(entry.system, &request, &firm.highlevel, &firm.casepeer, key.as_deref()).await;
    if let Some(status) = exchange.status() {
        note(&format!("{} answered {status} in {} ms", exchange.target, exchange.duration.as_millis()));
    }
    if request.carrier != Carrier::Api && exchange.result.is_ok() {
        note("it was handed over; that CASEpeer has it is not confirmed yet");
    }
    match exchange.result {
        Ok(answer) => say(&pretty(&answer.body)),
        Err(failure) => {
            if let Some(answer) = failure.answer.as_ref().filter(|answer| !answer.body.is_null()) {
                say(&pretty(&answer.body))?;
            }
            let message = format!("{} {}", entry.id, failure.detail);
            Err(match failure.class {
                CallClass::RateLimited | CallClass::Unreachable | CallClass::Timeout => {
                    Failure::try_again(message)
                }
                CallClass::Unpermitted | CallClass::Unauthorised => Failure::configuration(message),
                _ => Failure::failed(message),
            })
        }
    }
}

/// What was given on the command line and in the file, as one object.
fn given(entry: &Entry, arguments: &Arguments) -> Result<Map<String, Value>, Failure> {
    let mut given = match &arguments.body {
        Some(file) => read(file)?,
        None => Map::new(),
    };
    for pair in &arguments.parameters {
        let (name, text) = pair.split_once('=').ok_or_else(|| {
            Failure::usage("--param takes NAME=VALUE").hint("e.g. --param contactId=ocQHyuzHvysMo5N5VsXc")
        })?;
        let value = match entry.parameter(name).map(|parameter| parameter.read(text)) {
            Some(Ok(value)) => value,
            // Said together with everything else that is wrong.
            Some(Err(_)) | None => Value::String(text.to_owned()),
        };
        if given.insert(name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("`{name}` is given twice")));
        }
    }
    Ok(given)
}

fn read(file: &Path) -> Result<Map<String, Value>, Failure> {
    let failed = |why: String| Failure::failed(format!("{}: {why}", file.display()));
    let mut text = String::new();
    let read = |source: &mut dyn Read, text: &mut String| source.take(LARGEST_FILE + 1).read_to_string(text);
    let length = if file.as_os_str() == "-" {
        read(&mut std::io::stdin().lock(), &mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| read(&mut file, &mut text))
    };
    match length {
        Err(error) => Err(failed(error.to_string())),
        Ok(length) if length as u64 > LARGEST_FILE => {
            Err(failed(format!("is larger than {LARGEST_FILE} bytes")))
        }
        Ok(_) => serde_json::from_str(&text).map_err(|error| failed(format!("is no JSON object: {error}"))),
    }
}

fn firm<'a>(config: &'a Config, id: &str) -> Result<&'a FirmConfig, Failure> {
    config.firms.iter().find(|firm| firm.id == id).ok_or_else(|| {
        let failure = Failure::failed(format!("there is no firm `{id}`"));
        match nearest(id, config.firms.iter().map(|firm| firm.id.as_str())) {
            Some(guess) => failure.hint(format!("did you mean `{guess}`?")),
            None => failure.hint("`casebridge firms list` shows the ids"),
        }
    })
}

/// Refuses what a call would be refused for, without asking HighLevel for a token.
async fn check_scope(request: &Request, firm: &FirmConfig, store: &SharedStore) -> Result<(), Failure> {
    let Some(scope) = request.scope.filter(|_| firm.highlevel.oauth) else { return Ok(()) };
    let holder = Holder::Location(firm.highlevel.location_id.clone());
    let rows = store.credentials().await?;
    let granted = rows.iter().find(|row| row.holder == holder).map(|row| &row.scopes);
    match granted {
        // An answer without scopes does not say which were granted.
        Some(granted) if !granted.is_empty() && !is_granted(granted, scope) => {
            Err(Failure::configuration(how_to_grant(scope)))
        }
        _ => Ok(()),
    }
}

/// JSON for people.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON is JSON")
}
