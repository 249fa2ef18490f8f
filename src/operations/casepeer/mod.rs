//! The CASEpeer side: canonical operations, put on the wire by a [`Profile`].
//!
//! CASEpeer publishes no API reference, so code knows only canonical names; the records here are those of our
//! published contract (`contract-v1`), which that profile sends as they are. For any other, what is written here goes
//! through the profile on its way out, and an answer through [`Profile::read_answer`] before it is read here.

mod changes;
mod matters;
mod notes;
mod profile;
mod tasks;
mod users;

pub use changes::{
    Listed, list_changed, next_page, polled_every, read_listed_matters, read_listed_notes, read_listed_tasks,
};
pub use matters::{
    Custom, FoundLead, LeadBody, create_lead, find_matters, get_matter, lead_ref, read_created_lead,
    read_found_leads, read_matter, read_matters, read_told_matter, update_matter,
};
pub use notes::{create_note, list_notes, read_created_note, read_listed_note};
pub use profile::{
    Answer, Answers, BodyForm, CannotSend, ClientAuth, Concurrency, Confirm, ConfirmedBy, Encoding, Events,
    FindKey, Handshake, Hmac, Idempotency, Inbound, InvalidProfile, KeyForm, Limits, Part, Pkce, Profile,
    Provider, Refetch, Source, Sources, Template, TimestampUnit, TokenBody, Transport, UnknownWord, Verdict,
    Verify, not_found, pick,
};
pub use tasks::{complete_task, create_task, get_task, read_task};
pub use users::{list_users, read_users};

use serde_json::Value;

use super::{Effect, Request, Response, text};

/// The record that a refused create says is there already: `409 {"error": …, "existing_id": …}`.
pub fn existing_id(answer: &Response) -> Option<String> {
    (answer.status == 409).then(|| text(&answer.body, "existing_id"))?
}

/// A request for any operation, for trying a profile: by id, by a property, or with a record of our contract's form.
pub fn any_request(
    profile: &Profile,
    operation: &str,
    id: Option<&str>,
    by: Option<(&str, &str)>,
    body: Option<Value>,
) -> Result<Request, CannotSend> {
    let (operation, effect) =
        Profile::known(operation).ok_or_else(|| CannotSend::Unknown { operation: operation.to_owned() })?;
    match (effect, by) {
        (Effect::Read, Some((property, value))) => profile.search(operation, property, value),
        (Effect::Read, None) => profile.read(operation, id),
        (Effect::Create | Effect::Idempotent, _) => {
            profile.write(operation, id, body.unwrap_or_default(), effect == Effect::Idempotent, None)
        }
    }
}

/// Ask whether the credential works.
pub fn health(profile: &Profile) -> Result<Request, CannotSend> {
    profile.read("health", None)
}
