//! A twin in this process and the real program in its own: people work in both systems, and accounts are kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use casebridge::bridge::{Bridge, Worker, WorkerOptions};
use casebridge::clock::{Clock, SystemClock};
use casebridge::config;
use casebridge::domain::EventState;
use casebridge::http::{self, Listener, Readiness, Shared};
use casebridge::store::{EventFilter, SharedStore};
use casebridge::twin::highlevel::NewTask;
use casebridge::twin::{Delivery, MadeBy, NewContact, NewLead, NewNote, Twin, TwinConfig, Vendor, casepeer};
use casebridge::webhook::highlevel::sign::{SIGNATURE_HEADER, SigningKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::Database;
use super::child::{Child, Home};
use crate::support::{SYNC, Vendors};

/// The system's clock, which a test can move forward.
#[derive(Debug, Default)]
pub struct MovedClock(AtomicI64);

impl MovedClock {
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// How far behind a moment "after" it is.
const MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// Signs webhooks as HighLevel does, for senders of a test's own; a cheap handle.
#[derive(Clone)]
pub struct Sender {
    key: Arc<SigningKey>,
    location: String,
    acknowledged: Arc<Mutex<Vec<String>>>,
}

impl Sender {
    /// Sends a webhook of a type that has no rule, this much larger than it need be; the answer, if one came.
    pub async fn send(&self, http: &reqwest::Client, url: &str, padding: usize) -> Option<reqwest::Response> {
        let id = Uuid::now_v7().to_string();
        let body = json!({
            "type": "InboundMessage", "locationId": self.location, "webhookId": id, "body": "x".repeat(padding),
        });
        let body = body.to_string();
        let signature = self.key.sign(body.as_bytes());
        let request = http.post(format!("{url}/webhooks/highlevel")).header(SIGNATURE_HEADER, signature);
        let answer = request.body(body).send().await.ok()?;
        if answer.status().is_success() {
            self.acknowledged.lock().unwrap().push(id);
        }
        Some(answer)
    }
}

/// Two vendors and the program between them.
pub struct World {
    pub twin: Twin,
    pub child: Child,
    pub sender: Sender,
    clock: Arc<MovedClock>,
    database: Database,
    directory: TempDir,
    data: PathBuf,
    people: usize,
}

impl World {
    /// With a database in the test's own directory.
    pub async fn start(drain_seconds: u64) -> Self {
        Self::start_on(Database::chosen().await, None, drain_seconds).await
    }

    /// With this database, a file of which lies in this directory.
    pub async fn start_on(database: Database, data: Option<&Path>, drain_seconds: u64) -> Self {
        let clock = Arc::new(MovedClock::default());
        let config = TwinConfig { unlimited: true, ..TwinConfig::new(clock.clone()) };
        let (inbound_token, webhook_secret) = (config.inbound_token.clone(), config.webhook_secret.clone());
        let twin = Twin::start(config).await.unwrap();
        let directory = TempDir::new().unwrap();
        let data = data.unwrap_or(directory.path()).to_owned();
        let home = Home { directory: directory.path(), data: &data, database: &database, drain_seconds };
        let sender = Sender {
            key: Arc::new(SigningKey::from_seed(&[9; 32])),
            location: twin.highlevel.location().to_owned(),
            acknowledged: Arc::default(),
        };
        let vendors = Vendors {
            highlevel_url: &twin.highlevel.url(),
            highlevel_key: &format!("{},{}", twin.highlevel.public_key(), sender.key.public_key()),
            location: twin.highlevel.location(),
            highlevel_token: "twin-token",
            casepeer_url: &twin.casepeer.url(),
            casepeer_token: "twin-token",
            inbound_token: &inbound_token,
            webhook_secret: &webhook_secret,
        };
        let child = Child::start(&home, &vendors, SYNC).await;
        twin.set_bridge(&child.url);
        twin.highlevel.add_senders(7);
        twin.casepeer.add_senders(3);
        Self { twin, child, sender, clock, database, directory, data, people: 0 }
    }

    /// People work: so many new contacts, so many new leads, each with a task, a note and a change.
    pub fn work(&mut self, people: usize) {
        let Twin { highlevel, casepeer, .. } = &self.twin;
        for _ in 0..people {
            let person = self.people;
            self.people += 1;
            let contact = highlevel.create_contact(NewContact {
                first_name: format!("Ada{person}"),
                last_name: "Byron".into(),
                email: format!("ada{person}@example.com"),
                phone: format!("+1512555{person:04}"),
                ..NewContact::default()
            });
            let title = format!("Call back {person}");
            highlevel.create_task(&contact, NewTask { title, ..NewTask::default() });
            highlevel.create_note(&contact, &format!("Prefers mornings {person}"));
            highlevel.update_contact(&contact, json!({ "city": "Austin" }));
            let lead = casepeer.create_lead(NewLead {
                first_name: format!("Grace{person}"),
                last_name: "Hopper".into(),
                email: format!("grace{person}@example.com"),
                phone: format!("+1737555{person:04}"),
                case_type: "Auto Accident".into(),
                ..NewLead::default()
            });
            let title = format!("Ask for photographs {person}");
            casepeer.create_task(&lead, casepeer::NewTask { title, ..casepeer::NewTask::default() });
            let (category, body) = ("Intake".into(), format!("Called back {person}"));
            casepeer.create_note(&lead, NewNote { category, body, ..NewNote::default() });
            casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Dallas" } } }));
        }
    }

    fn deliveries(&self) -> Vec<Delivery> {
        let Twin { highlevel, casepeer, .. } = &self.twin;
        highlevel.deliveries().into_iter().chain(casepeer.deliveries()).collect()
    }

    /// How many webhooks were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.deliveries().iter().filter(|delivery| is_acknowledged(delivery)).count()
    }

    /// The answers that were neither 2xx nor a refusal that the sender repeats.
    pub fn wrong_answers(&self) -> Vec<u16> {
        let answers = self.deliveries().into_iter().filter_map(|delivery| delivery.last_status);
        // CASEpeer is told 503 with `Retry-After`, as its profile says.
        answers.filter(|status| !matches!(status, 200..=299 | 429 | 503)).collect()
    }

    /// The vendors send again what was not acknowledged.
    pub fn send_again(&self) {
        let Twin { highlevel, casepeer, .. } = &self.twin;
        for delivery in highlevel.deliveries().iter().filter(|delivery| !is_acknowledged(delivery)) {
            highlevel.redeliver(&delivery.id);
        }
        for delivery in casepeer.deliveries().iter().filter(|delivery| !is_acknowledged(delivery)) {
            casepeer.redeliver(&delivery.id);
        }
    }

    /// Ends the program for the last time, and finishes in this process what it left, with a clock that needs no
    /// patience; then holds the accounts against what really happened.
    pub async fn finish(mut self) {
        self.child.kill();
        let text = std::fs::read_to_string(self.directory.path().join("casebridge.toml")).unwrap();
        let config = config::parse("casebridge.toml", &text, &Vec::new()).unwrap();
        let (keyring, clock) = (Arc::new(config.crypto.keyring().unwrap()), self.clock.clone());
        let store = self.database.open(&self.data, keyring.clone(), clock.clone()).await;
        let bridge = Arc::new(Bridge::new(&config, store.clone(), keyring, clock).unwrap());
        let shared = Arc::new(Shared::new(bridge.clone(), Readiness::default(), None));
        let socket = Listener::bind(config.server.public).unwrap();
        let _listener = Listener::serve(socket, http::public(shared)).unwrap();
        // The leases of the one that was killed run out.
        let worker = Worker::new(bridge, "the last", WorkerOptions::default());
        for _ in 0..1_000 {
            self.twin.flush().await;
            self.send_again();
            self.twin.flush().await;
            if worker.step().await.unwrap() > 0 {
                continue;
            }
            match store.next_due().await.unwrap() {
                Some(due) => {
                    let pause = due.duration_since(self.clock.now()).max(SignedDuration::ZERO);
                    self.clock.advance(pause + MOMENT);
                }
                None if self.deliveries().iter().all(is_acknowledged) => {
                    return self.assert_accounts(&store).await;
                }
                None => {}
            }
        }
        panic!("events do not come to an end: {:?}", store.counts().await);
    }

    async fn assert_accounts(&self, store: &SharedStore) {
        let counts = store.counts().await.unwrap();
        let filter =
            EventFilter { states: vec![EventState::Undelivered], limit: 10, ..EventFilter::default() };
        assert_eq!(counts.of(EventState::Undelivered), 0, "{:#?}", store.events(filter).await.unwrap());
        self.assert_each_acknowledged_once(store).await;
        self.assert_each_effect_once();
    }

    /// Every webhook that was answered 2xx is in the database, once.
    async fn assert_each_acknowledged_once(&self, store: &SharedStore) {
        let mut stored = BTreeMap::<String, usize>::new();
        let filter = EventFilter { limit: usize::MAX, ..EventFilter::default() };
        for row in store.events(filter).await.unwrap() {
            let body = store.payload(row.id).await.unwrap().expect("payloads are kept for days");
            let body: Value = serde_json::from_slice(&body).unwrap();
            let id = body.get("webhookId").unwrap_or(&body["id"]).as_str().unwrap().to_owned();
            *stored.entry(id).or_default() += 1;
        }
        for id in &*self.sender.acknowledged.lock().unwrap() {
            assert_eq!(stored.get(id), Some(&1), "{id} was acknowledged");
        }
        for delivery in self.deliveries() {
            let times = stored.get(&delivery.id).copied().unwrap_or_default();
            assert_eq!(times, 1, "{} {} was answered {:?}", delivery.kind, delivery.id, delivery.last_status);
        }
    }

    /// Each thing that people made has one counterpart, by name and by number.
    fn assert_each_effect_once(&self) {
        let Twin { highlevel, casepeer, .. } = &self.twin;
        let mut made = BTreeMap::<_, usize>::new();
        for effect in highlevel.ledger().into_iter().chain(casepeer.ledger()) {
            if effect.made_by == MadeBy::Api && effect.operation.ends_with(".create") {
                *made.entry((effect.vendor == Vendor::HighLevel, effect.operation)).or_default() += 1;
            }
        }
        let expected = [
            ((false, "lead.create"), self.people),
            ((false, "note.create"), self.people),
            ((false, "task.create"), self.people),
            ((true, "contact.create"), self.people),
            ((true, "note.create"), self.people),
            ((true, "task.create"), 3 * self.people),
        ];
        assert_eq!(
            made,
            expected.into(),
            "(in HighLevel, operation) and how often, of {} people",
            self.people
        );
        let mut people = BTreeMap::<String, usize>::new();
        for lead in casepeer.leads() {
            *people.entry(lead["client"]["email"].to_string()).or_default() += 1;
        }
        assert_eq!(people.len(), 2 * self.people);
        assert!(people.values().all(|leads| *leads == 1), "{people:?}");
        for lead in casepeer.leads() {
            assert!(!lead["client"]["address"]["city"].is_null(), "a change did not arrive: {lead}");
        }
        for contact in highlevel.contacts() {
            assert!(contact["city"].is_string(), "a change did not arrive: {contact}");
            let (tasks, notes) = (
                highlevel.tasks(contact["id"].as_str().unwrap()),
                highlevel.notes(contact["id"].as_str().unwrap()),
            );
            let is_ada = contact["firstName"].as_str().unwrap().starts_with("Ada");
            assert_eq!((tasks.len(), notes.len()), (if is_ada { 1 } else { 3 }, 1), "{contact}");
        }
    }
}

fn is_acknowledged(delivery: &Delivery) -> bool {
    delivery.last_status.is_some_and(|status| (200..300).contains(&status))
}
