//! The twin: a stateful HighLevel and a stateful CASEpeer, each on a port of its own.
//!
//! It stands in for both vendors in the demo, in rehearsals and in tests. It answers their APIs as strictly as they
//! do, sends their signed webhooks for every change (those its own API made included), counts every effect in a
//! ledger, and misbehaves when a fault is scripted. It knows nothing of the bridge but the address of its webhooks.
//!
//! The cast: [`HighLevel`] and [`CasePeer`] are the handles on the two vendors; `server` puts faults around their
//! operations; `outbox` sends webhooks; `ledger` remembers effects. A vendor's state is behind one mutex that is
//! never held across an await: an operation is a plain function of state and request.

mod call;
pub mod casepeer;
mod delivery;
mod faults;
pub mod highlevel;
mod ids;
mod ledger;
mod outbox;
mod server;
mod table;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::casepeer::jsonapi::Dialect;
use self::casepeer::zap::Hooks;
pub use self::casepeer::{CasePeer, NewCase, NewLead, NewNote};
pub use self::delivery::Delivery;
use self::delivery::{Signer, Target};
pub use self::faults::{Fault, Misbehaviour};
pub use self::highlevel::{HighLevel, NewContact};
use self::ids::Ids;
use self::ledger::Ledger;
pub use self::ledger::{Effect, MadeBy, Vendor};
use self::outbox::Outbox;
use self::server::Common;
use crate::clock::SharedClock;
use crate::webhook::highlevel::sign::SigningKey;

/// The location a twin simulates unless told otherwise.
pub const DEFAULT_LOCATION: &str = "twinLocation00000001";
/// A client that keeps its connection open must not keep the twin from stopping.
const STOP_PATIENCE: Duration = Duration::from_millis(500);

/// What a twin is started with.
#[derive(Debug, Clone)]
pub struct TwinConfig {
    /// Where HighLevel listens; port 0 takes any free one.
    pub highlevel: SocketAddr,
    /// Where CASEpeer listens; port 0 takes any free one.
    pub casepeer: SocketAddr,
    /// Where CASEpeer's JSON:API dialect listens; port 0 takes any free one.
    pub jsonapi: SocketAddr,
    /// Where the Zapier-like hooks listen; port 0 takes any free one.
    pub hooks: SocketAddr,
    /// The base URL of the bridge's public listener; webhooks are only recorded until it is known.
    pub bridge: Option<String>,
    /// The id of HighLevel's one location.
    pub location: String,
    /// The token in the path of the bridge's CASEpeer webhooks.
    pub inbound_token: String,
    /// What CASEpeer's webhooks are signed with.
    pub webhook_secret: String,
    /// Makes ids and the signing key; the same seed makes the same ones.
    pub seed: u64,
    /// Without HighLevel's rate limits.
    pub unlimited: bool,
    /// The time both vendors go by.
    pub clock: SharedClock,
}

impl TwinConfig {
    /// On free loopback ports, without a bridge, with HighLevel's limits.
    pub fn new(clock: SharedClock) -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            highlevel: anywhere,
            casepeer: anywhere,
            jsonapi: anywhere,
            hooks: anywhere,
            bridge: None,
            location: DEFAULT_LOCATION.to_owned(),
            inbound_token: "twin-inbound".to_owned(),
            webhook_secret: "twin-webhook-secret".to_owned(),
            seed: 1,
            unlimited: false,
            clock,
        }
    }
}

/// Two running vendors.
#[derive(Debug)]
pub struct Twin {
    /// The marketing CRM.
    pub highlevel: HighLevel,
    /// The case management.
    pub casepeer: CasePeer,
    inbound_token: String,
    webhook_secret: String,
    stop: CancellationToken,
    servers: Mutex<Vec<JoinHandle<()>>>,
}

