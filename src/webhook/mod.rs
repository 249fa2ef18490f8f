//! Webhooks: raw bytes → [`Verified`] → [`Envelope`] (what must be known to store it) → [`Reading`] (what it means).
//!
//! One folder a sender with the same file names: `verify`, `envelope`, `event`, `sign`, `sample`. Signatures are
//! checked over the raw bytes, before anything is parsed; nothing but a `verify` function makes a [`Verified`].

pub mod casepeer;
pub mod highlevel;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::{Fact, RecordKind, RecordRef};

/// The largest webhook body, in bytes. HighLevel documents no limit; its own samples are under 4 KiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// A body whose sender is proven.
#[derive(Clone)]
pub struct Verified {
    body: Bytes,
    proof: Proof,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Verified({:?}, {} bytes)", self.proof, self.body.len())
    }
}

impl Verified {
    /// The bytes as they arrived.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// How the sender was proven.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

/// How a sender was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// HighLevel's Ed25519 signature.
    Ed25519,
    /// HighLevel's former RSA signature.
    LegacyRsa,
    /// HMAC-SHA256 under a shared secret.
    Hmac,
    /// The Standard Webhooks scheme.
    StandardWebhooks,
    /// A secret header.
    SharedHeader,
    /// HTTP basic authentication.
    Basic,
    /// An unguessable URL, with a secret header where the firm has set one.
    SecretUrl,
}

impl Proof {
    /// The word used in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::LegacyRsa => "rsa",
            Self::Hmac => "hmac",
            Self::StandardWebhooks => "standard_webhooks",
            Self::SharedHeader => "shared_header",
            Self::Basic => "basic",
            Self::SecretUrl => "secret_url",
        }
    }
}

/// Why a delivery was refused. For our own log: the sender is told nothing that would help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No signature header, or the literal `N/A` that HighLevel sends for "none".
    #[error("no signature, or not the header that proves the sender")]
    Missing,
    /// Not in the form its scheme prescribes.
    #[error("malformed signature")]
    Malformed,
    /// Signed by another key, or the body was changed.
    #[error("signature does not match any configured key")]
    Mismatch,
    /// Signed too long ago, or in the future: perhaps a replay, perhaps a clock that is off.
    #[error("signed outside the allowed window")]
    Stale,
    /// The profile says of no way to prove a sender.
    #[error("the profile says of no way to prove a sender ([inbound.verify])")]
    NoScheme,
}

/// The headers of a delivery.
pub trait Headers {
    /// The value of a header, whatever the case of its name; the first, if it came more than once.
    fn value(&self, name: &str) -> Option<&[u8]>;

    /// The same as text.
    fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.value(name)?).ok()
    }
}

/// No headers at all: those of a delivery are not kept.
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn value(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

/// What must be known of a delivery before it can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The sender's own id of this event, the same on every redelivery.
    pub delivery_id: Option<String>,
    /// The sender's name for what happened.
    pub kind: String,
    /// The sender's name for the tenant.
    pub tenant: Option<String>,
    /// The Marketplace app it was sent for.
    pub app: Option<String>,
    /// When the sender says it happened.
    pub sent_at: Option<Timestamp>,
    /// The records it names: first what it is about, then whose that is.
    pub records: Vec<RecordRef>,
}

/// What a stored delivery means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Something the bridge acts on.
    Fact(Fact),
    /// A type that no rule is about.
    NoRule,
    /// A carrier confirms what was handed to it.
    Confirmed(Confirmation),
}

/// The confirmation of a hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The reference that went with it.
    pub reference: String,
    /// The kind of record that was to come of it.
    pub kind: Option<RecordKind>,
    /// The record that came of it, if the carrier learnt its id.
    pub record: Option<RecordRef>,
}

/// An authentic body that this build cannot read; it is kept, and a build that can will replay it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Parses a body as a JSON object. serde_json refuses nesting deeper than 128.
fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Unreadable("the body is JSON, but not an object".into())),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(Unreadable(format!(
                "the body is not JSON this build can read (line {line}, column {column})"
            )))
        }
    }
}

/// An id or word, which senders write as text or as a number.
fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A moment, written as RFC 3339 text or as a Unix time in seconds or milliseconds.
fn moment(object: &Map<String, Value>, key: &str) -> Option<Timestamp> {
    moment_of(object.get(key)?)
}

/// The same of a value; in a form even a number is text.
fn moment_of(value: &Value) -> Option<Timestamp> {
    let number = match value {
        Value::String(text) => match text.parse() {
            Ok(moment) => return Some(moment),
            Err(_) => text.parse().ok()?,
        },
        Value::Number(number) => number.as_i64()?,
        _ => return None,
    };
    // Milliseconds since 1970 passed this figure in 1973; seconds will in the year 5138.
    if number.abs() >= 100_000_000_000 {
        Timestamp::from_millisecond(number).ok()
    } else {
        Timestamp::from_second(number).ok()
    }
}
