//! What has been, or is being, achieved, and the calls that were made for it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Id, Millis, Word};
use super::{claims, hand_offs, links};
use crate::crypto::{Keyring, Place};
use crate::domain::{EffectKey, FirmId, RecordRef};
use crate::store::said::split;
use crate::store::{Ambiguity, Begun, CallRecord, EffectFailure, Intent, Lease, Settled, StoreError};

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
    let sql = "SELECT completed_at IS NOT NULL, result, idempotency_key, sealed_request, begun_at, ambiguous_at, looks
        FROM effect WHERE firm = ? AND key = ?";
    let known = connection
        .prepare_cached(sql)?
        .query_row(params![firm, key.0], |row| {
            let result = row.get::<_, Option<Word<RecordRef>>>(1)?.map(|word| word.0);
            let begun_at = row.get::<_, Millis>(4)?.0;
            let ambiguous_at = row.get::<_, Option<Millis>>(5)?.map(|at| at.0);
            let looks = row.get(6)?;
            let ambiguity = ambiguous_at.map(|since| Ambiguity { begun_at, since, looks });
            Ok((
                row.get::<_, bool>(0)?,
                result,
                row.get::<_, String>(2)?,
                row.get::<_, Vec<u8>>(3)?,
                ambiguity,
            ))
        })
        .optional()?;
    if let Some((true, result, ..)) = known {
        return Ok(Begun::AlreadyDone(result));
    }
    if !reserve(connection, firm, key, &intent.match_keys)? {
        return Ok(Begun::Rival);
    }
    match known {
        Some((_, _, idempotency_key, sealed, ambiguity)) if intent.is_create => {
            let (body, said) = split(keyring.open(place(&row), &sealed)?);
            if ambiguity.is_none() {
                mark_sent(connection, firm, key, now)?;
            }
            Ok(Begun::Send { body, idempotency_key, ambiguity, fields: said.fields })
        }
        open => {
            let sealed = keyring.seal(place(&row), &intent.plain());
            let idempotency_key = open.map_or(intent.idempotency_key, |(_, _, key, ..)| key);
            let sql =
                "INSERT INTO effect (firm, key, event, operation, idempotency_key, sealed_request, begun_at, ambiguous_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (firm, key) DO UPDATE SET sealed_request = excluded.sealed_request, event = excluded.event";
            connection.prepare_cached(sql)?.execute(params![
                firm,
                key.0,
                Id(lease.event),
                intent.operation,
                idempotency_key,
                sealed,
                Millis(now),
                intent.is_create.then_some(Millis(now)),
            ])?;
            let (body, fields) = (intent.body, intent.said.fields);
            Ok(Begun::Send { body, idempotency_key, ambiguity: None, fields })
        }
    }
}

/// From now on it may have been carried out: nobody would know after a crash.
fn mark_sent(connection: &Connection, firm: &str, key: &EffectKey, now: Timestamp) -> Result<(), StoreError> {
    let sql =
        "UPDATE effect SET ambiguous_at = ?, looks = 0 WHERE firm = ? AND key = ? AND completed_at IS NULL";
    connection.prepare_cached(sql)?.execute(params![Millis(now), firm, key.0])?;
    Ok(())
}

/// An ambiguous create is certain not to have been carried out and about to be sent again.
pub(super) fn send_again(
    connection: &Connection,
    lease: &Lease,
    key: &EffectKey,
    now: Timestamp,
) -> Result<Settled, StoreError> {
    if claims::held(connection, lease)?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    mark_sent(connection, lease.firm.as_str(), key, now)?;
    Ok(Settled::Yes)
}

/// Holds these blind keys for an effect, unless another create holds one of them.
fn reserve(
    connection: &Connection,
    firm: &str,
    key: &EffectKey,
    match_keys: &[[u8; 32]],
) -> Result<bool, StoreError> {
    let mut find =
        connection.prepare_cached("SELECT effect FROM reservation WHERE firm = ? AND match_key = ?")?;
    for match_key in match_keys {
        let holder: Option<String> = find.query_row(params![firm, match_key], |row| row.get(0)).optional()?;
        if holder.is_some_and(|holder| holder != key.0) {
            return Ok(false);
        }
    }
    let sql = "INSERT INTO reservation (firm, match_key, effect) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    let mut add = connection.prepare_cached(sql)?;
    for match_key in match_keys {
        add.execute(params![firm, match_key, key.0])?;
    }
    Ok(true)
}

fn release_reservation(connection: &Connection, firm: &str, key: &EffectKey) -> Result<(), StoreError> {
    let sql = "DELETE FROM reservation WHERE firm = ? AND effect = ?";
    connection.prepare_cached(sql)?.execute(params![firm, key.0])?;
    Ok(())
}

