//! Reading a contact and what CASEpeer knows of it.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use super::matter;
use crate::domain::{Contact, Decision, Field, Link, Matter, Note, RecordKind, RecordRef, ReviewKind, Task};
use crate::operations::casepeer::{find_matters, get_matter, read_matter, read_matters, read_told_matter};
use crate::operations::highlevel::{
    CustomFields, contact_opportunities, get_contact, get_custom_fields, list_notes, list_tasks,
    read_contact, read_custom_fields, read_notes, read_pipeline_ids, read_tasks,
};
use crate::plan::matching::{Verdict, likeness, match_subject};
use crate::plan::{ContactView, DeletedView, Pair, Standing, View};

/// The most look-alikes that are shown; more are counted, so that none of them becomes a second record unseen.
pub(super) const MOST_CANDIDATES: usize = 5;

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
        return linked(session, contact, still_its_own(session, links).await?).await;
    }
    let decisions = decisions(session, &record).await?;
    let ((candidates, left_off), pipelines, tasks, notes) = tokio::try_join!(
        candidates(session, &contact, meant(&decisions)),
        pipelines(session, id, now),
        open_tasks(session, id),
        notes(session, id)
    )?;
    // A contact of our own making may have been linked meanwhile: its tasks are then our own too.
    let links = matter_links(session, &record).await?;
    if !links.is_empty() {
        return linked(session, contact, links).await;
    }
    let pairs = Vec::new();
    Ok(Some(ContactView { contact, pairs, candidates, left_off, decisions, pipelines, tasks, notes }))
}

async fn linked(
    session: &Session<'_>,
    contact: Contact,
    links: Vec<Link>,
) -> Result<Option<ContactView>, Stop> {
    let pairs = pairs(session, links).await?;
    let (candidates, pipelines, tasks, notes, decisions) = Default::default();
    let view = ContactView { contact, pairs, candidates, left_off: 0, decisions, pipelines, tasks, notes };
    Ok((!view.pairs.is_empty()).then_some(view))
}

/// The links that hold. Of a contact that was deleted and is there again, those whose matter follows no other by now.
async fn still_its_own(session: &Session<'_>, links: Vec<Link>) -> Result<Vec<Link>, Stop> {
    let (live, dead): (Vec<Link>, Vec<Link>) = links.into_iter().partition(Link::is_live);
    if !live.is_empty() {
        return Ok(live);
    }
    let matters: Vec<RecordRef> = dead.iter().map(|link| link.casepeer.clone()).collect();
    let others = session.store.links_of(&session.firm.id, &matters).await?;
    let is_taken = |link: &Link| {
        let follows =
            |other: &Link| other.casepeer == link.casepeer && other.highlevel.kind == RecordKind::Contact;
        others.iter().any(|other| other.is_live() && follows(other))
    };
    Ok(dead.into_iter().filter(|link| !is_taken(link)).collect())
}

async fn matter_links(session: &Session<'_>, record: &RecordRef) -> Result<Vec<Link>, Stop> {
    let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
    Ok(links.into_iter().filter(|link| is_matter(&link.casepeer)).collect())
}

/// A contact that is said to be deleted, and who HighLevel has for the people of its matters now: a contact that was
/// merged into another is told of as deleted.
pub(super) async fn deleted(
    session: &Session<'_>,
    contact: &RecordRef,
    now: Timestamp,
) -> Result<Option<View>, Stop> {
    if read(session, &contact.id, now).await?.is_some() {
        return Ok(view(session, &contact.id, now).await?.map(Box::new).map(View::Contact));
    }
    let mut links = matter_links(session, contact).await?;
    links.retain(Link::is_live);
    let mut orphans = Vec::new();
    for pair in pairs(session, links).await? {
        let survivor = matter::survivor(session, &pair.matter, contact, now).await?;
        orphans.push((pair, survivor));
    }
    Ok(Some(View::Deleted(DeletedView { contact: contact.clone(), orphans })))
}

/// A record that nothing is known of but its webhook.
pub(super) fn not_there(record: &RecordRef) -> Stop {
    let system = record.system.title();
    Stop::NotThere(format!(
        "{record} was announced, but {system} does not know it: if it was deleted, discard this event; else see the \
         address and credential of {system}"
    ))
}

pub(super) fn is_matter(record: &RecordRef) -> bool {
    matches!(record.kind, RecordKind::Lead | RecordKind::Case)
}

/// The contact as it is now.
pub(super) async fn read(session: &Session<'_>, id: &str, now: Timestamp) -> Result<Option<Contact>, Stop> {
    let Some(answer) = session.read_highlevel(&get_contact(id)).await? else { return Ok(None) };
    let definitions = custom_fields(session, now).await?;
    let mut contact = read_contact(&answer, &definitions)?;
    session.firm.rules.fields.complete_contact(&mut contact);
    Ok(Some(contact))
}

