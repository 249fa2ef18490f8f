//! How the canonical operations are put on the wire.

use std::collections::BTreeMap;

use serde::Deserialize;

mod events;
mod inbound;
mod operation;

use self::operation::{CANONICAL, Wire};
pub use events::{BodyForm, Events, Refetch, Source, Sources};
pub use inbound::{
    Answer, Answers, Encoding, Handshake, Hmac, Inbound, KeyForm, Part, Template, TimestampUnit, Verify,
};

use crate::operations::{Request, fill_path};

/// How one CASEpeer account is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    operations: BTreeMap<&'static str, Wire>,
    inbound: Inbound,
    events: Events,
}

/// A profile's file. Each section has a file of its own in this folder.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    operations: toml::Table,
    #[serde(default)]
    inbound: Inbound,
    #[serde(default)]
    events: Events,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProfile {
    /// No built-in profile has this name.
    #[error("no profile is called `{0}`; built in: contract-v1")]
    Unknown(String),
    /// Not TOML, or not of a profile's form.
    #[error("{0}")]
    Malformed(String),
    /// A canonical operation is missing.
    #[error("the profile does not say how to reach `{0}`")]
    Missing(&'static str),
}

impl Profile {
    /// A built-in profile.
    pub fn built_in(name: &str) -> Result<Self, InvalidProfile> {
        match name {
            "contract-v1" => Self::parse(include_str!("../profiles/contract-v1.toml")),
            _ => Err(InvalidProfile::Unknown(name.to_owned())),
        }
    }

    fn parse(text: &str) -> Result<Self, InvalidProfile> {
        let document: Document =
            toml::from_str(text).map_err(|error| InvalidProfile::Malformed(format!("{error}")))?;
        let mut operations = BTreeMap::new();
        for (id, effect) in CANONICAL {
            let found = id.split('.').try_fold(&document.operations, |table, key| table.get(key)?.as_table());
            let wire = found.ok_or(InvalidProfile::Missing(id))?.clone();
            let wire: Wire =
                wire.try_into().map_err(|error| InvalidProfile::Malformed(format!("{id}: {error}")))?;
            operations.insert(id, Wire { effect, ..wire });
        }
        let malformed = |key: &str, why: &str| InvalidProfile::Malformed(format!("{key}: {why}"));
        document.inbound.check().map_err(|(key, why)| malformed(&format!("inbound.{key}"), &why))?;
        document.events.check().map_err(|(key, why)| malformed(&format!("events.{key}"), &why))?;
        Ok(Self { operations, inbound: document.inbound, events: document.events })
    }

    /// The same profile, where the firm has its own say about webhooks.
    #[must_use]
    pub fn with(mut self, inbound: Option<Inbound>, events: Option<Events>) -> Self {
        self.inbound = inbound.unwrap_or(self.inbound);
        self.events = events.unwrap_or(self.events);
        self
    }

    /// How the account's webhooks are proven.
    pub fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    /// What the account's webhooks mean.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// How long the confirmation of a hand-over may take; none if the operation is no hand-over.
    pub fn confirmed_within(&self, _operation: &str) -> Option<jiff::SignedDuration> {
        None
    }

    /// A request for a canonical operation.
    pub(super) fn request(&self, operation: &'static str, ids: &[&str]) -> Request {
        let wire = self.operations.get(operation).expect("a parsed profile has every canonical operation");
        Request {
            operation,
            method: wire.method,
            path: fill_path(&wire.path, ids),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            effect: wire.effect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profile_reads_and_an_unknown_one_is_named() {
        Profile::built_in("contract-v1").unwrap();
        assert_eq!(Profile::built_in("cp"), Err(InvalidProfile::Unknown("cp".into())));
        assert_eq!(Profile::parse("[operations]"), Err(InvalidProfile::Missing("lead.create")));
    }
}