/// Lets go of what a settled event's unfinished effects hold: nobody would wait for them in vain.
pub(super) fn release_reservations(connection: &Connection, lease: &Lease) -> Result<(), StoreError> {
    let sql = "DELETE FROM reservation WHERE firm = ?1
        AND effect IN (SELECT key FROM effect WHERE event = ?2 AND completed_at IS NULL AND firm = ?1)";
    connection.prepare_cached(sql)?.execute(params![lease.firm.as_str(), Id(lease.event)])?;
    Ok(())
}

/// Writes down that an effect was carried out; whether that was news. Kept even if the lease was lost: it happened.
pub(super) fn complete(
    connection: &Connection,
    lease: &Lease,
    key: &EffectKey,
    result: Option<&RecordRef>,
    call: Option<&CallRecord>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql =
        "UPDATE effect SET completed_at = ?, result = ? WHERE firm = ? AND key = ? AND completed_at IS NULL";
    let result = result.map(ToString::to_string);
    let changed =
        connection.prepare_cached(sql)?.execute(params![Millis(now), result, lease.firm.as_str(), key.0])?;
    release_reservation(connection, lease.firm.as_str(), key)?;
    match call {
        Some(call) => add_call_of(connection, lease, call)?,
        // Without a call of its own: a person says so of what was handed over.
        None => hand_offs::forget(connection, lease.firm.as_str(), key, "the hand-over is settled", now)?,
    }
    Ok(changed > 0)
}

/// Writes down a call that failed, and what is known of the effect.
pub(super) fn fail(
    connection: &Connection,
    lease: &Lease,
    key: &EffectKey,
    failure: EffectFailure,
    call: &CallRecord,
    now: Timestamp,
) -> Result<Settled, StoreError> {
    add_call_of(connection, lease, call)?;
    if claims::held(connection, lease)?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    let firm = lease.firm.as_str();
    match failure {
        EffectFailure::NotDone => {
            let sql = "UPDATE effect SET ambiguous_at = NULL, looks = 0
                WHERE firm = ? AND key = ? AND completed_at IS NULL";
            connection.prepare_cached(sql)?.execute(params![firm, key.0])?;
        }
        EffectFailure::Refused => {
            let sql = "DELETE FROM effect WHERE firm = ? AND key = ? AND completed_at IS NULL";
            connection.prepare_cached(sql)?.execute(params![firm, key.0])?;
            release_reservation(connection, firm, key)?;
        }
        EffectFailure::Unknown => mark_sent(connection, firm, key, now)?,
    }
    Ok(Settled::Yes)
}

/// Tells the links what open updates of this event said.
pub(super) fn recall(connection: &Connection, keyring: &Keyring, lease: &Lease) -> Result<(), StoreError> {
    let firm = lease.firm.as_str();
    let sql = "SELECT key, sealed_request FROM effect WHERE event = ? AND completed_at IS NULL AND firm = ?
        AND length(sealed_request) > 0";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![Id(lease.event), firm])?;
    while let Some(row) = rows.next()? {
        let key = EffectKey(row.get(0)?);
        let (_, said) = split(keyring.open(place(&row_name(firm, &key)), &row.get::<_, Vec<u8>>(1)?)?);
        if let Some((to, from)) = said.between {
            links::note_sent(connection, keyring, firm, (&to, &from), said.fields)?;
        }
    }
    Ok(())
}

pub(super) fn note_look(connection: &Connection, lease: &Lease, key: &EffectKey) -> Result<(), StoreError> {
    let sql = "UPDATE effect SET looks = looks + 1 WHERE firm = ? AND key = ?";
    connection.prepare_cached(sql)?.execute(params![lease.firm.as_str(), key.0])?;
    Ok(())
}

pub(super) fn completed(
    connection: &Connection,
    firm: &FirmId,
    keys: &[EffectKey],
) -> Result<BTreeSet<EffectKey>, StoreError> {
    let sql = "SELECT 1 FROM effect WHERE firm = ? AND key = ? AND completed_at IS NOT NULL";
    let mut find = connection.prepare_cached(sql)?;
    let mut done = BTreeSet::new();
    for key in keys {
        if find.query_row(params![firm.as_str(), key.0], |_| Ok(())).optional()?.is_some() {
            done.insert(key.clone());
        }
    }
    Ok(done)
}

/// How many of these effects were carried out after a moment.
pub(super) fn completed_since(
    connection: &Connection,
    firm: &FirmId,
    keys: &[EffectKey],
    since: Timestamp,
) -> Result<usize, StoreError> {
    let sql = "SELECT 1 FROM effect WHERE firm = ? AND key = ? AND completed_at > ?";
    let mut find = connection.prepare_cached(sql)?;
    let mut count = 0;
    for key in keys {
        let found = find.query_row(params![firm.as_str(), key.0, Millis(since)], |_| Ok(())).optional()?;
        count += usize::from(found.is_some());
    }
    Ok(count)
}

pub(super) fn add_call_of(
    connection: &Connection,
    lease: &Lease,
    call: &CallRecord,
) -> Result<(), StoreError> {
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
