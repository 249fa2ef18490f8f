//! Working on events: claiming them, giving them back, moving them to the right lane.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, PgRow};

use super::rows::{Fault, event_id, from_millis, moment, small, word};
use super::{lanes, receive};
use crate::crypto::Keyring;
use crate::domain::{FirmId, RecordRef};
use crate::store::take_back;
use crate::store::{Claim, ClaimRoom, Lease, Rejoined};
use crate::telemetry::TraceId;

/// The firms take turns, the least busy first, and within a firm the longest due comes first.
///
/// `next` steps from firm to firm along the index instead of reading every due event; `share` is how many each may
/// have. A row that another worker is about to claim is passed over. The commit does not wait for the disk: a claim that
/// is lost with the database's machine is taken again, and an intent that follows it takes it along to the disk.
const CLAIM: &str = "WITH RECURSIVE next (firm) AS (
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
        ORDER BY room.under_way + head.turn, head.due_at, head.seq LIMIT $5),
    share AS MATERIALIZED (SELECT firm, count(*) AS wanted FROM chosen GROUP BY firm),
    picked AS MATERIALIZED (
        SELECT head.seq FROM share CROSS JOIN LATERAL (
            SELECT seq FROM event WHERE firm = share.firm AND state IN ('ready', 'retrying') AND due_at <= $3
            ORDER BY due_at, seq LIMIT share.wanted FOR UPDATE SKIP LOCKED) head),
    horizon AS MATERIALIZED (SELECT coalesce(max(seq), 0) AS seq, set_config('synchronous_commit', 'off', true)
        FROM event)
    UPDATE event SET state = 'running', claims = claims + 1, lease_owner = $6, lease_until = $7
    FROM picked JOIN payload ON payload.event = picked.seq, horizon WHERE event.seq = picked.seq
    RETURNING event.seq, event.id, firm, source, type, claims, failed_attempts, received_at, due_at, trace, sealed_body,
        horizon.seq AS horizon";

/// Claims what fits. Takes no firm's lock.
pub(super) async fn claim(
    connection: &mut PgConnection,
    keyring: &Keyring,
    worker: &str,
    room: &ClaimRoom,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<Vec<Claim>, Fault> {
    let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
    let limit = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let busy: Vec<&str> = room.busy.keys().map(FirmId::as_str).collect();
    let under_way: Vec<i64> = room.busy.values().map(|number| limit(*number)).collect();
    let rows = sqlx::query(CLAIM)
        .bind(busy)
        .bind(under_way)
        .bind(now.as_millisecond())
        .bind(limit(room.per_firm))
        .bind(limit(room.total))
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
    let trace: Option<&[u8]> = row.try_get("trace")?;
    let trace = trace.and_then(|bytes| bytes.try_into().ok());
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
        trace: TraceId::of(trace, event.0),
    })
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
    let sql = take_back!("$1", "lease_until < $1 AND firm = ANY($2)");
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
    now: Timestamp,
) -> Result<u64, Fault> {
    // As when a lease runs out, a turn that never ended counts: see `expire`.
    let sql = take_back!("$3", "lease_owner = $1 AND firm = ANY($2)");
    let rows = sqlx::query(sql)
        .bind(worker)
        .bind(firms)
        .bind(now.as_millisecond())
        .fetch_all(&mut *connection)
        .await?;
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
    // Found by its id alone: left to choose, the planner would go through all that are running.
    let sql = "SELECT seq, person, claims = $2 AND state = 'running' AS is_held FROM event WHERE id = $1 FOR UPDATE";
    let found = sqlx::query(sql).bind(lease.event.0).bind(lease.claim).fetch_optional(connection).await?;
    let Some(row) = found else { return Ok(None) };
    let is_held: bool = row.try_get("is_held")?;
    Ok(is_held.then(|| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
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
    lanes::promote(connection, &person.into_iter().collect()).await?;
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
