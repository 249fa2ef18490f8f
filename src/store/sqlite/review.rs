//! What only a person can decide, and what was decided.

pub(super) mod listing;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::{Id, Millis};
use super::{SqliteStore, figures, lanes};
use crate::crypto::Keyring;
use crate::domain::{
    Decision, EventId, FirmId, Question, RecordRef, Resolution, ReviewAction, ReviewId, ReviewKind,
};
use crate::store::review::{MOOT, reopen, seal_details, seal_resolution};
use crate::store::{Review, ReviewFilter, ReviewRow, ReviewStory, StoreError};

#[async_trait]
impl Review for SqliteStore {
    async fn open_review(
        &self,
        firm: &FirmId,
        question: Question,
        event: Option<EventId>,
    ) -> Result<ReviewId, StoreError> {
        let (firm, now, keyring) = (firm.clone(), self.now(), std::sync::Arc::clone(&self.keyring));
        self.write(move |connection| {
            let id = ask(connection, &keyring, firm.as_str(), &question, now)?;
            if let Some(event) = event {
                hold_settled(connection, id, event, &question.why)?;
            }
            Ok(id)
        })
        .await
    }

    async fn reviews(&self, filter: ReviewFilter) -> Result<Vec<ReviewRow>, StoreError> {
        self.read(move |connection, _| listing::list(connection, &filter)).await
    }

    async fn review(&self, id: ReviewId) -> Result<Option<ReviewStory>, StoreError> {
        self.read(move |connection, keyring| listing::one(connection, keyring, id)).await
    }

    async fn resolve_review(
        &self,
        id: ReviewId,
        resolution: &Resolution,
        by: &str,
    ) -> Result<Option<bool>, StoreError> {
        let sealed = seal_resolution(&self.keyring, id, resolution);
        let (action, by, now) = (resolution.action, by.to_owned(), self.now());
        self.write(move |connection| {
            let sql = "SELECT resolved_at IS NULL FROM review WHERE id = ?";
            let is_open: Option<bool> =
                connection.prepare_cached(sql)?.query_row([bytes(id)], |row| row.get(0)).optional()?;
            if is_open == Some(true) {
                close(connection, id, Some((action, sealed)), &by, now)?;
            }
            Ok(is_open)
        })
        .await
    }

    async fn reopen_review(&self, id: ReviewId) -> Result<Option<bool>, StoreError> {
        self.write(move |connection| {
            let sql = "SELECT 1 FROM review WHERE id = ?";
            if !connection.prepare_cached(sql)?.exists([bytes(id)])? {
                return Ok(None);
            }
            Ok(Some(connection.prepare_cached(reopen!("?1"))?.execute([bytes(id)])? > 0))
        })
        .await
    }

    async fn decisions(&self, firm: &FirmId, subjects: &[String]) -> Result<Vec<Decision>, StoreError> {
        let (firm, subjects) = (firm.clone(), subjects.to_vec());
        self.read(move |connection, keyring| listing::decisions(connection, keyring, &firm, &subjects)).await
    }

    async fn open_reviews(
        &self,
        within: Option<Vec<FirmId>>,
    ) -> Result<BTreeMap<ReviewKind, u64>, StoreError> {
        self.read(move |connection, _| listing::open(connection, within.as_deref())).await
    }
}

fn bytes(id: ReviewId) -> Value {
    id.0.as_bytes().to_vec().into()
}

fn read_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ReviewId> {
    Ok(ReviewId(row.get::<_, Id>(column)?.0.0))
}

/// Asks, or brings the question that is being asked up to date.
pub(super) fn ask(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    question: &Question,
    now: Timestamp,
) -> Result<ReviewId, StoreError> {
    let sql = "SELECT id FROM review WHERE firm = ? AND kind = ? AND subject = ? AND resolved_at IS NULL";
    let (kind, subject) = (question.kind.as_str(), question.subject.as_str());
    let open = connection.prepare_cached(sql)?.query_row(params![firm, kind, subject], |row| read_id(row, 0));
    let id = open.optional()?;
    let id_or_new = id.unwrap_or_else(|| ReviewId(Uuid::now_v7()));
    let sealed = seal_details(keyring, id_or_new, &question.details);
    if let Some(id) = id {
        let sql = "UPDATE review SET why = ?, sealed_details = ? WHERE id = ?";
        connection.prepare_cached(sql)?.execute(params![question.why, sealed, bytes(id)])?;
        return Ok(id);
    }
    let sql = "INSERT INTO review (id, firm, kind, subject, why, sealed_details, opened_at)
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    let values = params![bytes(id_or_new), firm, kind, subject, question.why, sealed, Millis(now)];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(id_or_new)
}

