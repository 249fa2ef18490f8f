//! How the canonical operations are put on the wire.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::domain::Allowance;
use crate::operations::{Effect, Method, Request, fill_path};

/// The canonical operations and what a repeat of each would do.
const CANONICAL: [(&str, Effect); 17] = [
    ("lead.create", Effect::Create),
    ("lead.get", Effect::Read),
    ("lead.update", Effect::Idempotent),
    ("lead.find", Effect::Read),
    ("lead.list", Effect::Read),
    ("case.get", Effect::Read),
    ("case.update", Effect::Idempotent),
    ("case.list", Effect::Read),
    ("task.create", Effect::Create),
    ("task.get", Effect::Read),
    ("task.complete", Effect::Idempotent),
    ("task.list", Effect::Read),
    ("note.create_on_lead", Effect::Create),
    ("note.create_on_case", Effect::Create),
    ("note.list_on_lead", Effect::Read),
    ("note.list_on_case", Effect::Read),
    ("health", Effect::Read),
];

/// How one CASEpeer account is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    operations: BTreeMap<&'static str, Wire>,
    limits: Option<Limits>,
}

/// How many calls the account allows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    calls: u64,
    interval: SignedDuration,
    per_day: Option<u64>,
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
        for (id, effect) in CANONICAL {
            let found = id.split('.').try_fold(&table, |table, key| table.get(key)?.as_table());
            let wire = found.ok_or(InvalidProfile::Missing(id))?.clone();
            let wire: Wire =
                wire.try_into().map_err(|error| InvalidProfile::Malformed(format!("{id}: {error}")))?;
            operations.insert(id, Wire { effect, ..wire });
        }
        let limits = table.get("limits").map(|limits| limits.clone().try_into::<Limits>()).transpose();
        let limits = limits.map_err(|error| InvalidProfile::Malformed(format!("limits: {error}")))?;
        if limits
            .as_ref()
            .is_some_and(|limits| limits.calls == 0 || limits.interval < SignedDuration::from_millis(10))
        {
            return Err(InvalidProfile::Malformed(
                "limits: no call in an interval that can be counted".into(),
            ));
        }
        Ok(Self { operations, limits })
    }

    /// How many calls the account allows, as far as the profile says.
    pub fn allowance(&self) -> Option<Allowance> {
        let Limits { calls, interval, per_day } = self.limits.as_ref()?;
        let interval_ms = i64::try_from(interval.as_millis()).ok()?;
        Some(Allowance { per_interval: *calls, interval_ms, per_day: *per_day })
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
            scope: None,
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
        let text = include_str!("contract-v1.toml");
        let limited = Profile::parse(&format!("{text}\n[limits]\ncalls = 5\ninterval = \"1s\"")).unwrap();
        let expected = Allowance { per_interval: 5, interval_ms: 1_000, per_day: None };
        assert_eq!(limited.allowance(), Some(expected));
        assert!(Profile::parse(&format!("{text}\n[limits]\ncalls = 0\ninterval = \"1s\"")).is_err());
        assert_eq!(Profile::parse(""), Err(InvalidProfile::Missing("lead.create")));
    }
}
