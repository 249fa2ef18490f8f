//! The integration tests, in one binary.

mod independent;
mod story;
mod stub;
mod support;
mod webhooks;
