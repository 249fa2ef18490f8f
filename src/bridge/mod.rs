//! The flow: receive → claim → prepare → plan → act → settle.
//!
//! `receive` ends with a commit and nothing else; a `worker` claims what is due, one event of a person at a time, and
//! takes each through the rest. Everything that is decided is decided in [`crate::plan`].

mod act;
mod automations;
mod backfill;
mod breaker;
mod confirm;
mod connections;
mod firms;
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
mod what_if;
mod worker;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

pub use automations::{NotSaved, Tried, TriedStep, save_rule, saved_rules};
pub use backfill::{BACKFILL_PAUSE, BackfillOptions, BackfillReport, Example, Expected, Watch};
pub use connections::{Begun, Connected, Connections, LINK_LIFE, NotConnected, Return};
pub use firms::{Firm, Firms, casepeer_client};
pub use people::{CannotLink, link};
pub use receive::{CasePeerSender, Refused};
pub use reconcile::{GapReport, KindReport, NoSweep, SweepOptions, SweepReport};
pub use replay::{NoPreview, Preview, Step, Would};
pub use retention::{RETAIN_EVERY, Retained};
pub use review::{CannotResolve, resolve};
pub use secrets::{RENEW_AFTER, SecretAge, SecretInUse};
pub use what_if::Difference;
pub use worker::{Worker, WorkerOptions};

use crate::clock::SharedClock;
use crate::config::{Config, ReconcileConfig, RetentionConfig};
use crate::crypto::Keyring;
use crate::store::SharedStore;
use crate::vendors::OwnAddress;
use crate::vendors::highlevel::OAuthClient;
use crate::webhook::highlevel::Keys;

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
    keyring: Arc<Keyring>,
    highlevel_keys: Keys,
    highlevel_app: Option<String>,
    connections: Arc<Connections>,
    reconcile: ReconcileConfig,
    automations: automations::Automations,
    retention: RetentionConfig,
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
        Ok(Self {
            firms: Firms::new(config, &http, &connections)?,
            store,
            clock,
            secrets: RwLock::new(SecretInUse::all(config, &keyring).into()),
            keyring,
            highlevel_keys: config.highlevel.keys().map_err(|wrong| wrong.to_string())?,
            highlevel_app: config.highlevel.app_id().map(str::to_owned),
            connections,
            reconcile: config.reconcile,
            automations: automations::Automations::default(),
            retention: config.retention,
            wake: Notify::new(),
        })
    }

    /// Works by another configuration from now on: its profiles, value maps and rules. The firms must be the same.
    pub fn reload(&self, config: &Config) -> Result<(), String> {
        let http = firms::client(config, &self.clock);
        self.firms.replace(config, &http, &self.connections)?;
        let secrets = SecretInUse::all(config, &self.keyring);
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = secrets.into();
        // What waits may be worked on now.
        self.ring();
        Ok(())
    }

    /// Reads the rules anew if somebody changed one, in this process or another.
    pub async fn refresh_rules(&self) -> Result<(), crate::store::StoreError> {
        self.automations.refresh(&self.store).await
    }

    /// Tells the worker to look for due events now rather than at its next poll.
    pub fn ring(&self) {
        self.wake.notify_one();
    }
}
