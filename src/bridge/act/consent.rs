//! Whether a person may be written to now: what they forbade since a plan was made, or a rule was written, counts.

use serde_json::{Map, Value};

use super::super::prepare;
use super::super::session::{Session, Stop};
use crate::domain::Field;
use crate::operations::catalog::Entry;

/// The action that sends a person a message.
const SEND: &str = "conversations.send-a-new-message";
/// What stands in place of channels where all are forbidden.
const ALL: &str = "all";

/// Why this action is not taken: it would write to a contact on a channel where they are not to be disturbed. The contact
/// is read as it is now; one that is not there is left to HighLevel to refuse.
pub(in crate::bridge) async fn withheld(
    session: &Session<'_>,
    action: &Entry,
    parameters: &Map<String, Value>,
) -> Result<Option<String>, Stop> {
    let named = |name: &str| parameters.get(name).and_then(Value::as_str);
    let (SEND, Some(contact)) = (action.id.as_str(), named("contactId")) else { return Ok(None) };
    let Some(contact) = prepare::contact(session, contact).await? else { return Ok(None) };
    let Some(forbidden) = contact.fields.get(Field::DoNotContact) else { return Ok(None) };
    let kind = named("type").unwrap_or_default();
    let channel = channel(kind);
    let is_meant = forbidden.split(", ").any(|name| name == ALL || Some(name) == channel);
    Ok(is_meant.then(|| {
        format!("the contact is not to be disturbed by {kind} (HighLevel's do-not-disturb: {forbidden}); nothing was sent")
    }))
}

/// HighLevel's name for the channel of a kind of message among those a person may forbid; others are forbidden with all.
fn channel(kind: &str) -> Option<&'static str> {
    match kind {
        // A rich text message comes to the same telephone.
        "SMS" | "RCS" => Some("sms"),
        "Email" => Some("email"),
        "WhatsApp" => Some("whatsapp"),
        "FB" => Some("fb"),
        _ => None,
    }
}
