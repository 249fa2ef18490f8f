//! People: who they are, that two are one, and that one is two.

mod listing;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool};
use uuid::Uuid;

use super::core::in_transaction;
use super::rows::{Fault, text, word};
use super::{PostgresStore, keeping, lanes, links, read};
use crate::crypto::Keyring;
use crate::domain::{FirmId, Link, PersonId, RecordRef, Resolution, ReviewAction, ReviewId, ReviewKind};
use crate::store::people::{APART, apart, is_match, leaving};
use crate::store::review::{seal_details, seal_resolution};
use crate::store::{
    CannotSplit, LinkChange, People, PeopleFilter, PersonRow, PersonStory, Split, StoreError,
};

#[async_trait]
impl People for PostgresStore {
    async fn person(&self, id: PersonId) -> Result<Option<PersonStory>, StoreError> {
        read(listing::story(&self.core.pool, &self.keyring, id)).await
    }

    async fn people(&self, filter: PeopleFilter) -> Result<Vec<PersonRow>, StoreError> {
        read(listing::people(&self.core.pool, filter)).await
    }

    async fn person_of(&self, firm: &FirmId, record: &RecordRef) -> Result<Option<PersonId>, StoreError> {
        let sql = "SELECT person FROM person_record WHERE firm = $1 AND record = $2";
        let finding = async {
            let find = sqlx::query(sql).bind(firm.as_str()).bind(text(&record.to_string()));
            let row = find.fetch_optional(&self.core.pool).await?;
            Ok(row.map(|row| row.try_get("person")).transpose()?.map(PersonId))
        };
        read(finding).await
    }

    async fn records_with(&self, firm: &FirmId, record: &RecordRef) -> Result<Vec<RecordRef>, StoreError> {
        let sql = "SELECT record FROM person_record WHERE person = (
            SELECT person FROM person_record WHERE firm = $1 AND record = $2) ORDER BY record";
        let finding = async {
            let find = sqlx::query(sql).bind(firm.as_str()).bind(text(&record.to_string()));
            let rows = find.fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| word(row, "record")).collect::<Result<Vec<RecordRef>, Fault>>()
        };
        read(finding).await
    }

    async fn merge_people(&self, one: PersonId, other: PersonId) -> Result<Option<PersonId>, StoreError> {
        let Some((firm, _)) = read(alive(&self.core.pool, one)).await? else { return Ok(None) };
        let merged = in_transaction!(&self.core, &[firm.as_str()], |connection, _now| merge(
            connection, &firm, one, other
        ))?;
        read(self.ring()).await?;
        Ok(merged)
    }

    async fn link_records(&self, firm: &FirmId, link: Link) -> Result<(), StoreError> {
        let changes = [LinkChange::Link(link)];
        in_transaction!(&self.core, &[firm.as_str()], |connection, now| links::apply(
            connection,
            &self.keyring,
            firm,
            &changes,
            now
        ))?;
        read(self.ring()).await
    }

    async fn split_person(
        &self,
        firm: &FirmId,
        records: &[RecordRef],
        by: &str,
    ) -> Result<Result<Split, CannotSplit>, StoreError> {
        let parted = in_transaction!(&self.core, &[firm.as_str()], |connection, now| split(
            connection,
            &self.keyring,
            firm.as_str(),
            records,
            by,
            now
        ))?;
        read(self.ring()).await?;
        Ok(parted)
    }
}

/// The firm and number of a person, or of the one it was merged into.
pub(super) async fn alive(pool: &PgPool, id: PersonId) -> Result<Option<(String, i64)>, Fault> {
    let mut connection = pool.acquire().await?;
    alive_on(&mut connection, id).await
}

pub(super) async fn alive_on(
    connection: &mut PgConnection,
    id: PersonId,
) -> Result<Option<(String, i64)>, Fault> {
    let sql = "WITH RECURSIVE step AS (SELECT id, firm, merged_into FROM person WHERE id = $1
            UNION SELECT person.id, person.firm, person.merged_into FROM person JOIN step ON person.id = step.merged_into)
        SELECT firm, id FROM step WHERE merged_into IS NULL";
    let row = sqlx::query(sql).bind(id.0).fetch_optional(connection).await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get("firm")?, row.try_get("id")?))).transpose()?)
}

async fn merge(
    connection: &mut PgConnection,
    firm: &str,
    one: PersonId,
    other: PersonId,
) -> Result<Option<PersonId>, Fault> {
    let (one, other) = (alive_on(connection, one).await?, alive_on(connection, other).await?);
    match (one, other) {
        (Some((_, one)), Some((others_firm, other))) if others_firm == firm => {
            Ok(Some(PersonId(lanes::unite_people(connection, one, other).await?)))
        }
        _ => Ok(None),
    }
}

