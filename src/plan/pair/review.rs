//! Fields of which a person says whose value stands.

use jiff::Timestamp;

use super::super::merge::{Merged, Sides, Why};
use super::super::snapshot::Snapshot;
use crate::domain::{
    Contact, Decision, Details, Difference, FieldName, Matter, Question, ReviewAction, ReviewKind, Shown,
    System,
};

/// Does what was decided about the fields in review; those that nobody decided on yet. An answer holds for the values
/// that were shown, and for no others.
pub(super) fn apply_decisions(
    merged: &mut Merged,
    sides: Sides<'_>,
    contact: &Contact,
    matter: &Matter,
    snapshot: &Snapshot,
    may_write: impl Fn(&FieldName, System) -> bool,
) -> Vec<FieldName> {
    let decision = snapshot.decision(ReviewKind::Conflict, &subject(contact, matter));
    let mut undecided = Vec::new();
    for name in std::mem::take(&mut merged.review) {
        let Some(answer) = decision.and_then(|decision| answer(decision, &name, sides)) else {
            undecided.push(name);
            continue;
        };
        match answer {
            Some(owner) if may_write(&name, owner.opposite()) => {
                let (target, value) = match owner {
                    System::HighLevel => (&mut merged.to_casepeer, sides.highlevel.value(&name)),
                    System::CasePeer => (&mut merged.to_highlevel, sides.casepeer.value(&name)),
                };
                target.put(name.clone(), value.unwrap_or_default().to_owned());
                merged.conflicts.push((name, owner));
            }
            Some(owner) => merged.left_alone.push((name, Why::NoPlace(owner.opposite()))),
            None => merged.left_alone.push((name, Why::Decided)),
        }
    }
    undecided
}

/// The side whose value stands, or neither; nothing at all if these values were not what was decided on.
fn answer(decision: &Decision, name: &FieldName, sides: Sides<'_>) -> Option<Option<System>> {
    let key = name.to_string();
    let shown = decision.details.differences.iter().find(|difference| difference.field == key)?;
    let are_the_same = shown.highlevel.as_deref() == sides.highlevel.value(name)
        && shown.casepeer.as_deref() == sides.casepeer.value(name);
    if !are_the_same {
        return None;
    }
    let whole = match decision.resolution.action {
        ReviewAction::UseHighlevel => Some(System::HighLevel),
        ReviewAction::UseCasepeer => Some(System::CasePeer),
        // Taken back: it is asked again.
        ReviewAction::PutBack => return None,
        _ => None,
    };
    Some(decision.resolution.fields.get(&key).copied().or(whole))
}

/// How these fields differ.
pub(super) fn differences(
    names: &[FieldName],
    sides: Sides<'_>,
    contact: &Contact,
    matter: &Matter,
) -> impl Iterator<Item = Difference> {
    names.iter().map(move |name| Difference {
        field: name.to_string(),
        base: sides.base.value(name).map(str::to_owned),
        highlevel: sides.highlevel.value(name).map(str::to_owned),
        casepeer: sides.casepeer.value(name).map(str::to_owned),
        highlevel_changed: changed(contact.updated_at),
        casepeer_changed: changed(matter.updated_at),
    })
}

/// Asks a person about these fields.
pub(super) fn question(
    differences: Vec<Difference>,
    sides: Sides<'_>,
    contact: &Contact,
    matter: &Matter,
) -> Question {
    let names: Vec<FieldName> = differences.iter().filter_map(|one| one.field.parse().ok()).collect();
    let titles: Vec<&str> = names.iter().map(FieldName::title).collect();
    Question {
        kind: ReviewKind::Conflict,
        subject: subject(contact, matter),
        why: format!("{} changed on both sides: say whose value stands", titles.join(", ")),
        details: Details {
            highlevel: vec![Shown::of(&contact.record, sides.highlevel)],
            casepeer: vec![Shown::of(&matter.record, sides.casepeer)],
            differences,
            ..Details::default()
        },
    }
}

/// Neither vendor says which of its users changed a record, only when.
fn changed(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| format!("the record was changed {at:.0}"))
}

pub(super) fn subject(contact: &Contact, matter: &Matter) -> String {
    format!("{} {}", contact.record, matter.record)
}
