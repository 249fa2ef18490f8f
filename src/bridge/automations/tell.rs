//! What the bridge itself tells, as events of its own: only where somebody listens.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::Bridge;
use super::super::hooks::DELIVERY;
use super::happened::OWN;
use crate::domain::{Command, Event, EventId, Fact, FirmId, Outcome, Plan, RecordRef, System, Target};
use crate::store::{Arrival, Claim, DeliveryKey, Recorded, StoreError};

/// How the sender of such an event is proven.
const BY_BRIDGE: &str = "casebridge";

/// Something to tell.
pub(in crate::bridge) struct Told {
    /// The trigger of the catalog.
    pub(in crate::bridge) trigger: &'static str,
    /// Its fields.
    pub(in crate::bridge) data: Value,
    /// The records it is about.
    pub(in crate::bridge) records: Vec<RecordRef>,
    /// What makes a repeat of it recognisable: it is told once.
    pub(in crate::bridge) key: String,
}

impl Bridge {
    /// Commits an event of the bridge's own, if a rule or a hook of the firm listens for it.
    pub(in crate::bridge) async fn tell(&self, firm: &FirmId, told: Told) -> Result<(), StoreError> {
        let is_heard = self.hooks.hear(firm.as_str(), told.trigger);
        if self.automations.of(firm.as_str(), told.trigger).is_empty() && !is_heard {
            return Ok(());
        }
        let records: Vec<String> = told.records.iter().map(ToString::to_string).collect();
        let body =
            json!({ "casebridge": "told", "firm": firm.as_str(), "data": told.data, "records": records });
        // What is told of a parked firm must not wait with it.
        let waits = told.trigger != "casebridge.connection_parked";
        let arrival = Arrival {
            id: EventId(Uuid::now_v7()),
            firm: if waits { firm.clone() } else { FirmId::unknown() },
            source: told.records.first().map_or(System::HighLevel, |record| record.system),
            kind: told.trigger.to_owned(),
            delivery_key: DeliveryKey::Sender(format!("told:{}:{}", told.trigger, told.key)),
            records: told.records,
            proof: BY_BRIDGE,
            payload: body.to_string().into(),
            sent_at: None,
            received_at: self.clock.now(),
            is_update: false,
            undeliverable: None,
            trace: crate::telemetry::TraceId::current(),
        };
        if let Recorded::Stored(_) = self.store.record(arrival).await? {
            self.ring();
        }
        Ok(())
    }

    /// Tells of the milestones that a plan has latched.
    pub(in crate::bridge) async fn tell_milestones(
        &self,
        event: &Event,
        plan: &Plan,
    ) -> Result<(), StoreError> {
        for planned in &plan.commands {
            let Command::AddTags { contact: Target::CounterpartOf(case), effect, .. } = &planned.command
            else {
                continue;
            };
            let Some(milestone) = effect.0.strip_prefix(&format!("milestone:{case}:")) else { continue };
            let status = match &event.fact {
                Fact::CaseCreated { status, .. } | Fact::CaseStatusChanged { status, .. } => {
                    status.as_deref()
                }
                _ => None,
            };
            let data = json!({
                "firm": event.firm, "milestone": milestone, "status": status,
                "reached_at": event.received_at.to_string(),
            });
            let (records, key) = (vec![case.clone()], effect.0.clone());
            let told = Told { trigger: "casebridge.milestone_reached", data, records, key };
            self.tell(&event.firm, told).await?;
        }
        Ok(())
    }

    /// Tells of how an event ends, where that needs a person.
    pub(in crate::bridge) async fn tell_outcome(
        &self,
        claim: &Claim,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        // What became of telling is not told of.
        if claim.kind.starts_with(OWN) || claim.kind.starts_with(DELIVERY) {
            return Ok(());
        }
        let firm = &claim.lease.firm;
        let event = claim.lease.event.to_string();
        match outcome {
            Outcome::Undelivered { cause, why } => {
                let data = json!({
                    "firm": firm, "event": event, "source": claim.source.as_str(), "type": claim.kind,
                    "cause": cause.as_str(), "reason": why, "received_at": claim.received_at.to_string(),
                });
                let key = format!("{event}:{cause}");
                let told = Told { trigger: "casebridge.undelivered", data, records: Vec::new(), key };
                self.tell(firm, told).await
            }
            Outcome::InReview { questions } => {
                for question in questions {
                    let details = &question.details;
                    let shown = details.highlevel.iter().chain(&details.casepeer);
                    let records: Vec<String> = shown.map(|shown| shown.record.to_string()).collect();
                    let data = json!({
                        "firm": firm, "event": event, "reason": question.why, "records": records,
                    });
                    let key = format!("{event}:{}:{}", question.kind, question.subject);
                    let told = Told { trigger: "casebridge.review_needed", data, records: Vec::new(), key };
                    self.tell(firm, told).await?;
                }
                Ok(())
            }
            Outcome::Parked { cause, system, why } => {
                // A probe that fails again is no news.
                if self.store.parkings().await?.iter().any(|parking| parking.firm == *firm) {
                    return Ok(());
                }
                let since = self.clock.now();
                let data = json!({
                    "firm": firm, "system": system.as_str(), "cause": cause.as_str(), "reason": why,
                    "since": since.to_string(),
                });
                let key = format!("{firm}:{system}:{}", minute(since));
                let told = Told { trigger: "casebridge.connection_parked", data, records: Vec::new(), key };
                self.tell(firm, told).await
            }
            _ => Ok(()),
        }
    }

    /// Tells of a firm's secrets that are due to be renewed, once for each.
    pub async fn tell_old_credentials(&self) -> Result<(), StoreError> {
        for age in self.secret_ages().await?.into_iter().filter(|age| age.is_due) {
            let Some((firm, _)) = age.reference.strip_prefix("firms.").and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            let firm = FirmId::new(firm);
            let data = json!({
                "firm": firm, "secret": age.reference, "age_days": age.age_days,
                "renew_after_days": super::super::RENEW_AFTER.as_hours() / 24,
            });
            let key = format!("{}:{}", age.reference, age.first_seen);
            let told = Told { trigger: "casebridge.credential_old", data, records: Vec::new(), key };
            self.tell(&firm, told).await?;
        }
        Ok(())
    }
}

/// Several events of a firm may find out in the same moment.
fn minute(at: Timestamp) -> i64 {
    at.as_second() / 60
}
