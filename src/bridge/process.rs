//! One claimed event: what it means → snapshot → plan → calls → outcome.

use std::time::Instant;

use super::automations::{OWN, UPDATES};
use super::by_hand::{self, ACTION};
use super::hooks::DELIVERY;
use super::session::{Session, Stop};
use super::settle::Circumstances;
use super::{Bridge, Firm, act, prepare, reconcile, settle};
use crate::crypto::random_fraction;
use crate::domain::{
    Cause, Event, EventState, Fact, FirmId, MAX_ATTEMPTS, Outcome, Plan, Priority, ReviewKind, System,
};
use crate::operations::casepeer::{Events, Refetch};
use crate::plan::{conflict_subjects, plan};
use crate::store::{CallRecord, Claim, PlanRecord, Settled, Settlement, StoreError};
use crate::telemetry::{Span, SpanKind, span_id};
use crate::webhook::casepeer::Told;
use crate::webhook::{Reading, Unreadable, casepeer, highlevel};

impl Bridge {
    /// Takes an event through its turn and settles it.
    pub(super) async fn process(&self, claim: Claim) -> Result<(), StoreError> {
        let (trace, span, began, timer) = (claim.trace, span_id(), self.clock.now(), Instant::now());
        let made = self.spans.is_on().then(|| {
            let attributes = vec![
                ("casebridge.event.id", claim.lease.event.to_string()),
                ("casebridge.event.type", claim.kind.clone()),
                ("casebridge.firm", claim.lease.firm.to_string()),
                ("casebridge.source", claim.source.to_string()),
            ];
            (span, attributes)
        });
        let done = trace.within(span, Box::pin(self.process_traced(claim))).await;
        if let Some((id, attributes)) = made {
            let (kind, name, is_error) = (SpanKind::Consumer, "work on event".to_owned(), done.is_err());
            let took = timer.elapsed();
            self.spans.add(Span { trace, id, parent: None, name, kind, began, took, attributes, is_error });
        }
        done
    }

    /// The steps of a turn are boxed: together they are larger than a thread's stack in a build that is not optimised.
    async fn process_traced(&self, claim: Claim) -> Result<(), StoreError> {
        let Some(settlement) = Box::pin(self.work_on(&claim)).await else { return Ok(()) };
        // Told before it is settled: after a crash in between, the turn is taken again and tells the same once.
        self.tell_outcome(&claim, &settlement.outcome).await?;
        self.hand_to_hooks(&claim).await?;
        let (state, trouble) = summary(&settlement.outcome);
        let settled = self.store.settle(&claim.lease, settlement).await?;
        if settled == Settled::LeaseLost {
            tracing::warn!(event.id = %claim.lease.event, "the lease was lost before the event could be settled");
            return Ok(());
        }
        metrics::counter!("casebridge_events_settled_total", "source" => claim.source.as_str(), "state" => state.as_str())
            .increment(1);
        let (id, firm, trace) = (claim.lease.event, &claim.lease.firm, claim.trace);
        if state == EventState::Retrying {
            metrics::counter!("casebridge_retries_total", "source" => claim.source.as_str()).increment(1);
        }
        match trouble {
            // Nothing is wrong: the review queue has it, and its metric.
            Some(why) if state == EventState::InReview => {
                tracing::info!(event.id = %id, event.type = claim.kind, firm = %firm, %state, "{why}");
            }
            Some(why) => {
                tracing::warn!(event.id = %id, event.type = claim.kind, firm = %firm, %state, trace.id = %trace, "{why}")
            }
            None => {
                tracing::info!(event.id = %id, event.type = claim.kind, firm = %firm, %state, trace.id = %trace, "settled");
            }
        }
        Ok(())
    }

