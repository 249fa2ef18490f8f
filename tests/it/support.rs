//! A bridge in this process: the real receiver over HTTP, the real store on a fresh file, and the real worker stepped
//! by hand. No test sleeps: [`TestBridge::settle`] runs until nothing is left to do, and time is a clock that is moved.

mod configuration;
mod log;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use casebridge::bridge::{Bridge, Worker, WorkerOptions};
use casebridge::clock::{ManualClock, SharedClock};
use casebridge::config::{self, Config};
use casebridge::crypto::Keyring;
use casebridge::domain::EventState;
use casebridge::http::{self, Listener, Readiness, Shared};
use casebridge::store::{EventFilter, EventRow, EventStory, SharedStore};
use casebridge::twin::{CasePeer, HighLevel, Twin, TwinConfig};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use self::configuration::configuration_text_by_profile;
pub use self::configuration::{CasePeerLines, SYNC, SecretFiles, Vendors, configuration_text};
pub use self::log::Log;
use crate::crash::gate::Gate;
use crate::store::PostgresDatabase;

/// The moment every test begins at.
pub const START: &str = "2026-11-24T12:00:00Z";

/// In a configuration, keeps the bridge's events in PostgreSQL, whatever other tests do.
pub const ON_POSTGRES: &str = "# Kept in PostgreSQL.\n";

/// What the worker of a test is called.
pub const WORKER: &str = "test";

/// A bridge without vendors of its own.
pub struct Installation {
    pub bridge: Arc<Bridge>,
    pub store: SharedStore,
    pub clock: Arc<ManualClock>,
    pub url: String,
    pub admin_url: String,
    pub readiness: Readiness,
    config: Config,
    keyring: Arc<Keyring>,
    worker: Worker,
    directory: TempDir,
    _database: Option<PostgresDatabase>,
}

impl Installation {
    /// Starts a bridge for one firm, `acme`, with these `[firms.sync]` settings.
    pub fn start(vendors: &Vendors<'_>, sync: &str, clock: Arc<ManualClock>) -> Self {
        Self::edited(vendors, sync, clock, |text, _| text)
    }

    /// The same with these lines of `[firms.casepeer]`: profile, address, credential.
    pub fn start_by_profile(
        vendors: &Vendors<'_>,
        casepeer: &CasePeerLines<'_>,
        sync: &str,
        clock: Arc<ManualClock>,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let text = configuration_text_by_profile(directory.path(), vendors, casepeer, sync);
        Self::by_text(directory, &text, clock)
    }

    /// The same with another configuration file than the usual one, which is given with the directory for secrets.
    pub fn edited(
        vendors: &Vendors<'_>,
        sync: &str,
        clock: Arc<ManualClock>,
        edit: impl FnOnce(String, &Path) -> String,
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let text = edit(configuration_text(directory.path(), vendors, sync), directory.path());
        Self::by_text(directory, &text, clock)
    }

    fn by_text(directory: TempDir, text: &str, clock: Arc<ManualClock>) -> Self {
        std::fs::write(directory.path().join("casebridge.toml"), text).unwrap();
        let config = config::parse("test.toml", text, &Vec::new()).unwrap();
        let shared_clock: SharedClock = clock.clone();
        let keyring = Arc::new(config.crypto.keyring().unwrap());
        let path = directory.path().join("bridge.db");
        let is_postgres = text.contains(ON_POSTGRES);
        let (store, database) = crate::store::open_chosen(&path, &keyring, &clock, is_postgres);
        let bridge = Arc::new(Bridge::new(&config, store.clone(), keyring.clone(), shared_clock).unwrap());
        let readiness = Readiness::default();
        let shared = Arc::new(Shared::new(bridge.clone(), readiness.clone(), None));
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let public =
            Listener::serve(Listener::bind(anywhere).unwrap(), http::public(shared.clone())).unwrap();
        let admin = Listener::serve(Listener::bind(anywhere).unwrap(), http::admin(shared)).unwrap();
        readiness.ready();
        let worker = Worker::new(bridge.clone(), WORKER, WorkerOptions::default());
        let (url, admin_url) =
            (format!("http://{}", public.address()), format!("http://{}", admin.address()));
        Self {
            bridge,
            store,
            clock,
            url,
            admin_url,
            readiness,
            config,
            keyring,
            worker,
            directory,
            _database: database,
        }
    }

