//! What happens when something breaks: the program at any moment, the disk, the clock, a vendor, a credential.
//!
//! `child` runs the real program and ends it in every way a system can; `load` gives it work and keeps the accounts;
//! `doomed` is a store that dies at a chosen
//! point, and `gate` holds a request on its way, for the moments that cannot be hit from outside. Effects are
//! counted at the twin, which knows nothing of the bridge.

pub mod child;
mod clock;
mod creates;
mod credentials;
mod disk;
pub mod doomed;
pub mod gate;
mod kill;
mod leases;
mod load;
mod outage;
mod points;
mod rolling;
mod superseding;
mod traps;
mod twins;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use casebridge::clock::SharedClock;
use casebridge::crypto::Keyring;
use casebridge::domain::EventState;
use casebridge::store::SharedStore;
use casebridge::store::postgres::{PostgresOptions, PostgresStore, TimeSource};
use casebridge::store::sqlite::SqliteStore;
use jiff::SignedDuration;

use crate::store::PostgresDatabase;
use crate::support::TestBridge;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the real program keeps its events in: SQLite, unless `CASEBRIDGE_TEST_STORE=postgres`.
pub enum Database {
    /// A file in the test's own directory.
    Sqlite,
    /// A database of its own on the server for tests.
    Postgres(PostgresDatabase),
}

impl Database {
    pub async fn chosen() -> Self {
        if std::env::var("CASEBRIDGE_TEST_STORE").is_ok_and(|store| store == "postgres") {
            Self::Postgres(PostgresDatabase::create().await.expect("a PostgreSQL"))
        } else {
            Self::Sqlite
        }
    }

    /// The `[store]` section; a file lies in this directory.
    pub fn section(&self, directory: &Path) -> String {
        match self {
            Self::Sqlite => {
                format!("[store]\nurl = \"sqlite://{}\"\n", directory.join("bridge.db").display())
            }
            Self::Postgres(database) => format!("[store]\nurl = \"{}\"\n", database.url),
        }
    }

    /// Opens it in this process, with a clock of the test's.
    pub async fn open(&self, directory: &Path, keyring: Arc<Keyring>, clock: SharedClock) -> SharedStore {
        match self {
            Self::Sqlite => {
                Arc::new(SqliteStore::open(&directory.join("bridge.db"), keyring, clock).unwrap())
            }
            Self::Postgres(database) => {
                let (options, time) = (PostgresOptions::default(), TimeSource::Clock(clock));
                Arc::new(PostgresStore::open(&database.url, options, keyring, time).await.unwrap())
            }
        }
    }
}

/// Chance that can be repeated: the seed is printed, and `CASEBRIDGE_SEED` sets it.
pub struct Chance(u64);

impl Chance {
    /// From the environment, or a new one each time.
    pub fn new(test: &str) -> Self {
        let given = std::env::var("CASEBRIDGE_SEED").ok().map(|seed| seed.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| uuid::Uuid::now_v7().as_u64_pair().1);
        eprintln!("{test}: CASEBRIDGE_SEED={seed}");
        Self(seed)
    }

    /// From 0 up to and without `bound` (splitmix64).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A number from the environment, for a longer or a larger run.
pub fn scale(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |value| value.parse().expect("a number"))
}

/// Waits until something outside of this test's control is so; it fails the test rather than hang it.
pub async fn eventually<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Settles everything, moving the clock to whenever something is due next; how much time that took.
pub async fn run_dry(bridge: &TestBridge) -> SignedDuration {
    let installation = &bridge.installation;
    let begun_at = installation.bridge.clock.now();
    for _ in 0..500 {
        bridge.settle().await;
        let now = installation.bridge.clock.now();
        match installation.store.next_due().await.unwrap() {
            Some(due) => {
                let pause = due.duration_since(now).max(SignedDuration::from_millis(100));
                installation.clock.advance(pause + SignedDuration::from_millis(1));
            }
            None => return now.duration_since(begun_at),
        }
    }
    panic!("events do not come to an end:\n{}", installation.tell().await);
}

/// Fails unless every event is settled, and settled well.
pub async fn assert_all_is_well(bridge: &TestBridge) {
    let counts = bridge.installation.store.counts().await.unwrap();
    let (pending, bad) = (counts.pending(), counts.of(EventState::Undelivered));
    assert_eq!((pending, bad), (0, 0), "{}", bridge.installation.tell().await);
}