    /// How the turn ends; nothing if the event is no longer ours to settle.
    async fn work_on(&self, claim: &Claim) -> Option<Settlement> {
        let give_up = |cause, why| Some(at_once(Outcome::Undelivered { cause, why }));
        // Attempts are counted by turns that ended; one more was begun and never did, as when the program crashed.
        if claim.failed_attempts >= MAX_ATTEMPTS {
            let why = format!("this program broke off {MAX_ATTEMPTS} times while it worked on this event");
            return give_up(Cause::Exhausted, why);
        }
        let payload = match &claim.payload {
            Ok(payload) => payload,
            Err(why) => return give_up(Cause::Unreadable, why.to_string()),
        };
        if claim.kind.starts_with(OWN) {
            return self.own(claim, payload).await;
        }
        if claim.kind.starts_with(DELIVERY) {
            return self.delivery(claim, payload).await;
        }
        if claim.kind.starts_with(ACTION) {
            return self.asked_for(claim, payload).await;
        }
        if claim.source == System::HighLevel && self.is_installation(&claim.kind) {
            return Some(at_once(self.installation(claim, payload).await));
        }
        let Some(firm) = self.firms.find(&claim.lease.firm) else {
            return give_up(Cause::NotOurs, format!("the configuration has no firm `{}`", claim.lease.firm));
        };
        let firm = &*firm;
        match read(firm, claim.source, &claim.kind, payload) {
            Err(why) => give_up(Cause::Unreadable, format!("cannot be read: {why}")),
            Ok(Reading::NoRule) => self.rules_alone(firm, claim, "no rule for this type").await,
            Ok(Reading::Confirmed(confirmation)) => {
                let outcome = self.confirm(firm, &confirmation, claim.failed_attempts).await;
                let failed = |error| {
                    let stop = Stop::Store(error);
                    settle::stopped(&stop, self.circumstances(firm, &stop, claim.failed_attempts))
                };
                Some(at_once(outcome.map_or_else(failed, Some)?))
            }
            Ok(Reading::Fact(fact)) => {
                let told = told(firm, claim.source, &claim.kind, payload);
                self.sync(firm, claim, fact, told).await
            }
        }
    }

    /// Takes note of where the app is installed.
    async fn installation(&self, claim: &Claim, payload: &[u8]) -> Outcome {
        let change = match highlevel::read_installation(&claim.kind, payload) {
            Ok(change) => change,
            Err(why) => {
                let why = format!("cannot be read: {why}");
                return Outcome::Undelivered { cause: Cause::Unreadable, why };
            }
        };
        match self.change_installation(&change).await {
            Ok(outcome) => outcome,
            Err(later) if later.counts => settle::again(later.why, claim.failed_attempts, random_fraction()),
            Err(later) => settle::wait_for_quota(later.why, random_fraction()),
        }
    }

    /// Brings the other system in step.
    async fn sync(&self, firm: &Firm, claim: &Claim, fact: Fact, told: Option<Told>) -> Option<Settlement> {
        let is_backfill = claim.payload.as_deref().is_ok_and(reconcile::is_backfill);
        let priority = if is_backfill { Priority::Backfill } else { Priority::of(&fact) };
        let mut session = Session::new(self, firm, &claim.lease, priority, told);
        let listening = self.listen(firm, claim);
        session.more_follows = listening.as_ref().is_some_and(|listening| listening.may_call(claim));
        let event = Event {
            id: claim.lease.event,
            firm: firm.id.clone(),
            source: claim.source,
            received_at: claim.received_at,
            fact,
        };
        let mut made = None;
        let result = match Box::pin(self.plan_and_act(&session, &event, &mut made)).await {
            Ok(outcome) => Box::pin(self.automate(&session, claim, listening, outcome, &mut made)).await,
            // If this was its last turn, the person's later events must know what it sent.
            Err(stop @ Stop::Vendor { .. }) => match self.store.recall(&claim.lease).await {
                Ok(()) => Err(stop),
                Err(error) => Err(error.into()),
            },
            stopped => stopped,
        };
        let outcome = match &result {
            Ok(outcome) => outcome.clone(),
            Err(stop) => settle::stopped(stop, self.circumstances(firm, stop, claim.failed_attempts))?,
        };
        let is_update = self.is_update(&firm.id, claim.source, &claim.kind);
        let is_alone = self.automations.hears_updates(firm.id.as_str())
            || self.hooks.hear_any(firm.id.as_str(), &UPDATES);
        let supersedes = (is_update && !is_alone).then_some(claim.horizon);
        Some(Settlement { supersedes, ..settlement(outcome, made, session.take_reads()) })
    }

