//! `casebridge serve`: the real thing.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ConfigArgument;
use super::failure::Failure;
use crate::bridge::{Bridge, Worker, WorkerOptions};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, StoreUrl};
use crate::crypto::Keyring;
use crate::domain::Phone;
use crate::http::{self, Listener, Readiness, Shared};
use crate::store::SharedStore;
use crate::store::sqlite::{CannotOpenStore, ServeLock, SqliteStore};
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

/// How long requests and events in flight may take to finish once the drain time is over.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let drain = Duration::from_secs(config.server.drain_seconds);
    let running = Running::start(&config, Arc::new(SystemClock))?;
    tracing::info!(public = %running.public.address(), admin = %running.admin.address(), "ready");
    let mut signals = Signals::new()?;
    signals.next().await;
    tracing::info!("stopping: draining for {} s; a second signal stops at once", drain.as_secs());
    tokio::select! {
        () = running.stop(drain) => tracing::info!("stopped"),
        () = signals.next() => tracing::warn!("stopped at once: what was in flight is taken up at the next start"),
    }
    Ok(())
}

/// A bridge that is running in this process.
pub struct Running {
    /// The listener webhooks come to.
    pub public: Listener,
    /// The listener for operators.
    pub admin: Listener,
    /// The flow.
    pub bridge: Arc<Bridge>,
    readiness: Readiness,
    worker: JoinHandle<()>,
    stop_worker: CancellationToken,
    _lock: ServeLock,
}

impl Running {
    /// Opens the store, binds both ports and starts to work.
    pub fn start(config: &Config, clock: SharedClock) -> Result<Self, Failure> {
        let metrics = telemetry::metrics();
        let keyring = keyring(config)?;
        let StoreUrl::Sqlite(path) = &config.store.url;
        let lock = ServeLock::take(path).map_err(Failure::failed)?;
        let store = open_store(config, &keyring, &clock)?;
        let bridge = Bridge::new(config, store, keyring, clock).map_err(Failure::configuration)?;
        let bridge = Arc::new(bridge);
        let readiness = Readiness::default();
        let shared = Arc::new(Shared {
            bridge: Arc::clone(&bridge),
            readiness: readiness.clone(),
            admin_token: config.server.admin_token.clone(),
            metrics,
        });
        let in_use = |why| {
            Failure::failed(why).hint("another program may use the port; see server.public and server.admin")
        };
        let public = Listener::bind(config.server.public).map_err(in_use)?;
        let admin = Listener::bind(config.server.admin).map_err(in_use)?;
        let failed = |error: std::io::Error| Failure::failed(error.to_string());
        let public = Listener::serve(public, http::public(Arc::clone(&shared))).map_err(failed)?;
        let admin = Listener::serve(admin, http::admin(shared)).map_err(failed)?;
        let stop_worker = CancellationToken::new();
        let worker = Worker::new(Arc::clone(&bridge), "worker", WorkerOptions::default());
        let stop = stop_worker.clone();
        let worker = tokio::spawn(async move {
            // Only one process serves the file: what is claimed was claimed by one that broke off.
            worker.release().await;
            worker.run(stop).await;
        });
        readiness.ready();
        // Its tables take tens of milliseconds to load; the first lead should not wait for them.
        tokio::task::spawn_blocking(|| Phone::parse("+15125550100"));
        Ok(Self { public, admin, bridge, readiness, worker, stop_worker, _lock: lock })
    }

    /// Says that it is draining, goes on taking webhooks for the drain time, then finishes what is in flight.
    pub async fn stop(self, drain: Duration) {
        self.readiness.drain();
        tokio::time::sleep(drain).await;
        self.public.stop(PATIENCE).await;
        self.stop_worker.cancel();
        if tokio::time::timeout(PATIENCE, self.worker).await.is_err() {
            tracing::warn!("events in flight did not end in time: they are taken up at the next start");
        }
        self.admin.stop(Duration::from_secs(1)).await;
    }
}

/// The keys of the configuration; without one nothing is stored.
pub(super) fn keyring(config: &Config) -> Result<Arc<Keyring>, Failure> {
    let keyring = config.crypto.keyring().map_err(|wrong| {
        Failure::configuration(format!("crypto.keys: {wrong}")).hint(
            "export CASEBRIDGE_KEY=\"$(openssl rand -base64 32)\" and write \
             `keys = [{ id = \"k1\", secret = { env = \"CASEBRIDGE_KEY\" } }]` under [crypto]; keep a copy of the key: \
             without it nothing that is stored can be read",
        )
    })?;
    Ok(Arc::new(keyring))
}

/// The configured store.
pub(super) fn open_store(
    config: &Config,
    keyring: &Arc<Keyring>,
    clock: &SharedClock,
) -> Result<SharedStore, Failure> {
    let StoreUrl::Sqlite(path) = &config.store.url;
    let store =
        SqliteStore::open(path, Arc::clone(keyring), Arc::clone(clock)).map_err(|error| match error {
            CannotOpenStore::File { .. } => Failure::failed(error.to_string())
                .hint("see store.url; the directory must exist and be writable"),
            CannotOpenStore::TooNew { .. } => Failure::failed(error.to_string()),
        })?;
    Ok(Arc::new(store))
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on; until then a signal ends the process.
    pub(super) fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed =
            |error: std::io::Error| Failure::failed(format!("signals cannot be listened for: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Resolves when one arrives.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
