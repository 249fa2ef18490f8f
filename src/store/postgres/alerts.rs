//! What people are told of.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::core::in_transaction;
use super::rows::{Fault, count, moment, moment_if_any, small, text, word};
use super::{NO_FIRM, PostgresStore, read};
use crate::domain::{EventId, FirmId};
use crate::store::{Alert, Alerts, BacklogRow, Notice, Raised, StoreError};

#[async_trait]
impl Alerts for PostgresStore {
    async fn raise(&self, alert: &Raised, channels: &[&str], tell_at: Timestamp) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| raise(
            connection, alert, channels, tell_at, now
        ))?)
    }

    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let reading = async {
            let sql = format!("SELECT {COLUMNS} FROM alert WHERE ended_at IS NULL ORDER BY id");
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.core.pool).await?;
            rows.iter().map(read_alert).collect()
        };
        read(reading).await
    }

    async fn end_alert(&self, id: Uuid, tell_at: Timestamp) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| end(connection, id, tell_at, now))?)
    }

    async fn take_notices(
        &self,
        owner: &str,
        lease: SignedDuration,
        most: usize,
    ) -> Result<Vec<Notice>, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| take(connection, owner, now, lease, most))?)
    }

    async fn told(&self, notice: &Notice) -> Result<(), StoreError> {
        let now = self.core.now().await?;
        let sql = "UPDATE notice SET told_at = $1, lease_owner = NULL, lease_until = NULL
            WHERE alert = $2 AND channel = $3 AND is_end = $4";
        let update = sqlx::query(sql).bind(now.as_millisecond()).bind(notice.alert.id);
        let update = update.bind(&notice.channel).bind(notice.is_end);
        read(async { Ok(update.execute(&self.core.pool).await.map(|_| ())?) }).await
    }

    async fn tell_later(&self, notice: &Notice, pause: SignedDuration) -> Result<(), StoreError> {
        let due = self.core.now().await?.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let sql =
            "UPDATE notice SET attempts = attempts + 1, due_at = $1, lease_owner = NULL, lease_until = NULL
            WHERE alert = $2 AND channel = $3 AND is_end = $4 AND told_at IS NULL";
        let update = sqlx::query(sql).bind(due.as_millisecond()).bind(notice.alert.id);
        let update = update.bind(&notice.channel).bind(notice.is_end);
        read(async { Ok(update.execute(&self.core.pool).await.map(|_| ())?) }).await
    }

    async fn backlog(&self) -> Result<Vec<BacklogRow>, StoreError> {
        let reading = async {
            // Each half is answered by an index of its own.
            let sql = "SELECT firm, source, type, count(*) AS events, min(received_at) AS oldest FROM (
                    SELECT firm, source, type, received_at FROM event
                    WHERE state IN ('ready', 'running', 'retrying', 'parked')
                    UNION ALL SELECT firm, source, type, received_at FROM event WHERE state = 'waiting') AS pending
                GROUP BY firm, source, type ORDER BY firm, source, type";
            let rows = sqlx::query(sql).fetch_all(&self.core.pool).await?;
            rows.iter().map(read_backlog).collect()
        };
        read(reading).await
    }

    async fn forget(&self, event: EventId) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| forget(connection, event))?)
    }
}

const COLUMNS: &str =
    "alert.id, alert.key, alert.firm, alert.message, alert.is_urgent, alert.opened_at, alert.seen_at,
    alert.ended_at";

fn read_alert(row: &PgRow) -> Result<Alert, Fault> {
    Ok(Alert {
        id: row.try_get("id")?,
        key: row.try_get("key")?,
        firm: FirmId::new(row.try_get::<String, _>("firm")?),
        message: row.try_get("message")?,
        is_urgent: row.try_get("is_urgent")?,
        opened_at: moment(row, "opened_at")?,
        seen_at: moment(row, "seen_at")?,
        ended_at: moment_if_any(row, "ended_at")?,
    })
}

fn read_backlog(row: &PgRow) -> Result<BacklogRow, Fault> {
    Ok(BacklogRow {
        firm: FirmId::new(row.try_get::<String, _>("firm")?),
        source: word(row, "source")?,
        kind: row.try_get("type")?,
        events: count(row, "events")?,
        oldest: moment(row, "oldest")?,
    })
}

