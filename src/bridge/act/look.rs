//! Looking whether a create that was not answered was carried out, at a vendor without idempotency keys.

use jiff::{SignedDuration, Timestamp};

use super::super::session::{Session, Stop};
use super::request::resolve;
use crate::domain::{Command, Field, NewContact, NewNote, NewOpportunity, NewTask, RecordRef};
use crate::operations::highlevel;
use crate::store::Ambiguity;

/// How many looks must find nothing before the create is sent again.
pub(super) const LOOKS: u32 = 2;
/// How long after the answer stayed away absence counts: the request's own time-out of 30 s, in which it may still be
/// carried out, and 60 s for what HighLevel shows late.
pub(super) const ABSENCE_COUNTS_AFTER: SignedDuration = SignedDuration::from_secs(90);
/// How far the vendor's clock may be behind ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// What a look found.
pub(super) enum Found {
    /// One record that can only be ours: as new as the intent, alike, and linked to nothing.
    One(RecordRef),
    /// Nothing of the kind.
    Nothing,
    /// Several: a person must say which.
    Several(Vec<RecordRef>),
}

/// Looks for what a command may have made in HighLevel. `sent` is the body that was written down first: what would be
/// sent now may differ, such as a date that is counted from today.
pub(super) async fn look(
    session: &Session<'_>,
    command: &Command,
    sent: &[u8],
    ambiguity: Ambiguity,
) -> Result<Found, Stop> {
    let earliest = ambiguity.begun_at.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
    let alike = match command {
        Command::CreateContact(new) => contacts(session, new, earliest).await?,
        Command::CreateTask(new) => tasks(session, new, sent).await?,
        Command::CreateNote(new) => notes(session, new, sent, earliest).await?,
        Command::CreateOpportunity(new) => opportunities(session, new, earliest).await?,
        _ => Vec::new(),
    };
    let mut ours = Vec::new();
    for record in alike {
        let firm = &session.firm.id;
        let is_linked = !session.store.links_of(firm, std::slice::from_ref(&record)).await?.is_empty();
        if !is_linked && !session.store.is_ours(firm, &record).await? {
            ours.push(record);
        }
    }
    Ok(match ours.len() {
        0 => Found::Nothing,
        1 => Found::One(ours.remove(0)),
        _ => Found::Several(ours),
    })
}

fn is_new(added_at: Option<Timestamp>, earliest: Timestamp) -> bool {
    added_at.is_some_and(|added_at| added_at >= earliest)
}

async fn contacts(
    session: &Session<'_>,
    new: &NewContact,
    earliest: Timestamp,
) -> Result<Vec<RecordRef>, Stop> {
    let mut found = Vec::new();
    for field in [Field::Email, Field::Phone] {
        let Some(value) = new.fields.get(field) else { continue };
        let request = highlevel::find_duplicate(&session.firm.location, field, value);
        let Some(answer) = session.read_highlevel(&request).await? else { continue };
        let Some(id) = highlevel::read_duplicate(&answer) else { continue };
        let Some(answer) = session.read_highlevel(&highlevel::get_contact(&id)).await? else { continue };
        let contact = highlevel::read_contact(&answer, &highlevel::CustomFields::default())?;
        if is_new(contact.added_at, earliest) && !found.contains(&contact.record) {
            found.push(contact.record);
        }
    }
    Ok(found)
}

/// HighLevel gives tasks no date of their making: the same text and due date, and no link, must do.
async fn tasks(session: &Session<'_>, new: &NewTask, sent: &[u8]) -> Result<Vec<RecordRef>, Stop> {
    let contact = resolve(session, &new.owner).await?;
    let answer = session.read_highlevel(&highlevel::list_tasks(&contact.id)).await?;
    let tasks = answer.map(|answer| highlevel::read_tasks(&answer, &contact.id)).unwrap_or_default();
    let alike = tasks.into_iter().filter(|task| highlevel::is_made_by(task, sent));
    Ok(alike.map(|task| task.record).collect())
}

async fn notes(
    session: &Session<'_>,
    new: &NewNote,
    sent: &[u8],
    earliest: Timestamp,
) -> Result<Vec<RecordRef>, Stop> {
    let contact = resolve(session, &new.owner).await?;
    let answer = session.read_highlevel(&highlevel::list_notes(&contact.id)).await?;
    let notes = answer.map(|answer| highlevel::read_notes(&answer, &contact.id)).unwrap_or_default();
    let text = highlevel::text_of_note(sent);
    let alike =
        notes.into_iter().filter(|note| Some(&note.body) == text.as_ref() && is_new(note.added_at, earliest));
    Ok(alike.map(|note| note.record).collect())
}

async fn opportunities(
    session: &Session<'_>,
    new: &NewOpportunity,
    earliest: Timestamp,
) -> Result<Vec<RecordRef>, Stop> {
    let contact = resolve(session, &new.contact).await?;
    let request = highlevel::search_opportunities(&session.firm.location, &contact.id, &new.to.pipeline);
    let answer = session.read_highlevel(&request).await?;
    let found = answer.map(|answer| highlevel::read_opportunities(&answer)).unwrap_or_default();
    Ok(found
        .into_iter()
        .filter(|(_, added_at)| is_new(*added_at, earliest))
        .map(|(record, _)| record)
        .collect())
}
