//! Committing webhooks, a batch at once: look up what the whole batch depends on, decide for each in order, write.
//!
//! The firms' locks are held, so nothing the decisions rest on changes before the commit. Sequence numbers are drawn
//! under the lock too: within a firm they are in order of commit.

mod look_up;
mod write;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use sqlx::postgres::PgConnection;

use super::listing;
use super::rows::{Fault, text};
use super::writer::{Guard, Job};
use crate::crypto::{Keyring, Place};
use crate::domain::{EventId, EventState};
use crate::store::{Arrival, DeliveryKey, PlanRecord, Recorded};

/// Where an event's payload lives.
pub(in crate::store::postgres) fn place(row: &str) -> Place<'_> {
    Place { table: "payload", column: "sealed_body", row }
}

/// An arrival on its way to the database.
#[derive(Clone)]
pub(in crate::store::postgres) struct Sealed {
    arrival: Arrival,
    body: Vec<u8>,
    key: Key,
    records: Vec<String>,
    /// What was decided, if it is settled as it arrives.
    plan: Option<Vec<u8>>,
}

impl Sealed {
    /// Seals the payload and prepares what can be prepared outside the transaction.
    pub(in crate::store::postgres) fn new(keyring: &Keyring, arrival: Arrival) -> Self {
        let body = keyring.seal(place(&arrival.id.to_string()), &arrival.payload);
        let key = match &arrival.delivery_key {
            DeliveryKey::Sender(id) => Key::Sender(text(&format!("id:{id}"))),
            DeliveryKey::Body(hash) => Key::Body(format!("body:{}", hex::encode(hash))),
        };
        let records = arrival.records.iter().map(|record| text(&record.to_string())).collect();
        Self { arrival, body, key, records, plan: None }
    }

    /// An event that is settled as it arrives: what it tells of was done, and this was decided.
    pub(in crate::store::postgres) fn settled(
        keyring: &Keyring,
        arrival: Arrival,
        plan: &PlanRecord,
    ) -> Self {
        let plan = listing::seal_plan(keyring, arrival.id, plan);
        Self { plan: Some(plan), ..Self::new(keyring, arrival) }
    }

    /// The records that decide its lane: none if it is set aside.
    fn lane_records(&self) -> &[String] {
        if self.arrival.undeliverable.is_some() { &[] } else { &self.records }
    }
}

#[derive(Clone)]
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
    people: People,
    events: Vec<EventToStore>,
}

/// People who come to be, with their firms; whose the records are that nobody knew.
#[derive(Default)]
struct People {
    new: Vec<(i64, String)>,
    records: BTreeMap<(String, String), i64>,
}

struct EventToStore {
    seq: i64,
    place: usize,
    key: String,
    person: Option<i64>,
    state: EventState,
}

impl Job for Sealed {
    type Answer = Recorded;

    const GUARD: Guard = Guard::Firms;

    fn firm(&self) -> &str {
        self.arrival.firm.as_str()
    }

    /// A duplicate's, too: what it repeats may have been committed a moment ago.
    fn must_last(&self) -> bool {
        true
    }

    async fn run(
        connection: &mut PgConnection,
        batch: &[Self],
        now: Timestamp,
        message: usize,
    ) -> Result<Vec<Recorded>, Fault> {
        let mut known = look_up::look_up(connection, batch).await?;
        let mut rows = Rows::default();
        let recorded =
            batch.iter().enumerate().map(|(place, sealed)| decide(&mut known, &mut rows, place, sealed));
        let recorded = recorded.collect();
        let mut people = rows.people;
        for events in write::messages(batch, &rows.events, message) {
            write::message(connection, batch, &std::mem::take(&mut people), events, now).await?;
        }
        Ok(recorded)
    }
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
        _ if sealed.plan.is_some() => EventState::Done,
        (None, true) => EventState::Waiting,
        (None, false) if known.parked.contains(sealed.firm()) => EventState::Parked,
        (None, false) => EventState::Ready,
    };
    if let Some(person) = person {
        if !state.is_settled() {
            known.lanes_with_head.insert(person);
        }
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
        rows.people.new.push((new, sealed.firm().to_owned()));
        new
    });
    for record in records {
        if let Entry::Vacant(unknown) = known.people.entry(name(record)) {
            unknown.insert(person);
            rows.people.records.insert(name(record), person);
        }
    }
    Some(person)
}
