//! Firms whose events are kept and not worked on.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use uuid::Uuid;

use super::rows::{Fault, moment, moment_if_any, small, text, word, word_if_any};
use crate::domain::{EventId, FirmId, Outcome, ParkCause, System};
use crate::store::{Lease, Parking};

/// The pause before a parked firm is first tried again; each failed try doubles it.
const FIRST_PROBE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause between two tries.
const LONGEST_PROBE: SignedDuration = SignedDuration::from_mins(15);

/// What a turn's outcome is, given that the firm may be parked or be parked by it.
///
/// The event that was let go ahead decides: if it failed as before, the firm stays parked; with any other outcome the
/// firm goes on. What else was under way when the firm was parked only joins the others if it failed too.
pub(super) async fn outcome_of(
    connection: &mut PgConnection,
    lease: &Lease,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<Outcome, Fault> {
    let firm = lease.firm.as_str();
    let sql = "SELECT cause, system, probe_event FROM parking WHERE firm = $1";
    let row = sqlx::query(sql).bind(firm).fetch_optional(&mut *connection).await?;
    let known: Option<(ParkCause, Option<System>, Option<EventId>)> = match &row {
        None => None,
        Some(row) => {
            let probe = row.try_get::<Option<Uuid>, _>("probe_event")?.map(EventId);
            Some((word(row, "cause")?, word_if_any(row, "system")?, probe))
        }
    };
    let is_probe = matches!(&known, Some((_, _, Some(probe))) if *probe == lease.event);
    let parked = match (outcome, &known) {
        (Outcome::Parked { .. }, _) => outcome.clone(),
        (Outcome::RetryAt { why, counts: true, .. }, Some((cause, Some(system), _))) => {
            Outcome::Parked { cause: *cause, system: *system, why: why.clone() }
        }
        _ => {
            if is_probe {
                resume(connection, &lease.firm, now).await?;
            }
            return Ok(outcome.clone());
        }
    };
    if let Outcome::Parked { cause, system, why } = &parked
        && (is_probe || known.is_none())
    {
        park(connection, firm, *cause, Some(*system), why, now).await?;
    }
    Ok(parked)
}

async fn park(
    connection: &mut PgConnection,
    firm: &str,
    cause: ParkCause,
    system: Option<System>,
    why: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let known =
        sqlx::query("SELECT probes FROM parking WHERE firm = $1").bind(firm).fetch_optional(&mut *connection);
    let probes: Option<u32> = known.await?.map(|row| small(&row, "probes")).transpose()?;
    let pause =
        FIRST_PROBE.saturating_mul(1 << probes.map_or(0, |probes| probes + 1).min(10)).min(LONGEST_PROBE);
    let probe_at = (cause != ParkCause::Paused)
        .then(|| now.saturating_add(pause).unwrap_or(Timestamp::MAX).as_millisecond());
    let sql = "INSERT INTO parking (firm, cause, system, reason, since, probe_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (firm) DO UPDATE SET cause = excluded.cause, system = excluded.system, reason = excluded.reason,
            probes = parking.probes + 1, probe_at = excluded.probe_at, probe_event = NULL";
    sqlx::query(sql)
        .bind(firm)
        .bind(cause.as_str())
        .bind(system.map(System::as_str))
        .bind(text(why))
        .bind(now.as_millisecond())
        .bind(probe_at)
        .execute(&mut *connection)
        .await?;
    let sql = "UPDATE event SET state = 'parked' WHERE firm = $1 AND state IN ('ready', 'retrying')";
    sqlx::query(sql).bind(firm).execute(connection).await?;
    Ok(())
}

pub(super) async fn pause(
    connection: &mut PgConnection,
    firm: &FirmId,
    why: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    park(connection, firm.as_str(), ParkCause::Paused, None, why, now).await
}

pub(super) async fn resume(
    connection: &mut PgConnection,
    firm: &FirmId,
    now: Timestamp,
) -> Result<Option<u64>, Fault> {
    let delete = sqlx::query("DELETE FROM parking WHERE firm = $1").bind(firm.as_str());
    if delete.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(None);
    }
    // All are due at once; within a firm the order of receipt decides.
    let sql = "UPDATE event SET state = 'ready', due_at = $1 WHERE firm = $2 AND state = 'parked'";
    let resumed = sqlx::query(sql).bind(now.as_millisecond()).bind(firm.as_str()).execute(connection).await?;
    Ok(Some(resumed.rows_affected()))
}

/// The firms whose time it is to be tried again.
pub(super) async fn due(pool: &PgPool, now: Timestamp) -> Result<Vec<String>, Fault> {
    let sql = "SELECT firm FROM parking WHERE probe_at <= $1 ORDER BY firm";
    let rows = sqlx::query(sql).bind(now.as_millisecond()).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Lets the firm's oldest parked event go ahead, if it is still time to; whether it was.
pub(super) async fn probe(
    connection: &mut PgConnection,
    firm: &FirmId,
    now: Timestamp,
) -> Result<bool, Fault> {
    // Tried again later even if this try is never settled, as after a crash.
    let again = now.saturating_add(LONGEST_PROBE).unwrap_or(Timestamp::MAX).as_millisecond();
    // Another instance may have been first.
    let sql = "UPDATE parking SET probe_at = $1 WHERE firm = $2 AND probe_at <= $3";
    let due = sqlx::query(sql).bind(again).bind(firm.as_str()).bind(now.as_millisecond());
    if due.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = "WITH event AS (UPDATE event SET state = 'ready', due_at = $1 WHERE seq = (
            SELECT seq FROM event WHERE firm = $2 AND state = 'parked' ORDER BY seq LIMIT 1) RETURNING id)
        UPDATE parking SET probe_event = event.id FROM event WHERE firm = $2";
    let tried = sqlx::query(sql).bind(now.as_millisecond()).bind(firm.as_str());
    if tried.execute(&mut *connection).await?.rows_affected() == 0 {
        // Nothing waits, so there is nothing to try it with: the next event will tell.
        resume(connection, firm, now).await?;
    }
    Ok(true)
}

pub(super) async fn parkings(pool: &PgPool) -> Result<Vec<Parking>, Fault> {
    let sql = "SELECT firm, cause, system, reason, since, probe_at FROM parking ORDER BY since, firm";
    sqlx::query(sql).fetch_all(pool).await?.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Parking, Fault> {
    Ok(Parking {
        firm: FirmId::new(row.try_get::<String, _>("firm")?),
        cause: word(row, "cause")?,
        system: word_if_any(row, "system")?,
        reason: row.try_get("reason")?,
        since: moment(row, "since")?,
        probe_at: moment_if_any(row, "probe_at")?,
    })
}
