//! `casebridge rules`: automations: see them, check a file, try it on what came before, bring it in, switch it on.

mod import;
mod try_out;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::ConfigArgument;
use super::by::By;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::saved_rules;
use crate::clock::{SharedClock, SystemClock};
use crate::domain::Deed;
use crate::operations::catalog::nearest;
use crate::rules::automation::{
    LARGEST_RULE, ReadyMade, Rule, Wrong, fields_of, find_trigger, from_toml, ready_made,
};
use crate::store::SharedStore;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the rules, and the ready-made ones to start from.
    List {
        #[command(flatten)]
        config: ConfigArgument,
        /// The ready-made rules instead, which need no configuration.
        #[arg(long)]
        ready_made: bool,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// List the fields of a trigger, with examples.
    Fields {
        /// The trigger's id, as in `casebridge catalog list --kind trigger`.
        trigger: String,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Check a file without bringing it in.
    Check {
        /// The rule, as TOML; `-` is standard input.
        file: PathBuf,
    },
    /// Run a rule over stored events and print the calls it would make, or why not. Nothing is sent.
    Try(try_out::Arguments),
    /// Check a rule and save it as a new version. A new one is off until it is switched on.
    Import(import::Arguments),
    /// Print a rule as TOML.
    Export {
        #[command(flatten)]
        config: ConfigArgument,
        /// The rule.
        id: String,
        /// An older version of it.
        #[arg(long)]
        version: Option<u32>,
    },
    /// Switch a rule on.
    On(Which),
    /// Switch a rule off. What it began it ends.
    Off(Which),
    /// Remove a rule. Its versions are kept for what ran by them.
    Remove(Which),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    config: ConfigArgument,
    /// The rule.
    id: String,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { ready_made: true, json, .. } => list_ready_made(json),
        Verb::List { config, json, .. } => list(&store(&config).await?, json).await,
        Verb::Fields { trigger, json } => fields(&trigger, json),
        Verb::Check { file } => {
            let rule = read(&file)?;
            say(&format!("`{}` checks: {} step(s) when {}", rule.id, rule.steps.len(), rule.when.id))
        }
        Verb::Try(arguments) => try_out::run(arguments).await,
        Verb::Import(arguments) => import::run(arguments).await,
        Verb::Export { config, id, version } => export(&store(&config).await?, &id, version).await,
        Verb::On(which) => switch(&which, true).await,
        Verb::Off(which) => switch(&which, false).await,
        Verb::Remove(Which { config, id, by }) => {
            let store = store(&config).await?;
            if !store.remove_rule(&id).await? {
                return Err(no_such(&store, &id).await);
            }
            store.note_deed(by.did(Deed::RuleRemoved).about(&id)).await?;
            say(&format!("`{id}` is removed"))
        }
    }
}

/// The configured store.
async fn store(config: &ConfigArgument) -> Result<SharedStore, Failure> {
    let config = config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    open_store(&config, &keyring(&config)?, &clock).await
}

async fn list(store: &SharedStore, json: bool) -> Result<(), Failure> {
    let rules = saved_rules(store).await?;
    if json {
        let rows = rules.iter().map(|(row, rule)| {
            let said: serde_json::Value = serde_json::from_str(&row.json).unwrap_or_default();
            json!({
                "id": row.id, "name": said["name"], "when": said["when"], "firms": said["firms"], "is_on": row.is_on,
                "version": row.version, "saved_at": row.saved_at, "saved_by": row.saved_by,
                "wrong": rule.as_ref().err(),
            })
        });
        return print_json(&rows.collect::<Vec<_>>());
    }
    let mut text = format!("{:<24}  {:<4}  {:<8}  {:<32}  NAME", "ID", "ON", "VERSION", "WHEN");
    for (row, rule) in &rules {
        let (when, name) = match rule {
            Ok(rule) => (rule.when.id.as_str(), rule.name.clone()),
            Err(why) => ("-", format!("does not run: {why}")),
        };
        let on = if row.is_on { "on" } else { "off" };
        text.push_str(&format!("\n{:<24}  {on:<4}  {:<8}  {when:<32}  {name}", row.id, row.version));
    }
    say(&text)?;
    note(&format!("{} rule(s); `casebridge rules list --ready-made` shows what to start from", rules.len()));
    Ok(())
}

