//! Sending one request and reading its answer, bounded in time and size.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use reqwest::header::{HeaderMap, LOCATION};
use serde_json::Value;

use super::announced::announced;
use super::classify;
use super::guard::{self, Guard, PublicOnly, Refused, Resolver, SystemResolver, Way};
use super::network::{broken_off, transport_failure, usual};
use super::redact::harmless;
use super::wire::{method, request_id};
use crate::clock::SharedClock;
use crate::domain::{Announced, CallClass};
use crate::operations::{Effect, Request, Response};
use crate::telemetry::{TraceId, span_id};

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;
/// The longest a vendor may make us wait by `Retry-After`.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// The HTTP client all vendors share, and the only way out of this program: every request passes the [`Guard`].
#[derive(Clone)]
pub struct HttpClient {
    pub(super) client: reqwest::Client,
    /// For addresses that nobody configured; made when there is one.
    public: Arc<OnceLock<reqwest::Client>>,
    resolver: Arc<dyn Resolver>,
    pub(super) guard: Arc<Guard>,
    clock: SharedClock,
}

/// What a request proves itself with.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    /// Nothing.
    None,
    /// `Authorization: Bearer`.
    Bearer(&'a str),
    /// `Authorization: Basic`.
    Basic { user: &'a str, password: &'a str },
    /// A header of the vendor's own.
    Header { name: &'a str, value: &'a str },
    /// A parameter of the address, which is in nobody's log but the vendor's.
    Query { name: &'a str, value: &'a str },
}

/// An answer as it came, read whole.
pub(super) struct Answer {
    pub(super) status: reqwest::StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where it came from.
    url: Url,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// The request was not sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be sent, or broke off.
    #[error("{}", transport_failure(.0, Effect::Read).detail)]
    Transport(reqwest::Error),
    /// More than is read.
    #[error("answered {0} with more than {LARGEST_ANSWER} bytes")]
    TooLarge(u16),
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        match guard::refusal_in(&error) {
            Some(refused) => Self::Refused(refused),
            None => Self::Transport(error),
        }
    }
}

impl NoAnswer {
    fn failure(&self, effect: Effect) -> Failure {
        let class = match self {
            // A name that has no address now may have one later.
            Self::Refused(Refused::Unresolved(_)) => CallClass::Unreachable,
            Self::Refused(_) => CallClass::Rejected,
            Self::Transport(error) => return transport_failure(error, effect),
            Self::TooLarge(_) => broken_off(effect),
        };
        Failure { class, retry_after: None, detail: self.to_string(), answer: None }
    }
}

/// One exchange with a vendor, whether it went well or not.
#[derive(Debug)]
pub struct Exchange {
    /// The operation's id.
    pub operation: &'static str,
    /// Method and path; no query, which may name a person.
    pub target: String,
    /// When it was sent.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How many calls of the vendor it took: a look-up before, every page, a repeat with another token.
    pub calls: u64,
    /// What the answer said of the vendor's limits.
    pub announced: Announced,
    /// The id of its span.
    pub span: [u8; 8],
    /// What came of it.
    pub result: Result<Response, Failure>,
}

impl Exchange {
    /// HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match &self.result {
            Ok(answer) => Some(answer.status),
            Err(failure) => failure.answer.as_ref().map(|answer| answer.status),
        }
    }

    /// The same, with the calls that were made before it.
    #[must_use]
    pub(super) fn after(self, calls: u64) -> Self {
        Self { calls: self.calls + calls, ..self }
    }

    /// How it went.
    pub fn class(&self) -> CallClass {
        self.result.as_ref().map_or_else(|failure| failure.class, |_| CallClass::Ok)
    }
}

/// A call that did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// How it went.
    pub class: CallClass,
    /// How long the vendor asked us to wait.
    pub retry_after: Option<SignedDuration>,
    /// What happened, in words that name no person.
    pub detail: String,
    /// The answer, if there was one.
    pub answer: Option<Box<Response>>,
}

impl Failure {
    /// Whether the vendor itself says that the record is not there. HighLevel's files list no 404 and answer some
    /// missing records with a 400 that says so. A 404 in another form than the vendor's own errors comes from
    /// something before it, such as a proxy or a wrong base URL, and says nothing about the record.
    pub fn is_not_found(&self) -> bool {
        match self.answer.as_ref() {
            Some(answer) if matches!(answer.status, 404 | 410) => {
                answer.body.get("message").is_some() || answer.body.pointer("/error/code").is_some()
            }
            Some(answer) if answer.status == 400 => {
                message(&answer.body).to_lowercase().contains("not found")
            }
            _ => false,
        }
    }
}

impl HttpClient {
    /// A client with one policy for time, redirects and size, which reaches what this guard lets it.
    pub fn new(clock: SharedClock, guard: Guard) -> Self {
        Self::with_resolver(clock, guard, Arc::new(SystemResolver))
    }

    /// The same with another way to find the addresses of hosts that nobody configured.
    pub fn with_resolver(clock: SharedClock, guard: Guard, resolver: Arc<dyn Resolver>) -> Self {
        let client = usual(reqwest::Client::builder());
        Self { client, public: Arc::default(), resolver, guard: Arc::new(guard), clock }
    }

    /// The beginning of a request, to be sent by [`HttpClient::execute`].
    pub(super) fn post(&self, url: String) -> reqwest::RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request as it is to a host that the configuration names, such as one of the OAuth library's.
    pub(super) async fn execute(&self, request: reqwest::Request) -> Result<Answer, NoAnswer> {
        self.guard.check(request.url())?;
        whole(self.client.execute(request).await?).await
    }

