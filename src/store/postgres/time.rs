//! What time it is, for every instance that shares the database.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgExecutor;

use super::rows::{Fault, from_millis};
use crate::clock::SharedClock;

/// Where the store takes its time from.
#[derive(Debug, Clone)]
pub enum TimeSource {
    /// The database's clock, which all instances share: a lease ends for all of them at once.
    Database,
    /// A clock of this process, as in tests.
    Clock(SharedClock),
}

/// How long the database's clock is followed by this machine's, which drift apart by less than a millisecond in that
/// time, before it is asked again.
const FOLLOW: Duration = Duration::from_secs(10);

/// Tells the time, which never goes back here: an event must not become due in the future because a clock was set back.
pub(super) struct Time {
    source: TimeSource,
    /// The latest moment told, in milliseconds since 1970.
    latest: AtomicI64,
    /// What the database's clock showed, and when.
    asked: Mutex<Option<(Instant, i64)>>,
}

impl Time {
    pub(super) fn new(source: TimeSource, latest: i64) -> Self {
        Self { source, latest: AtomicI64::new(latest), asked: Mutex::new(None) }
    }

    pub(super) async fn now(&self, database: impl PgExecutor<'_>) -> Result<Timestamp, Fault> {
        let now = match &self.source {
            TimeSource::Clock(clock) => clock.now().as_millisecond(),
            TimeSource::Database => self.of_database(database).await?,
        };
        from_millis(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    async fn of_database(&self, database: impl PgExecutor<'_>) -> Result<i64, Fault> {
        let asked = *self.asked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((at, shown)) = asked
            && at.elapsed() < FOLLOW
        {
            return Ok(shown.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX)));
        }
        let at = Instant::now();
        let sql = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let shown = sqlx::query(sql).fetch_one(database).await?.try_get(0)?;
        *self.asked.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some((at, shown));
        Ok(shown)
    }
}
