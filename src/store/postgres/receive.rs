//! Committing webhooks, a batch at once: look up what the whole batch depends on, decide for each in order, write.
//!
//! The firms' locks are held, so nothing the decisions rest on changes before the commit. Sequence numbers are drawn
//! under the lock too: within a firm they are in order of commit.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::rows::{Fault, event_id, moment, text};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, EventState};
use crate::store::{Arrival, DeliveryKey, Recorded};

/// Where an event's payload lives.
pub(super) fn place(row: &str) -> Place<'_> {
    Place { table: "payload", column: "sealed_body", row }
}

/// An arrival on its way to the database.
pub(super) struct Sealed {
    pub(super) arrival: Arrival,
    body: Vec<u8>,
    key: Key,
    records: Vec<String>,
}

impl Sealed {
    /// Seals the payload and prepares what can be prepared outside the transaction.
    pub(super) fn new(keyring: &Keyring, arrival: Arrival) -> Self {
        let body = keyring.seal(place(&arrival.id.to_string()), &arrival.payload);
        let key = match &arrival.delivery_key {
            DeliveryKey::Sender(id) => Key::Sender(text(&format!("id:{id}"))),
            DeliveryKey::Body(hash) => Key::Body(format!("body:{}", hex::encode(hash))),
        };
        let records = arrival.records.iter().map(|record| text(&record.to_string())).collect();
        Self { arrival, body, key, records }
    }

    fn firm(&self) -> &str {
        self.arrival.firm.as_str()
    }

    /// The records that decide its lane: none if it is set aside.
    fn lane_records(&self) -> &[String] {
        if self.arrival.undeliverable.is_some() { &[] } else { &self.records }
    }
}

enum Key {
    Sender(String),
    Body(String),
}

impl Key {
    fn text(&self) -> &str {
        let (Self::Sender(key) | Self::Body(key)) = self;
        key
    }
}

/// The newest event of a body.
#[derive(Clone, Copy)]
struct Latest {
    id: EventId,
    person: Option<i64>,
    received_at: Timestamp,
    /// Its place in the batch; none if it was stored before.
    place: Option<usize>,
    /// Whether anything stored before the batch arrived for that person after it.
    is_followed: bool,
}

