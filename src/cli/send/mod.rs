//! `casebridge send`: plays a vendor's part once, so that an operator can try an installation.

mod request;
mod sample;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{StatusCode, Url, header::LOCATION};
use uuid::Uuid;

use self::request::{Key, address, signing_key};
use self::sample::{Particulars, Sample};
use super::failure::Failure;
use super::output::{note, say};
use crate::clock::{Clock, SystemClock};

/// A bridge answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to send: a HighLevel type such as `ContactCreate`, a CASEpeer event such as `lead.created`, or `workflow`.
    #[arg(required_unless_present_any = ["list", "public_key"])]
    sample: Option<String>,
    /// The webhook's address, such as http://127.0.0.1:8080/webhooks/highlevel or …/webhooks/casepeer/TOKEN.
    #[arg(long, value_name = "URL", required_unless_present_any = ["list", "public_key", "print"])]
    to: Option<String>,
    /// What to sign with: an Ed25519 key in PEM for HighLevel, the webhook secret for CASEpeer.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The HighLevel location it names; the firm is found by it.
    #[arg(long, value_name = "ID")]
    location: Option<String>,
    /// The record it is about.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The delivery's own id, to try a redelivery [default: a new one].
    #[arg(long, value_name = "ID")]
    webhook_id: Option<String>,
    /// Put HighLevel's record under `data`.
    #[arg(long)]
    wrapped: bool,
    /// The name of the secret header that a Workflow sends; its value is read from --key.
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// Print the request instead of sending it.
    #[arg(long)]
    print: bool,
    /// Print the key's public half as highlevel.webhook_keys takes it, and send nothing.
    #[arg(long, requires = "key")]
    public_key: bool,
    /// List the samples, and send nothing.
    #[arg(long)]
    list: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.list {
        return Sample::names().iter().try_for_each(|(name, whose)| say(&format!("{name:<32}  {whose}")));
    }
    if arguments.public_key {
        let file = arguments.key.as_deref().expect("clap asks for the key");
        return say(&format!("ed25519:{}", signing_key(file)?.public_key()));
    }
    let name = arguments.sample.as_deref().unwrap_or_default();
    let sample = Sample::find(name).ok_or_else(|| {
        Failure::usage(format!("there is no sample `{name}`")).hint("`casebridge send --list` lists them")
    })?;
    check(sample, &arguments)?;
    let key = Key::read(sample, arguments.key.as_deref(), arguments.header.as_deref())?;
    let url = arguments.to.as_deref().map(|to| address(sample, to)).transpose()?;
    let now = SystemClock.now();
    let particulars = Particulars {
        location: arguments.location,
        record: arguments.id,
        is_wrapped: arguments.wrapped,
        delivery_id: arguments.webhook_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
        at: format!("{now:.3}"),
    };
    let body = sample.body(&particulars).to_string();
    let headers = key.headers(&particulars.delivery_id, now, &body);
    match url {
        Some(url) if !arguments.print => {
            send(url, headers, body, &key).await?;
            if particulars.location.is_none() && !matches!(sample, Sample::CasePeer { .. }) {
                note("it names the sample's own location, which is no firm's: --location names another");
            }
            Ok(())
        }
        url => print(url.as_ref(), &headers, &body),
    }
}

/// What would change nothing is more likely a slip than meant.
fn check(sample: Sample, arguments: &Arguments) -> Result<(), Failure> {
    let idle = match sample {
        Sample::App { .. } => arguments.header.is_some().then_some("--header"),
        Sample::Workflow if arguments.webhook_id.is_some() => Some("--webhook-id"),
        Sample::CasePeer { .. } if arguments.location.is_some() => Some("--location"),
        Sample::CasePeer { .. } if arguments.header.is_some() => Some("--header"),
        Sample::Workflow | Sample::CasePeer { .. } => arguments.wrapped.then_some("--wrapped"),
    };
    match idle {
        None => Ok(()),
        Some(flag) => Err(Failure::usage(format!("{flag} has no place in this webhook"))),
    }
}

/// The request as it would go over the wire: the body is its last line, byte for byte.
fn print(url: Option<&Url>, headers: &[(String, String)], body: &str) -> Result<(), Failure> {
    let mut lines: Vec<String> = url.iter().map(|url| format!("POST {url}")).collect();
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    say(&format!("{}\n\n{body}", lines.join("\n")))
}

async fn send(url: Url, headers: Vec<(String, String)>, body: String, key: &Key) -> Result<(), Failure> {
    let failed = |error: reqwest::Error| Failure::failed(error.without_url().to_string());
    // A redirected POST would arrive as a GET, without its body.
    let client =
        reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let mut request = client.map_err(failed)?.post(url.clone()).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(|error| unreachable(&url, error))?;
    let status = answer.status();
    let moved = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
    let text = answer.text().await.map_err(failed)?;
    say(format!("{status}\n{text}").trim_end())?;
    if status.is_success() {
        return Ok(());
    }
    let refused = format!("the webhook was not taken: {status}");
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return Err(Failure::try_again(refused).hint("send it again with the same --webhook-id in a moment"));
    }
    let failure = Failure::failed(refused);
    Err(match moved.map(|to| format!("send it to {to}")).or_else(|| hint(status, key)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}

fn hint(status: StatusCode, key: &Key) -> Option<String> {
    let hint = match (status, key) {
        (StatusCode::UNAUTHORIZED, Key::App(key)) => format!(
            "the key's public half must be in highlevel.webhook_keys: ed25519:{}",
            key.public_key()
        ),
        (StatusCode::UNAUTHORIZED, Key::CasePeer { .. }) => {
            "the secret must be one of the firm's casepeer.webhook_secrets, and both clocks within 5 minutes".into()
        }
        (StatusCode::UNAUTHORIZED, Key::Workflow(_)) => {
            "the firm asks for a secret header: name highlevel.workflow_header with --header, and its value's file with --key".into()
        }
        (StatusCode::NOT_FOUND, Key::App(_)) => {
            "the path is /webhooks/highlevel, on the port of server.public".into()
        }
        (StatusCode::NOT_FOUND, Key::CasePeer { .. }) => {
            "the path is /webhooks/casepeer/TOKEN, where TOKEN is the firm's casepeer.inbound_token".into()
        }
        (StatusCode::NOT_FOUND, Key::Workflow(_)) => {
            "the path is /webhooks/highlevel/TOKEN, where TOKEN is the firm's highlevel.workflow_token".into()
        }
        _ => return None,
    };
    Some(hint)
}

fn unreachable(url: &Url, error: reqwest::Error) -> Failure {
    let origin = url.origin().ascii_serialization();
    if error.is_timeout() {
        return Failure::failed(format!("{origin} did not answer within {} s", TIMEOUT.as_secs()));
    }
    if error.is_builder() {
        return Failure::usage("a header or the address cannot be sent as it is");
    }
    let mut why = error.source();
    while let Some(deeper) = why.and_then(Error::source) {
        why = Some(deeper);
    }
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    Failure::failed(format!("{origin} cannot be reached{why}"))
        .hint("is `casebridge serve` running, with server.public on this port? Is its certificate one that this machine trusts?")
}
