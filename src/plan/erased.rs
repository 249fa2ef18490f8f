//! A task or note was deleted in HighLevel. Nothing is ever deleted in CASEpeer: its copy stays, the link becomes its
//! tombstone, and whoever would work on an open task is told.

use super::snapshot::ErasedView;
use crate::domain::{Base, Command, EffectKey, NewNote, Plan, System, Target};
use crate::rules::SyncRules;

pub(super) fn plan(view: &ErasedView, rules: &SyncRules) -> Plan {
    let Some(link) = &view.link else { return Plan::nothing("CASEpeer has no copy of it") };
    let mut plan = Plan::default();
    if let Some(task) = view.task.as_ref().filter(|task| !task.is_completed)
        && let Some(owner) = &task.owner
        && link.origin == System::HighLevel
    {
        let note = NewNote {
            owner: Target::Record(owner.clone()),
            copy_of: None,
            effect: EffectKey(format!("tombstone:{}", link.highlevel)),
            name: format!("deleted-{}", link.highlevel.id),
            author: None,
            written_at: None,
            body: format!("The task \"{}\" was deleted in HighLevel. It stays here as it is.", task.title),
            category: rules.notes.category.clone(),
            digest: None,
        };
        plan.add(Command::CreateNote(note), "its copy in CASEpeer is still open");
    }
    let (highlevel, casepeer) = (link.highlevel.clone(), link.casepeer.clone());
    let base = Base { is_deleted: true, ..Base::default() };
    plan.add(
        Command::Agree { highlevel, casepeer, base },
        "it was deleted in HighLevel; CASEpeer keeps its copy",
    );
    plan
}
