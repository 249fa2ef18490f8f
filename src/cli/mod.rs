//! The command line: one file a verb. Data goes to standard output, everything else to standard error.

mod audit;
mod backfill;
mod by;
mod catalog;
mod check;
mod completions;
mod demo;
mod events;
mod failure;
mod firms;
mod healthcheck;
mod output;
mod people;
mod profiles;
mod reconcile;
pub mod reload;
mod review;
mod rules;
mod secrets;
mod send;
pub mod serve;
mod store;
mod tokens;
mod twin;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use crate::config::{self, Config, Loaded};
use crate::telemetry::{LogFormat, start_logging};

/// Keeps a law firm's HighLevel CRM and its CASEpeer case management in step.
#[derive(Debug, Parser)]
#[command(name = "casebridge", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value = "text", env = "CASEBRIDGE_LOG_FORMAT")]
    log_format: LogFormat,
    /// Which log lines are written, in the form of RUST_LOG [default: info for serve, warn for the rest].
    #[arg(long, global = true, env = "CASEBRIDGE_LOG", value_name = "FILTER")]
    log: Option<String>,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 75 try again, 78 configuration.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show it at work: the bridge and simulated vendors on this machine, and a short story.
    Demo(demo::Arguments),
    /// Run the bridge.
    Serve(serve::Arguments),
    /// Check configuration, store, keys and each vendor, with the fix beside every failure.
    Check(check::Arguments),
    /// See what came and what was made of it; replay or discard.
    Events(events::Arguments),
    /// Pair and sync what both systems had before the bridge; or say what would be done.
    Backfill(backfill::Arguments),
    /// Compare both systems with what was received, and work on what no webhook told of; or show the loss meter.
    Reconcile(reconcile::Arguments),
    /// Decide what only a person can: see both sides, and answer.
    Review(review::Arguments),
    /// See a person across both systems; link, merge, split; hold, export, erase what is kept about them.
    People(people::Arguments),
    /// See the firms and what keeps a parked one; pause and resume.
    Firms(firms::Arguments),
    /// Automations: check a rule, try it on what came before, bring it in, switch it on.
    Rules(rules::Arguments),
    /// See what can be called and waited for in both systems; call it by hand.
    Catalog(catalog::Arguments),
    /// See how CASEpeer accounts are reached; check a profile of your own, and try an operation.
    Profiles(profiles::Arguments),
    /// Make, list and end tokens with which programs call actions.
    Tokens(tokens::Arguments),
    /// See how old secrets are, make new ones, change them without a pause.
    Secrets(secrets::Arguments),
    /// Sign and send a sample webhook, to try an installation.
    Send(send::Arguments),
    /// See who may sign in to the console; add, change, remove.
    Users(users::Arguments),
    /// See who did what, and why.
    Audit(audit::Arguments),
    /// Bring the database's schema up to date, back it up and restore it, or move from SQLite to PostgreSQL.
    Store(store::Arguments),
    /// Run the simulated HighLevel and CASEpeer alone.
    Twin(twin::Arguments),
    /// Ask a running bridge whether it is ready, for a container's health check.
    Healthcheck(healthcheck::Arguments),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The configuration file.
    #[arg(long, env = "CASEBRIDGE_CONFIG", default_value = "casebridge.toml", value_name = "FILE")]
    config: PathBuf,
}

impl ConfigArgument {
    fn load(&self) -> Result<Config, Failure> {
        config::load(&self.config).map_err(|error| Failure::configuration(error.to_string()))
    }

    /// The same, to be read anew when its files change.
    fn load_watched(&self) -> Result<Loaded, Failure> {
        Loaded::read(&self.config).map_err(|error| Failure::configuration(error.to_string()))
    }
}

/// Runs the program for this process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = if matches!(cli.verb, Verb::Serve(_)) { "info" } else { "warn" };
    if let Err(why) = start_logging(cli.log_format, cli.log.as_deref().unwrap_or(quiet)) {
        return Failure::usage(why).report();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.verb)),
        Err(error) => Err(Failure::failed(format!("the system gives no threads: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Demo(arguments) => demo::run(arguments).await,
        Verb::Serve(arguments) => serve::run(arguments).await,
        Verb::Check(arguments) => check::run(arguments).await,
        Verb::Events(arguments) => events::run(arguments).await,
        Verb::Backfill(arguments) => backfill::run(arguments).await,
        Verb::Reconcile(arguments) => reconcile::run(arguments).await,
        Verb::Review(arguments) => review::run(arguments).await,
        Verb::People(arguments) => people::run(arguments).await,
        Verb::Firms(arguments) => firms::run(arguments).await,
        Verb::Rules(arguments) => rules::run(arguments).await,
        Verb::Catalog(arguments) => catalog::run(arguments).await,
        Verb::Profiles(arguments) => profiles::run(arguments).await,
        Verb::Tokens(arguments) => tokens::run(arguments).await,
        Verb::Secrets(arguments) => secrets::run(arguments).await,
        Verb::Send(arguments) => send::run(arguments).await,
        Verb::Users(arguments) => users::run(arguments).await,
        Verb::Audit(arguments) => audit::run(arguments).await,
        Verb::Store(arguments) => store::run(arguments).await,
        Verb::Twin(arguments) => twin::run(arguments).await,
        Verb::Healthcheck(arguments) => healthcheck::run(arguments).await,
        Verb::Completions(arguments) => completions::run(&arguments),
    }
}
