//! Working on events: claiming, settling, replaying.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Id, Millis, Word};
use super::{effects, lanes, listing, receive};
use crate::crypto::Keyring;
use crate::domain::{EventId, EventState, FirmId, Outcome, RecordRef, System};
use crate::store::{Claim, Lease, Rejoined, Settled, Settlement, StoreError};

pub(super) fn claim(
    connection: &Connection,
    keyring: &Keyring,
    worker: &str,
    limit: usize,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<Claim>, StoreError> {
    let until = Millis(now.saturating_add(lease).unwrap_or(Timestamp::MAX));
    let sql = "UPDATE event SET state = 'ready' WHERE state = 'running' AND lease_until < ?";
    connection.prepare_cached(sql)?.execute([Millis(now)])?;
    let sql = "UPDATE event SET state = 'running', claims = claims + 1, lease_owner = ?1, lease_until = ?2
        WHERE seq IN (SELECT seq FROM event WHERE state IN ('ready', 'retrying') AND due_at <= ?3
            ORDER BY due_at, seq LIMIT ?4)
        RETURNING seq, id, firm, source, type, claims, failed_attempts, received_at";
    let mut update = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = update.query(params![worker, until, Millis(now), limit])?;
    let mut claims = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let event = row.get::<_, Id>(1)?.0;
        let lease = Lease { event, firm: FirmId::new(row.get::<_, String>(2)?), claim: row.get(5)? };
        let source = row.get::<_, Word<System>>(3)?.0;
        let claim = Claim {
            lease,
            source,
            kind: row.get(4)?,
            payload: Vec::new(),
            failed_attempts: row.get(6)?,
            received_at: row.get::<_, Millis>(7)?.0,
        };
        claims.push((seq, claim));
    }
    // Which rows an UPDATE returns first is the database's choice.
    claims.sort_by_key(|(seq, _)| *seq);
    let mut payload = connection.prepare_cached("SELECT sealed_body FROM payload WHERE event = ?")?;
    claims
        .into_iter()
        .map(|(seq, claim)| {
            let sealed: Vec<u8> = payload.query_row([seq], |row| row.get(0))?;
            let payload = keyring.open(receive::place(&claim.lease.event.to_string()), &sealed)?;
            Ok(Claim { payload, ..claim })
        })
        .collect()
}

/// The row and lane of an event while the lease on it holds.
pub(super) fn held(connection: &Connection, lease: &Lease) -> Result<Option<(i64, Option<i64>)>, StoreError> {
    let sql = "SELECT seq, person FROM event WHERE id = ? AND claims = ? AND state = 'running'";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![Id(lease.event), lease.claim], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

pub(super) fn settle(
    connection: &Connection,
    keyring: &Keyring,
    lease: &Lease,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<Settled, StoreError> {
    let Some((seq, person)) = held(connection, lease)? else { return Ok(Settled::LeaseLost) };
    let (state, reason, due_at, failed) = match &settlement.outcome {
        Outcome::Done => (EventState::Done, None, now, 0),
        Outcome::NothingToDo { why } => (EventState::NothingToDo, Some(why), now, 0),
        Outcome::Undelivered { why } => (EventState::Undelivered, Some(why), now, 1),
        Outcome::RetryAt { at, why, counts } => (EventState::Retrying, Some(why), *at, u32::from(*counts)),
    };
    for call in &settlement.reads {
        effects::add_call(connection, seq, call)?;
    }
    let plan = settlement.plan.as_ref().map(|plan| listing::seal_plan(keyring, lease.event, plan));
    let sql = "UPDATE event SET state = ?, reason = ?, due_at = ?, failed_attempts = failed_attempts + ?,
        settled_at = ?, sealed_plan = coalesce(?, sealed_plan), lease_owner = NULL, lease_until = NULL WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![
        state.as_str(),
        reason,
        Millis(due_at),
        failed,
        state.is_settled().then_some(Millis(now)),
        plan,
        seq,
    ])?;
    if state.is_settled() {
        lanes::promote(connection, person)?;
    }
    Ok(Settled::Yes)
}

pub(super) fn rejoin(
    connection: &Connection,
    lease: &Lease,
    owner: &RecordRef,
) -> Result<Rejoined, StoreError> {
    let Some((seq, person)) = held(connection, lease)? else { return Ok(Rejoined::LeaseLost) };
    let home = lanes::person_of(connection, lease.firm.as_str(), std::slice::from_ref(owner))?;
    if home == person {
        return Ok(Rejoined::AlreadyThere);
    }
    let sql = "UPDATE event SET person = ?, state = 'waiting', lease_owner = NULL, lease_until = NULL WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![home, seq])?;
    // The event's own record started the lane it leaves; from now on it is the owner's.
    let sql = "UPDATE person_record SET person = ?1 WHERE firm = ?2
        AND record = (SELECT json_extract(records, '$[0]') FROM event WHERE seq = ?3)";
    connection.prepare_cached(sql)?.execute(params![home, lease.firm.as_str(), seq])?;
    lanes::promote(connection, person)?;
    if let Some(home) = home {
        lanes::reform(connection, home)?;
    }
    Ok(Rejoined::Moved)
}

pub(super) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let due = "SELECT min(due_at) FROM event WHERE state IN ('ready', 'retrying')";
    let lease = "SELECT min(lease_until) FROM event WHERE state = 'running'";
    let mut soonest: Option<Timestamp> = None;
    for sql in [due, lease] {
        let found: Option<Millis> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        soonest = [soonest, found.map(|at| at.0)].into_iter().flatten().min();
    }
    Ok(soonest)
}

pub(super) fn replay(
    connection: &Connection,
    id: EventId,
    now: Timestamp,
) -> Result<Option<bool>, StoreError> {
    let Some((seq, firm, state, records)) = find(connection, id)? else { return Ok(None) };
    if !state.is_settled() {
        return Ok(Some(false));
    }
    // An event that was set aside on arrival was given no lane then.
    let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
    let person = lanes::person_of(connection, &firm, &records)?;
    let state = if lanes::has_head(connection, person)? { EventState::Waiting } else { EventState::Ready };
    let sql = "UPDATE event SET state = ?, reason = 'replayed', person = ?, due_at = ?, failed_attempts = 0,
        settled_at = NULL WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![state.as_str(), person, Millis(now), seq])?;
    Ok(Some(true))
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
