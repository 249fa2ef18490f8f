//! What only a person can decide, and what was decided.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgPool, PgRow, Postgres};
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

use super::core::in_transaction;
use super::rows::{Fault, count, event_id, moment, moment_if_any, text, word, word_if_any};
use super::{PostgresStore, lanes, read};
use crate::crypto::Keyring;
use crate::domain::{
    Decision, EventId, FirmId, Question, RecordRef, Resolution, ReviewAction, ReviewId, ReviewKind,
};
use crate::store::keeping::shows;
use crate::store::review::{MOOT, MOST_DECISIONS, open, reopen, seal_details, seal_resolution};
use crate::store::{Review, ReviewFilter, ReviewRow, ReviewStory, StoreError};

const SELECT: &str =
    "SELECT id, firm, kind, subject, why, opened_at, resolved_at, resolved_by, action, sealed_details,
    sealed_resolution FROM review WHERE true";

#[async_trait]
impl Review for PostgresStore {
    async fn open_review(
        &self,
        firm: &FirmId,
        question: Question,
        event: Option<EventId>,
    ) -> Result<ReviewId, StoreError> {
        let question = &question;
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, now| async {
            let id = ask(connection, &self.keyring, firm.as_str(), question, now).await?;
            if let Some(event) = event {
                hold_settled(connection, id, event, &question.why).await?;
            }
            Ok::<_, Fault>(id)
        })?)
    }

    async fn reviews(&self, filter: ReviewFilter) -> Result<Vec<ReviewRow>, StoreError> {
        read(list(&self.core.pool, &filter)).await
    }

    async fn review(&self, id: ReviewId) -> Result<Option<ReviewStory>, StoreError> {
        let mut sql: QueryBuilder<Postgres> = QueryBuilder::new(SELECT);
        sql.push(" AND id = ").push_bind(id.0);
        Ok(read(stories_in(&self.core.pool, &self.keyring, sql)).await?.pop())
    }

    async fn resolve_review(
        &self,
        id: ReviewId,
        resolution: &Resolution,
        by: &str,
    ) -> Result<Option<bool>, StoreError> {
        let Some(firm) = read(firm_of(&self.core.pool, id)).await? else { return Ok(None) };
        let sealed = seal_resolution(&self.keyring, id, resolution);
        let resolved = in_transaction!(&self.core, &[firm.as_str()], |connection, now| async {
            let sql = "SELECT resolved_at IS NULL AS is_open FROM review WHERE id = $1";
            let row = sqlx::query(sql).bind(id.0).fetch_optional(&mut *connection).await?;
            let is_open: Option<bool> = row.map(|row| row.try_get("is_open")).transpose()?;
            if is_open == Some(true) {
                close(connection, id, Some((resolution.action, &sealed)), by, now).await?;
            }
            Ok::<_, Fault>(is_open)
        })?;
        read(self.ring()).await?;
        Ok(resolved)
    }

    async fn reopen_review(&self, id: ReviewId) -> Result<Option<bool>, StoreError> {
        let Some(firm) = read(firm_of(&self.core.pool, id)).await? else { return Ok(None) };
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, _now| async {
            let done = sqlx::query(reopen!("$1")).bind(id.0).execute(&mut *connection).await?;
            Ok::<_, Fault>(Some(done.rows_affected() > 0))
        })?)
    }

    async fn decisions(&self, firm: &FirmId, subjects: &[String]) -> Result<Vec<Decision>, StoreError> {
        let subjects: Vec<String> = subjects.iter().map(|subject| text(subject)).collect();
        let mut sql: QueryBuilder<Postgres> = QueryBuilder::new(SELECT);
        sql.push(" AND firm = ").push_bind(firm.as_str());
        sql.push(" AND subject = ANY(")
            .push_bind(subjects)
            .push(") AND action IS NOT NULL ORDER BY resolved_at DESC, id DESC LIMIT ");
        sql.push_bind(i64::try_from(MOST_DECISIONS).unwrap_or(i64::MAX));
        let found = read(stories_in(&self.core.pool, &self.keyring, sql)).await?;
        Ok(found.into_iter().filter_map(ReviewStory::decision).collect())
    }

    async fn open_reviews(
        &self,
        within: Option<Vec<FirmId>>,
    ) -> Result<BTreeMap<ReviewKind, u64>, StoreError> {
        let firms: Option<Vec<String>> =
            within.map(|firms| firms.iter().map(|firm| text(firm.as_str())).collect());
        let counting = async {
            let sql = "SELECT kind, count(*) AS reviews FROM review
                WHERE resolved_at IS NULL AND ($1::text[] IS NULL OR firm = ANY($1)) GROUP BY kind";
            let rows = sqlx::query(sql).bind(firms).fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| Ok((word(row, "kind")?, count(row, "reviews")?))).collect()
        };
        read(counting).await
    }
}

