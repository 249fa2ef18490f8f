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
    /// Numbers for people and events that may come to be, drawn as their columns would; the lowest last.
    new_people: Vec<i64>,
    new_events: Vec<i64>,
}

/// What is to be written.
#[derive(Default)]
struct Rows {
    people: Vec<(i64, String)>,
    records: BTreeMap<(String, String), i64>,
    events: Vec<EventToStore>,
}

struct EventToStore {
    seq: i64,
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
    write_people(connection, &rows).await?;
    for events in messages(batch, &rows.events) {
        write_events(connection, batch, events, now).await?;
    }
    Ok(recorded)
}

/// What a row of the look-up tells.
mod told {
    pub(super) const PARKED: i32 = 1;
    pub(super) const SENT_BEFORE: i32 = 2;
    pub(super) const PERSON: i32 = 3;
    pub(super) const NEW_PERSON: i32 = 4;
    pub(super) const NEW_EVENT: i32 = 5;
}

/// One question instead of five: each would take a journey to the database and back.
async fn look_up(connection: &mut PgConnection, batch: &[Sealed]) -> Result<Known, Fault> {
    let sql = "SELECT 1 AS told, firm, NULL AS name, NULL::bigint AS number, NULL::uuid AS id, false AS has_head
            FROM parking WHERE firm = ANY($1)
        UNION ALL SELECT 2, given.firm, given.key, given.place, earlier.id, false
            FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS given (firm, source, key, place)
            CROSS JOIN LATERAL (SELECT id FROM event WHERE firm = given.firm AND source = given.source
                AND delivery_key = given.key LIMIT 1) earlier
        UNION ALL SELECT 3, given.firm, given.record, known.person, NULL, EXISTS (SELECT 1 FROM event
                WHERE event.person = known.person AND state IN ('ready', 'running', 'retrying', 'parked'))
            FROM unnest($5::text[], $6::text[]) AS given (firm, record)
            CROSS JOIN LATERAL (SELECT person FROM person_record
                WHERE firm = given.firm AND record = given.record LIMIT 1) known
        UNION ALL SELECT 4, NULL, NULL, nextval('person_id_seq'), NULL, false FROM generate_series(1, $7)
        UNION ALL SELECT 5, NULL, NULL, nextval('event_seq_seq'), NULL, false FROM generate_series(1, $7)";
    let firms: Vec<&str> = batch.iter().map(Sealed::firm).collect::<BTreeSet<_>>().into_iter().collect();
    let names = |wanted: fn(&Key) -> bool| {
        let chosen = batch.iter().filter(move |sealed| wanted(&sealed.key));
        chosen.map(|sealed| (sealed.firm(), (sealed.arrival.source.as_str(), sealed.key.text()))).unzip()
    };
    let senders: (Vec<_>, (Vec<_>, Vec<_>)) = names(|key| matches!(key, Key::Sender(_)));
    let (sender_firms, (sources, keys)) = senders;
    let records =
        batch.iter().flat_map(|sealed| sealed.lane_records().iter().map(|record| (sealed.firm(), record)));
    let (record_firms, records): (Vec<&str>, Vec<&String>) =
        records.collect::<BTreeSet<_>>().into_iter().unzip();
    let rows = sqlx::query(sql)
        .bind(&firms)
        .bind(&sender_firms)
        .bind(&sources)
        .bind(&keys)
        .bind(&record_firms)
        .bind(&records)
        .bind(i64::try_from(batch.len()).expect("a batch is small"))
        .fetch_all(&mut *connection)
        .await?;
    let mut known = Known::default();
    for row in &rows {
        let number = || row.try_get::<i64, _>("number");
        match row.try_get("told")? {
            told::PARKED => {
                known.parked.insert(row.try_get("firm")?);
            }
            told::SENT_BEFORE => {
                let source = sources[index(number()?)];
                known
                    .senders
                    .insert((row.try_get("firm")?, source, row.try_get("name")?), event_id(row, "id")?);
            }
            told::PERSON => {
                known.people.insert((row.try_get("firm")?, row.try_get("name")?), number()?);
                if row.try_get("has_head")? {
                    known.lanes_with_head.insert(number()?);
                }
            }
            told::NEW_PERSON => known.new_people.push(number()?),
            told::NEW_EVENT => known.new_events.push(number()?),
            other => unreachable!("the statement tells nothing of {other}"),
        }
    }
    for numbers in [&mut known.new_people, &mut known.new_events] {
        numbers.sort_unstable_by(|one, other| other.cmp(one));
    }
    let bodies: (Vec<_>, (Vec<_>, Vec<_>)) = names(|key| matches!(key, Key::Body(_)));
    if !bodies.0.is_empty() {
        look_up_bodies(connection, &mut known, &bodies.0, &bodies.1.0, &bodies.1.1).await?;
    }
    Ok(known)
}

