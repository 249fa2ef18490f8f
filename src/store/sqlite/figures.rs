//! What happened, counted by hour; and by what a person is found.

mod listing;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::receive;
use super::rows::Id;
use crate::crypto::Keyring;
use crate::domain::terms_of_payload;
use crate::store::figures::{Counts, HOUR, MOST_NEW_HOURS, RECOUNT, search_key};
use crate::store::{ActivityFilter, ActivityRow, Figures, HourSpan, PipelineFilter, PipelineRow, StoreError};

/// What the task that makes events findable is called.
const SEARCH: &str = "search";

/// The row at or after this one, with the hour it was received in.
fn row_from(connection: &Connection, seq: i64) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = "SELECT seq, received_at FROM event WHERE seq >= ? ORDER BY seq LIMIT 1";
    let found = connection
        .prepare_cached(sql)?
        .query_row([seq], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.div_euclid(HOUR))))
        .optional()?;
    Ok(found)
}

/// The first row after this one that was received in a later hour than this.
fn next_hour(connection: &Connection, after: i64, hour: i64) -> Result<Option<(i64, i64)>, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM event";
    let newest: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let (mut low, mut high) = (after + 1, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match row_from(connection, middle)? {
            Some((seq, of)) if of <= hour => low = seq + 1,
            _ => high = middle,
        }
    }
    row_from(connection, low)
}

/// Notes the hours that began since it was looked last.
fn find_hours(connection: &Connection) -> Result<Vec<(i64, i64)>, StoreError> {
    let sql = "SELECT first_seq, hour FROM activity_hour ORDER BY hour DESC LIMIT 1";
    let last: Option<(i64, i64)> =
        connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let mut next = match last {
        Some((first, hour)) => next_hour(connection, first, hour)?,
        None => row_from(connection, 0)?,
    };
    let mut found = Vec::new();
    while let Some((first, hour)) = next.filter(|_| found.len() < MOST_NEW_HOURS) {
        found.push((first, hour));
        next = next_hour(connection, first, hour)?;
    }
    Ok(found)
}

fn note_hours(connection: &Connection, hours: &[(i64, i64)]) -> Result<(), StoreError> {
    let sql = "INSERT INTO activity_hour (hour, first_seq, is_open) VALUES (?, ?, 1) ON CONFLICT DO NOTHING";
    for (first, hour) in hours {
        connection.prepare_cached(sql)?.execute([hour, first])?;
    }
    Ok(())
}

/// Has the hour of an event counted anew, which a person has changed.
pub(super) fn reopen(connection: &Connection, seq: i64) -> Result<(), StoreError> {
    let sql = "UPDATE activity_hour SET is_open = 1, counted_at = NULL WHERE hour =
        (SELECT hour FROM activity_hour WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1)";
    connection.prepare_cached(sql)?.execute([seq])?;
    Ok(())
}

fn save(
    connection: &Connection,
    hour: i64,
    counts: &Counts,
    now: i64,
    is_open: bool,
) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM activity WHERE hour = ?")?.execute([hour])?;
    let sql = "INSERT INTO activity (hour, firm, what, source, type, outcome, things)
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    let mut insert = connection.prepare_cached(sql)?;
    for ((firm, what, source, kind, outcome), things) in &counts.0 {
        insert.execute(params![hour, firm, what, source, kind, outcome, things])?;
    }
    let sql = "UPDATE activity_hour SET counted_at = ?, is_open = ? WHERE hour = ?";
    connection.prepare_cached(sql)?.execute(params![now, is_open, hour])?;
    Ok(())
}

/// The events that come next, with the terms each is found by.
type Findable = (Vec<(i64, BTreeSet<String>)>, i64, usize);

fn to_index(connection: &Connection, keyring: &Keyring, most: usize) -> Result<Findable, StoreError> {
    let sql = "SELECT seq FROM progress WHERE task = ?";
    let from: Option<i64> =
        connection.prepare_cached(sql)?.query_row([SEARCH], |row| row.get(0)).optional()?;
    let mut reached = from.unwrap_or(0);
    let sql = "SELECT event.seq, event.id, event.records, payload.sealed_body FROM event
        LEFT JOIN payload ON payload.event = event.seq WHERE event.seq > ? ORDER BY event.seq LIMIT ?";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![reached, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let (mut found, mut read) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        (reached, read) = (row.get(0)?, read + 1);
        let id = row.get::<_, Id>(1)?.0.to_string();
        let records: Vec<String> =
            serde_json::from_str(row.get_ref(2)?.as_str().unwrap_or_default()).unwrap_or_default();
        // One that cannot be opened must not keep the others from being found.
        let Some(sealed) = row.get::<_, Option<Vec<u8>>>(3)? else { continue };
        let Ok(body) = keyring.open(receive::place(&id), &sealed) else { continue };
        found.push((reached, terms_of_payload(&body, &records)));
    }
    Ok((found, reached, read))
}

#[async_trait]
impl Figures for SqliteStore {
    async fn hours_to_count(&self, most: usize) -> Result<Vec<HourSpan>, StoreError> {
        let found = self.read(|connection, _| find_hours(connection)).await?;
        if !found.is_empty() {
            self.write(move |connection| note_hours(connection, &found)).await?;
        }
        let (now, most) = (self.now().as_millisecond(), i64::try_from(most).unwrap_or(i64::MAX));
        self.read(move |connection, _| listing::to_count(connection, now - RECOUNT, most)).await
    }

    async fn count_hour(&self, span: HourSpan) -> Result<(), StoreError> {
        let now = self.now().as_millisecond();
        let counts = self.read(move |connection, _| listing::count(connection, span, now)).await?;
        let is_open = counts.is_open() || span.end.is_none() || now < (span.hour + 1) * HOUR + RECOUNT;
        self.write(move |connection| save(connection, span.hour, &counts, now, is_open)).await
    }

    async fn activity(&self, filter: ActivityFilter) -> Result<Vec<ActivityRow>, StoreError> {
        self.read(move |connection, _| listing::activity(connection, &filter)).await
    }

    async fn pipeline(&self, filter: PipelineFilter) -> Result<Vec<PipelineRow>, StoreError> {
        self.read(move |connection, keyring| listing::pipeline(connection, keyring, &filter)).await
    }

    async fn index_events(&self, most: usize) -> Result<usize, StoreError> {
        let (found, reached, read) =
            self.read(move |connection, keyring| to_index(connection, keyring, most)).await?;
        if read == 0 {
            return Ok(0);
        }
        let keyring = Arc::clone(&self.keyring);
        self.write(move |connection| {
            // What was erased meanwhile is not made findable.
            let sql = "INSERT INTO search_key (digest, event)
                SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM payload WHERE event = ?2) ON CONFLICT DO NOTHING";
            let mut insert = connection.prepare_cached(sql)?;
            for (event, terms) in &found {
                for term in terms {
                    insert.execute(params![search_key(&keyring, term), event])?;
                }
            }
            let sql = "INSERT INTO progress (task, seq) VALUES (?, ?)
                ON CONFLICT (task) DO UPDATE SET seq = max(seq, excluded.seq)";
            connection.prepare_cached(sql)?.execute(params![SEARCH, reached])?;
            Ok(())
        })
        .await?;
        Ok(read)
    }
}
