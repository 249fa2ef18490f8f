//! An answer that a person took back: what it overwrote is put back where it stood, and the question is asked again.

use super::super::merge::Merged;
use super::super::snapshot::{Pair, Snapshot};
use super::review::subject;
use crate::domain::{
    Command, Contact, Difference, FieldName, Fields, Matter, Plan, ReviewAction, ReviewKind, System,
};

/// What is put back.
#[derive(Default)]
pub(super) struct Back {
    to_highlevel: Fields,
    to_casepeer: Fields,
    /// What both sides had agreed on before they differed.
    agreed: Fields,
    asked: Vec<Difference>,
}

/// What is to be put back of this pair: of each field the value that the answer overwrote, as long as both sides have what
/// it wrote. `base` is what they agreed on last. After it they differ again, so that it is done once.
pub(super) fn find(
    base: &Fields,
    highlevel: &Fields,
    contact: &Contact,
    matter: &Matter,
    snapshot: &Snapshot,
) -> Back {
    let mut back = Back::default();
    let decision = snapshot.decision(ReviewKind::Conflict, &subject(contact, matter));
    let Some(decision) = decision.filter(|one| one.resolution.action == ReviewAction::PutBack) else {
        return back;
    };
    for shown in &decision.details.differences {
        let Ok(name) = shown.field.parse::<FieldName>() else { continue };
        let (target, stands, overwritten) = match decision.resolution.fields.get(&shown.field) {
            Some(System::HighLevel) => (System::CasePeer, &shown.highlevel, &shown.casepeer),
            Some(System::CasePeer) => (System::HighLevel, &shown.casepeer, &shown.highlevel),
            None => continue,
        };
        let (Some(stands), Some(overwritten)) = (stands.as_deref(), overwritten.as_deref()) else { continue };
        let (side, other) = match target {
            System::HighLevel => (highlevel.value(&name), matter.fields.value(&name)),
            System::CasePeer => (matter.fields.value(&name), highlevel.value(&name)),
        };
        // That it is back there already may be a write of ours of which no answer came.
        let is_as_written = base.value(&name) == Some(stands)
            && other == Some(stands)
            && (side == Some(stands) || side == Some(overwritten));
        if !is_as_written {
            continue;
        }
        let fields = match target {
            System::HighLevel => &mut back.to_highlevel,
            System::CasePeer => &mut back.to_casepeer,
        };
        fields.put(name.clone(), overwritten.to_owned());
        back.agreed.put(name, shown.base.clone().unwrap_or_default());
        back.asked.push(shown.clone());
    }
    back
}

impl Back {
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// What is asked again.
    pub(super) fn asked(&self) -> impl Iterator<Item = Difference> {
        self.asked.iter().cloned()
    }

    /// Has the merge do nothing about these fields.
    pub(super) fn leave_out_of(&self, merged: &mut Merged) {
        for (name, _) in self.agreed.iter() {
            for fields in [&mut merged.to_highlevel, &mut merged.to_casepeer, &mut merged.agreed] {
                fields.remove(name.clone());
            }
            merged.review.retain(|one| one != name);
            merged.left_alone.retain(|(one, _)| one != name);
            merged.conflicts.retain(|(one, _)| one != name);
        }
    }

    /// Puts it back.
    pub(super) fn carry_out(self, plan: &mut Plan, contact: &Contact, pair: &Pair) {
        const WHY: &str = "a person took the answer back that had overwritten it";
        let Pair { link, matter, .. } = pair;
        let of = |fields: &Fields| {
            let mut agreed = self.agreed.clone();
            agreed.retain(|name, _| fields.value(name).is_some());
            Some(agreed)
        };
        if !self.to_casepeer.is_empty() {
            let update = Command::UpdateMatter {
                matter: matter.record.clone(),
                contact: contact.record.clone(),
                agreed: of(&self.to_casepeer),
                fields: self.to_casepeer.clone(),
                revision: link.revision,
                version: matter.version.clone(),
            };
            plan.add(update, WHY);
        }
        if !self.to_highlevel.is_empty() {
            let update = Command::UpdateContact {
                contact: contact.record.clone(),
                matter: matter.record.clone(),
                agreed: of(&self.to_highlevel),
                fields: self.to_highlevel.clone(),
                revision: link.revision,
            };
            plan.add(update, WHY);
        }
    }
}