async fn split(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &str,
    named: &[RecordRef],
    by: &str,
    now: Timestamp,
) -> Result<Result<Split, CannotSplit>, Fault> {
    let mut people = BTreeSet::new();
    for record in named {
        let sql = "SELECT person FROM person_record WHERE firm = $1 AND record = $2";
        let find = sqlx::query(sql).bind(firm).bind(text(&record.to_string()));
        match find.fetch_optional(&mut *connection).await? {
            Some(row) => people.insert(row.try_get::<i64, _>("person")?),
            None => return Ok(Err(CannotSplit::Unknown(record.clone()))),
        };
    }
    let (Some(from), 1) = (people.first().copied(), people.len()) else {
        return Ok(Err(CannotSplit::Several));
    };
    let sql = "SELECT record FROM person_record WHERE person = $1 ORDER BY record";
    let all = sqlx::query(sql).bind(from).fetch_all(&mut *connection).await?;
    let all: Vec<RecordRef> = all.iter().map(|row| word(row, "record")).collect::<Result<_, _>>()?;
    let moved = match leaving(&all, named) {
        Ok(moved) => moved,
        Err(why) => return Ok(Err(why)),
    };
    let sql = "INSERT INTO person (firm) VALUES ($1) RETURNING id";
    let to: i64 = sqlx::query(sql).bind(firm).fetch_one(&mut *connection).await?.try_get("id")?;
    keeping::hold_with(connection, from, to).await?;
    let records: Vec<String> = moved.iter().map(ToString::to_string).collect();
    let sql = "UPDATE person_record SET person = $1 WHERE firm = $2 AND record = ANY($3)";
    let keys: Vec<String> = records.iter().map(|record| text(record)).collect();
    sqlx::query(sql).bind(to).bind(firm).bind(&keys).execute(&mut *connection).await?;
    let events = part_events(connection, firm, from, to).await?;
    let links = part_links(connection, keyring, firm, &moved, &keys, by, now).await?;
    for person in [from, to] {
        lanes::reform(connection, person).await?;
    }
    Ok(Ok(Split { from: PersonId(from), to: PersonId(to), records, events, links }))
}

/// Sends each event where its records went; how many of those are pending. One that is being worked on starts over:
/// what it was going to do was decided about one person.
async fn part_events(connection: &mut PgConnection, firm: &str, from: i64, to: i64) -> Result<u64, Fault> {
    let sql =
        "UPDATE event SET state = 'waiting', claims = claims + 1, lease_owner = NULL, lease_until = NULL
        WHERE person = $1 AND state = 'running'";
    sqlx::query(sql).bind(from).execute(&mut *connection).await?;
    let sql =
        "SELECT seq, records, settled_at IS NULL AS is_pending FROM event WHERE person = $1 ORDER BY seq";
    let mut pending = 0;
    for row in sqlx::query(sql).bind(from).fetch_all(&mut *connection).await? {
        let records: Vec<String> = serde_json::from_str(row.try_get("records")?).unwrap_or_default();
        let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
        if lanes::person_of(connection, firm, &records).await? == Some(to) {
            let seq: i64 = row.try_get("seq")?;
            let sql = "UPDATE event SET person = $1 WHERE seq = $2";
            sqlx::query(sql).bind(to).bind(seq).execute(&mut *connection).await?;
            pending += u64::from(row.try_get::<bool, _>("is_pending")?);
        }
    }
    Ok(pending)
}

/// Ends the links between the two, and keeps matching from making them again; how many those were.
async fn part_links(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &str,
    moved: &[RecordRef],
    keys: &[String],
    by: &str,
    now: Timestamp,
) -> Result<u64, Fault> {
    let sql = "SELECT highlevel, casepeer FROM link WHERE firm = $1 AND (highlevel = ANY($2) OR casepeer = ANY($2))";
    let mut ended = 0;
    for row in sqlx::query(sql).bind(firm).bind(keys).fetch_all(&mut *connection).await? {
        let (highlevel, casepeer): (RecordRef, RecordRef) =
            (word(&row, "highlevel")?, word(&row, "casepeer")?);
        if moved.contains(&highlevel) && moved.contains(&casepeer) {
            continue;
        }
        let sql = "DELETE FROM link WHERE firm = $1 AND highlevel = $2 AND casepeer = $3";
        let (here, there): (&str, &str) = (row.try_get("highlevel")?, row.try_get("casepeer")?);
        let delete = sqlx::query(sql).bind(firm).bind(here).bind(there);
        ended += delete.execute(&mut *connection).await?.rows_affected();
        if is_match(&highlevel, &casepeer) {
            keep_apart(connection, keyring, firm, [&highlevel, &casepeer], by, now).await?;
            keep_apart(connection, keyring, firm, [&casepeer, &highlevel], by, now).await?;
        }
    }
    Ok(ended)
}

async fn keep_apart(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &str,
    [record, other]: [&RecordRef; 2],
    by: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let id = ReviewId(Uuid::now_v7());
    let action = ReviewAction::Create;
    let sql = "INSERT INTO review (id, firm, kind, subject, why, sealed_details, opened_at, resolved_at, resolved_by,
            action, sealed_resolution)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10)";
    sqlx::query(sql)
        .bind(id.0)
        .bind(firm)
        .bind(ReviewKind::AmbiguousMatch.as_str())
        .bind(text(&record.to_string()))
        .bind(APART)
        .bind(seal_details(keyring, id, &apart(other)))
        .bind(now.as_millisecond())
        .bind(text(by))
        .bind(action.as_str())
        .bind(seal_resolution(keyring, id, &Resolution::new(action)))
        .execute(connection)
        .await?;
    Ok(())
}
