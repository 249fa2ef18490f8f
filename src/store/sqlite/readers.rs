//! Connections that only read, beside the writer.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::store::StoreError;

/// How many read at once.
const POOL: usize = 4;

/// A small pool of read-only connections.
pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> rusqlite::Result<Self> {
        let connections = (0..POOL)
            .map(|_| {
                let connection = super::file::connect(path)?;
                connection.pragma_update(None, "query_only", true)?;
                connection.pragma_update(None, "cache_size", -2_000)?;
                Ok(connection)
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { idle: Arc::new(Mutex::new(connections)), permits: Arc::new(Semaphore::new(POOL)) })
    }

    pub(super) async fn run<T, Work>(&self, work: Work) -> Result<T, StoreError>
    where
        T: Send + 'static,
        Work: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let gone = |_| StoreError::Unavailable("the reader has stopped".into());
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone(()))?;
        let idle = Arc::clone(&self.idle);
        let reading = tokio::task::spawn_blocking(move || {
            let lock = || idle.lock().expect("no reader panics while it holds the pool");
            let connection = lock().pop().expect("a permit for every connection");
            let result = work(&connection);
            lock().push(connection);
            drop(permit);
            result
        });
        reading.await.map_err(|_| gone(()))?
    }
}
