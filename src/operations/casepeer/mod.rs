//! The CASEpeer side: canonical operations, put on the wire by a [`Profile`].
//!
//! CASEpeer publishes no API reference, so code knows only canonical names; the records here are those of our
//! published contract (`contract-v1`), which that profile sends as they are.

mod changes;
mod matters;
mod notes;
mod profile;
mod tasks;

pub use changes::{
    Listed, list_changed, next_page, read_listed_matters, read_listed_notes, read_listed_tasks,
};
pub use matters::{
    create_lead, find_leads, get_matter, read_created_lead, read_leads, read_matter, update_matter,
};
pub use notes::{create_note, list_notes, read_created_note, read_listed_note};
pub use profile::{InvalidProfile, Profile};
pub use tasks::{complete_task, create_task, get_task, read_task};

use super::{Request, Response, text};

/// The record that a refused create says is there already: `409 {"error": …, "existing_id": …}`.
pub fn existing_id(answer: &Response) -> Option<String> {
    (answer.status == 409).then(|| text(&answer.body, "existing_id"))?
}

/// Ask whether the credential works.
pub fn health(profile: &Profile) -> Request {
    profile.request("health", &[])
}
