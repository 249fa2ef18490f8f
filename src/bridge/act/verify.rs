//! Reading back what HighLevel is known to drop without a word: phones and e-mails that another contact has
//! (highlevel-api-docs issues 37 and 337), and values of custom fields that it does not know (n8n issue 13359).

use super::super::prepare;
use super::super::session::Session;
use crate::domain::{Command, Field, FieldName, Fields, RecordRef};
use crate::operations::highlevel;

/// The fields that were sent and are not there. What cannot be read back is taken for kept.
pub(super) async fn dropped(
    session: &Session<'_>,
    command: &Command,
    result: Option<&RecordRef>,
) -> Vec<FieldName> {
    let (contact, sent) = match (command, result) {
        (Command::UpdateContact { contact, fields, .. }, _) => (contact, fields.clone()),
        (Command::CreateContact(new), Some(contact)) => (contact, new.sent()),
        _ => return Vec::new(),
    };
    let rules = &session.firm.rules;
    let is_doubtful = |name: &FieldName| {
        matches!(name, FieldName::Known(Field::Phone | Field::Email))
            || rules.fields.highlevel_key(name).is_some()
    };
    if !sent.iter().any(|(name, _)| is_doubtful(name)) {
        return Vec::new();
    }
    let Some(kept) = read_back(session, &contact.id).await else { return Vec::new() };
    let is_lost = |name: &FieldName, value: &str| is_doubtful(name) && kept.value(name) != Some(value);
    let lost = sent.iter().filter(|(name, value)| is_lost(name, value));
    lost.map(|(name, _)| name.clone()).collect()
}

/// Whether these are all that an update would have set: it changed nothing.
pub(super) fn are_all(command: &Command, lost: &[FieldName]) -> bool {
    match command {
        Command::UpdateContact { fields, .. } => fields.iter().all(|(name, _)| lost.contains(name)),
        _ => false,
    }
}

async fn read_back(session: &Session<'_>, id: &str) -> Option<Fields> {
    let answer = session.read_highlevel(&highlevel::get_contact(id)).await.ok()??;
    let definitions = prepare::custom_fields(session, session.now()).await.ok()?;
    let mut contact = highlevel::read_contact(&answer, &definitions).ok()?;
    session.firm.rules.fields.complete_contact(&mut contact);
    Some(contact.fields)
}
