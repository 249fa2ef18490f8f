//! Names of things: firms, events, and records of either system.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One of the two systems that are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// The marketing CRM.
    HighLevel,
    /// The case-management system.
    CasePeer,
}

impl System {
    /// The name used in files, rows and routes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HighLevel => "highlevel",
            Self::CasePeer => "casepeer",
        }
    }

    /// The name as its vendor writes it.
    pub fn title(self) -> &'static str {
        match self {
            Self::HighLevel => "HighLevel",
            Self::CasePeer => "CASEpeer",
        }
    }

    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Self::HighLevel => Self::CasePeer,
            Self::CasePeer => Self::HighLevel,
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A word that is none of the closed list it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {list}")]
pub struct UnknownWord {
    list: &'static str,
    word: String,
}

impl UnknownWord {
    pub(crate) fn new(list: &'static str, word: &str) -> Self {
        Self { list, word: word.to_owned() }
    }
}

impl FromStr for System {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "highlevel" => Ok(Self::HighLevel),
            "casepeer" => Ok(Self::CasePeer),
            _ => Err(UnknownWord::new("system", word)),
        }
    }
}

/// What sort of record an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordKind {
    /// A person in HighLevel.
    Contact,
    /// A prospective case in CASEpeer.
    Lead,
    /// A case in CASEpeer.
    Case,
    /// A person in CASEpeer; several leads and cases may share one.
    Client,
    /// A task on either side.
    Task,
    /// A note on either side.
    Note,
    /// A deal in a HighLevel pipeline.
    Opportunity,
    /// An appointment in HighLevel.
    Appointment,
}

impl RecordKind {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Contact, "contact"),
        (Self::Lead, "lead"),
        (Self::Case, "case"),
        (Self::Client, "client"),
        (Self::Task, "task"),
        (Self::Note, "note"),
        (Self::Opportunity, "opportunity"),
        (Self::Appointment, "appointment"),
    ];

    /// The name used in rows and effect keys.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).expect("every kind is listed").1
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for RecordKind {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.iter().find(|(_, name)| *name == word);
        found.map(|(kind, _)| *kind).ok_or_else(|| UnknownWord::new("kind of record", word))
    }
}

/// A vendor's id for one of its records: opaque text.
pub type RecordId = String;

/// One record of one system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordRef {
    /// Where it lives.
    pub system: System,
    /// What it is.
    pub kind: RecordKind,
    /// The vendor's id.
    pub id: RecordId,
}

impl RecordRef {
    /// A record of HighLevel.
    pub fn highlevel(kind: RecordKind, id: impl Into<RecordId>) -> Self {
        Self { system: System::HighLevel, kind, id: id.into() }
    }

    /// A record of CASEpeer.
    pub fn casepeer(kind: RecordKind, id: impl Into<RecordId>) -> Self {
        Self { system: System::CasePeer, kind, id: id.into() }
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.system, self.kind, self.id)
    }
}

impl FromStr for RecordRef {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let mut parts = text.splitn(3, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        match (next(), next(), next()) {
            (Some(system), Some(kind), Some(id)) => {
                Ok(Self { system: system.parse()?, kind: kind.parse()?, id: id.to_owned() })
            }
            _ => Err(UnknownWord::new("record (system:kind:id)", text)),
        }
    }
}

/// A tenant: one HighLevel location paired with one CASEpeer account. Empty while nobody knows which firm it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FirmId(String);

impl FirmId {
    /// The firm of this name.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Stands for a delivery whose firm is not known.
    pub fn unknown() -> Self {
        Self(String::new())
    }

    /// Whether this stands for a firm nobody knows.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FirmId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_unknown() { "-" } else { &self.0 })
    }
}

/// One received webhook. Time-ordered (UUID version 7, RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for EventId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// One question to a person. Time-ordered (UUID version 7, RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReviewId(pub Uuid);

impl fmt::Display for ReviewId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for ReviewId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// One person across both systems: whose lane an event is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub i64);

impl fmt::Display for PersonId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
