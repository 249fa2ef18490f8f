//! What has been, or is being, achieved, and the calls that were made for it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool};

use super::calls::add_calls;
use super::core::{Core, in_transaction};
use super::rows::{Fault, moment, moment_if_any, small, text, word_if_any};
use super::{claims, hand_offs, links};
use crate::crypto::{Keyring, Place};
use crate::domain::{EffectKey, FirmId, RecordRef};
use crate::store::said::split;
use crate::store::{Ambiguity, Begun, CallRecord, EffectFailure, Intent, Lease, Settled, StoreError};

pub(super) fn place(row: &str) -> Place<'_> {
    Place { table: "effect", column: "sealed_request", row }
}

pub(super) fn row_name(firm: &str, key: &EffectKey) -> String {
    format!("{firm}\0{key}")
}

/// What is known of an effect that was begun.
struct Known {
    is_completed: bool,
    result: Option<RecordRef>,
    idempotency_key: String,
    sealed: Vec<u8>,
    ambiguity: Option<Ambiguity>,
}

async fn find(connection: &mut PgConnection, firm: &str, key: &EffectKey) -> Result<Option<Known>, Fault> {
    let sql =
        "SELECT completed_at IS NOT NULL AS is_completed, result, idempotency_key, sealed_request, begun_at,
        ambiguous_at, looks FROM effect WHERE firm = $1 AND key = $2";
    let row = sqlx::query(sql).bind(firm).bind(text(&key.0)).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let (begun_at, looks) = (moment(&row, "begun_at")?, small(&row, "looks")?);
    let ambiguous_at = moment_if_any(&row, "ambiguous_at")?;
    Ok(Some(Known {
        is_completed: row.try_get("is_completed")?,
        result: word_if_any(&row, "result")?,
        idempotency_key: row.try_get("idempotency_key")?,
        sealed: row.try_get("sealed_request")?,
        ambiguity: ambiguous_at.map(|since| Ambiguity { begun_at, since, looks }),
    }))
}

pub(super) async fn begin(
    connection: &mut PgConnection,
    keyring: &Keyring,
    lease: &Lease,
    key: &EffectKey,
    intent: &Intent,
    now: Timestamp,
) -> Result<Begun, Fault> {
    if claims::held(connection, lease).await?.is_none() {
        return Ok(Begun::LeaseLost);
    }
    let firm = lease.firm.as_str();
    let row = row_name(firm, key);
    let known = find(connection, firm, key).await?;
    if let Some(Known { is_completed: true, result, .. }) = known {
        return Ok(Begun::AlreadyDone(result));
    }
    if !reserve(connection, firm, key, &intent.match_keys).await? {
        return Ok(Begun::Rival);
    }
    match known {
        Some(known) if intent.is_create => {
            let (body, said) = split(keyring.open(place(&row), &known.sealed)?);
            if known.ambiguity.is_none() {
                mark_sent(connection, firm, key, now).await?;
            }
            let Known { idempotency_key, ambiguity, .. } = known;
            Ok(Begun::Send { body, idempotency_key, ambiguity, fields: said.fields })
        }
        open => {
            let sealed = keyring.seal(place(&row), &intent.plain());
            let idempotency_key =
                open.map_or_else(|| intent.idempotency_key.clone(), |known| known.idempotency_key);
            let sql =
                "INSERT INTO effect (firm, key, event, operation, idempotency_key, sealed_request, begun_at,
                    ambiguous_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                ON CONFLICT (firm, key) DO UPDATE SET sealed_request = excluded.sealed_request, event = excluded.event";
            sqlx::query(sql)
                .bind(firm)
                .bind(text(&key.0))
                .bind(lease.event.0)
                .bind(intent.operation)
                .bind(&idempotency_key)
                .bind(sealed)
                .bind(now.as_millisecond())
                .bind(intent.is_create.then_some(now.as_millisecond()))
                .execute(connection)
                .await?;
            let (body, fields) = (intent.body.clone(), intent.said.fields.clone());
            Ok(Begun::Send { body, idempotency_key, ambiguity: None, fields })
        }
    }
}

