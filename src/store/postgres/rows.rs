//! Values of ours as columns, and back; what can go wrong with a statement.

use std::str::FromStr;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use uuid::Uuid;

use crate::crypto::CannotOpen;
use crate::domain::EventId;
use crate::store::StoreError;

/// A statement of which some parameters are bound.
pub(super) type PostgresQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Why a transaction ended early. Unlike [`StoreError`] it still knows whether trying again may help.
#[derive(Debug)]
pub(super) enum Fault {
    Database(sqlx::Error),
    Store(StoreError),
}

/// Conditions under which PostgreSQL asks for the transaction to be repeated (its manual, appendix A): a
/// serialisation failure, a deadlock, a lock that was not to be had in time, and a unique key that another transaction
/// took first.
const REPEATABLE: [&str; 4] = ["40001", "40P01", "55P03", "23505"];

impl Fault {
    /// Whether the same transaction may succeed if it is begun again.
    pub(super) fn is_repeatable(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| REPEATABLE.contains(&code.as_ref()))
    }

    /// Whether the database refused a value, so that others of the same batch may be accepted without it.
    pub(super) fn is_about_data(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
            }
            Self::Database(sqlx::Error::Encode(_)) | Self::Store(_) => true,
            Self::Database(_) => false,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CannotOpen> for Fault {
    fn from(error: CannotOpen) -> Self {
        Self::Store(error.into())
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(error) => error,
            Fault::Database(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Corrupt(error.to_string())
            }
            sqlx::Error::PoolTimedOut => {
                Self::Unavailable("no connection to the database is free, or it does not answer".into())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// A column that holds a moment.
pub(super) fn moment(row: &PgRow, column: &str) -> Result<Timestamp, Fault> {
    from_millis(row.try_get(column)?)
}

/// A column that may hold a moment.
pub(super) fn moment_if_any(row: &PgRow, column: &str) -> Result<Option<Timestamp>, Fault> {
    row.try_get::<Option<i64>, _>(column)?.map(from_millis).transpose()
}

pub(super) fn from_millis(millis: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

/// A column that holds an event's id.
pub(super) fn event_id(row: &PgRow, column: &str) -> Result<EventId, Fault> {
    Ok(EventId(row.try_get::<Uuid, _>(column)?))
}

/// A column that holds a word of a closed list, or a record.
pub(super) fn word<T>(row: &PgRow, column: &str) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: std::error::Error,
{
    parse(row.try_get(column)?)
}

/// A column that may hold a word of a closed list, or a record.
pub(super) fn word_if_any<T>(row: &PgRow, column: &str) -> Result<Option<T>, Fault>
where
    T: FromStr,
    T::Err: std::error::Error,
{
    row.try_get::<Option<&str>, _>(column)?.map(parse).transpose()
}

fn parse<T>(text: &str) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: std::error::Error,
{
    text.parse().map_err(|error: T::Err| StoreError::Corrupt(error.to_string()).into())
}

/// A column that holds a count.
pub(super) fn count(row: &PgRow, column: &str) -> Result<u64, Fault> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

/// A column that holds a small number.
pub(super) fn small<T: TryFrom<i64>>(row: &PgRow, column: &str) -> Result<T, Fault> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number)
        .map_err(|_| StoreError::Corrupt(format!("{column} is {number}, which is out of range")).into())
}

/// Text as PostgreSQL can hold it: it has no NUL, which JSON and vendors' messages may contain.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
