//! What sweeps remember.

mod listed;
mod listing;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::rows::{Id, Millis, Word};
use crate::domain::{FirmId, RecordRef};
use crate::store::StoreError;
use crate::store::sweeps::{
    BY_BACKFILL, BY_SWEEP, CONTACTS, ListedPair, LossFilter, LossRow, SweepRecord, Sweeps, about,
};

/// The first row that was received then or later: rows are in order of receipt.
pub(super) fn first_row_since(connection: &Connection, since: Timestamp) -> Result<i64, StoreError> {
    let newest: Option<i64> = connection.query_row("SELECT max(seq) FROM event", [], |row| row.get(0))?;
    let (mut low, mut high) = (0, newest.unwrap_or(0) + 1);
    let sql = "SELECT seq, received_at FROM event WHERE seq >= ? ORDER BY seq LIMIT 1";
    let mut select = connection.prepare_cached(sql)?;
    while low < high {
        let middle = low + (high - low) / 2;
        let found = select
            .query_row([middle], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Millis>(1)?.0)))
            .optional()?;
        match found {
            Some((seq, received_at)) if received_at < since => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn heard_since(
    connection: &Connection,
    firm: &FirmId,
    since: Timestamp,
) -> Result<HashMap<RecordRef, Timestamp>, StoreError> {
    let first = first_row_since(connection, since)?;
    let sql = "SELECT records, received_at FROM event
        WHERE seq >= ? AND firm = ? AND received_at >= ? AND verified_by NOT IN (?, ?)";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![first, firm.as_str(), Millis(since), BY_SWEEP, BY_BACKFILL])?;
    let mut heard = HashMap::new();
    while let Some(row) = rows.next()? {
        let received_at = row.get::<_, Millis>(1)?.0;
        for record in about(row.get_ref(0)?.as_str().unwrap_or_default()) {
            let last = heard.entry(record).or_insert(received_at);
            *last = received_at.max(*last);
        }
    }
    Ok(heard)
}

fn save(connection: &Connection, firm: &FirmId, found: &SweepRecord) -> Result<(), StoreError> {
    let firm = firm.as_str();
    let sql = "INSERT INTO sweep_mark (firm, stream, mark) VALUES (?, ?, ?)
        ON CONFLICT (firm, stream) DO UPDATE SET mark = excluded.mark";
    for (stream, mark) in &found.marks {
        connection.prepare_cached(sql)?.execute(params![firm, stream, mark])?;
    }
    let sql = "INSERT INTO loss (firm, day, kind, received, in_step, looked_at, looked_of)
        VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (firm, day, kind) DO UPDATE SET
            received = received + excluded.received, in_step = in_step + excluded.in_step,
            looked_at = iif(excluded.looked_of = 0, looked_at, excluded.looked_at),
            looked_of = iif(excluded.looked_of = 0, looked_of, excluded.looked_of)";
    for line in &found.counted {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        connection.prepare_cached(sql)?.execute(params![
            firm,
            line.day,
            line.kind,
            number(line.received),
            number(line.in_step),
            number(line.looked.at),
            number(line.looked.of),
        ])?;
    }
    let sql = "INSERT INTO loss_gap (firm, record, version, day, kind, event, found_at) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING";
    for gap in &found.gaps {
        let kind = format!("{}:{}", gap.record.system, gap.record.kind);
        connection.prepare_cached(sql)?.execute(params![
            firm,
            gap.record.to_string(),
            gap.version,
            gap.day,
            kind,
            Id(gap.event),
            Millis(gap.found_at),
        ])?;
    }
    Ok(())
}

#[async_trait]
impl Sweeps for SqliteStore {
    async fn sweep_mark(&self, firm: &FirmId, stream: &str) -> Result<Option<String>, StoreError> {
        let (firm, stream) = (firm.as_str().to_owned(), stream.to_owned());
        self.read(move |connection, _| {
            let sql = "SELECT mark FROM sweep_mark WHERE firm = ? AND stream = ?";
            Ok(connection.prepare_cached(sql)?.query_row([firm, stream], |row| row.get(0)).optional()?)
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
        let (firm, name, owner) = (firm.as_str().to_owned(), name.to_owned(), owner.to_owned());
        let now = self.now();
        let until = now.saturating_add(span).unwrap_or(Timestamp::MAX);
        self.write(move |connection| {
            let sql = "INSERT INTO sweep_lease (firm, name, owner, until) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (firm, name) DO UPDATE SET owner = excluded.owner, until = excluded.until
                WHERE sweep_lease.until <= ?5 OR sweep_lease.owner = excluded.owner";
            let bound = params![firm, name, owner, Millis(until), Millis(now)];
            Ok(connection.prepare_cached(sql)?.execute(bound)? > 0)
        })
        .await
    }

    async fn first_received(&self, firm: &FirmId) -> Result<Option<Timestamp>, StoreError> {
        let firm = firm.as_str().to_owned();
        self.read(move |connection, _| {
            let sql = "SELECT min(received_at) FROM event WHERE firm = ?";
            let first: Option<Millis> =
                connection.prepare_cached(sql)?.query_row([firm], |row| row.get(0))?;
            Ok(first.map(|at| at.0))
        })
        .await
    }

    async fn heard_since(
        &self,
        firm: &FirmId,
        since: Timestamp,
    ) -> Result<HashMap<RecordRef, Timestamp>, StoreError> {
        let firm = firm.clone();
        self.read(move |connection, _| heard_since(connection, &firm, since)).await
    }

    async fn named(&self, firm: &FirmId, records: &[RecordRef]) -> Result<BTreeSet<RecordRef>, StoreError> {
        let (firm, records) = (firm.as_str().to_owned(), records.to_vec());
        self.read(move |connection, _| {
            let sql = "SELECT 1 FROM person_record WHERE firm = ? AND record = ?";
            let mut select = connection.prepare_cached(sql)?;
            let mut named = BTreeSet::new();
            for record in records {
                let found = select.query_row(params![firm, record.to_string()], |_| Ok(())).optional()?;
                named.extend(found.map(|()| record));
            }
            Ok(named)
        })
        .await
    }

    async fn linked_people(
        &self,
        firm: &FirmId,
        after: Option<&RecordRef>,
        most: usize,
    ) -> Result<Vec<(RecordRef, RecordRef)>, StoreError> {
        let firm = firm.as_str().to_owned();
        let after = after.map_or_else(|| CONTACTS.0.to_owned(), ToString::to_string);
        self.read(move |connection, _| {
            let sql =
                "SELECT highlevel, casepeer FROM link WHERE firm = ? AND highlevel > ? AND highlevel < ?
                ORDER BY highlevel, casepeer LIMIT ?";
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![firm, after, CONTACTS.1, most], |row| {
                Ok((row.get::<_, Word<RecordRef>>(0)?.0, row.get::<_, Word<RecordRef>>(1)?.0))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn count_linked_people(&self, firm: &FirmId) -> Result<u64, StoreError> {
        let firm = firm.as_str().to_owned();
        self.read(move |connection, _| {
            let sql = "SELECT count(*) FROM link WHERE firm = ? AND highlevel > ? AND highlevel < ?";
            let bound = params![firm, CONTACTS.0, CONTACTS.1];
            let count: i64 = connection.prepare_cached(sql)?.query_row(bound, |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }

    async fn link_listed(&self, pairs: Vec<ListedPair>, since: Timestamp) -> Result<Vec<bool>, StoreError> {
        let (keyring, now) = (Arc::clone(&self.keyring), self.now());
        let sealed = listed::seal(&keyring, pairs);
        self.write(move |connection| {
            sealed.iter().map(|pair| listed::link(connection, &keyring, pair, since, now)).collect()
        })
        .await
    }

    async fn save_sweep(&self, firm: &FirmId, found: SweepRecord) -> Result<(), StoreError> {
        let firm = firm.clone();
        self.write(move |connection| save(connection, &firm, &found)).await
    }

    async fn losses(&self, filter: LossFilter) -> Result<Vec<LossRow>, StoreError> {
        self.read(move |connection, _| listing::losses(connection, &filter)).await
    }
}
