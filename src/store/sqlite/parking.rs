//! Firms whose events are kept and not worked on.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{Id, Millis, Word};
use crate::domain::{EventId, FirmId, Outcome, ParkCause, System};
use crate::store::{Lease, Parking, StoreError};

/// The pause before a parked firm is first tried again; each failed try doubles it.
const FIRST_PROBE: SignedDuration = SignedDuration::from_secs(30);
/// The longest pause between two tries.
const LONGEST_PROBE: SignedDuration = SignedDuration::from_mins(15);

/// What a turn's outcome is, given that the firm may be parked or be parked by it.
///
/// The event that was let go ahead decides: if it failed as before, the firm stays parked; with any other outcome the
/// firm goes on. What else was under way when the firm was parked only joins the others if it failed too.
pub(super) fn outcome_of(
    connection: &Connection,
    lease: &Lease,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<Outcome, StoreError> {
    let firm = lease.firm.as_str();
    let sql = "SELECT cause, system, probe_event FROM parking WHERE firm = ?";
    let known = connection
        .prepare_cached(sql)?
        .query_row([firm], |row| {
            let cause = row.get::<_, Word<ParkCause>>(0)?.0;
            let system = row.get::<_, Option<Word<System>>>(1)?.map(|word| word.0);
            Ok((cause, system, row.get::<_, Option<Id>>(2)?.map(|id| id.0)))
        })
        .optional()?;
    let is_probe = matches!(&known, Some((_, _, Some(probe))) if *probe == lease.event);
    let parked = match (outcome, &known) {
        (Outcome::Parked { .. }, _) => outcome.clone(),
        (Outcome::RetryIn { why, counts: true, .. }, Some((cause, Some(system), _))) => {
            Outcome::Parked { cause: *cause, system: *system, why: why.clone() }
        }
        _ => {
            if is_probe {
                resume(connection, &lease.firm, now)?;
            }
            return Ok(outcome.clone());
        }
    };
    if let Outcome::Parked { cause, system, why } = &parked
        && (is_probe || known.is_none())
    {
        park(connection, firm, *cause, Some(*system), why, now)?;
    }
    Ok(parked)
}

fn park(
    connection: &Connection,
    firm: &str,
    cause: ParkCause,
    system: Option<System>,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let probes: Option<u32> = connection
        .prepare_cached("SELECT probes FROM parking WHERE firm = ?")?
        .query_row([firm], |row| row.get(0))
        .optional()?;
    let pause =
        FIRST_PROBE.saturating_mul(1 << probes.map_or(0, |probes| probes + 1).min(10)).min(LONGEST_PROBE);
    let probe_at =
        (cause != ParkCause::Paused).then(|| Millis(now.saturating_add(pause).unwrap_or(Timestamp::MAX)));
    let sql = "INSERT INTO parking (firm, cause, system, reason, since, probe_at) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (firm) DO UPDATE SET cause = excluded.cause, system = excluded.system, reason = excluded.reason,
            probes = probes + 1, probe_at = excluded.probe_at, probe_event = NULL";
    let system = system.map(System::as_str);
    connection.prepare_cached(sql)?.execute(params![
        firm,
        cause.as_str(),
        system,
        why,
        Millis(now),
        probe_at
    ])?;
    let sql = "UPDATE event SET state = 'parked' WHERE firm = ? AND state IN ('ready', 'retrying')";
    connection.prepare_cached(sql)?.execute([firm])?;
    Ok(())
}

pub(super) fn pause(
    connection: &Connection,
    firm: &FirmId,
    why: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    park(connection, firm.as_str(), ParkCause::Paused, None, why, now)
}

pub(super) fn resume(
    connection: &Connection,
    firm: &FirmId,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    if connection.prepare_cached("DELETE FROM parking WHERE firm = ?")?.execute([firm.as_str()])? == 0 {
        return Ok(None);
    }
    // All are due at once; within a firm the order of receipt decides.
    let sql = "UPDATE event SET state = 'ready', due_at = ? WHERE firm = ? AND state = 'parked'";
    Ok(Some(connection.prepare_cached(sql)?.execute(params![Millis(now), firm.as_str()])? as u64))
}

/// Lets the oldest parked event of each firm whose time it is go ahead.
pub(super) fn probe(connection: &Connection, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT firm FROM parking WHERE probe_at <= ?";
    let mut due = connection.prepare_cached(sql)?;
    let firms =
        due.query_map([Millis(now)], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for firm in &firms {
        let sql = "UPDATE event SET state = 'ready', due_at = ? WHERE seq = (
            SELECT seq FROM event WHERE firm = ? AND state = 'parked' ORDER BY seq LIMIT 1) RETURNING id";
        let event: Option<EventId> = connection
            .prepare_cached(sql)?
            .query_row(params![Millis(now), firm], |row| row.get::<_, Id>(0))
            .optional()?
            .map(|id| id.0);
        match event {
            // Tried again later even if this try is never settled, as after a crash.
            Some(event) => {
                let again = Millis(now.saturating_add(LONGEST_PROBE).unwrap_or(Timestamp::MAX));
                let sql = "UPDATE parking SET probe_event = ?, probe_at = ? WHERE firm = ?";
                connection.prepare_cached(sql)?.execute(params![Id(event), again, firm])?;
            }
            // Nothing waits, so there is nothing to try it with: the next event will tell.
            None => {
                resume(connection, &FirmId::new(firm), now)?;
            }
        }
    }
    Ok(firms.len() as u64)
}

pub(super) fn parkings(connection: &Connection) -> Result<Vec<Parking>, StoreError> {
    let sql = "SELECT firm, cause, system, reason, since, probe_at FROM parking ORDER BY since";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Parking> {
    Ok(Parking {
        firm: FirmId::new(row.get::<_, String>(0)?),
        cause: row.get::<_, Word<ParkCause>>(1)?.0,
        system: row.get::<_, Option<Word<System>>>(2)?.map(|word| word.0),
        reason: row.get(3)?,
        since: row.get::<_, Millis>(4)?.0,
        probe_at: row.get::<_, Option<Millis>>(5)?.map(|at| at.0),
    })
}
