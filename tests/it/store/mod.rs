//! What the bridge may rely on, whatever the database: each promise is one function, kept on SQLite and on PostgreSQL.

mod access;
mod alerts;
mod api_tokens;
mod copying;
mod credentials;
mod databases;
mod effects;
mod figures;
mod hand_offs;
mod hooks;
mod keeping;
mod lanes;
mod links;
mod listing;
mod mappings;
mod outage;
mod parking;
mod people;
mod planted;
mod quotas;
mod races;
mod receiving;
mod review;
mod rules;
mod secrets;
mod sweeps;

use std::collections::BTreeMap;
use std::sync::Arc;

use casebridge::clock::{Clock, ManualClock};
use casebridge::domain::{EventId, EventState, FirmId, Outcome, RecordKind, RecordRef, System};
use casebridge::store::{Arrival, Claim, ClaimRoom, DeliveryKey, Recorded, Settled, Settlement, SharedStore};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::databases::Database;
pub use self::databases::{PostgresDatabase, has_postgres, keyring, open_chosen};

/// Makes of each promise one test a database.
macro_rules! on_both {
    ($($promise:ident),+ $(,)?) => {
        $(mod $promise {
            #[tokio::test]
            async fn on_sqlite() {
                super::$promise(&$crate::store::TestStore::sqlite()).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(test) = $crate::store::TestStore::postgres().await {
                    super::$promise(&test).await;
                }
            }
        })+
    };
}
pub(crate) use on_both;

/// How long a claim holds here.
pub const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// A store on a fresh database, and the clock it goes by.
pub struct TestStore {
    pub store: SharedStore,
    pub clock: Arc<ManualClock>,
    database: Database,
}

impl TestStore {
    pub fn sqlite() -> Self {
        let clock = crate::support::clock();
        let (store, database) = Database::sqlite(&clock);
        Self { store, clock, database }
    }

    /// None if these tests are to be skipped.
    pub async fn postgres() -> Option<Self> {
        let clock = crate::support::clock();
        let (store, database) = Database::postgres(&clock).await?;
        Some(Self { store, clock, database })
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// The file of a SQLite database.
    pub fn database_path(&self) -> std::path::PathBuf {
        self.database.path()
    }

    pub async fn connect(&self) -> sqlx::PgConnection {
        self.database.connect().await
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Records what is new; its id.
    pub async fn record(&self, arrival: Arrival) -> EventId {
        match self.store.record(arrival).await.unwrap() {
            Recorded::Stored(id) => id,
            Recorded::Duplicate(id) => panic!("a duplicate of {id}"),
        }
    }

    /// Records a new update of a contact.
    pub async fn update(&self, contact: &str) -> EventId {
        self.record(self.arrival(contact)).await
    }

    /// An update of a contact, which has an id of its own.
    pub fn arrival(&self, contact: &str) -> Arrival {
        let id = EventId(Uuid::now_v7());
        Arrival {
            id,
            firm: firm(),
            source: System::HighLevel,
            kind: "ContactUpdate".into(),
            delivery_key: DeliveryKey::Sender(id.to_string()),
            records: vec![self::contact(contact)],
            proof: "ed25519",
            payload: br#"{"type":"ContactUpdate"}"#.as_slice().into(),
            sent_at: None,
            received_at: self.now(),
            is_update: true,
            undeliverable: None,
            trace: None,
        }
    }

    /// Claims everything that is due.
    pub async fn claim(&self) -> Vec<Claim> {
        self.store.claim("worker", &room(100), LEASE).await.unwrap()
    }

    /// Claims what is due, which is one event.
    pub async fn claim_one(&self) -> Claim {
        let mut claims = self.claim().await;
        assert_eq!(claims.len(), 1, "{claims:?}");
        claims.remove(0)
    }

    /// Claims what is due and returns the events' ids.
    pub async fn claimed(&self) -> Vec<EventId> {
        self.claim().await.into_iter().map(|claim| claim.lease.event).collect()
    }

    /// Settles an event that is still ours.
    pub async fn settle(&self, claim: &Claim, outcome: Outcome) {
        let settlement = settlement(outcome);
        assert_eq!(self.store.settle(&claim.lease, settlement).await.unwrap(), Settled::Yes);
    }

    pub async fn state(&self, event: EventId) -> EventState {
        self.store.event(event).await.unwrap().unwrap().row.state
    }

    /// The states of these events.
    pub async fn states<const N: usize>(&self, events: [EventId; N]) -> [EventState; N] {
        let mut states = [EventState::Waiting; N];
        for (state, event) in states.iter_mut().zip(events) {
            *state = self.state(event).await;
        }
        states
    }

    pub fn pass(&self, span: SignedDuration) {
        self.clock.advance(span);
    }
}

/// Room for this many claims, of any firm.
pub fn room(total: usize) -> ClaimRoom {
    ClaimRoom { total, per_firm: total, busy: BTreeMap::new() }
}

pub fn firm() -> FirmId {
    FirmId::new("acme")
}

pub fn contact(id: &str) -> RecordRef {
    RecordRef::highlevel(RecordKind::Contact, id)
}

pub fn lead(id: &str) -> RecordRef {
    RecordRef::casepeer(RecordKind::Lead, id)
}

pub fn settlement(outcome: Outcome) -> Settlement {
    Settlement { outcome, plan: None, reads: Vec::new(), supersedes: None }
}

/// Again after this span, as one of the attempts.
pub fn retry(span: SignedDuration) -> Outcome {
    Outcome::RetryIn { pause: span, why: "it failed".into(), counts: true }
}
