//! `casebridge serve`: the real thing.

mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::upkeep::{count_up, keep_connections, poll, retain, sweep};
use super::ConfigArgument;
use super::failure::Failure;
use super::output::note;
use super::reload::{Reloader, hang_up};
use crate::bridge::{Bridge, Worker, WorkerOptions};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, Secret, StoreUrl};
use crate::console::Sandbox;
use crate::crypto::Keyring;
use crate::domain::Phone;
use crate::http::{self, Limits, Listener, Readiness, Shared, Tls};
use crate::store::postgres::{CannotOpenPostgres, PostgresOptions, PostgresStore, TimeSource};
use crate::store::sqlite::{CannotOpenStore, ServeLock, SqliteStore};
use crate::store::{SharedStore, StoreError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// What this process does, where several share a PostgreSQL.
    #[arg(long, value_enum, default_value = "all", env = "CASEBRIDGE_ROLE")]
    role: Role,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Receive webhooks and work on events.
    All,
    /// Receive webhooks only.
    Receiver,
    /// Work on events only; there is no public listener.
    Worker,
}

/// How long requests and events in flight may take to finish once the drain time is over.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let loaded = arguments.config.load_watched()?;
    let config = &loaded.config;
    let drain = Duration::from_secs(config.server.drain_seconds);
    let hang_up = hang_up()?;
    let running = Running::start_as(arguments.role, config, Arc::new(SystemClock), None).await?;
    let public = running.public.as_ref().map(|public| public.address().to_string());
    tracing::info!(public = public.unwrap_or_default(), admin = %running.admin.address(), "ready");
    running.offer_setup().await;
    let mut signals = Signals::new()?;
    let watching = Reloader::new(Arc::clone(&running.bridge), loaded).run(hang_up);
    tokio::select! {
        () = signals.next() => {}
        () = watching => {}
    }
    tracing::info!("stopping: draining for {} s; a second signal stops at once", drain.as_secs());
    tokio::select! {
        () = running.stop(drain) => tracing::info!("stopped"),
        () = signals.next() => tracing::warn!("stopped at once: what was in flight is taken up at the next start"),
    }
    Ok(())
}

/// A bridge that is running in this process.
pub struct Running {
    /// The listener webhooks come to; none if this process only works.
    pub public: Option<Listener>,
    /// The listener for operators.
    pub admin: Listener,
    /// The flow.
    pub bridge: Arc<Bridge>,
    readiness: Readiness,
    working: Option<Working>,
    /// Ends what it does beside its work.
    upkeep: CancellationToken,
    _lock: Option<ServeLock>,
}

/// A worker at work.
struct Working {
    worker: Arc<Worker>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    /// Opens the store, binds both ports and starts to work.
    pub async fn start(
        config: &Config,
        clock: SharedClock,
        sandbox: Option<Sandbox>,
    ) -> Result<Self, Failure> {
        Self::start_as(Role::All, config, clock, sandbox).await
    }

