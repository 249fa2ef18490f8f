//! Connections, transactions and the locks they take.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::future::Future;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgSslMode, Postgres};
use sqlx::{AssertSqlSafe, Connection, Row, Transaction};

use super::lines::{Lines, TRUSTED};
use super::migrations;
use super::rows::Fault;
use super::time::{Time, TimeSource};
use crate::store::StoreError;

/// How a store uses its database.
#[derive(Debug, Clone, Copy)]
pub struct PostgresOptions {
    /// The most connections.
    pub pool: u32,
    /// How long to wait for a connection. A sender expects an answer within seconds, and comes again after a refusal.
    pub acquire_timeout: Duration,
    /// How long to wait at the start for a database that is not there yet.
    pub connect_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { pool: 16, acquire_timeout: Duration::from_secs(2), connect_timeout: Duration::from_secs(10) }
    }
}

/// Why a database could not be opened. Says nothing of the address, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpenPostgres {
    /// The address cannot be read.
    #[error("the store's url is not one of PostgreSQL: {0}")]
    Url(String),
    /// It cannot be reached, or does not do as it is told.
    #[error("the database cannot be used: {0}")]
    Database(String),
    /// What is stored was sealed with a key that is not configured.
    #[error(transparent)]
    Sealed(crate::crypto::CannotOpen),
    /// A newer build has been here.
    #[error("the database has schema {found}, this build knows up to {known}: run the newer build")]
    TooNew {
        /// The database's schema.
        found: usize,
        /// The newest this build knows.
        known: usize,
    },
}

/// How long a transaction may take, with its repetitions, so that a database that does not answer holds nobody up for ever. Far above the
/// milliseconds it takes.
const DEADLINE: Duration = Duration::from_secs(10);

/// Every statement of ours finds its rows by an index, whatever their number, so that one plan is right for all values
/// and sizes; where it looks for several, `LATERAL … LIMIT 1` holds the planner to it. Left alone, the planner takes the tables of a new database for small ones, decides to read all of them, and
/// a connection keeps that plan while they grow. Planning anew for each execution, or compiling one to machine code,
/// takes as long as running it.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
    SET enable_hashjoin = off; SET enable_mergejoin = off";

/// A batch of arrivals is written by messages of this size.
const MESSAGE: usize = 256 * 1024;

/// Less than a TLS record of 16 KiB. What is longer leaves in several writes, of which the last waits for the other
/// side's delayed acknowledgement of those before, 40 ms: the driver leaves Nagle's algorithm on.
const ENCRYPTED_MESSAGE: usize = 12_000;

/// How often a transaction is begun that PostgreSQL asks to repeat.
pub(super) const ATTEMPTS: u32 = 5;

/// What the store's verbs and its tasks share.
pub(super) struct Core {
    pub(super) pool: PgPool,
    pub(super) lines: Lines,
    /// The most that one message to the database should carry, in bytes.
    pub(super) message: usize,
    pub(super) time: Time,
}

impl Core {
    /// Connects, and brings the schema up to date; also says how many migrations that took.
    pub(super) async fn open(
        url: &str,
        options: PostgresOptions,
        source: TimeSource,
    ) -> Result<(Self, usize), CannotOpenPostgres> {
        let address = address(url).map_err(|error| CannotOpenPostgres::Url(error.to_string()))?;
        let pool = PgPoolOptions::new()
            .max_connections(options.pool)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(|_| ()) })
            })
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(address.application_name("casebridge"));
        let failed = |error: sqlx::Error| CannotOpenPostgres::Database(error.to_string());
        wait_for(&pool, options.connect_timeout).await.map_err(failed)?;
        let migrated = migrations::run(&pool).await.map_err(|error| match error {
            migrations::Failed::Database(error) => failed(error),
            migrations::Failed::TooNew { found, known } => CannotOpenPostgres::TooNew { found, known },
        })?;
        let sql =
            "SELECT coalesce((SELECT least(received_at, due_at) FROM event ORDER BY seq DESC LIMIT 1), 0)";
        let latest =
            sqlx::query(sql).fetch_one(&pool).await.and_then(|row| row.try_get(0)).map_err(failed)?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let is_encrypted =
            sqlx::query(sql).fetch_one(&pool).await.and_then(|row| row.try_get("ssl")).map_err(failed)?;
        let message = if is_encrypted { ENCRYPTED_MESSAGE } else { MESSAGE };
        let lines = Lines::new((*pool.connect_options()).clone(), SETTINGS, options.acquire_timeout);
        Ok((Self { pool, lines, message, time: Time::new(source, latest) }, migrated))
    }

    /// Begins a transaction that holds the locks of these firms until it ends.
    ///
    /// Everything that moves events within a firm's lanes is done one after another: it sees what the one before
    /// committed, and two cannot both find a lane without a head. A lock of each lane would let more run at once, but
    /// lanes are merged and found by their records, and a firm's vendors take ten calls a second where this takes
    /// hundreds. The locks are taken in the order of their numbers, so that no two transactions wait for each other.
    pub(super) async fn begin(
        &self,
        firms: &[impl AsRef<str>],
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with(beginning(firms)).await
    }

    pub(super) async fn now(&self) -> Result<Timestamp, Fault> {
        within_deadline(self.time.now(&self.pool)).await
    }
}

