//! Casebridge keeps a law firm's marketing CRM (HighLevel) and its case-management system (CASEpeer) in step.
//!
//! ```text
//! receive → verify → record ─ 2xx ─┐         http, webhook, bridge::receive
//!                                  ▼
//!                 claim: one event of a person at a time    bridge::worker
//!                                  ▼
//! prepare: fetch the current records          → Snapshot    bridge::prepare
//! plan: (Event, Snapshot, Rules)              → Plan, pure  plan
//! act: each Command → one API call, recorded                bridge::act
//!                                  ▼
//! settle: done · nothing_to_do (why) · retry at · undelivered   bridge::settle
//! ```
//!
//! What it promises: no accepted webhook is lost; a refused one may be sent again; nothing unverified gets in; one
//! intent has one effect; a person's events keep their order and delay nobody else's; our own writes coming back
//! change nothing; nothing is overwritten blindly; every decision can be explained.
//!
//! Modules stand below in the order of their layers; each uses only those above it (`tests/it/house.rs` sees to it).

// Pure: no async, no I/O, no clock, no randomness.
pub mod domain;

pub mod operations;

pub mod rules;

pub mod webhook;

pub mod plan;

// Shell.
pub mod clock;
pub mod crypto;

pub mod config;
pub mod telemetry;

pub mod store;
pub mod vendors;

pub mod bridge;

pub mod console;

pub mod http;
pub mod twin;

pub mod cli;
