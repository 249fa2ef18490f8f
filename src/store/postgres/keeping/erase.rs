//! Handing out and erasing what is kept about a person. People wait for it, and it happens rarely.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::super::people::alive_on;
use super::super::review::{close, showing};
use super::super::rows::{Fault, event_id, moment, moment_if_any, text, word};
use super::retention::{clear_requests, delete_questions};
use super::{everybody, holds_of};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, FirmId, PersonId, RecordRef};
use crate::store::keeping::OVER;
use crate::store::review::MOOT;
use crate::store::said::split;
use crate::store::{CannotErase, Erased, ErasedCounts, Papers, SentRequest};

/// A person with everything that hangs on them.
struct Found {
    firm: String,
    person: i64,
    everybody: Vec<i64>,
    records: Vec<RecordRef>,
    /// The records' names as columns have them.
    names: Vec<String>,
    rows: Vec<i64>,
    events: Vec<EventId>,
    effects: Vec<String>,
}

async fn find(connection: &mut PgConnection, person: PersonId) -> Result<Option<Found>, Fault> {
    let Some((firm, person)) = alive_on(connection, person).await? else { return Ok(None) };
    let everybody = everybody(connection, PersonId(person)).await?;
    let sql = "SELECT record FROM person_record WHERE person = ANY($1) ORDER BY record";
    let rows = sqlx::query(sql).bind(&everybody).fetch_all(&mut *connection).await?;
    let records = rows.iter().map(|row| word(row, "record")).collect::<Result<Vec<RecordRef>, _>>()?;
    let names: Vec<String> = records.iter().map(|record| text(&record.to_string())).collect();
    let sql = "SELECT seq, id FROM event WHERE person = ANY($1) ORDER BY seq";
    let found = sqlx::query(sql).bind(&everybody).fetch_all(&mut *connection).await?;
    let rows: Vec<i64> = found.iter().map(|row| row.try_get("seq")).collect::<Result<_, _>>()?;
    let events: Vec<EventId> = found.iter().map(|row| event_id(row, "id")).collect::<Result<_, _>>()?;
    let ids: Vec<Uuid> = events.iter().map(|id| id.0).collect();
    let sql = "SELECT effect_key FROM call WHERE event = ANY($1) AND effect_key IS NOT NULL
        UNION SELECT key FROM effect WHERE event = ANY($2) AND completed_at IS NULL
        UNION SELECT key FROM effect WHERE firm = $3 AND result = ANY($4)";
    let select = sqlx::query_scalar(sql).bind(&rows).bind(&ids).bind(&firm).bind(&names);
    let effects: BTreeSet<String> = select.fetch_all(&mut *connection).await?.into_iter().collect();
    let effects = effects.into_iter().collect();
    Ok(Some(Found { firm, person, everybody, records, names, rows, events, effects }))
}

pub(super) async fn papers(
    connection: &mut PgConnection,
    keyring: &Keyring,
    person: PersonId,
) -> Result<Option<Papers>, Fault> {
    let Some(found) = find(connection, person).await? else { return Ok(None) };
    let sql = "SELECT key, operation, begun_at, completed_at, result, sealed_request FROM effect
        WHERE firm = $1 AND key = ANY($2) ORDER BY key";
    let rows = sqlx::query(sql).bind(&found.firm).bind(&found.effects).fetch_all(&mut *connection).await?;
    let mut requests = Vec::with_capacity(rows.len());
    for row in &rows {
        let (effect, sealed): (String, &[u8]) = (row.try_get("key")?, row.try_get("sealed_request")?);
        let name = format!("{}\0{effect}", found.firm);
        let place = Place { table: "effect", column: "sealed_request", row: &name };
        requests.push(SentRequest {
            operation: row.try_get("operation")?,
            begun_at: moment(row, "begun_at")?,
            completed_at: moment_if_any(row, "completed_at")?,
            result: row.try_get("result")?,
            body: (!sealed.is_empty())
                .then(|| keyring.open(place, sealed).map(|plain| split(plain).0))
                .transpose()?,
            effect,
        });
    }
    let reviews = showing(connection, keyring, &found.firm, &found.records).await?;
    Ok(Some(Papers { events: found.events, requests, reviews }))
}

