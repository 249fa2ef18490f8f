//! Spans, sent to an OpenTelemetry collector (OTLP 1.x over HTTP, JSON encoding).
//!
//! Three kinds are made: the receipt of a webhook, an event's turn, a call to a vendor. Each has the attributes that are
//! written here and no other, so that nothing about a person can get into one. What cannot be sent is counted and
//! dropped: the store, not the collector, is the record of what happened. The few lines of encoding stand here because
//! the SDK would be larger than everything it carries.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::TraceId;

/// Spans that may wait to be sent.
const QUEUE: usize = 4_096;
/// Spans that go together.
const BATCH: usize = 512;
/// How long a span waits for others.
const PAUSE: Duration = Duration::from_secs(2);

/// What a span is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that came in.
    Server = 2,
    /// A call that went out.
    Client = 3,
    /// An event that was worked on.
    Consumer = 5,
}

/// Something that took time.
#[derive(Debug, Clone)]
pub struct Span {
    /// What it is part of.
    pub trace: TraceId,
    /// Its id.
    pub id: [u8; 8],
    /// What it came of, if that is known here.
    pub parent: Option<[u8; 8]>,
    /// What was done: of a closed list.
    pub name: String,
    /// Of what kind.
    pub kind: SpanKind,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Ids and words of closed lists; never anything about a person.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it went wrong.
    pub is_error: bool,
}

enum Job {
    Span(Box<Span>),
    Flush(oneshot::Sender<()>),
}

/// Sends a batch to the collector; false if it did not take it.
pub type Send =
    Arc<dyn Fn(Vec<u8>) -> futures_util::future::BoxFuture<'static, bool> + std::marker::Send + Sync>;

/// The way to the collector; without one, spans go nowhere.
#[derive(Clone, Default)]
pub struct Spans(Option<mpsc::Sender<Job>>);

impl Spans {
    /// Sends spans from now on. Runs until the last of its handles is dropped.
    pub fn start(send: Send) -> Self {
        let (sender, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(queue, send));
        Self(Some(sender))
    }

    /// Whether anybody listens.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes a span; one that finds the queue full is dropped.
    pub fn add(&self, span: Span) {
        if let Some(sender) = &self.0
            && sender.try_send(Job::Span(Box::new(span))).is_err()
        {
            metrics::counter!("casebridge_spans_total", "result" => "dropped").increment(1);
        }
    }

    /// Returns when everything before was sent.
    pub async fn flush(&self) {
        let Some(sender) = &self.0 else { return };
        let (done, wait) = oneshot::channel();
        if sender.send(Job::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn run(mut queue: mpsc::Receiver<Job>, send: Send) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let job = tokio::select! {
            job = queue.recv() => job,
            () = tokio::time::sleep(PAUSE), if !batch.is_empty() => {
                post(&mut batch, &send).await;
                continue;
            }
        };
        match job {
            Some(Job::Span(span)) => {
                batch.push(*span);
                if batch.len() >= BATCH {
                    post(&mut batch, &send).await;
                }
            }
            Some(Job::Flush(done)) => {
                post(&mut batch, &send).await;
                let _ = done.send(());
            }
            None => {
                post(&mut batch, &send).await;
                return;
            }
        }
    }
}

async fn post(batch: &mut Vec<Span>, send: &Send) {
    if batch.is_empty() {
        return;
    }
    let spans: Vec<Span> = std::mem::take(batch);
    let body = encode(&spans).to_string().into_bytes();
    let result = if send(body).await { "sent" } else { "refused" };
    metrics::counter!("casebridge_spans_total", "result" => result).increment(spans.len() as u64);
}

/// A batch as `ExportTraceServiceRequest` in JSON: ids in hex, times as decimal strings of nanoseconds.
fn encode(spans: &[Span]) -> Value {
    let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let span = |span: &Span| {
        let began = span.began.as_nanosecond();
        let ended = began + i128::try_from(span.took.as_nanos()).unwrap_or_default();
        let mut encoded = json!({
            "traceId": span.trace.to_string(),
            "spanId": hex::encode(span.id),
            "name": span.name,
            "kind": span.kind as u8,
            "startTimeUnixNano": began.to_string(),
            "endTimeUnixNano": ended.to_string(),
            "attributes": span.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
            "status": { "code": if span.is_error { 2 } else { 1 } },
        });
        if let Some(parent) = span.parent {
            encoded["parentSpanId"] = hex::encode(parent).into();
        }
        encoded
    };
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            attribute("service.name", "casebridge"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
        ] },
        "scopeSpans": [{ "scope": { "name": "casebridge" }, "spans": spans.iter().map(span).collect::<Vec<_>>() }],
    }] })
}
