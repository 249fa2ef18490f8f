//! `casebridge catalog`: what can be called and what can be waited for in both systems.

mod call;
mod dry;
mod show;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::{note, print_json, say};
use crate::operations::catalog::{self, Entry, Kind, Listed, System};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List actions and triggers.
    List {
        /// Of this system only.
        #[arg(long, value_parser = PossibleValuesParser::new(System::ALL.map(System::as_str)))]
        system: Option<String>,
        /// Only these.
        #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)))]
        kind: Option<String>,
        /// Only those with this text in id, help, path or scope.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// A JSON list, with parameters.
        #[arg(long)]
        json: bool,
    },
    /// Show one with its parameters.
    Show {
        /// Its id.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Call an action for a firm and print the answer.
    Call(call::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::List { system, kind, search, json } => list(system.as_deref(), kind.as_deref(), search, json),
        Verb::Show { id, json } if json => print_json(&Listed::from(find(&id)?)),
        Verb::Show { id, .. } => say(&show::text(find(&id)?)),
        Verb::Call(arguments) => call::run(arguments).await,
    }
}

fn list(system: Option<&str>, kind: Option<&str>, search: Option<String>, json: bool) -> Result<(), Failure> {
    let is_meant = |entry: &&Entry| {
        system.is_none_or(|system| entry.system.as_str() == system)
            && kind.is_none_or(|kind| entry.kind.as_str() == kind)
            && search.as_ref().is_none_or(|text| entry.mentions(text))
    };
    let entries: Vec<&Entry> = catalog::all().iter().filter(is_meant).collect();
    if json {
        return print_json(&entries.iter().map(|entry| Listed::from(*entry)).collect::<Vec<_>>());
    }
    let mut text = format!("{:<44}  {:<10}  {:<7}  HELP", "ID", "SYSTEM", "KIND");
    for entry in &entries {
        let (system, kind) = (entry.system.as_str(), entry.kind.as_str());
        let deprecated = if entry.deprecated { " (deprecated)" } else { "" };
        text.push_str(&format!("\n{:<44}  {system:<10}  {kind:<7}  {}{deprecated}", entry.id, entry.help));
    }
    say(&text)?;
    let actions = entries.iter().filter(|entry| entry.kind == Kind::Action).count();
    note(&format!("{actions} actions and {} triggers", entries.len() - actions));
    Ok(())
}

fn find(id: &str) -> Result<&'static Entry, Failure> {
    catalog::find(id).ok_or_else(|| {
        let failure = Failure::usage(format!("the catalog has no `{id}`"));
        match catalog::nearest_entry(id) {
            Some(guess) => failure.hint(format!("did you mean `{guess}`?")),
            None => failure.hint("`casebridge catalog list --search TEXT` finds ids"),
        }
    })
}