/// From now on it may have been carried out: nobody would know after a crash.
async fn mark_sent(
    connection: &mut PgConnection,
    firm: &str,
    key: &EffectKey,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "UPDATE effect SET ambiguous_at = $1, looks = 0
        WHERE firm = $2 AND key = $3 AND completed_at IS NULL";
    sqlx::query(sql).bind(now.as_millisecond()).bind(firm).bind(text(&key.0)).execute(connection).await?;
    Ok(())
}

/// An ambiguous create is certain not to have been carried out and about to be sent again.
pub(super) async fn send_again(
    connection: &mut PgConnection,
    lease: &Lease,
    key: &EffectKey,
    now: Timestamp,
) -> Result<Settled, Fault> {
    if claims::held(connection, lease).await?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    mark_sent(connection, lease.firm.as_str(), key, now).await?;
    Ok(Settled::Yes)
}

/// Holds these blind keys for an effect, unless another create holds one of them.
async fn reserve(
    connection: &mut PgConnection,
    firm: &str,
    key: &EffectKey,
    match_keys: &[[u8; 32]],
) -> Result<bool, Fault> {
    if match_keys.is_empty() {
        return Ok(true);
    }
    let match_keys: Vec<&[u8]> = match_keys.iter().map(<[u8; 32]>::as_slice).collect();
    let effect = text(&key.0);
    let sql = "INSERT INTO reservation (firm, match_key, effect)
        SELECT $1, match_key, $3 FROM unnest($2::bytea[]) match_key ORDER BY match_key ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(firm).bind(&match_keys).bind(&effect).execute(&mut *connection).await?;
    // Asked afterwards: by now a rival that came in the same moment has committed.
    let sql = "SELECT 1 FROM reservation WHERE firm = $1 AND match_key = ANY($2) AND effect <> $3 LIMIT 1";
    let rival = sqlx::query(sql).bind(firm).bind(&match_keys).bind(&effect);
    if rival.fetch_optional(&mut *connection).await?.is_none() {
        return Ok(true);
    }
    let sql = "DELETE FROM reservation WHERE firm = $1 AND match_key = ANY($2) AND effect = $3";
    sqlx::query(sql).bind(firm).bind(&match_keys).bind(&effect).execute(connection).await?;
    Ok(false)
}

async fn release_reservation(
    connection: &mut PgConnection,
    firm: &str,
    key: &EffectKey,
) -> Result<(), Fault> {
    let sql = "DELETE FROM reservation WHERE firm = $1 AND effect = $2";
    sqlx::query(sql).bind(firm).bind(text(&key.0)).execute(connection).await?;
    Ok(())
}

/// Writes down that an effect was carried out; whether that was news. Kept even if the lease was lost: it happened.
pub(super) async fn complete(
    connection: &mut PgConnection,
    lease: &Lease,
    key: &EffectKey,
    result: Option<&RecordRef>,
    call: Option<&CallRecord>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let sql = "UPDATE effect SET completed_at = $1, result = $2
        WHERE firm = $3 AND key = $4 AND completed_at IS NULL";
    let firm = lease.firm.as_str();
    let changed = sqlx::query(sql)
        .bind(now.as_millisecond())
        .bind(result.map(|record| text(&record.to_string())))
        .bind(firm)
        .bind(text(&key.0))
        .execute(&mut *connection)
        .await?;
    release_reservation(connection, firm, key).await?;
    match call {
        Some(call) => add_call_of(connection, lease, call).await?,
        // Without a call of its own: a person says so of what was handed over.
        None => hand_offs::forget(connection, firm, key, "the hand-over is settled", now).await?,
    }
    Ok(changed.rows_affected() > 0)
}

