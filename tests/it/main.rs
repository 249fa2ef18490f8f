//! The integration tests, in one binary.

mod story;
mod stub;
mod support;
