//! The flow: receive → claim → prepare → plan → act → settle.
//!
//! `receive` ends with a commit and nothing else; a `worker` claims what is due, one event of a person at a time, and
//! takes each through the rest. Everything that is decided is decided in [`crate::plan`].

mod access;
mod act;
mod automations;
mod backfill;
mod breaker;
mod by_hand;
mod confirm;
mod connections;
mod counting;
mod desk;
mod file;
mod firms;
mod hooks;
mod mapping;
mod pace;
mod papers;
mod people;
mod prepare;
mod process;
mod quota;
mod receive;
mod reconcile;
mod replay;
mod retention;
mod review;
mod secrets;
mod session;
mod settle;
mod tokens;
mod trial;
mod undo;
mod watch;
mod what_if;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

pub use access::{IDLE, NotSignedIn, hash_password};
pub use automations::{NotSaved, RuleRan, RuleSeen, Tried, TriedStep, save_rule, saved_rules};
pub use backfill::{BACKFILL_PAUSE, BackfillOptions, BackfillReport, Example, Expected, Watch};
pub use by_hand::{AskedCall, CallState, LONGEST_KEY, NotTaken};
pub use connections::{Begun, Connected, Connections, LINK_LIFE, NotConnected, Return};
pub use desk::NotDone;
pub use file::FileState;
pub use firms::{Firm, Firms, casepeer_client};
pub use mapping::{MappingSeen, Met, Values, WhatIf};
pub use papers::{erase_person, export_person};
pub use people::{CannotLink, link};
pub use receive::{CasePeerSender, Refused};
pub use reconcile::{GapReport, KindReport, NoSweep, SweepOptions, SweepReport};
pub use replay::{NoPreview, Preview, Step, Would};
pub use retention::{RETAIN_EVERY, Retained};
pub use review::{CannotResolve, resolve};
pub use secrets::{RENEW_AFTER, Resealing, SecretAge, SecretInUse, reseal, webhook_secret};
pub use tokens::{CannotMakeToken, HOOKS, TOKEN_START, TokenGrant, make_token};
pub use trial::{Fault, Trial, try_casepeer, try_highlevel};
pub use undo::{Undoing, Undone, undoing};
pub use watch::{Verification, WATCH_EVERY, Watchman};
pub use what_if::Difference;
pub use worker::{Worker, WorkerOptions};

use crate::clock::SharedClock;
use crate::config::{Config, ReconcileConfig, RetentionConfig};
use crate::crypto::{Keyring, random_key};
use crate::domain::FirmId;
use crate::operations::Effect;
use crate::store::SharedStore;
use crate::telemetry::Spans;
use crate::vendors::highlevel::OAuthClient;
use crate::vendors::{HttpClient, OwnAddress};
use crate::webhook::highlevel::Keys;
use crate::webhook::highlevel::sign::SigningKey;

/// Everything the flow needs.
pub struct Bridge {
    /// Where events are kept.
    pub store: SharedStore,
    /// The firms.
    pub firms: Firms,
    /// The time.
    pub clock: SharedClock,
    /// Those of the configuration in force.
    secrets: RwLock<Arc<[SecretInUse]>>,
    /// Since when secrets are known, by reference and fingerprint.
    first_seen: RwLock<HashMap<(String, [u8; 32]), jiff::Timestamp>>,
    keyring: Arc<Keyring>,
    highlevel_keys: Keys,
    highlevel_app: Option<String>,
    connections: Arc<Connections>,
    reconcile: ReconcileConfig,
    door: access::Door,
    public_url: Option<String>,
    /// How many webhooks of a firm are taken each second.
    firm_per_second: u32,
    /// The pace of locations that no firm has, all together.
    strangers: pace::Pace,
    automations: automations::Automations,
    /// By which state of the store the mappings were read last.
    mappings: Mutex<Option<u64>>,
    hooks: hooks::HookIndex,
    /// What reaches hooks' receivers; exchanged with the configuration.
    http: RwLock<HttpClient>,
    retention: RetentionConfig,
    /// Where spans go.
    pub spans: Spans,
    /// How verifying webhooks goes.
    pub verification: Verification,
    /// What the bridge's own test events are signed with; it never leaves this process.
    probe_key: SigningKey,
    /// What becomes of the bytes of what is erased.
    erased_bytes: &'static str,
    /// Whether this process seals everything anew.
    is_resealing: AtomicBool,
    /// How the configuration file stands.
    file: RwLock<FileState>,
    /// What came of trying each firm's connections last, in this process.
    trials: RwLock<BTreeMap<FirmId, Trial>>,
    /// Rung when somebody looks at the figures.
    looked_at: Notify,
    /// Rung when an event may have become due.
    wake: Notify,
}

