//! People: who they are, that two are one, and that one is two.

mod listing;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::rows::{Id, Millis, Word};
use super::{SqliteStore, keeping, lanes, links};
use crate::crypto::Keyring;
use crate::domain::{
    EventId, FirmId, Link, PersonId, RecordRef, Resolution, ReviewAction, ReviewId, ReviewKind,
};
use crate::store::people::{APART, apart, is_match, leaving};
use crate::store::review::{seal_details, seal_resolution};
use crate::store::{
    CannotSplit, LinkChange, People, PeopleFilter, PersonRow, PersonStory, Split, StoreError,
};

#[async_trait]
impl People for SqliteStore {
    async fn person(&self, id: PersonId) -> Result<Option<PersonStory>, StoreError> {
        self.read(move |connection, keyring| listing::story(connection, keyring, id)).await
    }

    async fn people(&self, filter: PeopleFilter) -> Result<Vec<PersonRow>, StoreError> {
        self.read(move |connection, _| listing::people(connection, &filter)).await
    }

    async fn person_of(&self, firm: &FirmId, record: &RecordRef) -> Result<Option<PersonId>, StoreError> {
        let (firm, record) = (firm.clone(), record.clone());
        self.read(move |connection, _| Ok(owner(connection, firm.as_str(), &record)?.map(PersonId))).await
    }

    async fn records_with(&self, firm: &FirmId, record: &RecordRef) -> Result<Vec<RecordRef>, StoreError> {
        let (firm, record) = (firm.clone(), record.clone());
        self.read(move |connection, _| {
            let Some(person) = owner(connection, firm.as_str(), &record)? else { return Ok(Vec::new()) };
            records_of(connection, person)
        })
        .await
    }

    async fn merge_people(&self, one: PersonId, other: PersonId) -> Result<Option<PersonId>, StoreError> {
        self.write(move |connection| merge(connection, one, other)).await
    }

    async fn link_records(&self, firm: &FirmId, link: Link) -> Result<(), StoreError> {
        let (firm, now, keyring) = (firm.clone(), self.now(), std::sync::Arc::clone(&self.keyring));
        self.write(move |connection| {
            links::apply(connection, &keyring, &firm, &[LinkChange::Link(link)], now)
        })
        .await
    }

    async fn split_person(
        &self,
        firm: &FirmId,
        records: &[RecordRef],
        by: &str,
    ) -> Result<Result<Split, CannotSplit>, StoreError> {
        let (firm, records, by) = (firm.clone(), records.to_vec(), by.to_owned());
        let (now, keyring) = (self.now(), std::sync::Arc::clone(&self.keyring));
        self.write(move |connection| split(connection, &keyring, firm.as_str(), &records, &by, now)).await
    }
}

fn owner(connection: &Connection, firm: &str, record: &RecordRef) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT person FROM person_record WHERE firm = ? AND record = ?";
    let found =
        connection.prepare_cached(sql)?.query_row(params![firm, record.to_string()], |row| row.get(0));
    Ok(found.optional()?)
}

fn records_of(connection: &Connection, person: i64) -> Result<Vec<RecordRef>, StoreError> {
    let sql = "SELECT record FROM person_record WHERE person = ? ORDER BY record";
    let mut select = connection.prepare_cached(sql)?;
    let all = select.query_map([person], |row| Ok(row.get::<_, Word<RecordRef>>(0)?.0))?;
    Ok(all.collect::<Result<_, _>>()?)
}

/// The firm and number of a person, or of the one it was merged into.
pub(super) fn alive(connection: &Connection, id: PersonId) -> Result<Option<(String, i64)>, StoreError> {
    let mut find = connection.prepare_cached("SELECT firm, merged_into FROM person WHERE id = ?")?;
    let mut next = id.0;
    loop {
        let row = find.query_row([next], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?)));
        match row.optional()? {
            None => return Ok(None),
            Some((firm, None)) => return Ok(Some((firm, next))),
            Some((_, Some(into))) => next = into,
        }
    }
}

fn merge(connection: &Connection, one: PersonId, other: PersonId) -> Result<Option<PersonId>, StoreError> {
    let (Some((firm, one)), Some((others_firm, other))) =
        (alive(connection, one)?, alive(connection, other)?)
    else {
        return Ok(None);
    };
    if firm != others_firm {
        return Ok(None);
    }
    Ok(Some(PersonId(lanes::unite_people(connection, one, other)?)))
}

