//! A contact was created or changed in HighLevel.

use super::matching::{Known, Likeness, matters_of};
use super::pair::{fields_for_casepeer, merge_pairs};
use super::snapshot::{ContactView, Pair, Snapshot, Standing};
use super::{note, task};
use crate::domain::{Base, Command, Contact, Link, Matter, NewLead, Plan, Target};
use crate::rules::SyncRules;

/// Creates or links its lead, or merges it with the matters it is linked to.
pub(super) fn plan(view: &ContactView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if view.pairs.is_empty() {
        return introduce(view, snapshot, rules);
    }
    let mut plan = Plan::default();
    let mut pairs = view.pairs.clone();
    for pair in pairs.iter_mut().filter(|pair| !pair.link.is_live()) {
        pair.link.base.is_deleted = false;
        plan.add(Command::Link(pair.link.clone()), "the contact is there again");
    }
    merge_pairs(&mut plan, &view.contact, &pairs, &[], snapshot, rules);
    plan
}

/// Brings a contact without a link into CASEpeer, with its open tasks and its notes.
pub(super) fn introduce(view: &ContactView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let contact = &view.contact;
    let mut plan = Plan::default();
    match matters_of(view, snapshot) {
        Known::As(matters) => link_all(&mut plan, contact, &matters, snapshot, rules),
        Known::LeftAlone => return Plan::nothing("a person said to leave it as it is"),
        Known::Asked(question) => return Plan { questions: vec![*question], ..Plan::default() },
        Known::Nobody { .. } => {
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

/// Links a contact with its person's matters and merges it with each.
fn link_all(
    plan: &mut Plan,
    contact: &Contact,
    matters: &[(&Matter, Likeness)],
    snapshot: &Snapshot,
    rules: &SyncRules,
) {
    let made = matters.iter().map(|(matter, likeness)| {
        // A lead that names the contact was made for it; one that looks the same came into being there.
        let base = Base::default().with_match(likeness.matched()).with_client(matter.client.as_ref());
        Link::new(contact.record.clone(), matter.record.clone(), likeness.origin, base)
    });
    let links: Vec<Link> = made.collect();
    let mut pairs = Vec::with_capacity(links.len());
    for ((matter, likeness), link) in matters.iter().zip(&links) {
        let reason = format!("{} is the same person's: {}", matter.record, likeness.words());
        plan.add(Command::Link(link.clone()), reason);
        let standing = Standing::of(matter, &links);
        pairs.push(Pair { link: link.clone(), matter: (*matter).clone(), standing });
    }
    merge_pairs(plan, contact, &pairs, &[], snapshot, rules);
}
