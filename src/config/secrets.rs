//! Every secret of a configuration by its name: what can be said of secrets without saying them.

use super::{Accepted, CasePeerAuth, Config, FirmConfig, Secret, StoreUrl};

/// The keys of what senders prove themselves with.
const MAY_END: [&str; 4] = [
    ".casepeer.webhook_secrets",
    ".casepeer.inbound_token",
    ".highlevel.workflow_token",
    ".highlevel.workflow_header",
];

/// A secret and the key it stands under.
pub struct NamedSecret<'a> {
    /// The key, such as `firms.acme.highlevel.token`; firms and keys by id. Those of a list share it.
    pub reference: String,
    /// The secret.
    pub secret: &'a Secret,
}

impl Config {
    /// Every secret it has.
    pub fn secrets(&self) -> Vec<NamedSecret<'_>> {
        let named = |reference: &str, secret| NamedSecret { reference: reference.to_owned(), secret };
        let mut secrets: Vec<_> = self
            .crypto
            .keys
            .iter()
            .map(|key| NamedSecret {
                reference: format!("crypto.keys.{}", key.id),
                secret: key.secret.text(),
            })
            .collect();
        secrets.extend(self.server.admin_token.as_ref().map(|token| named("server.admin_token", token)));
        if let StoreUrl::Postgres(url) = &self.store.url {
            secrets.push(named("store.url", url));
        }
        let client_secret = self.highlevel.client_secret.as_ref();
        secrets.extend(client_secret.map(|secret| named("highlevel.client_secret", secret)));
        let told = &self.notifications;
        let password = told.email.as_ref().and_then(|email| email.password.as_ref());
        secrets.extend(password.map(|password| named("notifications.email.password", password)));
        secrets.extend(told.slack.as_ref().map(|slack| named("notifications.slack.url", &slack.url)));
        secrets.extend(
            told.webhook.as_ref().map(|webhook| named("notifications.webhook.secret", &webhook.secret)),
        );
        for firm in &self.firms {
            secrets.extend(
                of_firm(firm).into_iter().map(|(key, secret)| NamedSecret {
                    reference: format!("firms.{}.{key}", firm.id),
                    secret,
                }),
            );
        }
        secrets
    }

    /// Only what senders prove themselves with may end: what we show to others ends when they say so.
    pub(super) fn check_ends(&self) -> Result<(), (String, String)> {
        let may_end = |reference: &str| MAY_END.iter().any(|end| reference.ends_with(end));
        match self.secrets().iter().find(|named| named.secret.until().is_some() && !may_end(&named.reference))
        {
            Some(wrong) => {
                let why = "`until` is for webhook_secrets, inbound_token, workflow_token and workflow_header, \
                           which are accepted until then; take this secret out instead";
                Err((wrong.reference.clone(), why.into()))
            }
            None => Ok(()),
        }
    }
}

fn of_firm(firm: &FirmConfig) -> Vec<(&'static str, &Secret)> {
    let (highlevel, casepeer) = (&firm.highlevel, &firm.casepeer);
    let mut secrets: Vec<(&'static str, &Secret)> = Vec::new();
    secrets.extend(highlevel.token.as_ref().map(|token| ("highlevel.token", token)));
    secrets.extend(highlevel.tokens.iter().map(|token| ("highlevel.tokens", token)));
    let accepted = [
        ("highlevel.workflow_token", highlevel.workflow_token.as_ref()),
        ("highlevel.workflow_header", highlevel.workflow_header.as_ref().map(|header| &header.secret)),
        ("casepeer.inbound_token", Some(&casepeer.inbound_token)),
    ];
    for (key, known) in accepted {
        secrets.extend(known.into_iter().flat_map(Accepted::iter).map(|secret| (key, secret)));
    }
    secrets.extend(casepeer.webhook_secrets.iter().map(|secret| ("casepeer.webhook_secrets", secret)));
    secrets.extend(match &casepeer.auth {
        CasePeerAuth::None {} => None,
        CasePeerAuth::ApiKey { key, .. } => Some(("casepeer.auth.key", key)),
        CasePeerAuth::Basic { password, .. } => Some(("casepeer.auth.password", password)),
        CasePeerAuth::BearerStatic { token } => Some(("casepeer.auth.token", token)),
        CasePeerAuth::ClientCredentials(client) | CasePeerAuth::AuthorizationCode(client) => {
            client.client_secret.as_ref().map(|secret| ("casepeer.auth.client_secret", secret))
        }
    });
    secrets.extend(casepeer.hooks.values().map(|hook| ("casepeer.hooks", hook)));
    secrets.extend(casepeer.proxy_login.as_ref().map(|login| ("casepeer.proxy_login", login)));
    let mail = casepeer.mail.as_ref().and_then(|mail| mail.password.as_ref());
    secrets.extend(mail.map(|password| ("casepeer.mail.password", password)));
    secrets
}
