//! Working on events: claiming, settling, moving to the right lane.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::rows::{Id, Millis, Word};
use super::{effects, hand_offs, lanes, listing, parking, receive, review};
use crate::crypto::{CannotOpen, Keyring};
use crate::domain::{EventState, FirmId, Outcome, RecordRef, System};
use crate::store::review::reason;
use crate::store::take_back;
use crate::store::{Claim, ClaimRoom, Lease, Rejoined, Settled, Settlement, StoreError};
use crate::telemetry::TraceId;

pub(super) fn claim(
    connection: &Connection,
    keyring: &Keyring,
    worker: &str,
    room: &ClaimRoom,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<Claim>, StoreError> {
    // A turn that never ended counts: an event that brings the program down must not do so for ever.
    let sql = take_back!("?1", "lease_until < ?1");
    give_back(connection, sql, [Millis(now)])?;
    let until = Millis(now.saturating_add(lease).unwrap_or(Timestamp::MAX));
    let horizon: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?
        .query_row([], |row| row.get(0))?;
    let sql = "UPDATE event SET state = 'running', claims = claims + 1, lease_owner = ?, lease_until = ? WHERE seq = ?
        RETURNING id, firm, source, type, claims, failed_attempts, received_at, trace";
    let mut update = connection.prepare_cached(sql)?;
    let mut payload = connection.prepare_cached("SELECT sealed_body FROM payload WHERE event = ?")?;
    let mut claims = Vec::new();
    for seq in due(connection, room, now)? {
        let mut claim = update.query_row(params![worker, until, seq], |row| {
            let lease = Lease {
                event: row.get::<_, Id>(0)?.0,
                firm: FirmId::new(row.get::<_, String>(1)?),
                claim: row.get(4)?,
            };
            Ok(Claim {
                lease,
                source: row.get::<_, Word<System>>(2)?.0,
                kind: row.get(3)?,
                payload: Err(CannotOpen::Mismatch),
                failed_attempts: row.get(5)?,
                received_at: row.get::<_, Millis>(6)?.0,
                horizon,
                trace: TraceId::of(row.get(7)?, row.get::<_, Id>(0)?.0.0),
            })
        })?;
        let sealed: Option<Vec<u8>> = payload.query_row([seq], |row| row.get(0)).optional()?;
        if let Some(sealed) = sealed {
            claim.payload = keyring.open(receive::place(&claim.lease.event.to_string()), &sealed);
        }
        claims.push(claim);
    }
    Ok(claims)
}

/// The due events that fit: the firms take turns, the least busy first, and within a firm the longest due comes first.
fn due(connection: &Connection, room: &ClaimRoom, now: Timestamp) -> Result<Vec<i64>, StoreError> {
    // Steps from firm to firm along the index instead of reading every due event.
    let sql = "WITH RECURSIVE next (firm) AS (
            SELECT min(firm) FROM event WHERE state IN ('ready', 'retrying')
            UNION ALL
            SELECT (SELECT min(firm) FROM event WHERE state IN ('ready', 'retrying') AND firm > next.firm)
            FROM next WHERE next.firm IS NOT NULL)
        SELECT firm FROM next WHERE firm IS NOT NULL";
    let mut firms = connection.prepare_cached(sql)?;
    let firms = firms.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut turns: Vec<(usize, i64, i64)> = Vec::new();
    let sql =
        "SELECT seq, due_at FROM event WHERE state IN ('ready', 'retrying') AND firm = ? AND due_at <= ?
        ORDER BY due_at, seq";
    let mut of_firm = connection.prepare_cached(sql)?;
    for firm in firms {
        let busy = room.busy.get(&FirmId::new(&firm)).copied().unwrap_or_default();
        let most = room.per_firm.saturating_sub(busy).min(room.total);
        // No more are read than are taken. A bound LIMIT would have SQLite prepare the statement anew for each number.
        let rows = of_firm.query_map(params![firm, Millis(now)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
        for (turn, row) in rows.take(most).enumerate() {
            let (seq, due_at) = row?;
            // A firm with less under way goes first.
            turns.push((busy + turn, due_at, seq));
        }
    }
    turns.sort_unstable();
    Ok(turns.into_iter().take(room.total).map(|(_, _, seq)| seq).collect())
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
    let outcome = parking::outcome_of(connection, lease, &settlement.outcome, now)?;
    let outcome = hand_offs::outcome_of(connection, lease, outcome)?;
    let said = |why: &String| Some(why.clone());
    let (state, reason, cause, due_at, failed) = match &outcome {
        Outcome::Done => (EventState::Done, None, None, now, 0),
        Outcome::NothingToDo { why } => (EventState::NothingToDo, said(why), None, now, 0),
        Outcome::HandedOff { why, .. } => (EventState::HandedOff, said(why), None, now, 0),
        Outcome::InReview { questions } => (EventState::InReview, Some(reason(questions)), None, now, 0),
        Outcome::Undelivered { cause, why } => (EventState::Undelivered, said(why), Some(*cause), now, 1),
        Outcome::Parked { why, .. } => (EventState::Parked, said(why), None, now, 0),
        Outcome::RetryIn { pause, why, counts } => {
            let at = &now.saturating_add(*pause).unwrap_or(Timestamp::MAX);
            (EventState::Retrying, said(why), None, *at, u32::from(*counts))
        }
    };
    for call in &settlement.reads {
        effects::add_call(connection, seq, call)?;
    }
    let plan = settlement.plan.as_ref().map(|plan| listing::seal_plan(keyring, lease.event, plan));
    let sql = "UPDATE event SET state = ?, reason = ?, cause = ?, due_at = ?, failed_attempts = failed_attempts + ?,
        settled_at = ?, sealed_plan = coalesce(?, sealed_plan), lease_owner = NULL, lease_until = NULL WHERE seq = ?";
    connection.prepare_cached(sql)?.execute(params![
        state.as_str(),
        reason,
        cause.map(|cause| cause.as_str()),
        Millis(due_at),
        failed,
        state.is_settled().then_some(Millis(now)),
        plan,
        seq,
    ])?;
    if state.is_settled() {
        effects::release_reservations(connection, lease)?;
        review_of(connection, keyring, lease, seq, &outcome, now)?;
        if let (Some(horizon), EventState::Done | EventState::NothingToDo | EventState::InReview) =
            (settlement.supersedes, state)
        {
            supersede(connection, lease, seq, person, horizon, now)?;
        }
        lanes::promote(connection, person)?;
    } else {
        lanes::keep_one_head(connection, person)?;
    }
    Ok(Settled::Yes)
}

/// Asks what the event could not decide, and closes what it decided after all.
fn review_of(
    connection: &Connection,
    keyring: &Keyring,
    lease: &Lease,
    seq: i64,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    match outcome {
        Outcome::InReview { questions } => questions.iter().try_for_each(|question| {
            let id = review::ask(connection, keyring, lease.firm.as_str(), question, now)?;
            review::hold(connection, id, seq)
        }),
        Outcome::Done | Outcome::NothingToDo { .. } => review::close_moot(connection, seq, now),
        Outcome::HandedOff { .. }
        | Outcome::Undelivered { .. }
        | Outcome::Parked { .. }
        | Outcome::RetryIn { .. } => Ok(()),
    }
}

/// Settles the waiting updates of the same record whose change had been read already.
fn supersede(
    connection: &Connection,
    lease: &Lease,
    seq: i64,
    person: Option<i64>,
    horizon: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE event SET state = 'superseded', reason = ?, settled_at = ? WHERE person = ? AND state = 'waiting'
        AND is_update = 1 AND subject = (SELECT subject FROM event WHERE seq = ?) AND coalesce(turn, seq) <= ?";
    let reason = format!("settled together with {}, which read the record afterwards", lease.event);
    connection.prepare_cached(sql)?.execute(params![reason, Millis(now), person, seq, horizon])?;
    Ok(())
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
        AND record = (SELECT subject FROM event WHERE seq = ?3)";
    connection.prepare_cached(sql)?.execute(params![home, lease.firm.as_str(), seq])?;
    lanes::promote(connection, person)?;
    if let Some(home) = home {
        lanes::reform(connection, home)?;
    }
    Ok(Rejoined::Moved)
}

pub(super) fn release(connection: &Connection, worker: &str, now: Timestamp) -> Result<u64, StoreError> {
    // As when a lease runs out, a turn that never ended counts: see `claim`.
    let sql = take_back!("?2", "lease_owner = ?1");
    give_back(connection, sql, params![worker, Millis(now)])
}

/// Ends leases, and leaves one head to each lane; how many leases those were.
fn give_back(connection: &Connection, sql: &str, parameters: impl Params) -> Result<u64, StoreError> {
    let mut update = connection.prepare_cached(sql)?;
    let people = update.query_map(parameters, |row| row.get(0))?.collect::<Result<Vec<Option<i64>>, _>>()?;
    for person in people.iter().copied().collect::<BTreeSet<_>>() {
        lanes::keep_one_head(connection, person)?;
    }
    Ok(people.len() as u64)
}

pub(super) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let due = "SELECT min(due_at) FROM event WHERE state IN ('ready', 'retrying')";
    let lease = "SELECT min(lease_until) FROM event WHERE state = 'running'";
    let probe = "SELECT min(probe_at) FROM parking";
    let mut soonest: Option<Timestamp> = None;
    for sql in [due, lease, probe] {
        let found: Option<Millis> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        soonest = [soonest, found.map(|at| at.0)].into_iter().flatten().min();
    }
    Ok(soonest)
}
