//! A client's data changed in CASEpeer, or another client was merged into it: its leads and cases show it all at once.

use super::pair::merge_pairs;
use super::snapshot::{MatterView, Pair, Snapshot};
use crate::domain::{Base, Command, EffectKey, Link, Plan, Target};
use crate::rules::SyncRules;

/// The tag of a contact whose person has another, by CASEpeer's word.
const DUPLICATE_TAG: &str = "cp:duplicate";

pub(super) fn plan(views: &[MatterView], snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let mut plan = Plan::default();
    let linked = views.iter().filter_map(|view| Some((view, view.link.as_ref()?, view.contact.as_ref()?)));
    let linked: Vec<_> = linked.collect();
    let Some((_, _, contact)) = linked.first() else {
        return Plan::nothing("no lead or case of this client is linked");
    };
    let mut pairs = Vec::new();
    let mut siblings = Vec::new();
    for (view, link, other) in &linked {
        let mut link = (*link).clone();
        if other.record != contact.record {
            // CASEpeer's people say that the two are one; HighLevel's contacts are theirs to merge, and are kept.
            let (highlevel, casepeer) = (link.highlevel.clone(), link.casepeer.clone());
            let base = Base { is_deleted: true, ..Base::default() };
            plan.add(Command::Agree { highlevel, casepeer, base }, "its client was merged into another");
            let base = Base { fields: Default::default(), ..link.base.clone() };
            link = Link::new(contact.record.clone(), link.casepeer.clone(), link.origin, base);
            plan.add(Command::Link(link.clone()), format!("{} is the client's contact", contact.record));
            let tags = Command::AddTags {
                contact: Target::Record(other.record.clone()),
                tags: vec![DUPLICATE_TAG.into()],
                effect: EffectKey(format!("duplicate:{}:of:{}", other.record, contact.record)),
            };
            plan.add(tags, "CASEpeer has one client for both contacts");
        }
        siblings.extend(view.siblings.iter().cloned());
        pairs.push(Pair { link, matter: view.matter.clone(), standing: view.standing });
    }
    let is_here = |link: &Link| pairs.iter().any(|pair| pair.link.casepeer == link.casepeer);
    siblings.retain(|link| !is_here(link));
    merge_pairs(&mut plan, contact, &pairs, &siblings, snapshot, rules);
    plan
}
