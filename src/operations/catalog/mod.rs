//! Every action and trigger of both systems and of the bridge itself, as data.
//!
//! The entries stand in TOML files beside this one: `highlevel/` agrees with HighLevel's official files
//! (`tests/it/catalog` holds them side by side), `casepeer/` with our published contract, and the help is ours. What the
//! sync uses is typed in [`super::highlevel`] and [`super::casepeer`]; everything else a person, a rule or another
//! program asks for is built from an entry by [`Entry::request`].

mod files;
mod listed;
mod profiled;
mod request;
mod suggest;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use files::{all, find};
pub use listed::Listed;
pub use request::{NotCallable, Problem};
pub use suggest::{nearest, nearest_entry};

use super::{Effect, Method};

/// Whose an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// HighLevel.
    HighLevel,
    /// The CASEpeer side.
    CasePeer,
    /// The bridge itself.
    Casebridge,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HighLevel, Self::CasePeer, Self::Casebridge];

    /// The vendor that is called; none of the bridge's own entries, which are triggers.
    pub fn vendor(self) -> Option<crate::domain::System> {
        match self {
            Self::HighLevel => Some(crate::domain::System::HighLevel),
            Self::CasePeer => Some(crate::domain::System::CasePeer),
            Self::Casebridge => None,
        }
    }

    /// The word in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HighLevel => "highlevel",
            Self::CasePeer => "casepeer",
            Self::Casebridge => "casebridge",
        }
    }
}

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It can be called.
    Action,
    /// It happens, and can be waited for.
    Trigger,
}

impl Kind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Action, Self::Trigger];

    /// The word in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Trigger => "trigger",
        }
    }
}

/// One action or trigger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name, unlike any other's.
    pub id: String,
    /// Whose it is; the file says so.
    #[serde(skip, default = "nobody")]
    pub system: System,
    /// Action or trigger.
    pub kind: Kind,
    /// How it is called; of a trigger, how it reaches the bridge. None where nothing is sent.
    pub method: Option<Method>,
    /// The path below the vendor's base URL; of a trigger, the bridge's own route.
    pub path: Option<String>,
    /// The value of HighLevel's `Version` header.
    pub version: Option<String>,
    /// What the credential must have been granted, where the vendor says so.
    pub scope: Option<String>,
    /// What a repeat would do.
    #[serde(deserialize_with = "effect")]
    pub effect: Effect,
    /// Whether it has a JSON body, be it an empty object.
    #[serde(default)]
    pub body: bool,
    /// Whether the vendor advises against it.
    #[serde(default)]
    pub deprecated: bool,
    /// A line of help.
    pub help: String,
    /// What is answered, in a line; of a trigger, the type its payload names.
    pub result: String,
    /// What it takes; of a trigger, the fields it brings.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
}

fn nobody() -> System {
    System::Casebridge
}

fn effect<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Effect, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        Read,
        Idempotent,
        Create,
    }
    Ok(match Word::deserialize(from)? {
        Word::Read => Effect::Read,
        Word::Idempotent => Effect::Idempotent,
        Word::Create => Effect::Create,
    })
}

/// Something an action takes, or a trigger brings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name; dots lead into objects of the body or the payload.
    pub name: String,
    /// Where it goes.
    #[serde(rename = "in")]
    pub place: Place,
    /// What it holds.
    #[serde(rename = "type")]
    pub of: Type,
    /// Whether an action cannot do without it.
    #[serde(default)]
    pub required: bool,
    /// Whether null has a meaning of its own.
    #[serde(default)]
    pub nullable: bool,
    /// Whether it must not be shown.
    #[serde(default)]
    pub secret: bool,
    /// What it is set to if nobody says.
    pub filled: Option<Filled>,
    /// The only values it may have; any where this is empty.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// A line of help.
    pub help: String,
    /// A value it could have.
    pub example: Value,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// Into a header.
    Header,
    /// Into the JSON body.
    Body,
    /// Nowhere: a trigger brings it.
    Payload,
}

impl Place {
    /// The word in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Body => "body",
            Self::Payload => "payload",
        }
    }
}

/// What a parameter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list of texts.
    Texts,
    /// A list of anything.
    List,
    /// An object.
    Object,
}

impl Type {
    /// The word in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Texts => "texts",
            Self::List => "list",
            Self::Object => "object",
        }
    }
}

/// What a parameter is set to if nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Filled {
    /// The firm's HighLevel location; another one is refused.
    Location,
}

impl Entry {
    /// A parameter by its name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Whether id or help have a word in them, whatever its case.
    pub fn mentions(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let texts = [Some(&self.id), Some(&self.help), self.path.as_ref(), self.scope.as_ref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&word))
    }
}

#[cfg(test)]
mod tests;
