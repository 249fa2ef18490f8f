//! `[auth]`: how the vendor gives out credentials. What a firm's own is stands in its configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::Period;

/// What a profile says of a vendor's authorisation. A firm's configuration may say otherwise, key by key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The kind of credential that the vendor takes; a firm's configuration names the same.
    pub kind: Option<String>,
    /// Where a person allows access.
    pub authorize_url: Option<String>,
    /// Where tokens are given out.
    pub token_url: Option<String>,
    /// What is asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Further parameters of the address where a person allows access.
    #[serde(default)]
    pub extra_params: BTreeMap<String, String>,
    /// Proof key for code exchange (RFC 7636); `S256` or none.
    pub pkce: Option<Pkce>,
    /// The form of a token request's body.
    #[serde(default)]
    pub token_body: TokenBody,
    /// How the client proves itself at the token endpoint.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whether every refresh gives a new refresh token and ends the old one.
    #[serde(default = "yes")]
    pub refresh_rotates: bool,
    /// How long before its end a token is renewed.
    pub refresh_ahead: Option<Period>,
    /// How long a refresh token may lie unused; it is renewed at half of that.
    pub keepalive_refresh: Option<Period>,
}

fn yes() -> bool {
    true
}

/// A method of RFC 7636.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Pkce {
    /// SHA-256.
    S256,
}

/// The form of a token request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenBody {
    /// As RFC 6749 says.
    #[default]
    Form,
    /// JSON, as some vendors have it.
    Json,
}

/// How a client proves itself (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Id and secret in the body.
    #[default]
    Body,
    /// HTTP Basic.
    Basic,
}
