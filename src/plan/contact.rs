//! A contact was created or changed in HighLevel.

use super::matching::{Known, matters_of};
use super::merge::{Merged, merge};
use super::snapshot::{ContactView, Pair, Snapshot};
use super::{note, task};
use crate::domain::{Base, Command, Contact, Link, Matter, NewLead, Plan, System, Target};
use crate::rules::{LeadsFrom, SyncRules};

/// Creates or links its lead, or merges it with the matters it is linked to.
pub(super) fn plan(view: &ContactView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if view.pairs.is_empty() {
        return introduce(view, snapshot, rules);
    }
    let mut plan = Plan::default();
    for pair in &view.pairs {
        merge_pair(&mut plan, &view.contact, pair, rules);
    }
    plan
}

/// Brings a contact without a link into CASEpeer, with its open tasks and its notes.
pub(super) fn introduce(view: &ContactView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let contact = &view.contact;
    let mut plan = Plan::default();
    match matters_of(view, snapshot) {
        Known::As(matters) => {
            for (matter, likeness) in matters {
                // A lead that names the contact was made for it; one that looks the same came into being there.
                let base = Base::default().with_match(likeness.matched());
                let link = Link::new(contact.record.clone(), matter.record.clone(), likeness.origin, base);
                let reason = format!("{} is the same person's: {}", matter.record, likeness.words());
                plan.add(Command::Link(link.clone()), reason);
                merge_pair(&mut plan, contact, &Pair { link, matter: matter.clone() }, rules);
            }
        }
        Known::LeftAlone => return Plan::nothing("a person said to leave it as it is"),
        Known::Asked(question) => return Plan { questions: vec![*question], ..Plan::default() },
        Known::Nobody { .. } => {
            let LeadsFrom::All = rules.leads_from;
            if !contact.fields.is_reachable() {
                return Plan::nothing(
                    "CASEpeer needs a phone or an e-mail; the lead is created once the contact has one",
                );
            }
            let lead = NewLead {
                contact: contact.record.clone(),
                fields: contact.fields.clone(),
                last_name_filler: rules.name_filler.clone(),
                case_type: contact.custom.get("case_type").cloned(),
                source: contact.source.clone(),
            };
            plan.add(Command::CreateLead(lead), "CASEpeer does not know this contact");
        }
    }
    let owner = Target::CounterpartOf(contact.record.clone());
    for task in &view.tasks {
        task::copy_to_casepeer(&mut plan, task, owner.clone(), snapshot, rules);
    }
    for note in &view.notes {
        note::copy_to_casepeer(&mut plan, note, owner.clone(), rules);
    }
    plan
}

/// Merges a contact and a matter, whichever of them changed.
pub(super) fn merge_pair(plan: &mut Plan, contact: &Contact, pair: &Pair, rules: &SyncRules) {
    let Pair { link, matter } = pair;
    let merged = merge(&link.base.fields, &contact.fields, &matter.fields, owner(matter, rules));
    say_what_stays(plan, &merged);
    let is_quiet = merged.to_casepeer.is_empty() && merged.to_highlevel.is_empty();
    if is_quiet && merged.left_alone.is_empty() {
        plan.remark(format!("{} and {} are in step", contact.record, matter.record));
    }
    if !merged.agreed.is_empty() {
        let base = Base::of_fields(merged.agreed);
        let (highlevel, casepeer) = (contact.record.clone(), matter.record.clone());
        plan.add(Command::Agree { highlevel, casepeer, base }, "both sides have the same values");
    }
    if !merged.to_casepeer.is_empty() {
        let update = Command::UpdateMatter {
            matter: matter.record.clone(),
            contact: contact.record.clone(),
            fields: merged.to_casepeer,
            revision: link.revision,
            version: matter.version.clone(),
        };
        plan.add(update, "changed in HighLevel since both sides agreed");
    }
    if !merged.to_highlevel.is_empty() {
        let update = Command::UpdateContact {
            contact: contact.record.clone(),
            matter: matter.record.clone(),
            fields: merged.to_highlevel,
            revision: link.revision,
        };
        plan.add(update, "changed in CASEpeer since both sides agreed");
    }
}

/// Until the client signs, marketing's data stand; from then on the case file's.
fn owner(matter: &Matter, rules: &SyncRules) -> System {
    let milestone = matter.status.as_deref().and_then(|status| rules.status(status)?.milestone);
    let signed = matter.retained_at.is_some() || milestone.is_some_and(|step| step.is_after_signing());
    if signed { System::CasePeer } else { System::HighLevel }
}

fn say_what_stays(plan: &mut Plan, merged: &Merged) {
    for (field, side) in &merged.conflicts {
        plan.remark(format!("{} changed on both sides; {}'s value stands", field.title(), side.title()));
    }
    for field in &merged.left_alone {
        plan.remark(format!(
            "{} differs and was never agreed on, or was emptied on one side: left alone",
            field.title()
        ));
    }
}
