//! `[highlevel]`.

use serde::Deserialize;

use super::Secret;
use crate::operations::highlevel::scopes;
use crate::webhook::highlevel::{Keys, PUBLISHED_KEY};

/// HighLevel, for all firms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HighLevelConfig {
    /// The API's address.
    pub base_url: String,
    /// Where a person chooses the location that a firm is connected with.
    pub authorize_url: String,
    /// The keys its webhooks may be signed with, `ed25519:<base64>`. Naming any replaces HighLevel's published key.
    pub webhook_keys: Vec<String>,
    /// Whether the RSA signature that HighLevel no longer sends is accepted too.
    pub accept_legacy_rsa: bool,
    /// The Marketplace app's client id, `<appId>-<suffix>`; with it, webhooks sent for another app are set aside.
    pub client_id: Option<String>,
    /// The Marketplace app's client secret, for firms with `oauth = true`.
    pub client_secret: Option<Secret>,
    /// The scopes that are asked for when a firm is connected.
    pub scopes: Vec<String>,
}

impl Default for HighLevelConfig {
    fn default() -> Self {
        Self {
            base_url: "https://services.leadconnectorhq.com".into(),
            authorize_url: "https://marketplace.gohighlevel.com/v2/oauth/chooselocation".into(),
            webhook_keys: vec![PUBLISHED_KEY.into()],
            accept_legacy_rsa: false,
            client_id: None,
            client_secret: None,
            scopes: scopes::DEFAULT.map(str::to_owned).into(),
        }
    }
}

impl HighLevelConfig {
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        for (key, url) in [("base_url", &self.base_url), ("authorize_url", &self.authorize_url)] {
            super::source::check_url(url).map_err(|why| (key.to_owned(), why))?;
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !is_scope(scope)) {
            let why =
                format!("`{scope}` is not a scope; list them one by one, such as \"contacts.readonly\"");
            return Err(("scopes".into(), why));
        }
        if self.webhook_keys.is_empty() {
            let why =
                "no key: no webhook could be accepted; leave the line out for HighLevel's published key";
            return Err(("webhook_keys".into(), why.into()));
        }
        self.keys().map(|_| ()).map_err(|wrong| ("webhook_keys".into(), wrong.to_string()))
    }

    /// The keys, ready for use.
    pub fn keys(&self) -> Result<Keys, crate::webhook::highlevel::InvalidKey> {
        Keys::parse(self.webhook_keys.iter().map(String::as_str), self.accept_legacy_rsa)
    }

    /// The Marketplace app's id: the part of the client id before its first `-`.
    pub fn app_id(&self) -> Option<&str> {
        self.client_id.as_deref()?.split('-').next()
    }
}

/// A word as RFC 6749 section 3.3 allows it.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}
