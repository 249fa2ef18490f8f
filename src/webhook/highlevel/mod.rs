//! HighLevel's webhooks.
pub mod sign;
