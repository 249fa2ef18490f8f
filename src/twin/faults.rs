//! Scripted misbehaviour: what a vendor does wrong, to which requests, how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::ledger::Vendor;

/// A scripted fault: the next `times` requests that match get the misbehaviour, then it is spent.
///
/// As JSON (`POST /twin/faults`) the misbehaviour's fields stand beside the others:
/// `{"vendor":"highlevel","method":"POST","path":"/contacts/","times":2,"kind":"status","status":429,"retry_after":1}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Whose fault it is.
    #[serde(default)]
    pub vendor: Vendor,
    /// The HTTP method it is limited to; ignored for webhooks.
    #[serde(default)]
    pub method: Option<String>,
    /// The start of the path (of CASEpeer: after `/api/v1`); for webhooks the start of the event's type.
    #[serde(default)]
    pub path: String,
    /// How many matching requests it hits.
    #[serde(default = "once")]
    pub times: u64,
    /// Hits only each n-th matching request: 10 of 100 with `every` 10.
    #[serde(default = "once")]
    pub every: u64,
    /// What goes wrong.
    #[serde(flatten)]
    pub misbehaviour: Misbehaviour,
    #[serde(skip)]
    seen: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Misbehaviour {
    /// Answers this status in the vendor's error shape, without effect.
    Status {
        /// The HTTP status.
        status: u16,
        /// The `Retry-After` header in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// A body in place of the vendor's usual one.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Nothing happens; the connection is held, then dropped.
    TimeoutBefore {
        /// How long it is held, in milliseconds.
        #[serde(default = "hold_milliseconds")]
        hold_milliseconds: u64,
    },
    /// The effect happens; the connection is held, then dropped without an answer.
    TimeoutAfter {
        /// How long it is held, in milliseconds.
        #[serde(default = "hold_milliseconds")]
        hold_milliseconds: u64,
    },
    /// The effect happens and the answer is 422 (HighLevel's issue 64).
    #[serde(rename = "created_but_422")]
    CreatedBut422,
    /// The body's properties of these names are not taken, without a word: the answer is a success.
    IgnoredProperties {
        /// Their names.
        names: Vec<String>,
    },
    /// Searches do not show records younger than this.
    SearchLag {
        /// The age in seconds at which a record shows.
        seconds: i64,
    },
    /// From the next request on, the bearer token it carried is refused.
    RevokedToken,
    /// OAuth access tokens handed out so far are refused, as if their time were over.
    ExpiredTokens,
    /// A webhook is never sent.
    DropWebhook,
    /// A webhook is sent twice.
    DuplicateWebhook,
    /// A webhook is overtaken by the next one.
    ReorderWebhook,
    /// A webhook waits until the late ones are released, or until the time is over.
    LateWebhook {
        /// How long it waits (real time); without, until it is released.
        #[serde(default)]
        seconds: Option<u64>,
    },
}

impl Misbehaviour {
    /// True when it concerns webhooks and not requests.
    pub(super) fn is_about_webhooks(&self) -> bool {
        use Misbehaviour::{DropWebhook, DuplicateWebhook, LateWebhook, ReorderWebhook};
        matches!(self, DropWebhook | DuplicateWebhook | ReorderWebhook | LateWebhook { .. })
    }
}

fn once() -> u64 {
    1
}

/// Long enough to be seen as a hang by a client with a short timeout, short enough for a test to wait it out.
fn hold_milliseconds() -> u64 {
    100
}

impl Fault {
    /// A fault that hits the next request.
    pub fn new(misbehaviour: Misbehaviour) -> Self {
        Self {
            vendor: Vendor::default(),
            method: None,
            path: String::new(),
            times: 1,
            every: 1,
            misbehaviour,
            seen: 0,
        }
    }

    /// A fault that answers this status.
    pub fn status(status: u16) -> Self {
        Self::new(Misbehaviour::Status { status, retry_after: None, body: None })
    }

    /// A fault after which nothing has happened and no answer comes.
    pub fn timeout_before() -> Self {
        Self::new(Misbehaviour::TimeoutBefore { hold_milliseconds: hold_milliseconds() })
    }

    /// A fault after which the effect has happened and no answer comes.
    pub fn timeout_after() -> Self {
        Self::new(Misbehaviour::TimeoutAfter { hold_milliseconds: hold_milliseconds() })
    }

    /// A fault that takes the request and leaves these properties of its body out.
    pub fn ignored_properties(names: &[&str]) -> Self {
        Self::new(Misbehaviour::IgnoredProperties {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    /// Limits it to requests of this method whose path starts so.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = path.to_owned();
        self
    }

    /// Hits this many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Hits only each n-th matching request.
    #[must_use]
    pub fn every(mut self, every: u64) -> Self {
        self.every = every;
        self
    }
}

/// A vendor's faults that are not spent yet.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds a fault behind those already scripted.
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Forgets every fault.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The misbehaviour this request gets, if any.
    pub(super) fn for_call(&mut self, call: &Call) -> Option<Misbehaviour> {
        // A lag is not spent on requests that search nothing.
        let searches = call.path.contains("search") || call.segments().len() == 1;
        self.take(|fault| {
            !fault.misbehaviour.is_about_webhooks()
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|method| method.eq_ignore_ascii_case(call.method.as_str()))
                && call.path.starts_with(&fault.path)
                && (searches || !matches!(fault.misbehaviour, Misbehaviour::SearchLag { .. }))
        })
    }

    /// The misbehaviour the webhook of this type gets, if any.
    pub(super) fn for_webhook(&mut self, kind: &str) -> Option<Misbehaviour> {
        self.take(|fault| fault.misbehaviour.is_about_webhooks() && kind.starts_with(&fault.path))
    }

    fn take(&mut self, matches: impl Fn(&Fault) -> bool) -> Option<Misbehaviour> {
        let position = self.0.iter_mut().position(|fault| {
            if !matches(fault) {
                return false;
            }
            fault.seen += 1;
            fault.seen.is_multiple_of(fault.every.max(1))
        })?;
        let fault = &mut self.0[position];
        fault.times = fault.times.saturating_sub(1);
        let misbehaviour = fault.misbehaviour.clone();
        self.0.retain(|fault| fault.times > 0);
        Some(misbehaviour)
    }
}

/// How long a dropped connection is held.
pub(super) fn hold(milliseconds: u64) -> Duration {
    // A day is more than any client waits; it also keeps the sleep within what timers can hold.
    Duration::from_millis(milliseconds.min(86_400_000))
}
