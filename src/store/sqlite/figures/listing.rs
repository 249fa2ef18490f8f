//! Counts as they are made and read.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::super::links;
use super::super::rows::Word;
use crate::crypto::Keyring;
use crate::domain::{Field, RecordRef};
use crate::store::figures::{ALL_FIRMS, Counts, NEW_LEADS, Tally};
use crate::store::pipeline::{Counting, MILESTONE, MOST_LINKS};
use crate::store::{ActivityFilter, ActivityRow, HourSpan, PipelineFilter, PipelineRow, StoreError};

/// The hours to count: those not over, those never counted, and of the rest those with something open that were not
/// counted since.
pub(super) fn to_count(
    connection: &Connection,
    counted_before: i64,
    most: i64,
) -> Result<Vec<HourSpan>, StoreError> {
    let sql = "SELECT hour, first_seq,
            (SELECT min(next.first_seq) FROM activity_hour next WHERE next.first_seq > activity_hour.first_seq)
        FROM activity_hour WHERE is_open
            AND (counted_at IS NULL OR counted_at <= ?
                OR hour >= (SELECT max(hour) - 1 FROM activity_hour)) ORDER BY hour DESC LIMIT ?";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([counted_before, most], |row| {
        Ok(HourSpan { hour: row.get(0)?, first: row.get(1)?, end: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn count(connection: &Connection, span: HourSpan, now: i64) -> Result<Counts, StoreError> {
    let (first, end) = (span.first, span.end.unwrap_or(i64::MAX));
    let mut counts = Counts::default();
    let sql = "SELECT firm, source, type, state, count(*) FROM event WHERE seq >= ? AND seq < ?
        GROUP BY firm, source, type, state";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([first, end])?;
    let text = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, String>(at);
    while let Some(row) = rows.next()? {
        let words = [&*text(row, 1)?, &*text(row, 2)?, &*text(row, 3)?];
        counts.add(&text(row, 0)?, Tally::Event, words, row.get(4)?);
    }
    let sql = "SELECT event.firm, call.operation, call.class, count(*) FROM call
        JOIN event ON event.seq = call.event
        WHERE call.event >= ? AND call.event < ? AND call.effect_key IS NOT NULL
        GROUP BY event.firm, call.operation, call.class";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([first, end])?;
    while let Some(row) = rows.next()? {
        counts.add(&text(row, 0)?, Tally::Call, ["", &text(row, 1)?, &text(row, 2)?], row.get(3)?);
    }
    let sql = format!(
        "SELECT firm, state, received_at, settled_at FROM event
        WHERE seq >= ? AND seq < ? AND type IN ({NEW_LEADS})"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params![first, end])?;
    while let Some(row) = rows.next()? {
        counts.add_lead(&text(row, 0)?, &text(row, 1)?, row.get(2)?, row.get(3)?, now);
    }
    Ok(counts)
}

pub(super) fn activity(
    connection: &Connection,
    filter: &ActivityFilter,
) -> Result<Vec<ActivityRow>, StoreError> {
    let firms: Vec<String> = match &filter.firms {
        None => vec![ALL_FIRMS.to_owned()],
        Some(firms) => firms.iter().map(|firm| firm.as_str().to_owned()).collect(),
    };
    let places = vec!["?"; firms.len()].join(", ");
    let sql = format!(
        "SELECT hour - hour % ?, source, type, outcome, sum(things) FROM activity
        WHERE what = ? AND hour >= ? AND firm IN ({places}) GROUP BY 1, 2, 3, 4 ORDER BY 1"
    );
    let mut values: Vec<Value> =
        vec![filter.per.into(), filter.what.as_str().to_owned().into(), filter.since.into()];
    values.extend(firms.into_iter().map(Value::from));
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), |row| {
        Ok(ActivityRow {
            hour: row.get(0)?,
            source: row.get(1)?,
            kind: row.get(2)?,
            outcome: row.get(3)?,
            things: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What became of leads.
pub(super) fn pipeline(
    connection: &Connection,
    keyring: &Keyring,
    filter: &PipelineFilter,
) -> Result<Vec<PipelineRow>, StoreError> {
    let firms = filter.firms.as_ref().map(|firms| serde_json::to_string(firms).expect("names are JSON"));
    let mut counting = Counting::since(filter.since);
    let sql = "SELECT firm, key, completed_at FROM effect
        WHERE key >= ?1 AND key < ?1 || char(1114111) AND completed_at >= ?2
            AND (?3 IS NULL OR firm IN (SELECT value FROM json_each(?3)))";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![MILESTONE, filter.since.as_millisecond(), firms])?;
    while let Some(row) = rows.next()? {
        counting.add_milestone(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?, row.get(2)?);
    }
    let sql = "SELECT firm, highlevel, casepeer, created_at, sealed_base FROM link
        WHERE ?1 IS NULL OR firm IN (SELECT value FROM json_each(?1)) ORDER BY created_at DESC LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params![firms, MOST_LINKS])?;
    while let Some(row) = rows.next()? {
        let (firm, at): (String, i64) = (row.get(0)?, row.get(3)?);
        let (highlevel, casepeer) =
            (row.get::<_, Word<RecordRef>>(1)?.0, row.get::<_, Word<RecordRef>>(2)?.0);
        let source = match counting.wants(&firm, &casepeer, at) {
            true => {
                let base = links::open(keyring, &firm, &highlevel, &casepeer, &row.get::<_, Vec<u8>>(4)?)?;
                base.fields.get(Field::Source).map(str::to_owned)
            }
            false => None,
        };
        counting.add_link(&firm, &highlevel, &casepeer, at, source);
    }
    Ok(counting.rows())
}
