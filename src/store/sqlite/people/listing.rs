//! Lists of people, and a person's story.

use rusqlite::{Connection, params};

use super::super::rows::{Id, Millis};
use super::super::{links, listing};
use super::{alive, records_of};
use crate::crypto::Keyring;
use crate::domain::{EventId, FirmId, PersonId, System};
use crate::store::people::MOST_EVENTS;
use crate::store::{PeopleFilter, PersonLink, PersonRow, PersonStory, StoreError};

pub(super) fn story(
    connection: &Connection,
    keyring: &Keyring,
    id: PersonId,
) -> Result<Option<PersonStory>, StoreError> {
    let Some((firm, person)) = alive(connection, id)? else { return Ok(None) };
    // Merged people keep their number, and their settled events keep it, too.
    let sql = "WITH RECURSIVE merged (id) AS (SELECT ?1 UNION SELECT person.id FROM person
            JOIN merged ON person.merged_into = merged.id)
        SELECT id FROM merged WHERE id <> ?1 ORDER BY id";
    let mut select = connection.prepare_cached(sql)?;
    let merged = select.query_map([person], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?;
    let sql = "SELECT record FROM person_record WHERE person = ? ORDER BY record";
    let mut select = connection.prepare_cached(sql)?;
    let records =
        select.query_map([person], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let mut events: Vec<EventId> = Vec::new();
    let sql = "SELECT id FROM event WHERE coalesce(person, 0) = ? ORDER BY seq DESC LIMIT ?";
    let mut select = connection.prepare_cached(sql)?;
    for person in merged.iter().chain([&person]) {
        let most = i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX);
        let found = select.query_map(params![person, most], |row| Ok(row.get::<_, Id>(0)?.0))?;
        events.extend(found.collect::<Result<Vec<_>, _>>()?);
    }
    // Ids are ordered by time.
    events.sort_unstable();
    let mut stories = Vec::with_capacity(events.len().min(MOST_EVENTS));
    for event in &events[events.len().saturating_sub(MOST_EVENTS)..] {
        stories.extend(listing::event(connection, keyring, *event)?);
    }
    Ok(Some(PersonStory {
        id: PersonId(person),
        merged: merged.into_iter().map(PersonId).collect(),
        links: links_among(connection, keyring, &firm, &records)?,
        firm: FirmId::new(firm),
        records,
        events: stories,
    }))
}

fn links_among(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    records: &[String],
) -> Result<Vec<PersonLink>, StoreError> {
    let sql = "SELECT highlevel, casepeer, origin, sealed_base, revision, created_at, updated_at FROM link
        WHERE firm = ? AND highlevel = ?";
    let mut select = connection.prepare_cached(sql)?;
    let mut found = Vec::new();
    for record in records.iter().filter(|record| record.starts_with(System::HighLevel.as_str())) {
        let mut rows = select.query(params![firm, record])?;
        while let Some(row) = rows.next()? {
            let (_, link) = links::read(row, keyring, &FirmId::new(firm))?;
            let moments = (row.get::<_, Millis>(5)?.0, row.get::<_, Millis>(6)?.0);
            found.push(PersonLink::new(link, moments.0, moments.1));
        }
    }
    found.sort_by_key(|link| link.linked_at);
    Ok(found)
}

pub(super) fn people(connection: &Connection, filter: &PeopleFilter) -> Result<Vec<PersonRow>, StoreError> {
    let (after, firm) = (filter.after.map_or(0, |id| id.0), filter.firm.as_ref().map(FirmId::as_str));
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let sql = match filter.key {
        None => {
            "SELECT id, firm FROM person WHERE id > ?1 AND merged_into IS NULL AND (?2 IS NULL OR firm = ?2)
                AND ?4 IS NULL ORDER BY id LIMIT ?3"
        }
        Some(_) => {
            "SELECT DISTINCT person.id, person.firm FROM person_key
                JOIN person_record USING (firm, record) JOIN person ON person.id = person_record.person
                WHERE person_key.match_key = ?4 AND (?2 IS NULL OR person_key.firm = ?2) AND person.id > ?1
                ORDER BY person.id LIMIT ?3"
        }
    };
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_map(params![after, firm, limit, filter.key], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut rows = Vec::new();
    for (id, firm) in found.collect::<Result<Vec<_>, _>>()? {
        let records = records_of(connection, id)?.iter().map(ToString::to_string).collect();
        rows.push(PersonRow { id: PersonId(id), firm: FirmId::new(firm), records });
    }
    Ok(rows)
}
