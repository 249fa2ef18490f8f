//! `casebridge store`: the database itself.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::ConfigArgument;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_postgres, open_sqlite};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::{Config, Secret, StoreUrl};
use crate::store::copy::{self, CannotCopy, Progress};
use crate::store::sqlite::ServeLock;
use crate::store::sqlite::backup::{self, CannotBackUp};
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
    /// Copy the database into one file while it is in use, and read the copy to its end. SQLite only.
    Backup {
        #[command(flatten)]
        config: ConfigArgument,
        /// The new file, or a directory in which it is named by the time.
        to: PathBuf,
        /// Print what the backup holds as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a backup in the database's place. Stop `serve` first. SQLite only.
    Restore {
        #[command(flatten)]
        config: ConfigArgument,
        /// The backup.
        from: PathBuf,
        /// Where a database is in place already: keep it under another name beside the restored one.
        #[arg(long)]
        replace: bool,
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
        Verb::Backup { config, to, json } => back_up(&config.load()?, to, json),
        Verb::Restore { config, from, replace } => restore(&config.load()?, &from, replace),
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

/// The file of the embedded store.
fn sqlite_file(config: &Config, other_way: &str) -> Result<PathBuf, Failure> {
    match &config.store.url {
        StoreUrl::Sqlite(path) if path.exists() => Ok(path.clone()),
        StoreUrl::Sqlite(path) => Err(Failure::failed(format!("there is no database {}", path.display()))
            .hint("a relative store.url is looked for where the program runs")),
        StoreUrl::Postgres(_) => {
            Err(Failure::usage("store.url is PostgreSQL, which has tools of its own for this")
                .hint(other_way))
        }
    }
}

fn back_up(config: &Config, to: PathBuf, json: bool) -> Result<(), Failure> {
    let with_pg_dump = "pg_dump --format=custom --no-owner --file=casebridge.dump --dbname=\"$DATABASE_URL\"";
    let database = sqlite_file(config, with_pg_dump)?;
    let stamp = SystemClock.now().strftime("casebridge-%Y%m%dT%H%M%SZ.db").to_string();
    let to = if to.is_dir() { to.join(stamp) } else { to };
    let made = backup::back_up(&database, &to, &*keyring(config)?).map_err(cannot)?;
    note("it is sealed with crypto.keys, which are not in it: keep a copy of those elsewhere");
    if json {
        return print_json(&made);
    }
    say(&format!(
        "{}: {} bytes, schema {}, {} events, {} links; read to its end and whole",
        made.file.display(),
        made.bytes,
        made.schema,
        made.events,
        made.links
    ))
}

fn restore(config: &Config, from: &Path, replace: bool) -> Result<(), Failure> {
    let with_pg_restore = "stop every instance, then pg_restore --clean --if-exists --no-owner --single-transaction \
        --dbname=\"$DATABASE_URL\" casebridge.dump";
    let StoreUrl::Sqlite(database) = &config.store.url else {
        return sqlite_file(config, with_pg_restore).map(|_| ());
    };
    let stamp = SystemClock.now().strftime(".before-%Y%m%dT%H%M%SZ").to_string();
    let mut kept = database.as_os_str().to_owned();
    kept.push(stamp);
    let (kept, keyring) = (PathBuf::from(kept), keyring(config)?);
    let was_there = database.exists();
    let restored = backup::restore(from, database, replace.then_some(&kept), &keyring).map_err(cannot)?;
    // Brings an older backup's schema up to date, and shows that this build can use it.
    drop(open_sqlite(database, &keyring, &(Arc::new(SystemClock) as SharedClock))?);
    if was_there {
        note(&format!("what was there before is kept as {}", kept.display()));
    }
    say(&format!(
        "{} is restored: {} events, {} links",
        database.display(),
        restored.events,
        restored.links
    ))?;
    say(
        "start `casebridge serve`, then run `casebridge reconcile`: it finds what both systems did since the backup",
    )
}

fn cannot(error: CannotBackUp) -> Failure {
    let text = error.to_string();
    match error {
        CannotBackUp::File { .. } => Failure::failed(text),
        CannotBackUp::Exists(_) => {
            Failure::failed(text).hint("name another file; to restore over a database, add --replace")
        }
        CannotBackUp::Damaged { .. } => Failure::failed(text).hint("use another backup"),
        CannotBackUp::Sealed { .. } => Failure::configuration(text)
            .hint("crypto.keys must list the keys that were in use when the backup was made"),
        CannotBackUp::TooNew { .. } => Failure::failed(text),
        CannotBackUp::InUse(_) => Failure::try_again(text).hint("stop `casebridge serve`, then restore"),
    }
}