impl Bridge {
    /// A bridge for this configuration, which has been checked.
    pub fn new(
        config: &Config,
        store: SharedStore,
        keyring: Arc<Keyring>,
        clock: SharedClock,
    ) -> Result<Self, String> {
        let http = firms::client(config, &clock);
        let own = config.server.public_url.as_deref().map(OwnAddress::new);
        let app = OAuthClient::new(http.clone(), &config.highlevel, own.as_ref())?;
        let (kept, time, keys) = (Arc::clone(&store), Arc::clone(&clock), Arc::clone(&keyring));
        let connections = Arc::new(Connections::new(app, own, kept, time, keys));
        let probe_key = SigningKey::from_seed(&random_key());
        let probes = format!("ed25519:{}", probe_key.public_key());
        let accepted = config.highlevel.webhook_keys.iter().map(String::as_str).chain([probes.as_str()]);
        let highlevel_keys =
            Keys::parse(accepted, config.highlevel.accept_legacy_rsa).map_err(|wrong| wrong.to_string())?;
        Ok(Self {
            firms: Firms::new(config, &http, &connections)?,
            store,
            clock,
            secrets: RwLock::new(SecretInUse::all(config, &keyring).into()),
            first_seen: RwLock::default(),
            keyring,
            highlevel_keys,
            spans: spans(config, &http),
            verification: Verification::default(),
            probe_key,
            highlevel_app: config.highlevel.app_id().map(str::to_owned),
            connections,
            reconcile: config.reconcile,
            door: access::Door::default(),
            public_url: config.server.public_url.clone(),
            firm_per_second: config.server.firm_per_second,
            strangers: pace::Pace::default(),
            automations: automations::Automations::default(),
            mappings: Mutex::default(),
            hooks: hooks::HookIndex::default(),
            http: RwLock::new(http),
            retention: config.retention,
            erased_bytes: papers::bytes_of(&config.store.url),
            is_resealing: AtomicBool::new(false),
            file: RwLock::default(),
            trials: RwLock::default(),
            looked_at: Notify::new(),
            wake: Notify::new(),
        })
    }

    /// Works by another configuration from now on: its profiles, value maps and rules, and firms that were
    /// added.
    pub fn reload(&self, config: &Config) -> Result<(), String> {
        let http = firms::client(config, &self.clock);
        self.firms.replace(config, &http, &self.connections)?;
        // A mapping that was settled while the firms were replaced is looked for again.
        *self.mappings.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let secrets = SecretInUse::all(config, &self.keyring);
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = secrets.into();
        *self.http.write().unwrap_or_else(PoisonError::into_inner) = http;
        // What waits may be worked on now.
        self.ring();
        Ok(())
    }

    /// The public listener's address as the outside knows it, if it is configured.
    pub fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref().map(|url| url.trim_end_matches('/'))
    }

    /// The signature of a test event of the bridge's own.
    pub fn sign_probe(&self, body: &[u8]) -> String {
        self.probe_key.sign(body)
    }

    /// Reads the mappings, the rules and the hooks anew if somebody changed one, in this process or another.
    pub async fn refresh_rules(&self) -> Result<(), crate::store::StoreError> {
        self.refresh_mappings().await?;
        self.automations.refresh(&self.store).await?;
        self.hooks.refresh(&self.store).await
    }

    /// Tells the worker to look for due events now rather than at its next poll.
    pub fn ring(&self) {
        self.wake.notify_one();
    }
}

/// The way to the configured collector.
fn spans(config: &Config, http: &HttpClient) -> Spans {
    let Some(endpoint) = &config.telemetry.otlp_endpoint else { return Spans::default() };
    let url: Arc<str> = format!("{}/v1/traces", endpoint.trim_end_matches('/')).into();
    let http = http.clone();
    Spans::start(Arc::new(move |body| {
        let (http, url) = (http.clone(), Arc::clone(&url));
        Box::pin(async move {
            let json = ("Content-Type", "application/json");
            http.deliver(&url, &[json], body, Effect::Idempotent).await.is_ok()
        })
    }))
}
