//! Linking what both sides' lists show to be one person's, a page of a list at once.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::super::receive::Sealed;
use super::super::rows::{Fault, text};
use super::super::writer::Job;
use super::super::{lanes, links, review};
use crate::crypto::Keyring;
use crate::domain::{FirmId, Link};
use crate::store::Recorded;
use crate::store::people::{is_match, new_keys};
use crate::store::sweeps::{BY_BACKFILL, ListedPair};

/// A pair on its way to the database.
pub(super) struct Pair {
    event: Sealed,
    firm: FirmId,
    link: Link,
    here: String,
    there: String,
}

/// Seals what is sealed, outside the transaction.
pub(super) fn seal(keyring: &Keyring, pairs: Vec<ListedPair>) -> Vec<Pair> {
    let seal = |ListedPair { arrival, plan, link }: ListedPair| Pair {
        firm: arrival.firm.clone(),
        event: Sealed::settled(keyring, arrival, &plan),
        here: text(&link.highlevel.to_string()),
        there: text(&link.casepeer.to_string()),
        link,
    };
    pairs.into_iter().map(seal).collect()
}

/// Links the pairs of one firm of which nothing is known that the lists may not have shown.
pub(super) async fn link(
    connection: &mut PgConnection,
    keyring: &Keyring,
    pairs: &[Pair],
    since: Timestamp,
    now: Timestamp,
    message: usize,
) -> Result<Vec<bool>, Fault> {
    let news = with_news(connection, pairs, since).await?;
    let mut linked = vec![false; pairs.len()];
    let mut taken: HashSet<&str> = HashSet::new();
    let fresh: Vec<usize> = (0..pairs.len())
        .filter(|place| !news.contains(place))
        .filter(|place| taken.insert(&pairs[*place].here) && taken.insert(&pairs[*place].there))
        .collect();
    let events: Vec<Sealed> = fresh.iter().map(|place| pairs[*place].event.clone()).collect();
    if events.is_empty() {
        return Ok(linked);
    }
    let recorded = Sealed::run(connection, &events, now, message).await?;
    for (place, recorded) in fresh.iter().zip(recorded) {
        linked[*place] = matches!(recorded, Recorded::Stored(_));
    }
    let new: Vec<&Pair> =
        pairs.iter().zip(&linked).filter(|(_, is_new)| **is_new).map(|(pair, _)| pair).collect();
    if !new.is_empty() {
        insert(connection, keyring, &new, now).await?;
        unite(connection, &new).await?;
    }
    Ok(linked)
}

/// The places of the pairs of which something else is known: as [`crate::store::Sweeps::link_listed`] says.
async fn with_news(
    connection: &mut PgConnection,
    pairs: &[Pair],
    since: Timestamp,
) -> Result<HashSet<usize>, Fault> {
    let sql = "SELECT place FROM unnest($1::text[], $2::text[], $3::text[])
            WITH ORDINALITY AS given (firm, here, there, place)
        WHERE EXISTS (SELECT 1 FROM link WHERE link.firm = given.firm AND highlevel = given.here)
            OR EXISTS (SELECT 1 FROM link WHERE link.firm = given.firm AND casepeer = given.there)
            OR EXISTS (SELECT 1 FROM person_record AS known JOIN event ON event.person = known.person
                WHERE known.firm = given.firm AND known.record IN (given.here, given.there)
                    AND (event.settled_at IS NULL OR event.received_at >= $4 AND event.verified_by <> $5))";
    let select = sqlx::query(sql)
        .bind(pairs.iter().map(|pair| pair.firm.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.here.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.there.as_str()).collect::<Vec<_>>())
        .bind(since.as_millisecond())
        .bind(BY_BACKFILL);
    let mut places = HashSet::new();
    for row in select.fetch_all(connection).await? {
        places.insert(usize::try_from(row.try_get::<i64, _>("place")? - 1).expect("it counts from 1"));
    }
    Ok(places)
}

async fn insert(
    connection: &mut PgConnection,
    keyring: &Keyring,
    pairs: &[&Pair],
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO link (firm, highlevel, casepeer, origin, sealed_base, created_at, updated_at)
        SELECT firm, here, there, origin, base, $6, $6
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[]) AS new (firm, here, there, origin, base)";
    let seal = |pair: &&Pair| {
        links::seal(keyring, pair.firm.as_str(), &pair.link.highlevel, &pair.link.casepeer, &pair.link.base)
    };
    sqlx::query(sql)
        .bind(pairs.iter().map(|pair| pair.firm.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.here.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.there.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.link.origin.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(seal).collect::<Vec<_>>())
        .bind(now.as_millisecond())
        .execute(&mut *connection)
        .await?;
    let keys = pairs.iter().flat_map(|pair| {
        let keys = new_keys(keyring, &pair.link.highlevel, None, &pair.link.base);
        keys.into_iter().map(move |key| (pair.firm.as_str(), key, pair.here.as_str()))
    });
    let keys: Vec<_> = keys.collect();
    let sql = "INSERT INTO person_key (firm, match_key, record)
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[]) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(keys.iter().map(|(firm, _, _)| *firm).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key, _)| key.as_slice()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, _, record)| *record).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    let matches = pairs.iter().filter(|pair| is_match(&pair.link.highlevel, &pair.link.casepeer));
    let subjects: Vec<String> = matches.flat_map(|pair| [pair.here.clone(), pair.there.clone()]).collect();
    // Who either of them is, is answered by that.
    review::close_about(connection, pairs[0].firm.as_str(), &subjects, now).await
}

/// One person of the two that a pair's records belong to, where each was known before.
async fn unite(connection: &mut PgConnection, pairs: &[&Pair]) -> Result<(), Fault> {
    let sql = "SELECT here.person AS one, there.person AS other
        FROM unnest($1::text[], $2::text[], $3::text[]) AS given (firm, here, there)
        CROSS JOIN LATERAL (SELECT person FROM person_record
            WHERE firm = given.firm AND record = given.here LIMIT 1) here
        CROSS JOIN LATERAL (SELECT person FROM person_record
            WHERE firm = given.firm AND record = given.there LIMIT 1) there
        WHERE here.person <> there.person";
    let select = sqlx::query(sql)
        .bind(pairs.iter().map(|pair| pair.firm.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.here.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.there.as_str()).collect::<Vec<_>>());
    for row in select.fetch_all(&mut *connection).await? {
        lanes::unite_people(connection, row.try_get("one")?, row.try_get("other")?).await?;
    }
    Ok(())
}
