//! Webhooks.
pub mod casepeer;
pub mod highlevel;
