//! A person's story.

use sqlx::Row;
use sqlx::postgres::PgPool;

use super::super::rows::{Fault, event_id, moment};
use super::super::{links, listing};
use super::alive;
use crate::crypto::Keyring;
use crate::domain::{EventId, FirmId, PersonId};
use crate::store::people::MOST_EVENTS;
use crate::store::{PersonLink, PersonStory};

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