    /// Posts these exact bytes to an address that was learned while the program runs, such as a hook's target. It must
    /// be public unless the configuration names its host. No credential goes along but what these headers hold.
    pub async fn deliver(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        effect: Effect,
    ) -> Result<Response, Failure> {
        let sent = async {
            let url = Url::parse(url).map_err(|_| Refused::NotAnAddress)?;
            let client = match self.guard.way_to(&url)? {
                Way::Named => &self.client,
                Way::Public => self.public(),
            };
            let mut sending = client.post(url).header("X-Request-Id", request_id());
            for (name, value) in headers {
                sending = sending.header(*name, *value);
            }
            whole(sending.body(body).send().await?).await
        };
        let answer = sent.await.map_err(|none: NoAnswer| none.failure(effect))?;
        self.read(answer, effect)
    }

    /// A proxy would find the addresses itself, and unseen, so this client uses none.
    fn public(&self) -> &reqwest::Client {
        let make = || {
            let resolver = Arc::new(PublicOnly(Arc::clone(&self.resolver)));
            usual(reqwest::Client::builder().no_proxy().dns_resolver(resolver))
        };
        self.public.get_or_init(make)
    }

    /// The clock exchanges are dated by.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Sends a request below `base_url` with a credential and these exact body bytes.
    pub(super) async fn send(
        &self,
        base_url: &str,
        credential: Credential<'_>,
        request: &Request,
        body: Option<Vec<u8>>,
        extra_headers: &[(&str, &str)],
    ) -> Exchange {
        let started_at = self.clock.now();
        let timer = Instant::now();
        let (mut limits, span) = (Announced::default(), span_id());
        let sent = (base_url, credential, span);
        let result = self.exchange(sent, request, body, extra_headers, &mut limits).await;
        Exchange {
            operation: request.operation,
            target: format!("{} {}", request.method.as_str(), request.path),
            started_at,
            duration: timer.elapsed(),
            calls: 1,
            announced: limits,
            span,
            result,
        }
    }

    async fn exchange(
        &self,
        (base_url, credential, span): (&str, Credential<'_>, [u8; 8]),
        request: &Request,
        body: Option<Vec<u8>>,
        extra_headers: &[(&str, &str)],
        limits: &mut Announced,
    ) -> Result<Response, Failure> {
        let url = format!("{}{}", base_url.trim_end_matches('/'), request.path);
        let refuse = |refused: Refused| NoAnswer::from(refused).failure(request.effect);
        let url = Url::parse(&url).map_err(|_| refuse(Refused::NotAnAddress))?;
        let mut sending = self
            .client
            .request(method(request.method), url)
            .header("Accept", request.content.accepted())
            .header("X-Request-Id", request_id());
        if let Some(trace) = TraceId::current() {
            sending = sending.header("traceparent", trace.header(span));
        }
        sending = match credential {
            Credential::None => sending,
            Credential::Bearer(token) => sending.bearer_auth(token),
            Credential::Basic { user, password } => sending.basic_auth(user, Some(password)),
            Credential::Header { name, value } => sending.header(name, value),
            Credential::Query { name, value } => sending.query(&[(name, value)]),
        };
        if let Some(timeout) = request.timeout {
            sending = sending.timeout(timeout);
        }
        if !request.query.is_empty() {
            sending = sending.query(&request.query);
        }
        for (name, value) in &request.headers {
            sending = sending.header(&**name, value);
        }
        for (name, value) in extra_headers {
            sending = sending.header(*name, *value);
        }
        if let Some(body) = body {
            sending = sending.header("Content-Type", request.content.media_type()).body(body);
        }
        let sent = async { self.execute(sending.build()?).await };
        let answer = sent.await.map_err(|none| none.failure(request.effect))?;
        *limits = announced(&answer.headers);
        self.read(answer, request.effect)
    }

    fn read(&self, answer: Answer, effect: Effect) -> Result<Response, Failure> {
        let status = answer.status.as_u16();
        let header = |name: &str| Some(answer.headers.get(name)?.to_str().ok()?.to_owned());
        let (etag, link) = (header("etag"), header("link"));
        let retry_after = header("retry-after").and_then(|value| self.retry_after(&value));
        let redirected = answer
            .status
            .is_redirection()
            .then(|| guard::redirected(status, &answer.url, header(LOCATION.as_str()).as_deref()));
        let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let answer = Response { status, etag, link, body };
        match classify(status, effect) {
            CallClass::Ok => Ok(answer),
            class => {
                let message = harmless(&answer.body);
                let detail = match redirected {
                    Some(redirected) => redirected,
                    None if message.is_empty() => format!("answered {status}"),
                    None => format!("answered {status}: {message}"),
                };
                Err(Failure { class, retry_after, detail, answer: Some(Box::new(answer)) })
            }
        }
    }

    /// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
    fn retry_after(&self, value: &str) -> Option<SignedDuration> {
        let wait = match value.trim().parse::<i64>() {
            Ok(seconds) => SignedDuration::from_secs(seconds),
            Err(_) => jiff::fmt::rfc2822::parse(value).ok()?.timestamp().duration_since(self.clock.now()),
        };
        Some(wait.clamp(SignedDuration::ZERO, LONGEST_WAIT))
    }
}

/// Reads an answer to its end, up to a size.
async fn whole(mut answer: reqwest::Response) -> Result<Answer, NoAnswer> {
    let (status, headers, url) = (answer.status(), answer.headers().clone(), answer.url().clone());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(NoAnswer::TooLarge(status.as_u16()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body, url })
}

/// HighLevel writes `message` as text or as a list; the contract's errors lie under `error`.
fn message(body: &Value) -> String {
    let place = body.get("message").or_else(|| body.get("error").and_then(|error| error.get("message")));
    match place.or_else(|| body.get("error")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => String::new(),
    }
}
