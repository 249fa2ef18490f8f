//! A lead was created or changed in CASEpeer.

use super::matching::{Known, contact_of};
use super::pair::{fields_for_highlevel, merge_pairs};
use super::snapshot::{MatterView, Pair, Snapshot};
use super::users;
use crate::domain::{Base, Command, EffectKey, Link, NewContact, NewTask, Plan, RecordRef, System, Target};
use crate::rules::SyncRules;

/// The tag of every contact that came from CASEpeer.
const SYNCED_TAG: &str = "cp:synced";

/// Whether the event tells that the matter came into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// It does.
    Created,
    /// It tells of something later.
    Changed,
}

/// Creates or links its contact, or merges the two; then the initial tasks, if the matter came into being there.
pub(super) fn plan(view: &MatterView, occasion: Occasion, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let (Some(link), Some(contact)) = (&view.link, &view.contact) else {
        return introduce(view, snapshot, rules);
    };
    let mut plan = Plan::default();
    let own = own_link(link, &view.matter.record);
    if own.casepeer != link.casepeer {
        plan.add(Command::Link(own.clone()), format!("{} was {}", own.casepeer, link.casepeer));
    }
    let pair = Pair { link: own, matter: view.matter.clone(), standing: view.standing };
    merge_pairs(&mut plan, contact, std::slice::from_ref(&pair), &view.siblings, snapshot, rules);
    // Once: a template that the firm adds later is for later matters. A new matter's contact may have been told of, and
    // linked as a look-alike, before its own event was done, as when the answer that it was created never came.
    let are_due = match link.base.initial_tasks {
        Some(are_seen_to) => !are_seen_to,
        None => occasion == Occasion::Created && link.origin == System::CasePeer,
    };
    if are_due {
        if rules.wants_initial_tasks(snapshot.is_backfill) {
            initial_tasks(&mut plan, view, snapshot, rules);
        }
        let (highlevel, casepeer) = (contact.record.clone(), view.matter.record.clone());
        let base = Base::default().with_initial_tasks(true);
        plan.add(Command::Agree { highlevel, casepeer, base }, "the initial tasks are seen to");
    }
    plan
}

/// A case takes over the link of the lead it began as, with what was agreed.
fn own_link(link: &Link, matter: &RecordRef) -> Link {
    if link.casepeer == *matter {
        return link.clone();
    }
    Link { casepeer: matter.clone(), revision: 0, ..link.clone() }
}

/// Brings a lead or case without a link into HighLevel, with its initial tasks.
pub(super) fn introduce(view: &MatterView, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    let matter = &view.matter;
    let has_initial_tasks = rules.wants_initial_tasks(snapshot.is_backfill);
    let mut plan = Plan::default();
    let origin = match contact_of(view, snapshot) {
        Known::LeftAlone => return Plan::nothing("a person said to leave it as it is"),
        Known::Asked(question) => return Plan { questions: vec![*question], ..Plan::default() },
        Known::As(contacts) => {
            let Some((contact, likeness)) = contacts.into_iter().next() else { return plan };
            let base = match likeness.origin {
                System::CasePeer => Base::default().with_initial_tasks(!has_initial_tasks),
                System::HighLevel => Base::default(),
            };
            let base = base.with_match(likeness.matched()).with_client(matter.client.as_ref());
            let link = Link::new(contact.record.clone(), matter.record.clone(), likeness.origin, base);
            let reason = format!("{} is the same person: {}", contact.record, likeness.words());
            plan.add(Command::Link(link.clone()), reason);
            let pair = Pair { link, matter: matter.clone(), standing: view.standing };
            merge_pairs(&mut plan, contact, &[pair], &view.siblings, snapshot, rules);
            likeness.origin
        }
        Known::Nobody { withheld } => {
            let contact = NewContact {
                matter: matter.record.clone(),
                fields: fields_for_highlevel(matter, snapshot, rules),
                tags: vec![SYNCED_TAG.into()],
                withheld,
                client: matter.client.clone(),
                has_initial_tasks,
            };
            plan.add(Command::CreateContact(contact), "HighLevel does not know this client");
            System::CasePeer
        }
    };
    if origin == System::CasePeer && has_initial_tasks {
        initial_tasks(&mut plan, view, snapshot, rules);
    }
    plan
}

/// The tasks a new matter starts with. Their effect keys name the lead it began as, so that each happens once however
/// often it is planned, as when the plan broke off in the middle.
fn initial_tasks(plan: &mut Plan, view: &MatterView, snapshot: &Snapshot, rules: &SyncRules) {
    let matter = &view.matter;
    for template in rules.initial_tasks_of(matter.case_type.as_deref()) {
        let task = NewTask {
            owner: Target::CounterpartOf(matter.record.clone()),
            copy_of: None,
            title: template.title.clone(),
            body: template.body.clone(),
            due_at: template.due_in.after(snapshot.now),
            is_completed: false,
            assignee: users::by_template(template.assignee.as_deref(), matter, snapshot, rules),
            priority: None,
            effect: EffectKey(format!("task:{}:{}", matter.root(), template.key)),
        };
        plan.add(Command::CreateTask(task), format!("initial task `{}` of this case type", template.key));
    }
}
