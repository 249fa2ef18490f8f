//! `casebridge secrets new`.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::bridge::webhook_secret;
use crate::cli::failure::Failure;
use crate::cli::output::{note, say};
use crate::crypto::random_key;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// A key of crypto.keys, which seals what is stored: 32 bytes in base64.
    Key,
    /// A secret that webhooks are signed with: 32 bytes in hexadecimal.
    WebhookSecret,
    /// A token for the address of a webhook, or for server.admin_token: 24 bytes in hexadecimal.
    Token,
}

pub(super) fn run(kind: Kind) -> Result<(), Failure> {
    let key = random_key();
    let (secret, steps): (_, &[&str]) = match kind {
        Kind::Key => (
            STANDARD.encode(&key[..]),
            &[
                "this is shown once: put it into a file only the service can read, or into its environment as CASEBRIDGE_KEY",
                "the first key: under [crypto] write keys = [{ id = \"k1\", secret = { env = \"CASEBRIDGE_KEY\" } }]",
                "one more: put it before the others under an id of its own, restart, then `casebridge secrets rotate key`",
                "keep a copy apart from the database: without it nothing that is stored can be read",
            ],
        ),
        Kind::WebhookSecret => (
            webhook_secret().reveal().to_owned(),
            &[
                "this is shown once: put it into a file or variable, and name that in firms.casepeer.webhook_secrets",
                "give the same to whoever sends the webhooks; `casebridge secrets rotate webhook-secret FIRM` says in which order",
            ],
        ),
        Kind::Token => (
            hex::encode(&key[..24]),
            &["this is shown once: put it into a file or variable, and name that where the token is used: \
             firms.casepeer.inbound_token, firms.highlevel.workflow_token, server.admin_token"],
        ),
    };
    say(&Zeroizing::new(secret))?;
    steps.iter().for_each(|step| note(step));
    Ok(())
}
