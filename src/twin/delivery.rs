//! One webhook on its way: whom it is for, how it is signed, what became of it.

use jiff::Timestamp;
use serde::Serialize;

use crate::webhook::casepeer::sign as casepeer;
use crate::webhook::highlevel::sign as highlevel;

/// How a vendor signs.
#[derive(Debug)]
pub(super) enum Signer {
    /// Ed25519 over the body, one key for every receiver.
    HighLevel(highlevel::SigningKey),
    /// HMAC over the time and the body, each attempt afresh, with the receiver's own secret.
    CasePeer,
}

/// Someone who receives webhooks.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) secret: String,
    /// The event types it wants; none means all.
    pub(super) events: Vec<String>,
}

/// A webhook and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The id in the body: HighLevel's `webhookId`, the CASEpeer event's `id`.
    pub id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it goes; empty while no receiver is known.
    pub url: String,
    /// How often it was sent.
    pub attempts: u32,
    /// The receiver's last answer; none when it was not reached.
    pub last_status: Option<u16>,
    /// True when a scripted fault lost it.
    pub is_dropped: bool,
    /// The exact body; empty for one of long ago.
    pub body: String,
    #[serde(skip)]
    pub(super) secret: String,
}

impl Delivery {
    /// The request of an attempt made now.
    pub(super) fn request(
        &self,
        http: &reqwest::Client,
        signer: &Signer,
        now: Timestamp,
    ) -> reqwest::RequestBuilder {
        let body = self.body.clone();
        let request = http.post(&self.url).header("content-type", "application/json");
        match signer {
            Signer::HighLevel(key) => request.header(highlevel::SIGNATURE_HEADER, key.sign(body.as_bytes())),
            Signer::CasePeer => {
                let now = now.as_second();
                request
                    .header(casepeer::EVENT_HEADER, &self.kind)
                    .header(casepeer::DELIVERY_HEADER, &self.id)
                    .header(casepeer::TIMESTAMP_HEADER, now)
                    .header(
                        casepeer::SIGNATURE_HEADER,
                        casepeer::sign(self.secret.as_bytes(), now, body.as_bytes()),
                    )
            }
        }
        .body(body)
    }
}
