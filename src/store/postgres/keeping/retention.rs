//! Deleting what was kept long enough. Runs once a day, in steps.

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::super::rows::Fault;
use super::held;
use crate::store::keeping::{BATCH, OVER};
use crate::store::{Kept, LetGo};

/// What to delete.
pub(super) struct Step<'a> {
    pub(super) firm: &'a str,
    pub(super) before: Timestamp,
    /// Rows of events that are old enough stand before this one.
    pub(super) bound: i64,
    pub(super) after: Option<&'a str>,
}

pub(super) async fn let_go(
    connection: &mut PgConnection,
    class: Kept,
    step: &Step<'_>,
) -> Result<LetGo, Fault> {
    let held = held(connection).await?;
    match class {
        Kept::Payloads => {
            let events = old_events(connection, step, &held, "payload").await?;
            let sql = "DELETE FROM payload WHERE event = ANY($1)";
            sqlx::query(sql).bind(&events).execute(&mut *connection).await?;
            let sql = "DELETE FROM action_answer WHERE event IN (SELECT id FROM event WHERE seq = ANY($1))";
            sqlx::query(sql).bind(&events).execute(connection).await?;
            Ok(done(events.len(), events.last().map(ToString::to_string)))
        }
        Kept::Requests => requests(connection, step, &held).await,
        Kept::History => history(connection, step, &held).await,
    }
}

fn done(count: usize, last: Option<String>) -> LetGo {
    LetGo { count: count as u64, next: last.filter(|_| count == BATCH) }
}

/// Rows of events that are over, old, and not held back; those that have a row in the table.
async fn old_events(
    connection: &mut PgConnection,
    step: &Step<'_>,
    held: &[i64],
    table: &str,
) -> Result<Vec<i64>, Fault> {
    let after: i64 = step.after.and_then(|after| after.parse().ok()).unwrap_or(i64::MIN);
    let column = if table == "payload" { "event" } else { "seq" };
    let join = if table == "payload" { "JOIN event ON event.seq = payload.event" } else { "" };
    // The newest row stays: what comes next is numbered after it.
    let sql = format!(
        "SELECT event.seq FROM {table} {join}
        WHERE {table}.{column} > $1 AND {table}.{column} < $2 AND event.firm = $3 AND event.received_at < $4
            AND event.state IN ({OVER}) AND event.seq < (SELECT max(seq) FROM event)
            AND (event.person IS NULL OR event.person <> ALL($5))
        ORDER BY {table}.{column} LIMIT {BATCH}"
    );
    let select = sqlx::query_scalar(AssertSqlSafe(sql)).bind(after).bind(step.bound).bind(step.firm);
    Ok(select.bind(step.before.as_millisecond()).bind(held).fetch_all(connection).await?)
}

async fn requests(connection: &mut PgConnection, step: &Step<'_>, held: &[i64]) -> Result<LetGo, Fault> {
    let sql = format!(
        "SELECT key FROM effect WHERE firm = $1 AND key > $2 AND completed_at < $3 AND length(sealed_request) > 0
            AND coalesce((SELECT person FROM event WHERE event.id = effect.event), 0) <> ALL($4)
        ORDER BY key LIMIT {BATCH}"
    );
    let select = sqlx::query_scalar(AssertSqlSafe(sql)).bind(step.firm).bind(step.after.unwrap_or_default());
    let select = select.bind(step.before.as_millisecond()).bind(held);
    let found: Vec<String> = select.fetch_all(&mut *connection).await?;
    clear_requests(connection, step.firm, &found).await?;
    Ok(done(found.len(), found.last().cloned()))
}

/// Takes requests' bodies away and keeps what they achieved.
pub(super) async fn clear_requests(
    connection: &mut PgConnection,
    firm: &str,
    keys: &[String],
) -> Result<(), Fault> {
    let sql = "UPDATE effect SET sealed_request = '' WHERE firm = $1 AND key = ANY($2)";
    sqlx::query(sql).bind(firm).bind(keys).execute(connection).await?;
    Ok(())
}

async fn history(connection: &mut PgConnection, step: &Step<'_>, held: &[i64]) -> Result<LetGo, Fault> {
    if step.after.is_none() {
        let day = step.before.strftime("%Y-%m-%d").to_string();
        for sql in [
            "DELETE FROM loss WHERE firm = $1 AND day < $2",
            "DELETE FROM loss_gap WHERE firm = $1 AND day < $2",
        ] {
            sqlx::query(sql).bind(step.firm).bind(&day).execute(&mut *connection).await?;
        }
        for sql in [
            "DELETE FROM notice WHERE alert IN (SELECT id FROM alert WHERE firm = $1 AND ended_at < $2)",
            "DELETE FROM alert WHERE firm = $1 AND ended_at < $2",
        ] {
            let delete = sqlx::query(sql).bind(step.firm).bind(step.before.as_millisecond());
            delete.execute(&mut *connection).await?;
        }
        moot_questions(connection, step, held).await?;
    }
    let events = old_events(connection, step, held, "event").await?;
    for sql in [
        "DELETE FROM payload WHERE event = ANY($1)",
        "DELETE FROM call WHERE event = ANY($1)",
        "DELETE FROM review_event WHERE event = ANY($1)",
        "DELETE FROM action_answer WHERE event IN (SELECT id FROM event WHERE seq = ANY($1))",
        "DELETE FROM rule_run WHERE event IN (SELECT id FROM event WHERE seq = ANY($1))",
        "DELETE FROM event WHERE seq = ANY($1)",
    ] {
        sqlx::query(sql).bind(&events).execute(&mut *connection).await?;
    }
    Ok(done(events.len(), events.last().map(ToString::to_string)))
}

/// Deletes questions that answered themselves. What a person decided stays: it would be asked again.
async fn moot_questions(connection: &mut PgConnection, step: &Step<'_>, held: &[i64]) -> Result<(), Fault> {
    let sql = "SELECT id FROM review WHERE firm = $1 AND resolved_at < $2 AND action IS NULL AND NOT EXISTS (
            SELECT 1 FROM review_event JOIN event ON event.seq = review_event.event
            WHERE review_event.review = review.id AND event.person = ANY($3))";
    let select = sqlx::query(sql).bind(step.firm).bind(step.before.as_millisecond()).bind(held);
    let found = select.fetch_all(&mut *connection).await?;
    let found: Vec<Uuid> = found.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
    delete_questions(connection, &found).await
}

pub(super) async fn delete_questions(connection: &mut PgConnection, ids: &[Uuid]) -> Result<(), Fault> {
    for sql in ["DELETE FROM review_event WHERE review = ANY($1)", "DELETE FROM review WHERE id = ANY($1)"] {
        sqlx::query(sql).bind(ids).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes dead rows out of the pages of what holds personal data.
pub(super) async fn vacuum(pool: &PgPool) -> Result<(), Fault> {
    for table in ["payload", "effect", "event", "call", "link", "review", "hand_off"] {
        sqlx::raw_sql(AssertSqlSafe(format!("VACUUM {table}"))).execute(pool).await?;
    }
    Ok(())
}