impl Twin {
    /// Starts both vendors.
    ///
    /// # Errors
    /// When a port cannot be had, or no HTTP client can be made for the webhooks.
    pub async fn start(config: TwinConfig) -> io::Result<Self> {
        let highlevel_listener = TcpListener::bind(config.highlevel).await?;
        let casepeer_listener = TcpListener::bind(config.casepeer).await?;
        let jsonapi_listener = TcpListener::bind(config.jsonapi).await?;
        let hooks_listener = TcpListener::bind(config.hooks).await?;
        let jsonapi_url = format!("http://{}/api/2", jsonapi_listener.local_addr()?);
        let hooks_url = format!("http://{}/hooks", hooks_listener.local_addr()?);
        let highlevel_url = format!("http://{}", highlevel_listener.local_addr()?);
        let casepeer_url = format!("http://{}/api/v1", casepeer_listener.local_addr()?);

        let stop = CancellationToken::new();
        let ledger = Arc::new(Ledger::default());
        let common = |signer| -> io::Result<Common> {
            let faults = Arc::default();
            let outbox = Outbox::start(signer, config.clock.clone(), Arc::clone(&faults), stop.clone())?;
            Ok(Common {
                clock: config.clock.clone(),
                ledger: Arc::clone(&ledger),
                outbox,
                faults,
                is_down: false.into(),
                echoes_first: false.into(),
                calls: 0.into(),
            })
        };
        let key = SigningKey::from_seed(&Ids::new(config.seed, "signing key").key());
        let public_key = key.public_key();
        let casepeer =
            Arc::new(casepeer::Vendor::new(common(Signer::CasePeer)?, Ids::new(config.seed, "casepeer")));
        let highlevel = Arc::new(highlevel::Vendor::new(
            common(Signer::HighLevel(key))?,
            &config.location,
            public_key,
            Ids::new(config.seed, "highlevel"),
            config.unlimited,
            casepeer.clone(),
        ));
        let servers = vec![
            tokio::spawn(server::serve(Arc::clone(&highlevel), highlevel_listener, stop.clone())),
            tokio::spawn(server::serve(Arc::clone(&casepeer), casepeer_listener, stop.clone())),
            tokio::spawn(server::serve(
                Arc::new(Dialect(Arc::clone(&casepeer))),
                jsonapi_listener,
                stop.clone(),
            )),
            tokio::spawn(server::serve(Arc::new(Hooks(Arc::clone(&casepeer))), hooks_listener, stop.clone())),
        ];
        let twin = Self {
            highlevel: HighLevel { vendor: highlevel, url: highlevel_url },
            casepeer: CasePeer { vendor: casepeer, url: casepeer_url, jsonapi_url, hooks_url },
            inbound_token: config.inbound_token,
            webhook_secret: config.webhook_secret,
            stop,
            servers: Mutex::new(servers),
        };
        if let Some(bridge) = &config.bridge {
            twin.set_bridge(bridge);
        }
        Ok(twin)
    }

    /// Sends webhooks to the bridge whose public listener this is.
    pub fn set_bridge(&self, url: &str) {
        self.set_bridge_by(url, &self.inbound_token, &self.webhook_secret);
    }

    /// The same, with another token in CASEpeer's address and another secret to sign with.
    pub fn set_bridge_by(&self, url: &str, inbound_token: &str, webhook_secret: &str) {
        let base = url.trim_end_matches('/');
        let target = |url: String, secret: &str| Target {
            id: casepeer::BRIDGE.to_owned(),
            url,
            secret: secret.to_owned(),
            events: Vec::new(),
        };
        let outbox = |common: &Common| common.outbox.clone();
        outbox(&self.highlevel.vendor.common).set_target(target(format!("{base}/webhooks/highlevel"), ""));
        outbox(&self.casepeer.vendor.common)
            .set_target(target(format!("{base}/webhooks/casepeer/{inbound_token}"), webhook_secret));
    }

    /// Resolves when every queued webhook was sent and answered; held and late ones do not count.
    pub async fn flush(&self) {
        self.highlevel.vendor.common.outbox.flush().await;
        self.casepeer.vendor.common.outbox.flush().await;
    }

    /// Ends both vendors; webhooks that wait are not sent.
    pub async fn stop(&self) {
        self.stop.cancel();
        let servers = std::mem::take(&mut *self.servers.lock().unwrap_or_else(PoisonError::into_inner));
        for mut server in servers {
            if tokio::time::timeout(STOP_PATIENCE, &mut server).await.is_err() {
                server.abort();
            }
        }
    }
}
