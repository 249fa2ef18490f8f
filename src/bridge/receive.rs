//! Receiving: verify, read the envelope, commit. What is authentic is kept, whatever it says.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use jiff::SignedDuration;
use uuid::Uuid;

use super::{Bridge, Firm};
use crate::domain::{Cause, EventId, FirmId, System};
use crate::operations::casepeer::Inbound;
use crate::store::{Address, Arrival, DeliveryKey, EventRow, Recorded, StoreError};
use crate::telemetry::{Span, SpanKind, TraceId, span_id};
use crate::webhook::highlevel::Signatures;
use crate::webhook::{
    Envelope, Headers, NoHeaders, Proof, Refusal, Unreadable, Verified, casepeer, highlevel,
};

/// Why a webhook was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The sender is not proven.
    #[error("{0}")]
    Signature(#[from] Refusal),
    /// No firm has this secret URL.
    #[error("no firm has this URL")]
    UnknownUrl,
    /// More come for this firm than are taken.
    #[error("more come than are taken")]
    TooFast,
    /// It cannot be committed now.
    #[error("{0}")]
    Busy(#[from] StoreError),
}

/// How old HighLevel's own timestamp may be. It redelivers for hours, and no document says that a redelivery is
/// stamped afresh, so its id is what guards against a replay; this only sets aside what is older than any retry.
const OLDEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The longest id or type of a delivery that is kept as it is, in bytes: HighLevel's are under 40.
const LONGEST_WORD: usize = 200;

/// How many webhooks of locations that no firm has are kept each second.
const STRANGERS_PER_SECOND: u32 = 50;

/// What an unreadable delivery is stored as.
const UNREADABLE: &str = "unreadable";

impl Bridge {
    /// Takes a webhook of the Marketplace app.
    pub async fn receive_highlevel(
        &self,
        signatures: Signatures<'_>,
        body: Bytes,
    ) -> Result<Recorded, Refused> {
        let verified = highlevel::verify(&self.highlevel_keys, signatures, body);
        self.verification.note(System::HighLevel, verified.is_ok(), self.clock.now());
        let verified = verified?;
        let envelope = highlevel::read_envelope(verified.body());
        let firm = envelope
            .as_ref()
            .ok()
            // The app's own coming and going is worked on even while its firm is parked, and for a location no firm has.
            .filter(|envelope| !self.is_installation(&envelope.kind))
            .and_then(|envelope| self.firms.by_location(envelope.tenant.as_deref()?));
        let problem = envelope.as_ref().ok().and_then(|envelope| self.problem_of(envelope, firm.is_some()));
        let firm = firm.map_or_else(FirmId::unknown, |firm| firm.id.clone());
        self.record(firm, System::HighLevel, verified, envelope, problem).await
    }

    /// Whether a firm has this secret URL for Workflows.
    pub fn knows_workflow(&self, token: &str) -> bool {
        self.firms.by_workflow_token(token, self.clock.now()).is_some()
    }

    /// How the sender at a firm's secret URL for the CASEpeer side is spoken to; nothing if no firm has this URL.
    pub fn casepeer_sender(&self, token: &str) -> Option<CasePeerSender> {
        let firm = self.firms.by_inbound_token(token, self.clock.now())?;
        Some(CasePeerSender(firm))
    }

    /// Takes a webhook of a Workflow's webhook action, sent to a firm's secret URL.
    pub async fn receive_workflow(
        &self,
        token: &str,
        headers: &impl Headers,
        body: Bytes,
    ) -> Result<Recorded, Refused> {
        let now = self.clock.now();
        let firm = self.firms.by_workflow_token(token, now).ok_or(Refused::UnknownUrl)?;
        let header = firm.workflow_header.as_ref();
        let given = header.and_then(|header| headers.value(&header.name));
        let expected = header.map(|header| header.secret.live(now).map(|secret| secret.reveal().as_bytes()));
        let verified = highlevel::verify_secret_header(expected, given, body)?;
        let envelope = highlevel::read_workflow_envelope(verified.body());
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
        sender: &CasePeerSender,
        headers: &impl Headers,
        body: Bytes,
    ) -> Result<Recorded, Refused> {
        let firm = &sender.0;
        let profile = firm.casepeer.profile();
        let now = self.clock.now();
        let live = firm.webhook_secrets.iter().filter(|secret| secret.is_live(now));
        let secrets = live.map(|secret| secret.reveal().as_bytes());
        let verify = profile.inbound().verify.as_ref();
        let verified = casepeer::verify(verify, secrets, headers, now, body);
        self.verification.note(System::CasePeer, verified.is_ok(), now);
        let verified = verified?;
        let envelope = casepeer::read_envelope(profile.events(), headers, verified.body());
        self.record(firm.id.clone(), System::CasePeer, verified, envelope, None).await
    }

    /// Replays a settled event. One that was set aside on arrival is read anew: the configuration may have its firm by
    /// now, or the build may be able to read it. `None` if there is none, `false` if it is not settled.
    pub async fn replay(&self, id: EventId) -> Result<Option<bool>, StoreError> {
        let Some(story) = self.store.event(id).await? else { return Ok(None) };
        let (row, is_settled) = (&story.row, story.row.state.is_settled());
        if is_settled && (row.firm.is_unknown() || row.kind == UNREADABLE) && !is_ours(&row.kind) {
            let is_workflow = story.verified_by == Proof::SecretUrl.as_str();
            if let Some(address) = self.address(row, is_workflow, self.store.payload(id).await?) {
                self.store.readdress(id, address).await?;
            }
        }
        let replayed = self.store.replay(id).await?;
        if replayed == Some(true) {
            self.ring();
        }
        Ok(replayed)
    }

    fn address(&self, row: &EventRow, is_workflow: bool, payload: Option<Vec<u8>>) -> Option<Address> {
        let payload = payload?;
        let envelope = match (row.source, is_workflow) {
            (System::CasePeer, _) => {
                let firm = self.firms.find(&row.firm)?;
                casepeer::read_envelope(firm.casepeer.profile().events(), &NoHeaders, &payload)
            }
            (System::HighLevel, true) => highlevel::read_workflow_envelope(&payload),
            (System::HighLevel, false) => highlevel::read_envelope(&payload),
        };
        let envelope = envelope.ok()?;
        let named = envelope.tenant.as_deref().and_then(|location| self.firms.by_location(location));
        let firm = if row.firm.is_unknown() { named?.id.clone() } else { row.firm.clone() };
        let is_update = self.is_update(&firm, row.source, &envelope.kind);
        Some(Address { firm, is_update, kind: envelope.kind, records: envelope.records })
    }

    /// Whether an event of this type is about where our app is installed. Without a client id, nobody knows which is ours.
    pub(super) fn is_installation(&self, kind: &str) -> bool {
        self.highlevel_app.is_some() && highlevel::is_installation(kind)
    }

    /// What keeps an app's webhook from being worked on.
    fn problem_of(&self, envelope: &Envelope, has_firm: bool) -> Option<(Cause, String)> {
        if let (Some(ours), Some(theirs)) = (&self.highlevel_app, &envelope.app)
            && ours != theirs
        {
            return Some((Cause::NotOurs, format!("it was sent for another app ({theirs})")));
        }
        if self.is_installation(&envelope.kind) {
            // All apps' webhooks are signed with the same key: this one must name ours.
            let is_ours = envelope.app.is_some();
            return (!is_ours).then(|| (Cause::NotOurs, "it does not say which app it is about".to_owned()));
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

    /// Whether an event of this type only says that a record changed.
    pub(super) fn is_update(&self, firm: &FirmId, source: System, kind: &str) -> bool {
        match source {
            System::HighLevel => highlevel::is_update(kind),
            System::CasePeer => {
                let firm = self.firms.find(firm);
                firm.is_some_and(|firm| casepeer::is_update(firm.casepeer.profile().events(), kind))
            }
        }
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
        metrics::counter!("casebridge_webhooks_verified_total",
            "sender" => source.as_str(), "proof" => verified.proof().as_str())
        .increment(1);
        let takes = match self.firms.find(&firm) {
            Some(firm) => firm.pace.takes(self.firm_per_second, received_at),
            None => self.strangers.takes(self.firm_per_second.min(STRANGERS_PER_SECOND), received_at),
        };
        if !takes {
            return Err(Refused::TooFast);
        }
        let (envelope, problem) = match envelope {
            Ok(envelope) => (envelope, problem),
            Err(why) => {
                let envelope = Envelope { kind: UNREADABLE.into(), ..Envelope::default() };
                (envelope, Some((Cause::Unreadable, format!("cannot be read: {why}"))))
            }
        };
        let delivery_key = match envelope.delivery_id {
            Some(id) if id.len() <= LONGEST_WORD => DeliveryKey::Sender(id),
            _ => DeliveryKey::Body(self.keyring.fingerprint("delivery", verified.body())),
        };
        let is_update = self.is_update(&firm, source, &envelope.kind);
        let arrival = Arrival {
            id: EventId(Uuid::now_v7()),
            firm,
            source,
            kind: foreign(bounded(envelope.kind)),
            delivery_key,
            records: envelope.records,
            proof: verified.proof().as_str(),
            payload: verified.body().clone(),
            sent_at: envelope.sent_at,
            received_at,
            is_update,
            undeliverable: problem,
            trace: TraceId::current(),
        };
        let (event, began, timer) = (arrival.id, arrival.received_at, Instant::now());
        let (kind, firm) = (arrival.kind.clone(), arrival.firm.clone());
        let recorded = self.store.record(arrival).await?;
        if self.spans.is_on() {
            let (trace, parent) = TraceId::current_span().unwrap_or((TraceId::of(None, event.0), span_id()));
            let attributes = vec![
                ("casebridge.event.id", event.to_string()),
                ("casebridge.event.type", kind),
                ("casebridge.firm", firm.to_string()),
                ("casebridge.source", source.to_string()),
            ];
            let (kind, took, name) = (SpanKind::Server, timer.elapsed(), "receive webhook".to_owned());
            let is_error = false;
            self.spans.add(Span {
                trace,
                id: parent,
                parent: None,
                name,
                kind,
                began,
                took,
                attributes,
                is_error,
            });
        }
        if matches!(recorded, Recorded::Stored(_)) {
            self.ring();
        }
        Ok(recorded)
    }
}

/// A sender's name for what happened, which is none of the names that the bridge itself uses.
fn foreign(kind: String) -> String {
    if is_ours(&kind) { format!("unknown {kind}") } else { kind }
}

/// Whether the bridge itself records events of this type.
fn is_ours(kind: &str) -> bool {
    let ours = [super::automations::OWN, super::by_hand::ACTION, super::hooks::DELIVERY];
    ours.iter().any(|start| kind.starts_with(start))
}

/// How the sender at one firm's secret URL proves itself and is spoken to.
pub struct CasePeerSender(Arc<Firm>);

impl CasePeerSender {
    /// Whether the header that proves the sender is there: without it the body need not be read.
    pub fn has_proof(&self, headers: &impl Headers) -> bool {
        casepeer::has_proof(self.inbound().verify.as_ref(), headers)
    }

    /// How it is answered, and what it gets back if it only asks whether somebody is there.
    pub fn inbound(&self) -> &Inbound {
        self.0.casepeer.profile().inbound()
    }
}

/// A sender's word or id, cut to a length that a row and a log line can carry.
fn bounded(mut text: String) -> String {
    if text.len() > LONGEST_WORD {
        let end = (0..=LONGEST_WORD).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
