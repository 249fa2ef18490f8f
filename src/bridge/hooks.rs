//! Hooks: whoever subscribed to a trigger is told of it, signed by the Standard Webhooks scheme
//! (<https://www.standardwebhooks.com>). A delivery is an event of its own: durable, retried, seen with its calls, and
//! replayed like any other. What is told is what the catalog lists for the trigger, and nothing else of the payload.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use standardwebhooks::Webhook;
use uuid::Uuid;

use super::automations::happened::{self, Happened};
use super::{Bridge, reconcile, settle};
use crate::crypto::random_fraction;
use crate::domain::{CallClass, EventId, FirmId, Outcome};
use crate::operations::Effect;
use crate::operations::catalog::Entry;
use crate::rules::TimeZone;
use crate::rules::automation::sample;
use crate::store::{Arrival, CallRecord, Claim, DeliveryKey, Hook, Recorded, SharedStore, StoreError};
use crate::telemetry::TraceId;

/// What begins the type of a delivery; the hook's id follows.
pub(super) const DELIVERY: &str = "hook:";
/// How the sender of such an event is proven.
const BY_BRIDGE: &str = "casebridge";
/// How long a hook may fail without one success in between, until it is ended.
const PATIENCE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The hooks, as they were read last.
#[derive(Default)]
pub(super) struct HookIndex(RwLock<(Option<u64>, Arc<Vec<Hook>>)>);

impl HookIndex {
    fn now(&self) -> (Option<u64>, Arc<Vec<Hook>>) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the hooks anew if somebody made or ended one.
    pub(super) async fn refresh(&self, store: &SharedStore) -> Result<(), StoreError> {
        let changes = Some(store.hooks_changed().await?);
        if self.now().0 == changes {
            return Ok(());
        }
        let hooks = store.hooks().await?.into_iter().filter(|hook| hook.ended.is_none()).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (changes, Arc::new(hooks));
        Ok(())
    }

    /// Whether somebody listens for this trigger of a firm.
    pub(super) fn hear(&self, firm: &str, trigger: &str) -> bool {
        self.now().1.iter().any(|hook| hook.firm == firm && hook.trigger == trigger)
    }

    /// Whether anybody listens for any of these.
    pub(super) fn hear_any(&self, firm: &str, triggers: &[&str]) -> bool {
        self.now().1.iter().any(|hook| hook.firm == firm && triggers.contains(&hook.trigger.as_str()))
    }
}

/// What a trigger tells a hook: its listed fields, with the payload's values.
pub fn told(trigger: &Entry, data: &Value) -> Value {
    let mut told = Value::Object(Map::new());
    for parameter in &trigger.parameters {
        let mut from = data;
        if !parameter.name.split('.').all(|step| from.get(step).map(|inner| from = inner).is_some()) {
            continue;
        }
        let mut place = &mut told;
        for step in parameter.name.split('.') {
            place = &mut place[step];
        }
        *place = from.clone();
    }
    told
}

impl Bridge {
    /// Whether a hook may lead to this address; why not.
    pub fn may_deliver_to(&self, url: &str) -> Result<(), String> {
        let http = self.http.read().unwrap_or_else(PoisonError::into_inner);
        http.may_deliver(url).map_err(|why| why.to_string().trim_end_matches(": nothing was sent").to_owned())
    }

    /// What a delivery of this trigger looks like, by the catalog's examples.
    pub fn hook_sample(&self, trigger: &'static Entry) -> Value {
        let sample = sample(trigger, self.clock.now(), TimeZone::default());
        let event = EventId(Uuid::nil());
        json!({
            "type": trigger.id, "timestamp": self.clock.now().to_string(), "firm": "acme", "event": event,
            "data": told(trigger, &sample.data),
        })
    }