/// Ordinality counts from 1.
fn index(ordinality: i64) -> usize {
    usize::try_from(ordinality - 1).expect("ordinality counts from 1")
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
        let place = index(row.try_get("place")?);
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
    let seq = known.new_events.pop().expect("a number was drawn for each");
    rows.events.push(EventToStore { seq, place, key, person, state });
    Recorded::Stored(arrival.id)
}

/// The person an arrival belongs to; as [`super::lanes::person_of`].
fn person_of(known: &mut Known, rows: &mut Rows, sealed: &Sealed) -> Option<i64> {
    let records = sealed.lane_records();
    let name = |record: &String| (sealed.firm().to_owned(), record.clone());
    records.first()?;
    let person = records.iter().find_map(|record| known.people.get(&name(record)).copied());
    let person = person.unwrap_or_else(|| {
        let new = known.new_people.pop().expect("a number was drawn for each");
        rows.people.push((new, sealed.firm().to_owned()));
        new
    });
    for record in records {
        if let Entry::Vacant(unknown) = known.people.entry(name(record)) {
            unknown.insert(person);
            rows.records.insert(name(record), person);
        }
    }
    Some(person)
}

async fn write_people(connection: &mut PgConnection, rows: &Rows) -> Result<(), Fault> {
    if rows.records.is_empty() {
        return Ok(());
    }
    // Data-modifying parts of one statement see one snapshot; references are checked when all of it is done.
    let sql = "WITH new_person AS (INSERT INTO person (id, firm) SELECT * FROM unnest($1::bigint[], $2::text[]))
        INSERT INTO person_record (firm, record, person)
            SELECT * FROM unnest($3::text[], $4::text[], $5::bigint[])";
    let (people, firms): (Vec<i64>, Vec<&String>) = rows.people.iter().map(|(id, firm)| (id, firm)).unzip();
    let (names, of): (Vec<_>, Vec<i64>) = rows.records.iter().map(|(name, person)| (name, person)).unzip();
    let (record_firms, records): (Vec<&String>, Vec<&String>) =
        names.into_iter().map(|(firm, record)| (firm, record)).unzip();
    sqlx::query(sql)
        .bind(people)
        .bind(firms)
        .bind(record_firms)
        .bind(records)
        .bind(of)
        .execute(connection)
        .await?;
    Ok(())
}

/// The most that one message to the database carries, a little less than a TLS record. What is longer leaves in
/// several writes, of which the last waits for the other side's delayed acknowledgement of those before, 40 ms: the
/// driver leaves Nagle's algorithm on.
const MESSAGE: usize = 15_000;

/// What an event takes beside its body, its key and its records.
const EVENT: usize = 300;

/// Cuts a batch into what goes into one message; a larger event has one of its own.
fn messages<'a>(batch: &[Sealed], events: &'a [EventToStore]) -> Vec<&'a [EventToStore]> {
    let mut messages = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (end, event) in events.iter().enumerate() {
        let sealed = &batch[event.place];
        let records = 2 * sealed.records.iter().map(|record| record.len() + 8).sum::<usize>();
        let size = EVENT + sealed.body.len() + event.key.len() + records;
        if bytes + size > MESSAGE && end > start {
            messages.push(&events[start..end]);
            (start, bytes) = (end, 0);
        }
        bytes += size;
    }
    if start < events.len() {
        messages.push(&events[start..]);
    }
    messages
}

async fn write_events(
    connection: &mut PgConnection,
    batch: &[Sealed],
    events: &[EventToStore],
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "WITH new_event AS (INSERT INTO event (seq, id, firm, source, type, subject, is_update, delivery_key,
                person, state, due_at, reason, cause, records, verified_by, sent_at, received_at, settled_at)
            SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                $7::boolean[], $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::text[], $13::text[],
                $14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[])),
        new_payload AS (INSERT INTO payload (event, sealed_body) SELECT * FROM unnest($1::bigint[], $19::bytea[]))
        SELECT pg_notify($20, '') WHERE 'ready' = ANY($10)";
    let of = |event: &EventToStore| &batch[event.place];
    let now = now.as_millisecond();
    let received = |event: &EventToStore| of(event).arrival.received_at.as_millisecond();
    let undeliverable = |event: &EventToStore| of(event).arrival.undeliverable.as_ref();
    let list = |event: &EventToStore| serde_json::to_string(&of(event).records).expect("text is JSON");
    let sent = |event: &EventToStore| of(event).arrival.sent_at.map(|at| at.as_millisecond());
    let settled = |event: &EventToStore| undeliverable(event).map(|_| received(event));
    let cause = |event: &EventToStore| undeliverable(event).map(|(cause, _)| cause.as_str());
    let reason = |event: &EventToStore| undeliverable(event).map(|(_, why)| text(why));
    sqlx::query(sql)
        .bind(events.iter().map(|event| event.seq).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).arrival.id.0).collect::<Vec<Uuid>>())
        .bind(events.iter().map(|event| of(event).firm()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).arrival.source.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| text(&of(event).arrival.kind)).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).records.first()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| of(event).arrival.is_update).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &event.key).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.person).collect::<Vec<_>>())
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
