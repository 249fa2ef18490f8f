//! What happened, counted by hour; and by what a person is found.

mod pipeline;

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::core::in_transaction;
use super::rows::{Fault, count, event_id, text};
use super::{NO_FIRM, PostgresStore, read, receive};
use crate::domain::terms_of_payload;
use crate::store::figures::{ALL_FIRMS, Counts, HOUR, MOST_NEW_HOURS, NEW_LEADS, RECOUNT, Tally, search_key};
use crate::store::{ActivityFilter, ActivityRow, Figures, HourSpan, PipelineFilter, PipelineRow, StoreError};

/// What the task that makes events findable is called.
const SEARCH: &str = "search";

/// How old an event is before it is made findable, in milliseconds: one with a lower number may be committed after it.
const SETTLED_IN: i64 = 2_000;

/// The row at or after this one, with the hour it was received in.
async fn row_from(pool: &PgPool, seq: i64) -> Result<Option<(i64, i64)>, Fault> {
    let sql = "SELECT seq, received_at FROM event WHERE seq >= $1 ORDER BY seq LIMIT 1";
    let row = sqlx::query(sql).bind(seq).fetch_optional(pool).await?;
    let read = |row: PgRow| -> Result<(i64, i64), Fault> {
        Ok((row.try_get("seq")?, row.try_get::<i64, _>("received_at")?.div_euclid(HOUR)))
    };
    row.map(read).transpose()
}

/// The first row after this one that was received in a later hour than this.
async fn next_hour(pool: &PgPool, after: i64, hour: i64) -> Result<Option<(i64, i64)>, Fault> {
    let row = sqlx::query("SELECT coalesce(max(seq), 0) FROM event").fetch_one(pool).await?;
    let (mut low, mut high) = (after + 1, row.try_get::<i64, _>(0)? + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match row_from(pool, middle).await? {
            Some((seq, of)) if of <= hour => low = seq + 1,
            _ => high = middle,
        }
    }
    row_from(pool, low).await
}

/// Notes the hours that began since it was looked last.
async fn find_hours(pool: &PgPool) -> Result<(), Fault> {
    let sql = "SELECT first_seq, hour FROM activity_hour ORDER BY hour DESC LIMIT 1";
    let last = sqlx::query(sql).fetch_optional(pool).await?;
    let mut next = match last {
        Some(row) => next_hour(pool, row.try_get("first_seq")?, row.try_get("hour")?).await?,
        None => row_from(pool, 0).await?,
    };
    let mut found = 0;
    while let Some((first, hour)) = next.filter(|_| found < MOST_NEW_HOURS) {
        let sql = "INSERT INTO activity_hour (hour, first_seq, is_open) VALUES ($1, $2, true)
            ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(hour).bind(first).execute(pool).await?;
        found += 1;
        next = next_hour(pool, first, hour).await?;
    }
    Ok(())
}

/// Has the hour of an event counted anew, which a person has changed.
pub(super) async fn reopen(connection: &mut PgConnection, seq: i64) -> Result<(), Fault> {
    let sql = "UPDATE activity_hour SET is_open = true, counted_at = NULL WHERE hour =
        (SELECT hour FROM activity_hour WHERE first_seq <= $1 ORDER BY first_seq DESC LIMIT 1)";
    sqlx::query(sql).bind(seq).execute(connection).await?;
    Ok(())
}

async fn to_count(pool: &PgPool, counted_before: i64, most: i64) -> Result<Vec<HourSpan>, Fault> {
    let sql = "SELECT hour, first_seq, (SELECT next.first_seq FROM activity_hour next
            WHERE next.first_seq > activity_hour.first_seq ORDER BY next.first_seq LIMIT 1) AS end_seq
        FROM activity_hour WHERE is_open
            AND (counted_at IS NULL OR counted_at <= $1
                OR hour >= (SELECT max(hour) - 1 FROM activity_hour)) ORDER BY hour DESC LIMIT $2";
    let rows = sqlx::query(sql).bind(counted_before).bind(most).fetch_all(pool).await?;
    let read = |row: &PgRow| -> Result<HourSpan, Fault> {
        let (hour, first) = (row.try_get("hour")?, row.try_get("first_seq")?);
        Ok(HourSpan { hour, first, end: row.try_get("end_seq")? })
    };
    rows.iter().map(read).collect()
}

