//! The call a command is.

use super::super::prepare;
use super::super::session::{Session, Stop};
use crate::domain::{Command, Fields, RecordKind, RecordRef, System, Target, counterpart, external_ref};
use crate::operations::{Request, casepeer, highlevel};

/// The system to call and what to ask of it.
pub(super) async fn build(session: &Session<'_>, command: &Command) -> Result<(System, Request), Stop> {
    let location = &session.firm.location;
    let profile = session.firm.casepeer.profile();
    let to_highlevel = |request| (System::HighLevel, request);
    let to_casepeer = |request| (System::CasePeer, request);
    Ok(match command {
        Command::Link(_) | Command::Agree { .. } => unreachable!("what is only remembered is no call"),
        Command::CreateLead(new) => {
            let (fields, custom) = session.firm.rules.fields.for_casepeer(&new.fields);
            let (external_ref, filler) = (casepeer::lead_ref(location, &new.contact), &new.last_name_filler);
            let lead = casepeer::LeadBody { external_ref, fields: &fields, custom: &custom, filler };
            to_casepeer(casepeer::create_lead(profile, &lead)?)
        }
        Command::CreateContact(new) => {
            let (fields, custom) = for_highlevel(session, &new.sent()).await?;
            to_highlevel(highlevel::create_contact(location, &fields, &custom, &new.tags))
        }
        Command::UpdateContact { contact, fields, .. } => {
            let (fields, custom) = for_highlevel(session, fields).await?;
            to_highlevel(highlevel::update_contact(&contact.id, &fields, &custom))
        }
        Command::UpdateMatter { matter, fields, version, .. } => {
            let (fields, custom) = session.firm.rules.fields.for_casepeer(fields);
            to_casepeer(casepeer::update_matter(profile, matter, &fields, &custom, version.as_deref())?)
        }
        Command::AddTags { contact, tags, .. } => {
            to_highlevel(highlevel::add_tags(&resolve(session, contact).await?.id, tags))
        }
        Command::RemoveTags { contact, tags, .. } => to_highlevel(highlevel::remove_tags(&contact.id, tags)),
        Command::CreateBusiness { name, .. } => to_highlevel(highlevel::create_business(location, name)),
        Command::JoinBusiness { contact, name, .. } => {
            let businesses = prepare::businesses(session).await?;
            let found = businesses.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            let (id, _) =
                found.ok_or_else(|| Stop::NotThere("the business shows late in HighLevel".into()))?;
            to_highlevel(highlevel::join_business(location, &contact.id, id))
        }
        Command::SetLostReason { case, to, .. } => {
            let links = session.store.links_of(&session.firm.id, std::slice::from_ref(case)).await?;
            let deal = links.iter().find(|link| link.highlevel.kind == RecordKind::Opportunity);
            let deal = deal.ok_or_else(|| Stop::NoCounterpart(case.to_string()))?;
            to_highlevel(highlevel::set_status(&deal.highlevel.id, to))
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
                System::HighLevel => {
                    to_highlevel(highlevel::create_note(&owner.id, &new.body, new.author.as_deref()))
                }
                System::CasePeer => {
                    let name = external_ref(location, &new.name);
                    to_casepeer(casepeer::create_note(profile, &owner, new, &name, session.now())?)
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

/// A contact's own properties, and its custom fields by the ids that the location gave them.
async fn for_highlevel(
    session: &Session<'_>,
    fields: &Fields,
) -> Result<(Fields, Vec<(String, String)>), Stop> {
    let (own, custom) = session.firm.rules.fields.for_highlevel(fields);
    if custom.is_empty() {
        return Ok((own, custom));
    }
    let definitions = prepare::custom_fields(session, session.now()).await?;
    let by_id =
        custom.into_iter().filter_map(|(key, value)| Some((definitions.id_of(&key)?.to_owned(), value)));
    Ok((own, by_id.collect()))
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
