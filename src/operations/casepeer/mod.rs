//! The CASEpeer side: canonical operations, put on the wire by a [`Profile`].
//!
//! CASEpeer publishes no API reference, so code knows only canonical names; the records here are those of our
//! published contract (`contract-v1`), which that profile sends as they are.

mod matters;
mod notes;
mod profile;
mod tasks;
mod users;

pub use matters::{
    Custom, LeadBody, create_lead, find_matters, get_matter, lead_ref, read_created_lead, read_matter,
    read_matters, update_matter,
};
pub use notes::{create_note, list_notes, read_created_note, read_listed_note};
pub use profile::{InvalidProfile, Profile};
pub use tasks::{complete_task, create_task, get_task, read_task};
pub use users::{list_users, read_users};

use super::{Request, Response, text};

/// The record that a refused create says is there already: `409 {"error": …, "existing_id": …}`.
pub fn existing_id(answer: &Response) -> Option<String> {
    (answer.status == 409).then(|| text(&answer.body, "existing_id"))?
}

/// Ask whether the credential works.
pub fn health(profile: &Profile) -> Request {
    profile.request("health", &[])
}
