//! CASEpeer's webhooks.
pub mod sign;
