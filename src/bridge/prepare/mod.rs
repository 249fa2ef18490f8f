//! Reading the current records, so that a plan looks at what is, not at what a webhook said some time ago.

mod client;
mod contact;
mod copies;
mod listed;
mod lists;
mod matter;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub(super) use contact::custom_fields;
pub(super) use listed::{Contacts, Listed, contacts_of, listed, related};
pub(super) use lists::businesses;

use super::session::{Session, Stop};
use crate::domain::{Contact, Fact, System, Users};
use crate::plan::{Snapshot, View};

/// A contact as it is now; nothing if it is not there.
pub(super) async fn contact(session: &Session<'_>, id: &str) -> Result<Option<Contact>, Stop> {
    contact::read(session, id, session.now()).await
}

/// Takes the snapshot an event is planned on.
pub(super) async fn prepare(
    session: &Session<'_>,
    source: System,
    fact: &Fact,
    now: Timestamp,
) -> Result<Snapshot, Stop> {
    let view = match fact {
        Fact::ContactCreated { contact } | Fact::ContactUpdated { contact } => {
            contact::view(session, &contact.id, now).await?.map(Box::new).map(View::Contact)
        }
        Fact::ClientUpdated { client, merged } => {
            client::view(session, client, merged.as_ref(), now).await?.map(View::Client)
        }
        Fact::ContactDeleted { contact } => contact::deleted(session, contact, now).await?,
        Fact::AppointmentChanged { appointment, owner } => {
            copies::appointment(session, appointment, owner.as_ref(), now).await?.map(View::Appointment)
        }
        Fact::LeadCreated { lead: matter }
        | Fact::LeadUpdated { lead: matter }
        | Fact::CaseCreated { case: matter, .. }
        | Fact::CaseUpdated { case: matter }
        | Fact::CaseStatusChanged { case: matter, .. } => {
            matter::view(session, matter, now).await?.map(Box::new).map(View::Matter)
        }
        Fact::TaskCreated { task, owner } | Fact::TaskCompleted { task, owner } => match source {
            System::HighLevel => {
                copies::highlevel_task(session, task, owner.as_ref(), now).await?.map(View::Task)
            }
            System::CasePeer => copies::casepeer_task(session, task, now).await?.map(View::Task),
        },
        Fact::CopyDeleted { record, owner } => copies::erased(session, record, owner.as_ref(), now).await?,
        Fact::NoteCreated { note, owner } | Fact::NoteUpdated { note, owner } => match source {
            System::HighLevel => {
                copies::highlevel_note(session, note, owner.as_ref(), now).await?.map(View::Note)
            }
            System::CasePeer => {
                copies::casepeer_note(session, note, owner.as_ref(), now).await?.map(View::Note)
            }
        },
    };
    take(session, view, now).await
}

/// What was seen, with what changes seldom.
async fn take(session: &Session<'_>, view: Option<View>, now: Timestamp) -> Result<Snapshot, Stop> {
    let location = session.firm.location.clone();
    let mut snapshot = Snapshot {
        now,
        location,
        custom_fields: BTreeSet::new(),
        users: Users::default(),
        businesses: Vec::new(),
        view: view.unwrap_or(View::Gone),
        decisions: Vec::new(),
        is_backfill: session.is_backfill(),
    };
    if !matches!(snapshot.view, View::Gone) {
        snapshot.custom_fields = custom_fields(session, now).await?.keys().map(str::to_owned).collect();
        snapshot.users = lists::users(session, &snapshot.view, now).await?;
        snapshot.businesses = lists::known_businesses(session, now).await?;
    }
    Ok(snapshot)
}