/// Writes down a call that failed, and what is known of the effect.
pub(super) async fn fail(
    connection: &mut PgConnection,
    lease: &Lease,
    key: &EffectKey,
    failure: EffectFailure,
    call: &CallRecord,
    now: Timestamp,
) -> Result<Settled, Fault> {
    add_call_of(connection, lease, call).await?;
    if claims::held(connection, lease).await?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    let (firm, effect) = (lease.firm.as_str(), text(&key.0));
    match failure {
        EffectFailure::NotDone => {
            let sql = "UPDATE effect SET ambiguous_at = NULL, looks = 0
                WHERE firm = $1 AND key = $2 AND completed_at IS NULL";
            sqlx::query(sql).bind(firm).bind(effect).execute(connection).await?;
        }
        EffectFailure::Refused => {
            let sql = "DELETE FROM effect WHERE firm = $1 AND key = $2 AND completed_at IS NULL";
            sqlx::query(sql).bind(firm).bind(effect).execute(&mut *connection).await?;
            release_reservation(connection, firm, key).await?;
        }
        EffectFailure::Unknown => mark_sent(connection, firm, key, now).await?,
    }
    Ok(Settled::Yes)
}

/// Tells the links what open updates of this event said.
pub(super) async fn recall(core: &Core, keyring: &Keyring, lease: &Lease) -> Result<(), StoreError> {
    Ok(in_transaction!(core, &[lease.firm.as_str()], |connection, _now| recall_in(
        connection, keyring, lease
    ))?)
}

async fn recall_in(connection: &mut PgConnection, keyring: &Keyring, lease: &Lease) -> Result<(), Fault> {
    let firm = lease.firm.as_str();
    let sql = "SELECT key, sealed_request FROM effect WHERE event = $1 AND completed_at IS NULL AND firm = $2
        AND length(sealed_request) > 0";
    let rows = sqlx::query(sql).bind(lease.event.0).bind(firm).fetch_all(&mut *connection).await?;
    for row in &rows {
        let key = EffectKey(row.try_get("key")?);
        let (_, said) = split(keyring.open(place(&row_name(firm, &key)), row.try_get("sealed_request")?)?);
        if let Some((to, from)) = said.between {
            links::note_sent(connection, keyring, firm, (&to, &from), said.fields).await?;
        }
    }
    Ok(())
}

pub(super) async fn note_look(pool: &PgPool, lease: &Lease, key: &EffectKey) -> Result<(), Fault> {
    let sql = "UPDATE effect SET looks = looks + 1 WHERE firm = $1 AND key = $2";
    sqlx::query(sql).bind(lease.firm.as_str()).bind(text(&key.0)).execute(pool).await?;
    Ok(())
}

pub(super) async fn completed(
    pool: &PgPool,
    firm: &FirmId,
    keys: &[EffectKey],
) -> Result<BTreeSet<EffectKey>, Fault> {
    let sql = "SELECT key FROM effect WHERE firm = $1 AND key = ANY($2) AND completed_at IS NOT NULL";
    let stored: Vec<String> = keys.iter().map(|key| text(&key.0)).collect();
    let rows = sqlx::query(sql).bind(firm.as_str()).bind(&stored).fetch_all(pool).await?;
    let done = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<String>, sqlx::Error>>()?;
    Ok(keys
        .iter()
        .zip(&stored)
        .filter(|(_, stored)| done.contains(*stored))
        .map(|(key, _)| key.clone())
        .collect())
}

/// How many of these effects were carried out after a moment.
pub(super) async fn completed_since(
    pool: &PgPool,
    firm: &FirmId,
    keys: &[EffectKey],
    since: Timestamp,
) -> Result<usize, Fault> {
    let sql = "SELECT count(*) FROM effect WHERE firm = $1 AND key = ANY($2) AND completed_at > $3";
    let stored: Vec<String> = keys.iter().map(|key| text(&key.0)).collect();
    let query = sqlx::query(sql).bind(firm.as_str()).bind(&stored).bind(since.as_millisecond());
    let count: i64 = query.fetch_one(pool).await?.try_get(0)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

pub(super) async fn add_call_of(
    connection: &mut PgConnection,
    lease: &Lease,
    call: &CallRecord,
) -> Result<(), Fault> {
    let sql = "SELECT seq FROM event WHERE id = $1";
    let seq = sqlx::query(sql).bind(lease.event.0).fetch_one(&mut *connection).await?.try_get(0)?;
    add_calls(connection, &[(seq, call)]).await
}