async fn raise(
    connection: &mut PgConnection,
    alert: &Raised,
    channels: &[&str],
    tell_at: Timestamp,
    now: Timestamp,
) -> Result<bool, Fault> {
    let id = Uuid::now_v7();
    let sql = "INSERT INTO alert (id, key, firm, message, is_urgent, opened_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (key) WHERE ended_at IS NULL DO UPDATE SET message = excluded.message, seen_at = excluded.seen_at
        RETURNING id";
    let insert = sqlx::query_scalar(sql).bind(id).bind(text(&alert.key)).bind(alert.firm.as_str());
    let insert = insert.bind(text(&alert.message)).bind(alert.is_urgent).bind(now.as_millisecond());
    let stored: Uuid = insert.fetch_one(&mut *connection).await?;
    if stored != id {
        return Ok(false);
    }
    let sql = "INSERT INTO notice (alert, channel, is_end, due_at)
        SELECT $1, channel, false, $2 FROM unnest($3::text[]) AS channel ON CONFLICT DO NOTHING";
    let insert = sqlx::query(sql).bind(id).bind(tell_at.as_millisecond()).bind(channels);
    insert.execute(connection).await?;
    Ok(true)
}

async fn end(
    connection: &mut PgConnection,
    id: Uuid,
    tell_at: Timestamp,
    now: Timestamp,
) -> Result<bool, Fault> {
    let sql = "UPDATE alert SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL";
    let update = sqlx::query(sql).bind(now.as_millisecond()).bind(id);
    if update.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    // One that is being told at this moment counts as told.
    let sql = "DELETE FROM notice WHERE alert = $1 AND told_at IS NULL AND coalesce(lease_until, 0) <= $2";
    sqlx::query(sql).bind(id).bind(now.as_millisecond()).execute(&mut *connection).await?;
    let sql = "INSERT INTO notice (alert, channel, is_end, due_at)
        SELECT alert, channel, true, $2 FROM notice WHERE alert = $1 AND NOT is_end ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(id).bind(tell_at.as_millisecond()).execute(connection).await?;
    Ok(true)
}

async fn take(
    connection: &mut PgConnection,
    owner: &str,
    now: Timestamp,
    lease: SignedDuration,
    most: usize,
) -> Result<Vec<Notice>, Fault> {
    let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
    // That it began is told before that it is over.
    let sql = format!(
        "SELECT {COLUMNS}, notice.channel, notice.is_end, notice.attempts FROM notice
        JOIN alert ON alert.id = notice.alert
        WHERE notice.told_at IS NULL AND notice.due_at <= $1 AND coalesce(notice.lease_until, 0) <= $1
            AND (NOT notice.is_end OR NOT EXISTS (SELECT 1 FROM notice AS first WHERE first.alert = notice.alert
                AND first.channel = notice.channel AND NOT first.is_end AND first.told_at IS NULL))
        ORDER BY notice.due_at, alert.id LIMIT $2 FOR UPDATE OF notice SKIP LOCKED"
    );
    let select = sqlx::query(AssertSqlSafe(sql)).bind(now.as_millisecond());
    let rows = select.bind(i64::try_from(most).unwrap_or(i64::MAX)).fetch_all(&mut *connection).await?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in &rows {
        taken.push(Notice {
            alert: read_alert(row)?,
            channel: row.try_get("channel")?,
            is_end: row.try_get("is_end")?,
            attempts: small(row, "attempts")?,
        });
    }
    let sql = "UPDATE notice SET lease_owner = $1, lease_until = $2 WHERE alert = $3 AND channel = $4 AND is_end = $5";
    for notice in &taken {
        let update = sqlx::query(sql).bind(owner).bind(until.as_millisecond()).bind(notice.alert.id);
        update.bind(&notice.channel).bind(notice.is_end).execute(&mut *connection).await?;
    }
    Ok(taken)
}

async fn forget(connection: &mut PgConnection, event: EventId) -> Result<bool, Fault> {
    // The newest row stays: what comes next is numbered after it.
    let sql = "SELECT seq FROM event WHERE id = $1 AND records = '[]' AND settled_at IS NOT NULL
        AND seq < (SELECT max(seq) FROM event)";
    let seq: Option<i64> = sqlx::query_scalar(sql).bind(event.0).fetch_optional(&mut *connection).await?;
    let Some(seq) = seq else { return Ok(false) };
    for sql in [
        "DELETE FROM payload WHERE event = $1",
        "DELETE FROM call WHERE event = $1",
        "DELETE FROM review_event WHERE event = $1",
        "DELETE FROM event WHERE seq = $1",
    ] {
        sqlx::query(sql).bind(seq).execute(&mut *connection).await?;
    }
    Ok(true)
}
