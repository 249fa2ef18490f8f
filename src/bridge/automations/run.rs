//! The rules' part of an event's turn.

use std::sync::Arc;

use super::super::act::consent;
use super::super::act::operation::{self, Called};
use super::super::session::{Session, Stop};
use super::super::{Bridge, Firm, reconcile};
use super::budget::{self, Leave};
use super::happened::{self, Happened};
use super::{Automation, read_json};
use crate::domain::{CallClass, Cause, EffectKey, Outcome, RecordRef};
use crate::operations::catalog::Entry;
use crate::operations::{casepeer::CannotSend, catalog};
use crate::rules::automation::{Occasion, OnError, OncePer, Rule, Step};
use crate::store::{Claim, PlanRecord, PlannedRecord, RuleRun, Settled};

/// What the rules of a turn came to.
#[derive(Default)]
struct Ran {
    sent: usize,
    steps: Vec<PlannedRecord>,
    remarks: Vec<String>,
    /// Rules whose conditions do not hold.
    idle: Vec<String>,
    /// What was refused, where its rule stops.
    failed: Option<(Cause, String)>,
}

/// A first turn has begun nothing.
fn is_first(claim: &Claim) -> bool {
    claim.lease.claim <= 1
}

/// A step that was not taken.
enum Refused {
    /// It, and with it its rule, went wrong.
    Failed(Cause, String),
    /// The person forbade it: nothing is wrong, and what would follow it is not done.
    Withheld(String),
}

/// What the rules of a firm make of an event before anything is done about it.
pub(in crate::bridge) struct Listening {
    /// Those whose conditions may hold, as far as the event tells.
    candidates: Vec<Arc<Automation>>,
    /// Those that hear of it and have nothing to do.
    idle: Vec<Arc<Automation>>,
    occasion: Occasion,
    people: Vec<RecordRef>,
    /// The record that a rule runs once for; empty if the event names none.
    subject: String,
}

impl Listening {
    /// Whether calls may follow those of the sync.
    pub(in crate::bridge) fn may_call(&self, claim: &Claim) -> bool {
        !self.candidates.is_empty() || (!is_first(claim) && !self.idle.is_empty())
    }
}

impl Bridge {
    /// Which rules an event may set off. Most events are one rule's business or nobody's: what they tell themselves
    /// needs no look into the store.
    pub(in crate::bridge) fn listen(&self, firm: &Firm, claim: &Claim) -> Option<Listening> {
        let payload = claim.payload.as_deref().ok()?;
        let trigger = happened::trigger(firm, claim.source, &claim.kind)?;
        let heard_by = self.automations.of(firm.id.as_str(), &trigger.id);
        if (heard_by.is_empty() && is_first(claim)) || reconcile::is_backfill(payload) {
            return None;
        }
        let happened = Happened::read(firm, claim.source, &claim.kind, trigger, payload)?;
        let subject = happened.subject();
        let id = claim.lease.event.to_string();
        let (occasion, people) = happened.occasion(firm, (&id, &claim.kind, claim.received_at));
        let may_hold = |one: &Arc<Automation>| one.rule.may_hold(&occasion);
        let (candidates, idle) = heard_by.into_iter().partition(may_hold);
        Some(Listening { candidates, idle, occasion, people, subject })
    }

    /// Runs the rules that an event sets off, once the sync has done its part.
    pub(in crate::bridge) async fn automate(
        &self,
        session: &Session<'_>,
        claim: &Claim,
        listening: Option<Listening>,
        outcome: Outcome,
        made: &mut Option<PlanRecord>,
    ) -> Result<Outcome, Stop> {
        if !matches!(outcome, Outcome::Done | Outcome::NothingToDo { .. }) {
            return Ok(outcome);
        }
        let Some(Listening { mut candidates, idle, mut occasion, people, subject }) = listening else {
            return Ok(outcome);
        };
        let begun = if is_first(claim) { Vec::new() } else { self.store.runs_of(claim.lease.event).await? };
        let has_begun = |one: &Arc<Automation>| begun.iter().any(|run| run.rule == one.rule.id);
        let (running, idle): (Vec<_>, Vec<_>) = idle.into_iter().partition(has_begun);
        candidates.extend(running);
        let mut ran = Ran { idle: idle.iter().map(|one| one.rule.id.clone()).collect(), ..Ran::default() };
        if candidates.is_empty() && begun.is_empty() {
            note(made, &mut ran);
            return Ok(outcome);
        }
        let firm = session.firm;
        let id = claim.lease.event.to_string();
        happened::look_up(&mut occasion, &people, session.store, firm).await?;
        let rules = self.rules_of(session, &candidates, &begun, &occasion, &subject, &mut ran).await?;
        let result = self.run(session, &rules, &occasion, (&id, &subject), &mut ran).await;
        note(made, &mut ran);
        result?;
        Ok(match ran.failed {
            Some((cause, why)) => Outcome::Undelivered { cause, why },
            None if ran.sent > 0 => Outcome::Done,
            None => outcome,
        })
    }

