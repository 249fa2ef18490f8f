//! How one CASEpeer account is reached: a file that says for every canonical operation how it is put on the wire.
//!
//! Each section of the file has a Rust file of its own here. `request` and `answer` interpret them; nothing in the
//! program knows one profile from another.

mod answer;
mod codec;
mod consistency;
mod events;
mod failures;
mod inbound;
mod operation;
mod paging;
mod place;
mod provider;
mod record;
mod request;
mod transform;
mod values;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use self::codec::Codec;
use self::operation::{CANONICAL, Operations, Wire};
use self::record::RecordMap;
use self::values::ValueMap;
pub use answer::{not_found, pick};
pub use consistency::{Concurrency, FindKey, Idempotency};
pub use events::{BodyForm, Events, Refetch, Source, Sources};
pub use failures::{Limits, Verdict};
pub use inbound::{
    Answer, Answers, Encoding, Handshake, Hmac, Inbound, KeyForm, Part, Template, TimestampUnit, Verify,
};
pub use operation::{Confirm, ConfirmedBy, Transport};
pub use paging::Paging;
pub use provider::{ClientAuth, Pkce, Provider, TokenBody};
pub use values::UnknownWord;

use crate::domain::RecordKind;
use crate::operations::Effect;

/// The built-in profiles.
const BUILT_IN: [(&str, &str); 4] = [
    ("contract-v1", include_str!("../profiles/contract-v1.toml")),
    ("zapier", include_str!("../profiles/zapier.toml")),
    ("mycase", include_str!("../profiles/mycase.toml")),
    ("casepeer-jsonapi", include_str!("../profiles/casepeer-jsonapi.toml")),
];

/// How one CASEpeer account is reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    name: String,
    document: Document,
    operations: BTreeMap<&'static str, Wire>,
}

/// A profile's file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// What it is for, in a line.
    #[serde(default)]
    about: String,
    /// The API's address, unless the firm's configuration has one.
    #[serde(default)]
    base_url: String,
    #[serde(default)]
    wire: Defaults,
    #[serde(default)]
    auth: Provider,
    operations: Operations,
    #[serde(default)]
    records: BTreeMap<String, RecordMap>,
    #[serde(default)]
    values: BTreeMap<String, ValueMap>,
    #[serde(default)]
    paging: Paging,
    #[serde(default)]
    concurrency: Concurrency,
    #[serde(default)]
    idempotency: Idempotency,
    #[serde(default)]
    errors: failures::Errors,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    inbound: Inbound,
    #[serde(default)]
    events: Events,
}

/// `[wire]`: what holds for every operation that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    #[serde(default)]
    codec: Codec,
    #[serde(default)]
    root: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    timeout_seconds: Option<u64>,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProfile {
    /// No built-in profile has this name.
    #[error(
        "no profile is called `{0}`; built in: contract-v1, zapier, mycase, casepeer-jsonapi; a file of your own is \
         named by its path, which ends in .toml"
    )]
    Unknown(String),
    /// Not TOML, or not of a profile's form.
    #[error("{name}: {why}")]
    Malformed {
        /// The profile, or its file.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A key is wrong.
    #[error("{name}: {key}: {why}")]
    Key {
        /// The profile, or its file.
        name: String,
        /// Where.
        key: String,
        /// What is wrong, and what is right.
        why: String,
    },
    /// A template that was not filled in.
    #[error(
        "{name} is a template with blanks; write a file of your own with `extends = \"{name}\"` that fills in: {}",
        blanks.join(", ")
    )]
    Blanks {
        /// The profile, or its file.
        name: String,
        /// The keys that are blank.
        blanks: Vec<String>,
    },
}

