//! `casebridge secrets`: how old they are, new ones, and changing them without a pause. No secret is printed but a new one.

mod new;
mod rotate;
mod status;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::failure::Failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List each secret in use by its key in the configuration: where it comes from, how old it is, what is due.
    Status {
        #[command(flatten)]
        config: ConfigArgument,
        /// A JSON list.
        #[arg(long)]
        json: bool,
    },
    /// Make a secret and print it once. Nothing is stored.
    New {
        /// What for.
        kind: new::Kind,
    },
    /// Change a secret: seal everything anew with the active key, or say step by step how another kind is changed.
    Rotate(rotate::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Status { config, json } => status::run(&config, json).await,
        Verb::New { kind } => new::run(kind),
        Verb::Rotate(arguments) => rotate::run(arguments).await,
    }
}
