//! `casebridge profiles`: how CASEpeer accounts are reached; trying an operation of one.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::ConfigArgument;
use super::failure::Failure;
use super::output::{print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::{Bridge, Firm, casepeer_client};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, FirmConfig};
use crate::operations::casepeer::{InvalidProfile, Profile, Transport, any_request};
use crate::operations::{Carrier, Effect, Request};
use crate::vendors::casepeer::CasePeerClient;

/// What stands in place of a secret.
const MASK: &str = "***";
/// Words of a header's or a field's name whose value is not shown.
const SECRET_WORDS: [&str; 7] =
    ["authorization", "token", "secret", "password", "cookie", "api-key", "api_key"];

/// The kinds of records that webhooks may tell of.
const KINDS: [&str; 5] = ["lead", "case", "task", "note", "contact"];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the built-in profiles.
    List {
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Show how a profile carries each operation.
    Show {
        /// A built-in profile, or a file that ends in .toml.
        profile: String,
        /// JSON.
        #[arg(long, conflicts_with = "toml")]
        json: bool,
        /// The built-in profile's own file, to begin one from.
        #[arg(long)]
        toml: bool,
    },
    /// Check a profile, with the file, the key and what is right beside every mistake.
    Check {
        /// A built-in profile, or a file that ends in .toml.
        profile: String,
    },
    /// Carry one operation out against a firm's account and show request and answer, secrets masked.
    Try(TryArguments),
}

#[derive(Debug, Args)]
struct TryArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The firm.
    firm: String,
    /// The operation, such as `lead.get` or `health`.
    operation: String,
    /// The record's id, where the operation is about one.
    #[arg(long)]
    id: Option<String>,
    /// What to search by, as `email=ada@example.com`.
    #[arg(long, value_name = "PROPERTY=VALUE")]
    by: Option<String>,
    /// The record to send, as JSON of our contract's form.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// Send an operation that changes the account.
    #[arg(long)]
    write: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    about: String,
    is_template: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { json } => list(json),
        Verb::Show { profile, toml: true, .. } => match Profile::built_in_text(&profile) {
            Some(text) => say(text.trim_end()),
            None => Err(Failure::usage(format!("--toml shows built-in profiles, and `{profile}` is none"))),
        },
        Verb::Show { profile, json, .. } => show(&read(&profile, true)?, json),
        Verb::Check { profile } => {
            let read = read(&profile, false)?;
            let able = read.operations().filter(|(_, transport)| *transport != Transport::Disabled).count();
            say(&format!("{profile} is in order: {able} of {} operations", read.operations().count()))
        }
        Verb::Try(arguments) => try_out(arguments).await,
    }
}

