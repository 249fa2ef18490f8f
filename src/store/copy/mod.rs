//! Moving an installation from SQLite to PostgreSQL.
//!
//! Both stores have the same tables and name their rows alike, so sealed values are copied as they are; no key is
//! needed. All of it is one transaction: a copy that fails, or does not compare equal, leaves nothing behind.

mod table;
mod tables;
mod value;

use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnection, Postgres};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

use self::table::Table;
use self::tables::{MADE_WHEN_OPENED, tables};
use self::value::{Value, push_column};
use super::postgres::PostgresStore;

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CannotCopy {
    /// The file cannot be read.
    #[error("{path} cannot be read: {why}")]
    Source {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// The target cannot be written.
    #[error("the target cannot be used: {0}")]
    Target(#[from] sqlx::Error),
    /// Something is there already.
    #[error("the target is not empty: its table `{0}` has rows")]
    NotEmpty(&'static str),
    /// What arrived is not what was sent.
    #[error("the copies of `{0}` are not equal")]
    NotEqual(&'static str),
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Which.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over all values in the order of the key, read back from the target and equal to the source's.
    pub checksum: String,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The table that is being copied.
    pub table: &'static str,
    /// Rows so far.
    pub done: u64,
    /// Rows altogether.
    pub total: u64,
}

/// Rows that travel together. Their payloads are in memory meanwhile, each at most some hundred kilobytes.
const BATCH: usize = 500;

/// Copies everything from a file that nobody writes to into a database that has the schema and no rows.
pub async fn copy(
    from: &Path,
    to: &PostgresStore,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<Copied>, CannotCopy> {
    let failed = |why: rusqlite::Error| CannotCopy::Source { path: from.to_owned(), why: why.to_string() };
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    // One snapshot for all tables, whoever writes.
    source.execute_batch("BEGIN").map_err(failed)?;
    let mut transaction = to.pool().begin().await?;
    must_be_empty(&mut transaction).await?;
    let mut copied = Vec::new();
    for table in tables() {
        let total: i64 = source
            .query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| row.get(0))
            .map_err(failed)?;
        let (mut done, mut sent) = (0, Sha256::new());
        let mut select = source.prepare(&table.select()).map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        loop {
            let batch = next_batch(table, &mut rows).map_err(failed)?;
            if batch.is_empty() {
                break;
            }
            batch.iter().flatten().for_each(|value| value.digest(&mut sent));
            insert(&mut transaction, table, &batch).await?;
            done += batch.len() as u64;
            progress(Progress { table: table.name, done, total: total.unsigned_abs() });
        }
        let (rows, arrived) = read_back(&mut transaction, table).await?;
        let sent = hex::encode(sent.finalize());
        if (rows, &arrived) != (done, &sent) {
            return Err(CannotCopy::NotEqual(table.name));
        }
        copied.push(Copied { table: table.name, rows, checksum: arrived });
    }
    for sql in NUMBER_ON {
        sqlx::query(sql).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    // So that the first queries are planned for these tables and not for empty ones.
    sqlx::query("ANALYZE").execute(to.pool()).await?;
    Ok(copied)
}

/// What comes next is numbered after what was copied.
const NUMBER_ON: [&str; 3] = [
    "SELECT setval(pg_get_serial_sequence('person', 'id'), coalesce(max(id), 1), count(*) > 0) FROM person",
    "SELECT setval(pg_get_serial_sequence('event', 'seq'), coalesce(max(seq), 1), count(*) > 0) FROM event",
    "SELECT setval(pg_get_serial_sequence('call', 'id'), coalesce(max(id), 1), count(*) > 0) FROM call",
];

async fn must_be_empty(connection: &mut PgConnection) -> Result<(), CannotCopy> {
    for table in tables() {
        // An instance that serves this database waits, and then finds what was copied.
        let sql = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table.name);
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        if table.name == MADE_WHEN_OPENED {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {MADE_WHEN_OPENED}")))
                .execute(&mut *connection)
                .await?;
        }
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        if sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *connection).await?.is_some() {
            return Err(CannotCopy::NotEmpty(table.name));
        }
    }
    Ok(())
}

fn next_batch(table: &Table, rows: &mut rusqlite::Rows<'_>) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH
        && let Some(row) = rows.next()?
    {
        let values =
            table.columns.iter().enumerate().map(|(at, (_, kind))| Value::from_sqlite(row, at, *kind));
        batch.push(values.collect::<Result<_, _>>()?);
    }
    Ok(batch)
}

async fn insert(
    connection: &mut PgConnection,
    table: &Table,
    batch: &[Vec<Value>],
) -> Result<(), sqlx::Error> {
    let mut sql: QueryBuilder<Postgres> =
        QueryBuilder::new(format!("INSERT INTO {} ({}) SELECT * FROM unnest(", table.name, table.names()));
    for (at, (_, kind)) in table.columns.iter().enumerate() {
        if at > 0 {
            sql.push(", ");
        }
        push_column(&mut sql, *kind, batch.iter().map(|row| &row[at]));
    }
    sql.push(")").build().execute(connection).await?;
    Ok(())
}

async fn read_back(connection: &mut PgConnection, table: &Table) -> Result<(u64, String), sqlx::Error> {
    let mut digest = Sha256::new();
    let mut count = 0;
    let sql = AssertSqlSafe(table.select());
    let mut rows = sqlx::query(sql).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        count += 1;
        debug_assert_eq!(row.len(), table.columns.len());
        for (at, (_, kind)) in table.columns.iter().enumerate() {
            Value::from_postgres(&row, at, *kind)?.digest(&mut digest);
        }
    }
    Ok((count, hex::encode(digest.finalize())))
}
