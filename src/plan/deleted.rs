//! A contact was deleted in HighLevel, or merged into another. Nothing is ever deleted in CASEpeer: its matters follow
//! the contact that HighLevel has for the same person now, or keep a tombstone and a note that says so.

use super::pair::merge_pair;
use super::snapshot::{DeletedView, Pair, Snapshot};
use crate::domain::{Base, Command, EffectKey, Link, NewNote, Plan, Target};
use crate::rules::SyncRules;

pub(super) fn plan(view: &DeletedView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let mut plan = Plan::default();
    for (pair, survivor) in &view.orphans {
        let (link, matter) = (&pair.link, &pair.matter);
        let base = Base { is_deleted: true, ..Base::default() };
        let (highlevel, casepeer) = (link.highlevel.clone(), link.casepeer.clone());
        plan.add(Command::Agree { highlevel, casepeer, base }, "the contact was deleted in HighLevel");
        match survivor {
            Some(contact) => {
                // What the two agreed on is true of the survivor as far as it has the same values.
                let (initial_tasks, client) = (link.base.initial_tasks, link.base.client.clone());
                let mut base = Base { initial_tasks, client, ..Base::default() };
                base.fields = link.base.fields.clone();
                base.fields.retain(|name, value| contact.fields.value(name) == Some(value));
                let link = Link::new(contact.record.clone(), link.casepeer.clone(), link.origin, base);
                let reason = format!("{} is the same person", contact.record);
                plan.add(Command::Link(link.clone()), reason);
                let pair = Pair { link, ..pair.clone() };
                merge_pair(&mut plan, contact, &pair, snapshot, rules);
            }
            None => {
                let key = format!("tombstone:{}:{}", view.contact, matter.root());
                let note = NewNote {
                    owner: Target::Record(matter.record.clone()),
                    copy_of: None,
                    effect: EffectKey(key),
                    name: format!("deleted-{}", view.contact.id),
                    author: None,
                    written_at: Some(snapshot.now),
                    body: "The contact was deleted in HighLevel. Nothing was deleted here, and later changes are \
                           no longer brought to HighLevel."
                        .into(),
                    category: rules.notes.category.clone(),
                    digest: None,
                };
                plan.add(Command::CreateNote(note), "CASEpeer keeps the matter and learns of it");
            }
        }
    }
    if view.orphans.is_empty() {
        plan.remark("CASEpeer knows no matter of this contact");
    }
    plan
}
