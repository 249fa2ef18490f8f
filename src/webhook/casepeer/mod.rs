//! Webhooks of the CASEpeer side, as our published contract (`contract-v1`) defines them: CASEpeer itself publishes
//! no webhook documentation, so everything here is ours, and a Zap or an adapter in front of CASEpeer speaks it.

mod envelope;
mod event;
pub mod sample;
pub mod sign;
mod verify;

pub use envelope::read_envelope;
pub use event::{EVENTS, is_update, read_event};
pub use verify::{TOLERANCE_SECONDS, verify};
