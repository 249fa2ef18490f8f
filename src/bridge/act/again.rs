//! Whether a create may be sent to CASEpeer: what its profile says keeps one from happening twice.

use jiff::{SignedDuration, Timestamp};

use super::super::session::{Session, Stop};
use super::{ask, look, result};
use crate::domain::{
    Command, EffectKey, Field, NewLead, Question, RecordKind, RecordRef, Resolution, ReviewAction,
    ReviewKind, System, external_ref,
};
use crate::operations::casepeer::{FindKey, FoundLead, Idempotency, find_matters, read_found_leads};
use crate::operations::{Effect, Request};
use crate::store::Ambiguity;

/// How far the vendor's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(2);

/// The record that an earlier attempt made, or that is there already; nothing if the create may be sent.
pub(super) async fn before(
    session: &Session<'_>,
    command: &Command,
    request: &Request,
    key: &EffectKey,
    ambiguity: Option<Ambiguity>,
) -> Result<Option<RecordRef>, Stop> {
    if request.effect != Effect::Create {
        return Ok(None);
    }
    let operation = request.operation;
    match (session.firm.casepeer.profile().idempotency(operation), command, ambiguity) {
        (Idempotency::Header { .. }, ..) => Ok(None),
        (Idempotency::FindBeforeCreate { keys, window }, Command::CreateLead(new), None) => {
            let earliest = session.now().saturating_sub(window.duration()).unwrap_or(Timestamp::MIN);
            one(session, command, key, find(session, new, keys, earliest).await?).await
        }
        (_, _, None) => Ok(None),
        (Idempotency::FindBeforeCreate { keys, .. }, Command::CreateLead(new), Some(known)) => {
            look_again(session, command, new, keys, key, known).await
        }
        (Idempotency::ExternalRefField, Command::CreateLead(new), Some(known)) => {
            look_again(session, command, new, &[FindKey::ExternalRef], key, known).await
        }
        (_, _, Some(known)) => never_twice(session, command, operation, key, known).await,
    }
}

/// Whether a repeat under the same key answers the first result.
pub(super) fn answers_the_same(session: &Session<'_>, system: System, request: &Request) -> bool {
    system == System::CasePeer
        && session.firm.casepeer.profile().idempotency_header(request.operation).is_some()
}

/// A create may have been carried out, and there is no way to look: what a person said since then, or the question.
async fn never_twice(
    session: &Session<'_>,
    command: &Command,
    operation: &'static str,
    key: &EffectKey,
    known: Ambiguity,
) -> Result<Option<RecordRef>, Stop> {
    let (kind, subject) = (ReviewKind::AmbiguousCreate, key.to_string());
    let decisions = session.store.decisions(&session.firm.id, std::slice::from_ref(&subject)).await?;
    // What was said of an earlier try does not hold for this one.
    let decided = decisions.into_iter().find(|decision| decision.kind == kind && decision.at >= known.since);
    match decided.map(|decision| decision.resolution) {
        Some(Resolution { action: ReviewAction::Link, record: Some(record), .. }) => return Ok(Some(record)),
        Some(Resolution { action: ReviewAction::Create | ReviewAction::Retry, .. }) => return Ok(None),
        Some(Resolution { action: ReviewAction::Ignore | ReviewAction::Done, .. }) => {
            return Err(Stop::LeftAlone);
        }
        _ => {}
    }
    let why = format!(
        "{operation} at {} was not answered: see in CASEpeer whether the record is there; the profile has no way to \
         look, so it is not sent again by itself. Answer `ignore` if it is there, `create` to send it again",
        known.since
    );
    Err(Stop::Ask(Box::new(Question { kind, subject, why, details: result::details(command) })))
}

/// As at HighLevel: absence counts only after some time and two looks.
async fn look_again(
    session: &Session<'_>,
    command: &Command,
    new: &NewLead,
    keys: &[FindKey],
    key: &EffectKey,
    known: Ambiguity,
) -> Result<Option<RecordRef>, Stop> {
    let earliest = known.begun_at.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
    let found = find(session, new, keys, earliest).await?;
    if !found.is_empty() {
        return one(session, command, key, found).await;
    }
    session.store.note_look(session.lease, key).await?;
    let certain_at = known.since.saturating_add(look::ABSENCE_COUNTS_AFTER).unwrap_or(Timestamp::MAX);
    if known.looks + 1 >= look::LOOKS && session.now() >= certain_at {
        return Ok(None);
    }
    Err(Stop::Unsure { until: certain_at })
}

/// The leads that these keys find and that are linked to nothing yet.
async fn find(
    session: &Session<'_>,
    new: &NewLead,
    keys: &[FindKey],
    earliest: Timestamp,
) -> Result<Vec<RecordRef>, Stop> {
    let profile = session.firm.casepeer.profile();
    let mut found: Vec<RecordRef> = Vec::new();
    for key in keys {
        let name = external_ref(&session.firm.location, &new.contact.id);
        let (property, value) = match key {
            FindKey::ExternalRef => ("external_ref", Some(name.as_str())),
            FindKey::Email => ("email", new.fields.get(Field::Email)),
            FindKey::PhoneAndLastName => ("phone", new.fields.get(Field::Phone)),
        };
        let Some(value) = value else { continue };
        let answer =
            session.read_casepeer_if_it_can(find_matters(profile, RecordKind::Lead, property, value)).await?;
        let alike = answer.map(|answer| read_found_leads(&answer)).unwrap_or_default();
        for lead in alike.into_iter().filter(|lead| is_it(lead, *key, new, earliest)) {
            let links = session.store.links_of(&session.firm.id, std::slice::from_ref(&lead.record)).await?;
            if links.is_empty() && !found.contains(&lead.record) {
                found.push(lead.record);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn is_it(lead: &FoundLead, key: FindKey, new: &NewLead, earliest: Timestamp) -> bool {
    let is_new = lead.created_at.is_some_and(|created_at| created_at >= earliest);
    let last_name = new.fields.get(Field::LastName).unwrap_or(&new.last_name_filler);
    let is_named = lead.last_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(last_name));
    match key {
        FindKey::ExternalRef => true,
        FindKey::Email | FindKey::PhoneAndLastName => is_new && is_named,
    }
}

/// The one that was found; of several, the one a person says it is.
async fn one(
    session: &Session<'_>,
    command: &Command,
    key: &EffectKey,
    mut found: Vec<RecordRef>,
) -> Result<Option<RecordRef>, Stop> {
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => ask::which(session, command, key, &found).await,
    }
}