async fn count_up(pool: &PgPool, span: HourSpan, now: i64) -> Result<Counts, Fault> {
    let (first, end) = (span.first, span.end.unwrap_or(i64::MAX));
    let mut counts = Counts::default();
    let sql = "SELECT firm, source, type, state, count(*) AS things FROM event WHERE seq >= $1 AND seq < $2
        GROUP BY firm, source, type, state";
    for row in sqlx::query(sql).bind(first).bind(end).fetch_all(pool).await? {
        let words = [row.try_get("source")?, row.try_get("type")?, row.try_get("state")?];
        counts.add(row.try_get("firm")?, Tally::Event, words, row.try_get("things")?);
    }
    let sql = "SELECT event.firm, call.operation, call.class, count(*) AS things FROM event
        JOIN call ON call.event = event.seq
        WHERE event.seq >= $1 AND event.seq < $2 AND call.effect_key IS NOT NULL
        GROUP BY event.firm, call.operation, call.class";
    for row in sqlx::query(sql).bind(first).bind(end).fetch_all(pool).await? {
        let words = ["", row.try_get("operation")?, row.try_get("class")?];
        counts.add(row.try_get("firm")?, Tally::Call, words, row.try_get("things")?);
    }
    let sql = format!(
        "SELECT firm, state, received_at, settled_at FROM event
        WHERE seq >= $1 AND seq < $2 AND type IN ({NEW_LEADS})"
    );
    for row in sqlx::query(AssertSqlSafe(sql)).bind(first).bind(end).fetch_all(pool).await? {
        let (received, settled) = (row.try_get("received_at")?, row.try_get("settled_at")?);
        counts.add_lead(row.try_get("firm")?, row.try_get("state")?, received, settled, now);
    }
    Ok(counts)
}

async fn save(
    connection: &mut PgConnection,
    hour: i64,
    counts: &Counts,
    now: i64,
    is_open: bool,
) -> Result<(), Fault> {
    // Two instances may count the same hour: one after the other.
    let sql = "UPDATE activity_hour SET counted_at = $1, is_open = $2 WHERE hour = $3";
    sqlx::query(sql).bind(now).bind(is_open).bind(hour).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM activity WHERE hour = $1").bind(hour).execute(&mut *connection).await?;
    let column = |pick: fn(&crate::store::figures::Key) -> &str| -> Vec<String> {
        counts.0.keys().map(|key| pick(key).to_owned()).collect()
    };
    let things: Vec<i64> = counts.0.values().copied().collect();
    let sql = "INSERT INTO activity (hour, firm, what, source, type, outcome, things)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])";
    sqlx::query(sql)
        .bind(hour)
        .bind(column(|key| &key.0))
        .bind(column(|key| key.1))
        .bind(column(|key| &key.2))
        .bind(column(|key| &key.3))
        .bind(column(|key| &key.4))
        .bind(things)
        .execute(connection)
        .await?;
    Ok(())
}

#[async_trait]
impl Figures for PostgresStore {
    async fn hours_to_count(&self, most: usize) -> Result<Vec<HourSpan>, StoreError> {
        // May look through many hours, so it has no deadline.
        find_hours(&self.core.pool).await?;
        let now = self.core.now().await?.as_millisecond();
        read(to_count(&self.core.pool, now - RECOUNT, i64::try_from(most).unwrap_or(i64::MAX))).await
    }

