//! A task was created or completed on either side.

use super::snapshot::{CopyView, Owner, Snapshot};
use crate::domain::{
    Base, Command, Link, NewTask, Plan, RecordKind, System, Target, Task, parse_external_ref,
};
use crate::rules::SyncRules;

/// What the copy of a CASEpeer task is called where the firm keeps free text out of HighLevel.
const WITHHELD_TITLE: &str = "Task in CASEpeer";

/// A HighLevel task changed.
pub(super) fn to_casepeer(view: &CopyView<Task>, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if let Some(plan) = settled_by_link_or_origin(view) {
        return plan;
    }
    let (mut plan, owner) = match &view.owner {
        Owner::Linked { there, .. } => (Plan::default(), Target::Record(there.clone())),
        Owner::Contact(contact) => {
            let mut plan = super::contact::introduce(contact, snapshot, rules);
            if plan.commands.is_empty() {
                return plan;
            }
            // The contact's own tasks may hold this one already; it is then planned once.
            plan.commands.retain(|planned| !is_copy_of(&planned.command, &view.record));
            (plan, Target::CounterpartOf(contact.contact.record.clone()))
        }
        Owner::Matter(_) | Owner::Missing => return Plan::nothing("HighLevel does not say whose task it is"),
    };
    copy_to_casepeer(&mut plan, &view.record, owner, snapshot, rules);
    plan
}

/// A CASEpeer task changed.
pub(super) fn to_highlevel(view: &CopyView<Task>, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    if let Some(plan) = settled_by_link_or_origin(view) {
        return plan;
    }
    let task = &view.record;
    let reference = task.external_ref.as_deref();
    if let Some(original) =
        reference.and_then(|it| parse_external_ref(it, &snapshot.location, RecordKind::Task))
    {
        let base = Base::of_task(task.is_completed);
        let link = Link::new(original.clone(), task.record.clone(), System::HighLevel, base);
        let mut plan = Plan::default();
        plan.add(Command::Link(link), format!("it is our own copy of {original}"));
        return plan;
    }
    let (mut plan, owner) = match &view.owner {
        Owner::Linked { there, .. } => (Plan::default(), Target::Record(there.clone())),
        Owner::Matter(matter) => {
            let plan = super::matter::introduce(matter, snapshot, rules);
            if plan.commands.is_empty() {
                return plan;
            }
            (plan, Target::CounterpartOf(matter.matter.record.clone()))
        }
        Owner::Contact(_) | Owner::Missing => return Plan::nothing("CASEpeer does not say whose task it is"),
    };
    let copy = NewTask {
        owner,
        copy_of: Some(task.record.clone()),
        title: if rules.tasks.text_to_highlevel { task.title.clone() } else { WITHHELD_TITLE.into() },
        body: if rules.tasks.text_to_highlevel { task.body.clone() } else { None },
        due_at: task.due_at.unwrap_or_else(|| rules.tasks.default_due_in.after(snapshot.now)),
        is_completed: task.is_completed,
        assignee: None,
        effect: task.record.copy_effect(),
    };
    plan.add(Command::CreateTask(copy), "HighLevel has no copy of it");
    plan
}

/// A task with a copy needs at most its completion; one of our own making without a copy needs nothing.
fn settled_by_link_or_origin(view: &CopyView<Task>) -> Option<Plan> {
    let task = &view.record;
    let Some(link) = &view.link else {
        return view.is_ours.then(|| Plan::nothing("it is an initial task of our own, which has no copy"));
    };
    if !task.is_completed || link.base.is_completed == Some(true) {
        return Some(Plan::nothing("both sides have it so already"));
    }
    let other = link.on(task.record.system.opposite()).clone();
    let Owner::Linked { here, there } = &view.owner else {
        return Some(Plan::nothing("nobody knows whose task it is"));
    };
    let contact = if here.kind == RecordKind::Contact { here } else { there };
    let mut plan = Plan::default();
    let complete = Command::CompleteTask {
        task: other,
        owner: Target::Record(contact.clone()),
        source: task.record.clone(),
        revision: link.revision,
    };
    plan.add(complete, format!("it was completed in {}", task.record.system.title()));
    Some(plan)
}

/// Plans the copy of a HighLevel task.
pub(super) fn copy_to_casepeer(
    plan: &mut Plan,
    task: &Task,
    owner: Target,
    snapshot: &Snapshot,
    rules: &SyncRules,
) {
    let copy = NewTask {
        owner,
        copy_of: Some(task.record.clone()),
        title: task.title.clone(),
        body: task.body.clone(),
        due_at: task.due_at.unwrap_or_else(|| rules.tasks.default_due_in.after(snapshot.now)),
        is_completed: task.is_completed,
        assignee: None,
        effect: task.record.copy_effect(),
    };
    plan.add(Command::CreateTask(copy), "CASEpeer has no copy of it");
}

fn is_copy_of(command: &Command, task: &Task) -> bool {
    matches!(command, Command::CreateTask(new) if new.copy_of.as_ref() == Some(&task.record))
}
