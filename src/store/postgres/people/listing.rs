//! Lists of people, and a person's story.

use sqlx::Row;
use sqlx::postgres::PgPool;

use super::super::rows::{Fault, event_id, moment};
use super::super::{links, listing};
use super::alive;
use crate::crypto::Keyring;
use crate::domain::{EventId, FirmId, PersonId};
use crate::store::people::MOST_EVENTS;
use crate::store::{PeopleFilter, PersonLink, PersonRow, PersonStory};

pub(super) async fn story(
    pool: &PgPool,
    keyring: &Keyring,
    id: PersonId,
) -> Result<Option<PersonStory>, Fault> {
    let Some((firm, person)) = alive(pool, id).await? else { return Ok(None) };
    // Merged people keep their number, and their settled events keep it, too.
    let sql = "WITH RECURSIVE merged AS (SELECT $1::bigint AS id UNION SELECT person.id FROM person
            JOIN merged ON person.merged_into = merged.id)
        SELECT id FROM merged ORDER BY id";
    let rows = sqlx::query(sql).bind(person).fetch_all(pool).await?;
    let all: Vec<i64> = rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
    let sql = "SELECT record FROM person_record WHERE person = $1 ORDER BY record";
    let rows = sqlx::query(sql).bind(person).fetch_all(pool).await?;
    let records: Vec<String> = rows.iter().map(|row| row.try_get("record")).collect::<Result<_, _>>()?;
    let most = i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX);
    let sql = "SELECT id FROM event WHERE person = ANY($1) ORDER BY seq DESC LIMIT $2";
    let rows = sqlx::query(sql).bind(&all).bind(most).fetch_all(pool).await?;
    let mut events: Vec<EventId> =
        rows.iter().map(|row| event_id(row, "id")).collect::<Result<_, Fault>>()?;
    // Ids are ordered by time.
    events.sort_unstable();
    let mut stories = Vec::with_capacity(events.len());
    for event in events {
        stories.extend(listing::event(pool, keyring, event).await?);
    }
    let firm = FirmId::new(firm);
    let sql = "SELECT highlevel, casepeer, origin, sealed_base, revision, created_at, updated_at FROM link
        WHERE firm = $1 AND highlevel = ANY($2) ORDER BY created_at, highlevel, casepeer";
    let rows = sqlx::query(sql).bind(firm.as_str()).bind(&records).fetch_all(pool).await?;
    let read = |row| {
        let link = links::read(row, keyring, &firm)?;
        Ok(PersonLink::new(link, moment(row, "created_at")?, moment(row, "updated_at")?))
    };
    let links = rows.iter().map(read).collect::<Result<_, Fault>>()?;
    let merged = all.into_iter().filter(|id| *id != person).map(PersonId).collect();
    Ok(Some(PersonStory { id: PersonId(person), firm, merged, records, links, events: stories }))
}

pub(super) async fn people(pool: &PgPool, filter: PeopleFilter) -> Result<Vec<PersonRow>, Fault> {
    let sql = match filter.key {
        None => {
            "WITH found AS (SELECT id, firm FROM person WHERE id > $1 AND merged_into IS NULL
                AND ($2::text IS NULL OR firm = $2) AND $4::bytea IS NULL ORDER BY id LIMIT $3)
            SELECT found.id, found.firm, coalesce(array_agg(record ORDER BY record)
                FILTER (WHERE record IS NOT NULL), '{}') AS records
            FROM found LEFT JOIN person_record ON person_record.person = found.id
            GROUP BY found.id, found.firm ORDER BY found.id"
        }
        Some(_) => {
            "WITH found AS (SELECT DISTINCT person.id, person.firm FROM person_key
                JOIN person_record USING (firm, record) JOIN person ON person.id = person_record.person
                WHERE person_key.match_key = $4 AND ($2::text IS NULL OR person_key.firm = $2)
                    AND person.id > $1 ORDER BY person.id LIMIT $3)
            SELECT found.id, found.firm, coalesce(array_agg(record ORDER BY record)
                FILTER (WHERE record IS NOT NULL), '{}') AS records
            FROM found LEFT JOIN person_record ON person_record.person = found.id
            GROUP BY found.id, found.firm ORDER BY found.id"
        }
    };
    let select = sqlx::query(sql)
        .bind(filter.after.map_or(0, |id| id.0))
        .bind(filter.firm.as_ref().map(FirmId::as_str))
        .bind(i64::try_from(filter.limit).unwrap_or(i64::MAX))
        .bind(filter.key.map(Vec::from));
    let rows = select.fetch_all(pool).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        let firm: String = row.try_get("firm")?;
        let records = row.try_get("records")?;
        Ok(PersonRow { id: PersonId(row.try_get("id")?), firm: FirmId::new(firm), records })
    };
    rows.iter().map(read).collect()
}