type DeliveryName = (String, &'static str, String);

/// Numbers that the identity columns of these tables would draw.
const NEXT_PEOPLE: &str = "SELECT nextval('person_id_seq') FROM generate_series(1, $1)";
const NEXT_EVENTS: &str = "SELECT nextval('event_seq_seq') FROM generate_series(1, $1)";

/// What the batch depends on, kept up to date as it is decided.
#[derive(Default)]
struct Known {
    senders: HashMap<DeliveryName, EventId>,
    bodies: HashMap<DeliveryName, Latest>,
    people: HashMap<(String, String), i64>,
    lanes_with_head: HashSet<i64>,
    parked: HashSet<String>,
    /// The place in the batch of what was last stored for a person.
    last: HashMap<i64, usize>,
}

/// What is to be written. New people have the numbers -1, -2, … until they are drawn.
#[derive(Default)]
struct Rows {
    people: Vec<String>,
    records: BTreeMap<(String, String), i64>,
    events: Vec<EventToStore>,
}

struct EventToStore {
    place: usize,
    key: String,
    person: Option<i64>,
    state: EventState,
}

/// Stores a batch; what became of each, in order.
pub(super) async fn record(
    connection: &mut PgConnection,
    batch: &[Sealed],
    now: Timestamp,
) -> Result<Vec<Recorded>, Fault> {
    let mut known = look_up(connection, batch).await?;
    let mut rows = Rows::default();
    let recorded =
        batch.iter().enumerate().map(|(place, sealed)| decide(&mut known, &mut rows, place, sealed));
    let recorded = recorded.collect();
    if !rows.events.is_empty() {
        write(connection, batch, &rows, now).await?;
    }
    Ok(recorded)
}

async fn look_up(connection: &mut PgConnection, batch: &[Sealed]) -> Result<Known, Fault> {
    let mut known = Known::default();
    let firms: BTreeSet<&str> = batch.iter().map(Sealed::firm).collect();
    let firms: Vec<&str> = firms.into_iter().collect();
    let rows = sqlx::query("SELECT firm FROM parking WHERE firm = ANY($1)").bind(&firms);
    for row in rows.fetch_all(&mut *connection).await? {
        known.parked.insert(row.try_get(0)?);
    }
    let names = |wanted: fn(&Key) -> bool| {
        let chosen = batch.iter().filter(move |sealed| wanted(&sealed.key));
        chosen.map(|sealed| (sealed.firm(), sealed.arrival.source.as_str(), sealed.key.text()))
    };
    let senders: (Vec<_>, (Vec<_>, Vec<_>)) =
        names(|key| matches!(key, Key::Sender(_))).map(|(firm, source, key)| (firm, (source, key))).unzip();
    if !senders.0.is_empty() {
        let sql = "SELECT given.firm, place, given.key, earlier.id
            FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS given (firm, source, key, place)
            CROSS JOIN LATERAL (SELECT id FROM event WHERE firm = given.firm AND source = given.source
                AND delivery_key = given.key LIMIT 1) earlier";
        let (firms, (sources, keys)) = senders;
        let rows = sqlx::query(sql).bind(&firms).bind(&sources).bind(&keys);
        for row in rows.fetch_all(&mut *connection).await? {
            let source = sources[place_of(&row)?];
            let name = (row.try_get(0)?, source, row.try_get(2)?);
            known.senders.insert(name, event_id(&row, "id")?);
        }
    }
    let bodies: (Vec<_>, (Vec<_>, Vec<_>)) =
        names(|key| matches!(key, Key::Body(_))).map(|(firm, source, key)| (firm, (source, key))).unzip();
    if !bodies.0.is_empty() {
        look_up_bodies(connection, &mut known, &bodies.0, &bodies.1.0, &bodies.1.1).await?;
    }
    look_up_people(connection, &mut known, batch).await?;
    Ok(known)
}

fn place_of(row: &sqlx::postgres::PgRow) -> Result<usize, Fault> {
    let place: i64 = row.try_get("place")?;
    Ok(usize::try_from(place - 1).expect("ordinality counts from 1"))
}

async fn look_up_bodies(
    connection: &mut PgConnection,
    known: &mut Known,
    firms: &[&str],
    sources: &[&'static str],
    hashes: &[&str],
) -> Result<(), Fault> {
    // Later arrivals of the same body carry their own id behind it; `~` sorts after every id. `seq + 0` keeps the
    // planner from walking all events from the newest on in search of one.
    let sql = "SELECT place, latest.id, latest.person, latest.received_at,
            EXISTS (SELECT 1 FROM event WHERE person = latest.person AND seq > latest.seq) AS is_followed
        FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS given (firm, source, hash, place)
        CROSS JOIN LATERAL (SELECT seq, id, person, received_at FROM event
            WHERE firm = given.firm AND source = given.source
                AND delivery_key >= given.hash COLLATE \"C\" AND delivery_key < (given.hash || '~') COLLATE \"C\"
            ORDER BY seq + 0 DESC LIMIT 1) latest";
    let rows = sqlx::query(sql).bind(firms).bind(sources).bind(hashes);
    for row in rows.fetch_all(connection).await? {
        let place = place_of(&row)?;
        let name = (firms[place].to_owned(), sources[place], hashes[place].to_owned());
        let latest = Latest {
            id: event_id(&row, "id")?,
            person: row.try_get("person")?,
            received_at: moment(&row, "received_at")?,
            place: None,
            is_followed: row.try_get("is_followed")?,
        };
        known.bodies.insert(name, latest);
    }
    Ok(())
}

async fn look_up_people(
    connection: &mut PgConnection,
    known: &mut Known,
    batch: &[Sealed],
) -> Result<(), Fault> {
    let records =
        batch.iter().flat_map(|sealed| sealed.lane_records().iter().map(|record| (sealed.firm(), record)));
    let (firms, records): (Vec<&str>, Vec<&String>) = records.collect::<BTreeSet<_>>().into_iter().unzip();
    if firms.is_empty() {
        return Ok(());
    }
    let sql =
        "SELECT firm, record, person, EXISTS (SELECT 1 FROM event WHERE event.person = person_record.person
            AND state IN ('ready', 'running', 'retrying', 'parked')) AS has_head
        FROM unnest($1::text[], $2::text[]) AS given (firm, record) JOIN person_record USING (firm, record)";
    let rows = sqlx::query(sql).bind(firms).bind(records).fetch_all(connection).await?;
    for row in rows {
        let person = row.try_get("person")?;
        known.people.insert((row.try_get("firm")?, row.try_get("record")?), person);
        if row.try_get("has_head")? {
            known.lanes_with_head.insert(person);
        }
    }
    Ok(())
}

/// What becomes of one arrival, given what is stored and what came before it in the batch.
fn decide(known: &mut Known, rows: &mut Rows, place: usize, sealed: &Sealed) -> Recorded {
    let arrival = &sealed.arrival;
    let name = (sealed.firm().to_owned(), arrival.source.as_str(), sealed.key.text().to_owned());
    let mut key = name.2.clone();
    match &sealed.key {
        Key::Sender(_) => {
            if let Some(earlier) = known.senders.get(&name) {
                return Recorded::Duplicate(*earlier);
            }
            known.senders.insert(name.clone(), arrival.id);
        }
        Key::Body(_) => {
            if let Some(latest) = known.bodies.get(&name) {
                let last = latest.person.and_then(|person| known.last.get(&person).copied());
                let is_followed = latest.is_followed || last > latest.place;
                let age = arrival.received_at.duration_since(latest.received_at);
                if age <= DeliveryKey::REPEAT_WINDOW && !is_followed {
                    return Recorded::Duplicate(latest.id);
                }
                key = format!("{key}:{}", arrival.id);
            }
        }
    }
    let person = person_of(known, rows, sealed);
    let has_head = person.is_some_and(|person| known.lanes_with_head.contains(&person));
    let state = match (&arrival.undeliverable, has_head) {
        (Some(_), _) => EventState::Undelivered,
        (None, true) => EventState::Waiting,
        (None, false) if known.parked.contains(sealed.firm()) => EventState::Parked,
        (None, false) => EventState::Ready,
    };
    if let Some(person) = person {
        known.lanes_with_head.insert(person);
        known.last.insert(person, place);
    }
    if let Key::Body(_) = sealed.key {
        let latest = Latest {
            id: arrival.id,
            person,
            received_at: arrival.received_at,
            place: Some(place),
            is_followed: false,
        };
        known.bodies.insert(name, latest);
    }
    rows.events.push(EventToStore { place, key, person, state });
    Recorded::Stored(arrival.id)
}

/// The person an arrival belongs to; as [`super::lanes::person_of`].
fn person_of(known: &mut Known, rows: &mut Rows, sealed: &Sealed) -> Option<i64> {
    let records = sealed.lane_records();
    let name = |record: &String| (sealed.firm().to_owned(), record.clone());
    records.first()?;
    let person = records.iter().find_map(|record| known.people.get(&name(record)).copied());
    let person = person.unwrap_or_else(|| {
        rows.people.push(sealed.firm().to_owned());
        -i64::try_from(rows.people.len()).expect("a batch is small")
    });
    for record in records {
        if let Entry::Vacant(unknown) = known.people.entry(name(record)) {
            unknown.insert(person);
            rows.records.insert(name(record), person);
        }
    }
    Some(person)
}

async fn write(
    connection: &mut PgConnection,
    batch: &[Sealed],
    rows: &Rows,
    now: Timestamp,
) -> Result<(), Fault> {
    let people = draw(connection, NEXT_PEOPLE, rows.people.len()).await?;
    let numbers = draw(connection, NEXT_EVENTS, rows.events.len()).await?;
    let drawn = |person: i64| match usize::try_from(-person) {
        Ok(new) if new > 0 => people[new - 1],
        _ => person,
    };
    // Data-modifying parts of one statement see one snapshot; references are checked when all of it is done.
    let sql = "WITH new_person AS (INSERT INTO person (id, firm) SELECT * FROM unnest($1::bigint[], $2::text[])),
        new_record AS (INSERT INTO person_record (firm, record, person)
            SELECT * FROM unnest($3::text[], $4::text[], $5::bigint[])),
        new_event AS (INSERT INTO event (seq, id, firm, source, type, subject, is_update, delivery_key, person, state,
                due_at, reason, cause, records, verified_by, sent_at, received_at, settled_at)
            SELECT * FROM unnest($6::bigint[], $7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[],
                $12::boolean[], $13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::text[],
                $19::text[], $20::text[], $21::bigint[], $22::bigint[], $23::bigint[])),
        new_payload AS (INSERT INTO payload (event, sealed_body) SELECT * FROM unnest($6::bigint[], $24::bytea[]))
        SELECT pg_notify($25, '') WHERE 'ready' = ANY($15)";
    let (mut record_firms, mut records, mut record_people) = (Vec::new(), Vec::new(), Vec::new());
    for ((firm, record), person) in &rows.records {
        record_firms.push(firm);
        records.push(record);
        record_people.push(drawn(*person));
    }
    let of = |event: &EventToStore| &batch[event.place];
    let (events, now) = (&rows.events, now.as_millisecond());
    let received = |event: &EventToStore| of(event).arrival.received_at.as_millisecond();
    let undeliverable = |event: &EventToStore| of(event).arrival.undeliverable.as_ref();
    let list = |event: &EventToStore| serde_json::to_string(&of(event).records).expect("text is JSON");
    let sent = |event: &EventToStore| of(event).arrival.sent_at.map(|at| at.as_millisecond());
    let settled = |event: &EventToStore| undeliverable(event).map(|_| received(event));
    let cause = |event: &EventToStore| undeliverable(event).map(|(cause, _)| cause.as_str());
    let reason = |event: &EventToStore| undeliverable(event).map(|(_, why)| text(why));
    sqlx::query(sql)
        .bind(&people)
        .bind(&rows.people)
        .bind(record_firms)
        .bind(records)
        .bind(record_people)
        .bind(&numbers)
        .bind(events.iter().map(|event| of(event).arrival.id.0).collect::<Vec<Uuid>>())
        .bind(events.iter().map(|event| of(event).firm()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).arrival.source.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| text(&of(event).arrival.kind)).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).records.first()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).arrival.is_update).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &event.key).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.person.map(drawn)).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.state.as_str()).collect::<Vec<_>>())
        // A receiver whose clock is ahead must not make an event wait.
        .bind(events.iter().map(|event| received(event).min(now)).collect::<Vec<_>>())
        .bind(events.iter().map(reason).collect::<Vec<_>>())
        .bind(events.iter().map(cause).collect::<Vec<_>>())
        .bind(events.iter().map(list).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).arrival.proof).collect::<Vec<_>>())
        .bind(events.iter().map(sent).collect::<Vec<_>>())
        .bind(events.iter().map(received).collect::<Vec<_>>())
        .bind(events.iter().map(settled).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).body.as_slice()).collect::<Vec<_>>())
        .bind(super::CHANNEL)
        .execute(connection)
        .await?;
    Ok(())
}

/// The next numbers of a sequence, in order.
async fn draw(connection: &mut PgConnection, sql: &'static str, count: usize) -> Result<Vec<i64>, Fault> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = i64::try_from(count).expect("a batch is small");
    let rows = sqlx::query(sql).bind(count).fetch_all(connection).await?;
    let mut numbers = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, sqlx::Error>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}
