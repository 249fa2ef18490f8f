//! The integration tests, in one binary.
mod example_config;
mod house;
mod stub;
