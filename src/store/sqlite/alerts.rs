//! What people are told of.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::{Id, Millis, Word};
use super::{SqliteStore, listing};
use crate::domain::{EventId, FirmId};
use crate::store::{Alert, Alerts, BacklogRow, Notice, Raised, StoreError};

#[async_trait]
impl Alerts for SqliteStore {
    async fn raise(&self, alert: &Raised, channels: &[&str], tell_at: Timestamp) -> Result<bool, StoreError> {
        let (alert, now) = (alert.clone(), self.now());
        let channels: Vec<String> = channels.iter().map(|channel| (*channel).to_owned()).collect();
        self.write(move |connection| raise(connection, &alert, &channels, tell_at, now)).await
    }

    async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        self.read(|connection, _| listing::open_alerts(connection)).await
    }

    async fn end_alert(&self, id: Uuid, tell_at: Timestamp) -> Result<bool, StoreError> {
        let now = self.now();
        self.write(move |connection| end(connection, id, tell_at, now)).await
    }

    async fn take_notices(
        &self,
        owner: &str,
        lease: SignedDuration,
        most: usize,
    ) -> Result<Vec<Notice>, StoreError> {
        let (owner, now) = (owner.to_owned(), self.now());
        let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
        self.write(move |connection| take(connection, &owner, now, until, most)).await
    }

    async fn told(&self, notice: &Notice) -> Result<(), StoreError> {
        let (notice, now) = (notice.clone(), self.now());
        self.write(move |connection| {
            let sql = "UPDATE notice SET told_at = ?, lease_owner = NULL, lease_until = NULL
                WHERE alert = ? AND channel = ? AND is_end = ?";
            let values = params![Millis(now), key(notice.alert.id), notice.channel, notice.is_end];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    async fn tell_later(&self, notice: &Notice, pause: SignedDuration) -> Result<(), StoreError> {
        let (notice, now) = (notice.clone(), self.now());
        self.write(move |connection| {
            let due = Millis(now.saturating_add(pause).unwrap_or(Timestamp::MAX));
            let sql = "UPDATE notice SET attempts = attempts + 1, due_at = ?, lease_owner = NULL, lease_until = NULL
                WHERE alert = ? AND channel = ? AND is_end = ? AND told_at IS NULL";
            let values = params![due, key(notice.alert.id), notice.channel, notice.is_end];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    async fn backlog(&self) -> Result<Vec<BacklogRow>, StoreError> {
        self.read(|connection, _| listing::backlog(connection)).await
    }

    async fn forget(&self, event: EventId) -> Result<bool, StoreError> {
        self.write(move |connection| forget(connection, event)).await
    }
}

fn key(id: Uuid) -> Id {
    Id(EventId(id))
}

/// An alert from its columns, in the order of [`COLUMNS`].
pub(super) fn read_alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    Ok(Alert {
        id: row.get::<_, Id>(0)?.0.0,
        key: row.get(1)?,
        firm: FirmId::new(row.get::<_, String>(2)?),
        message: row.get(3)?,
        is_urgent: row.get(4)?,
        opened_at: row.get::<_, Millis>(5)?.0,
        seen_at: row.get::<_, Millis>(6)?.0,
        ended_at: row.get::<_, Option<Millis>>(7)?.map(|at| at.0),
    })
}

/// The columns of an alert.
pub(super) const COLUMNS: &str =
    "alert.id, alert.key, alert.firm, alert.message, alert.is_urgent, alert.opened_at,
    alert.seen_at, alert.ended_at";

fn raise(
    connection: &Connection,
    alert: &Raised,
    channels: &[String],
    tell_at: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let id = Uuid::now_v7();
    let sql = "INSERT INTO alert (id, key, firm, message, is_urgent, opened_at, seen_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
        ON CONFLICT (key) WHERE ended_at IS NULL DO UPDATE SET message = excluded.message, seen_at = excluded.seen_at
        RETURNING id";
    let values =
        params![key(id), alert.key, alert.firm.as_str(), alert.message, alert.is_urgent, Millis(now)];
    let stored = connection.prepare_cached(sql)?.query_row(values, |row| row.get::<_, Id>(0))?;
    if stored.0.0 != id {
        return Ok(false);
    }
    let sql =
        "INSERT INTO notice (alert, channel, is_end, due_at) VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING";
    for channel in channels {
        connection.prepare_cached(sql)?.execute(params![key(id), channel, Millis(tell_at)])?;
    }
    Ok(true)
}

fn end(connection: &Connection, id: Uuid, tell_at: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "UPDATE alert SET ended_at = ? WHERE id = ? AND ended_at IS NULL";
    if connection.prepare_cached(sql)?.execute(params![Millis(now), key(id)])? == 0 {
        return Ok(false);
    }
    // One that is being told at this moment counts as told.
    let sql = "DELETE FROM notice WHERE alert = ? AND told_at IS NULL AND coalesce(lease_until, 0) <= ?";
    connection.prepare_cached(sql)?.execute(params![key(id), Millis(now)])?;
    let sql = "INSERT INTO notice (alert, channel, is_end, due_at)
        SELECT alert, channel, 1, ?2 FROM notice WHERE alert = ?1 AND is_end = 0 ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![key(id), Millis(tell_at)])?;
    Ok(true)
}

fn take(
    connection: &Connection,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
    most: usize,
) -> Result<Vec<Notice>, StoreError> {
    // That it began is told before that it is over.
    let sql = "SELECT alert.id, alert.key, alert.firm, alert.message, alert.is_urgent, alert.opened_at, alert.seen_at,
            alert.ended_at, notice.channel, notice.is_end, notice.attempts FROM notice
        JOIN alert ON alert.id = notice.alert
        WHERE notice.told_at IS NULL AND notice.due_at <= ?1 AND coalesce(notice.lease_until, 0) <= ?1
            AND (notice.is_end = 0 OR NOT EXISTS (SELECT 1 FROM notice AS first WHERE first.alert = notice.alert
                AND first.channel = notice.channel AND first.is_end = 0 AND first.told_at IS NULL))
        ORDER BY notice.due_at, alert.id LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let taken = select.query_map(params![Millis(now), most], |row| {
        Ok(Notice {
            alert: read_alert(row)?,
            channel: row.get(8)?,
            is_end: row.get(9)?,
            attempts: row.get(10)?,
        })
    })?;
    let taken = taken.collect::<Result<Vec<_>, _>>()?;
    let sql =
        "UPDATE notice SET lease_owner = ?, lease_until = ? WHERE alert = ? AND channel = ? AND is_end = ?";
    for notice in &taken {
        let values = params![owner, Millis(until), key(notice.alert.id), notice.channel, notice.is_end];
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(taken)
}

fn forget(connection: &Connection, event: EventId) -> Result<bool, StoreError> {
    // The newest row stays: what comes next is numbered after it.
    let sql = "SELECT seq FROM event WHERE id = ? AND records = '[]' AND settled_at IS NOT NULL
        AND seq < (SELECT max(seq) FROM event)";
    let seq: Option<i64> =
        connection.prepare_cached(sql)?.query_row([Id(event)], |row| row.get(0)).optional()?;
    let Some(seq) = seq else { return Ok(false) };
    for sql in [
        "DELETE FROM payload WHERE event = ?",
        "DELETE FROM call WHERE event = ?",
        "DELETE FROM review_event WHERE event = ?",
        "DELETE FROM event WHERE seq = ?",
    ] {
        connection.prepare_cached(sql)?.execute([seq])?;
    }
    Ok(true)
}

/// A line of the backlog.
pub(super) fn read_backlog(row: &Row<'_>) -> rusqlite::Result<BacklogRow> {
    Ok(BacklogRow {
        firm: FirmId::new(row.get::<_, String>(0)?),
        source: row.get::<_, Word<crate::domain::System>>(1)?.0,
        kind: row.get(2)?,
        events: row.get::<_, i64>(3)?.unsigned_abs(),
        oldest: row.get::<_, Millis>(4)?.0,
    })
}