    /// An event that the sync has nothing to do with; a rule may.
    async fn rules_alone(&self, firm: &Firm, claim: &Claim, why: &str) -> Option<Settlement> {
        let session = Session::new(self, firm, &claim.lease, Priority::NoteTask, None);
        let (mut made, nothing) = (None, Outcome::NothingToDo { why: why.to_owned() });
        let listening = self.listen(firm, claim);
        let outcome = match Box::pin(self.automate(&session, claim, listening, nothing, &mut made)).await {
            Ok(outcome) => outcome,
            Err(stop) => settle::stopped(&stop, self.circumstances(firm, &stop, claim.failed_attempts))?,
        };
        Some(settlement(outcome, made, session.take_reads()))
    }

    /// A delivery to a hook.
    async fn delivery(&self, claim: &Claim, payload: &[u8]) -> Option<Settlement> {
        match self.deliver(claim, payload).await {
            Ok((outcome, call)) => Some(settlement(outcome, None, call.into_iter().collect())),
            Err(error) => {
                Some(at_once(settle::again(error.to_string(), claim.failed_attempts, random_fraction())))
            }
        }
    }

    /// A call that a program asked for.
    async fn asked_for(&self, claim: &Claim, payload: &[u8]) -> Option<Settlement> {
        let Some(firm) = self.firms.find(&claim.lease.firm) else {
            let why = format!("the configuration has no firm `{}`", claim.lease.firm);
            return Some(at_once(Outcome::Undelivered { cause: Cause::NotOurs, why }));
        };
        let session = Session::new(self, &firm, &claim.lease, by_hand::PRIORITY, None);
        let outcome = match self.by_hand(&session, claim, payload).await {
            Ok(outcome) => outcome,
            Err(stop) => settle::stopped(&stop, self.circumstances(&firm, &stop, claim.failed_attempts))?,
        };
        Some(settlement(outcome, None, session.take_reads()))
    }

    /// An event that the bridge itself told.
    async fn own(&self, claim: &Claim, payload: &[u8]) -> Option<Settlement> {
        let is_apart = claim.lease.firm.is_unknown();
        let body: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        let whose = if is_apart {
            FirmId::new(body["firm"].as_str().unwrap_or_default())
        } else {
            claim.lease.firm.clone()
        };
        let Some(firm) = self.firms.find(&whose) else {
            let why = format!("the configuration has no firm `{whose}`");
            return Some(at_once(Outcome::Undelivered { cause: Cause::NotOurs, why }));
        };
        let mut settled = self.rules_alone(&firm, claim, "nobody listens any more").await?;
        // What is told of a parked firm stands in nobody's lane, and parks nobody.
        if let Outcome::Parked { why, .. } = &settled.outcome
            && is_apart
        {
            settled.outcome = settle::again(why.clone(), claim.failed_attempts, random_fraction());
        }
        Some(settled)
    }

    fn circumstances(&self, firm: &Firm, stop: &Stop, failed_attempts: u32) -> Circumstances {
        let is_down = matches!(stop, Stop::Vendor { system, .. } if firm.breaker.is_open(*system));
        Circumstances { failed_attempts, now: self.clock.now(), jitter: random_fraction(), is_down }
    }