fn list_ready_made(json: bool) -> Result<(), Failure> {
    let places = |one: &ReadyMade| one.places().map(|(place, _)| place).collect::<Vec<_>>();
    if json {
        let rows = ready_made::ALL.iter();
        let rows = rows.map(|one| json!({ "name": one.name, "help": one.help(), "set": places(one) }));
        return print_json(&rows.collect::<Vec<_>>());
    }
    let lines = ready_made::ALL.iter().map(|one| {
        let set: String = places(one).iter().map(|place| format!(" --set {place}=…")).collect();
        format!(
            "{:<16}{}\n{:<16}casebridge rules import --ready-made {}{set}",
            one.name,
            one.help(),
            "",
            one.name
        )
    });
    say(&lines.collect::<Vec<_>>().join("\n"))
}

fn fields(id: &str, json: bool) -> Result<(), Failure> {
    let trigger = find_trigger(id).ok_or_else(|| {
        let triggers = crate::operations::catalog::all().iter();
        let triggers = triggers.filter(|entry| find_trigger(&entry.id).is_some());
        let failure = Failure::usage(format!("`{id}` is no trigger"));
        match nearest(id, triggers.map(|entry| entry.id.as_str())) {
            Some(guess) => failure.hint(format!("did you mean `{guess}`?")),
            None => failure.hint("`casebridge catalog list --kind trigger` lists them"),
        }
    })?;
    let fields = fields_of(trigger);
    if json {
        return print_json(&fields);
    }
    let lines = fields.iter().map(|field| {
        let example = if field.example.is_null() { String::new() } else { field.example.to_string() };
        format!("{:<34}  {:<40}  {}", field.name, example, field.help)
    });
    say(&lines.collect::<Vec<_>>().join("\n"))
}

async fn export(store: &SharedStore, id: &str, version: Option<u32>) -> Result<(), Failure> {
    let rows = store.rules().await?;
    let json = match version {
        Some(version) => store.rule_version(id, version).await?,
        None => rows.into_iter().find(|row| row.id == id).map(|row| row.json),
    };
    let Some(json) = json else { return Err(no_such(store, id).await) };
    let value = serde_json::from_str(&json).unwrap_or_default();
    match Rule::from_json(&value) {
        Ok(rule) => say(rule.to_toml().trim_end()),
        Err(wrong) => Err(refused(&wrong)),
    }
}

async fn switch(which: &Which, is_on: bool) -> Result<(), Failure> {
    let store = store(&which.config).await?;
    if !store.switch_rule(&which.id, is_on).await? {
        return Err(no_such(&store, &which.id).await);
    }
    let deed = if is_on { Deed::RuleOn } else { Deed::RuleOff };
    store.note_deed(which.by.did(deed).about(&which.id)).await?;
    say(&format!("`{}` is {}", which.id, if is_on { "on" } else { "off" }))
}

async fn no_such(store: &SharedStore, id: &str) -> Failure {
    let failure = Failure::failed(format!("there is no rule `{id}`"));
    let rows = store.rules().await.unwrap_or_default();
    match nearest(id, rows.iter().map(|row| row.id.as_str())) {
        Some(guess) => failure.hint(format!("did you mean `{guess}`?")),
        None => failure.hint("`casebridge rules list` shows them"),
    }
}

/// A rule from a file, checked.
fn read(file: &Path) -> Result<Rule, Failure> {
    let failed = |why: String| Failure::failed(format!("{}: {why}", file.display()));
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::Read::take(std::io::stdin().lock(), LARGEST_RULE as u64 + 1))
    } else {
        std::fs::File::open(file)
            .and_then(|file| std::io::read_to_string(std::io::Read::take(file, LARGEST_RULE as u64 + 1)))
    };
    let text = text.map_err(|error| failed(error.to_string()))?;
    from_toml(&text).map_err(|wrong| refused(&wrong))
}

/// A rule that does not check.
fn refused(wrong: &[Wrong]) -> Failure {
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    Failure::configuration(format!("the rule does not check\n       {}", lines.join("\n       ")))
        .hint("`casebridge rules fields TRIGGER` and `casebridge catalog show ACTION` list what there is")
}