    /// The rules that run, each by its version: those that began to run for this event, and those that hold now.
    async fn rules_of(
        &self,
        session: &Session<'_>,
        candidates: &[Arc<Automation>],
        begun: &[RuleRun],
        occasion: &Occasion,
        subject: &str,
        ran: &mut Ran,
    ) -> Result<Vec<Rule>, Stop> {
        let mut rules = Vec::new();
        for run in begun {
            let now = candidates.iter().find(|one| one.rule.id == run.rule && one.version == run.version);
            if let Some(automation) = now {
                rules.push(automation.rule.clone());
                continue;
            }
            let json = self.store.rule_version(&run.rule, run.version).await?;
            match json.as_deref().map(read_json) {
                Some(Ok(rule)) => rules.push(rule),
                Some(Err(why)) => ran.remarks.push(format!("rule `{}`: {why}", run.rule)),
                None => ran.remarks.push(format!("rule `{}`: version {} is not kept", run.rule, run.version)),
            }
        }
        let mut runs = Vec::new();
        for automation in candidates.iter().filter(|one| begun.iter().all(|run| run.rule != one.rule.id)) {
            let rule = &automation.rule;
            if !rule.holds(occasion) {
                ran.idle.push(rule.id.clone());
            } else if budget::run_again(session, rule, subject).await? == Leave::Refused {
                ran.remarks.push(format!("rule `{}`: a person said to leave it", rule.id));
            } else {
                let (version, subject) = (automation.version, subject.to_owned());
                runs.push(RuleRun { rule: rule.id.clone(), version, subject });
                rules.push(rule.clone());
            }
        }
        if !runs.is_empty() && self.store.begin_runs(session.lease, runs).await? == Settled::LeaseLost {
            return Err(Stop::LeaseLost);
        }
        Ok(rules)
    }

    async fn run(
        &self,
        session: &Session<'_>,
        rules: &[Rule],
        occasion: &Occasion,
        (event, subject): (&str, &str),
        ran: &mut Ran,
    ) -> Result<(), Stop> {
        for rule in rules {
            let run = match rule.once_per {
                OncePer::Record if !subject.is_empty() => subject,
                _ => event,
            };
            for (index, step) in rule.steps.iter().enumerate() {
                let key = EffectKey(rule.effect(run, index));
                ran.steps.push(PlannedRecord {
                    command: format!("call {}", step.action.id),
                    effect_key: Some(key.0.clone()),
                    reason: format!("rule `{}`, step {}", rule.id, index + 1),
                });
                let said = |why: String| {
                    format!("rule `{}`, step {} ({}): {why}", rule.id, index + 1, step.action.id)
                };
                match take(session, rule, step, occasion, &key).await? {
                    Ok(Called::Now(_)) => ran.sent += 1,
                    Ok(Called::Before) => {}
                    Err(Refused::Withheld(why)) => {
                        ran.remarks.push(said(why));
                        break;
                    }
                    Err(Refused::Failed(cause, why)) => {
                        let why = said(why);
                        if rule.on_error == OnError::Continue {
                            ran.remarks.push(why);
                            continue;
                        }
                        ran.failed.get_or_insert((cause, why));
                        break;
                    }
                }
            }
            metrics::counter!("casebridge_rule_runs_total", "firm" => session.firm.id.to_string())
                .increment(1);
        }
        Ok(())
    }
}

/// Takes a step, unless it was taken before.
async fn take(
    session: &Session<'_>,
    rule: &Rule,
    step: &Step,
    occasion: &Occasion,
    key: &EffectKey,
) -> Result<Result<Called, Refused>, Stop> {
    if !session.store.completed(&session.firm.id, std::slice::from_ref(key)).await?.is_empty() {
        return Ok(Ok(Called::Before));
    }
    let firm = session.firm;
    let parameters = step.fill(occasion);
    let built = step.action.request_for(&parameters, &firm.location, firm.casepeer.profile());
    let request = match built {
        Ok(request) => request,
        Err(wrong) => return Ok(Err(Refused::Failed(Cause::Setup, wrong.to_string()))),
    };
    if let Some(why) = consent::withheld(session, step.action, &parameters).await? {
        return Ok(Err(Refused::Withheld(why)));
    }
    if budget::spend(session, rule).await? == Leave::Refused {
        return Ok(Err(Refused::Failed(
            Cause::Setup,
            "it has used up its writes of this hour, and a person said to leave it".into(),
        )));
    }
    match operation::call(session, system_of(step.action), &request, key).await {
        Ok(called) => Ok(Ok(called)),
        Err(Stop::Vendor { failure, .. }) if failure.class == CallClass::Unpermitted => {
            Ok(Err(Refused::Failed(Cause::Setup, failure.detail.clone())))
        }
        Err(Stop::Vendor { failure, .. })
            if matches!(failure.class, CallClass::Rejected | CallClass::Conflict) =>
        {
            Ok(Err(Refused::Failed(Cause::Rejected, failure.detail.clone())))
        }
        Err(Stop::CannotSend(wrong @ CannotSend::Disabled { .. })) => {
            Ok(Err(Refused::Failed(Cause::Setup, wrong.to_string())))
        }
        Err(stop) => Err(stop),
    }
}

/// The system an action is of. The bridge itself has none.
pub(in crate::bridge) fn system_of(action: &Entry) -> crate::domain::System {
    match action.system {
        catalog::System::CasePeer => crate::domain::System::CasePeer,
        catalog::System::HighLevel | catalog::System::Casebridge => crate::domain::System::HighLevel,
    }
}

/// Adds what the rules did to what is kept of the turn.
fn note(made: &mut Option<PlanRecord>, ran: &mut Ran) {
    let (steps, mut remarks) = (std::mem::take(&mut ran.steps), std::mem::take(&mut ran.remarks));
    if !ran.idle.is_empty() {
        let idle: Vec<String> = ran.idle.drain(..).map(|id| format!("`{id}`")).collect();
        remarks.push(format!("the conditions of these rules do not hold: {}", idle.join(", ")));
    }
    if steps.is_empty() && remarks.is_empty() {
        return;
    }
    let record = made.get_or_insert_with(|| PlanRecord { commands: Vec::new(), remarks: Vec::new() });
    record.commands.extend(steps);
    record.remarks.extend(remarks);
}