/// The definitions of the location's custom fields.
pub(in crate::bridge) async fn custom_fields(
    session: &Session<'_>,
    now: Timestamp,
) -> Result<CustomFields, Stop> {
    let read = async {
        let answer = session.read_highlevel_if_granted(&get_custom_fields(&session.firm.location)).await?;
        Ok(answer.map(|answer| read_custom_fields(&answer)).unwrap_or_default())
    };
    session.firm.custom_fields.get(now, read).await
}

/// The matters at the ends of these links. A lead that became a linked case is that case.
async fn pairs(session: &Session<'_>, links: Vec<Link>) -> Result<Vec<Pair>, Stop> {
    let all = links.clone();
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
            let standing = Standing::of(&matter, &all);
            pairs.push(Pair { link, matter, standing });
        }
    }
    Ok(pairs)
}

/// A lead or case as it is now.
pub(super) async fn read_one_matter(
    session: &Session<'_>,
    record: &RecordRef,
) -> Result<Option<Matter>, Stop> {
    let rules = &session.firm.rules;
    if let Some(told) = session.told(record) {
        let mut matter = read_told_matter(told, record.kind, &rules.name_filler)?;
        rules.fields.complete_matter(&mut matter, rules.case_url.as_deref());
        return Ok(Some(matter));
    }
    let request = get_matter(session.firm.casepeer.profile(), record)?;
    let Some(answer) = session.read_casepeer(&request).await? else { return Ok(None) };
    let mut matter = read_matter(&answer, record.kind, &rules.name_filler)?;
    rules.fields.complete_matter(&mut matter, rules.case_url.as_deref());
    Ok(Some(matter))
}

/// What people decided about who this record is, the newest first.
pub(super) async fn decisions(session: &Session<'_>, record: &RecordRef) -> Result<Vec<Decision>, Stop> {
    let mut decisions = session.store.decisions(&session.firm.id, &[match_subject(record)]).await?;
    decisions.retain(|decision| decision.kind == ReviewKind::AmbiguousMatch);
    Ok(decisions)
}

/// The record that a person said is the one meant.
pub(super) fn meant(decisions: &[Decision]) -> Option<&RecordRef> {
    decisions.first()?.resolution.record.as_ref()
}

/// Leads and cases with the contact's e-mail or phone that could be its person's, those most alike first, and how many
/// more there are. Each is read by itself, since only that tells its version.
async fn candidates(
    session: &Session<'_>,
    contact: &Contact,
    meant: Option<&RecordRef>,
) -> Result<(Vec<Matter>, usize), Stop> {
    let (profile, filler) = (session.firm.casepeer.profile(), &session.firm.rules.name_filler);
    let by = async |kind, field, property: &'static str| -> Result<(Vec<Matter>, bool), Stop> {
        let Some(value) = contact.fields.get(field) else { return Ok((Vec::new(), false)) };
        let answer = session.read_casepeer_if_it_can(find_matters(profile, kind, property, value)).await?;
        Ok(answer.map(|answer| read_matters(&answer, kind, filler)).unwrap_or_default())
    };
    let mut alike: Vec<(u16, Matter)> = Vec::new();
    let (mut left_off, mut is_certain) = (0, false);
    for kind in [RecordKind::Lead, RecordKind::Case] {
        // A person whose lead is known is linked, and other cases as they are heard of.
        if is_certain {
            break;
        }
        let (by_email, by_phone) =
            tokio::try_join!(by(kind, Field::Email, "email"), by(kind, Field::Phone, "phone"))?;
        for (matters, has_more) in [by_email, by_phone] {
            left_off += usize::from(has_more);
            for matter in matters {
                let comparison = likeness(contact, &matter, &session.firm.location).comparison;
                let is_new = alike.iter().all(|(_, known)| known.record != matter.record);
                is_certain |= comparison.verdict == Verdict::Same;
                if is_new && comparison.verdict != Verdict::Different {
                    alike.push((comparison.score, matter));
                }
            }
        }
    }
    alike.sort_by_key(|(score, _)| Reverse(*score));
    left_off += alike.len().saturating_sub(MOST_CANDIDATES);
    let mut records: Vec<RecordRef> =
        alike.into_iter().take(MOST_CANDIDATES).map(|(_, matter)| matter.record).collect();
    records.extend(meant.filter(|meant| !records.contains(meant)).cloned());
    let mut candidates = Vec::with_capacity(records.len());
    for record in records {
        candidates.extend(read_one_matter(session, &record).await?);
    }
    Ok((candidates, left_off))
}

/// The pipelines the contact has an opportunity in, by id and name, if the firm's rule looks at them.
async fn pipelines(session: &Session<'_>, contact: &str, now: Timestamp) -> Result<Vec<String>, Stop> {
    if !session.firm.rules.leads_from.needs_pipelines() {
        return Ok(Vec::new());
    }
    let request = contact_opportunities(&session.firm.location, contact);
    let answer = session.read_highlevel(&request).await?;
    let ids = answer.map(|answer| read_pipeline_ids(&answer)).unwrap_or_default();
    let all = matter::all_pipelines(session, now).await?;
    let names: Vec<String> = ids.iter().filter_map(|id| all.name_of(id).map(str::to_owned)).collect();
    Ok(ids.into_iter().chain(names).collect())
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
