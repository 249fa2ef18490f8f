//! Casebridge.
pub mod clock;
pub mod twin;
pub mod webhook;