pub(super) async fn erase(
    connection: &mut PgConnection,
    keyring: &Keyring,
    person: PersonId,
    by: &str,
    now: Timestamp,
) -> Result<Result<Erased, CannotErase>, Fault> {
    let Some(found) = find(connection, person).await? else { return Ok(Err(CannotErase::NotThere)) };
    let holds = holds_of(connection, keyring, Some(&found.everybody)).await?;
    if let Some(hold) = holds.into_iter().find(|hold| hold.released_at.is_none()) {
        return Ok(Err(CannotErase::Held(Box::new(hold))));
    }
    // Locked, since a claim takes no lock of the firm.
    let sql = "SELECT state FROM event WHERE seq = ANY($1) ORDER BY seq FOR UPDATE";
    let states: Vec<String> = sqlx::query_scalar(sql).bind(&found.rows).fetch_all(&mut *connection).await?;
    if states.iter().any(|state| state == "running") {
        return Ok(Err(CannotErase::AtWork));
    }
    let erased = delete(connection, keyring, &found, now).await?;
    let id = Uuid::now_v7();
    let counted = serde_json::to_string(&erased).expect("numbers are JSON");
    let sql = "INSERT INTO erasure (id, firm, person, erased_at, erased_by, counted) VALUES ($1, $2, $3, $4, $5, $6)";
    let insert = sqlx::query(sql).bind(id).bind(&found.firm).bind(found.person).bind(now.as_millisecond());
    insert.bind(text(by)).bind(counted).execute(connection).await?;
    Ok(Ok(Erased {
        id,
        firm: FirmId::new(found.firm),
        person: PersonId(found.person),
        records: found.records.iter().map(ToString::to_string).collect(),
        erased_at: now,
        erased_by: by.to_owned(),
        erased,
    }))
}

async fn delete(
    connection: &mut PgConnection,
    keyring: &Keyring,
    found: &Found,
    now: Timestamp,
) -> Result<ErasedCounts, Fault> {
    let reviews = showing(connection, keyring, &found.firm, &found.records).await?;
    for review in &reviews {
        // Somebody else's event may wait for it: that one asks anew, without what is erased.
        close(connection, review.row.id, None, MOOT, now).await?;
    }
    let reviews: Vec<Uuid> = reviews.iter().map(|review| review.row.id.0).collect();
    delete_questions(connection, &reviews).await?;
    for sql in [
        "DELETE FROM hand_off WHERE firm = $1 AND effect = ANY($2)",
        "DELETE FROM reservation WHERE firm = $1 AND effect = ANY($2)",
    ] {
        sqlx::query(sql).bind(&found.firm).bind(&found.effects).execute(&mut *connection).await?;
    }
    let sql = "SELECT count(*) FROM effect WHERE firm = $1 AND key = ANY($2) AND length(sealed_request) > 0";
    let count = sqlx::query_scalar(sql).bind(&found.firm).bind(&found.effects);
    let requests: i64 = count.fetch_one(&mut *connection).await?;
    let sql = "DELETE FROM effect WHERE firm = $1 AND key = ANY($2) AND completed_at IS NULL";
    sqlx::query(sql).bind(&found.firm).bind(&found.effects).execute(&mut *connection).await?;
    clear_requests(connection, &found.firm, &found.effects).await?;
    let mut links = 0;
    for sql in [
        "DELETE FROM link WHERE firm = $1 AND highlevel = ANY($2)",
        "DELETE FROM link WHERE firm = $1 AND casepeer = ANY($2)",
    ] {
        let delete = sqlx::query(sql).bind(&found.firm).bind(&found.names);
        links += delete.execute(&mut *connection).await?.rows_affected();
    }
    for sql in [
        "DELETE FROM loss_gap WHERE firm = $1 AND record = ANY($2)",
        "DELETE FROM person_key WHERE firm = $1 AND record = ANY($2)",
        "DELETE FROM person_key WHERE firm = $1 AND record = ANY($2)",
        "DELETE FROM person_record WHERE firm = $1 AND record = ANY($2)",
    ] {
        sqlx::query(sql).bind(&found.firm).bind(&found.names).execute(&mut *connection).await?;
    }
    let sql = "DELETE FROM action_answer WHERE event IN (SELECT id FROM event WHERE seq = ANY($1))";
    sqlx::query(sql).bind(&found.rows).execute(&mut *connection).await?;
    let mut deleted = [0; 3];
    for (sql, count) in [
        "DELETE FROM payload WHERE event = ANY($1)",
        "DELETE FROM call WHERE event = ANY($1)",
        "DELETE FROM review_event WHERE event = ANY($1)",
    ]
    .into_iter()
    .zip(&mut deleted)
    {
        *count = sqlx::query(sql).bind(&found.rows).execute(&mut *connection).await?.rows_affected();
    }
    let sql = "SELECT count(*) FROM event WHERE seq = ANY($1) AND settled_at IS NULL";
    let pending: i64 = sqlx::query_scalar(sql).bind(&found.rows).fetch_one(&mut *connection).await?;
    let sql = format!(
        "UPDATE event SET state = CASE WHEN state IN ({OVER}) AND state <> 'undelivered' THEN state ELSE 'discarded' END,
            settled_at = coalesce(settled_at, $1), claims = claims + 1, lease_owner = NULL, lease_until = NULL,
            person = NULL, subject = NULL, records = '[]', sealed_plan = NULL, reason = 'erased', cause = NULL
        WHERE seq = ANY($2)"
    );
    let discard = sqlx::query(AssertSqlSafe(sql)).bind(now.as_millisecond()).bind(&found.rows);
    discard.execute(connection).await?;
    Ok(ErasedCounts {
        events: found.rows.len() as u64,
        discarded: pending.unsigned_abs(),
        payloads: deleted[0],
        requests: requests.unsigned_abs(),
        calls: deleted[1],
        links,
        reviews: reviews.len() as u64,
    })
}