    /// Lets the worker take every turn that is due; how many those were.
    pub async fn step(&self) -> usize {
        self.worker.step().await.unwrap()
    }

    /// Another worker over this store, with a bridge of its own as in another process.
    pub fn another_worker(&self, name: &str, store: SharedStore) -> Worker {
        Worker::new(self.another_bridge(store), name, WorkerOptions::default())
    }

    /// Another bridge over this store, as in another process.
    pub fn another_bridge(&self, store: SharedStore) -> Arc<Bridge> {
        let bridge = Bridge::new(&self.config, store, self.keyring.clone(), self.clock.clone());
        Arc::new(bridge.unwrap())
    }

    /// Whoever watches over this bridge.
    pub fn watch(&self) -> casebridge::bridge::Watchman {
        casebridge::bridge::Watchman::new(&self.config, Arc::clone(&self.bridge))
    }

    /// The public routes of this bridge, without a port.
    pub fn public_router(&self) -> axum::Router {
        http::public(Arc::new(Shared::new(self.bridge.clone(), self.readiness.clone(), None)))
    }

    /// What a program does that starts again after it broke off.
    pub async fn restart(&self) {
        self.worker.release().await;
    }

    /// Every event, the oldest first.
    pub async fn events(&self) -> Vec<EventRow> {
        let mut rows =
            self.store.events(EventFilter { limit: 100_000, ..EventFilter::default() }).await.unwrap();
        rows.reverse();
        rows
    }

    /// The newest event's story.
    pub async fn last_story(&self) -> EventStory {
        let newest = self.events().await.pop().expect("an event was received");
        self.store.event(newest.id).await.unwrap().unwrap()
    }

    /// Every event's story as text, for a failing test's message.
    pub async fn tell(&self) -> String {
        let mut text = String::new();
        for row in self.events().await {
            let story = self.store.event(row.id).await.unwrap().unwrap();
            text.push_str(&format!("{} {} {} {:?}\n", row.source, row.kind, row.state, row.reason));
            text.push_str(&format!("    about {:?}\n", story.records));
            for planned in story.plan.iter().flat_map(|plan| &plan.commands) {
                text.push_str(&format!("    plan {} ({})\n", planned.command, planned.reason));
            }
            for call in &story.calls {
                text.push_str(&format!("    {} {:?} {:?}\n", call.target, call.status, call.detail));
            }
        }
        text
    }

    /// How many events are in this state.
    pub async fn count(&self, state: EventState) -> u64 {
        self.store.counts().await.unwrap().of(state)
    }

    /// Fails if an event is neither settled well nor waiting for its time.
    pub async fn assert_nothing_undelivered(&self) {
        let bad: Vec<_> =
            self.events().await.into_iter().filter(|row| row.state == EventState::Undelivered).collect();
        assert!(bad.is_empty(), "{bad:#?}");
    }

    /// Its database, for tests that look at it from outside; none on PostgreSQL.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let path = self.directory.path().join("bridge.db");
        path.exists().then_some(path)
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// A clock that stands at [`START`].
pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START.parse::<Timestamp>().unwrap()))
}

/// A bridge between the two halves of a twin.
pub struct TestBridge {
    pub highlevel: HighLevel,
    pub casepeer: CasePeer,
    pub installation: Installation,
    twin: Twin,
    secrets: (String, String),
}

/// A bridge whose requests pass a door.
pub struct Gated {
    pub bridge: TestBridge,
    pub highlevel: Gate,
    pub casepeer: Gate,
}

/// Both vendors, without rate limits, with their secrets: the inbound token and the one webhooks are signed with.
async fn vendors() -> (Arc<ManualClock>, Twin, (String, String)) {
    let clock = clock();
    let config = TwinConfig { unlimited: true, ..TwinConfig::new(clock.clone()) };
    let secrets = (config.inbound_token.clone(), config.webhook_secret.clone());
    (clock, Twin::start(config).await.unwrap(), secrets)
}

impl TestBridge {
    /// With the settings most tests share.
    pub async fn start() -> Self {
        Self::with(SYNC).await
    }

    /// With these `[firms.sync]` settings.
    pub async fn with(sync: &str) -> Self {
        let (clock, twin, secrets) = vendors().await;
        let (highlevel, casepeer) = (twin.highlevel.url(), twin.casepeer.url());
        Self::between(twin, clock, &secrets, sync, (&highlevel, &casepeer), |text, _| text)
    }

