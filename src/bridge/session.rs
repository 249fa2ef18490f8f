//! The work on one claimed event: its firm, its lease, and the calls it makes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::clock::SharedClock;
use crate::crypto::Keyring;
use crate::domain::{CallClass, EffectKey, Priority, Question, RecordRef, System};
use crate::operations::casepeer::{CannotSend, Refetch};
use crate::operations::{Request, Response, Unexpected};
use crate::store::{CallRecord, Lease, SharedStore, StoreError};
use crate::telemetry::{Span, SpanKind, Spans, TraceId};
use crate::vendors::{Exchange, Failure};
use crate::webhook::casepeer::Told;

use super::quota::Spent;
use super::{Bridge, Firm};

/// Why work on an event ends early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// A vendor did not do what was asked.
    #[error("{operation} {failure}")]
    Vendor {
        /// Which vendor.
        system: System,
        /// What was asked.
        operation: &'static str,
        /// What came of it.
        failure: Box<Failure>,
    },
    /// The vendor allows no further call now, for want of which nothing was sent.
    #[error("{} allows no further call of this kind for now", system.title())]
    Quota {
        /// Which vendor.
        system: System,
        /// How long until it may.
        wait: SignedDuration,
    },
    /// A vendor's answer lacks what it promises.
    #[error(transparent)]
    Answer(#[from] Unexpected),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The event now waits in another lane.
    #[error("moved to its person's lane")]
    Moved,
    /// Another worker has taken the event over.
    #[error("the lease was lost to another worker")]
    LeaseLost,
    /// Another create of the same person is under way.
    #[error("the same person is being created by another event")]
    Rival,
    /// A create may have been carried out; it is too early to say that it was not.
    #[error("a create was not answered: looking for its result before it is sent again")]
    Unsure {
        /// When it can be said.
        until: Timestamp,
    },
    /// A create may have been carried out, and several records could be its result; a person must say.
    #[error("{}", .0.why)]
    Ambiguous(Box<Question>),
    /// A person said to leave it.
    #[error("a person said to leave it as it is")]
    LeftAlone,
    /// A record was announced, but cannot be found.
    #[error("{0}")]
    NotThere(String),
    /// The profile cannot do what was asked.
    #[error(transparent)]
    CannotSend(#[from] CannotSend),
    /// A carrier took it over and confirms later.
    #[error("handed over by {operation}, to be confirmed by {until}")]
    HandedOver {
        /// What was handed over.
        operation: &'static str,
        /// What it is to achieve.
        effect: EffectKey,
        /// When a person is asked, if nothing was said by then.
        until: Timestamp,
    },
    /// HighLevel takes the person for one it knows, and the bridge does not; a person must say.
    #[error("{}", .0.why)]
    Duplicate(Box<Question>),
    /// A person must be asked first.
    #[error("{}", .0.why)]
    Ask(Box<Question>),
    /// A command needs a record that is not linked.
    #[error("{0} has no counterpart on the other side")]
    NoCounterpart(String),
}

/// The work on one event.
pub(super) struct Session<'a> {
    pub(super) firm: &'a Firm,
    pub(super) store: &'a SharedStore,
    pub(super) keyring: &'a Keyring,
    pub(super) lease: &'a Lease,
    /// Whether rules follow what the sync does, so that a hand-over has a rest.
    pub(super) more_follows: bool,
    clock: &'a SharedClock,
    spans: &'a Spans,
    told: Option<Told>,
    reads: Mutex<Vec<CallRecord>>,
    priority: Priority,
    has_called: AtomicBool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        bridge: &'a Bridge,
        firm: &'a Firm,
        lease: &'a Lease,
        priority: Priority,
        told: Option<Told>,
    ) -> Self {
        let Bridge { store, keyring, clock, spans, .. } = bridge;
        let (reads, has_called) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let more_follows = false;
        Self { firm, store, keyring, lease, more_follows, clock, spans, told, reads, priority, has_called }
    }

    /// What the event's own webhook says of this lead or case, where that stands in for reading it.
    pub(super) fn told(&self, record: &RecordRef) -> Option<&Value> {
        let told = self.told.as_ref().filter(|told| told.record == *record)?;
        let is_enough = match self.firm.casepeer.profile().events().refetch {
            Refetch::Always => false,
            Refetch::IfMissing => {
                let client = told.fields.get("client");
                let has =
                    |key| client.and_then(|client| client.get(key)).is_some_and(|value| !value.is_null());
                has("last_name") && (has("phone") || has("email"))
            }
            Refetch::Never => true,
        };
        let can_read = self.firm.casepeer.profile().can_read(record.kind);
        (is_enough || !can_read).then_some(&told.fields)
    }

    /// Whether a backfill asks.
    pub(super) fn is_backfill(&self) -> bool {
        self.priority == Priority::Backfill
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The calls made so far to read.
    pub(super) fn take_reads(&self) -> Vec<CallRecord> {
        std::mem::take(&mut *self.reads.lock().expect("nothing panics while it holds the list"))
    }

    /// Reads from HighLevel; nothing if the record is not there.
    pub(super) async fn read_highlevel(&self, request: &Request) -> Result<Option<Response>, Stop> {
        self.spend(System::HighLevel).await?;
        self.read(System::HighLevel, self.firm.highlevel.send(request, None).await).await
    }

    /// Reads from HighLevel what the work can do without; nothing if it is not there or was not granted.
    pub(super) async fn read_highlevel_if_granted(
        &self,
        request: &Request,
    ) -> Result<Option<Response>, Stop> {
        match self.read_highlevel(request).await {
            Err(Stop::Vendor { failure, .. }) if failure.class == CallClass::Unpermitted => Ok(None),
            other => other,
        }
    }

    /// Reads from CASEpeer; nothing if the record is not there.
    pub(super) async fn read_casepeer(&self, request: &Request) -> Result<Option<Response>, Stop> {
        self.spend(System::CasePeer).await?;
        self.read(System::CasePeer, self.firm.casepeer.send(request, None, None).await).await
    }

    /// Reads from CASEpeer what its profile has a way to read; nothing if it has none, or the record is not there.
    pub(super) async fn read_casepeer_if_it_can(
        &self,
        request: Result<Request, CannotSend>,
    ) -> Result<Option<Response>, Stop> {
        match request {
            Ok(request) => self.read_casepeer(&request).await,
            Err(CannotSend::Disabled { .. } | CannotSend::NotSearchable { .. }) => Ok(None),
            Err(wrong) => Err(wrong.into()),
        }
    }

    /// Takes a call out of what the vendor allows, before it is made.
    pub(super) async fn spend(&self, system: System) -> Result<(), Stop> {
        let has_called = self.has_called.load(Ordering::Relaxed);
        let priority = if has_called { self.priority.under_way() } else { self.priority };
        match self.firm.calls(system).spend(self.store, self.clock, &self.firm.id, priority).await? {
            Spent::Yes => {
                self.has_called.store(true, Ordering::Relaxed);
                Ok(())
            }
            Spent::Wait(wait) => Err(Stop::Quota { system, wait }),
        }
    }

    /// The record of an exchange, which also tells what the vendor allows.
    pub(super) async fn record(
        &self,
        system: System,
        exchange: &Exchange,
        effect_key: Option<&EffectKey>,
    ) -> CallRecord {
        let calls = self.firm.calls(system);
        calls.heard(exchange.announced, self.clock.now());
        // One was taken out before; what else it took is paid by whoever calls next.
        calls.owe(exchange.calls.saturating_sub(1));
        if let Err(failure) = &exchange.result
            && failure.class == CallClass::RateLimited
            && let Err(error) = calls
                .refused(self.store, self.clock, &self.firm.id, failure.retry_after, exchange.announced)
                .await
        {
            tracing::warn!(firm = %self.firm.id, "other instances are not told of a 429: {error}");
        }
        self.add_span(system, exchange);
        record(self.firm, system, exchange, effect_key)
    }

    /// Keeps a call that was made to read; what was answered, or the failure with the operation's name.
    pub(super) async fn note_read(
        &self,
        system: System,
        exchange: Exchange,
    ) -> Result<Response, (&'static str, Failure)> {
        let call = self.record(system, &exchange, None).await;
        self.reads.lock().expect("nothing panics while it holds the list").push(call);
        exchange.result.map_err(|failure| (exchange.operation, failure))
    }

    fn add_span(&self, system: System, exchange: &Exchange) {
        let Some((trace, parent)) = TraceId::current_span().filter(|_| self.spans.is_on()) else { return };
        let status = exchange.status().map(|status| ("http.response.status_code", status.to_string()));
        let attributes = [
            ("casebridge.firm", self.firm.id.to_string()),
            ("casebridge.operation", exchange.operation.to_owned()),
            ("casebridge.class", exchange.class().as_str().to_owned()),
        ];
        self.spans.add(Span {
            trace,
            id: exchange.span,
            parent: Some(parent),
            name: format!("call {system}"),
            kind: SpanKind::Client,
            began: exchange.started_at,
            took: exchange.duration,
            attributes: attributes.into_iter().chain(status).collect(),
            is_error: exchange.class() != CallClass::Ok,
        });
    }

    async fn read(&self, system: System, exchange: Exchange) -> Result<Option<Response>, Stop> {
        let call = self.record(system, &exchange, None).await;
        self.reads.lock().expect("nothing panics while it holds the list").push(call);
        match exchange.result {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => {
                Err(Stop::Vendor { system, operation: exchange.operation, failure: Box::new(failure) })
            }
        }
    }
}

/// The record of an exchange, which also tells whether the vendor is there at all.
fn record(firm: &Firm, system: System, exchange: &Exchange, effect_key: Option<&EffectKey>) -> CallRecord {
    let class = exchange.class();
    firm.breaker.note(system, class);
    metrics::counter!("casebridge_calls_total",
        "vendor" => system.as_str(), "operation" => exchange.operation, "class" => class.as_str())
    .increment(1);
    metrics::histogram!("casebridge_call_seconds", "vendor" => system.as_str(), "operation" => exchange.operation)
        .record(exchange.duration.as_secs_f64());
    let detail = exchange.result.as_ref().err().map(|failure| failure.detail.clone());
    if class != CallClass::Ok {
        let detail = detail.as_deref().unwrap_or_default();
        tracing::debug!(call.operation = exchange.operation, call.class = %class, "a call failed: {detail}");
    }
    CallRecord {
        operation: exchange.operation.to_owned(),
        target: exchange.target.clone(),
        effect_key: effect_key.map(ToString::to_string),
        status: exchange.status(),
        class,
        started_at: exchange.started_at,
        duration_ms: u64::try_from(exchange.duration.as_millis()).unwrap_or(u64::MAX),
        detail,
    }
}
