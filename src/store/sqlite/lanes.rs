//! Lanes: a person's pending events in order of receipt, of which only the head may be claimed.

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::{EventState, RecordRef};
use crate::store::StoreError;

/// The states of a lane's head. Must be spelt as in the index `event_head`, or SQLite does not use it.
pub(super) const HEAD: &str = "state IN ('ready', 'running', 'retrying', 'parked')";

/// The person one of these records belongs to, the first record's before the others'. Records nobody knows yet become
/// that person's; if none is known, they start a person.
pub(super) fn person_of(
    connection: &Connection,
    firm: &str,
    records: &[RecordRef],
) -> Result<Option<i64>, StoreError> {
    if records.is_empty() {
        return Ok(None);
    }
    let mut find =
        connection.prepare_cached("SELECT person FROM person_record WHERE firm = ? AND record = ?")?;
    let mut known = Vec::with_capacity(records.len());
    for record in records {
        known.push(find.query_row(params![firm, record.to_string()], |row| row.get::<_, i64>(0)).optional()?);
    }
    let person = match known.iter().flatten().next() {
        Some(person) => *person,
        None => connection.prepare_cached("INSERT INTO person (firm) VALUES (?)")?.insert([firm])?,
    };
    // A record may be named twice.
    let sql = "INSERT INTO person_record (firm, record, person) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    let mut add = connection.prepare_cached(sql)?;
    for (record, _) in records.iter().zip(&known).filter(|(_, known)| known.is_none()) {
        add.execute(params![firm, record.to_string(), person])?;
    }
    Ok(Some(person))
}

/// Whether a lane has a head already.
pub(super) fn has_head(connection: &Connection, person: Option<i64>) -> Result<bool, StoreError> {
    let Some(person) = person else { return Ok(false) };
    let sql = format!("SELECT 1 FROM event WHERE person = ? AND {HEAD} LIMIT 1");
    Ok(connection.prepare_cached(&sql)?.query_row([person], |_| Ok(())).optional()?.is_some())
}

/// What the head of a lane of this firm is: parked with its firm, or ready.
pub(super) fn head_state(connection: &Connection, firm: &str) -> Result<EventState, StoreError> {
    let sql = "SELECT 1 FROM parking WHERE firm = ?";
    let is_parked = connection.prepare_cached(sql)?.query_row([firm], |_| Ok(())).optional()?.is_some();
    Ok(if is_parked { EventState::Parked } else { EventState::Ready })
}

/// Makes the oldest waiting event the head, if the lane has none.
pub(super) fn promote(connection: &Connection, person: Option<i64>) -> Result<(), StoreError> {
    if !has_head(connection, person)? {
        let sql = "UPDATE event SET state = iif(firm IN (SELECT firm FROM parking), 'parked', 'ready') WHERE seq = (
            SELECT seq FROM event WHERE person = ? AND state = 'waiting' ORDER BY coalesce(turn, seq), seq LIMIT 1)";
        connection.prepare_cached(sql)?.execute([person])?;
    }
    Ok(())
}

/// Puts a lane in order of receipt again after events joined it: heads that nobody holds go back to waiting, and the
/// oldest is promoted once every lease has settled.
pub(super) fn reform(connection: &Connection, person: i64) -> Result<(), StoreError> {
    // Spelt by `HEAD`: with any other list of states SQLite reads every event there is.
    let sql =
        format!("UPDATE event SET state = 'waiting' WHERE person = ? AND {HEAD} AND state <> 'running'");
    connection.prepare_cached(&sql)?.execute([person])?;
    promote(connection, Some(person))
}

/// Leaves one head to a lane whose leases ended while it had several, as after two people were united.
pub(super) fn keep_one_head(connection: &Connection, person: Option<i64>) -> Result<(), StoreError> {
    let Some(person) = person else { return Ok(()) };
    let sql = format!("SELECT count(*) FROM event WHERE person = ? AND {HEAD}");
    let heads: i64 = connection.prepare_cached(&sql)?.query_row([person], |row| row.get(0))?;
    if heads > 1 { reform(connection, person) } else { Ok(()) }
}

/// Makes one person of those that these two records belong to.
pub(super) fn unite(connection: &Connection, firm: &str, pair: [&RecordRef; 2]) -> Result<(), StoreError> {
    let person = |record: &RecordRef| -> Result<i64, StoreError> {
        let person = person_of(connection, firm, std::slice::from_ref(record))?;
        Ok(person.expect("a record belongs to a person"))
    };
    unite_people(connection, person(pair[0])?, person(pair[1])?).map(|_| ())
}

/// Makes one person of two; which of them it is.
pub(super) fn unite_people(connection: &Connection, one: i64, other: i64) -> Result<i64, StoreError> {
    if one == other {
        return Ok(one);
    }
    // The older number stays, so that two transactions that unite the same people agree.
    let (keep, drop) = (one.min(other), one.max(other));
    let moves = [
        "UPDATE person_record SET person = ?1 WHERE person = ?2",
        "UPDATE event SET person = ?1 WHERE person = ?2 AND state = 'waiting'",
        "UPDATE event SET person = ?1 WHERE person = ?2 AND state IN ('ready', 'running', 'retrying', 'parked')",
        "UPDATE person SET merged_into = ?1 WHERE id = ?2",
    ];
    for sql in moves {
        connection.prepare_cached(sql)?.execute([keep, drop])?;
    }
    reform(connection, keep)?;
    Ok(keep)
}
