//! The request a sample becomes: where it goes and how it is signed.

use std::path::Path;

use jiff::Timestamp;
use reqwest::Url;

use super::sample::Sample;
use crate::cli::failure::Failure;
use crate::webhook::{casepeer::sign as casepeer, highlevel::sign as highlevel};

/// What a sample is signed with.
pub(super) enum Key {
    /// HighLevel's part is played with this key.
    App(highlevel::SigningKey),
    /// CASEpeer's part is played with this secret.
    CasePeer {
        /// Repeated in a header.
        event: &'static str,
        /// What both sides know.
        secret: String,
    },
    /// A Workflow shows at most a secret header.
    Workflow(Option<(String, String)>),
}

impl Key {
    /// Reads the key a sample needs.
    pub(super) fn read(sample: Sample, file: Option<&Path>, header: Option<&str>) -> Result<Self, Failure> {
        match (sample, file) {
            (Sample::App { .. }, Some(file)) => signing_key(file).map(Self::App),
            (Sample::App { .. }, None) => {
                Err(Failure::usage("HighLevel's webhooks are signed: --key is missing").hint(MAKE_A_KEY))
            }
            (Sample::CasePeer { event }, Some(file)) => Ok(Self::CasePeer { event, secret: secret(file)? }),
            (Sample::CasePeer { .. }, None) => {
                Err(Failure::usage("CASEpeer's webhooks are signed: --key is missing")
                    .hint("name a file that holds one of the firm's casepeer.webhook_secrets"))
            }
            (Sample::Workflow, Some(file)) => {
                let name = header.ok_or_else(|| {
                    Failure::usage("a Workflow's webhook is not signed: --key goes with --header")
                        .hint("leave --key out, or name the firm's highlevel.workflow_header with --header")
                })?;
                Ok(Self::Workflow(Some((name.to_owned(), secret(file)?))))
            }
            (Sample::Workflow, None) if header.is_some() => {
                Err(Failure::usage("--header needs --key: the file that holds the header's value"))
            }
            (Sample::Workflow, None) => Ok(Self::Workflow(None)),
        }
    }

    /// The headers that prove the sender of this body.
    pub(super) fn headers(&self, delivery_id: &str, now: Timestamp, body: &str) -> Vec<(String, String)> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        match self {
            Self::App(key) => add(highlevel::SIGNATURE_HEADER, key.sign(body.as_bytes())),
            Self::CasePeer { event, secret } => {
                let stamp = now.as_second();
                add(casepeer::EVENT_HEADER, (*event).to_owned());
                add(casepeer::DELIVERY_HEADER, delivery_id.to_owned());
                add(casepeer::TIMESTAMP_HEADER, stamp.to_string());
                add(casepeer::SIGNATURE_HEADER, casepeer::sign(secret.as_bytes(), stamp, body.as_bytes()));
            }
            Self::Workflow(None) => {}
            Self::Workflow(Some((name, value))) => add(name, value.clone()),
        }
        headers
    }
}

/// How a key comes to be that an installation accepts.
const MAKE_A_KEY: &str = "make a key with `openssl genpkey -algorithm ed25519 -out try.key`, and list what `casebridge send \
    --public-key --key try.key` prints in highlevel.webhook_keys of the installation you try";

/// The Ed25519 key of a file.
pub(super) fn signing_key(file: &Path) -> Result<highlevel::SigningKey, Failure> {
    let pem = read(file).map_err(|failure| failure.hint(MAKE_A_KEY))?;
    highlevel::SigningKey::from_pem(&pem)
        .map_err(|wrong| Failure::failed(format!("{}: {wrong}", file.display())))
}

/// A secret as `{ file = "…" }` in the configuration reads it.
fn secret(file: &Path) -> Result<String, Failure> {
    let text = read(file)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Failure::failed(format!("{} is empty", file.display())));
    }
    Ok(secret.to_owned())
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format!("{} cannot be read: {error}", file.display())))
}

/// Where a sample goes: the address as given, completed where only the machine is named.
pub(super) fn address(sample: Sample, to: &str) -> Result<Url, Failure> {
    let wrong = || {
        Failure::usage(format!("--to {to}: not an address"))
            .hint("write it as http://127.0.0.1:8080/webhooks/highlevel")
    };
    let mut url =
        Url::parse(to).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(wrong)?;
    let path = url.path().trim_end_matches('/');
    let is_bare = matches!(path, "" | "/webhooks");
    match sample {
        Sample::App { .. } => {
            if is_bare {
                url.set_path("/webhooks/highlevel");
            }
        }
        Sample::Workflow if is_bare || matches!(path, "/webhooks/highlevel" | "/webhooks/crm") => {
            return Err(Failure::usage("--to lacks the firm's token")
                .hint("write …/webhooks/highlevel/TOKEN; TOKEN is the firm's highlevel.workflow_token"));
        }
        Sample::CasePeer { .. } if is_bare || path == "/webhooks/casepeer" => {
            return Err(Failure::usage("--to lacks the firm's token")
                .hint("write …/webhooks/casepeer/TOKEN; TOKEN is the firm's casepeer.inbound_token"));
        }
        Sample::Workflow | Sample::CasePeer { .. } => {}
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_completed_where_that_is_possible() {
        let app = Sample::find("ContactCreate").unwrap();
        let lead = Sample::find("lead.created").unwrap();
        let go = |sample, to| address(sample, to).ok().map(|url| url.to_string());
        let cases = [
            (app, "http://h:1", Some("http://h:1/webhooks/highlevel")),
            (app, "http://h:1/", Some("http://h:1/webhooks/highlevel")),
            (app, "https://h/behind/webhooks/crm", Some("https://h/behind/webhooks/crm")),
            (app, "h:1", None),
            (app, "ftp://h", None),
            (lead, "http://h:1", None),
            (lead, "http://h:1/webhooks/casepeer/", None),
            (lead, "http://h:1/webhooks/casepeer/token", Some("http://h:1/webhooks/casepeer/token")),
            (Sample::Workflow, "http://h:1/webhooks/highlevel", None),
            (
                Sample::Workflow,
                "http://h:1/webhooks/highlevel/token",
                Some("http://h:1/webhooks/highlevel/token"),
            ),
        ];
        for (sample, to, expected) in cases {
            assert_eq!(go(sample, to).as_deref(), expected, "{to}");
        }
    }

    #[test]
    fn a_secrets_line_break_is_not_part_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, "s3cret\r\n").unwrap();
        let lead = Sample::find("lead.created").unwrap();
        let key = Key::read(lead, Some(&file), None);
        assert!(matches!(key, Ok(Key::CasePeer { secret, .. }) if secret == "s3cret"));
        std::fs::write(&file, "\n").unwrap();
        assert!(Key::read(lead, Some(&file), None).is_err());
    }
}
