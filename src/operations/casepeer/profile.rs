//! How the canonical operations are put on the wire.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::operations::{Effect, Method, Request, fill_path};

/// The canonical operations and what a repeat of each would do.
const CANONICAL: [(&str, Effect); 15] = [
    ("lead.create", Effect::Create),
    ("lead.get", Effect::Read),
    ("lead.update", Effect::Idempotent),
    ("lead.find", Effect::Read),
    ("case.get", Effect::Read),
    ("case.find", Effect::Read),
    ("case.update", Effect::Idempotent),
    ("task.create", Effect::Create),
    ("task.get", Effect::Read),
    ("task.complete", Effect::Idempotent),
    ("note.create_on_lead", Effect::Create),
    ("note.create_on_case", Effect::Create),
    ("note.list_on_lead", Effect::Read),
    ("note.list_on_case", Effect::Read),
    ("health", Effect::Read),
];

/// The operations that an account need not have.
const OPTIONAL: [(&str, Effect); 1] = [("user.list", Effect::Read)];

/// How one CASEpeer account is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    operations: BTreeMap<&'static str, Wire>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    method: Method,
    path: String,
    #[serde(skip, default = "read")]
    effect: Effect,
}

fn read() -> Effect {
    Effect::Read
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
            "contract-v1" => Self::parse(include_str!("contract-v1.toml")),
            _ => Err(InvalidProfile::Unknown(name.to_owned())),
        }
    }

    fn parse(text: &str) -> Result<Self, InvalidProfile> {
        let table: toml::Table =
            text.parse().map_err(|error| InvalidProfile::Malformed(format!("{error}")))?;
        let mut operations = BTreeMap::new();
        for (id, effect) in CANONICAL.into_iter().chain(OPTIONAL) {
            let found = id.split('.').try_fold(&table, |table, key| table.get(key)?.as_table());
            let is_optional = OPTIONAL.iter().any(|(known, _)| *known == id);
            let wire = match found {
                Some(wire) => wire.clone(),
                None if is_optional => continue,
                None => return Err(InvalidProfile::Missing(id)),
            };
            let wire: Wire =
                wire.try_into().map_err(|error| InvalidProfile::Malformed(format!("{id}: {error}")))?;
            operations.insert(id, Wire { effect, ..wire });
        }
        Ok(Self { operations })
    }

    /// A request for an operation that the account need not have.
    pub(super) fn request_if_any(&self, operation: &'static str, ids: &[&str]) -> Option<Request> {
        self.operations.contains_key(operation).then(|| self.request(operation, ids))
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
        assert_eq!(Profile::parse(""), Err(InvalidProfile::Missing("lead.create")));
    }
}
