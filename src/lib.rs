//! Casebridge.
pub mod clock;
pub mod domain;
pub mod webhook;
