//! Working on events: claiming, settling, moving to the right lane.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, PgRow};

use super::rows::{Fault, event_id, from_millis, moment, small, text, word};
use super::{effects, lanes, listing, parking, receive, review};
use crate::crypto::Keyring;
use crate::domain::{EventState, FirmId, Outcome, RecordRef};
use crate::store::review::reason;
use crate::store::{Claim, ClaimRoom, Lease, Rejoined, Settled, Settlement};

/// Claims what fits. Takes no firm's lock: a row that another worker is about to claim is passed over. What cannot be
/// opened fails here, while nothing is claimed yet.
pub(super) async fn claim(
    connection: &mut PgConnection,
    keyring: &Keyring,
    worker: &str,
    room: &ClaimRoom,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<Claim>, Fault> {
    let (firms, wanted) = shares(connection, room, now).await?;
    if firms.is_empty() {
        return Ok(Vec::new());
    }
    let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
    let sql = "WITH picked AS MATERIALIZED (
            SELECT head.seq FROM unnest($1::text[], $2::bigint[]) AS share (firm, wanted) CROSS JOIN LATERAL (
                SELECT seq FROM event WHERE firm = share.firm AND state IN ('ready', 'retrying') AND due_at <= $3
                ORDER BY due_at, seq LIMIT share.wanted FOR UPDATE SKIP LOCKED) head),
        horizon AS MATERIALIZED (SELECT coalesce(max(seq), 0) AS seq FROM event)
        UPDATE event SET state = 'running', claims = claims + 1, lease_owner = $4, lease_until = $5
        FROM picked JOIN payload ON payload.event = picked.seq, horizon WHERE event.seq = picked.seq
        RETURNING event.seq, event.id, firm, source, type, claims, failed_attempts, received_at, due_at, sealed_body,
            horizon.seq AS horizon";
    let rows = sqlx::query(sql)
        .bind(&firms)
        .bind(&wanted)
        .bind(now.as_millisecond())
        .bind(worker)
        .bind(until.as_millisecond())
        .fetch_all(connection)
        .await?;
    let by_due = |row: PgRow| Ok((row.try_get("due_at")?, row.try_get("seq")?, row));
    let mut rows = rows.into_iter().map(by_due).collect::<Result<Vec<(i64, i64, PgRow)>, Fault>>()?;
    rows.sort_unstable_by_key(|(due_at, seq, _)| (*due_at, *seq));
    rows.iter().map(|(_, _, row)| read(row, keyring)).collect()
}

fn read(row: &PgRow, keyring: &Keyring) -> Result<Claim, Fault> {
    let event = event_id(row, "id")?;
    let lease =
        Lease { event, firm: FirmId::new(row.try_get::<String, _>("firm")?), claim: row.try_get("claims")? };
    Ok(Claim {
        lease,
        source: word(row, "source")?,
        kind: row.try_get("type")?,
        payload: keyring.open(receive::place(&event.to_string()), row.try_get("sealed_body")?),
        failed_attempts: small(row, "failed_attempts")?,
        received_at: moment(row, "received_at")?,
        horizon: row.try_get("horizon")?,
    })
}

/// How many each firm may have: the firms take turns, the least busy first, and within a firm the longest due comes
/// first.
async fn shares(
    connection: &mut PgConnection,
    room: &ClaimRoom,
    now: Timestamp,
) -> Result<(Vec<String>, Vec<i64>), sqlx::Error> {
    // Steps from firm to firm along the index instead of reading every due event.
    let sql = "WITH RECURSIVE next (firm) AS (
            SELECT min(firm) FROM event WHERE state IN ('ready', 'retrying')
            UNION ALL
            SELECT (SELECT min(firm) FROM event WHERE state IN ('ready', 'retrying') AND firm > next.firm)
            FROM next WHERE next.firm IS NOT NULL),
        room AS (
            SELECT firm, coalesce(busy.under_way, 0) AS under_way FROM next
            LEFT JOIN unnest($1::text[], $2::bigint[]) AS busy (firm, under_way) USING (firm) WHERE firm IS NOT NULL),
        chosen AS (
            SELECT firm FROM room CROSS JOIN LATERAL (
                SELECT row_number() OVER (ORDER BY due_at, seq) AS turn, due_at, seq FROM event
                WHERE firm = room.firm AND state IN ('ready', 'retrying') AND due_at <= $3
                ORDER BY due_at, seq LIMIT least(greatest($4 - room.under_way, 0), $5)) head
            ORDER BY room.under_way + head.turn, head.due_at, head.seq LIMIT $5)
        SELECT firm, count(*) AS wanted FROM chosen GROUP BY firm";
    let limit = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let busy: Vec<&str> = room.busy.keys().map(FirmId::as_str).collect();
    let under_way: Vec<i64> = room.busy.values().map(|number| limit(*number)).collect();
    let rows = sqlx::query(sql)
        .bind(busy)
        .bind(under_way)
        .bind(now.as_millisecond())
        .bind(limit(room.per_firm))
        .bind(limit(room.total))
        .fetch_all(connection)
        .await?;
    let mut shares = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        shares.0.push(row.try_get("firm")?);
        shares.1.push(row.try_get("wanted")?);
    }
    Ok(shares)
}

