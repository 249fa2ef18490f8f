//! What to do about an event: `plan(&Event, &Snapshot, &SyncRules) -> Plan`. Pure and synchronous.
//!
//! One file for each thing that changed, and `matching`, `merge` and `snapshot` which they share. A plan looks at
//! nothing but its arguments: `bridge::prepare` reads the systems and the store beforehand, `bridge::act` carries the
//! commands out afterwards, and an effect key keeps a command from being carried out twice.

mod appointment;
mod client;
mod contact;
mod deleted;
mod erased;
pub mod matching;
mod matter;
mod merge;
mod note;
mod pair;
mod snapshot;
mod status;
mod task;
mod users;

use self::matter::Occasion;
pub use merge::{Merged, Sides, Verdict, Why, decide, merge};
pub use pair::conflict_subjects;
pub use snapshot::{
    ContactView, CopyView, DeletedView, ErasedView, MatterView, Owner, Pair, Snapshot, Standing, View,
};

use crate::domain::{Event, Fact, Plan, System};
use crate::rules::SyncRules;

/// Decides what to do.
pub fn plan(event: &Event, snapshot: &Snapshot, rules: &SyncRules) -> Plan {
    match (&snapshot.view, &event.fact) {
        (View::Gone, fact) => {
            Plan::nothing(format!("{}, or what it is linked to, has been deleted", fact.subject()))
        }
        (View::Contact(view), _) => contact::plan(view, snapshot, rules),
        (View::Matter(view), Fact::CaseCreated { status, .. }) => {
            status::plan(view, Occasion::Created, status.as_deref(), snapshot, rules)
        }
        (View::Matter(view), Fact::CaseStatusChanged { status, .. }) => {
            status::plan(view, Occasion::Changed, status.as_deref(), snapshot, rules)
        }
        (View::Matter(view), Fact::CaseUpdated { .. }) => status::updated(view, snapshot, rules),
        (View::Matter(view), Fact::LeadCreated { .. }) => {
            matter::plan(view, Occasion::Created, snapshot, rules)
        }
        (View::Matter(view), _) => matter::plan(view, Occasion::Changed, snapshot, rules),
        (View::Client(views), _) => client::plan(views, snapshot, rules),
        (View::Task(view), _) => match event.source {
            System::HighLevel => task::to_casepeer(view, snapshot, rules),
            System::CasePeer => task::to_highlevel(view, snapshot, rules),
        },
        (View::Appointment(view), _) => appointment::plan(view, snapshot, rules),
        (View::Deleted(view), _) => deleted::plan(view, snapshot, rules),
        (View::Erased(view), _) => erased::plan(view, rules),
        (View::Note(view), Fact::NoteUpdated { .. }) => note::rewritten(view, snapshot, rules),
        (View::Note(view), _) => match event.source {
            System::HighLevel => note::to_casepeer(view, snapshot, rules),
            System::CasePeer => note::to_highlevel(view, snapshot, rules),
        },
    }
}

#[cfg(test)]
mod tests;
