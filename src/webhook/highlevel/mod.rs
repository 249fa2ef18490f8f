//! HighLevel's webhooks: those of a Marketplace app (signed) and those of a Workflow (unsigned, by secret URL).
//!
//! Facts: HighLevel's Webhook Integration Guide and its webhook pages (github.com/GoHighLevel/highlevel-api-docs,
//! `docs/webhook events`). Payloads are flat; hand-written samples wrap them in `data`, so both are read.

mod envelope;
mod event;
mod installation;
pub mod sample;
pub mod sign;
mod types;
mod verify;

pub use envelope::{read_envelope, read_workflow_envelope};
pub use event::{read_event, read_record};
pub use installation::{InstallationChange, is_installation, read_installation};
pub use types::{DOCUMENTED, WORKFLOW, is_update};
pub use verify::{InvalidKey, Keys, PUBLISHED_KEY, Signatures, verify, verify_secret_header};
