//! What is in memory of people's data does not get into a log by way of `Debug`: only what it is about does.

use std::fmt;

use super::{Arrival, Begun, Claim, Intent};

impl fmt::Debug for Arrival {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes speak of a person, and the sender's id may.
        let Self { id, firm, source, kind, payload, .. } = self;
        write!(out, "Arrival({id} of {firm:?}: {source} {kind}, {} bytes)", payload.len())
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lease, source, kind, failed_attempts, .. } = self;
        write!(out, "Claim({lease:?}, {source} {kind}, {failed_attempts} failed)")
    }
}

impl fmt::Debug for Intent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The idempotency key has the ids of records in it, and no more.
        write!(out, "Intent({}, {}, {} bytes)", self.operation, self.idempotency_key, self.body.len())
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { body, idempotency_key, ambiguity, .. } => {
                write!(out, "Send({idempotency_key}, {} bytes, {ambiguity:?})", body.len())
            }
            Self::Rival => out.write_str("Rival"),
            Self::AlreadyDone(result) => write!(out, "AlreadyDone({result:?})"),
            Self::LeaseLost => out.write_str("LeaseLost"),
        }
    }
}
