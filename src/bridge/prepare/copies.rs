//! Reading a task or note, and whose it is.

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use super::{contact, matter};
use crate::domain::{Appointment, Link, Note, RecordKind, RecordRef, Task, counterpart};
use crate::operations::{casepeer, highlevel};
use crate::plan::{CopyView, ErasedView, Owner, View};
use crate::store::Rejoined;

/// The most pages of a location's tasks that are searched for one without its contact.
const SEARCHED_PAGES: usize = 20;
/// The most pages of a matter's notes that are read to find one.
const LISTED_PAGES: usize = 100;

pub(super) async fn highlevel_task(
    session: &Session<'_>,
    task: &RecordRef,
    owner: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Option<CopyView<Task>>, Stop> {
    let contact = match owner {
        Some(contact) => contact.id.clone(),
        None => find_contact(session, task).await?,
    };
    let answer = session.read_highlevel(&highlevel::get_task(&contact, &task.id)).await?;
    let Some(answer) = answer else { return missing(session, task).await };
    let record = highlevel::read_task(&answer, &contact)?;
    let owner = RecordRef::highlevel(RecordKind::Contact, contact);
    view(session, task, record, Some(owner), now).await.map(Some)
}

/// Nothing, if the record was known and has been deleted; else it was announced and cannot be found.
async fn missing<T>(session: &Session<'_>, record: &RecordRef) -> Result<Option<T>, Stop> {
    let firm = &session.firm.id;
    let links = session.store.links_of(firm, std::slice::from_ref(record)).await?;
    if links.is_empty() && !session.store.is_ours(firm, record).await? {
        return Err(contact::not_there(record));
    }
    Ok(None)
}

/// HighLevel's webhook may not say whose a task is. Once that is found, the event waits its turn with the person's.
async fn find_contact(session: &Session<'_>, task: &RecordRef) -> Result<String, Stop> {
    for page in 0..SEARCHED_PAGES {
        let request = highlevel::search_tasks(&session.firm.location, page);
        let answer = session.read_highlevel(&request).await?;
        match answer.map(|answer| highlevel::read_found_task(&answer, &task.id)) {
            Some(highlevel::FoundTask::NotHere) => {}
            None | Some(highlevel::FoundTask::Nowhere) => break,
            Some(highlevel::FoundTask::Of(contact)) => {
                let owner = RecordRef::highlevel(RecordKind::Contact, &contact);
                return match session.store.rejoin(session.lease, &owner).await? {
                    Rejoined::AlreadyThere => Ok(contact),
                    Rejoined::Moved => Err(Stop::Moved),
                    Rejoined::LeaseLost => Err(Stop::LeaseLost),
                };
            }
        }
    }
    Err(Stop::NotThere(format!(
        "the webhook does not say whose {task} is, and the location's tasks do not show it"
    )))
}

pub(super) async fn casepeer_task(
    session: &Session<'_>,
    task: &RecordRef,
    now: Timestamp,
) -> Result<Option<CopyView<Task>>, Stop> {
    let request = casepeer::get_task(session.firm.casepeer.profile(), &task.id)?;
    let Some(answer) = session.read_casepeer(&request).await? else { return missing(session, task).await };
    let record = casepeer::read_task(&answer)?;
    let owner = record.owner.clone();
    view(session, task, record, owner, now).await.map(Some)
}

pub(super) async fn highlevel_note(
    session: &Session<'_>,
    note: &RecordRef,
    owner: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Option<CopyView<Note>>, Stop> {
    // Without its contact a note cannot be read: HighLevel has no search over notes.
    let Some(contact) = owner else { return Err(ownerless(note)) };
    let answer = session.read_highlevel(&highlevel::get_note(&contact.id, &note.id)).await?;
    let Some(answer) = answer else { return missing(session, note).await };
    let record = highlevel::read_note(&answer, &contact.id)?;
    view(session, note, record, Some(contact.clone()), now).await.map(Some)
}

pub(super) async fn casepeer_note(
    session: &Session<'_>,
    note: &RecordRef,
    owner: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Option<CopyView<Note>>, Stop> {
    let Some(owner) = owner else { return Err(ownerless(note)) };
    let mut cursor = None;
    for _ in 0..LISTED_PAGES {
        let request = casepeer::list_notes(session.firm.casepeer.profile(), owner, cursor.as_deref())?;
        let Some(answer) = session.read_casepeer(&request).await? else { break };
        match casepeer::read_listed_note(&answer, &note.id, owner) {
            Ok(record) => return view(session, note, record, Some(owner.clone()), now).await.map(Some),
            Err(None) => break,
            Err(next) => cursor = next,
        }
    }
    missing(session, note).await
}

/// A task or note that is said to be deleted; one that is there after all is looked at as it is.
pub(super) async fn erased(
    session: &Session<'_>,
    record: &RecordRef,
    owner: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Option<View>, Stop> {
    if let Some(owner) = owner {
        let is_note = record.kind == RecordKind::Note;
        let request = match is_note {
            true => highlevel::get_note(&owner.id, &record.id),
            false => highlevel::get_task(&owner.id, &record.id),
        };
        if session.read_highlevel(&request).await?.is_some() {
            return Ok(match is_note {
                true => highlevel_note(session, record, Some(owner), now).await?.map(View::Note),
                false => highlevel_task(session, record, Some(owner), now).await?.map(View::Task),
            });
        }
    }
    let firm = &session.firm.id;
    let links = session.store.links_of(firm, std::slice::from_ref(record)).await?;
    let link = links.into_iter().find(Link::is_live);
    let mut task = None;
    if let Some(copy) = link.as_ref().map(|link| &link.casepeer).filter(|copy| copy.kind == RecordKind::Task)
    {
        let request = casepeer::get_task(session.firm.casepeer.profile(), &copy.id);
        let answer = session.read_casepeer_if_it_can(request).await?;
        task = answer.map(|answer| casepeer::read_task(&answer)).transpose()?;
    }
    Ok(Some(View::Erased(ErasedView { link, task })))
}

/// An appointment as it is now; nothing if it has been deleted.
pub(super) async fn appointment(
    session: &Session<'_>,
    appointment: &RecordRef,
    owner: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Option<CopyView<Appointment>>, Stop> {
    let answer = session.read_highlevel(&highlevel::get_appointment(&appointment.id)).await?;
    let Some(answer) = answer else { return Ok(None) };
    let record = highlevel::read_appointment(&answer)?;
    let owner = record.owner.clone().or_else(|| owner.cloned());
    view(session, appointment, record, owner, now).await.map(Some)
}

fn ownerless(note: &RecordRef) -> Stop {
    let system = note.system.title();
    Stop::NotThere(format!("the webhook does not say whose {note} is, and {system} has no way to ask"))
}

async fn view<Record>(
    session: &Session<'_>,
    reference: &RecordRef,
    record: Record,
    owner: Option<RecordRef>,
    now: Timestamp,
) -> Result<CopyView<Record>, Stop> {
    let firm = &session.firm.id;
    let link = session.store.links_of(firm, std::slice::from_ref(reference)).await?.into_iter().next();
    let is_ours = link.is_none() && session.store.is_ours(firm, reference).await?;
    let owner = match owner {
        Some(owner) => find_owner(session, owner, link.is_some() || is_ours, now).await?,
        None => Owner::Missing,
    };
    Ok(CopyView { record, link, is_ours, owner })
}

/// Whose it is, on both sides. An owner who is not linked yet is read, unless the copy is settled without it.
async fn find_owner(
    session: &Session<'_>,
    here: RecordRef,
    is_settled: bool,
    now: Timestamp,
) -> Result<Owner, Stop> {
    let links = session.store.links_of(&session.firm.id, std::slice::from_ref(&here)).await?;
    if let Some(there) = counterpart(&links, &here) {
        return Ok(Owner::Linked { there: there.clone(), here });
    }
    if is_settled {
        return Ok(Owner::Missing);
    }
    let owner = match here.kind {
        RecordKind::Contact => {
            contact::view(session, &here.id, now).await?.map(|view| Owner::Contact(Box::new(view)))
        }
        _ => match matter::view(session, &here, now).await? {
            // A case whose lead is linked already is no stranger.
            Some(view) => match &view.link {
                Some(link) => Some(Owner::Linked { there: link.highlevel.clone(), here }),
                None => Some(Owner::Matter(Box::new(view))),
            },
            None => None,
        },
    };
    Ok(owner.unwrap_or(Owner::Missing))
}
