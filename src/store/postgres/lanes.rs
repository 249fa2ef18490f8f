//! Lanes: a person's pending events in order of receipt, of which only the head may be claimed.
//!
//! Whatever moves events within a firm's lanes holds the firm's lock ([`super::Core::begin`]), so that it sees what
//! the one before it committed. Only claiming takes a ready head without it: a head stays a head then.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::rows::{Fault, text};
use crate::domain::{EventState, RecordRef};

/// The person one of these records belongs to, the first record's before the others'. Records nobody knows yet become
/// that person's; if none is known, they start a person.
pub(super) async fn person_of(
    connection: &mut PgConnection,
    firm: &str,
    records: &[RecordRef],
) -> Result<Option<i64>, Fault> {
    if records.is_empty() {
        return Ok(None);
    }
    let records: Vec<String> = records.iter().map(|record| text(&record.to_string())).collect();
    let sql = "SELECT known.person FROM unnest($2::text[]) WITH ORDINALITY AS given (record, place)
        CROSS JOIN LATERAL (SELECT person FROM person_record
            WHERE firm = $1 AND record = given.record LIMIT 1) known ORDER BY place LIMIT 1";
    let known = sqlx::query(sql).bind(firm).bind(&records).fetch_optional(&mut *connection).await?;
    let row = match known {
        Some(row) => row,
        None => {
            let sql = "INSERT INTO person (firm) VALUES ($1) RETURNING id";
            sqlx::query(sql).bind(firm).fetch_one(&mut *connection).await?
        }
    };
    let person: i64 = row.try_get(0)?;
    let sql = "INSERT INTO person_record (firm, record, person) SELECT $1, record, $3 FROM unnest($2::text[]) record
        ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(firm).bind(&records).bind(person).execute(connection).await?;
    Ok(Some(person))
}

/// Whether a lane has a head already.
pub(super) async fn has_head(connection: &mut PgConnection, person: Option<i64>) -> Result<bool, Fault> {
    let Some(person) = person else { return Ok(false) };
    Ok(heads(connection, person).await? > 0)
}

async fn heads(connection: &mut PgConnection, person: i64) -> Result<i64, Fault> {
    let sql = "SELECT count(*) FROM event WHERE person = $1 AND state IN ('ready', 'running', 'retrying', 'parked')";
    Ok(sqlx::query(sql).bind(person).fetch_one(connection).await?.try_get(0)?)
}

/// What the head of a lane of this firm is: parked with its firm, or ready.
pub(super) async fn head_state(connection: &mut PgConnection, firm: &str) -> Result<EventState, Fault> {
    let sql = "SELECT 1 FROM parking WHERE firm = $1";
    let parked = sqlx::query(sql).bind(firm).fetch_optional(connection).await?;
    Ok(if parked.is_some() { EventState::Parked } else { EventState::Ready })
}

/// Makes the oldest waiting event the head of each of these lanes that has none.
pub(super) async fn promote(connection: &mut PgConnection, people: &BTreeSet<i64>) -> Result<(), Fault> {
    let sql =
        "UPDATE event SET state = CASE WHEN firm IN (SELECT firm FROM parking) THEN 'parked' ELSE 'ready' END
        FROM unnest($1::bigint[]) AS lane (person) CROSS JOIN LATERAL (
            SELECT seq FROM event WHERE person = lane.person AND state = 'waiting'
            ORDER BY coalesce(turn, seq), seq LIMIT 1) next
        WHERE event.seq = next.seq AND NOT EXISTS (SELECT 1 FROM event head WHERE head.person = lane.person
            AND head.state IN ('ready', 'running', 'retrying', 'parked'))";
    let people: Vec<i64> = people.iter().copied().collect();
    sqlx::query(sql).bind(people).execute(connection).await?;
    Ok(())
}

/// Puts a lane in order of receipt again after events joined it: heads that nobody holds go back to waiting, and the
/// oldest is promoted once every lease has settled.
pub(super) async fn reform(connection: &mut PgConnection, person: i64) -> Result<(), Fault> {
    let sql =
        "UPDATE event SET state = 'waiting' WHERE person = $1 AND state IN ('ready', 'retrying', 'parked')";
    sqlx::query(sql).bind(person).execute(&mut *connection).await?;
    promote(connection, &BTreeSet::from([person])).await
}

/// Leaves one head to a lane whose leases ended while it had several, as after two people were united.
pub(super) async fn keep_one_head(connection: &mut PgConnection, person: Option<i64>) -> Result<(), Fault> {
    match person {
        Some(person) if heads(connection, person).await? > 1 => reform(connection, person).await,
        _ => Ok(()),
    }
}

/// Makes one person of those that these two records belong to.
pub(super) async fn unite(
    connection: &mut PgConnection,
    firm: &str,
    pair: [&RecordRef; 2],
) -> Result<(), Fault> {
    let [one, other] = pair.map(|record| text(&record.to_string()));
    let sql = "SELECT unite_people(person_of($1, $2), person_of($1, $3))";
    sqlx::query(sql).bind(firm).bind(one).bind(other).execute(connection).await?;
    Ok(())
}

/// Makes one person of two; which of them it is.
pub(super) async fn unite_people(connection: &mut PgConnection, one: i64, other: i64) -> Result<i64, Fault> {
    let united = sqlx::query("SELECT unite_people($1, $2)").bind(one).bind(other);
    Ok(united.fetch_one(connection).await?.try_get(0)?)
}
