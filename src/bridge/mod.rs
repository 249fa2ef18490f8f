//! The flow: receive → claim → prepare → plan → act → settle.
//!
//! `receive` ends with a commit and nothing else; a `worker` claims what is due, one event of a person at a time, and
//! takes each through the rest. Everything that is decided is decided in [`crate::plan`].

mod act;
mod breaker;
mod firms;
mod prepare;
mod process;
mod receive;
mod replay;
mod review;
mod session;
mod settle;
mod worker;

use std::sync::Arc;

use tokio::sync::Notify;

pub use firms::{Firm, Firms};
pub use receive::{Refused, WorkflowHeaders};
pub use replay::{NoPreview, Preview, Step, Would};
pub use review::{CannotResolve, resolve};
pub use worker::{Worker, WorkerOptions};

use crate::clock::SharedClock;
use crate::config::Config;
use crate::crypto::Keyring;
use crate::store::SharedStore;
use crate::webhook::highlevel::Keys;

/// Everything the flow needs.
pub struct Bridge {
    /// Where events are kept.
    pub store: SharedStore,
    /// The firms.
    pub firms: Firms,
    /// The time.
    pub clock: SharedClock,
    keyring: Arc<Keyring>,
    highlevel_keys: Keys,
    highlevel_app: Option<String>,
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
        Ok(Self {
            store,
            firms: Firms::new(config, &clock)?,
            clock,
            keyring,
            highlevel_keys: config.highlevel.keys().map_err(|wrong| wrong.to_string())?,
            highlevel_app: config.highlevel.app_id().map(str::to_owned),
            wake: Notify::new(),
        })
    }

    /// Tells the worker to look for due events now rather than at its next poll.
    pub fn ring(&self) {
        self.wake.notify_one();
    }
}
