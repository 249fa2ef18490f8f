//! What may be done with a field: direction, write rule, owner.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where changes of a field may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    Both,
    /// Only from CASEpeer to HighLevel.
    ToHighlevel,
    /// Only from HighLevel to CASEpeer.
    ToCasepeer,
}

impl Direction {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Both, Self::ToHighlevel, Self::ToCasepeer];

    /// The word in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::ToHighlevel => "to_highlevel",
            Self::ToCasepeer => "to_casepeer",
        }
    }

    /// Whether HighLevel may be written.
    pub fn to_highlevel(self) -> bool {
        self != Self::ToCasepeer
    }

    /// Whether CASEpeer may be written.
    pub fn to_casepeer(self) -> bool {
        self != Self::ToHighlevel
    }
}

/// When a value may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteRule {
    /// Whenever the merge says so.
    Always,
    /// Only where there is none yet.
    IfEmpty,
    /// Never.
    Never,
}

impl WriteRule {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Always, Self::IfEmpty, Self::Never];

    /// The word in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::IfEmpty => "if_empty",
            Self::Never => "never",
        }
    }
}

/// Whose value stands where both sides changed a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// HighLevel's.
    HighLevel,
    /// CASEpeer's.
    CasePeer,
    /// That of the record that was changed last, by the vendors' own dates; a person decides where these do not say.
    Newest,
    /// A person decides.
    Manual,
}

impl Owner {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::HighLevel, Self::CasePeer, Self::Newest, Self::Manual];

    /// The word in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HighLevel => "highlevel",
            Self::CasePeer => "casepeer",
            Self::Newest => "newest",
            Self::Manual => "manual",
        }
    }
}

/// How far a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the client has signed.
    Open,
    /// From then on.
    Signed,
}

/// The owner at each stage: `"manual"` for both, or `{ open = …, signed = … }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// Until the client signs.
    pub open: Owner,
    /// From then on.
    pub signed: Owner,
}

impl Owners {
    /// The same at both stages.
    pub const fn always(owner: Owner) -> Self {
        Self { open: owner, signed: owner }
    }

    /// Marketing's until the client signs, the case file's from then on.
    pub const fn by_stage() -> Self {
        Self { open: Owner::HighLevel, signed: Owner::CasePeer }
    }

    /// The owner at this stage.
    pub fn at(self, stage: Stage) -> Owner {
        match stage {
            Stage::Open => self.open,
            Stage::Signed => self.signed,
        }
    }
}

impl Serialize for Owners {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.open == self.signed {
            return self.open.serialize(serializer);
        }
        BTreeMap::from([("open", self.open), ("signed", self.signed)]).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Owners {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "an owner (highlevel, casepeer, newest, manual), or one for each of open and signed"
        )]
        enum Written {
            Same(Owner),
            #[serde(rename_all = "snake_case")]
            Each {
                open: Option<Owner>,
                signed: Option<Owner>,
            },
        }
        Ok(match Written::deserialize(source)? {
            Written::Same(owner) => Self::always(owner),
            Written::Each { open, signed } => {
                let usual = Self::by_stage();
                Self { open: open.unwrap_or(usual.open), signed: signed.unwrap_or(usual.signed) }
            }
        })
    }
}

/// What holds for a field at one stage of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Where changes may go.
    pub direction: Direction,
    /// When a value may be written.
    pub write: WriteRule,
    /// Whose value stands.
    pub owner: Owner,
}
