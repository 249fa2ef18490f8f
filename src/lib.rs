//! Casebridge.
pub mod bridge;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod operations;
pub mod plan;
pub mod rules;
pub mod store;
pub mod vendors;
pub mod webhook;
