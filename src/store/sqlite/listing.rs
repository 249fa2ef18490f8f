//! What people ask for.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::lanes::HEAD;
use super::rows::{Id, Millis, Word};
use super::{alerts, receive};
use crate::crypto::{Keyring, Place};
use crate::domain::{CallClass, Cause, EventId, EventState, FirmId, ReviewId, System};
use crate::store::figures::{MOST_NAMED, keys_of_word};
use crate::store::{
    Alert, BacklogRow, CallRecord, CauseRow, EventFilter, EventRow, EventStory, LaneState, PlanRecord,
    StoreError,
};

const COLUMNS: &str = "id, firm, source, type, state, reason, received_at";

fn place(row: &str) -> Place<'_> {
    Place { table: "event", column: "sealed_plan", row }
}

pub(super) fn seal_plan(keyring: &Keyring, event: EventId, plan: &PlanRecord) -> Vec<u8> {
    keyring.seal(place(&event.to_string()), &serde_json::to_vec(plan).expect("a plan is JSON"))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: row.get::<_, Id>(0)?.0,
        firm: FirmId::new(row.get::<_, String>(1)?),
        source: row.get::<_, Word<System>>(2)?.0,
        kind: row.get(3)?,
        state: row.get::<_, Word<EventState>>(4)?.0,
        reason: row.get(5)?,
        received_at: row.get::<_, Millis>(6)?.0,
    })
}

pub(super) fn events(
    connection: &Connection,
    keyring: &Keyring,
    filter: &EventFilter,
) -> Result<Vec<EventRow>, StoreError> {
    let mut sql = format!("SELECT {COLUMNS} FROM event WHERE 1");
    let mut values: Vec<Value> = Vec::new();
    if let Some(firm) = &filter.firm {
        sql.push_str(" AND firm = ?");
        values.push(firm.as_str().to_owned().into());
    }
    if let Some(firms) = &filter.within {
        let places = vec!["?"; firms.len()].join(", ");
        sql.push_str(&format!(" AND firm IN ({places})"));
        values.extend(firms.iter().map(|firm| Value::from(firm.as_str().to_owned())));
    }
    if !filter.states.is_empty() {
        let places = vec!["?"; filter.states.len()].join(", ");
        sql.push_str(&format!(" AND state IN ({places})"));
        values.extend(filter.states.iter().map(|state| Value::from(state.as_str().to_owned())));
    }
    if let Some(cause) = filter.cause {
        sql.push_str(" AND cause = ?");
        values.push(cause.as_str().to_owned().into());
    }
    if let Some(source) = filter.source {
        sql.push_str(" AND source = ?");
        values.push(source.as_str().to_owned().into());
    }
    if let Some(word) = &filter.word {
        let keys = keys_of_word(keyring, word);
        let places = vec!["?"; keys.len()].join(", ");
        // What names the person, and what else is in the lane of that person.
        sql.push_str(&format!(
            " AND seq IN (WITH named AS (SELECT event FROM search_key WHERE digest IN ({places})
                ORDER BY event DESC LIMIT {MOST_NAMED})
            SELECT event FROM named UNION SELECT other.seq FROM event one
                JOIN event other ON coalesce(other.person, 0) = one.person
                WHERE one.seq IN (SELECT event FROM named) AND one.person IS NOT NULL)"
        ));
        values.extend(keys.into_iter().map(Value::from));
    }
    if let Some(kind) = &filter.kind {
        sql.push_str(" AND type = ?");
        values.push(kind.clone().into());
    }
    if let Some(since) = filter.since {
        sql.push_str(" AND received_at >= ?");
        values.push(since.as_millisecond().into());
    }
    if let Some(until) = filter.until {
        sql.push_str(" AND received_at < ?");
        values.push(until.as_millisecond().into());
    }
    if let Some(before) = filter.before {
        sql.push_str(" AND seq < (SELECT seq FROM event WHERE id = ?)");
        values.push(before.0.as_bytes().to_vec().into());
    }
    sql.push_str(" ORDER BY seq DESC LIMIT ?");
    values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), read_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn event(
    connection: &Connection,
    keyring: &Keyring,
    id: EventId,
) -> Result<Option<EventStory>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, verified_by, records, sent_at, due_at, settled_at, failed_attempts, sealed_plan, seq, cause
        FROM event WHERE id = ?"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row([Id(id)], |row| {
            let records: String = row.get(8)?;
            let story = EventStory {
                row: read_row(row)?,
                verified_by: row.get(7)?,
                records: serde_json::from_str(&records).unwrap_or_default(),
                sent_at: row.get::<_, Option<Millis>>(9)?.map(|at| at.0),
                due_at: row.get::<_, Option<Millis>>(10)?.map(|at| at.0),
                settled_at: row.get::<_, Option<Millis>>(11)?.map(|at| at.0),
                cause: row.get::<_, Option<Word<Cause>>>(15)?.map(|word| word.0),
                failed_attempts: row.get(12)?,
                plan: None,
                calls: Vec::new(),
                reviews: Vec::new(),
            };
            Ok((story, row.get::<_, Option<Vec<u8>>>(13)?, row.get::<_, i64>(14)?))
        })
        .optional()?;
    let Some((mut story, plan, seq)) = found else { return Ok(None) };
    if story.row.state.is_settled() {
        story.due_at = None;
    }
    if let Some(sealed) = plan {
        let plain = keyring.open(place(&id.to_string()), &sealed)?;
        let plan = serde_json::from_slice(&plain)
            .map_err(|error| StoreError::Corrupt(format!("a plan: {error}")))?;
        story.plan = Some(plan);
    }
    story.calls = calls(connection, seq)?;
    let sql = "SELECT review FROM review_event WHERE event = ? ORDER BY review";
    let mut select = connection.prepare_cached(sql)?;
    let reviews = select.query_map([seq], |row| Ok(ReviewId(row.get::<_, Id>(0)?.0.0)))?;
    story.reviews = reviews.collect::<Result<_, _>>()?;
    Ok(Some(story))
}

