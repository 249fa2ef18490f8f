//! Receiving: verify, read the envelope, commit. What is authentic is kept, whatever it says.

use bytes::Bytes;
use jiff::SignedDuration;
use uuid::Uuid;

use super::{Bridge, Firm};
use crate::domain::{Cause, EventId, FirmId, System};
use crate::store::{Arrival, DeliveryKey, Recorded, StoreError};
use crate::webhook::highlevel::Signatures;
use crate::webhook::{Envelope, Refusal, Unreadable, Verified, casepeer, highlevel};

/// Why a webhook was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The sender is not proven.
    #[error("{0}")]
    Signature(#[from] Refusal),
    /// No firm has this secret URL.
    #[error("no firm has this URL")]
    UnknownUrl,
    /// It cannot be committed now.
    #[error("{0}")]
    Busy(#[from] StoreError),
}

/// How old HighLevel's own timestamp may be. It redelivers for hours, and no document says that a redelivery is
/// stamped afresh, so its id is what guards against a replay; this only sets aside what is older than any retry.
const OLDEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What an unreadable delivery is stored as.
const UNREADABLE: &str = "unreadable";

/// How a Workflow's webhook may show that it knows the firm's secret.
pub trait WorkflowHeaders {
    /// The value of a header.
    fn value(&self, name: &str) -> Option<&[u8]>;
}

impl Bridge {
    /// Takes a webhook of the Marketplace app.
    pub async fn receive_highlevel(
        &self,
        signatures: Signatures<'_>,
        body: Bytes,
    ) -> Result<Recorded, Refused> {
        let verified = highlevel::verify(&self.highlevel_keys, signatures, body)?;
        let envelope = highlevel::read_envelope(&verified);
        let firm =
            envelope.as_ref().ok().and_then(|envelope| self.firms.by_location(envelope.tenant.as_deref()?));
        let problem = envelope.as_ref().ok().and_then(|envelope| self.problem_of(envelope, firm.is_some()));
        let firm = firm.map_or_else(FirmId::unknown, |firm| firm.id.clone());
        self.record(firm, System::HighLevel, verified, envelope, problem).await
    }

    /// Whether a firm has this secret URL for Workflows.
    pub fn knows_workflow(&self, token: &str) -> bool {
        self.firms.by_workflow_token(token).is_some()
    }

    /// Whether a firm has this secret URL for the CASEpeer side.
    pub fn knows_casepeer(&self, token: &str) -> bool {
        self.firms.by_inbound_token(token).is_some()
    }

    /// Takes a webhook of a Workflow's webhook action, sent to a firm's secret URL.
    pub async fn receive_workflow(
        &self,
        token: &str,
        headers: &impl WorkflowHeaders,
        body: Bytes,
    ) -> Result<Recorded, Refused> {
        let firm = self.firms.by_workflow_token(token).ok_or(Refused::UnknownUrl)?;
        let expected = firm.workflow_header.as_ref().map(|(name, secret)| (name, secret.reveal().as_bytes()));
        let given = expected.and_then(|(name, _)| headers.value(name));
        let verified = highlevel::verify_secret_header(expected.map(|(_, secret)| secret), given, body)?;
        let envelope = highlevel::read_workflow_envelope(&verified);
        let other = envelope.as_ref().ok().and_then(|envelope| envelope.tenant.as_deref());
        let problem = other.filter(|location| *location != firm.location).map(|location| {
            let why = format!("it speaks of location {location}, which is not the one of this firm's URL");
            (Cause::NotOurs, why)
        });
        self.record(firm.id.clone(), System::HighLevel, verified, envelope, problem).await
    }

    /// Takes a webhook of the CASEpeer side, sent to a firm's secret URL.
    pub async fn receive_casepeer(
        &self,
        token: &str,
        timestamp: Option<&str>,
        signature: Option<&str>,
        body: Bytes,
    ) -> Result<Recorded, Refused> {
        let firm: &Firm = self.firms.by_inbound_token(token).ok_or(Refused::UnknownUrl)?;
        let secrets = firm.webhook_secrets.iter().map(|secret| secret.reveal().as_bytes());
        let verified = casepeer::verify(secrets, timestamp, signature, self.clock.now(), body)?;
        let envelope = casepeer::read_envelope(&verified);
        self.record(firm.id.clone(), System::CasePeer, verified, envelope, None).await
    }

    /// What keeps an app's webhook from being worked on.
    fn problem_of(&self, envelope: &Envelope, has_firm: bool) -> Option<(Cause, String)> {
        if let (Some(ours), Some(theirs)) = (&self.highlevel_app, &envelope.app)
            && ours != theirs
        {
            return Some((Cause::NotOurs, format!("it was sent for another app ({theirs})")));
        }
        if !has_firm {
            let why = match &envelope.tenant {
                Some(location) => format!("no firm for this location ({location})"),
                None => "no firm: it names no location".into(),
            };
            return Some((Cause::NotOurs, why));
        }
        let age = self.clock.now().duration_since(envelope.sent_at?);
        (age > OLDEST).then(|| (Cause::TooOld, "it is older than 7 days".into()))
    }

    async fn record(
        &self,
        firm: FirmId,
        source: System,
        verified: Verified,
        envelope: Result<Envelope, Unreadable>,
        problem: Option<(Cause, String)>,
    ) -> Result<Recorded, Refused> {
        let received_at = self.clock.now();
        let (envelope, problem) = match envelope {
            Ok(envelope) => (envelope, problem),
            Err(why) => {
                let envelope = Envelope { kind: UNREADABLE.into(), ..Envelope::default() };
                (envelope, Some((Cause::Unreadable, format!("cannot be read: {why}"))))
            }
        };
        let delivery_key = match envelope.delivery_id {
            Some(id) => DeliveryKey::Sender(id),
            None => DeliveryKey::Body(self.keyring.fingerprint("delivery", verified.body())),
        };
        let is_update = match source {
            System::HighLevel => highlevel::is_update(&envelope.kind),
            System::CasePeer => casepeer::is_update(&envelope.kind),
        };
        let arrival = Arrival {
            id: EventId(Uuid::now_v7()),
            firm,
            source,
            kind: envelope.kind,
            delivery_key,
            records: envelope.records,
            proof: verified.proof().as_str(),
            payload: verified.body().clone(),
            sent_at: envelope.sent_at,
            received_at,
            is_update,
            undeliverable: problem,
        };
        let recorded = self.store.record(arrival).await?;
        if matches!(recorded, Recorded::Stored(_)) {
            self.ring();
        }
        Ok(recorded)
    }
}
