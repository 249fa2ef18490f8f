//! What sweeps remember.

mod listed;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Row};

use super::core::in_transaction;
use super::rows::{Fault, count, from_millis, moment, text, word};
use super::{NO_FIRM, PostgresStore, read};
use crate::domain::{FirmId, RecordRef};
use crate::store::StoreError;
use crate::store::sweeps::{
    BY_BACKFILL, BY_SWEEP, CONTACTS, HEALED, ListedPair, LossFilter, LossRow, SweepRecord, Sweeps, about,
    loss_row,
};

/// Events of one batch may have been received in another order than their rows have: so much is read before.
pub(super) const BATCH: i64 = 1_000;

/// A row before the first that was received then or later.
pub(super) async fn first_row_since(pool: &PgPool, since: Timestamp) -> Result<i64, Fault> {
    let row = sqlx::query("SELECT coalesce(max(seq), 0) FROM event").fetch_one(pool).await?;
    let (mut low, mut high) = (0, row.try_get::<i64, _>(0)? + 1);
    let sql = "SELECT seq, received_at FROM event WHERE seq >= $1 ORDER BY seq LIMIT 1";
    while low < high {
        let middle = low + (high - low) / 2;
        match sqlx::query(sql).bind(middle).fetch_optional(pool).await? {
            Some(row) if moment(&row, "received_at")? < since => low = row.try_get::<i64, _>("seq")? + 1,
            _ => high = middle,
        }
    }
    Ok(low - BATCH)
}

async fn heard_since(
    pool: &PgPool,
    firm: &FirmId,
    since: Timestamp,
) -> Result<HashMap<RecordRef, Timestamp>, Fault> {
    let first = first_row_since(pool, since).await?;
    let sql = "SELECT records, received_at FROM event
        WHERE seq >= $1 AND firm = $2 AND received_at >= $3 AND verified_by NOT IN ($4, $5)";
    let select = sqlx::query(sql).bind(first).bind(firm.as_str()).bind(since.as_millisecond());
    let mut heard = HashMap::new();
    for row in select.bind(BY_SWEEP).bind(BY_BACKFILL).fetch_all(pool).await? {
        let received_at = moment(&row, "received_at")?;
        for record in about(row.try_get("records")?) {
            let last = heard.entry(record).or_insert(received_at);
            *last = received_at.max(*last);
        }
    }
    Ok(heard)
}

async fn save(connection: &mut PgConnection, firm: &FirmId, found: &SweepRecord) -> Result<(), Fault> {
    let firm = firm.as_str();
    let sql = "INSERT INTO sweep_mark (firm, stream, mark) VALUES ($1, $2, $3)
        ON CONFLICT (firm, stream) DO UPDATE SET mark = excluded.mark";
    for (stream, mark) in &found.marks {
        sqlx::query(sql).bind(firm).bind(stream).bind(text(mark)).execute(&mut *connection).await?;
    }
    let sql = "INSERT INTO loss (firm, day, kind, received, in_step, looked_at, looked_of)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (firm, day, kind) DO UPDATE SET
            received = loss.received + excluded.received, in_step = loss.in_step + excluded.in_step,
            looked_at = CASE excluded.looked_of WHEN 0 THEN loss.looked_at ELSE excluded.looked_at END,
            looked_of = CASE excluded.looked_of WHEN 0 THEN loss.looked_of ELSE excluded.looked_of END";
    for line in &found.counted {
        let insert = sqlx::query(sql).bind(firm).bind(&line.day).bind(&line.kind);
        let numbers = [line.received, line.in_step, line.looked.at, line.looked.of];
        let bound = numbers
            .into_iter()
            .fold(insert, |insert, number| insert.bind(i64::try_from(number).unwrap_or(i64::MAX)));
        bound.execute(&mut *connection).await?;
    }
    let sql = "INSERT INTO loss_gap (firm, record, version, day, kind, event, found_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    for gap in &found.gaps {
        let kind = format!("{}:{}", gap.record.system, gap.record.kind);
        let insert = sqlx::query(sql).bind(firm).bind(text(&gap.record.to_string()));
        let insert = insert.bind(text(&gap.version)).bind(&gap.day).bind(kind).bind(gap.event.0);
        insert.bind(gap.found_at.as_millisecond()).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn losses(pool: &PgPool, filter: &LossFilter) -> Result<Vec<LossRow>, Fault> {
    let sql = format!(
        "SELECT firm, day, kind, sum(received)::bigint, sum(in_step)::bigint, sum(looked_at)::bigint,
            sum(looked_of)::bigint, sum(gaps)::bigint, sum(healed)::bigint
        FROM (SELECT firm, day, kind, received, in_step, looked_at, looked_of, 0 AS gaps, 0 AS healed FROM loss
            UNION ALL SELECT gap.firm, gap.day, gap.kind, 0, 0, 0, 0, 1,
                (event.state IS NULL OR event.state IN ({HEALED}))::int
            FROM loss_gap AS gap LEFT JOIN event ON event.id = gap.event) AS line
        WHERE ($1::text IS NULL OR firm = $1) AND ($2::text IS NULL OR day >= $2)
        GROUP BY firm, day, kind ORDER BY day DESC, firm, kind LIMIT $3"
    );
    let select = sqlx::query(AssertSqlSafe(sql)).bind(filter.firm.as_ref().map(FirmId::as_str));
    let select = select.bind(&filter.since).bind(i64::try_from(filter.limit).unwrap_or(i64::MAX));
    let mut lines = Vec::new();
    for row in select.fetch_all(pool).await? {
        let mut numbers = [0; 6];
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = row.try_get(3 + at)?;
        }
        lines.push(loss_row(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, numbers));
    }
    Ok(lines)
}