fn calls(connection: &Connection, event: i64) -> Result<Vec<CallRecord>, StoreError> {
    let sql = "SELECT operation, target, effect_key, status, class, started_at, duration_ms, detail FROM call
        WHERE event = ? ORDER BY started_at, effect_key IS NOT NULL, id";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map(params![event], |row| {
        Ok(CallRecord {
            operation: row.get(0)?,
            target: row.get(1)?,
            effect_key: row.get(2)?,
            status: row.get(3)?,
            class: row.get::<_, Word<CallClass>>(4)?.0,
            started_at: row.get::<_, Millis>(5)?.0,
            duration_ms: row.get::<_, i64>(6)?.unsigned_abs(),
            detail: row.get(7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn payload(
    connection: &Connection,
    keyring: &Keyring,
    id: EventId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT sealed_body FROM payload WHERE event = (SELECT seq FROM event WHERE id = ?)";
    let sealed: Option<Vec<u8>> =
        connection.prepare_cached(sql)?.query_row([Id(id)], |row| row.get(0)).optional()?;
    Ok(sealed.map(|sealed| keyring.open(receive::place(&id.to_string()), &sealed)).transpose()?)
}

pub(super) fn causes(connection: &Connection) -> Result<Vec<CauseRow>, StoreError> {
    let sql = "SELECT firm, cause, count(*), min(received_at) FROM event
        WHERE state = 'undelivered' AND cause IS NOT NULL GROUP BY firm, cause ORDER BY count(*) DESC";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([], |row| {
        Ok(CauseRow {
            firm: FirmId::new(row.get::<_, String>(0)?),
            cause: row.get::<_, Word<Cause>>(1)?.0,
            events: row.get::<_, i64>(2)?.unsigned_abs(),
            oldest: row.get::<_, Millis>(3)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn open_alerts(connection: &Connection) -> Result<Vec<Alert>, StoreError> {
    let sql = format!("SELECT {} FROM alert WHERE ended_at IS NULL ORDER BY id", alerts::COLUMNS);
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_map([], alerts::read_alert)?.collect::<Result<_, _>>()?)
}

pub(super) fn backlog(connection: &Connection) -> Result<Vec<BacklogRow>, StoreError> {
    // Each half is answered by an index of its own.
    let sql = format!(
        "SELECT firm, source, type, count(*), min(received_at) FROM (
            SELECT firm, source, type, received_at FROM event WHERE {HEAD}
            UNION ALL SELECT firm, source, type, received_at FROM event WHERE state = 'waiting')
        GROUP BY firm, source, type ORDER BY firm, source, type"
    );
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_map([], alerts::read_backlog)?.collect::<Result<_, _>>()?)
}

pub(super) fn counts(connection: &Connection) -> Result<LaneState, StoreError> {
    let mut select = connection.prepare_cached("SELECT state, count(*) FROM event GROUP BY state")?;
    let rows = select.query_map([], |row| {
        Ok((row.get::<_, Word<EventState>>(0)?.0, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    Ok(LaneState { by_state: rows.collect::<Result<_, _>>()? })
}
