//! The schema's history. A migration that has been released is never changed; the table `schema_version` counts them.
//!
//! Several instances, of this build and of the one before, may use one database while it is upgraded. So a change
//! comes in two releases:
//!
//! 1. *Expand*: add tables, nullable columns, columns with a default, indexes. What the older build reads and writes
//!    stays as it was; the newer build fills in what the older one left empty.
//! 2. *Contract*, a release later, when no older build runs any more: drop what nobody reads, add `NOT NULL`.
//!
//! Nothing is renamed and no column changes its meaning. All migrations of a start are one transaction, so an index on
//! a large table would hold up writers while it is built: build it by hand with `CREATE INDEX CONCURRENTLY` before the
//! upgrade, and write the migration with `IF NOT EXISTS`.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};

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
    include_str!("0019_unite.sql"),
    include_str!("0020_given_up.sql"),
];

/// Held while a schema is brought up to date: a second instance waits for the first.
const LOCK: i64 = 0x0043_4153_4542_5244;

/// The newest schema this build knows.
pub const KNOWN: usize = MIGRATIONS.len();

#[derive(Debug)]
pub(super) enum Failed {
    Database(sqlx::Error),
    TooNew { found: usize, known: usize },
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Brings the schema up to date, all or nothing; how many migrations that took.
pub(super) async fn run(pool: &PgPool) -> Result<usize, Failed> {
    // A lock of the transaction, not of the session: it also holds behind a pooler that shares sessions.
    let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})");
    let mut transaction = pool.begin_with(AssertSqlSafe(begin)).await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await?;
    let found: i64 = sqlx::query("SELECT coalesce(max(version), 0) FROM schema_version")
        .fetch_one(&mut *transaction)
        .await?
        .try_get(0)?;
    let found = usize::try_from(found).unwrap_or_default();
    if found > KNOWN {
        return Err(Failed::TooNew { found, known: KNOWN });
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).skip(found) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO schema_version (version) VALUES ($1)")
            .bind(version)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(KNOWN - found)
}
