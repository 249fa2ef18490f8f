//! Reading a lead or case and what HighLevel knows of its client.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::super::session::{Session, Stop};
use super::contact::{self, MOST_CANDIDATES};
use super::lists;
use crate::domain::{
    Contact, Field, Link, Matter, OpportunityStatus, RecordKind, RecordRef, parse_external_ref,
};
use crate::operations::highlevel::{
    Pipelines, find_duplicate, find_sharing, get_pipelines, read_duplicate, read_pipelines, read_sharing,
};
use crate::plan::matching::{Verdict, likeness, was_ruled_out};
use crate::plan::{MatterView, Standing};

/// The matter as it is now; nothing if it, or the contact it is linked to, has been deleted.
pub(super) async fn view(
    session: &Session<'_>,
    record: &RecordRef,
    now: Timestamp,
) -> Result<Option<MatterView>, Stop> {
    let Some(mut matter) = read(session, record).await? else {
        let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
        return if links.is_empty() { Err(contact::not_there(record)) } else { Ok(None) };
    };
    // A lead that became a linked case is that case: what was agreed on since, only the case's link knows.
    if let Some(case) = matter.case.clone().filter(|_| record.kind == RecordKind::Lead) {
        let links = session.store.links_of(&session.firm.id, std::slice::from_ref(&case)).await?;
        let is_linked = |link: &Link| link.highlevel.kind == RecordKind::Contact && link.is_live();
        if links.iter().any(is_linked)
            && let Some(read) = read(session, &case).await?
        {
            matter = read;
        }
    }
    let record = &matter.record.clone();
    let related: Vec<RecordRef> =
        [Some(record), matter.case.as_ref(), matter.lead.as_ref()].into_iter().flatten().cloned().collect();
    let links = session.store.links_of(&session.firm.id, &related).await?;
    let of_contact = |link: &&Link| link.highlevel.kind == RecordKind::Contact && link.is_live();
    if !links.iter().any(|link| of_contact(&link)) && links.iter().any(|link| !link.is_live()) {
        // Its contact was deleted, and is not made anew.
        return Ok(None);
    }
    let own = links.iter().filter(of_contact).find(|link| link.casepeer == *record);
    let link = own.or_else(|| links.iter().find(of_contact)).cloned();
    let opportunity = links.iter().find(|link| link.highlevel.kind == RecordKind::Opportunity).cloned();
    let pipelines = pipelines(session, &matter, now).await?;
    let standing = Standing::Only;
    let lost_reasons = lost_reasons(session, &matter, now).await?;
    let (none, decisions) = Default::default();
    let mut view = MatterView {
        matter,
        link,
        contact: None,
        standing,
        siblings: Vec::new(),
        candidates: none,
        left_off: 0,
        decisions,
        opportunity,
        pipelines,
        lost_reasons,
    };
    match &view.link {
        Some(link) => {
            let of_contact = std::slice::from_ref(&link.highlevel);
            let links = session.store.links_of(&session.firm.id, of_contact).await?;
            view.standing = Standing::of(&view.matter, &links);
            view.siblings = siblings(&view.matter, links);
            let Some(contact) = contact::read(session, &link.highlevel.id, now).await? else {
                return Ok(None);
            };
            view.contact = Some(contact);
        }
        // A contact of whom nothing is known but a status could be anybody.
        None if view.matter.is_told && !view.matter.fields.is_reachable() => {
            return Err(Stop::NotThere(format!(
                "the webhook names neither phone nor e-mail of {record}'s client, who is not linked: nobody can say who it is"
            )));
        }
        None => {
            view.decisions = contact::decisions(session, record).await?;
            let meant = contact::meant(&view.decisions);
            (view.candidates, view.left_off) = candidates(session, &view.matter, meant, now).await?;
            let may_be_it =
                |one: &&Contact| Some(&one.record) == meant || is_certain(session, one, &view.matter);
            let known: Vec<RecordRef> =
                view.candidates.iter().filter(may_be_it).map(|one| one.record.clone()).collect();
            let links = session.store.links_of(&session.firm.id, &known).await?;
            if links.iter().any(|link| link.is_live() && contact::is_matter(&link.casepeer)) {
                view.standing = Standing::Newest;
            }
        }
    }
    Ok(Some(view))
}

/// The live links of a contact's other matters.
pub(super) fn siblings(matter: &Matter, links: Vec<Link>) -> Vec<Link> {
    let own = [Some(&matter.record), matter.lead.as_ref(), matter.case.as_ref()];
    let is_other = |link: &Link| {
        link.is_live() && contact::is_matter(&link.casepeer) && !own.contains(&Some(&link.casepeer))
    };
    links.into_iter().filter(is_other).collect()
}

/// The matter as it is now, or where it cannot be read, as it was agreed on.
async fn read(session: &Session<'_>, record: &RecordRef) -> Result<Option<Matter>, Stop> {
    if session.told(record).is_some() || session.firm.casepeer.profile().can_read(record.kind) {
        return contact::read_one_matter(session, record).await;
    }
    let links = session.store.links_of(&session.firm.id, std::slice::from_ref(record)).await?;
    Ok(links.iter().find(|link| link.highlevel.kind == RecordKind::Contact).map(Matter::as_agreed))
}

