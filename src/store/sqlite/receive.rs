//! Committing a webhook.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::lanes;
use super::rows::{Id, Millis};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, EventState};
use crate::store::{Arrival, DeliveryKey, Recorded, StoreError};

/// Where an event's payload lives.
pub(super) fn place(row: &str) -> Place<'_> {
    Place { table: "payload", column: "sealed_body", row }
}

/// Seals the payload, outside the writer's thread.
pub(super) fn seal(keyring: &Keyring, arrival: &Arrival) -> Vec<u8> {
    keyring.seal(place(&arrival.id.to_string()), &arrival.payload)
}

pub(super) fn record(
    connection: &Connection,
    arrival: &Arrival,
    sealed: &[u8],
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    record_with(connection, arrival, sealed, None, now)
}

/// The same for an event that is settled as it arrives, if it has a plan: what it tells of was done.
pub(super) fn record_with(
    connection: &Connection,
    arrival: &Arrival,
    sealed: &[u8],
    sealed_plan: Option<&[u8]>,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let key = match delivery_key(connection, arrival)? {
        Ok(key) => key,
        Err(earlier) => return Ok(Recorded::Duplicate(earlier)),
    };
    let firm = arrival.firm.as_str();
    let undeliverable = arrival.undeliverable.is_some();
    let person = if undeliverable { None } else { lanes::person_of(connection, firm, &arrival.records)? };
    let state = if undeliverable {
        EventState::Undelivered
    } else if sealed_plan.is_some() {
        EventState::Done
    } else if lanes::has_head(connection, person)? {
        EventState::Waiting
    } else {
        lanes::head_state(connection, firm)?
    };
    let records: Vec<String> = arrival.records.iter().map(ToString::to_string).collect();
    let records = serde_json::to_string(&records).expect("text is JSON");
    let sql =
        "INSERT INTO event (id, firm, source, type, delivery_key, person, state, due_at, reason, records,
            verified_by, sent_at, received_at, settled_at, cause, subject, is_update, trace, sealed_plan)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?17, ?13, ?14, ?15, ?16, ?18, ?19)
        ON CONFLICT (firm, source, delivery_key) DO NOTHING RETURNING seq";
    let received_at = Millis(arrival.received_at);
    let (cause, reason) = arrival.undeliverable.as_ref().map(|(cause, why)| (cause.as_str(), why)).unzip();
    let inserted = connection
        .prepare_cached(sql)?
        .query_row(
            params![
                Id(arrival.id),
                firm,
                arrival.source.as_str(),
                arrival.kind,
                key,
                person,
                state.as_str(),
                Millis(now),
                reason,
                records,
                arrival.proof,
                arrival.sent_at.map(Millis),
                state.is_settled().then_some(received_at),
                cause,
                arrival.records.first().map(ToString::to_string),
                arrival.is_update,
                received_at,
                arrival.trace.map(|trace| trace.0),
                sealed_plan,
            ],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let Some(seq) = inserted else {
        let sql = "SELECT id FROM event WHERE firm = ? AND source = ? AND delivery_key = ?";
        let earlier = connection
            .prepare_cached(sql)?
            .query_row(params![firm, arrival.source.as_str(), key], |row| row.get::<_, Id>(0))?;
        return Ok(Recorded::Duplicate(earlier.0));
    };
    connection
        .prepare_cached("INSERT INTO payload (event, sealed_body) VALUES (?, ?)")?
        .execute(params![seq, sealed])?;
    Ok(Recorded::Stored(arrival.id))
}

/// The unique key of a delivery, or the event it repeats.
fn delivery_key(connection: &Connection, arrival: &Arrival) -> Result<Result<String, EventId>, StoreError> {
    let hash = match &arrival.delivery_key {
        DeliveryKey::Sender(id) => return Ok(Ok(format!("id:{id}"))),
        DeliveryKey::Body(hash) => format!("body:{}", hex::encode(hash)),
    };
    // Later arrivals of the same body carry their own id behind it; `~` sorts after every id.
    let sql = "SELECT id, seq, person, received_at FROM event
        WHERE firm = ?1 AND source = ?2 AND delivery_key >= ?3 AND delivery_key < ?3 || '~' ORDER BY seq DESC LIMIT 1";
    let latest = connection
        .prepare_cached(sql)?
        .query_row(params![arrival.firm.as_str(), arrival.source.as_str(), hash], |row| {
            Ok((
                row.get::<_, Id>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Option<i64>>(2)?,
                row.get::<_, Millis>(3)?,
            ))
        })
        .optional()?;
    let Some((id, seq, person, received_at)) = latest else { return Ok(Ok(hash)) };
    let age = arrival.received_at.duration_since(received_at.0);
    let is_repeat = age <= DeliveryKey::REPEAT_WINDOW && !something_followed(connection, person, seq)?;
    Ok(if is_repeat { Err(id.0) } else { Ok(format!("{hash}:{}", arrival.id)) })
}

/// Whether anything arrived for this person after this event.
fn something_followed(connection: &Connection, person: Option<i64>, seq: i64) -> Result<bool, StoreError> {
    let Some(person) = person else { return Ok(false) };
    // Spelt as in the index `event_followed`.
    let sql = "SELECT 1 FROM event WHERE coalesce(person, 0) = ? AND seq > ? LIMIT 1";
    Ok(connection.prepare_cached(sql)?.query_row(params![person, seq], |_| Ok(())).optional()?.is_some())
}
