//! The integration tests, in one binary.

mod admin;
mod demo;
mod example_config;
mod house;
mod independent;
mod send;
mod statements;
mod story;
mod stub;
mod support;
mod webhooks;
