//! The work on one claimed event: its firm, its lease, and the calls it makes.

use std::sync::Mutex;

use jiff::Timestamp;

use crate::clock::SharedClock;
use crate::crypto::Keyring;
use crate::domain::{CallClass, EffectKey, Question, System};
use crate::operations::{Request, Response, Unexpected};
use crate::store::{CallRecord, Lease, SharedStore, StoreError};
use crate::vendors::{Exchange, Failure};

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
    clock: &'a SharedClock,
    reads: Mutex<Vec<CallRecord>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(bridge: &'a Bridge, firm: &'a Firm, lease: &'a Lease) -> Self {
        let Bridge { store, keyring, clock, .. } = bridge;
        Self { firm, store, keyring, lease, clock, reads: Mutex::new(Vec::new()) }
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
        self.read(System::HighLevel, self.firm.highlevel.send(request, None).await)
    }

    /// Reads from CASEpeer; nothing if the record is not there.
    pub(super) async fn read_casepeer(&self, request: &Request) -> Result<Option<Response>, Stop> {
        self.read(System::CasePeer, self.firm.casepeer.send(request, None, None).await)
    }

    fn read(&self, system: System, exchange: Exchange) -> Result<Option<Response>, Stop> {
        let call = record(self.firm, system, &exchange, None);
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
pub(super) fn record(
    firm: &Firm,
    system: System,
    exchange: &Exchange,
    effect_key: Option<&EffectKey>,
) -> CallRecord {
    let class = exchange.class();
    firm.breaker.note(system, class);
    metrics::counter!("casebridge_calls_total", "operation" => exchange.operation, "class" => class.as_str())
        .increment(1);
    metrics::histogram!("casebridge_call_seconds", "operation" => exchange.operation)
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
