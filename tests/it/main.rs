//! The integration tests, in one binary.

mod admin;
mod independent;
mod store;
mod story;
mod stub;
mod support;
mod webhooks;
