//! `[[firms]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::source::check_url;
use super::{CasePeerAuth, MailConfig, Secret, source::Problem};
use crate::operations::casepeer::{Events, Inbound, InvalidProfile, Profile, Transport};
use crate::rules::SyncRules;
use crate::webhook::casepeer::check_secret;

/// One firm: a HighLevel location paired with a CASEpeer account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirmConfig {
    /// Its short name: letters, digits and hyphens.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Its side of HighLevel.
    pub highlevel: HighLevelFirmConfig,
    /// Its side of CASEpeer.
    pub casepeer: CasePeerConfig,
    /// What is synced, and how.
    #[serde(default)]
    pub sync: SyncRules,
}

/// `[firms.highlevel]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighLevelFirmConfig {
    /// The location (sub-account).
    pub location_id: String,
    /// A private integration token of the location. Without it, `tokens` and `oauth`, one is pasted in the console.
    pub token: Option<Secret>,
    /// Several of them during a rotation: the one that is accepted is used.
    #[serde(default)]
    pub tokens: Vec<Secret>,
    /// Whether the location is connected by a person in the browser, with `casebridge firms connect`.
    #[serde(default)]
    pub oauth: bool,
    /// Names the firm in the URL that a Workflow's webhook is sent to.
    pub workflow_token: Option<Secret>,
    /// A header that the Workflow's webhook must carry besides.
    pub workflow_header: Option<WorkflowHeader>,
}

/// A secret header.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowHeader {
    /// The header's name.
    pub name: String,
    /// Its value.
    pub secret: Secret,
}

/// `[firms.casepeer]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasePeerConfig {
    /// How the account is reached.
    #[serde(default = "contract")]
    pub profile: String,
    /// The API's address; the profile's paths are appended to it. Without it, the profile's own is used.
    #[serde(default)]
    pub base_url: String,
    /// Names the firm in the URL that webhooks are sent to.
    pub inbound_token: Secret,
    /// The secrets webhooks may be signed with: all of them are live, so that a rotation loses nothing.
    pub webhook_secrets: Vec<Secret>,
    /// How webhooks are proven and answered, instead of the profile's `[inbound]`.
    pub inbound: Option<Inbound>,
    /// What webhooks mean, instead of the profile's `[events]`.
    pub events: Option<Events>,
    /// The credential.
    pub auth: CasePeerAuth,
    /// The addresses of the hooks that carry an operation, such as a Zap's, by the operation's name.
    #[serde(default)]
    pub hooks: BTreeMap<String, Secret>,
    /// The mail server, where the profile mails notes.
    pub mail: Option<MailConfig>,
}

fn contract() -> String {
    "contract-v1".into()
}

impl CasePeerConfig {
    /// The file its profile is read from, if it is not a built-in one.
    pub fn profile_file(&self) -> Option<PathBuf> {
        self.profile.ends_with(".toml").then(|| PathBuf::from(&self.profile))
    }

    /// The profile: a built-in one, or a file; with the firm's own say about webhooks.
    pub fn profile(&self) -> Result<Profile, InvalidProfile> {
        Ok(self.profile_alone()?.with(self.inbound.clone(), self.events.clone()))
    }

    fn profile_alone(&self) -> Result<Profile, InvalidProfile> {
        if !self.profile.ends_with(".toml") {
            return Profile::built_in(&self.profile);
        }
        let malformed = |error: std::io::Error| InvalidProfile::Malformed {
            name: self.profile.clone(),
            why: format!("cannot be read: {error}"),
        };
        let text = std::fs::read_to_string(&self.profile).map_err(malformed)?;
        Profile::parse(&self.profile, &text)
    }

    /// The address of every service it names, and of those its profile names in its place.
    pub(super) fn outbound(&self) -> Vec<String> {
        let mut named: Vec<String> = vec![self.base_url.clone()];
        named.extend(self.hooks.values().map(|hook| hook.reveal().to_owned()));
        if let Ok(profile) = self.profile() {
            named.push(profile.base_url().to_owned());
            let provider = self.auth.oauth().map(|own| own.over(profile.provider()));
            named.extend(provider.and_then(|provider| provider.token_url));
        }
        named.retain(|url| !url.is_empty());
        named
    }