/// Why an operation cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSend {
    /// The profile has no way to do it.
    #[error("the profile `{profile}` has no {operation}")]
    Disabled {
        /// The profile.
        profile: String,
        /// What was to be done.
        operation: &'static str,
    },
    /// No operation has this name.
    #[error("there is no operation `{operation}`")]
    Unknown {
        /// The name.
        operation: String,
    },
    /// The profile cannot search by this.
    #[error("{operation} cannot search by {property}")]
    NotSearchable {
        /// What was to be done.
        operation: &'static str,
        /// By what.
        property: String,
    },
    /// A required value is missing.
    #[error("{operation} needs {field}, which the record does not have; give it a `default` in the profile")]
    Missing {
        /// What was to be done.
        operation: &'static str,
        /// Our name of the field.
        field: String,
    },
    /// A value map forbids a word it does not have.
    #[error("{operation} was not sent: the profile's value map has no word for this {field}")]
    UnknownWord {
        /// What was to be done.
        operation: &'static str,
        /// Our name of the field.
        field: String,
    },
    /// A page of a list that does not lead on within the account.
    #[error("{operation}: the next page's address is not one of this account's")]
    ForeignPage {
        /// What was to be done.
        operation: &'static str,
    },
}

impl Profile {
    /// An operation by its name, and what a repeat of it would do.
    pub fn known(operation: &str) -> Option<(&'static str, Effect)> {
        CANONICAL.iter().find(|(known, _)| *known == operation).copied()
    }

    /// The names of the built-in profiles.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The file of a built-in profile.
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// A built-in profile.
    pub fn built_in(name: &str) -> Result<Self, InvalidProfile> {
        let text = Self::built_in_text(name).ok_or_else(|| InvalidProfile::Unknown(name.to_owned()))?;
        Self::parse(name, text)
    }

    /// Reads a profile. `name` is what errors call it: the built-in's name or the file's.
    pub fn parse(name: &str, text: &str) -> Result<Self, InvalidProfile> {
        let profile = Self::parse_template(name, text)?;
        match profile.blanks() {
            blanks if blanks.is_empty() => Ok(profile),
            blanks => Err(InvalidProfile::Blanks { name: name.to_owned(), blanks }),
        }
    }

