//! One claimed event: what it means → snapshot → plan → calls → outcome.

use super::session::{Session, Stop};
use super::{Bridge, Firm, act, prepare, settle};
use crate::crypto::random_fraction;
use crate::domain::{Event, Fact, Outcome, Plan, System};
use crate::plan::plan;
use crate::store::{CallRecord, Claim, PlanRecord, Settled, Settlement, StoreError};
use crate::webhook::{Reading, Unreadable, casepeer, highlevel};

impl Bridge {
    /// Takes an event through its turn and settles it.
    pub(super) async fn process(&self, claim: Claim) -> Result<(), StoreError> {
        let settlement = match (self.firms.find(&claim.lease.firm), read(&claim)) {
            (_, Err(why)) => Some(at_once(Outcome::Undelivered { why: format!("cannot be read: {why}") })),
            (_, Ok(Reading::NoRule)) => {
                Some(at_once(Outcome::NothingToDo { why: "no rule for this type".into() }))
            }
            (None, Ok(Reading::Fact(_))) => {
                let why = format!("the configuration has no firm `{}`", claim.lease.firm);
                Some(at_once(Outcome::Undelivered { why }))
            }
            (Some(firm), Ok(Reading::Fact(fact))) => self.sync(firm, &claim, fact).await,
        };
        let Some(settlement) = settlement else { return Ok(()) };
        let state = state_word(&settlement.outcome);
        let failure = match &settlement.outcome {
            Outcome::Undelivered { why } | Outcome::RetryAt { why, .. } => Some(why.clone()),
            _ => None,
        };
        let settled = self.store.settle(&claim.lease, settlement).await?;
        if settled == Settled::LeaseLost {
            tracing::warn!(event.id = %claim.lease.event, "the lease was lost before the event could be settled");
            return Ok(());
        }
        metrics::counter!("casebridge_events_settled_total", "source" => claim.source.as_str(), "state" => state)
            .increment(1);
        let (id, firm) = (claim.lease.event, &claim.lease.firm);
        match failure {
            Some(why) => {
                tracing::warn!(event.id = %id, event.type = claim.kind, firm = %firm, state, "{why}")
            }
            None => tracing::info!(event.id = %id, event.type = claim.kind, firm = %firm, state, "settled"),
        }
        Ok(())
    }

    /// Brings the other system in step; nothing if the event is no longer ours to settle.
    async fn sync(&self, firm: &Firm, claim: &Claim, fact: Fact) -> Option<Settlement> {
        let session = Session::new(firm, &self.store, &claim.lease);
        let event = Event {
            id: claim.lease.event,
            firm: firm.id.clone(),
            source: claim.source,
            received_at: claim.received_at,
            fact,
        };
        let mut made = None;
        let result = self.plan_and_act(&session, &event, &mut made).await;
        let outcome = match &result {
            Ok(outcome) => outcome.clone(),
            Err(stop) => {
                if let Stop::Store(error) = stop {
                    tracing::error!(event.id = %event.id, "the event is claimed again once its lease ends: {error}");
                }
                settle::stopped(stop, claim.failed_attempts, self.clock.now(), random_fraction())?
            }
        };
        Some(settlement(outcome, made, session.take_reads()))
    }

    async fn plan_and_act(
        &self,
        session: &Session<'_>,
        event: &Event,
        made: &mut Option<PlanRecord>,
    ) -> Result<Outcome, Stop> {
        let snapshot = prepare::prepare(session, event.source, &event.fact, self.clock.now()).await?;
        let plan: Plan = plan(event, &snapshot, &session.firm.rules);
        *made = Some(settle::plan_record(&plan));
        let sent = act::act(session, &plan).await?;
        Ok(settle::carried_out(&plan, sent))
    }
}

fn read(claim: &Claim) -> Result<Reading, Unreadable> {
    match claim.source {
        System::HighLevel => highlevel::read_event(&claim.kind, &claim.payload),
        System::CasePeer => casepeer::read_event(&claim.kind, &claim.payload),
    }
}

fn at_once(outcome: Outcome) -> Settlement {
    settlement(outcome, None, Vec::new())
}

fn settlement(outcome: Outcome, plan: Option<PlanRecord>, reads: Vec<CallRecord>) -> Settlement {
    Settlement { outcome, plan, reads }
}

fn state_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::NothingToDo { .. } => "nothing_to_do",
        Outcome::RetryAt { .. } => "retrying",
        Outcome::Undelivered { .. } => "undelivered",
    }
}
