//! Reading a lead or case and what HighLevel knows of its client.

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use super::contact;
use crate::domain::{Contact, Field, Link, Matter, RecordKind, RecordRef, parse_external_ref};
use crate::operations::highlevel::{
    Pipelines, find_duplicate, get_pipelines, read_duplicate, read_pipelines,
};
use crate::plan::MatterView;

/// The matter as it is now; nothing if it, or the contact it is linked to, has been deleted.
pub(super) async fn view(
    session: &Session<'_>,
    record: &RecordRef,
    now: Timestamp,
) -> Result<Option<MatterView>, Stop> {
    let Some(matter) = read(session, record).await? else {
        let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
        return if links.is_empty() { Err(contact::not_there(record)) } else { Ok(None) };
    };
    let related: Vec<RecordRef> =
        [Some(record), matter.case.as_ref(), matter.lead.as_ref()].into_iter().flatten().cloned().collect();
    let links = session.store.links_of(&session.firm.id, &related).await?;
    let of_contact = |link: &&Link| link.highlevel.kind == RecordKind::Contact;
    let own = links.iter().filter(of_contact).find(|link| link.casepeer == *record);
    let link = own.or_else(|| links.iter().find(of_contact)).cloned();
    let opportunity = links.iter().find(|link| link.highlevel.kind == RecordKind::Opportunity).cloned();
    let pipelines = pipelines(session, &matter, now).await?;
    let mut view = MatterView { matter, link, contact: None, candidates: Vec::new(), opportunity, pipelines };
    match &view.link {
        Some(link) => {
            let Some(contact) = contact::read(session, &link.highlevel.id, now).await? else {
                return Ok(None);
            };
            view.contact = Some(contact);
        }
        None => view.candidates = candidates(session, &view.matter, now).await?,
    }
    Ok(Some(view))
}

/// The matter as it is now, or where it cannot be read, as it was agreed on.
async fn read(session: &Session<'_>, record: &RecordRef) -> Result<Option<Matter>, Stop> {
    if session.firm.casepeer.profile().can_read(record.kind) {
        return contact::read_one_matter(session, record).await;
    }
    let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
    Ok(links.iter().find(|link| link.highlevel.kind == RecordKind::Contact).map(Matter::as_agreed))
}

/// The contact a matter names, or else those HighLevel would call its duplicates.
async fn candidates(session: &Session<'_>, matter: &Matter, now: Timestamp) -> Result<Vec<Contact>, Stop> {
    let location = &session.firm.location;
    let named = matter.external_ref.as_deref();
    if let Some(named) = named.and_then(|name| parse_external_ref(name, location, RecordKind::Contact)) {
        return Ok(contact::read(session, &named.id, now).await?.into_iter().collect());
    }
    let by = async |field| -> Result<Option<String>, Stop> {
        let Some(value) = matter.fields.get(field) else { return Ok(None) };
        let answer = session.read_highlevel(&find_duplicate(location, field, value)).await?;
        Ok(answer.and_then(|answer| read_duplicate(&answer)))
    };
    let (by_email, by_phone) = tokio::try_join!(by(Field::Email), by(Field::Phone))?;
    let mut ids: Vec<String> = by_email.into_iter().chain(by_phone).collect();
    ids.dedup();
    let mut candidates = Vec::with_capacity(ids.len());
    for id in ids {
        candidates.extend(contact::read(session, &id, now).await?);
    }
    Ok(candidates)
}

/// The location's pipelines, if the status of this case puts it into one.
async fn pipelines(
    session: &Session<'_>,
    matter: &Matter,
    now: Timestamp,
) -> Result<Option<Pipelines>, Stop> {
    let rule = matter.status.as_deref().and_then(|status| session.firm.rules.status(status));
    if matter.record.kind != RecordKind::Case || rule.is_none_or(|rule| rule.pipeline.is_none()) {
        return Ok(None);
    }
    let read = async {
        let answer = session.read_highlevel(&get_pipelines(&session.firm.location)).await?;
        Ok::<_, Stop>(answer.map(|answer| read_pipelines(&answer)).unwrap_or_default())
    };
    session.firm.pipelines.get(now, read).await.map(Some)
}
