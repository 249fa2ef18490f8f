//! A case was created in CASEpeer, or moved to another status there.

use super::matter::Occasion;
use super::snapshot::{MatterView, Snapshot};
use crate::domain::{
    Base, Command, EffectKey, Field, NewOpportunity, Opportunity, OpportunityStatus, Plan, RecordKind, Target,
};
use crate::rules::{Milestone, StatusRule, SyncRules};

/// Everything a changed matter needs, then the milestone and the opportunity. `told` is the status this webhook
/// speaks of; the opportunity mirrors the one the case has now.
pub(super) fn plan(
    view: &MatterView,
    occasion: Occasion,
    told: Option<&str>,
    snapshot: &Snapshot,
    rules: &SyncRules,
) -> Plan {
    let mut plan = super::matter::plan(view, occasion, snapshot, rules);
    if plan.commands.is_empty() && view.link.is_none() {
        return plan;
    }
    let said = told.and_then(|status| rules.status(status)?.milestone);
    // A firm may skip the status that means "signed", but it dates the retainer.
    let dated = view.matter.retained_at.as_ref().map(|_| Milestone::Signed);
    for milestone in said.into_iter().chain(dated.filter(|dated| Some(*dated) != said)) {
        latch(&mut plan, view, milestone);
    }
    match view.matter.status.as_deref() {
        None => plan.remark("the case has no status"),
        Some(status) => match rules.status(status) {
            Some(rule) => opportunity(&mut plan, view, rule, rules),
            None => {
                plan.remark(format!("status `{status}` is not in the firm's map: nothing is changed for it"))
            }
        },
    }
    plan
}

/// A case of which only is said that something changed. Whether its status did shows in the one it was last seen in.
pub(super) fn updated(view: &MatterView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let seen = view.link.as_ref().and_then(|link| link.base.status.as_deref());
    let now = view.matter.status.as_deref();
    if seen.is_some() && seen == now {
        let mut plan = super::matter::plan(view, Occasion::Changed, snapshot, rules);
        plan.remark("the case's status is the one it was last seen in");
        return plan;
    }
    let mut plan = self::plan(view, Occasion::Changed, now, snapshot, rules);
    if let (Some(status), Some(contact)) = (now, &view.contact) {
        let (highlevel, casepeer) = (contact.record.clone(), view.matter.record.clone());
        let base = Base::of_status(status);
        plan.add(Command::Agree { highlevel, casepeer, base }, "the status the case was last seen in");
    }
    plan
}

/// Latched once: the tag stays when the status goes back, and a later return does not count again.
fn latch(plan: &mut Plan, view: &MatterView, milestone: Milestone) {
    let case = &view.matter.record;
    let tags = Command::AddTags {
        contact: Target::CounterpartOf(case.clone()),
        tags: vec![format!("cp:{}", milestone.as_str())],
        effect: EffectKey(format!("milestone:{case}:{}", milestone.as_str())),
    };
    plan.add(tags, format!("the case reached `{}`", milestone.as_str()));
}

/// A name as the case has it, or as the contact does where a webhook that stands in for the case does not say.
fn named(view: &MatterView, field: Field) -> Option<&str> {
    view.matter.fields.get(field).or_else(|| view.contact.as_ref()?.fields.get(field))
}

fn opportunity(plan: &mut Plan, view: &MatterView, rule: &StatusRule, rules: &SyncRules) {
    let (Some(pipeline), Some(stage)) = (&rule.pipeline, &rule.stage) else { return };
    let case = &view.matter.record;
    debug_assert!(case.kind == RecordKind::Case);
    let Some((pipeline, stage)) = view.pipelines.as_ref().and_then(|all| all.resolve(pipeline, stage)) else {
        plan.unmet = Some(format!(
            "HighLevel has no pipeline `{pipeline}` with a stage `{stage}`: correct the firm's status map"
        ));
        return;
    };
    let to = Opportunity {
        pipeline: pipeline.to_owned(),
        stage: stage.to_owned(),
        status: rule.opportunity.unwrap_or(OpportunityStatus::Open),
        lost_reason: None,
    };
    let lost = lost(view, &to, rules);
    let revision = view.opportunity.as_ref().map_or(0, |link| link.revision);
    match &view.opportunity {
        None => {
            let name =
                [Field::FirstName, Field::LastName].map(|field| named(view, field).unwrap_or_default());
            let new = NewOpportunity {
                case: case.clone(),
                contact: Target::CounterpartOf(case.clone()),
                name: name.join(" ").trim().to_owned(),
                to: to.clone(),
            };
            plan.add(Command::CreateOpportunity(new), "the case has no opportunity yet");
        }
        Some(link) if link.base.opportunity.as_ref() == Some(lost.as_ref().unwrap_or(&to)) => {
            plan.remark("the opportunity is where the status says");
            return;
        }
        Some(link) => {
            let update = Command::UpdateOpportunity {
                opportunity: link.highlevel.clone(),
                case: case.clone(),
                to,
                revision: link.revision,
            };
            plan.add(update, "the status says so");
        }
    }
    if let Some(to) = lost {
        plan.add(Command::SetLostReason { case: case.clone(), to, revision }, "CASEpeer says why");
    }
}

/// Where a lost deal is, with the reason that HighLevel has for CASEpeer's, if it has one.
fn lost(view: &MatterView, to: &Opportunity, rules: &SyncRules) -> Option<Opportunity> {
    let reason = view.matter.reject_reason.as_deref().filter(|_| to.status == OpportunityStatus::Lost)?;
    let wanted = rules.lost_reason(reason);
    let is_it = |(id, name): &&(String, String)| id == wanted || name.eq_ignore_ascii_case(wanted);
    let (id, _) = view.lost_reasons.iter().find(is_it)?;
    Some(Opportunity { lost_reason: Some(id.clone()), ..to.clone() })
}
