//! The configuration: defaults < `casebridge.toml` < environment. One file a section; every error names the key, the
//! line and the fix. Secrets stand in it by reference only.

mod accepted;
mod casepeer_auth;
mod client_tls;
mod crypto;
mod firm;
mod highlevel;
mod hooks;
mod mail;
mod notifications;
mod reconcile;
mod reload;
mod retention;
mod secret;
mod secrets;
mod server;
mod source;
mod store;
mod telemetry;

use std::collections::BTreeSet;

use serde::Deserialize;

pub use accepted::Accepted;
pub use casepeer_auth::{CasePeerAuth, KeyPlace, OAuthSettings};
pub use client_tls::ClientTlsConfig;
pub use crypto::{CryptoConfig, KeyConfig};
pub use firm::{CasePeerConfig, FirmConfig, HighLevelFirmConfig, WorkflowHeader};
pub use highlevel::HighLevelConfig;
pub use hooks::HooksConfig;
pub use mail::{MailConfig, MailEncryption};
pub use notifications::{
    EmailConfig, NotificationsConfig, QuietHours, SignedWebhookConfig, SlackConfig, Zone,
};
pub use reconcile::ReconcileConfig;
pub use reload::{Loaded, Reloaded};
pub use retention::RetentionConfig;
pub use secret::{Secret, SecretKey};
pub use secrets::NamedSecret;
pub use server::{ServerConfig, TlsConfig};
pub use source::{ConfigError, Environment, check_url, line_of, load, parse};
pub use store::{StoreConfig, StoreUrl};
pub use telemetry::TelemetryConfig;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listeners.
    #[serde(default)]
    pub server: ServerConfig,
    /// Where events are kept.
    #[serde(default)]
    pub store: StoreConfig,
    /// Keys that seal what is kept.
    #[serde(default)]
    pub crypto: CryptoConfig,
    /// HighLevel, for all firms.
    #[serde(default)]
    pub highlevel: HighLevelConfig,
    /// Looking for missed webhooks.
    #[serde(default)]
    pub reconcile: ReconcileConfig,
    /// How long what is stored is kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// Where hooks may deliver.
    #[serde(default)]
    pub hooks: HooksConfig,
    /// Whom to tell when something needs a person.
    #[serde(default)]
    pub notifications: NotificationsConfig,
    /// Where spans go.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// The firms.
    #[serde(default)]
    pub firms: Vec<FirmConfig>,
}

impl Config {
    /// The address of every service it names: requests go to their hosts only.
    pub fn outbound(&self) -> Vec<String> {
        let firms = self.firms.iter().flat_map(|firm| firm.casepeer.outbound());
        std::iter::once(self.highlevel.base_url.clone())
            .chain(firms)
            .chain(self.hooks.allowed.iter().cloned())
            .chain(self.notifications.outbound())
            .chain(self.telemetry.otlp_endpoint.clone())
            .collect()
    }

    /// Checks what one value alone cannot show. Each finding names its key.
    fn check(&self) -> Result<(), (String, String)> {
        self.server.check().map_err(|why| ("server".to_owned(), why))?;
        self.store.check().map_err(|(key, why)| (format!("store.{key}"), why))?;
        self.crypto.check().map_err(|why| ("crypto.keys".to_owned(), why))?;
        self.highlevel.check().map_err(|(key, why)| (format!("highlevel.{key}"), why))?;
        self.reconcile.check().map_err(|(key, why)| (format!("reconcile.{key}"), why))?;
        self.retention.check().map_err(|(key, why)| (format!("retention.{key}"), why))?;
        self.notifications.check().map_err(|(key, why)| (format!("notifications.{key}"), why))?;
        self.telemetry.check().map_err(|(key, why)| (format!("telemetry.{key}"), why))?;
        self.check_ends()?;
        let mut ids = BTreeSet::new();
        let mut locations = BTreeSet::new();
        let mut tokens = BTreeSet::new();
        for (index, firm) in self.firms.iter().enumerate() {
            let key = |rest: &str| format!("firms.{index}.{rest}");
            firm.check().map_err(|(rest, why)| (key(&rest), why))?;
            if !ids.insert(&firm.id) {
                return Err((key("id"), format!("two firms are called `{}`", firm.id)));
            }
            let location = &firm.highlevel.location_id;
            if !locations.insert(location) {
                return Err((
                    key("highlevel.location_id"),
                    format!("two firms have the location `{location}`"),
                ));
            }
            let inbound = [
                ("casepeer.inbound_token", Some(&firm.casepeer.inbound_token)),
                ("highlevel.workflow_token", firm.highlevel.workflow_token.as_ref()),
            ];
            for (rest, token) in inbound {
                let mut all = token.into_iter().flat_map(Accepted::iter);
                if !all.all(|token| tokens.insert(token.reveal().to_owned())) {
                    return Err((
                        key(rest),
                        "the same token names two webhook URLs; make each unguessable".into(),
                    ));
                }
            }
        }
        self.check_oauth()
    }

    /// What connecting a firm in the browser needs besides the firm's own setting.
    fn check_oauth(&self) -> Result<(), (String, String)> {
        let by_browser = |firm: &FirmConfig| firm.casepeer.auth.is_by_browser();
        if let Some(index) =
            self.firms.iter().position(by_browser).filter(|_| self.server.public_url.is_none())
        {
            let why = "a person connects the account in the browser, which needs `server.public_url`";
            return Err((format!("firms.{index}.casepeer.auth"), why.into()));
        }
        let Some(index) = self.firms.iter().position(|firm| firm.highlevel.oauth) else { return Ok(()) };
        let needed = [
            ("highlevel.client_id", self.highlevel.client_id.is_some()),
            ("highlevel.client_secret", self.highlevel.client_secret.is_some()),
            ("server.public_url", self.server.public_url.is_some()),
        ];
        match needed.iter().find(|(_, is_set)| !is_set) {
            None => Ok(()),
            Some((key, _)) => Err((
                format!("firms.{index}.highlevel.oauth"),
                format!("a firm is connected through the Marketplace app, which needs `{key}`"),
            )),
        }
    }
}

#[cfg(test)]
mod tests;
