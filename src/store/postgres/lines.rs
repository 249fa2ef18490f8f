//! Connections that stay warm, for what is asked all the time.
//!
//! The pool gives its connections in turn, and asks each whether it is well when it comes back, which is a journey more.
//! Here the one that was used last is used next: the database plans a statement anew, and fetches what it knows of the
//! tables, for each connection.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// A connection that has not been used for this long is tried before it is used: the database may have gone.
pub(super) const TRUSTED: Duration = Duration::from_secs(1);

/// Returns once everything that was committed before is on the database's disk, and with its standbys where it waits for
/// those. The log is written in order, so that a word in it which is waited for takes along all that stands before.
///
/// A transaction that is committed first and waited for afterwards lets go of its firm's lock meanwhile.
pub(super) const FLUSH: &str =
    "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'casebridge', '')";

/// The connections that nobody uses now, each with when it was last used. As many come to be as are used at once.
pub(super) struct Lines {
    address: PgConnectOptions,
    settings: &'static str,
    /// How long to wait for a new one.
    patience: Duration,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
}

impl Lines {
    pub(super) fn new(address: PgConnectOptions, settings: &'static str, patience: Duration) -> Self {
        Self { address, settings, patience, idle: Mutex::default() }
    }

    /// A connection of one's own. One on which anything went wrong is not given back.
    pub(super) async fn line(&self) -> Result<Line<'_>, sqlx::Error> {
        let idle = self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop();
        if let Some((mut connection, used_at)) = idle
            && (used_at.elapsed() <= TRUSTED || connection.ping().await.is_ok())
        {
            return Ok(Line { connection, lines: self });
        }
        let connecting = tokio::time::timeout(self.patience, self.connect()).await;
        let connection = connecting.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(Line { connection, lines: self })
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.address).await?;
        sqlx::raw_sql(self.settings).execute(&mut connection).await?;
        Ok(connection)
    }
}

/// A connection that somebody uses.
pub(super) struct Line<'a> {
    connection: PgConnection,
    lines: &'a Lines,
}

impl Line<'_> {
    /// Gives a connection back on which everything went well.
    pub(super) fn give_back(self) {
        let mut idle = self.lines.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        idle.push((self.connection, Instant::now()));
    }
}

impl Deref for Line<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Line<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
