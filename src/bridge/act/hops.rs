//! The hop budget: what writes one pair of records again and again, both ways, is a loop that slipped through, as when
//! a workflow of the firm's own undoes each of our writes.

use jiff::SignedDuration;

use super::super::session::{Session, Stop};
use crate::domain::{
    Command, Details, EffectKey, Fields, Question, RecordRef, ReviewAction, ReviewKind, Shown,
};

/// The time in which writes are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Stops a write whose pair has used up its budget, raises the alarm and asks a person.
pub(super) async fn check(session: &Session<'_>, command: &Command) -> Result<(), Stop> {
    let (contact, matter, revision) = match command {
        Command::UpdateContact { contact, matter, revision, .. }
        | Command::UpdateMatter { contact, matter, revision, .. } => (contact, matter, *revision),
        _ => return Ok(()),
    };
    let budget = i64::from(session.firm.rules.hop_budget);
    // Each write moves the base: a pair whose base has moved less often cannot have used it up.
    if revision < budget {
        return Ok(());
    }
    let subject = format!("{contact} {matter}");
    let mut since = session.now().saturating_sub(WINDOW).unwrap_or(jiff::Timestamp::MIN);
    let decisions = session.store.decisions(&session.firm.id, std::slice::from_ref(&subject)).await?;
    let allowed = |decision: &&crate::domain::Decision| {
        decision.kind == ReviewKind::HopBudget && decision.resolution.action == ReviewAction::Retry
    };
    if let Some(decision) = decisions.iter().find(allowed) {
        since = since.max(decision.at);
    }
    let keys = |to: &RecordRef, from: &RecordRef| -> Vec<EffectKey> {
        // Agreements move the base, too, at most one for each write.
        (revision.saturating_sub(2 * budget).max(0)..=revision)
            .map(|revision| EffectKey(format!("fields:{to}:from:{from}@{revision}")))
            .collect()
    };
    let firm = &session.firm.id;
    let to_highlevel = session.store.completed_since(firm, &keys(contact, matter), since).await?;
    let to_casepeer = session.store.completed_since(firm, &keys(matter, contact), since).await?;
    // People who edit one side make many writes one way; a loop goes to and fro.
    let hops = 2 * to_highlevel.min(to_casepeer);
    if i64::try_from(hops).unwrap_or(i64::MAX) < budget {
        return Ok(());
    }
    metrics::counter!("casebridge_hop_budget_exceeded_total", "firm" => firm.to_string()).increment(1);
    tracing::error!(
        firm = %firm, event.id = %session.lease.event,
        "{contact} and {matter} were written {hops} times to and fro within an hour: a loop; a person is asked"
    );
    let shown = |record: &RecordRef| vec![Shown::of(record, &Fields::default())];
    Err(Stop::Ask(Box::new(Question {
        kind: ReviewKind::HopBudget,
        why: format!(
            "written {hops} times to and fro within an hour: something else, such as a workflow, undoes each write"
        ),
        details: Details { highlevel: shown(contact), casepeer: shown(matter), ..Details::default() },
        subject,
    })))
}
