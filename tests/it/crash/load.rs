//! A twin in this process and the real program in its own: people work in both systems, and accounts are kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use casebridge::cli::serve::Running;
use casebridge::clock::{Clock, SystemClock};
use casebridge::config;
use casebridge::domain::EventState;
use casebridge::store::{EventFilter, SharedStore};
use casebridge::twin::highlevel::NewTask;
use casebridge::twin::{Delivery, MadeBy, NewContact, NewLead, NewNote, Twin, TwinConfig, Vendor, casepeer};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

use super::child::{Child, Home};
use super::{Database, PATIENCE, eventually};
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

/// Two vendors and the program between them.
pub struct World {
    pub twin: Twin,
    pub child: Child,
    clock: Arc<MovedClock>,
    directory: TempDir,
    people: usize,
}

impl World {
    /// With a database in the test's own directory.
    pub async fn start(database: Database, drain_seconds: u64) -> Self {
        Self::start_in(database, None, drain_seconds).await
    }

    /// With a database elsewhere.
    pub async fn start_in(database: Database, data: Option<&Path>, drain_seconds: u64) -> Self {
        let clock = Arc::new(MovedClock::default());
        let config = TwinConfig { unlimited: true, ..TwinConfig::new(clock.clone()) };
        let (inbound_token, webhook_secret) = (config.inbound_token.clone(), config.webhook_secret.clone());
        let twin = Twin::start(config).await.unwrap();
        let directory = TempDir::new().unwrap();
        let data = data.unwrap_or(directory.path());
        let home = Home { directory: directory.path(), data, database, drain_seconds };
        let vendors = Vendors {
            highlevel_url: &twin.highlevel.url(),
            highlevel_key: &twin.highlevel.public_key(),
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
        Self { twin, child, clock, directory, people: 0 }
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
            highlevel.update_contact(&contact, serde_json::json!({ "city": "Austin" }));
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
            casepeer.update_lead(&lead, serde_json::json!({ "client": { "address": { "city": "Dallas" } } }));
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

    /// Kills the program for the last time, and lets this process finish what it left, with a clock that needs no
    /// patience; then holds the accounts against what really happened.
    pub async fn finish(mut self) {
        self.child.kill();
        let text = std::fs::read_to_string(self.directory.path().join("casebridge.toml")).unwrap();
        let config = config::parse("casebridge.toml", &text, &Vec::new()).unwrap();
        let running =
            Running::start(&config, self.clock.clone()).await.map_err(|_| "the program starts").unwrap();
        let store = running.bridge.store.clone();
        let look = async || {
            self.twin.flush().await;
            self.send_again();
            self.twin.flush().await;
            let counts = store.counts().await.unwrap();
            let is_told = self.deliveries().iter().all(is_acknowledged);
            if counts.pending() == 0 {
                return is_told.then_some(());
            }
            let soon = self.clock.now() + SignedDuration::from_secs(1);
            if counts.of(EventState::Running) == 0
                && let Some(due) = store.next_due().await.unwrap()
                && due > soon
            {
                self.clock.advance(due.duration_since(soon));
                running.bridge.ring();
            }
            None
        };
        eventually("everything is settled", 10 * PATIENCE, look).await;
        self.assert_accounts(&store).await;
        running.stop(std::time::Duration::ZERO).await;
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
