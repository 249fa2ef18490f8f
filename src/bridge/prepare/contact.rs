//! Reading a contact and what CASEpeer knows of it.

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use crate::domain::{Contact, Field, Link, Matter, Note, RecordKind, RecordRef, Task};
use crate::operations::casepeer::{find_leads, get_matter, read_leads, read_matter};
use crate::operations::highlevel::{
    CustomFields, get_contact, get_custom_fields, list_notes, list_tasks, read_contact, read_custom_fields,
    read_notes, read_tasks,
};
use crate::plan::{ContactView, Pair};

/// The most look-alikes that are read.
const MOST_CANDIDATES: usize = 5;

/// The contact as it is now; nothing if it, or every matter it was linked to, has been deleted.
pub(super) async fn view(
    session: &Session<'_>,
    id: &str,
    now: Timestamp,
) -> Result<Option<ContactView>, Stop> {
    let record = RecordRef::highlevel(RecordKind::Contact, id);
    let links = matter_links(session, &record).await?;
    let Some(contact) = read(session, id, now).await? else {
        return if links.is_empty() { Err(not_there(&record)) } else { Ok(None) };
    };
    if !links.is_empty() {
        return linked(session, contact, links).await;
    }
    let (candidates, tasks, notes) =
        tokio::try_join!(candidates(session, &contact), open_tasks(session, id), notes(session, id))?;
    // A contact of our own making may have been linked meanwhile: its tasks are then our own too.
    let links = matter_links(session, &record).await?;
    if !links.is_empty() {
        return linked(session, contact, links).await;
    }
    Ok(Some(ContactView { contact, pairs: Vec::new(), candidates, tasks, notes }))
}

async fn linked(
    session: &Session<'_>,
    contact: Contact,
    links: Vec<Link>,
) -> Result<Option<ContactView>, Stop> {
    let pairs = pairs(session, links).await?;
    let view = ContactView { contact, pairs, candidates: Vec::new(), tasks: Vec::new(), notes: Vec::new() };
    Ok((!view.pairs.is_empty()).then_some(view))
}

async fn matter_links(session: &Session<'_>, record: &RecordRef) -> Result<Vec<Link>, Stop> {
    let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
    Ok(links.into_iter().filter(|link| is_matter(&link.casepeer)).collect())
}

/// A record that nothing is known of but its webhook.
pub(super) fn not_there(record: &RecordRef) -> Stop {
    let system = record.system.title();
    Stop::NotThere(format!(
        "{record} was announced, but {system} does not know it: if it was deleted, discard this event; else see the \
         address and credential of {system}"
    ))
}

fn is_matter(record: &RecordRef) -> bool {
    matches!(record.kind, RecordKind::Lead | RecordKind::Case)
}

/// The contact as it is now.
pub(super) async fn read(session: &Session<'_>, id: &str, now: Timestamp) -> Result<Option<Contact>, Stop> {
    let Some(answer) = session.read_highlevel(&get_contact(id)).await? else { return Ok(None) };
    let has_custom_values = answer
        .body
        .pointer("/contact/customFields")
        .and_then(|list| list.as_array())
        .is_some_and(|list| !list.is_empty());
    let definitions =
        if has_custom_values { custom_fields(session, now).await? } else { CustomFields::default() };
    Ok(Some(read_contact(&answer, &definitions)?))
}

async fn custom_fields(session: &Session<'_>, now: Timestamp) -> Result<CustomFields, Stop> {
    let read = async {
        let answer = session.read_highlevel_if_granted(&get_custom_fields(&session.firm.location)).await?;
        Ok(answer.map(|answer| read_custom_fields(&answer)).unwrap_or_default())
    };
    session.firm.custom_fields.get(now, read).await
}

/// The matters at the ends of these links. A lead that became a linked case is that case.
async fn pairs(session: &Session<'_>, links: Vec<Link>) -> Result<Vec<Pair>, Stop> {
    let (cases, leads): (Vec<_>, Vec<_>) =
        links.into_iter().partition(|link| link.casepeer.kind == RecordKind::Case);
    let mut pairs: Vec<Pair> = Vec::new();
    for link in cases.into_iter().chain(leads) {
        let is_covered = pairs.iter().any(|pair| pair.matter.lead.as_ref() == Some(&link.casepeer));
        let matter = async {
            match session.firm.casepeer.profile().can_read(link.casepeer.kind) {
                true => read_one_matter(session, &link.casepeer).await,
                // What cannot be read is taken to be what both sides agreed on last.
                false => Ok(Some(Matter::as_agreed(&link))),
            }
        };
        if !is_covered && let Some(matter) = matter.await? {
            pairs.push(Pair { link, matter });
        }
    }
    Ok(pairs)
}

/// A lead or case as it is now.
pub(super) async fn read_one_matter(
    session: &Session<'_>,
    record: &RecordRef,
) -> Result<Option<Matter>, Stop> {
    let request = get_matter(session.firm.casepeer.profile(), record)?;
    let Some(answer) = session.read_casepeer(&request).await? else { return Ok(None) };
    Ok(Some(read_matter(&answer, record.kind, &session.firm.rules.name_filler)?))
}

/// Leads with the contact's e-mail or phone. Each is read by itself, since only that tells its version.
async fn candidates(session: &Session<'_>, contact: &Contact) -> Result<Vec<Matter>, Stop> {
    let profile = session.firm.casepeer.profile();
    let by = async |field, property: &'static str| -> Result<Vec<Matter>, Stop> {
        let Some(value) = contact.fields.get(field) else { return Ok(Vec::new()) };
        let answer = session.read_casepeer_if_it_can(find_leads(profile, property, value)).await?;
        Ok(answer.map(|answer| read_leads(&answer, &session.firm.rules.name_filler)).unwrap_or_default())
    };
    let (by_email, by_phone) = tokio::try_join!(by(Field::Email, "email"), by(Field::Phone, "phone"))?;
    let mut found: Vec<RecordRef> = Vec::new();
    for matter in by_email.into_iter().chain(by_phone) {
        if !found.contains(&matter.record) && found.len() < MOST_CANDIDATES {
            found.push(matter.record);
        }
    }
    let mut candidates = Vec::with_capacity(found.len());
    for record in found {
        candidates.extend(read_one_matter(session, &record).await?);
    }
    Ok(candidates)
}

async fn open_tasks(session: &Session<'_>, contact: &str) -> Result<Vec<Task>, Stop> {
    let answer = session.read_highlevel(&list_tasks(contact)).await?;
    let tasks = answer.map(|answer| read_tasks(&answer, contact)).unwrap_or_default();
    Ok(tasks.into_iter().filter(|task| !task.is_completed).collect())
}

async fn notes(session: &Session<'_>, contact: &str) -> Result<Vec<Note>, Stop> {
    if !session.firm.rules.notes.to_casepeer {
        return Ok(Vec::new());
    }
    let answer = session.read_highlevel(&list_notes(contact)).await?;
    Ok(answer.map(|answer| read_notes(&answer, contact)).unwrap_or_default())
}
