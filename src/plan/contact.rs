//! A contact was created or changed in HighLevel.

use super::matching::evidence;
use super::pair::{fields_for_casepeer, merge_pair};
use super::snapshot::{ContactView, Pair, Snapshot, Standing};
use super::{note, task};
use crate::domain::{Base, Command, Link, NewLead, Plan, Target};
use crate::rules::SyncRules;

/// Creates or links its lead, or merges it with the matters it is linked to.
pub(super) fn plan(view: &ContactView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if view.pairs.is_empty() {
        return introduce(view, snapshot, rules);
    }
    let mut plan = Plan::default();
    for pair in &view.pairs {
        merge_pair(&mut plan, &view.contact, pair, snapshot, rules);
    }
    plan
}

/// Brings a contact without a link into CASEpeer, with its open tasks and its notes.
pub(super) fn introduce(view: &ContactView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let contact = &view.contact;
    let mut plan = Plan::default();
    let known = view
        .candidates
        .iter()
        .find_map(|matter| Some((matter, evidence(contact, matter, &snapshot.location)?)));
    if let Some((matter, evidence)) = known {
        // A lead that names the contact was made for it; one that merely looks the same came into being there.
        let link =
            Link::new(contact.record.clone(), matter.record.clone(), evidence.origin(), Base::default());
        plan.add(
            Command::Link(link.clone()),
            format!("{} is the same person: {}", matter.record, evidence.words()),
        );
        let pair = Pair { link, matter: matter.clone(), standing: Standing::Only };
        merge_pair(&mut plan, contact, &pair, snapshot, rules);
    } else {
        if !rules.leads_from.admits(contact, &view.pipelines) {
            return Plan::nothing("the firm makes no lead of such a contact (sync.leads_from)");
        }
        if !contact.fields.is_reachable() {
            return Plan::nothing(
                "CASEpeer needs a phone or an e-mail; the lead is created once the contact has one",
            );
        }
        let lead = NewLead {
            contact: contact.record.clone(),
            fields: fields_for_casepeer(contact, rules),
            last_name_filler: rules.name_filler.clone(),
        };
        plan.add(Command::CreateLead(lead), "CASEpeer does not know this contact");
    }
    let owner = Target::CounterpartOf(contact.record.clone());
    for task in &view.tasks {
        task::copy_to_casepeer(&mut plan, task, owner.clone(), snapshot, rules);
    }
    for note in &view.notes {
        note::copy_to_casepeer(&mut plan, note, owner.clone(), snapshot, rules);
    }
    plan
}
