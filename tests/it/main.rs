//! The integration tests, in one binary.

mod admin;
mod backfill;
mod crash;
mod demo;
mod example_config;
mod house;
mod independent;
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
mod undelivered;
mod webhooks;