    async fn count_hour(&self, span: HourSpan) -> Result<(), StoreError> {
        let now = self.core.now().await?.as_millisecond();
        // May read many events, so it has no deadline.
        let counts = &count_up(&self.core.pool, span, now).await?;
        let is_open = counts.is_open() || span.end.is_none() || now < (span.hour + 1) * HOUR + RECOUNT;
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| save(
            connection, span.hour, counts, now, is_open
        ))?)
    }

    async fn activity(&self, filter: ActivityFilter) -> Result<Vec<ActivityRow>, StoreError> {
        let firms: Vec<String> = match &filter.firms {
            None => vec![ALL_FIRMS.to_owned()],
            Some(firms) => firms.iter().map(|firm| text(firm.as_str())).collect(),
        };
        let sql = "SELECT hour - hour % $1 AS hours, source, type, outcome, sum(things)::bigint AS things
            FROM activity WHERE what = $2 AND hour >= $3 AND firm = ANY($4)
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
        let query =
            sqlx::query(sql).bind(filter.per).bind(filter.what.as_str()).bind(filter.since).bind(firms);
        let listing = async {
            let row = |row: &PgRow| -> Result<ActivityRow, Fault> {
                Ok(ActivityRow {
                    hour: row.try_get("hours")?,
                    source: row.try_get("source")?,
                    kind: row.try_get("type")?,
                    outcome: row.try_get("outcome")?,
                    things: count(row, "things")?,
                })
            };
            query.fetch_all(&self.core.pool).await?.iter().map(row).collect()
        };
        read(listing).await
    }

    async fn pipeline(&self, filter: PipelineFilter) -> Result<Vec<PipelineRow>, StoreError> {
        // May read many links, so it has no deadline.
        Ok(pipeline::read(&self.core.pool, &self.keyring, &filter).await?)
    }

    async fn index_events(&self, most: usize) -> Result<usize, StoreError> {
        let settled_in = self.core.now().await?.as_millisecond() - SETTLED_IN;
        let finding = async {
            let sql = "SELECT coalesce((SELECT seq FROM progress WHERE task = $1), 0)";
            let from = sqlx::query(sql).bind(SEARCH).fetch_one(&self.core.pool).await?;
            let sql = "SELECT event.seq, event.id, event.records, event.received_at, payload.sealed_body
                FROM event LEFT JOIN payload ON payload.event = event.seq
                WHERE event.seq > $1 ORDER BY event.seq LIMIT $2";
            let rows = sqlx::query(sql).bind(from.try_get::<i64, _>(0)?);
            let rows = rows.bind(i64::try_from(most).unwrap_or(i64::MAX)).fetch_all(&self.core.pool).await?;
            Ok(rows)
        };
        let (mut reached, mut indexed, mut digests, mut events) = (None, 0, Vec::new(), Vec::new());
        let rows: Vec<PgRow> = read(finding).await?;
        for row in &rows {
            let found = || -> Result<_, Fault> {
                let records: Vec<String> = serde_json::from_str(row.try_get("records")?).unwrap_or_default();
                let sealed: Option<&[u8]> = row.try_get("sealed_body")?;
                let id = event_id(row, "id")?.to_string();
                let received: i64 = row.try_get("received_at")?;
                Ok((row.try_get::<i64, _>("seq")?, received, records, sealed, id))
            };
            let (seq, received, records, sealed, id) = found()?;
            if received > settled_in {
                break;
            }
            (reached, indexed) = (Some(seq), indexed + 1);
            // One that cannot be opened must not keep the others from being found.
            let Some(body) = sealed.and_then(|sealed| self.keyring.open(receive::place(&id), sealed).ok())
            else {
                continue;
            };
            for term in terms_of_payload(&body, &records) {
                digests.push(search_key(&self.keyring, &term));
                events.push(seq);
            }
        }
        let Some(reached) = reached else { return Ok(0) };
        let (digests, events) = (&digests, &events);
        in_transaction!(&self.core, NO_FIRM, |connection, _now| async {
            // What was erased meanwhile is not made findable.
            let sql = "INSERT INTO search_key (digest, event) SELECT found.digest, found.event
                FROM unnest($1::bytea[], $2::bigint[]) AS found (digest, event)
                JOIN payload ON payload.event = found.event ON CONFLICT DO NOTHING";
            sqlx::query(sql).bind(digests).bind(events).execute(&mut *connection).await?;
            let sql = "INSERT INTO progress (task, seq) VALUES ($1, $2)
                ON CONFLICT (task) DO UPDATE SET seq = greatest(progress.seq, excluded.seq)";
            sqlx::query(sql).bind(SEARCH).bind(reached).execute(connection).await?;
            Ok::<_, Fault>(())
        })?;
        Ok(indexed)
    }
}
