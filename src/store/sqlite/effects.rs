//! What has been, or is being, achieved, and the calls that were made for it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::claims;
use super::rows::{Id, Millis, Word};
use crate::crypto::{Keyring, Place};
use crate::domain::{EffectKey, FirmId, RecordRef};
use crate::store::{Begun, CallRecord, Intent, Lease, Settled, StoreError};

fn place(row: &str) -> Place<'_> {
    Place { table: "effect", column: "sealed_request", row }
}

fn row_name(firm: &str, key: &EffectKey) -> String {
    format!("{firm}\0{key}")
}

pub(super) fn begin(
    connection: &Connection,
    keyring: &Keyring,
    lease: &Lease,
    key: &EffectKey,
    intent: Intent,
    now: Timestamp,
) -> Result<Begun, StoreError> {
    if claims::held(connection, lease)?.is_none() {
        return Ok(Begun::LeaseLost);
    }
    let firm = lease.firm.as_str();
    let row = row_name(firm, key);
    let sql = "SELECT completed_at IS NOT NULL, result, idempotency_key, sealed_request FROM effect
        WHERE firm = ? AND key = ?";
    let known = connection
        .prepare_cached(sql)?
        .query_row(params![firm, key.0], |row| {
            let result = row.get::<_, Option<Word<RecordRef>>>(1)?.map(|word| word.0);
            Ok((row.get::<_, bool>(0)?, result, row.get::<_, String>(2)?, row.get::<_, Vec<u8>>(3)?))
        })
        .optional()?;
    match known {
        Some((true, result, ..)) => Ok(Begun::AlreadyDone(result)),
        Some((false, _, idempotency_key, sealed)) if intent.is_create => {
            let body = keyring.open(place(&row), &sealed)?;
            Ok(Begun::Send { body, idempotency_key })
        }
        open => {
            let sealed = keyring.seal(place(&row), &intent.body);
            let idempotency_key = open.map_or(intent.idempotency_key, |(_, _, key, _)| key);
            let sql =
                "INSERT INTO effect (firm, key, event, operation, idempotency_key, sealed_request, begun_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (firm, key) DO UPDATE SET sealed_request = excluded.sealed_request";
            connection.prepare_cached(sql)?.execute(params![
                firm,
                key.0,
                Id(lease.event),
                intent.operation,
                idempotency_key,
                sealed,
                Millis(now)
            ])?;
            Ok(Begun::Send { body: intent.body, idempotency_key })
        }
    }
}

/// Writes down that an effect was carried out. Kept even if the lease was lost: it happened.
pub(super) fn complete(
    connection: &Connection,
    lease: &Lease,
    key: &EffectKey,
    result: Option<&RecordRef>,
    call: &CallRecord,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql =
        "UPDATE effect SET completed_at = ?, result = ? WHERE firm = ? AND key = ? AND completed_at IS NULL";
    let result = result.map(ToString::to_string);
    connection.prepare_cached(sql)?.execute(params![Millis(now), result, lease.firm.as_str(), key.0])?;
    add_call_of(connection, lease, call)
}

/// Writes down a call that failed, and withdraws the intent if the vendor refused it.
pub(super) fn fail(
    connection: &Connection,
    lease: &Lease,
    key: &EffectKey,
    is_refused: bool,
    call: &CallRecord,
) -> Result<Settled, StoreError> {
    add_call_of(connection, lease, call)?;
    if claims::held(connection, lease)?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    if is_refused {
        let sql = "DELETE FROM effect WHERE firm = ? AND key = ? AND completed_at IS NULL";
        connection.prepare_cached(sql)?.execute(params![lease.firm.as_str(), key.0])?;
    }
    Ok(Settled::Yes)
}

fn add_call_of(connection: &Connection, lease: &Lease, call: &CallRecord) -> Result<(), StoreError> {
    let sql = "SELECT seq FROM event WHERE id = ?";
    let seq = connection.prepare_cached(sql)?.query_row([Id(lease.event)], |row| row.get(0))?;
    add_call(connection, seq, call)
}

pub(super) fn add_call(connection: &Connection, event: i64, call: &CallRecord) -> Result<(), StoreError> {
    let sql = "INSERT INTO call (event, operation, target, effect_key, status, class, started_at, duration_ms, detail)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let duration = i64::try_from(call.duration_ms).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.execute(params![
        event,
        call.operation,
        call.target,
        call.effect_key,
        call.status,
        call.class.as_str(),
        Millis(call.started_at),
        duration,
        call.detail,
    ])?;
    Ok(())
}

pub(super) fn is_ours(
    connection: &Connection,
    firm: &FirmId,
    record: &RecordRef,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM effect WHERE firm = ? AND result = ? AND result IS NOT NULL LIMIT 1";
    let found =
        connection.prepare_cached(sql)?.query_row(params![firm.as_str(), record.to_string()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}