    /// Reads a profile that may have blanks.
    pub fn parse_template(name: &str, text: &str) -> Result<Self, InvalidProfile> {
        let malformed = |why: String| InvalidProfile::Malformed { name: name.to_owned(), why };
        let table = extended(name, text, 0)?;
        let document: Document = serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
            let key = error.path().to_string();
            let why = error.into_inner().to_string();
            let why = why.split("\nin `").next().unwrap_or_default().trim().to_owned();
            match key.as_str() {
                "." => malformed(why),
                _ => InvalidProfile::Key { name: name.to_owned(), key, why },
            }
        })?;
        Self::checked(name, document)
    }

    fn checked(name: &str, document: Document) -> Result<Self, InvalidProfile> {
        let wrong = |key: String, why: String| InvalidProfile::Key { name: name.to_owned(), key, why };
        let mut operations = BTreeMap::new();
        for (id, wire) in document.operations.all() {
            let Some((id, effect)) = CANONICAL.iter().find(|(known, _)| **known == *id) else {
                let known = CANONICAL.map(|(known, _)| known).join(", ");
                return Err(wrong(format!("operations.{id}"), format!("is no operation; there are {known}")));
            };
            let wire = Wire { effect: *effect, ..wire.clone() };
            wire.check(id).map_err(|(key, why)| wrong(format!("operations.{id}.{key}"), why))?;
            operations.insert(*id, wire);
        }
        document.inbound.check().map_err(|(key, why)| wrong(format!("inbound.{key}"), why))?;
        document.events.check().map_err(|(key, why)| wrong(format!("events.{key}"), why))?;
        for (kind, record) in &document.records {
            RecordMap::check(kind, record, &document.values).map_err(|(key, why)| wrong(key, why))?;
        }
        for (map, values) in &document.values {
            values.check().map_err(|why| wrong(format!("values.{map}"), why.to_owned()))?;
        }
        document.limits.check().map_err(|why| wrong("limits".into(), why.into()))?;
        Ok(Self { name: name.to_owned(), document, operations })
    }

    /// What a template leaves blank and an account needs.
    fn blanks(&self) -> Vec<String> {
        let rest = self.operations.iter().filter(|(_, wire)| wire.transport.is_call());
        let mut blanks: Vec<String> = rest
            .filter(|(_, wire)| wire.path.is_empty())
            .map(|(id, _)| format!("operations.{id}.path"))
            .collect();
        let auth = &self.document.auth;
        for (key, value) in [("authorize_url", &auth.authorize_url), ("token_url", &auth.token_url)] {
            if value.as_deref() == Some("") {
                blanks.push(format!("auth.{key}"));
            }
        }
        if auth.scopes.iter().any(String::is_empty) {
            blanks.push("auth.scopes".into());
        }
        blanks
    }

    /// Its name, or the name of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in a line.
    pub fn about(&self) -> &str {
        &self.document.about
    }

    /// The API's address, if the profile knows it; empty if not.
    pub fn base_url(&self) -> &str {
        &self.document.base_url
    }

    /// How the vendor gives out credentials.
    pub fn provider(&self) -> &Provider {
        &self.document.auth
    }

    /// How much may be asked.
    pub fn limits(&self) -> &Limits {
        &self.document.limits
    }

    /// The same profile, where the firm has its own say about webhooks.
    #[must_use]
    pub fn with(mut self, inbound: Option<Inbound>, events: Option<Events>) -> Self {
        self.document.inbound = inbound.unwrap_or(self.document.inbound);
        self.document.events = events.unwrap_or(self.document.events);
        self
    }

    /// How the account's webhooks are proven.
    pub fn inbound(&self) -> &Inbound {
        &self.document.inbound
    }

    /// What the account's webhooks mean.
    pub fn events(&self) -> &Events {
        &self.document.events
    }

    /// Every canonical operation, with what carries it.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, Transport)> {
        CANONICAL.iter().map(|(id, _)| (*id, self.transport(id)))
    }

    /// What carries an operation; one that the profile does not name is disabled.
    pub fn transport(&self, operation: &str) -> Transport {
        self.operations.get(operation).map_or(Transport::Disabled, |wire| wire.transport)
    }

    /// Whether the account can do this.
    pub fn allows(&self, operation: &str) -> bool {
        self.transport(operation) != Transport::Disabled
    }

    /// Whether leads or cases can be read by their id.
    pub fn can_read(&self, kind: RecordKind) -> bool {
        self.allows(if kind == RecordKind::Case { "case.get" } else { "lead.get" })
    }

    /// What keeps this create from happening twice.
    pub fn idempotency(&self, operation: &str) -> &Idempotency {
        let own = self.operations.get(operation).and_then(|wire| wire.idempotency.as_ref());
        own.unwrap_or(&self.document.idempotency)
    }

    /// How a hand-over by this operation is confirmed; none if it does not only hand over.
    pub fn confirmation(&self, operation: &str) -> Option<&Confirm> {
        let wire = self.operations.get(operation)?;
        wire.confirm.as_ref().filter(|_| wire.transport == Transport::ZapierHook)
    }
}

/// The table of a file, laid over that of the built-in profile it extends.
fn extended(name: &str, text: &str, depth: usize) -> Result<Table, InvalidProfile> {
    let mut own: Table = text.parse().map_err(|error| InvalidProfile::Malformed {
        name: name.to_owned(),
        why: format!("{error}").trim().to_owned(),
    })?;
    let Some(base) = own.remove("extends") else { return Ok(own) };
    let wrong =
        |why: &str| InvalidProfile::Key { name: name.to_owned(), key: "extends".into(), why: why.to_owned() };
    let base = base.as_str().ok_or_else(|| wrong("is the name of a built-in profile"))?;
    let text = Profile::built_in_text(base).filter(|_| depth == 0);
    let text = text
        .ok_or_else(|| wrong("names a built-in profile: contract-v1, zapier, mycase or casepeer-jsonapi"))?;
    let mut table = extended(base, text, depth + 1)?;
    overlay(&mut table, own);
    Ok(table)
}

/// Tables are laid over one another key by key. One with a `kind` is a choice, and replaces the whole.
fn overlay(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over))
                if !over.contains_key("kind") || key == "auth" =>
            {
                overlay(under, over)
            }
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests;
