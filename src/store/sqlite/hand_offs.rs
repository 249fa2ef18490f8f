//! What a carrier took over and has not confirmed yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Id, Millis, Word};
use super::{SqliteStore, claims, effects, lanes, links, review};
use crate::crypto::Keyring;
use crate::domain::{Base, EffectKey, FirmId, Link, Outcome, RecordRef};
use crate::store::hand_offs::{no_longer_waits, place, reason, row_name};
use crate::store::{
    CallRecord, Confirmed, HandOff, HandOffs, HandOver, Lease, LinkChange, Settled, StoreError,
};

#[async_trait]
impl HandOffs for SqliteStore {
    async fn hand_over(
        &self,
        lease: &Lease,
        key: &EffectKey,
        hand_over: HandOver,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError> {
        let (lease, key, now, keyring) = (lease.clone(), key.clone(), self.now(), Arc::clone(&self.keyring));
        self.write(move |connection| {
            if let Some(call) = &call {
                effects::add_call_of(connection, &lease, call)?;
            }
            if claims::held(connection, &lease)?.is_none() {
                return Ok(Settled::LeaseLost);
            }
            add(connection, &keyring, &lease, &key, &hand_over, now)?;
            Ok(Settled::Yes)
        })
        .await
    }

    async fn hand_off(&self, firm: &FirmId, key: &EffectKey) -> Result<Option<HandOff>, StoreError> {
        let (firm, key, now) = (firm.clone(), key.clone(), self.now());
        self.read(move |connection, _| {
            let sql = "SELECT handed_at, confirm_by FROM hand_off WHERE firm = ? AND effect = ?";
            let found = connection.prepare_cached(sql)?.query_row(params![firm.as_str(), key.0], |row| {
                let is_overdue = row.get::<_, Millis>(1)?.0 <= now;
                Ok(HandOff { handed_at: row.get::<_, Millis>(0)?.0, is_overdue })
            });
            Ok(found.optional()?)
        })
        .await
    }

    async fn confirm(
        &self,
        firm: &FirmId,
        key: &EffectKey,
        record: Option<RecordRef>,
    ) -> Result<Confirmed, StoreError> {
        let (firm, key, now, keyring) = (firm.clone(), key.clone(), self.now(), Arc::clone(&self.keyring));
        self.write(move |connection| confirm(connection, &keyring, &firm, &key, record.as_ref(), now)).await
    }

    async fn wake_overdue(&self) -> Result<u64, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            let sql = "UPDATE hand_off SET woken_at = ?1 WHERE confirm_by <= ?1 AND woken_at IS NULL RETURNING event";
            let mut overdue = connection.prepare_cached(sql)?;
            let overdue =
                overdue.query_map([Millis(now)], |row| row.get::<_, Id>(0))?.collect::<Result<Vec<_>, _>>()?;
            let mut woken = 0;
            for event in overdue {
                woken += wake_waiting(connection, &event, "the hand-over was not confirmed in time", now)?;
            }
            Ok(woken)
        })
        .await
    }

    async fn withdraw(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError> {
        let (lease, key, now) = (lease.clone(), key.clone(), self.now());
        self.write(move |connection| {
            if claims::held(connection, &lease)?.is_none() {
                return Ok(Settled::LeaseLost);
            }
            forget(connection, lease.firm.as_str(), &key, "it is handed over once more", now)?;
            Ok(Settled::Yes)
        })
        .await
    }
}

/// What a turn's outcome is, given that what it is to wait for may have come since it looked.
pub(super) fn outcome_of(
    connection: &Connection,
    lease: &Lease,
    outcome: Outcome,
) -> Result<Outcome, StoreError> {
    let Outcome::HandedOff { effect, .. } = &outcome else { return Ok(outcome) };
    let sql = "SELECT 1 FROM hand_off WHERE firm = ? AND effect = ? AND woken_at IS NULL";
    let waits = connection.prepare_cached(sql)?.exists(params![lease.firm.as_str(), effect.0])?;
    Ok(if waits { outcome } else { no_longer_waits() })
}

fn add(
    connection: &Connection,
    keyring: &Keyring,
    lease: &Lease,
    key: &EffectKey,
    hand_over: &HandOver,
    now: Timestamp,
) -> Result<(), StoreError> {
    let firm = lease.firm.as_str();
    let plain = serde_json::to_vec(&hand_over.base).expect("a base is JSON");
    let sealed = keyring.seal(place(&row_name(firm, key)), &plain);
    let confirm_by = now.saturating_add(hand_over.within).unwrap_or(Timestamp::MAX);
    let sql =
        "INSERT INTO hand_off (firm, effect, event, original, makes, sealed_base, has_rest, handed_at, confirm_by)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![
        firm,
        key.0,
        Id(lease.event),
        hand_over.original.as_ref().map(ToString::to_string),
        hand_over.makes.map(|kind| kind.as_str()),
        sealed,
        hand_over.has_rest,
        Millis(now),
        Millis(confirm_by),
    ])?;
    Ok(())
}

/// A hand-over as it is kept.
struct Row {
    event: Id,
    original: Option<RecordRef>,
    makes: Option<String>,
    sealed_base: Vec<u8>,
    has_rest: bool,
}

