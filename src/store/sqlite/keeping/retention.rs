//! Deleting what was kept long enough. Runs once a day, in steps.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::super::rows::{Id, Millis};
use super::super::sweeps::first_row_since;
use super::held;
use crate::domain::EventId;
use crate::store::keeping::{BATCH, OVER};
use crate::store::{Kept, LetGo, StoreError};

pub(super) fn let_go(
    connection: &Connection,
    firm: &str,
    class: Kept,
    before: Timestamp,
    after: Option<String>,
) -> Result<LetGo, StoreError> {
    let held = serde_json::to_string(&held(connection)?).expect("numbers are JSON");
    match class {
        Kept::Payloads => {
            let events = old_events(connection, firm, before, after, &held, "payload")?;
            for sql in [
                "DELETE FROM payload WHERE event = ?",
                "DELETE FROM action_answer WHERE event = (SELECT id FROM event WHERE seq = ?)",
            ] {
                let mut delete = connection.prepare_cached(sql)?;
                for seq in &events {
                    delete.execute([seq])?;
                }
            }
            Ok(step(events.len(), events.last().map(ToString::to_string)))
        }
        Kept::Requests => requests(connection, firm, before, after, &held),
        Kept::History => history(connection, firm, before, after, &held),
    }
}

fn step(count: usize, last: Option<String>) -> LetGo {
    LetGo { count: count as u64, next: last.filter(|_| count == BATCH) }
}

/// Rows of events that are over, old, and not held back; those that have a row in the table.
fn old_events(
    connection: &Connection,
    firm: &str,
    before: Timestamp,
    after: Option<String>,
    held: &str,
    table: &str,
) -> Result<Vec<i64>, StoreError> {
    let after: i64 = after.and_then(|after| after.parse().ok()).unwrap_or(i64::MIN);
    let bound = first_row_since(connection, before)?;
    let column = if table == "payload" { "event" } else { "seq" };
    let join = if table == "payload" { "JOIN event ON event.seq = payload.event" } else { "" };
    // The newest row stays: what comes next is numbered after it.
    let sql = format!(
        "SELECT event.seq FROM {table} {join}
        WHERE {table}.{column} > ?1 AND {table}.{column} < ?2 AND event.firm = ?3 AND event.received_at < ?4
            AND event.state IN ({OVER}) AND event.seq < (SELECT max(seq) FROM event)
            AND (event.person IS NULL OR event.person NOT IN (SELECT value FROM json_each(?5)))
        ORDER BY {table}.{column} LIMIT {BATCH}"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let found = select.query_map(params![after, bound, firm, Millis(before), held], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn requests(
    connection: &Connection,
    firm: &str,
    before: Timestamp,
    after: Option<String>,
    held: &str,
) -> Result<LetGo, StoreError> {
    let sql = format!(
        "SELECT key FROM effect WHERE firm = ?1 AND key > ?2 AND completed_at < ?3 AND length(sealed_request) > 0
            AND coalesce((SELECT person FROM event WHERE event.id = effect.event), 0)
                NOT IN (SELECT value FROM json_each(?4))
        ORDER BY key LIMIT {BATCH}"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let found = select
        .query_map(params![firm, after.unwrap_or_default(), Millis(before), held], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    for key in &found {
        clear_request(connection, firm, key)?;
    }
    Ok(step(found.len(), found.last().cloned()))
}

/// Takes a request's body away and keeps what it achieved.
pub(super) fn clear_request(connection: &Connection, firm: &str, key: &str) -> Result<(), StoreError> {
    let sql = "UPDATE effect SET sealed_request = x'' WHERE firm = ? AND key = ?";
    connection.prepare_cached(sql)?.execute([firm, key])?;
    Ok(())
}

fn history(
    connection: &Connection,
    firm: &str,
    before: Timestamp,
    after: Option<String>,
    held: &str,
) -> Result<LetGo, StoreError> {
    if after.is_none() {
        let day = before.strftime("%Y-%m-%d").to_string();
        for sql in
            ["DELETE FROM loss WHERE firm = ? AND day < ?", "DELETE FROM loss_gap WHERE firm = ? AND day < ?"]
        {
            connection.prepare_cached(sql)?.execute([firm, &day])?;
        }
        let sql = "DELETE FROM notice WHERE alert IN (SELECT id FROM alert WHERE firm = ? AND ended_at < ?)";
        connection.prepare_cached(sql)?.execute(params![firm, Millis(before)])?;
        let sql = "DELETE FROM alert WHERE firm = ? AND ended_at < ?";
        connection.prepare_cached(sql)?.execute(params![firm, Millis(before)])?;
        moot_questions(connection, firm, before, held)?;
    }
    let events = old_events(connection, firm, before, after, held, "event")?;
    for seq in &events {
        for sql in [
            "DELETE FROM payload WHERE event = ?",
            "DELETE FROM call WHERE event = ?",
            "DELETE FROM review_event WHERE event = ?",
            "DELETE FROM action_answer WHERE event = (SELECT id FROM event WHERE seq = ?)",
            "DELETE FROM rule_run WHERE event = (SELECT id FROM event WHERE seq = ?)",
            "DELETE FROM event WHERE seq = ?",
        ] {
            connection.prepare_cached(sql)?.execute([seq])?;
        }
    }
    Ok(step(events.len(), events.last().map(ToString::to_string)))
}

/// Deletes questions that answered themselves. What a person decided stays: it would be asked again.
fn moot_questions(
    connection: &Connection,
    firm: &str,
    before: Timestamp,
    held: &str,
) -> Result<(), StoreError> {
    let sql = "SELECT id FROM review WHERE firm = ?1 AND resolved_at < ?2 AND action IS NULL AND NOT EXISTS (
            SELECT 1 FROM review_event JOIN event ON event.seq = review_event.event
            WHERE review_event.review = review.id AND event.person IN (SELECT value FROM json_each(?3)))";
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_map(params![firm, Millis(before), held], |row| Ok(row.get::<_, Id>(0)?.0))?;
    for id in found.collect::<Result<Vec<EventId>, _>>()? {
        delete_question(connection, id)?;
    }
    Ok(())
}

pub(super) fn delete_question(connection: &Connection, id: EventId) -> Result<(), StoreError> {
    for sql in ["DELETE FROM review_event WHERE review = ?", "DELETE FROM review WHERE id = ?"] {
        connection.prepare_cached(sql)?.execute([Id(id)])?;
    }
    Ok(())
}

/// How long the log may be in use by readers before it is left for the next time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Brings the write-ahead log into the database and cuts it off: what was deleted stands in its older pages.
pub(super) fn cut_log(connection: &Connection) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(StoreError::Unavailable("readers keep the log from being cut off".into()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
