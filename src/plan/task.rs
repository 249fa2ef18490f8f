//! A task was created or completed on either side.

use jiff::Timestamp;

use super::snapshot::{CopyView, Owner, Snapshot};
use super::users;
use crate::domain::{
    Base, Command, Link, NewTask, Plan, RecordKind, System, Target, Task, parse_external_ref, plain,
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
        title: marked(task, rules),
        body: task.body.as_deref().filter(|_| rules.tasks.text_to_highlevel).map(plain),
        due_at: due(task, snapshot, rules),
        is_completed: task.is_completed,
        assignee: users::counterpart(System::CasePeer, task.assignee.as_deref(), snapshot, rules),
        priority: None,
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
    if !link.is_live() {
        return Some(Plan::nothing("it was deleted in HighLevel"));
    }
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
    let (priority, title) = unmarked(&task.title, rules);
    let copy = NewTask {
        owner,
        copy_of: Some(task.record.clone()),
        title: title.to_owned(),
        body: task.body.as_deref().map(plain),
        due_at: due(task, snapshot, rules),
        is_completed: task.is_completed,
        assignee: users::counterpart(System::HighLevel, task.assignee.as_deref(), snapshot, rules),
        priority,
        effect: task.record.copy_effect(),
    };
    plan.add(Command::CreateTask(copy), "CASEpeer has no copy of it");
}

/// When it is due. A day, or a time without a zone, is the firm's own.
fn due(task: &Task, snapshot: &Snapshot, rules: &SyncRules) -> Timestamp {
    let local = || task.due_text.as_deref().and_then(|written| rules.time_zone.moment(written));
    task.due_at.or_else(local).unwrap_or_else(|| rules.tasks.default_due_in.after(snapshot.now))
}

/// The title in HighLevel, which knows no priorities: the firm's mark stands before it.
fn marked(task: &Task, rules: &SyncRules) -> String {
    let title = if rules.tasks.text_to_highlevel { plain(&task.title) } else { WITHHELD_TITLE.into() };
    let mark = task.priority.as_ref().and_then(|priority| rules.tasks.priorities.get(priority));
    mark.map_or(title.clone(), |mark| format!("{mark} {title}"))
}

/// The priority that a mark before the title stands for, and the title without it.
fn unmarked<'a>(title: &'a str, rules: &SyncRules) -> (Option<String>, &'a str) {
    let marks = rules.tasks.priorities.iter().filter(|(_, mark)| !mark.is_empty());
    let found = marks.filter_map(|(priority, mark)| {
        let rest = title.strip_prefix(mark.as_str())?.trim_start();
        (!rest.is_empty()).then(|| (mark.len(), priority.clone(), rest))
    });
    // The longest mark: `!!` is not `!` and something.
    match found.max_by_key(|(length, ..)| *length) {
        Some((_, priority, rest)) => (Some(priority), rest),
        None => (None, title),
    }
}

fn is_copy_of(command: &Command, task: &Task) -> bool {
    matches!(command, Command::CreateTask(new) if new.copy_of.as_ref() == Some(&task.record))
}