    /// The same for a process that does a part.
    pub async fn start_as(
        role: Role,
        config: &Config,
        clock: SharedClock,
        sandbox: Option<Sandbox>,
    ) -> Result<Self, Failure> {
        let keyring = keyring(config)?;
        let mut lock = lock(role, &config.store.url)?;
        if let Some(lock) = &mut lock {
            let noted = lock.note_keys(&keyring.ids());
            noted.map_err(|error| {
                Failure::failed(format!("the lock beside the database cannot be written: {error}"))
            })?;
        }
        let store = open_store(config, &keyring, &clock).await?;
        let bridge = Bridge::new(config, store, keyring, clock).map_err(Failure::configuration)?;
        bridge.refresh_rules().await?;
        let bridge = Arc::new(bridge);
        warn_of_old(&bridge).await;
        let readiness = Readiness::default();
        let shared =
            Arc::new(Shared::new(Arc::clone(&bridge), readiness.clone(), config.server.admin_token.clone()));
        let in_use = |why| {
            Failure::failed(why).hint("another program may use the port; see server.public and server.admin")
        };
        let receives = role != Role::Worker;
        let public = receives.then(|| Listener::bind(config.server.public)).transpose().map_err(in_use)?;
        let admin = Listener::bind(config.server.admin).map_err(in_use)?;
        let failed = |error: std::io::Error| Failure::failed(error.to_string());
        let tls = config.server.tls.as_ref().filter(|_| receives);
        let tls = tls.map(|tls| Tls::read(&tls.certificate, &tls.key)).transpose().map_err(|why| {
            Failure::configuration(format!("server.tls: {why}"))
                .hint("both are files in PEM: the certificate first, then those between it and its authority")
        })?;
        let public = public.map(|public| {
            let router = http::public(Arc::clone(&shared));
            Listener::serve_within(public, router, Limits::default(), tls.as_ref())
        });
        let public = public.transpose().map_err(failed)?;
        let admin = Listener::serve(admin, http::admin_with(Arc::clone(&shared), sandbox)).map_err(failed)?;
        let name = worker_name(&config.store.url);
        let working = (role != Role::Receiver).then(|| Working::start(&bridge, name, lock.is_some()));
        let upkeep = CancellationToken::new();
        let router = receives.then(|| http::public(Arc::clone(&shared)));
        upkeep::watch(config, &bridge, router, upkeep.clone());
        if let Some(tls) = tls {
            tokio::spawn(upkeep::renew(tls, upkeep.clone()));
        }
        readiness.ready();
        // Its tables take tens of milliseconds to load; the first lead should not wait for them.
        tokio::task::spawn_blocking(|| Phone::parse("+15125550100"));
        Ok(Self { public, admin, bridge, readiness, working, upkeep, _lock: lock })
    }

    /// Prints the link by which the first administrator is made, while there is nobody. To the terminal, not to the log:
    /// logs are kept and passed on.
    async fn offer_setup(&self) {
        match self.setup_link().await {
            Ok(Some(link)) => note(&format!(
                "nobody may sign in to the console yet: open {link} within an hour, once, to make the first administrator"
            )),
            Ok(None) => {}
            Err(error) => tracing::warn!("whether anybody may sign in cannot be told: {error}"),
        }
    }

    /// That link; none if there is somebody.
    pub async fn setup_link(&self) -> Result<Option<String>, StoreError> {
        let word = self.bridge.offer_setup().await?;
        Ok(word.map(|word| format!("http://{}/setup/{}", self.admin.address(), word.reveal())))
    }

    /// Says that it is draining, goes on taking webhooks for the drain time, then finishes what is in flight.
    pub async fn stop(self, drain: Duration) {
        self.readiness.drain();
        self.upkeep.cancel();
        if let Some(public) = self.public {
            tokio::time::sleep(drain).await;
            public.stop(PATIENCE).await;
        }
        if let Some(working) = self.working {
            working.stop().await;
        }
        self.admin.stop(Duration::from_secs(1)).await;
    }
}

impl Working {
    /// Starts a worker; `is_alone` if only this process may serve the store.
    fn start(bridge: &Arc<Bridge>, name: String, is_alone: bool) -> Self {
        let worker = Arc::new(Worker::new(Arc::clone(bridge), name, WorkerOptions::default()));
        let stop = CancellationToken::new();
        let (stopped, running, kept) = (stop.clone(), Arc::clone(&worker), Arc::clone(bridge));
        let task = tokio::spawn(async move {
            if is_alone {
                // What the process before this one was working on when it ended.
                running.release().await;
            }
            let keep = keep_connections(Arc::clone(&kept), stopped.clone());
            let count = count_up(Arc::clone(&kept), stopped.clone());
            let retain = retain(Arc::clone(&kept), stopped.clone());
            let poll = poll(Arc::clone(&kept), stopped.clone());
            let sweep = sweep(kept, stopped.clone());
            tokio::join!(running.run(stopped), keep, poll, sweep, retain, count);
        });
        Self { worker, task, stop }
    }

    /// Finishes the events in flight, and gives back those that take too long.
    async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(PATIENCE, &mut self.task).await.is_err() {
            tracing::warn!("events in flight did not end in time: they are worked on again");
            self.task.abort();
            // The turns end with their task; one that still got through finds its lease lost.
            let _ = self.task.await;
            self.worker.release().await;
        }
    }
}

