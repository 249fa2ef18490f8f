//! `[server]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;

/// The two listeners.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where webhooks arrive: what the load balancer forwards to.
    pub public: SocketAddr,
    /// Where people and operators look: keep it on loopback or a private network.
    pub admin: SocketAddr,
    /// The public listener's address as the outside knows it.
    pub public_url: Option<String>,
    /// What a program must show as a bearer to use the admin listener from elsewhere than loopback.
    pub admin_token: Option<Secret>,
    /// How many webhooks of one firm are taken each second, ten seconds' worth at once; the rest is asked to come again.
    /// 0 is no limit.
    pub firm_per_second: u32,
    /// What the public listener proves itself with, where no proxy before it does.
    pub tls: Option<TlsConfig>,
    /// Seconds the public listener goes on accepting after a stop was asked for, while the load balancer notices.
    pub drain_seconds: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            public: SocketAddr::from(([0, 0, 0, 0], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: None,
            admin_token: None,
            firm_per_second: 2_000,
            tls: None,
            drain_seconds: 5,
        }
    }
}

/// Certificate and key as files in PEM, which are read anew when they change.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The shortest admin token: 128 bits in base64.
const SHORTEST_TOKEN: usize = 22;

impl ServerConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        match &self.admin_token {
            None if !self.admin.ip().is_loopback() => Err(format!(
                "`admin = \"{}\"` can be reached from elsewhere, so it needs `admin_token = {{ env = \"…\" }}`; or bind it to 127.0.0.1",
                self.admin
            )),
            Some(token) if token.reveal().len() < SHORTEST_TOKEN => Err(format!(
                "`admin_token` is shorter than {SHORTEST_TOKEN} characters; make one with `casebridge secrets new token`"
            )),
            _ => self.public_url.as_deref().map_or(Ok(()), |url| {
                super::source::check_url(url).map_err(|why| format!("public_url: {why}"))
            }),
        }
    }
}
