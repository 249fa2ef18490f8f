//! The vendors' APIs as authorised HTTP clients. What is called is data from [`crate::operations`]; here it is sent,
//! timed, and its result classed. Nothing is retried here: the queue retries, visibly and durably.

mod announced;
pub mod casepeer;
mod classify;
mod exchange;
mod guard;
pub mod highlevel;
mod network;
pub mod notify;
mod oauth;
mod redact;
mod token;
mod wire;

pub use classify::classify;
pub use exchange::{Exchange, Failure, HttpClient};
pub use guard::{Guard, Refused, Resolver, SystemResolver, is_public};
pub use oauth::{Issued, OwnAddress, Surface, TokenError};
pub use token::{Granted, TokenSource};

#[cfg(test)]
mod tests;