/// Has an event wait for the answer.
pub(super) fn hold(connection: &Connection, id: ReviewId, event: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO review_event (review, event) VALUES (?, ?) ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![bytes(id), event])?;
    Ok(())
}

fn hold_settled(connection: &Connection, id: ReviewId, event: EventId, why: &str) -> Result<(), StoreError> {
    let sql = "UPDATE event SET state = 'in_review', reason = ?, cause = NULL
        WHERE id = ? AND state NOT IN ('waiting', 'ready', 'running', 'retrying', 'parked') RETURNING seq";
    let seq: Option<i64> =
        connection.prepare_cached(sql)?.query_row(params![why, Id(event)], |row| row.get(0)).optional()?;
    let Some(seq) = seq else { return Ok(()) };
    figures::reopen(connection, seq)?;
    hold(connection, id, seq)
}

/// Answers a question, or says that it answered itself, and puts what waits for it back into its lanes.
pub(super) fn close(
    connection: &Connection,
    id: ReviewId,
    answer: Option<(ReviewAction, Vec<u8>)>,
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (action, sealed) = answer.map(|(action, sealed)| (action.as_str(), sealed)).unzip();
    let sql =
        "UPDATE review SET resolved_at = ?, resolved_by = ?, action = ?, sealed_resolution = ? WHERE id = ?";
    connection.prepare_cached(sql)?.execute(params![Millis(now), by, action, sealed, bytes(id)])?;
    let sql = "SELECT seq, firm, records FROM event
        WHERE seq IN (SELECT event FROM review_event WHERE review = ?) AND state = 'in_review'";
    let mut waiting = connection.prepare_cached(sql)?;
    let waiting = waiting.query_map([bytes(id)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    let mut people = BTreeSet::new();
    for (seq, firm, records) in waiting.collect::<Result<Vec<_>, _>>()? {
        // Its person may have been united with another, or parted from it, meanwhile.
        let records: Vec<String> = serde_json::from_str(&records).unwrap_or_default();
        let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
        let person = lanes::person_of(connection, &firm, &records)?;
        let state = if person.is_some() { "waiting" } else { lanes::head_state(connection, &firm)?.as_str() };
        let sql = "UPDATE event SET state = ?, reason = 'a person decided', person = ?, due_at = ?,
            failed_attempts = 0, settled_at = NULL WHERE seq = ?";
        connection.prepare_cached(sql)?.execute(params![state, person, Millis(now), seq])?;
        people.extend(person);
    }
    people.into_iter().try_for_each(|person| lanes::reform(connection, person))
}

/// Closes the question who a record is, which answered itself.
pub(super) fn close_about(
    connection: &Connection,
    firm: &str,
    subject: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "SELECT id FROM review WHERE firm = ? AND kind = ? AND subject = ? AND resolved_at IS NULL";
    let values = params![firm, ReviewKind::AmbiguousMatch.as_str(), subject];
    let id = connection.prepare_cached(sql)?.query_row(values, |row| read_id(row, 0)).optional()?;
    id.map_or(Ok(()), |id| close(connection, id, None, MOOT, now))
}

/// Closes the questions that a settled event waited for and does not ask any more.
pub(super) fn close_moot(connection: &Connection, event: i64, now: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT id FROM review WHERE resolved_at IS NULL
        AND id IN (SELECT review FROM review_event WHERE event = ?)";
    let mut moot = connection.prepare_cached(sql)?;
    let moot = moot.query_map([event], |row| read_id(row, 0))?.collect::<Result<Vec<_>, _>>()?;
    moot.into_iter().try_for_each(|id| close(connection, id, None, MOOT, now))
}
