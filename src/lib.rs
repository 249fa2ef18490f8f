//! Casebridge.
pub mod clock;
pub mod webhook;
