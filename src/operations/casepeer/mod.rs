//! The CASEpeer side: canonical operations, put on the wire by a [`Profile`].
//!
//! CASEpeer publishes no API reference, so code knows only canonical names; the records here are those of our
//! published contract (`contract-v1`), which that profile sends as they are. For any other, what is written here goes
//! through the profile on its way out, and an answer through [`Profile::read_answer`] before it is read here.

mod matters;
mod notes;
mod profile;
mod tasks;

pub use matters::{
    FoundLead, create_lead, find_leads, get_matter, read_created_lead, read_found_leads, read_leads,
    read_matter, read_told_matter, update_matter,
};
pub use notes::{create_note, list_notes, read_created_note, read_listed_note};
pub use profile::{
    Answer, Answers, BodyForm, CannotSend, ClientAuth, Concurrency, Confirm, ConfirmedBy, Encoding, Events,
    FindKey, Handshake, Hmac, Idempotency, Inbound, InvalidProfile, KeyForm, Limits, Part, Pkce, Profile,
    Provider, Refetch, Source, Sources, Template, TimestampUnit, TokenBody, Transport, Verdict, Verify,
    not_found, pick,
};
pub use tasks::{complete_task, create_task, get_task, read_task};

use super::{Request, Response, text};

/// The record that a refused create says is there already: `409 {"error": …, "existing_id": …}`.
pub fn existing_id(answer: &Response) -> Option<String> {
    (answer.status == 409).then(|| text(&answer.body, "existing_id"))?
}

/// Ask whether the credential works.
pub fn health(profile: &Profile) -> Result<Request, CannotSend> {
    profile.read("health", None)
}