    /// With another configuration file than the usual one.
    pub async fn edited(edit: impl FnOnce(String, &Path) -> String) -> Self {
        let (clock, twin, secrets) = vendors().await;
        let (highlevel, casepeer) = (twin.highlevel.url(), twin.casepeer.url());
        Self::between(twin, clock, &secrets, SYNC, (&highlevel, &casepeer), edit)
    }

    /// Whose CASEpeer side is a pair of Zaps.
    pub async fn zapier() -> Self {
        let (clock, twin, secrets) = vendors().await;
        let (highlevel, casepeer) = (twin.highlevel.url(), twin.casepeer.url());
        let directory = TempDir::new().unwrap();
        let hook = directory.path().join("hook");
        std::fs::write(&hook, twin.casepeer.zap_url()).unwrap();
        // What stands before the first section belongs to `[firms.casepeer]`.
        let hooks = format!("hooks = {{ \"lead.create\" = {{ file = {:?} }} }}", hook.display().to_string());
        let sync = format!("profile = \"zapier\"\n{hooks}\n{SYNC}");
        Self::between(twin, clock, &secrets, &sync, (&highlevel, &casepeer), |text, _| text)
    }

    /// The secret of the firm's webhooks.
    pub fn webhook_secret(&self) -> &str {
        &self.secrets.1
    }

    /// The token in the address of the firm's webhooks.
    pub fn inbound_token(&self) -> &str {
        &self.secrets.0
    }

    /// With a door before each vendor.
    pub async fn gated() -> Gated {
        let (clock, twin, secrets) = vendors().await;
        let (highlevel, casepeer) =
            (Gate::to(&twin.highlevel.url()).await, Gate::to(&twin.casepeer.url()).await);
        let bridge =
            Self::between(twin, clock, &secrets, SYNC, (&highlevel.url, &casepeer.url), |text, _| text);
        Gated { bridge, highlevel, casepeer }
    }

    fn between(
        twin: Twin,
        clock: Arc<ManualClock>,
        secrets: &(String, String),
        sync: &str,
        urls: (&str, &str),
        edit: impl FnOnce(String, &Path) -> String,
    ) -> Self {
        let vendors = Vendors {
            highlevel_url: urls.0,
            highlevel_key: &twin.highlevel.public_key(),
            location: twin.highlevel.location(),
            highlevel_token: "twin-token",
            casepeer_url: urls.1,
            casepeer_token: "twin-token",
            inbound_token: &secrets.0,
            webhook_secret: &secrets.1,
        };
        let installation = Installation::edited(&vendors, sync, clock, edit);
        twin.set_bridge(&installation.url);
        let secrets = secrets.clone();
        Self {
            highlevel: twin.highlevel.clone(),
            casepeer: twin.casepeer.clone(),
            installation,
            twin,
            secrets,
        }
    }

    /// Delivers every webhook and takes every turn that is due, until neither is left.
    pub async fn settle(&self) {
        // Far above any real chain of events and echoes: a loop fails the test instead of hanging it.
        for _ in 0..200 {
            self.twin.flush().await;
            if self.installation.step().await == 0 {
                return;
            }
        }
        panic!("events and echoes do not come to an end");
    }

    /// Moves the clock and settles what is due by then.
    pub async fn wait(&self, span: SignedDuration) {
        self.installation.clock.advance(span);
        self.settle().await;
    }

    /// Delivers every webhook without taking a turn.
    pub async fn deliver(&self) {
        self.twin.flush().await;
    }

    /// Successful API writes on both sides: what the bridge did.
    pub fn writes(&self) -> usize {
        self.highlevel.writes() + self.casepeer.writes()
    }
}

/// The program beside the bridge, on its database; nothing where that is no file.
pub fn casebridge(bridge: &TestBridge, arguments: &[&str]) -> Option<(i32, String, String)> {
    let database = bridge.installation.sqlite_file()?;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(arguments)
        .arg("--config")
        .arg(bridge.installation.directory().join("casebridge.toml"))
        .env("CASEBRIDGE_STORE__URL", format!("sqlite://{}", database.display()))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Some((output.status.code().unwrap(), text(output.stdout), text(output.stderr)))
}