    async fn plan_and_act(
        &self,
        session: &Session<'_>,
        event: &Event,
        made: &mut Option<PlanRecord>,
    ) -> Result<Outcome, Stop> {
        // An earlier turn may have broken off after it sent something.
        if session.lease.claim > 1 {
            self.store.recall(session.lease).await?;
        }
        let mut plan = Box::pin(self.plan_for(session, event)).await?;
        *made = Some(settle::plan_record(&plan));
        let acted = Box::pin(act::act(session, &plan, event.source)).await?;
        self.tell_milestones(event, &plan).await?;
        if !acted.left_out.is_empty() {
            plan.remarks.extend(acted.left_out.iter().cloned());
            *made = Some(settle::plan_record(&plan));
        }
        if plan.commands.is_empty() && plan.questions.is_empty() {
            metrics::counter!("casebridge_echoes_total", "source" => event.source.as_str()).increment(1);
        }
        Ok(settle::carried_out(&plan, &acted))
    }

    /// What would be done about an event now.
    pub(super) async fn plan_for(&self, session: &Session<'_>, event: &Event) -> Result<Plan, Stop> {
        let mut snapshot = prepare::prepare(session, event.source, &event.fact, self.clock.now()).await?;
        let first = plan(event, &snapshot, &session.firm.rules);
        // Most events raise no question, so answers are looked for only by those that do.
        // Who a stranger is was looked for with its snapshot.
        let others = first.questions.iter().filter(|question| question.kind != ReviewKind::AmbiguousMatch);
        let mut subjects: Vec<String> = others.map(|question| question.subject.clone()).collect();
        // An answer that was taken back raises none: its events are replayed.
        if session.lease.claim > 1 {
            subjects.extend(conflict_subjects(&snapshot.view));
        }
        if subjects.is_empty() {
            return Ok(first);
        }
        snapshot.decisions = self.store.decisions(&session.firm.id, &subjects).await?;
        Ok(if snapshot.decisions.is_empty() { first } else { plan(event, &snapshot, &session.firm.rules) })
    }
}

/// What a stored body means.
pub(super) fn read(firm: &Firm, source: System, kind: &str, payload: &[u8]) -> Result<Reading, Unreadable> {
    match source {
        System::HighLevel => highlevel::read_event(kind, payload),
        // What the bridge tells itself is in the contract's words, whatever the account's own are.
        System::CasePeer if reconcile::is_announced(payload) => {
            casepeer::read_event(&Events::default(), kind, payload)
        }
        System::CasePeer => casepeer::read_event(firm.casepeer.profile().events(), kind, payload),
    }
}

/// The record a stored body tells of, where that may stand in for reading it.
pub(super) fn told(firm: &Firm, source: System, kind: &str, payload: &[u8]) -> Option<Told> {
    let events = firm.casepeer.profile().events();
    let may_stand_in =
        source == System::CasePeer && events.refetch != Refetch::Always && !reconcile::is_announced(payload);
    may_stand_in.then(|| casepeer::read_told(events, kind, payload))?
}

fn at_once(outcome: Outcome) -> Settlement {
    settlement(outcome, None, Vec::new())
}

fn settlement(outcome: Outcome, plan: Option<PlanRecord>, reads: Vec<CallRecord>) -> Settlement {
    Settlement { outcome, plan, reads, supersedes: None }
}

/// The state an outcome leads to, and what went wrong if something did.
fn summary(outcome: &Outcome) -> (EventState, Option<String>) {
    match outcome {
        Outcome::Done => (EventState::Done, None),
        Outcome::NothingToDo { .. } => (EventState::NothingToDo, None),
        Outcome::RetryIn { why, .. } => (EventState::Retrying, Some(why.clone())),
        Outcome::Parked { cause, system, why } => {
            let why = format!("the firm is parked ({cause}, {}): {why}", system.title());
            (EventState::Parked, Some(why))
        }
        Outcome::HandedOff { .. } => (EventState::HandedOff, None),
        Outcome::InReview { questions } => {
            let why: Vec<&str> = questions.iter().map(|question| question.why.as_str()).collect();
            (EventState::InReview, Some(why.join("; ")))
        }
        Outcome::Undelivered { why, .. } => (EventState::Undelivered, Some(why.clone())),
    }
}
