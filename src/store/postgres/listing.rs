//! What people ask for.

use sqlx::postgres::{PgPool, PgRow, Postgres};
use sqlx::{QueryBuilder, Row};

use super::receive;
use super::rows::{Fault, count, event_id, moment, moment_if_any, small, text, word, word_if_any};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, EventState, FirmId, ReviewId};
use crate::store::figures::{MOST_NAMED, keys_of_word};
use crate::store::{
    CallRecord, CauseRow, EventFilter, EventRow, EventStory, LaneState, PlanRecord, StoreError,
};

fn place(row: &str) -> Place<'_> {
    Place { table: "event", column: "sealed_plan", row }
}

pub(super) fn seal_plan(keyring: &Keyring, event: EventId, plan: &PlanRecord) -> Vec<u8> {
    keyring.seal(place(&event.to_string()), &serde_json::to_vec(plan).expect("a plan is JSON"))
}

fn read_row(row: &PgRow) -> Result<EventRow, Fault> {
    Ok(EventRow {
        id: event_id(row, "id")?,
        firm: FirmId::new(row.try_get::<String, _>("firm")?),
        source: word(row, "source")?,
        kind: row.try_get("type")?,
        state: word(row, "state")?,
        reason: row.try_get("reason")?,
        received_at: moment(row, "received_at")?,
    })
}

pub(super) async fn events(
    pool: &PgPool,
    keyring: &Keyring,
    filter: &EventFilter,
) -> Result<Vec<EventRow>, Fault> {
    let mut sql: QueryBuilder<Postgres> =
        QueryBuilder::new("SELECT id, firm, source, type, state, reason, received_at FROM event WHERE true");
    if let Some(firm) = &filter.firm {
        sql.push(" AND firm = ").push_bind(firm.as_str());
    }
    if let Some(firms) = &filter.within {
        let firms: Vec<String> = firms.iter().map(|firm| text(firm.as_str())).collect();
        sql.push(" AND firm = ANY(").push_bind(firms).push(")");
    }
    if !filter.states.is_empty() {
        let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        sql.push(" AND state = ANY(").push_bind(states).push(")");
    }
    if let Some(cause) = filter.cause {
        sql.push(" AND cause = ").push_bind(cause.as_str());
    }
    if let Some(source) = filter.source {
        sql.push(" AND source = ").push_bind(source.as_str());
    }
    if let Some(word) = &filter.word {
        // What names the person, and what else is in the lane of that person.
        sql.push(" AND seq IN (WITH named AS (SELECT event FROM search_key WHERE digest = ANY(")
            .push_bind(keys_of_word(keyring, word))
            .push(format!(
                ") ORDER BY event DESC LIMIT {MOST_NAMED})
                SELECT event FROM named UNION SELECT other.seq FROM event one
                JOIN event other ON coalesce(other.person, 0) = one.person
                WHERE one.seq IN (SELECT event FROM named) AND one.person IS NOT NULL)"
            ));
    }
    if let Some(kind) = &filter.kind {
        sql.push(" AND type = ").push_bind(text(kind));
    }
    if let Some(until) = filter.until {
        sql.push(" AND received_at < ").push_bind(until.as_millisecond());
    }
    if let Some(since) = filter.since {
        sql.push(" AND received_at >= ").push_bind(since.as_millisecond());
    }
    if let Some(before) = filter.before {
        sql.push(" AND seq < (SELECT seq FROM event WHERE id = ").push_bind(before.0).push(")");
    }
    sql.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::try_from(filter.limit).unwrap_or(i64::MAX));
    sql.build().fetch_all(pool).await?.iter().map(read_row).collect()
}

