//! Being told by other instances that an event has become due: a hint, beside the poll.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The channel on which instances tell each other.
pub(super) const CHANNEL: &str = "casebridge_event";

/// How long to leave a database alone that cannot be listened to; the poll goes on meanwhile.
const PAUSE: Duration = Duration::from_secs(5);

/// Rings when another instance made an event due. Listens from the first time that somebody waits for it, which takes
/// a connection of its own.
#[derive(Default)]
pub(super) struct Bell {
    rung: Arc<Notify>,
    listening: OnceLock<JoinHandle<()>>,
}

impl Bell {
    pub(super) async fn wait(&self, pool: &PgPool) {
        self.listening.get_or_init(|| tokio::spawn(listen(pool.clone(), Arc::clone(&self.rung))));
        self.rung.notified().await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.get() {
            listening.abort();
        }
    }
}

async fn listen(pool: PgPool, rung: Arc<Notify>) {
    loop {
        if let Err(error) = listen_once(&pool, &rung).await {
            tracing::warn!("other instances are not heard; events are found by polling: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(pool: &PgPool, rung: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // `None` is a connection that was lost and is there again: something may have been missed.
        listener.try_recv().await?;
        rung.notify_one();
    }
}