/// The address that a url means. What never leaves this machine is not encrypted, unless the url asks for it.
fn address(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let address: PgConnectOptions = url.parse()?;
    let is_here =
        address.get_host().parse::<IpAddr>().map_or(address.get_host() == "localhost", |ip| ip.is_loopback());
    // The driver's default, which takes an encrypted connection from a server that offers one.
    let is_unsaid = matches!(address.get_ssl_mode(), PgSslMode::Prefer) && !url.contains("sslmode=");
    Ok(if is_here && is_unsaid { address.ssl_mode(PgSslMode::Disable) } else { address })
}

/// The statements that begin a transaction which holds the locks of these firms until it ends, as one message. If this
/// process hangs or its machine is lost, the database ends the transaction and with it the locks.
pub(super) fn beginning(firms: &[impl AsRef<str>]) -> AssertSqlSafe<String> {
    let mut sql = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '5s'; \
        SET LOCAL idle_in_transaction_session_timeout = '10s'"
        .to_owned();
    for lock in locks_of(firms.iter().map(AsRef::as_ref)) {
        write!(sql, "; SELECT pg_advisory_xact_lock({lock})").expect("text can be appended to");
    }
    AssertSqlSafe(sql)
}

/// The locks of these firms, in the order in which they are taken.
pub(super) fn locks_of<'a>(firms: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let firms: BTreeSet<&str> = firms.collect();
    let locks: BTreeSet<i64> = firms.into_iter().map(lock_of).collect();
    locks.into_iter().collect()
}

/// The number of a firm's lock. Two firms that share one only wait for each other.
fn lock_of(firm: &str) -> i64 {
    let digest = Sha256::new().chain_update("casebridge firm\0").chain_update(firm).finalize();
    let (number, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    i64::from_be_bytes(*number)
}

/// Waits until the database accepts connections, as when both are started at once, and says so once.
async fn wait_for(pool: &PgPool, patience: Duration) -> Result<(), sqlx::Error> {
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        // Asked directly, not through the pool, whose timeout would hide what is wrong.
        match PgConnection::connect_with(&pool.connect_options()).await {
            Ok(connection) => return connection.close().await,
            Err(error) if begun.elapsed() >= patience || !may_pass(&error) => return Err(error),
            Err(error) => {
                let address = pool.connect_options();
                let (host, port) = (address.get_host(), address.get_port());
                let waits = format!("waiting up to {patience:?} for the database on {host}:{port}: {error}");
                if waits != said {
                    tracing::warn!("{waits}");
                    said = waits;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// Whether a failure to connect may be one of a database that is starting: not one of a wrong name or password.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // Class 57P is "operator intervention", such as starting up; 53 is "insufficient resources".
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("53"))
        }
        _ => false,
    }
}

/// Gives up on a database that does not answer.
pub(super) async fn within_deadline<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unavailable("the database does not answer".into()).into()),
    }
}

/// Runs work in a transaction that holds the firms' locks, again if PostgreSQL asks for that. A macro, because a
/// future that borrows both the transaction and its surroundings cannot yet be named as one that may change threads.
macro_rules! in_transaction {
    ($core:expr, $firms:expr, |$connection:ident, $now:ident| $work:expr) => {{
        let core: &$crate::store::postgres::core::Core = $core;
        $crate::store::postgres::core::within_deadline(async {
            let mut attempt = 1;
            loop {
                let turn = async {
                    let mut transaction = core.begin($firms).await?;
                    let $now = core.time.now(&mut *transaction).await?;
                    let $connection = &mut *transaction;
                    let done = $work.await?;
                    transaction.commit().await?;
                    Ok::<_, $crate::store::postgres::rows::Fault>(done)
                };
                match turn.await {
                    Err(fault)
                        if fault.is_repeatable() && attempt < $crate::store::postgres::core::ATTEMPTS =>
                    {
                        attempt += 1;
                    }
                    other => break other,
                }
            }
        })
        .await
    }};
}
pub(super) use in_transaction;
