//! Independent stubs of both vendors, written from the vendors' documents alone: HighLevel's OpenAPI files and webhook
//! samples, and our published CASEpeer contract. They share nothing with the twin, so a test that passes here shows
//! that the bridge does not depend on the twin's reading of those documents.
//!
//! Cast: [`Server`] records every request and asks a stub's pure function for the [`Answer`]; [`highlevel`] and
//! [`casepeer`] hold the state, make the changes a person would make in the vendor's own pages, and sign and send
//! webhooks; [`official`] judges what was recorded against HighLevel's files.
//!
//! Where a document is silent the stubs take its strictest reading, so that a guess of the bridge's shows.

pub mod casepeer;
pub mod highlevel;
pub mod mycase;
pub mod official;
mod tests;

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, Method, Response, Uri};
use casebridge::clock::{Clock, SystemClock};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;

/// One request a stub received, and what it answered.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers as received.
    pub headers: HeaderMap,
    /// The body, when it is JSON.
    pub body: Option<Value>,
    /// The body's exact bytes: a retry must resend the same.
    pub bytes: Vec<u8>,
    /// The status that was answered.
    pub status: u16,
    /// The body that was answered.
    pub answer: Value,
}

impl Recorded {
    /// A header's value, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A query parameter's value; an empty one counts as absent.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The path's segments after `prefix`, or none when the path lies elsewhere.
    fn segments(&self, prefix: &str) -> Vec<&str> {
        self.path
            .strip_prefix(prefix)
            .unwrap_or("")
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect()
    }

    /// The body's value under `name`; [`Value::Null`] when there is none.
    fn field(&self, name: &str) -> &Value {
        self.body.as_ref().map_or(&Value::Null, |body| &body[name])
    }
}

/// What was changed in a vendor's pages: the record's id, and the webhook the vendor sends about it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The record that was made or changed.
    pub id: String,
    /// The webhook's body, ready for `deliver`.
    pub webhook: Value,
}

/// What a stub answers.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Answer {
    fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An HTTP server on a free loopback port that records what it is asked. It ends with its stub.
#[derive(Debug)]
struct Server {
    origin: String,
    requests: Arc<Mutex<Vec<Recorded>>>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(answer: impl Fn(&Recorded) -> Answer + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free loopback port");
        let origin = format!("http://{}", listener.local_addr().expect("a bound address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let app = axum::Router::new().fallback(
            async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let mut request = record(&method, &uri, headers, &body);
                // Held until the answer is known: the order of the records is the order of the effects.
                let mut seen = lock(&seen);
                let answer = answer(&request);
                request.status = answer.status;
                request.answer = answer.body.clone();
                seen.push(request);
                respond(answer)
            },
        );
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("a running stub") });
        Self { origin, requests, task }
    }

    fn requests(&self) -> Vec<Recorded> {
        lock(&self.requests).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn record(method: &Method, uri: &Uri, headers: HeaderMap, body: &Bytes) -> Recorded {
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri).unwrap_or_default();
    Recorded {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query,
        headers,
        body: serde_json::from_slice(body).ok(),
        bytes: body.to_vec(),
        status: 0,
        answer: Value::Null,
    }
}

fn respond(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status).header("content-type", "application/json");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body.to_string())).expect("a well-formed answer")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no stub panicked while it held its state")
}

/// The present moment, in milliseconds, as both vendors write it.
fn now() -> String {
    SystemClock.now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The named fields of a record that are there and not null, in the order given.
fn pick(record: &Value, names: &[&str]) -> Map<String, Value> {
    names
        .iter()
        .filter(|name| !record[**name].is_null())
        .map(|name| ((*name).to_owned(), record[*name].clone()))
        .collect()
}

/// A text field of a record; empty when it is absent.
fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

/// Whether two phone numbers are the same digits, however they are punctuated.
fn same_phone(left: &str, right: &str) -> bool {
    let digits = |phone: &str| phone.chars().filter(char::is_ascii_digit).collect::<String>();
    !left.is_empty() && digits(left) == digits(right)
}