async fn firm_of(pool: &PgPool, id: ReviewId) -> Result<Option<String>, Fault> {
    let row = sqlx::query("SELECT firm FROM review WHERE id = $1").bind(id.0).fetch_optional(pool).await?;
    Ok(row.map(|row| row.try_get("firm")).transpose()?)
}

fn read_id(row: &PgRow) -> Result<ReviewId, Fault> {
    Ok(ReviewId(row.try_get::<Uuid, _>("id")?))
}

fn read_row(row: &PgRow) -> Result<ReviewRow, Fault> {
    Ok(ReviewRow {
        id: read_id(row)?,
        firm: FirmId::new(row.try_get::<String, _>("firm")?),
        kind: word(row, "kind")?,
        subject: row.try_get("subject")?,
        why: row.try_get("why")?,
        opened_at: moment(row, "opened_at")?,
        resolved_at: moment_if_any(row, "resolved_at")?,
        resolved_by: row.try_get("resolved_by")?,
        action: word_if_any(row, "action")?,
    })
}

async fn list(pool: &PgPool, filter: &ReviewFilter) -> Result<Vec<ReviewRow>, Fault> {
    let mut sql: QueryBuilder<Postgres> = QueryBuilder::new(SELECT);
    if !filter.with_resolved {
        sql.push(" AND resolved_at IS NULL");
    }
    if let Some(firm) = &filter.firm {
        sql.push(" AND firm = ").push_bind(firm.as_str());
    }
    if let Some(firms) = &filter.within {
        let firms: Vec<String> = firms.iter().map(|firm| text(firm.as_str())).collect();
        sql.push(" AND firm = ANY(").push_bind(firms).push(")");
    }
    if let Some(kind) = filter.kind {
        sql.push(" AND kind = ").push_bind(kind.as_str());
    }
    if let Some(after) = filter.after {
        sql.push(" AND id > ").push_bind(after.0);
    }
    sql.push(" ORDER BY id LIMIT ").push_bind(i64::try_from(filter.limit).unwrap_or(i64::MAX));
    sql.build().fetch_all(pool).await?.iter().map(read_row).collect()
}

async fn stories_in(
    pool: &PgPool,
    keyring: &Keyring,
    sql: QueryBuilder<Postgres>,
) -> Result<Vec<ReviewStory>, Fault> {
    let mut connection = pool.acquire().await?;
    stories(&mut connection, keyring, sql).await
}

async fn stories(
    connection: &mut PgConnection,
    keyring: &Keyring,
    mut sql: QueryBuilder<Postgres>,
) -> Result<Vec<ReviewStory>, Fault> {
    let rows = sql.build().fetch_all(&mut *connection).await?;
    let mut stories = Vec::with_capacity(rows.len());
    for found in rows {
        let row = read_row(&found)?;
        let (details, resolution) =
            open(keyring, row.id, found.try_get("sealed_details")?, found.try_get("sealed_resolution")?)?;
        let sql = "SELECT id FROM event WHERE seq IN (SELECT event FROM review_event WHERE review = $1)
            ORDER BY seq";
        let events = sqlx::query(sql).bind(row.id.0).fetch_all(&mut *connection).await?;
        let events = events.iter().map(|row| event_id(row, "id")).collect::<Result<_, _>>()?;
        stories.push(ReviewStory { events, row, details, resolution });
    }
    Ok(stories)
}

/// The questions of a firm, open and answered, that show one of these records.
pub(super) async fn showing(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &str,
    records: &[RecordRef],
) -> Result<Vec<ReviewStory>, Fault> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(" AND firm = ").push_bind(firm.to_owned()).push(" ORDER BY id");
    let mut found = stories(connection, keyring, sql).await?;
    found.retain(|review| shows(review, records));
    Ok(found)
}

/// Asks, or brings the question that is being asked up to date.
pub(super) async fn ask(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &str,
    question: &Question,
    now: Timestamp,
) -> Result<ReviewId, Fault> {
    let sql = "SELECT id FROM review WHERE firm = $1 AND kind = $2 AND subject = $3 AND resolved_at IS NULL";
    let (kind, subject) = (question.kind.as_str(), text(&question.subject));
    let open = sqlx::query(sql).bind(firm).bind(kind).bind(&subject).fetch_optional(&mut *connection).await?;
    let id = open.as_ref().map(read_id).transpose()?;
    let id_or_new = id.unwrap_or_else(|| ReviewId(Uuid::now_v7()));
    let sealed = seal_details(keyring, id_or_new, &question.details);
    if let Some(id) = id {
        let sql = "UPDATE review SET why = $1, sealed_details = $2 WHERE id = $3";
        let update = sqlx::query(sql).bind(text(&question.why)).bind(sealed).bind(id.0);
        update.execute(connection).await?;
        return Ok(id);
    }
    let sql = "INSERT INTO review (id, firm, kind, subject, why, sealed_details, opened_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let insert = sqlx::query(sql).bind(id_or_new.0).bind(firm).bind(kind).bind(subject);
    insert.bind(text(&question.why)).bind(sealed).bind(now.as_millisecond()).execute(connection).await?;
    Ok(id_or_new)
}

