//! The integration tests, in one binary.

mod admin;
mod example_config;
mod house;
mod independent;
mod story;
mod stub;
mod support;
mod webhooks;
