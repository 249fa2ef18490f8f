//! The integration tests, in one binary.

mod admin;
mod independent;
mod story;
mod stub;
mod support;
mod webhooks;
