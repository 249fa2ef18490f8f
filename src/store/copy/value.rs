//! A column's value on its way from one store to the other.

use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

use super::table::Kind;
use super::table::Kind::{Boolean, Bytes, Id, Integer, Text};

/// A value on its way.
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub(super) fn from_sqlite(row: &rusqlite::Row<'_>, at: usize, kind: Kind) -> rusqlite::Result<Self> {
        Ok(match (row.get_ref(at)?, kind) {
            (ValueRef::Null, _) => Self::Null,
            (_, Integer | Boolean) => Self::Integer(row.get(at)?),
            // PostgreSQL's text has no NUL; its store replaces it in the same way.
            (_, Text) => Self::Text(row.get::<_, String>(at)?.replace('\0', "\u{fffd}")),
            (_, Bytes) => Self::Bytes(row.get(at)?),
            (_, Id) => Self::Bytes(row.get::<_, [u8; 16]>(at)?.into()),
        })
    }

    pub(super) fn from_postgres(row: &PgRow, at: usize, kind: Kind) -> Result<Self, sqlx::Error> {
        let value = match kind {
            Integer => row.try_get::<Option<i64>, _>(at)?.map(Self::Integer),
            Boolean => row.try_get::<Option<bool>, _>(at)?.map(|value| Self::Integer(value.into())),
            Text => row.try_get::<Option<String>, _>(at)?.map(Self::Text),
            Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(Self::Bytes),
            Id => row.try_get::<Option<Uuid>, _>(at)?.map(|id| Self::Bytes(id.as_bytes().to_vec())),
        };
        Ok(value.unwrap_or(Self::Null))
    }

    /// Adds it to a checksum so that no two lists of values add the same.
    pub(super) fn digest(&self, digest: &mut Sha256) {
        let mut add = |tag: u8, bytes: &[u8]| {
            digest.update([tag]);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        match self {
            Self::Null => add(0, &[]),
            Self::Integer(value) => add(1, &value.to_be_bytes()),
            Self::Text(text) => add(2, text.as_bytes()),
            Self::Bytes(bytes) => add(3, bytes),
        }
    }

    fn integer(&self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(*value) } else { None }
    }

    fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { Some(text.clone()) } else { None }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// Adds a column of a batch to a statement, as an array.
pub(super) fn push_column<'a>(
    sql: &mut QueryBuilder<Postgres>,
    kind: Kind,
    values: impl Iterator<Item = &'a Value>,
) {
    match kind {
        Integer => sql.push_bind(values.map(Value::integer).collect::<Vec<_>>()).push("::bigint[]"),
        Boolean => {
            let flags = values.map(|value| value.integer().map(|value| value != 0));
            sql.push_bind(flags.collect::<Vec<_>>()).push("::boolean[]")
        }
        Text => sql.push_bind(values.map(Value::text).collect::<Vec<_>>()).push("::text[]"),
        Bytes => {
            let bytes = values.map(|value| value.bytes().map(<[u8]>::to_vec));
            sql.push_bind(bytes.collect::<Vec<_>>()).push("::bytea[]")
        }
        Id => {
            let ids = values.map(|value| value.bytes().and_then(|bytes| Uuid::from_slice(bytes).ok()));
            sql.push_bind(ids.collect::<Vec<_>>()).push("::uuid[]")
        }
    };
}
