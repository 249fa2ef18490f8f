//! The schema's history. A migration that has been released is never changed; `PRAGMA user_version` counts them.

use rusqlite::{Connection, TransactionBehavior};

const MIGRATIONS: &[&str] = &[
    include_str!("0001_events_links_effects.sql"),
    include_str!("0002_quotas.sql"),
    include_str!("0003_secrets.sql"),
    include_str!("0004_credentials.sql"),
    include_str!("0005_review.sql"),
    include_str!("0006_hand_off.sql"),
    include_str!("0007_sweeps.sql"),
    include_str!("0008_keeping.sql"),
    include_str!("0009_rules.sql"),
    include_str!("0010_person_keys.sql"),
    include_str!("0011_turns.sql"),
    include_str!("0012_alerts.sql"),
    include_str!("0013_traces.sql"),
    include_str!("0014_access.sql"),
    include_str!("0015_figures.sql"),
    include_str!("0016_tokens.sql"),
    include_str!("0017_hooks.sql"),
    include_str!("0018_mapping.sql"),
];

/// The newest schema this build knows.
pub const KNOWN: usize = MIGRATIONS.len();

#[derive(Debug)]
pub(super) enum Failed {
    Sqlite(rusqlite::Error),
    TooNew { found: usize, known: usize },
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Brings the schema up to date, all or nothing; a second process waits for the first. How many migrations that took.
pub(super) fn run(connection: &mut Connection) -> Result<usize, Failed> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let (found, known) = (found as usize, KNOWN);
    if found > known {
        return Err(Failed::TooNew { found, known });
    }
    for migration in &MIGRATIONS[found..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known as u32)?;
    transaction.commit()?;
    Ok(known - found)
}