/// Says which secrets are due to be renewed, and begins to count the age of those that are new.
async fn warn_of_old(bridge: &Bridge) {
    match bridge.secret_ages().await {
        Ok(ages) => ages.iter().filter(|age| age.is_due).for_each(|age| {
            tracing::warn!(
                secret = age.reference,
                age.days = age.age_days,
                "a secret is older than 90 days: renew it"
            );
        }),
        Err(error) => tracing::warn!("how old the secrets are cannot be told: {error}"),
    }
}

/// What keeps a second process from serving the same file.
fn lock(role: Role, url: &StoreUrl) -> Result<Option<ServeLock>, Failure> {
    match url {
        StoreUrl::Sqlite(path) if role == Role::All => {
            ServeLock::take(path).map(Some).map_err(Failure::failed)
        }
        StoreUrl::Sqlite(_) => {
            Err(Failure::configuration("one process serves a store on SQLite, in all roles")
                .hint("set store.url to a PostgreSQL database, or leave --role out"))
        }
        StoreUrl::Postgres(_) => Ok(None),
    }
}

/// What leases are noted under: one name where one process serves a store, so that the next one knows them.
fn worker_name(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Sqlite(_) => "worker".into(),
        StoreUrl::Postgres(_) => format!("worker {}", uuid::Uuid::now_v7()),
    }
}

/// What to do where the keys are not those that sealed the store.
const OTHER_KEY: &str = "crypto.keys must hold every key the store was sealed with, the active one first; restore it from \
    where you keep its copy";

/// The keys of the configuration; without one nothing is stored.
pub(super) fn keyring(config: &Config) -> Result<Arc<Keyring>, Failure> {
    let keyring = config.crypto.keyring().map_err(|wrong| {
        Failure::configuration(format!("crypto.keys: {wrong}")).hint(
            "export CASEBRIDGE_KEY=\"$(casebridge secrets new key)\" and write \
             `keys = [{ id = \"k1\", secret = { env = \"CASEBRIDGE_KEY\" } }]` under [crypto]; keep a copy of the key: \
             without it nothing that is stored can be read",
        )
    })?;
    Ok(Arc::new(keyring))
}

/// The configured store.
pub(super) async fn open_store(
    config: &Config,
    keyring: &Arc<Keyring>,
    clock: &SharedClock,
) -> Result<SharedStore, Failure> {
    match &config.store.url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(open_sqlite(path, keyring, clock)?)),
        StoreUrl::Postgres(url) => Ok(Arc::new(open_postgres(url, config, keyring).await?)),
    }
}

pub(super) fn open_sqlite(
    path: &Path,
    keyring: &Arc<Keyring>,
    clock: &SharedClock,
) -> Result<SqliteStore, Failure> {
    SqliteStore::open(path, Arc::clone(keyring), Arc::clone(clock)).map_err(|error| match error {
        CannotOpenStore::File { .. } => {
            Failure::failed(error.to_string()).hint("see store.url; the directory must exist and be writable")
        }
        CannotOpenStore::Sealed(_) => Failure::configuration(error.to_string()).hint(OTHER_KEY),
        CannotOpenStore::TooNew { .. } => Failure::failed(error.to_string()),
    })
}

pub(super) async fn open_postgres(
    url: &Secret,
    config: &Config,
    keyring: &Arc<Keyring>,
) -> Result<PostgresStore, Failure> {
    let options = PostgresOptions {
        pool: config.store.pool,
        acquire_timeout: config.store.acquire_timeout.unsigned_abs(),
        connect_timeout: config.store.connect_timeout.unsigned_abs(),
    };
    let store = PostgresStore::open(url.reveal(), options, Arc::clone(keyring), TimeSource::Database).await;
    store.map_err(|error| match error {
        CannotOpenPostgres::Url(_) => Failure::configuration(error.to_string())
            .hint("write it as postgres://user:password@host:5432/database"),
        CannotOpenPostgres::Database(_) => Failure::try_again(error.to_string()).hint(
            "see store.url; the database must exist, and its user must be allowed to create tables in it",
        ),
        CannotOpenPostgres::Sealed(_) => Failure::configuration(error.to_string()).hint(OTHER_KEY),
        CannotOpenPostgres::TooNew { .. } => Failure::failed(error.to_string()),
    })
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
