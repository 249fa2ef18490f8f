//! The databases, as a parameter of every theme.

use std::path::Path;
use std::sync::Arc;

use casebridge::clock::SystemClock;
use casebridge::crypto::Keyring;
use casebridge::store::SharedStore;
use casebridge::store::sqlite::SqliteStore;

/// What events are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Database {
    /// A file.
    Sqlite,
}

impl Database {
    /// Every one that can be reached.
    pub fn all() -> Vec<Self> {
        vec![Self::Sqlite]
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
        }
    }

    /// The `store.url` of an empty database that lives as long as this directory.
    pub fn url(self, directory: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}", directory.join("bench.db").display()),
        }
    }

    /// Opens it from this process.
    #[expect(clippy::unused_async, reason = "a database on the network is connected to")]
    pub async fn open(self, url: &str, keyring: Arc<Keyring>) -> SharedStore {
        match self {
            Self::Sqlite => {
                let path = Path::new(url.strip_prefix("sqlite://").expect("made by `url`"));
                let store = SqliteStore::open(path, keyring, Arc::new(SystemClock));
                Arc::new(store.expect("the file can be opened"))
            }
        }
    }
}