pub(super) async fn event(
    pool: &PgPool,
    keyring: &Keyring,
    id: EventId,
) -> Result<Option<EventStory>, Fault> {
    let sql =
        "SELECT id, firm, source, type, state, reason, received_at, verified_by, records, sent_at, due_at,
        settled_at, failed_attempts, sealed_plan, seq, cause FROM event WHERE id = $1";
    let Some(row) = sqlx::query(sql).bind(id.0).fetch_optional(pool).await? else { return Ok(None) };
    let row_in_list = read_row(&row)?;
    let is_settled = row_in_list.state.is_settled();
    let due_at = moment_if_any(&row, "due_at")?;
    Ok(Some(EventStory {
        row: row_in_list,
        verified_by: row.try_get("verified_by")?,
        records: serde_json::from_str(row.try_get("records")?).unwrap_or_default(),
        sent_at: moment_if_any(&row, "sent_at")?,
        due_at: due_at.filter(|_| !is_settled),
        settled_at: moment_if_any(&row, "settled_at")?,
        cause: word_if_any(&row, "cause")?,
        failed_attempts: small(&row, "failed_attempts")?,
        plan: open_plan(keyring, id, row.try_get("sealed_plan")?)?,
        calls: calls(pool, row.try_get("seq")?).await?,
        reviews: reviews(pool, row.try_get("seq")?).await?,
    }))
}

fn open_plan(keyring: &Keyring, id: EventId, sealed: Option<&[u8]>) -> Result<Option<PlanRecord>, Fault> {
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = keyring.open(place(&id.to_string()), sealed)?;
    let plan = serde_json::from_slice(&plain);
    Ok(Some(plan.map_err(|error| StoreError::Corrupt(format!("a plan: {error}")))?))
}

async fn reviews(pool: &PgPool, event: i64) -> Result<Vec<ReviewId>, Fault> {
    let sql = "SELECT review FROM review_event WHERE event = $1 ORDER BY review";
    let rows = sqlx::query(sql).bind(event).fetch_all(pool).await?;
    rows.iter().map(|row| Ok(ReviewId(row.try_get("review")?))).collect()
}

async fn calls(pool: &PgPool, event: i64) -> Result<Vec<CallRecord>, Fault> {
    let sql = "SELECT operation, target, effect_key, status, class, started_at, duration_ms, detail FROM call
        WHERE event = $1 ORDER BY started_at, effect_key IS NOT NULL, id";
    let rows = sqlx::query(sql).bind(event).fetch_all(pool).await?;
    let read = |row: &PgRow| -> Result<CallRecord, Fault> {
        let has_status = row.try_get::<Option<i64>, _>("status")?.is_some();
        Ok(CallRecord {
            operation: row.try_get("operation")?,
            target: row.try_get("target")?,
            effect_key: row.try_get("effect_key")?,
            status: has_status.then(|| small(row, "status")).transpose()?,
            class: word(row, "class")?,
            started_at: moment(row, "started_at")?,
            duration_ms: count(row, "duration_ms")?,
            detail: row.try_get("detail")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn payload(pool: &PgPool, keyring: &Keyring, id: EventId) -> Result<Option<Vec<u8>>, Fault> {
    let sql = "SELECT sealed_body FROM payload WHERE event = (SELECT seq FROM event WHERE id = $1)";
    let Some(row) = sqlx::query(sql).bind(id.0).fetch_optional(pool).await? else { return Ok(None) };
    Ok(Some(keyring.open(receive::place(&id.to_string()), row.try_get(0)?)?))
}

pub(super) async fn causes(pool: &PgPool) -> Result<Vec<CauseRow>, Fault> {
    let sql = "SELECT firm, cause, count(*) AS events, min(received_at) AS oldest FROM given_up
        GROUP BY firm, cause ORDER BY count(*) DESC, firm, cause";
    let rows = sqlx::query(sql).fetch_all(pool).await?;
    let read = |row: &PgRow| -> Result<CauseRow, Fault> {
        Ok(CauseRow {
            firm: FirmId::new(row.try_get::<String, _>("firm")?),
            cause: word(row, "cause")?,
            events: count(row, "events")?,
            oldest: moment(row, "oldest")?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn counts(pool: &PgPool) -> Result<LaneState, Fault> {
    let sql = "SELECT state, count(*) AS events FROM event GROUP BY state";
    let rows = sqlx::query(sql).fetch_all(pool).await?;
    let read = |row: &PgRow| -> Result<(EventState, u64), Fault> {
        Ok((word(row, "state")?, count(row, "events")?))
    };
    Ok(LaneState { by_state: rows.iter().map(read).collect::<Result<_, _>>()? })
}