/// The location's reasons for losing a deal, if the case was turned down.
pub(super) async fn lost_reasons(
    session: &Session<'_>,
    matter: &Matter,
    now: Timestamp,
) -> Result<Vec<(String, String)>, Stop> {
    let is_lost = matter.reject_reason.is_some() && opportunity_is_lost(session, matter);
    if is_lost { lists::lost_reasons(session, now).await } else { Ok(Vec::new()) }
}

fn opportunity_is_lost(session: &Session<'_>, matter: &Matter) -> bool {
    let rule = matter.status.as_deref().and_then(|status| session.firm.rules.status(status));
    rule.is_some_and(|rule| rule.opportunity == Some(OpportunityStatus::Lost))
}

fn is_certain(session: &Session<'_>, contact: &Contact, matter: &Matter) -> bool {
    likeness(contact, matter, &session.firm.location).comparison.verdict == Verdict::Same
}

/// The contact that HighLevel has for a matter's person, now that the one it was linked to is gone; none that a person
/// said is somebody else.
pub(super) async fn survivor(
    session: &Session<'_>,
    matter: &Matter,
    gone: &RecordRef,
    now: Timestamp,
) -> Result<Option<Contact>, Stop> {
    // It still names the one that is gone.
    let nameless = Matter { external_ref: None, ..matter.clone() };
    let decisions = contact::decisions(session, &matter.record).await?;
    let (candidates, _) = candidates(session, &nameless, contact::meant(&decisions), now).await?;
    for candidate in candidates {
        let is_likely = candidate.record != *gone && is_certain(session, &candidate, &nameless);
        if is_likely
            && !was_ruled_out(&candidate.record, &decisions)
            && !was_ruled_out(&matter.record, &contact::decisions(session, &candidate.record).await?)
        {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// The contact a matter names, or else those that share its e-mail or phone and could be its client's, and how many
/// more there are.
async fn candidates(
    session: &Session<'_>,
    matter: &Matter,
    meant: Option<&RecordRef>,
    now: Timestamp,
) -> Result<(Vec<Contact>, usize), Stop> {
    let location = &session.firm.location;
    let named = matter.external_ref.as_deref();
    if let Some(named) = named.and_then(|name| parse_external_ref(name, location, RecordKind::Contact)) {
        let named = contact::read(session, &named.id, now).await?;
        return Ok((named.into_iter().collect(), 0));
    }
    let by = async |field| -> Result<Option<String>, Stop> {
        let Some(value) = matter.fields.get(field) else { return Ok(None) };
        let answer = session.read_highlevel(&find_duplicate(location, field, value)).await?;
        Ok(answer.and_then(|answer| read_duplicate(&answer)))
    };
    let (by_email, by_phone) = tokio::try_join!(by(Field::Email), by(Field::Phone))?;
    let found = by_email.into_iter().chain(by_phone);
    let mut candidates = Vec::new();
    read_each(session, found.chain(meant.map(|meant| meant.id.clone())), now, &mut candidates).await?;
    // The look-up is exact and names one contact. Where that one has the e-mail or phone and is another person, others
    // may have it, too: the search names all of them, and lags.
    let Some(request) = find_sharing(location, &matter.fields) else { return Ok((candidates, 0)) };
    if candidates.is_empty() || candidates.iter().any(|one| is_certain(session, one, matter)) {
        return Ok((candidates, 0));
    }
    let answer = session.read_highlevel(&request).await?;
    let (sharing, more) = answer.map(|answer| read_sharing(&answer)).unwrap_or_default();
    let mut alike: Vec<(u16, String)> = sharing
        .into_iter()
        .map(|contact| (likeness(&contact, matter, location).comparison, contact.record.id))
        .filter(|(comparison, _)| comparison.verdict != Verdict::Different)
        .map(|(comparison, id)| (comparison.score, id))
        .collect();
    alike.sort_by_key(|(score, _)| Reverse(*score));
    let left_off = more + alike.len().saturating_sub(MOST_CANDIDATES);
    let alike = alike.into_iter().take(MOST_CANDIDATES).map(|(_, id)| id);
    read_each(session, alike, now, &mut candidates).await?;
    Ok((candidates, left_off))
}

/// Reads contacts as they are now, each once.
async fn read_each(
    session: &Session<'_>,
    ids: impl Iterator<Item = String>,
    now: Timestamp,
    contacts: &mut Vec<Contact>,
) -> Result<(), Stop> {
    for id in ids {
        if contacts.iter().all(|known| known.record.id != id) {
            contacts.extend(contact::read(session, &id, now).await?);
        }
    }
    Ok(())
}

/// The location's pipelines, if the status of this case puts it into one.
pub(super) async fn pipelines(
    session: &Session<'_>,
    matter: &Matter,
    now: Timestamp,
) -> Result<Option<Pipelines>, Stop> {
    let rule = matter.status.as_deref().and_then(|status| session.firm.rules.status(status));
    if matter.record.kind != RecordKind::Case || rule.is_none_or(|rule| rule.pipeline.is_none()) {
        return Ok(None);
    }
    all_pipelines(session, now).await.map(Some)
}

/// The location's pipelines.
pub(super) async fn all_pipelines(session: &Session<'_>, now: Timestamp) -> Result<Pipelines, Stop> {
    let read = async {
        let answer = session.read_highlevel(&get_pipelines(&session.firm.location)).await?;
        Ok::<_, Stop>(answer.map(|answer| read_pipelines(&answer)).unwrap_or_default())
    };
    session.firm.pipelines.get(now, read).await
}