    /// Hands an event to the hooks that listen for it, each once.
    pub(super) async fn hand_to_hooks(&self, claim: &Claim) -> Result<(), StoreError> {
        let Ok(payload) = &claim.payload else { return Ok(()) };
        let own: Value = if claim.lease.firm.is_unknown() {
            serde_json::from_slice(payload).unwrap_or_default()
        } else {
            Value::Null
        };
        let id = FirmId::new(own["firm"].as_str().unwrap_or(claim.lease.firm.as_str()));
        let Some(firm) = self.firms.find(&id) else { return Ok(()) };
        let Some(trigger) = happened::trigger(&firm, claim.source, &claim.kind) else { return Ok(()) };
        if !self.hooks.hear(firm.id.as_str(), &trigger.id) || reconcile::is_backfill(payload) {
            return Ok(());
        }
        let Some(happened) = Happened::read(&firm, claim.source, &claim.kind, trigger, payload) else {
            return Ok(());
        };
        let event = claim.lease.event.to_string();
        let body = json!({
            "type": trigger.id, "timestamp": claim.received_at.to_string(), "firm": firm.id, "event": event,
            "data": told(trigger, &happened.data),
        });
        let hooks = self.hooks.now().1;
        for hook in hooks.iter().filter(|hook| hook.firm == firm.id.as_str() && hook.trigger == trigger.id) {
            let arrival = Arrival {
                id: EventId(Uuid::now_v7()),
                firm: claim.lease.firm.clone(),
                source: claim.source,
                kind: format!("{DELIVERY}{}", hook.id),
                delivery_key: DeliveryKey::Sender(format!("{DELIVERY}{}:{event}", hook.id)),
                records: Vec::new(),
                proof: BY_BRIDGE,
                payload: json!({ "casebridge": "hook", "body": body.to_string() }).to_string().into(),
                sent_at: None,
                received_at: self.clock.now(),
                is_update: false,
                undeliverable: None,
                trace: TraceId::current(),
            };
            if let Recorded::Stored(_) = self.store.record(arrival).await? {
                self.ring();
            }
        }
        Ok(())
    }

    /// The turn of a delivery: how it ends, and the call that was made.
    pub(super) async fn deliver(
        &self,
        claim: &Claim,
        payload: &[u8],
    ) -> Result<(Outcome, Option<CallRecord>), StoreError> {
        let nothing = |why: &str| Ok((Outcome::NothingToDo { why: why.to_owned() }, None));
        let id = claim.kind.strip_prefix(DELIVERY).unwrap_or_default();
        let hooks = self.store.hooks().await?;
        let Some(hook) = hooks.into_iter().find(|hook| hook.id == id) else {
            return nothing("the hook was removed");
        };
        if hook.ended.is_some() {
            return nothing("the hook has ended");
        }
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        let body = said["body"].as_str().unwrap_or_default();
        let now = self.clock.now();
        let message = claim.lease.event.to_string();
        let live = hook.target.before.iter().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        let signatures = std::iter::once(&hook.target.secret).chain(live).filter_map(|secret| {
            Webhook::new(secret).ok()?.sign(&message, now.as_second(), body.as_bytes()).ok()
        });
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        let stamp = now.as_second().to_string();
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", message.as_str()),
            ("webhook-timestamp", stamp.as_str()),
            ("webhook-signature", signatures.as_str()),
        ];
        let began = std::time::Instant::now();
        let http = self.http.read().unwrap_or_else(PoisonError::into_inner).clone();
        let sent = http.deliver(&hook.target.url, &headers, body.into(), Effect::Idempotent).await;
        let status = match &sent {
            Ok(answer) => Some(answer.status),
            Err(failure) => failure.answer.as_ref().map(|answer| answer.status),
        };
        let call = CallRecord {
            operation: "hook.deliver".into(),
            // The address may be a secret.
            target: format!("POST hook {id}"),
            effect_key: None,
            status,
            class: sent.as_ref().err().map_or(CallClass::Ok, |failure| failure.class),
            started_at: now,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            detail: sent.as_ref().err().map(|failure| failure.detail.clone()),
        };
        let failing_since = self.store.note_delivery(id, sent.is_ok()).await?;
        let Err(failure) = sent else { return Ok((Outcome::Done, Some(call))) };
        // 410 is how a receiver says that it will never listen again.
        let is_over = failing_since.is_some_and(|since| now.duration_since(since) > PATIENCE);
        if status == Some(410) || is_over {
            let why =
                if is_over { "nothing was delivered for three days" } else { "its receiver answered 410" };
            tracing::warn!(hook = id, firm = hook.firm, trigger = hook.trigger, "a hook has ended: {why}");
            self.store.end_hook(id, why).await?;
            return Ok((Outcome::NothingToDo { why: format!("the hook has ended: {why}") }, Some(call)));
        }
        let why = format!("the hook's receiver {}", failure.detail);
        Ok((settle::again(why, claim.failed_attempts, random_fraction()), Some(call)))
    }
}
