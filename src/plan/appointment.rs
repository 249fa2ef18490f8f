//! An appointment was made, moved or cancelled in HighLevel. CASEpeer's contract has no calendar: it becomes a note, or
//! a task with a note for each later change.

use super::snapshot::{CopyView, Owner, Snapshot};
use crate::domain::{Appointment, Command, EffectKey, NewNote, NewTask, Plan, Target, plain};
use crate::rules::{AppointmentAs, SyncRules};

pub(super) fn plan(view: &CopyView<Appointment>, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let appointment = &view.record;
    if rules.appointments.create == AppointmentAs::Nothing {
        return Plan::nothing("the firm keeps appointments out of CASEpeer (sync.appointments.create)");
    }
    let (mut plan, owner) = match &view.owner {
        Owner::Linked { there, .. } => (Plan::default(), Target::Record(there.clone())),
        Owner::Contact(contact) => {
            let plan = super::contact::introduce(contact, snapshot, rules);
            if plan.commands.is_empty() {
                return plan;
            }
            (plan, Target::CounterpartOf(contact.contact.record.clone()))
        }
        Owner::Matter(_) | Owner::Missing => {
            return Plan::nothing("HighLevel does not say whose appointment it is");
        }
    };
    let Some(starts_at) = appointment.starts_at else {
        return Plan::nothing("HighLevel does not say when it begins");
    };
    let status = appointment.status.as_deref().unwrap_or("confirmed");
    let what = format!("{} ({status}): {}", rules.time_zone.words(starts_at), plain(&appointment.title));
    // What CASEpeer knows already has a key of its own: the same moment and status are told once.
    let state = format!("{}:{}:{status}", appointment.record, starts_at.as_second());
    if rules.appointments.create == AppointmentAs::Task {
        let task = NewTask {
            owner: owner.clone(),
            copy_of: None,
            title: format!("Appointment {what}"),
            body: None,
            due_at: starts_at,
            is_completed: false,
            assignee: None,
            priority: None,
            effect: EffectKey(format!("task-of:{}", appointment.record)),
        };
        if !view.is_ours {
            plan.add(Command::CreateTask(task), "an appointment was made");
        }
    }
    let note = NewNote {
        owner,
        copy_of: None,
        effect: EffectKey(format!("note-of:{state}")),
        name: state.replace(':', "-"),
        author: None,
        written_at: None,
        body: format!("HighLevel appointment {what}"),
        category: rules.notes.category.clone(),
        digest: None,
    };
    plan.add(Command::CreateNote(note), "an appointment was made or changed");
    plan
}
