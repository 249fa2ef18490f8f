//! `casebridge store`: the database itself.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::failure::Failure;
use super::output::say;
use super::serve::{keyring, open_postgres, open_sqlite};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Secret, StoreUrl};
use crate::store::copy::{self, CannotCopy, Progress};
use crate::store::sqlite::ServeLock;
use crate::store::{postgres, sqlite};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring the schema up to date, as `serve` does when it starts, and say which one that is.
    Migrate {
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Copy everything from SQLite into an empty PostgreSQL database, and compare. Stop `serve` first.
    Copy {
        #[command(flatten)]
        config: ConfigArgument,
        /// Where to: postgres://user:password@host/database. As a variable it is not seen in the list of processes.
        #[arg(long, env = "CASEBRIDGE_COPY_TO", hide_env_values = true, value_name = "URL", value_parser = target)]
        to: StoreUrl,
    },
}

fn target(url: &str) -> Result<StoreUrl, String> {
    match url.parse() {
        Ok(StoreUrl::Postgres(url)) => Ok(StoreUrl::Postgres(url)),
        _ => Err("the target begins with `postgres://`".into()),
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Migrate { config } => migrate(&config).await,
        Verb::Copy { config, to: StoreUrl::Postgres(to) } => copy_to(&config, &to).await,
        Verb::Copy { to: StoreUrl::Sqlite(_), .. } => Err(Failure::usage("the target is PostgreSQL")),
    }
}

async fn migrate(config: &ConfigArgument) -> Result<(), Failure> {
    let config = config.load()?;
    let (keyring, clock): (_, SharedClock) = (keyring(&config)?, Arc::new(SystemClock));
    let (kind, schema, migrated) = match &config.store.url {
        StoreUrl::Sqlite(path) => ("SQLite", sqlite::SCHEMA, open_sqlite(path, &keyring, &clock)?.migrated()),
        StoreUrl::Postgres(url) => {
            ("PostgreSQL", postgres::SCHEMA, open_postgres(url, &config, &keyring).await?.migrated())
        }
    };
    let how = match migrated {
        0 => "it was up to date".to_owned(),
        1 => "1 migration was run".to_owned(),
        many => format!("{many} migrations were run"),
    };
    say(&format!("{kind} schema {schema}: {how}"))
}

async fn copy_to(config: &ConfigArgument, to: &Secret) -> Result<(), Failure> {
    let config = config.load()?;
    let StoreUrl::Sqlite(path) = &config.store.url else {
        return Err(Failure::configuration("store.url is PostgreSQL already; a copy starts from SQLite"));
    };
    if !path.exists() {
        return Err(Failure::failed(format!("there is no database {}", path.display()))
            .hint("a relative store.url is looked for where the program runs"));
    }
    let _lock = ServeLock::take(path).map_err(Failure::failed)?;
    let (keyring, clock): (_, SharedClock) = (keyring(&config)?, Arc::new(SystemClock));
    // Brings the file's schema up to date; the copy reads it through a connection of its own.
    drop(open_sqlite(path, &keyring, &clock)?);
    let target = open_postgres(to, &config, &keyring).await?;
    let copied = copy::copy(path, &target, show).await.map_err(|error| match error {
        CannotCopy::Target(_) => Failure::try_again(error.to_string()),
        CannotCopy::NotEmpty(_) => {
            Failure::failed(error.to_string()).hint("create a new database, and copy into that one")
        }
        CannotCopy::Source { .. } | CannotCopy::NotEqual(_) => Failure::failed(error.to_string()),
    })?;
    say(&format!("{:<14}  {:>9}  SHA-256, EQUAL ON BOTH SIDES", "TABLE", "ROWS"))?;
    for table in copied {
        say(&format!("{:<14}  {:>9}  {}", table.table, table.rows, table.checksum))?;
    }
    say("everything is copied; set store.url to the new database, and keep the file until you trust it")
}

/// Says how far the copy is: on a terminal in one line that moves, elsewhere when a table is done.
fn show(Progress { table, done, total }: Progress) {
    let mut out = std::io::stderr().lock();
    // With standard error closed there is nobody left to tell.
    let _ = match (out.is_terminal(), done == total) {
        (true, false) => write!(out, "\r{table}: {done} of {total}"),
        (true, true) => writeln!(out, "\r{table}: {done} of {total}"),
        (false, true) => writeln!(out, "{table}: {total} rows"),
        (false, false) => Ok(()),
    };
}
