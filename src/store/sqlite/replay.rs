//! What a person does with a settled event.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Id, Millis, Word};
use super::{figures, lanes};
use crate::domain::{EventId, EventState, RecordRef};
use crate::store::{Address, NO_BODY, StoreError};

pub(super) fn replay(
    connection: &Connection,
    id: EventId,
    now: Timestamp,
) -> Result<Option<bool>, StoreError> {
    let Some((seq, firm, state, records)) = find(connection, id)? else { return Ok(None) };
    if !state.is_settled() {
        return Ok(Some(false));
    }
    let sql = "SELECT 1 FROM payload WHERE event = ?";
    if connection.prepare_cached(sql)?.query_row([seq], |_| Ok(())).optional()?.is_none() {
        return Err(StoreError::Gone(NO_BODY));
    }
    // An event that was set aside on arrival was given no lane then.
    let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
    let person = lanes::person_of(connection, &firm, &records)?;
    let waits = lanes::has_head(connection, person)?;
    let state = if waits { EventState::Waiting } else { lanes::head_state(connection, &firm)? };
    // After all that has been received, and before what comes next: that gets the same number, and is younger.
    let sql = "UPDATE event SET state = ?, reason = 'replayed', cause = NULL, person = ?, due_at = ?,
        failed_attempts = 0, settled_at = NULL, turn = (SELECT max(seq) + 1 FROM event) WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![state.as_str(), person, Millis(now), seq])?;
    figures::reopen(connection, seq)?;
    Ok(Some(true))
}

pub(super) fn readdress(connection: &Connection, id: EventId, address: &Address) -> Result<(), StoreError> {
    let records: Vec<String> = address.records.iter().map(ToString::to_string).collect();
    // If the firm has received the same delivery meanwhile, that one counts, and this stays where it is.
    let sql = "UPDATE OR IGNORE event SET firm = ?, type = ?, records = ?, subject = ?, is_update = ?
        WHERE id = ? AND settled_at IS NOT NULL";
    connection.prepare_cached(sql)?.execute(params![
        address.firm.as_str(),
        address.kind,
        serde_json::to_string(&records).expect("text is JSON"),
        records.first(),
        address.is_update,
        Id(id)
    ])?;
    Ok(())
}

pub(super) fn discard(
    connection: &Connection,
    id: EventId,
    why: &str,
    now: Timestamp,
) -> Result<Option<bool>, StoreError> {
    let Some((seq, _, state, _)) = find(connection, id)? else { return Ok(None) };
    if state != EventState::Undelivered {
        return Ok(Some(false));
    }
    let sql = "UPDATE event SET state = 'discarded', reason = ?, settled_at = ? WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![why, Millis(now), seq])?;
    figures::reopen(connection, seq)?;
    Ok(Some(true))
}

type Found = (i64, String, EventState, Vec<String>);

fn find(connection: &Connection, id: EventId) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT seq, firm, state, records FROM event WHERE id = ?";
    let found = connection.prepare_cached(sql)?.query_row([Id(id)], |row| {
        let records: String = row.get(3)?;
        let state = row.get::<_, Word<EventState>>(2)?.0;
        Ok((row.get(0)?, row.get(1)?, state, serde_json::from_str(&records).unwrap_or_default()))
    });
    Ok(found.optional()?)
}
