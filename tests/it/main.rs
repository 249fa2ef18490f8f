//! The integration tests, in one binary.

mod admin;
mod backfill;
mod catalog;
mod crash;
mod demo;
mod example_config;
mod house;
mod identity;
mod inbound;
mod independent;
mod matching;
mod oauth;
mod profiles;
mod quotas;
mod reconcile;
mod secrets;
mod send;
mod statements;
mod store;
mod story;
mod stub;
mod support;
mod sync;
mod undelivered;
mod webhooks;
mod zapier;