/// Has an event wait for the answer.
pub(super) async fn hold(connection: &mut PgConnection, id: ReviewId, event: i64) -> Result<(), Fault> {
    let sql = "INSERT INTO review_event (review, event) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(id.0).bind(event).execute(connection).await?;
    Ok(())
}

async fn hold_settled(
    connection: &mut PgConnection,
    id: ReviewId,
    event: EventId,
    why: &str,
) -> Result<(), Fault> {
    let sql = "UPDATE event SET state = 'in_review', reason = $1, cause = NULL
        WHERE id = $2 AND state NOT IN ('waiting', 'ready', 'running', 'retrying', 'parked') RETURNING seq";
    let row = sqlx::query(sql).bind(text(why)).bind(event.0).fetch_optional(&mut *connection).await?;
    match row {
        Some(row) => {
            let seq = row.try_get("seq")?;
            super::figures::reopen(connection, seq).await?;
            hold(connection, id, seq).await
        }
        None => Ok(()),
    }
}

/// Answers a question, or says that it answered itself, and puts what waits for it back into its lanes.
pub(super) async fn close(
    connection: &mut PgConnection,
    id: ReviewId,
    answer: Option<(ReviewAction, &[u8])>,
    by: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let (action, sealed) = answer.map(|(action, sealed)| (action.as_str(), sealed)).unzip();
    let sql = "UPDATE review SET resolved_at = $1, resolved_by = $2, action = $3, sealed_resolution = $4
        WHERE id = $5";
    let update = sqlx::query(sql).bind(now.as_millisecond()).bind(text(by)).bind(action).bind(sealed);
    update.bind(id.0).execute(&mut *connection).await?;
    let sql = "SELECT seq, firm, records FROM event
        WHERE seq IN (SELECT event FROM review_event WHERE review = $1) AND state = 'in_review'";
    let mut people = BTreeSet::new();
    for row in sqlx::query(sql).bind(id.0).fetch_all(&mut *connection).await? {
        // Its person may have been united with another, or parted from it, meanwhile.
        let firm: &str = row.try_get("firm")?;
        let records: Vec<String> = serde_json::from_str(row.try_get("records")?).unwrap_or_default();
        let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
        let person = lanes::person_of(connection, firm, &records).await?;
        let state = match person {
            Some(_) => "waiting",
            None => lanes::head_state(connection, firm).await?.as_str(),
        };
        let sql = "UPDATE event SET state = $1, reason = 'a person decided', person = $2, due_at = $3,
            failed_attempts = 0, settled_at = NULL WHERE seq = $4";
        let update = sqlx::query(sql).bind(state).bind(person).bind(now.as_millisecond());
        update.bind(row.try_get::<i64, _>("seq")?).execute(&mut *connection).await?;
        people.extend(person);
    }
    for person in people {
        lanes::reform(connection, person).await?;
    }
    Ok(())
}

/// Closes the question who a record is, which answered itself.
pub(super) async fn close_about(
    connection: &mut PgConnection,
    firm: &str,
    subjects: &[String],
    now: Timestamp,
) -> Result<(), Fault> {
    let sql =
        "SELECT id FROM review WHERE firm = $1 AND kind = $2 AND subject = ANY($3) AND resolved_at IS NULL";
    let find = sqlx::query(sql).bind(firm).bind(ReviewKind::AmbiguousMatch.as_str()).bind(subjects);
    for row in find.fetch_all(&mut *connection).await? {
        close(connection, read_id(&row)?, None, MOOT, now).await?;
    }
    Ok(())
}

/// Closes the questions that a settled event waited for and does not ask any more.
pub(super) async fn close_moot(
    connection: &mut PgConnection,
    event: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "SELECT id FROM review WHERE resolved_at IS NULL
        AND id IN (SELECT review FROM review_event WHERE event = $1)";
    for row in sqlx::query(sql).bind(event).fetch_all(&mut *connection).await? {
        close(connection, read_id(&row)?, None, MOOT, now).await?;
    }
    Ok(())
}
