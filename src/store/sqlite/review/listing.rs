//! What people ask for.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::super::rows::{Id, Millis, Word};
use super::{bytes, read_id};
use crate::crypto::Keyring;
use crate::domain::{Decision, FirmId, RecordRef, ReviewAction, ReviewId, ReviewKind};
use crate::store::keeping::shows;
use crate::store::review::{MOST_DECISIONS, open as unseal};
use crate::store::{ReviewFilter, ReviewRow, ReviewStory, StoreError};

const COLUMNS: &str = "id, firm, kind, subject, why, opened_at, resolved_at, resolved_by, action, sealed_details, sealed_resolution";

fn read_row(row: &Row<'_>) -> rusqlite::Result<ReviewRow> {
    Ok(ReviewRow {
        id: read_id(row, 0)?,
        firm: FirmId::new(row.get::<_, String>(1)?),
        kind: row.get::<_, Word<ReviewKind>>(2)?.0,
        subject: row.get(3)?,
        why: row.get(4)?,
        opened_at: row.get::<_, Millis>(5)?.0,
        resolved_at: row.get::<_, Option<Millis>>(6)?.map(|at| at.0),
        resolved_by: row.get(7)?,
        action: row.get::<_, Option<Word<ReviewAction>>>(8)?.map(|word| word.0),
    })
}

pub(super) fn list(connection: &Connection, filter: &ReviewFilter) -> Result<Vec<ReviewRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM review WHERE 1");
    let mut values: Vec<Value> = Vec::new();
    if !filter.with_resolved {
        sql.push_str(" AND resolved_at IS NULL");
    }
    if let Some(firm) = &filter.firm {
        sql.push_str(" AND firm = ?");
        values.push(firm.as_str().to_owned().into());
    }
    if let Some(firms) = &filter.within {
        let places = vec!["?"; firms.len()].join(", ");
        sql.push_str(&format!(" AND firm IN ({places})"));
        values.extend(firms.iter().map(|firm| Value::from(firm.as_str().to_owned())));
    }
    if let Some(kind) = filter.kind {
        sql.push_str(" AND kind = ?");
        values.push(kind.as_str().to_owned().into());
    }
    if let Some(after) = filter.after {
        sql.push_str(" AND id > ?");
        values.push(bytes(after));
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_map(params_from_iter(values), read_row)?.collect::<Result<_, _>>()?)
}

fn stories(
    connection: &Connection,
    keyring: &Keyring,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<ReviewStory>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let sealed =
        |row: &Row<'_>| Ok((read_row(row)?, row.get::<_, Vec<u8>>(9)?, row.get::<_, Option<Vec<u8>>>(10)?));
    let rows = select.query_map(params_from_iter(values), sealed)?.collect::<Result<Vec<_>, _>>()?;
    let sql =
        "SELECT id FROM event WHERE seq IN (SELECT event FROM review_event WHERE review = ?) ORDER BY seq";
    let mut events = connection.prepare_cached(sql)?;
    let mut stories = Vec::with_capacity(rows.len());
    for (row, details, resolution) in rows {
        let (details, resolution) = unseal(keyring, row.id, &details, resolution.as_deref())?;
        let events = events.query_map([bytes(row.id)], |row| Ok(row.get::<_, Id>(0)?.0))?;
        stories.push(ReviewStory { events: events.collect::<Result<_, _>>()?, row, details, resolution });
    }
    Ok(stories)
}

pub(super) fn one(
    connection: &Connection,
    keyring: &Keyring,
    id: ReviewId,
) -> Result<Option<ReviewStory>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM review WHERE id = ?");
    Ok(stories(connection, keyring, &sql, vec![bytes(id)])?.pop())
}

/// The questions of a firm, open and answered, that show one of these records.
pub(in crate::store::sqlite) fn showing(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    records: &[RecordRef],
) -> Result<Vec<ReviewStory>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM review WHERE firm = ? ORDER BY id");
    let mut found = stories(connection, keyring, &sql, vec![firm.to_owned().into()])?;
    found.retain(|review| shows(review, records));
    Ok(found)
}

pub(super) fn decisions(
    connection: &Connection,
    keyring: &Keyring,
    firm: &FirmId,
    subjects: &[String],
) -> Result<Vec<Decision>, StoreError> {
    let places = vec!["?"; subjects.len()].join(", ");
    let sql = format!(
        "SELECT {COLUMNS} FROM review WHERE firm = ? AND subject IN ({places}) AND action IS NOT NULL
        ORDER BY resolved_at DESC, id DESC LIMIT {MOST_DECISIONS}"
    );
    let firm = firm.as_str().to_owned();
    let values = std::iter::once(firm).chain(subjects.iter().cloned()).map(Value::from).collect();
    let found = stories(connection, keyring, &sql, values)?;
    Ok(found.into_iter().filter_map(ReviewStory::decision).collect())
}

pub(super) fn open(
    connection: &Connection,
    within: Option<&[FirmId]>,
) -> Result<BTreeMap<ReviewKind, u64>, StoreError> {
    let firms = within.map(|firms| {
        let names: Vec<&str> = firms.iter().map(FirmId::as_str).collect();
        serde_json::to_string(&names).expect("names are JSON")
    });
    let sql = "SELECT kind, count(*) FROM review WHERE resolved_at IS NULL
        AND (?1 IS NULL OR firm IN (SELECT value FROM json_each(?1))) GROUP BY kind";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([firms], |row| {
        Ok((row.get::<_, Word<ReviewKind>>(0)?.0, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
