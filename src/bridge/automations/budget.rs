//! What keeps a rule from writing without end: so many writes within an hour, so many runs for one record. A rule that
//! has used them up waits for a person, whom it asks once.

use jiff::{SignedDuration, Timestamp};

use super::super::session::{Session, Stop};
use crate::domain::{
    Decision, Details, Fields, Question, RecordRef, ReviewAction, ReviewKind, Shown, System,
};
use crate::rules::automation::Rule;

/// The time in which writes and runs are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may go on.
    Given,
    /// A person said to leave it.
    Refused,
}

fn window(session: &Session<'_>) -> Timestamp {
    session.now().saturating_sub(WINDOW).unwrap_or(Timestamp::MIN)
}

/// What a person said last about a question that is still about this hour.
async fn decided(session: &Session<'_>, kind: ReviewKind, subject: &str) -> Result<Option<Decision>, Stop> {
    let decisions = session.store.decisions(&session.firm.id, &[subject.to_owned()]).await?;
    let since = window(session);
    Ok(decisions.into_iter().find(|decision| decision.kind == kind && decision.at > since))
}

/// Takes a write out of what a rule may do within the hour.
pub(super) async fn spend(session: &Session<'_>, rule: &Rule) -> Result<Leave, Stop> {
    let (firm, most) = (&session.firm.id, rule.writes_per_hour);
    if session.store.spend_write(firm, &rule.id, most, window(session)).await? {
        return Ok(Leave::Given);
    }
    let subject = format!("rule {}", rule.id);
    if let Some(decision) = decided(session, ReviewKind::RuleBudget, &subject).await? {
        match decision.resolution.action {
            ReviewAction::Ignore => return Ok(Leave::Refused),
            _ if session.store.spend_write(firm, &rule.id, most, decision.at).await? => {
                return Ok(Leave::Given);
            }
            _ => {}
        }
    }
    metrics::counter!("casebridge_rule_budget_exceeded_total", "firm" => firm.to_string()).increment(1);
    tracing::error!(firm = %firm, rule = rule.id, "a rule has used up its writes of this hour; a person is asked");
    let why = format!(
        "the rule `{}` has made its {most} writes of this hour (writes_per_hour): answer `retry` if it may make as many \
         again, `ignore` to leave what waits undone",
        rule.id
    );
    let (kind, details) = (ReviewKind::RuleBudget, Details::default());
    Err(Stop::Ask(Box::new(Question { kind, subject, why, details })))
}

/// Whether a rule may run once more for a record: what it does may have set it off.
pub(super) async fn run_again(session: &Session<'_>, rule: &Rule, record: &str) -> Result<Leave, Stop> {
    let Ok(shown) = record.parse::<RecordRef>() else { return Ok(Leave::Given) };
    let (firm, most) = (&session.firm.id, u64::from(session.firm.rules.hop_budget));
    let runs = session.store.count_runs(firm, &rule.id, record, window(session)).await?;
    if runs < most {
        return Ok(Leave::Given);
    }
    let subject = format!("rule {} on {record}", rule.id);
    if let Some(decision) = decided(session, ReviewKind::HopBudget, &subject).await? {
        if decision.resolution.action == ReviewAction::Ignore {
            return Ok(Leave::Refused);
        }
        if session.store.count_runs(firm, &rule.id, record, decision.at).await? < most {
            return Ok(Leave::Given);
        }
    }
    metrics::counter!("casebridge_hop_budget_exceeded_total", "firm" => firm.to_string()).increment(1);
    tracing::error!(firm = %firm, rule = rule.id, "a rule ran {runs} times for one record within an hour: a loop");
    let why =
        format!("the rule `{}` ran {runs} times for {record} within an hour: it sets itself off", rule.id);
    let side = vec![Shown::of(&shown, &Fields::default())];
    let details = match shown.system {
        System::HighLevel => Details { highlevel: side, ..Details::default() },
        System::CasePeer => Details { casepeer: side, ..Details::default() },
    };
    Err(Stop::Ask(Box::new(Question { kind: ReviewKind::HopBudget, subject, why, details })))
}