/// The firms that have leases which ran out.
pub(super) async fn expired(pool: &PgPool, now: Timestamp) -> Result<Vec<String>, Fault> {
    let sql = "SELECT DISTINCT firm FROM event WHERE state = 'running' AND lease_until < $1";
    let rows = sqlx::query(sql).bind(now.as_millisecond()).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Takes leases back that ran out. A turn that never ended counts: an event that brings the program down must not do
/// so for ever.
pub(super) async fn expire(
    connection: &mut PgConnection,
    firms: &[String],
    now: Timestamp,
) -> Result<(), Fault> {
    let sql =
        "UPDATE event SET failed_attempts = failed_attempts + 1, lease_owner = NULL, lease_until = NULL,
            state = CASE WHEN firm IN (SELECT firm FROM parking) THEN 'parked' ELSE 'ready' END
        WHERE state = 'running' AND lease_until < $1 AND firm = ANY($2) RETURNING person";
    let rows = sqlx::query(sql).bind(now.as_millisecond()).bind(firms).fetch_all(&mut *connection).await?;
    given_back(connection, &rows).await
}

/// The firms whose events this worker works on.
pub(super) async fn firms_of(pool: &PgPool, worker: &str) -> Result<Vec<String>, Fault> {
    let sql = "SELECT DISTINCT firm FROM event WHERE state = 'running' AND lease_owner = $1";
    let rows = sqlx::query(sql).bind(worker).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

pub(super) async fn release(
    connection: &mut PgConnection,
    worker: &str,
    firms: &[String],
) -> Result<u64, Fault> {
    // As when a lease runs out, a turn that never ended counts: see `expire`.
    let sql =
        "UPDATE event SET lease_owner = NULL, lease_until = NULL, failed_attempts = failed_attempts + 1,
            state = CASE WHEN firm IN (SELECT firm FROM parking) THEN 'parked' ELSE 'ready' END
        WHERE state = 'running' AND lease_owner = $1 AND firm = ANY($2) RETURNING person";
    let rows = sqlx::query(sql).bind(worker).bind(firms).fetch_all(&mut *connection).await?;
    given_back(connection, &rows).await?;
    Ok(rows.len() as u64)
}

async fn given_back(connection: &mut PgConnection, rows: &[PgRow]) -> Result<(), Fault> {
    let people =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<Option<i64>>, sqlx::Error>>()?;
    for person in people {
        lanes::keep_one_head(connection, person).await?;
    }
    Ok(())
}

/// The row and lane of an event while the lease on it holds, which it then does until the transaction ends.
pub(super) async fn held(
    connection: &mut PgConnection,
    lease: &Lease,
) -> Result<Option<(i64, Option<i64>)>, Fault> {
    let sql = "SELECT seq, person FROM event WHERE id = $1 AND claims = $2 AND state = 'running' FOR UPDATE";
    let found = sqlx::query(sql).bind(lease.event.0).bind(lease.claim).fetch_optional(connection).await?;
    Ok(found.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
}

pub(super) async fn settle(
    connection: &mut PgConnection,
    keyring: &Keyring,
    lease: &Lease,
    settlement: &Settlement,
    now: Timestamp,
) -> Result<Settled, Fault> {
    let Some((seq, person)) = held(connection, lease).await? else { return Ok(Settled::LeaseLost) };
    let outcome = parking::outcome_of(connection, lease, &settlement.outcome, now).await?;
    let said = |why: &String| Some(why.clone());
    let (state, reason, cause, due_at, failed) = match &outcome {
        Outcome::Done => (EventState::Done, None, None, now, 0),
        Outcome::NothingToDo { why } => (EventState::NothingToDo, said(why), None, now, 0),
        Outcome::InReview { questions } => (EventState::InReview, Some(reason(questions)), None, now, 0),
        Outcome::Undelivered { cause, why } => (EventState::Undelivered, said(why), Some(*cause), now, 1),
        Outcome::Parked { why, .. } => (EventState::Parked, said(why), None, now, 0),
        Outcome::RetryIn { pause, why, counts } => {
            let at = &now.saturating_add(*pause).unwrap_or(Timestamp::MAX);
            (EventState::Retrying, said(why), None, *at, i64::from(*counts))
        }
    };
    for call in &settlement.reads {
        effects::add_call(connection, seq, call).await?;
    }
    let plan = settlement.plan.as_ref().map(|plan| listing::seal_plan(keyring, lease.event, plan));
    let sql = "UPDATE event SET state = $1, reason = $2, cause = $3, due_at = $4, settled_at = $5,
            failed_attempts = failed_attempts + $6, sealed_plan = coalesce($7, sealed_plan),
            lease_owner = NULL, lease_until = NULL WHERE seq = $8";
    sqlx::query(sql)
        .bind(state.as_str())
        .bind(reason.map(|why| text(&why)))
        .bind(cause.map(|cause| cause.as_str()))
        .bind(due_at.as_millisecond())
        .bind(state.is_settled().then_some(now.as_millisecond()))
        .bind(failed)
        .bind(plan)
        .bind(seq)
        .execute(&mut *connection)
        .await?;
    if state.is_settled() {
        effects::release_reservations(connection, lease).await?;
        review_of(connection, keyring, lease, seq, &outcome, now).await?;
        if let (Some(horizon), EventState::Done | EventState::NothingToDo | EventState::InReview) =
            (settlement.supersedes, state)
        {
            supersede(connection, lease, seq, person, horizon, now).await?;
        }
        lanes::promote(connection, person).await?;
    } else {
        lanes::keep_one_head(connection, person).await?;
    }
    Ok(Settled::Yes)
}

/// Asks what the event could not decide, and closes what it decided after all.
async fn review_of(
    connection: &mut PgConnection,
    keyring: &Keyring,
    lease: &Lease,
    seq: i64,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), Fault> {
    match outcome {
        Outcome::InReview { questions } => {
            for question in questions {
                let id = review::ask(connection, keyring, lease.firm.as_str(), question, now).await?;
                review::hold(connection, id, seq).await?;
            }
            Ok(())
        }
        Outcome::Done | Outcome::NothingToDo { .. } => review::close_moot(connection, seq, now).await,
        Outcome::Undelivered { .. } | Outcome::Parked { .. } | Outcome::RetryIn { .. } => Ok(()),
    }
}

/// Settles the waiting updates of the same record whose change had been read already.
async fn supersede(
    connection: &mut PgConnection,
    lease: &Lease,
    seq: i64,
    person: Option<i64>,
    horizon: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "UPDATE event SET state = 'superseded', reason = $1, settled_at = $2
        WHERE person = $3 AND state = 'waiting' AND is_update
            AND subject = (SELECT subject FROM event WHERE seq = $4) AND coalesce(turn, seq) <= $5";
    let reason = format!("settled together with {}, which read the record afterwards", lease.event);
    sqlx::query(sql)
        .bind(reason)
        .bind(now.as_millisecond())
        .bind(person)
        .bind(seq)
        .bind(horizon)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn rejoin(
    connection: &mut PgConnection,
    lease: &Lease,
    owner: &RecordRef,
) -> Result<Rejoined, Fault> {
    let Some((seq, person)) = held(connection, lease).await? else { return Ok(Rejoined::LeaseLost) };
    let firm = lease.firm.as_str();
    let home = lanes::person_of(connection, firm, std::slice::from_ref(owner)).await?;
    if home == person {
        return Ok(Rejoined::AlreadyThere);
    }
    let sql = "UPDATE event SET person = $1, state = 'waiting', lease_owner = NULL, lease_until = NULL WHERE seq = $2";
    sqlx::query(sql).bind(home).bind(seq).execute(&mut *connection).await?;
    // The event's own record started the lane it leaves; from now on it is the owner's.
    let sql = "UPDATE person_record SET person = $1
        WHERE firm = $2 AND record = (SELECT subject FROM event WHERE seq = $3)";
    sqlx::query(sql).bind(home).bind(firm).bind(seq).execute(&mut *connection).await?;
    lanes::promote(connection, person).await?;
    if let Some(home) = home {
        lanes::reform(connection, home).await?;
    }
    Ok(Rejoined::Moved)
}

pub(super) async fn next_due(pool: &PgPool) -> Result<Option<Timestamp>, Fault> {
    let sql = "SELECT least((SELECT min(due_at) FROM event WHERE state IN ('ready', 'retrying')),
        (SELECT min(lease_until) FROM event WHERE state = 'running'), (SELECT min(probe_at) FROM parking))";
    let soonest: Option<i64> = sqlx::query(sql).fetch_one(pool).await?.try_get(0)?;
    soonest.map(from_millis).transpose()
}
