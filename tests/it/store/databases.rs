//! A fresh database for each test, which goes away with it.

use std::ops::Not;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use casebridge::clock::ManualClock;
use casebridge::crypto::Keyring;
use casebridge::store::SharedStore;
use casebridge::store::postgres::{CannotOpenPostgres, PostgresOptions, PostgresStore, TimeSource};
use casebridge::store::sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Where these tests' PostgreSQL is, or `skip`.
const VARIABLE: &str = "CASEBRIDGE_TEST_POSTGRES";
const DEFAULT: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// What a store under test lives on.
pub enum Database {
    Sqlite(TempDir),
    Postgres(PostgresDatabase),
}

pub fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new([("k1".to_owned(), Zeroizing::new([7; 32]))]).unwrap())
}

impl Database {
    pub fn sqlite(clock: &Arc<ManualClock>) -> (SharedStore, Self) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("bridge.db");
        let store = SqliteStore::open(&path, keyring(), clock.clone()).unwrap();
        (Arc::new(store), Self::Sqlite(directory))
    }

    pub async fn postgres(clock: &Arc<ManualClock>) -> Option<(SharedStore, Self)> {
        let database = PostgresDatabase::create().await?;
        let store = database.open(clock, keyring()).await;
        Some((Arc::new(store), Self::Postgres(database)))
    }
}

/// Whether tests may use a PostgreSQL.
pub fn has_postgres() -> bool {
    std::env::var(VARIABLE).is_ok_and(|server| server == "skip").not()
}

/// The store that whole-system tests run on: SQLite, unless the test or `CASEBRIDGE_TEST_STORE=postgres` says so.
pub fn open_chosen(
    path: &Path,
    keyring: &Arc<Keyring>,
    clock: &Arc<ManualClock>,
    is_postgres: bool,
) -> (SharedStore, Option<PostgresDatabase>) {
    if is_postgres || std::env::var("CASEBRIDGE_TEST_STORE").is_ok_and(|store| store == "postgres") {
        // Those tests start without waiting, so the store lives on a runtime of its own, which outlives them.
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
        let (keyring, clock) = (Arc::clone(keyring), Arc::clone(clock));
        let opening = std::thread::spawn(move || {
            RUNTIME.block_on(async {
                let database = PostgresDatabase::create().await.expect("a PostgreSQL");
                (Arc::new(database.open(&clock, keyring).await), database)
            })
        });
        let (store, database) = opening.join().unwrap();
        return (store, Some(database));
    }
    let store = SqliteStore::open(path, keyring.clone(), clock.clone()).unwrap();
    (Arc::new(store), None)
}

/// A database of its own on the server for tests.
pub struct PostgresDatabase {
    server: String,
    name: String,
    pub url: String,
}

impl PostgresDatabase {
    /// None if these tests are to be skipped.
    pub async fn create() -> Option<Self> {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| DEFAULT.to_owned());
        if server == "skip" {
            eprintln!("skipped: {VARIABLE}=skip");
            return None;
        }
        let name = format!("casebridge_test_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&server).await.unwrap_or_else(|error| {
            panic!(
                "no PostgreSQL for the tests ({error}): start one, name it with {VARIABLE}=postgres://…, or set \
                 {VARIABLE}=skip"
            )
        });
        execute(&mut connection, &format!("CREATE DATABASE {name}")).await;
        let mut url = reqwest::Url::parse(&server).unwrap();
        url.set_path(&name);
        Some(Self { server, name, url: url.into() })
    }

    /// Does not wait for the disk: for tests that break nothing off and write very often.
    pub async fn hurry(&self) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        let sql = format!("ALTER DATABASE {} SET synchronous_commit = off", self.name);
        execute(&mut connection, &sql).await;
    }

    /// One more instance's store on this database.
    pub async fn open(&self, clock: &Arc<ManualClock>, keyring: Arc<Keyring>) -> PostgresStore {
        self.try_open(clock, keyring).await.unwrap()
    }

    pub async fn try_open(
        &self,
        clock: &Arc<ManualClock>,
        keyring: Arc<Keyring>,
    ) -> Result<PostgresStore, CannotOpenPostgres> {
        let options = PostgresOptions { pool: 5, ..PostgresOptions::default() };
        PostgresStore::open(&self.url, options, keyring, TimeSource::Clock(clock.clone())).await
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // Dropping cannot wait, and this may be the last thing on the test's own runtime.
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                execute(&mut PgConnection::connect(&server).await.unwrap(), &sql).await;
            });
        });
        dropping.join().unwrap();
    }
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

impl Database {
    pub fn as_postgres(&self) -> &PostgresDatabase {
        match self {
            Self::Postgres(database) => database,
            Self::Sqlite(..) => panic!("this test is about PostgreSQL"),
        }
    }

    /// The file of a SQLite database.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Sqlite(directory) => directory.path().join("bridge.db"),
            Self::Postgres(_) => panic!("this test is about SQLite"),
        }
    }

    /// Another process's store on the same database, or why it is refused.
    pub async fn store(
        &self,
        clock: &Arc<ManualClock>,
        keyring: Arc<Keyring>,
    ) -> Result<SharedStore, String> {
        match self {
            Self::Sqlite(_) => match SqliteStore::open(&self.path(), keyring, clock.clone()) {
                Ok(store) => Ok(Arc::new(store)),
                Err(why) => Err(why.to_string()),
            },
            Self::Postgres(database) => match database.try_open(clock, keyring).await {
                Ok(store) => Ok(Arc::new(store)),
                Err(why) => Err(why.to_string()),
            },
        }
    }

    /// Opens another process's store on the same database, or says why it is refused.
    pub async fn open_again(&self, clock: &Arc<ManualClock>, keyring: Arc<Keyring>) -> Result<(), String> {
        self.store(clock, keyring).await.map(drop)
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.as_postgres().url).await.unwrap()
    }

    /// The one authorisation that is stored, as it lies in its table: access token, refresh token.
    pub async fn stored_tokens(&self) -> (Vec<u8>, Vec<u8>) {
        let sql = "SELECT sealed_access, sealed_refresh FROM credential";
        match self {
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            }
            Self::Postgres(_) => {
                let mut connection = self.connect().await;
                sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// Puts each in the other's column.
    pub async fn exchange_tokens(&self, access: &[u8], refresh: &[u8]) {
        match self {
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                let sql = "UPDATE credential SET sealed_access = ?, sealed_refresh = ?";
                connection.execute(sql, [refresh, access]).unwrap();
            }
            Self::Postgres(_) => {
                let sql = "UPDATE credential SET sealed_access = $1, sealed_refresh = $2";
                let mut connection = self.connect().await;
                sqlx::query(sql).bind(refresh).bind(access).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// The one payload that is stored, as it lies in its table.
    pub async fn stored_payload(&self) -> Vec<u8> {
        let sql = "SELECT sealed_body FROM payload";
        match self {
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.path()).unwrap();
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Self::Postgres(_) => {
                let mut connection = self.connect().await;
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }
}
