//! The call a command is.

use super::super::session::{Session, Stop};
use crate::domain::{Command, RecordRef, System, Target, counterpart, external_ref};
use crate::operations::{Request, casepeer, highlevel};

/// The system to call and what to ask of it.
pub(super) async fn build(session: &Session<'_>, command: &Command) -> Result<(System, Request), Stop> {
    let location = &session.firm.location;
    let profile = session.firm.casepeer.profile();
    let to_highlevel = |request| (System::HighLevel, request);
    let to_casepeer = |request| (System::CasePeer, request);
    Ok(match command {
        Command::Link(_) | Command::Agree { .. } => unreachable!("what is only remembered is no call"),
        Command::CreateLead(new) => to_casepeer(casepeer::create_lead(profile, location, new)?),
        Command::CreateContact(new) => to_highlevel(highlevel::create_contact(location, new)),
        Command::UpdateContact { contact, fields, .. } => {
            to_highlevel(highlevel::update_contact(&contact.id, fields))
        }
        Command::UpdateMatter { matter, fields, version, .. } => {
            to_casepeer(casepeer::update_matter(profile, matter, fields, version.as_deref())?)
        }
        Command::AddTags { contact, tags, .. } => {
            to_highlevel(highlevel::add_tags(&resolve(session, contact).await?.id, tags))
        }
        Command::CreateTask(new) => {
            let owner = resolve(session, &new.owner).await?;
            match owner.system {
                System::HighLevel => to_highlevel(highlevel::create_task(&owner.id, new)),
                System::CasePeer => {
                    let name = new.copy_of.as_ref().map(|original| external_ref(location, &original.id));
                    to_casepeer(casepeer::create_task(profile, &owner, new, name.as_deref())?)
                }
            }
        }
        Command::CompleteTask { task, owner, .. } => match task.system {
            System::HighLevel => {
                to_highlevel(highlevel::complete_task(&resolve(session, owner).await?.id, &task.id))
            }
            System::CasePeer => to_casepeer(casepeer::complete_task(profile, &task.id)?),
        },
        Command::CreateNote(new) => {
            let owner = resolve(session, &new.owner).await?;
            match owner.system {
                System::HighLevel => to_highlevel(highlevel::create_note(&owner.id, &new.body)),
                System::CasePeer => {
                    let name = external_ref(location, &new.copy_of.id);
                    let (category, now) = (new.category.as_deref(), session.now());
                    to_casepeer(casepeer::create_note(profile, &owner, &new.body, category, &name, now)?)
                }
            }
        }
        Command::CreateOpportunity(new) => {
            let contact = resolve(session, &new.contact).await?;
            to_highlevel(highlevel::create_opportunity(location, &contact.id, &new.name, &new.to))
        }
        Command::UpdateOpportunity { opportunity, to, .. } => {
            to_highlevel(highlevel::update_opportunity(&opportunity.id, to))
        }
    })
}

pub(super) async fn resolve(session: &Session<'_>, target: &Target) -> Result<RecordRef, Stop> {
    match target {
        Target::Record(record) => Ok(record.clone()),
        Target::CounterpartOf(record) => {
            let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
            counterpart(&links, record).cloned().ok_or_else(|| Stop::NoCounterpart(record.to_string()))
        }
    }
}