fn split(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    named: &[RecordRef],
    by: &str,
    now: Timestamp,
) -> Result<Result<Split, CannotSplit>, StoreError> {
    let mut people = BTreeSet::new();
    for record in named {
        match owner(connection, firm, record)? {
            Some(person) => people.insert(person),
            None => return Ok(Err(CannotSplit::Unknown(record.clone()))),
        };
    }
    let (Some(from), 1) = (people.first().copied(), people.len()) else {
        return Ok(Err(CannotSplit::Several));
    };
    let moved = match leaving(&records_of(connection, from)?, named) {
        Ok(moved) => moved,
        Err(why) => return Ok(Err(why)),
    };
    let to = connection.prepare_cached("INSERT INTO person (firm) VALUES (?)")?.insert([firm])?;
    keeping::hold_with(connection, from, to)?;
    let mut take =
        connection.prepare_cached("UPDATE person_record SET person = ? WHERE firm = ? AND record = ?")?;
    for record in &moved {
        take.execute(params![to, firm, record.to_string()])?;
    }
    let events = part_events(connection, firm, from, to)?;
    let links = part_links(connection, keyring, firm, &moved, by, now)?;
    for person in [from, to] {
        lanes::reform(connection, person)?;
    }
    let records = moved.iter().map(ToString::to_string).collect();
    Ok(Ok(Split { from: PersonId(from), to: PersonId(to), records, events, links }))
}

/// Sends each event where its records went; how many of those are pending. One that is being worked on starts over:
/// what it was going to do was decided about one person.
fn part_events(connection: &Connection, firm: &str, from: i64, to: i64) -> Result<u64, StoreError> {
    let sql = "SELECT seq, records, settled_at IS NULL FROM event WHERE coalesce(person, 0) = ?";
    let mut select = connection.prepare_cached(sql)?;
    let events = select.query_map([from], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
    })?;
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let mut pending = 0;
    for (seq, records, is_pending) in events {
        let records: Vec<String> = serde_json::from_str(&records).unwrap_or_default();
        let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
        if is_pending {
            let sql = "UPDATE event SET state = 'waiting', claims = claims + 1, lease_owner = NULL, lease_until = NULL
                WHERE seq = ? AND state = 'running'";
            connection.prepare_cached(sql)?.execute([seq])?;
        }
        if lanes::person_of(connection, firm, &records)? == Some(to) {
            connection
                .prepare_cached("UPDATE event SET person = ? WHERE seq = ?")?
                .execute(params![to, seq])?;
            pending += u64::from(is_pending);
        }
    }
    Ok(pending)
}

/// Ends the links between the two, and keeps matching from making them again; how many those were.
fn part_links(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    moved: &[RecordRef],
    by: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut ended = 0;
    for record in moved {
        for sql in [
            "SELECT highlevel, casepeer FROM link WHERE firm = ? AND highlevel = ?",
            "SELECT highlevel, casepeer FROM link WHERE firm = ? AND casepeer = ?",
        ] {
            let mut select = connection.prepare_cached(sql)?;
            let pairs = select.query_map(params![firm, record.to_string()], |row| {
                Ok((row.get::<_, Word<RecordRef>>(0)?.0, row.get::<_, Word<RecordRef>>(1)?.0))
            })?;
            for (highlevel, casepeer) in pairs.collect::<Result<Vec<_>, _>>()? {
                if moved.contains(&highlevel) && moved.contains(&casepeer) {
                    continue;
                }
                let sql = "DELETE FROM link WHERE firm = ? AND highlevel = ? AND casepeer = ?";
                let pair = params![firm, highlevel.to_string(), casepeer.to_string()];
                ended += connection.prepare_cached(sql)?.execute(pair)? as u64;
                if is_match(&highlevel, &casepeer) {
                    keep_apart(connection, keyring, firm, [&highlevel, &casepeer], by, now)?;
                    keep_apart(connection, keyring, firm, [&casepeer, &highlevel], by, now)?;
                }
            }
        }
    }
    Ok(ended)
}

fn keep_apart(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    [record, other]: [&RecordRef; 2],
    by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let id = ReviewId(Uuid::now_v7());
    let sql = "INSERT INTO review (id, firm, kind, subject, why, sealed_details, opened_at, resolved_at, resolved_by,
            action, sealed_resolution)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10)";
    let action = ReviewAction::Create;
    connection.prepare_cached(sql)?.execute(params![
        Id(EventId(id.0)),
        firm,
        ReviewKind::AmbiguousMatch.as_str(),
        record.to_string(),
        APART,
        seal_details(keyring, id, &apart(other)),
        Millis(now),
        by,
        action.as_str(),
        seal_resolution(keyring, id, &Resolution::new(action)),
    ])?;
    Ok(())
}