    /// Checks what the profile needs of the firm.
    fn check(&self) -> Result<(), Problem> {
        let at = |key: &str, why: String| Err((format!("casepeer.{key}"), why));
        let profile = match self.profile() {
            Ok(profile) => profile,
            Err(wrong) => return at("profile", wrong.to_string()),
        };
        self.check_inbound(&profile)?;
        let is_used = |transport| profile.operations().any(|(_, used)| used == transport);
        let calls = profile.operations().any(|(_, used)| used.is_call());
        match self.base_url.as_str() {
            "" if profile.base_url().is_empty() && calls => {
                let why =
                    format!("missing: the profile `{}` does not know the account's address", profile.name());
                return at("base_url", why);
            }
            "" => {}
            url => check_url(url).or_else(|why| at("base_url", why))?,
        }
        for (operation, transport) in profile.operations() {
            let hook = self.hooks.get(operation);
            if transport == Transport::ZapierHook && hook.is_none() {
                let why = format!(
                    "`{operation}` goes by a hook: add `\"{operation}\" = {{ env = \"…\" }}` with its address"
                );
                return at("hooks", why);
            }
            if let Some(hook) = hook {
                check_url(hook.reveal())
                    .or_else(|_| at("hooks", format!("`{operation}`: not an http(s) address")))?;
            }
        }
        match &self.mail {
            Some(mail) => mail.check().or_else(|(key, why)| at(key, why))?,
            None if is_used(Transport::EmailBcc) => {
                return at(
                    "mail",
                    "missing: the profile mails notes; add `mail = { server = …, from = … }`".into(),
                );
            }
            None => {}
        }
        if let Some(unknown) = self.hooks.keys().find(|id| profile.transport(id) != Transport::ZapierHook) {
            return at("hooks", format!("the profile `{}` carries no `{unknown}` by a hook", profile.name()));
        }
        self.auth.check(profile.provider()).or_else(|(key, why)| at(key, why))
    }
}

impl HighLevelFirmConfig {
    /// The private integration tokens, in order of preference; none with OAuth.
    pub fn private_tokens(&self) -> Vec<Secret> {
        self.token.iter().chain(&self.tokens).cloned().collect()
    }

    fn check_credential(&self) -> Result<(), (&'static str, String)> {
        match (&self.token, self.tokens.is_empty(), self.oauth) {
            // Without any, a token is pasted in the console.
            (Some(_), true, false) | (None, false, false) | (None, true, _) => Ok(()),
            (_, _, true) => {
                Err(("highlevel.oauth", "`oauth = true` beside a token; keep one of them".into()))
            }
            (Some(_), false, false) => {
                Err(("highlevel.tokens", "`token` and `tokens` at once; put all into `tokens`".into()))
            }
        }
    }
}

/// The shortest token in a URL: 128 bits in hexadecimal would be 32, in base64 22; Zapier's own hooks have 12.
const SHORTEST_TOKEN: usize = 12;

impl CasePeerConfig {
    /// The webhook sections that are in force, and whether the secrets can serve them.
    fn check_inbound(&self, profile: &Profile) -> Result<(), Problem> {
        profile.inbound().check().map_err(|(key, why)| (format!("casepeer.inbound.{key}"), why))?;
        profile.events().check().map_err(|(key, why)| (format!("casepeer.events.{key}"), why))?;
        // Without a scheme every webhook is refused, which suits an account that sends none.
        let Some(scheme) = &profile.inbound().verify else { return Ok(()) };
        for (index, secret) in self.webhook_secrets.iter().enumerate() {
            check_secret(scheme, secret.reveal())
                .map_err(|why| (format!("casepeer.webhook_secrets.{index}"), why.into()))?;
        }
        Ok(())
    }
}

impl FirmConfig {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let at = |key: &str, why: String| Err((key.to_owned(), why));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(plain) {
            return at("id", "a firm's id has 1 to 64 letters, digits, hyphens or underscores".into());
        }
        if self.highlevel.location_id.trim().is_empty() {
            return at(
                "highlevel.location_id",
                "empty; it is the last part of the sub-account's address".into(),
            );
        }
        self.highlevel.check_credential().or_else(|(key, why)| at(key, why))?;
        if let Some(header) = &self.highlevel.workflow_header
            && axum::http::HeaderName::try_from(header.name.as_str()).is_err()
        {
            return at("highlevel.workflow_header.name", format!("`{}` is not a header's name", header.name));
        }
        let tokens = [
            ("highlevel.workflow_token", self.highlevel.workflow_token.as_ref()),
            ("casepeer.inbound_token", Some(&self.casepeer.inbound_token)),
        ];
        for (key, token) in tokens {
            if token.is_some_and(|token| token.reveal().len() < SHORTEST_TOKEN) {
                return at(
                    key,
                    format!(
                        "shorter than {SHORTEST_TOKEN} characters, so it can be guessed; make one with `casebridge secrets new token`"
                    ),
                );
            }
        }
        if self.casepeer.webhook_secrets.is_empty() {
            return at("casepeer.webhook_secrets", "no secret: no webhook could be accepted".into());
        }
        self.casepeer.check()?;
        self.sync.check().map_err(|(key, why)| (format!("sync.{key}"), why))
    }
}