fn list(json: bool) -> Result<(), Failure> {
    let rows: Vec<Row> = Profile::built_in_names()
        .map(|name| {
            let is_template = matches!(Profile::built_in(name), Err(InvalidProfile::Blanks { .. }));
            let text = Profile::built_in_text(name).unwrap_or_default();
            let about = Profile::parse_template(name, text).map(|profile| profile.about().to_owned());
            Row { name, about: about.unwrap_or_default(), is_template }
        })
        .collect();
    if json {
        return print_json(&rows);
    }
    let line = |row: &Row| format!("{:<18}  {}", row.name, row.about);
    say(&rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// A profile by the name of a built-in one or the path of a file; a template with its blanks, if those may be.
fn read(name: &str, with_blanks: bool) -> Result<Profile, Failure> {
    let text = match Profile::built_in_text(name) {
        Some(text) => text.to_owned(),
        None if Path::new(name).extension().is_some_and(|end| end == "toml") => std::fs::read_to_string(name)
            .map_err(|error| Failure::configuration(format!("{name}: cannot be read: {error}")))?,
        None => {
            return Err(Failure::configuration(InvalidProfile::Unknown(name.to_owned()).to_string())
                .hint("`casebridge profiles list` shows the built-in ones"));
        }
    };
    let read = if with_blanks { Profile::parse_template(name, &text) } else { Profile::parse(name, &text) };
    read.map_err(|wrong| Failure::configuration(wrong.to_string()))
}

fn show(profile: &Profile, json: bool) -> Result<(), Failure> {
    let rows: Vec<Value> = profile
        .operations()
        .map(|(id, transport)| {
            let line = profile.line(id).unwrap_or_default();
            json!({ "operation": id, "transport": transport.as_str(), "request": line })
        })
        .collect();
    let tells_of: Vec<_> = KINDS.into_iter().filter(|kind| profile.events().tells_of(kind)).collect();
    if json {
        let (name, about) = (profile.name(), profile.about());
        let shown = json!({ "name": name, "about": about, "operations": rows, "tells_of": tells_of });
        return print_json(&shown);
    }
    let mut text = format!("{}: {}\n", profile.name(), profile.about());
    for row in &rows {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!(
            "\n{:<20}  {:<12}  {}",
            word("operation"),
            word("transport"),
            word("request")
        ));
    }
    text.push_str(&format!("\n\nIts webhooks tell of: {}", tells_of.join(", ")));
    say(&text)
}

async fn try_out(arguments: TryArguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let firm = config.firms.iter().find(|firm| firm.id == arguments.firm).ok_or_else(|| {
        Failure::failed(format!("there is no firm `{}`", arguments.firm))
            .hint("`casebridge firms list` shows the ids")
    })?;
    let client = client(&config, firm).await?;
    let client = client.casepeer();
    let request = request(client.profile(), &arguments)?;
    if request.effect != Effect::Read && !arguments.write {
        return Err(Failure::usage(format!("{} changes the account", arguments.operation))
            .hint("add --write if that is what you want"));
    }
    say(&shown_request(client, firm, &request))?;
    // Read first what the operation reads first; then the wire's own answer, and what is made of it.
    if request.lookup.is_some() {
        let exchange = client.send(&request, None, None).await;
        return outcome(exchange.result.map(|answer| answer.body));
    }
    let key = format!("try/{}", uuid::Uuid::now_v7());
    let key = (request.effect == Effect::Create).then_some(key.as_str());
    let exchange = client.send_raw(&request, None, key).await;
    let (status, duration) = (exchange.status(), exchange.duration.as_millis());
    let answer = match exchange.result {
        Ok(answer) => answer,
        Err(failure) => {
            let body = failure.answer.map(|answer| answer.body).unwrap_or_default();
            say(&format!("\n← {} in {duration} ms\n{}", failure.detail, pretty(&masked(&body))))?;
            return Err(Failure::failed(format!("{}: {}", arguments.operation, failure.detail)));
        }
    };
    let status = status.map_or_else(String::new, |status| status.to_string());
    say(&format!("\n← {status} in {duration} ms\n{}", pretty(&masked(&answer.body))))?;
    if request.carrier == Carrier::Api {
        let read = client.profile().read_answer(&request, answer);
        return outcome(read.map(|answer| answer.body));
    }
    Ok(())
}

/// What the bridge makes of an answer.
fn outcome<Error: std::fmt::Display>(read: Result<Value, Error>) -> Result<(), Failure> {
    match read {
        Ok(body) => say(&format!("\n= as the bridge reads it\n{}", pretty(&masked(&body)))),
        Err(why) => {
            Err(Failure::failed(why.to_string()).hint("correct `at`, `items` or `id` of the operation"))
        }
    }
}

/// A firm's client. One that a person connected in the browser takes its tokens from the store, and renews them as
/// `serve` does; any other needs no store, and can be tried before there is one.
enum Client {
    Alone(Box<CasePeerClient>),
    Connected(Arc<Firm>),
}

impl Client {
    fn casepeer(&self) -> &CasePeerClient {
        match self {
            Self::Alone(client) => client,
            Self::Connected(firm) => &firm.casepeer,
        }
    }
}

async fn client(config: &Config, firm: &FirmConfig) -> Result<Client, Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    if !firm.casepeer.auth.is_by_browser() {
        let client = casepeer_client(config, firm, &clock).map_err(Failure::configuration)?;
        return Ok(Client::Alone(Box::new(client)));
    }
    let keyring = keyring(config)?;
    let store = open_store(config, &keyring, &clock).await?;
    let bridge = Bridge::new(config, store, keyring, clock).map_err(Failure::configuration)?;
    let connected = bridge.firms.iter().find(|one| one.id.as_str() == firm.id);
    Ok(Client::Connected(connected.expect("a configured firm")))
}

fn request(profile: &Profile, arguments: &TryArguments) -> Result<Request, Failure> {
    let by = match &arguments.by {
        None => None,
        Some(by) => Some(by.split_once('=').ok_or_else(|| {
            Failure::usage("--by is written as PROPERTY=VALUE, such as email=ada@example.com".to_owned())
        })?),
    };
    let body = arguments.body.as_deref().map(serde_json::from_str::<Value>).transpose();
    let body = body.map_err(|error| Failure::usage(format!("--body is not JSON: {error}")))?;
    any_request(profile, &arguments.operation, arguments.id.as_deref(), by, body).map_err(|why| {
        Failure::failed(why.to_string()).hint("`casebridge profiles show` lists the operations")
    })
}

/// The request as it goes out; the credential and the address of a hook stay unseen.
fn shown_request(client: &CasePeerClient, firm: &FirmConfig, request: &Request) -> String {
    let target = match request.carrier {
        Carrier::Api => format!("{}{}", client.base_url().trim_end_matches('/'), request.path),
        Carrier::Hook => format!("firms.casepeer.hooks of {} {MASK}", firm.id),
        Carrier::Mail => "mail".into(),
    };
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut text = format!("→ {} {target}{query}", request.method.as_str());
    if request.carrier == Carrier::Api {
        text.push_str(&format!("\n  Authorization: {MASK}\n  Accept: {}", request.content.accepted()));
    }
    for (name, value) in &request.headers {
        text.push_str(&format!("\n  {name}: {}", if is_secret(name) { MASK } else { value }));
    }
    if let Some(body) = &request.body {
        text.push_str(&format!(
            "\n  Content-Type: {}\n{}",
            request.content.media_type(),
            pretty(&masked(body))
        ));
    }
    text
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// A copy with nothing under a name that speaks of a secret.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                // A page's token is no secret, but nobody needs it either.
                let shown = if is_secret(name) && !value.is_null() { MASK.into() } else { masked(value) };
                (name.clone(), shown)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(masked).collect(),
        value => value.clone(),
    }
}

fn pretty(value: &Value) -> String {
    if value.is_null() {
        return "(no JSON body)".into();
    }
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_a_secret_is_masked_wherever_it_stands() {
        let body = json!({ "data": [{ "access_token": "a", "X-Api-Key": "b", "name": "Ada",
            "auth": { "client_secret": "c" } }] });
        let shown = masked(&body);
        assert_eq!(
            shown,
            json!({ "data": [{ "access_token": "***", "X-Api-Key": "***", "name": "Ada",
                "auth": { "client_secret": "***" } }] })
        );
    }
}
