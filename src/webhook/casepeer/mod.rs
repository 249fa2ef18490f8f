//! Webhooks of the CASEpeer side, proven and read as the firm's profile says.
//!
//! CASEpeer publishes no webhook documentation, so nothing of its wire format is code: by default a sender speaks our
//! published contract (`contract-v1`), and a Zap, an adapter or another system's hook is described by its profile. A body
//! is turned into the contract's form and read as that.

mod body;
mod envelope;
mod event;
pub mod sample;
pub mod sign;
mod verify;

pub use envelope::read_envelope;
pub use event::{EVENTS, Told, is_update, read_event, read_told};
pub use verify::{check_secret, has_proof, verify};
