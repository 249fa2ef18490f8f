//! The databases, as a parameter of every theme.

use std::path::Path;
use std::sync::Arc;

use casebridge::clock::SystemClock;
use casebridge::crypto::Keyring;
use casebridge::store::SharedStore;
use casebridge::store::postgres::{PostgresOptions, PostgresStore, TimeSource};
use casebridge::store::sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// Names the PostgreSQL that databases are made on.
const VARIABLE: &str = "CASEBRIDGE_BENCH_POSTGRES";
const DEFAULT: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// What events are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A server on this machine.
    Postgres,
}

impl Database {
    /// Every one that can be reached.
    pub fn all() -> Vec<Self> {
        let is_there = on_its_own(async { PgConnection::connect(&server()).await.is_ok() });
        if is_there { vec![Self::Sqlite, Self::Postgres] } else { vec![Self::Sqlite] }
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// Makes an empty one, which is called by its `store.url`.
    pub fn create(self, directory: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}", directory.join("bench.db").display()),
            Self::Postgres => {
                let name = format!("casebridge_bench_{}", Uuid::now_v7().simple());
                execute(format!("CREATE DATABASE {name}"));
                let (server, _) = server_and_name(&server());
                format!("{server}/{name}")
            }
        }
    }

    /// Takes away what does not go with its directory.
    pub fn discard(self, url: &str) {
        match self {
            Self::Sqlite => {}
            Self::Postgres => {
                let (_, name) = server_and_name(url);
                execute(format!("DROP DATABASE {name} WITH (FORCE)"));
            }
        }
    }

    /// Opens it from this process.
    pub async fn open(self, url: &str, keyring: Arc<Keyring>) -> SharedStore {
        match self {
            Self::Sqlite => {
                let path = Path::new(url.strip_prefix("sqlite://").expect("made by `create`"));
                let store = SqliteStore::open(path, keyring, Arc::new(SystemClock));
                Arc::new(store.expect("the file can be opened"))
            }
            Self::Postgres => {
                let options = PostgresOptions::default();
                let store = PostgresStore::open(url, options, keyring, TimeSource::Database).await;
                Arc::new(store.expect("the database can be opened"))
            }
        }
    }
}

fn server() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned())
}

fn server_and_name(url: &str) -> (String, String) {
    let (server, name) = url.rsplit_once('/').expect("an address names a database");
    (server.to_owned(), name.to_owned())
}

fn execute(sql: String) {
    on_its_own(async move {
        let mut connection = PgConnection::connect(&server()).await.expect("the server is there");
        let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await;
        done.expect("the server does as it is told");
    });
}

/// Waits for something from anywhere, other runtimes included.
fn on_its_own<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the system gives what a runtime needs").block_on(work)
    };
    std::thread::scope(|scope| scope.spawn(run).join().expect("the work ends"))
}