fn confirm(
    connection: &Connection,
    keyring: &Keyring,
    firm: &FirmId,
    key: &EffectKey,
    record: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Confirmed, StoreError> {
    let sql = "SELECT completed_at IS NOT NULL, result FROM effect WHERE firm = ? AND key = ?";
    let effect = connection
        .prepare_cached(sql)?
        .query_row(params![firm.as_str(), key.0], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, Option<Word<RecordRef>>>(1)?.map(|word| word.0)))
        })
        .optional()?;
    match effect {
        None => return Ok(Confirmed::Unknown),
        Some((true, result)) => return Ok(Confirmed::Before(result)),
        Some((false, _)) => {}
    }
    let sql =
        "SELECT event, original, makes, sealed_base, has_rest FROM hand_off WHERE firm = ? AND effect = ?";
    let row = connection
        .prepare_cached(sql)?
        .query_row(params![firm.as_str(), key.0], |row| {
            let original = row.get::<_, Option<Word<RecordRef>>>(1)?.map(|word| word.0);
            let (makes, sealed_base, has_rest) = (row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(Row { event: row.get(0)?, original, makes, sealed_base, has_rest })
        })
        .optional()?;
    let Some(row) = row else { return Ok(Confirmed::TooEarly) };
    if record.is_some_and(|record| !HandOver::may_make(row.makes.as_deref(), record.kind)) {
        return Ok(Confirmed::OtherKind);
    }
    let sql = "UPDATE effect SET completed_at = ?, result = ? WHERE firm = ? AND key = ?";
    let result = record.map(ToString::to_string);
    connection.prepare_cached(sql)?.execute(params![Millis(now), result, firm.as_str(), key.0])?;
    if let (Some(original), Some(record)) = (row.original, record) {
        let plain = keyring.open(place(&row_name(firm.as_str(), key)), &row.sealed_base)?;
        let base: Base = serde_json::from_slice(&plain)
            .map_err(|error| StoreError::Corrupt(format!("a hand-over's base: {error}")))?;
        let origin = original.system;
        let link = LinkChange::Link(Link::new(original, record.clone(), origin, base));
        links::apply(connection, keyring, firm, &[link], now)?;
    }
    go_on(connection, row.event, row.has_rest, record, now)?;
    forget(connection, firm.as_str(), key, &reason(record), now)?;
    Ok(Confirmed::Yes)
}

/// The event that handed over is done, or goes on with the rest.
fn go_on(
    connection: &Connection,
    event: Id,
    has_rest: bool,
    record: Option<&RecordRef>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let why = reason(record);
    if has_rest {
        wake(connection, event, &why, now)?;
    } else {
        let sql = "UPDATE event SET state = 'done', reason = ?, settled_at = ?
            WHERE id = ? AND state IN ('handed_off', 'in_review') RETURNING seq";
        let done: Option<i64> = connection
            .prepare_cached(sql)?
            .query_row(params![why, Millis(now), event], |row| row.get(0))
            .optional()?;
        if let Some(seq) = done {
            review::close_moot(connection, seq, now)?;
        }
    }
    Ok(())
}

/// Has the events of an event's person that wait for a confirmation go on; how many.
fn wake_waiting(connection: &Connection, event: &Id, why: &str, now: Timestamp) -> Result<u64, StoreError> {
    // Two look-ups by index: one condition for both would read every event.
    let sql = "SELECT id FROM event WHERE id = ?1 AND state = 'handed_off'
        UNION SELECT id FROM event WHERE state = 'handed_off' AND person = (SELECT person FROM event WHERE id = ?1)";
    let mut waiting = connection.prepare_cached(sql)?;
    let waiting = waiting.query_map([event], |row| row.get::<_, Id>(0))?.collect::<Result<Vec<_>, _>>()?;
    waiting.into_iter().try_fold(0, |woken, event| Ok(woken + wake(connection, event, why, now)?))
}

/// Puts an event that waits for a confirmation back into its lane, where it was; how many that were.
fn wake(connection: &Connection, event: Id, why: &str, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT seq, firm, records FROM event WHERE id = ? AND state IN ('handed_off', 'in_review')";
    let found = connection
        .prepare_cached(sql)?
        .query_row([&event], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })
        .optional()?;
    let Some((seq, firm, records)) = found else { return Ok(0) };
    let records: Vec<String> = serde_json::from_str(&records).unwrap_or_default();
    let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
    let person = lanes::person_of(connection, &firm, &records)?;
    let state = if person.is_some() { "waiting" } else { lanes::head_state(connection, &firm)?.as_str() };
    let sql = "UPDATE event SET state = ?, reason = ?, person = ?, due_at = ?, failed_attempts = 0, settled_at = NULL
        WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![state, why, person, Millis(now), seq])?;
    let people: BTreeSet<i64> = person.into_iter().collect();
    people.into_iter().try_for_each(|person| lanes::reform(connection, person))?;
    Ok(1)
}

/// What is carried out, or withdrawn, waits for nothing any more, and what waits for it goes on.
pub(super) fn forget(
    connection: &Connection,
    firm: &str,
    key: &EffectKey,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM hand_off WHERE firm = ? AND effect = ? RETURNING event";
    let event = connection
        .prepare_cached(sql)?
        .query_row(params![firm, key.0], |row| row.get::<_, Id>(0))
        .optional()?;
    event.map_or(Ok(()), |event| wake_waiting(connection, &event, why, now).map(|_| ()))
}
