//! Handing out and erasing what is kept about a person. People wait for it, and it happens rarely.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::people::alive;
use super::super::review::close;
use super::super::review::listing::showing;
use super::super::rows::{Id, Millis, Word};
use super::retention::{clear_request, delete_question};
use super::{everybody, holds_of};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, FirmId, PersonId, RecordRef};
use crate::store::keeping::OVER;
use crate::store::review::MOOT;
use crate::store::said::split;
use crate::store::{CannotErase, Erased, ErasedCounts, Papers, SentRequest, StoreError};

/// A person with everything that hangs on them.
struct Found {
    firm: String,
    person: i64,
    everybody: Vec<i64>,
    records: Vec<RecordRef>,
    events: Vec<(i64, EventId)>,
    effects: BTreeSet<String>,
}

fn find(connection: &Connection, person: PersonId) -> Result<Option<Found>, StoreError> {
    let Some((firm, person)) = alive(connection, person)? else { return Ok(None) };
    let everybody = everybody(connection, PersonId(person))?;
    let (mut records, mut events, mut effects) = (Vec::new(), Vec::new(), BTreeSet::new());
    for one in &everybody {
        let mut select = connection.prepare_cached("SELECT record FROM person_record WHERE person = ?")?;
        let found = select.query_map([one], |row| Ok(row.get::<_, Word<RecordRef>>(0)?.0))?;
        records.extend(found.collect::<Result<Vec<_>, _>>()?);
        let sql = "SELECT seq, id FROM event WHERE coalesce(person, 0) = ?";
        let mut select = connection.prepare_cached(sql)?;
        let found = select.query_map([one], |row| Ok((row.get(0)?, row.get::<_, Id>(1)?.0)))?;
        events.extend(found.collect::<Result<Vec<_>, _>>()?);
    }
    events.sort_unstable();
    let mut called = connection
        .prepare_cached("SELECT effect_key FROM call WHERE event = ? AND effect_key IS NOT NULL")?;
    let mut open =
        connection.prepare_cached("SELECT key FROM effect WHERE event = ? AND completed_at IS NULL")?;
    for (seq, id) in &events {
        effects.extend(called.query_map([seq], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?);
        effects.extend(open.query_map([Id(*id)], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?);
    }
    let mut made = connection.prepare_cached("SELECT key FROM effect WHERE firm = ? AND result = ?")?;
    for record in &records {
        let found = made.query_map([&firm, &record.to_string()], |row| row.get(0))?;
        effects.extend(found.collect::<Result<Vec<String>, _>>()?);
    }
    Ok(Some(Found { firm, person, everybody, records, events, effects }))
}

pub(super) fn papers(
    connection: &Connection,
    keyring: &Keyring,
    person: PersonId,
) -> Result<Option<Papers>, StoreError> {
    let Some(found) = find(connection, person)? else { return Ok(None) };
    let sql = "SELECT operation, begun_at, completed_at, result, sealed_request FROM effect WHERE firm = ? AND key = ?";
    let mut select = connection.prepare_cached(sql)?;
    let mut requests = Vec::with_capacity(found.effects.len());
    for key in &found.effects {
        let mut rows = select.query([&found.firm, key])?;
        let Some(row) = rows.next()? else { continue };
        let sealed: Vec<u8> = row.get(4)?;
        let name = format!("{}\0{key}", found.firm);
        let place = Place { table: "effect", column: "sealed_request", row: &name };
        requests.push(SentRequest {
            effect: key.clone(),
            operation: row.get(0)?,
            begun_at: row.get::<_, Millis>(1)?.0,
            completed_at: row.get::<_, Option<Millis>>(2)?.map(|at| at.0),
            result: row.get(3)?,
            body: (!sealed.is_empty())
                .then(|| keyring.open(place, &sealed).map(|plain| split(plain).0))
                .transpose()?,
        });
    }
    let reviews = showing(connection, keyring, &found.firm, &found.records)?;
    Ok(Some(Papers { events: found.events.into_iter().map(|(_, id)| id).collect(), requests, reviews }))
}

pub(super) fn erase(
    connection: &Connection,
    keyring: &Keyring,
    person: PersonId,
    by: String,
    now: Timestamp,
) -> Result<Result<Erased, CannotErase>, StoreError> {
    let Some(found) = find(connection, person)? else { return Ok(Err(CannotErase::NotThere)) };
    let holds = holds_of(connection, keyring, &found.everybody)?;
    if let Some(hold) = holds.into_iter().find(|hold| hold.released_at.is_none()) {
        return Ok(Err(CannotErase::Held(Box::new(hold))));
    }
    let mut running = connection.prepare_cached("SELECT 1 FROM event WHERE seq = ? AND state = 'running'")?;
    for (seq, _) in &found.events {
        if running.exists([seq])? {
            return Ok(Err(CannotErase::AtWork));
        }
    }
    let erased = delete(connection, keyring, &found, now)?;
    let id = Uuid::now_v7();
    let counted = serde_json::to_string(&erased).expect("numbers are JSON");
    let sql =
        "INSERT INTO erasure (id, firm, person, erased_at, erased_by, counted) VALUES (?, ?, ?, ?, ?, ?)";
    let values = params![Id(EventId(id)), found.firm, found.person, Millis(now), by, counted];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(Ok(Erased {
        id,
        firm: FirmId::new(found.firm),
        person: PersonId(found.person),
        records: found.records.iter().map(ToString::to_string).collect(),
        erased_at: now,
        erased_by: by,
        erased,
    }))
}

fn delete(
    connection: &Connection,
    keyring: &Keyring,
    found: &Found,
    now: Timestamp,
) -> Result<ErasedCounts, StoreError> {
    let mut counts = ErasedCounts { events: found.events.len() as u64, ..ErasedCounts::default() };
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<u64, StoreError> {
        Ok(connection.prepare_cached(sql)?.execute(values)? as u64)
    };
    for review in showing(connection, keyring, &found.firm, &found.records)? {
        // Somebody else's event may wait for it: that one asks anew, without what is erased.
        close(connection, review.row.id, None, MOOT, now)?;
        delete_question(connection, EventId(review.row.id.0))?;
        counts.reviews += 1;
    }
    for key in &found.effects {
        run("DELETE FROM hand_off WHERE firm = ? AND effect = ?", &[&found.firm, key])?;
        run("DELETE FROM reservation WHERE firm = ? AND effect = ?", &[&found.firm, key])?;
        let sql = "SELECT 1 FROM effect WHERE firm = ? AND key = ? AND length(sealed_request) > 0";
        counts.requests += u64::from(connection.prepare_cached(sql)?.exists([&found.firm, key])?);
        run("DELETE FROM effect WHERE firm = ? AND key = ? AND completed_at IS NULL", &[&found.firm, key])?;
        clear_request(connection, &found.firm, key)?;
    }
    for record in &found.records {
        let name = record.to_string();
        counts.links += run("DELETE FROM link WHERE firm = ? AND highlevel = ?", &[&found.firm, &name])?;
        counts.links += run("DELETE FROM link WHERE firm = ? AND casepeer = ?", &[&found.firm, &name])?;
        run("DELETE FROM loss_gap WHERE firm = ? AND record = ?", &[&found.firm, &name])?;
        run("DELETE FROM person_key WHERE firm = ? AND record = ?", &[&found.firm, &name])?;
        run("DELETE FROM person_key WHERE firm = ? AND record = ?", &[&found.firm, &name])?;
        run("DELETE FROM person_record WHERE firm = ? AND record = ?", &[&found.firm, &name])?;
    }
    let discard = format!(
        "UPDATE event SET state = CASE WHEN state IN ({OVER}) AND state <> 'undelivered' THEN state ELSE 'discarded' END,
            settled_at = coalesce(settled_at, ?1), claims = claims + 1, lease_owner = NULL, lease_until = NULL,
            person = NULL, subject = NULL, records = '[]', sealed_plan = NULL, reason = 'erased', cause = NULL
        WHERE seq = ?2"
    );
    for (seq, _) in &found.events {
        counts.payloads += run("DELETE FROM payload WHERE event = ?", &[seq])?;
        counts.calls += run("DELETE FROM call WHERE event = ?", &[seq])?;
        run("DELETE FROM action_answer WHERE event = (SELECT id FROM event WHERE seq = ?)", &[seq])?;
        run("DELETE FROM review_event WHERE event = ?", &[seq])?;
        let sql = "SELECT 1 FROM event WHERE seq = ? AND settled_at IS NULL";
        counts.discarded += u64::from(connection.prepare_cached(sql)?.exists([seq])?);
        run(&discard, &[&Millis(now), seq])?;
    }
    Ok(counts)
}