#[async_trait]
impl Sweeps for PostgresStore {
    async fn sweep_mark(&self, firm: &FirmId, stream: &str) -> Result<Option<String>, StoreError> {
        read(async {
            let sql = "SELECT mark FROM sweep_mark WHERE firm = $1 AND stream = $2";
            let select = sqlx::query(sql).bind(firm.as_str()).bind(stream);
            let row = select.fetch_optional(&self.core.pool).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        })
        .await
    }

    async fn hold_sweep(
        &self,
        firm: &FirmId,
        name: &str,
        owner: &str,
        span: SignedDuration,
    ) -> Result<bool, StoreError> {
        let now = self.core.now().await?;
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        read(async {
            let sql = "INSERT INTO sweep_lease (firm, name, owner, until) VALUES ($1, $2, $3, $4)
                ON CONFLICT (firm, name) DO UPDATE SET owner = excluded.owner, until = excluded.until
                WHERE sweep_lease.until <= $5 OR sweep_lease.owner = excluded.owner";
            let insert = sqlx::query(sql).bind(firm.as_str()).bind(name).bind(owner);
            let insert = insert.bind(until.as_millisecond()).bind(now.as_millisecond());
            Ok(insert.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn first_received(&self, firm: &FirmId) -> Result<Option<Timestamp>, StoreError> {
        read(async {
            let select =
                sqlx::query("SELECT min(received_at) FROM event WHERE firm = $1").bind(firm.as_str());
            let first: Option<i64> = select.fetch_one(&self.core.pool).await?.try_get(0)?;
            first.map(from_millis).transpose()
        })
        .await
    }

    async fn heard_since(
        &self,
        firm: &FirmId,
        since: Timestamp,
    ) -> Result<HashMap<RecordRef, Timestamp>, StoreError> {
        // May read the events of many days, so it has no deadline.
        Ok(heard_since(&self.core.pool, firm, since).await?)
    }

    async fn named(&self, firm: &FirmId, records: &[RecordRef]) -> Result<BTreeSet<RecordRef>, StoreError> {
        let names: Vec<String> = records.iter().map(|record| text(&record.to_string())).collect();
        read(async {
            let sql = "SELECT record FROM person_record WHERE firm = $1 AND record = ANY($2)";
            let rows = sqlx::query(sql).bind(firm.as_str()).bind(names).fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| word(row, "record")).collect()
        })
        .await
    }

    async fn linked_people(
        &self,
        firm: &FirmId,
        after: Option<&RecordRef>,
        most: usize,
    ) -> Result<Vec<(RecordRef, RecordRef)>, StoreError> {
        let after = after.map_or_else(|| CONTACTS.0.to_owned(), |after| text(&after.to_string()));
        read(async {
            let sql =
                "SELECT highlevel, casepeer FROM link WHERE firm = $1 AND highlevel > $2 AND highlevel < $3
                ORDER BY highlevel, casepeer LIMIT $4";
            let select = sqlx::query(sql).bind(firm.as_str()).bind(after).bind(CONTACTS.1);
            let select = select.bind(i64::try_from(most).unwrap_or(i64::MAX));
            let rows = select.fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| Ok((word(row, "highlevel")?, word(row, "casepeer")?))).collect()
        })
        .await
    }

    async fn count_linked_people(&self, firm: &FirmId) -> Result<u64, StoreError> {
        read(async {
            let sql =
                "SELECT count(*) AS people FROM link WHERE firm = $1 AND highlevel > $2 AND highlevel < $3";
            let select = sqlx::query(sql).bind(firm.as_str()).bind(CONTACTS.0).bind(CONTACTS.1);
            count(&select.fetch_one(&self.core.pool).await?, "people")
        })
        .await
    }

    async fn link_listed(&self, pairs: Vec<ListedPair>, since: Timestamp) -> Result<Vec<bool>, StoreError> {
        let Some(firm) = pairs.first().map(|pair| pair.arrival.firm.clone()) else { return Ok(Vec::new()) };
        let pairs = listed::seal(&self.keyring, pairs);
        let (keyring, message) = (&self.keyring, self.core.message);
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, now| listed::link(
            connection, keyring, &pairs, since, now, message
        ))?)
    }

    async fn save_sweep(&self, firm: &FirmId, found: SweepRecord) -> Result<(), StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| save(connection, firm, &found))?)
    }

    async fn losses(&self, filter: LossFilter) -> Result<Vec<LossRow>, StoreError> {
        read(losses(&self.core.pool, &filter)).await
    }
}
