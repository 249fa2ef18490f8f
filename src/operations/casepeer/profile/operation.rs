//! `[operations.…]`: the canonical operations, and how each is put on the wire.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::codec::Codec;
use super::consistency::{Concurrency, Idempotency};
use super::paging::Paging;
use super::place::Place;
use super::transform::Transform;
use crate::domain::Period;
use crate::operations::{Content, Effect, Method};

/// The canonical operations and what a repeat of each would do.
pub(super) const CANONICAL: [(&str, Effect); 19] = [
    ("lead.create", Effect::Create),
    ("lead.get", Effect::Read),
    ("lead.update", Effect::Idempotent),
    ("lead.find", Effect::Read),
    ("lead.list", Effect::Read),
    ("case.get", Effect::Read),
    ("case.find", Effect::Read),
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
    ("user.list", Effect::Read),
    ("health", Effect::Read),
];

/// The lists that can be polled.
const POLLED: [&str; 3] = ["lead.list", "case.list", "task.list"];
/// How often at most.
const LEAST_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How often a list is polled that does not say.
pub(super) const POLL_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// `[operations]`, by what they are about. One that is not named is disabled.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Operations {
    lead: BTreeMap<String, Wire>,
    case: BTreeMap<String, Wire>,
    task: BTreeMap<String, Wire>,
    note: BTreeMap<String, Wire>,
    user: BTreeMap<String, Wire>,
    health: Option<Wire>,
}

impl Operations {
    /// Every operation that is named, with its full name.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, &Wire)> {
        let groups = [
            ("lead", &self.lead),
            ("case", &self.case),
            ("task", &self.task),
            ("note", &self.note),
            ("user", &self.user),
        ];
        let grouped = groups.into_iter().flat_map(|(group, wires)| {
            wires.iter().map(move |(verb, wire)| (format!("{group}.{verb}"), wire))
        });
        grouped.chain(self.health.iter().map(|wire| ("health".to_owned(), wire)))
    }
}

/// What carries an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A call of the account's API.
    #[default]
    Rest,
    /// A hand-over to a Zap's catch hook, whose address is the firm's (`firms.casepeer.hooks`).
    ZapierHook,
    /// An e-mail into the case's file, for notes.
    EmailBcc,
    /// A call of the account's API that is made on a schedule, for lists of what no webhook tells of.
    Poll,
    /// Nothing: the account cannot do it, or nobody has said how.
    Disabled,
}

impl Transport {
    /// The word that a profile writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::ZapierHook => "zapier_hook",
            Self::EmailBcc => "email_bcc",
            Self::Poll => "poll",
            Self::Disabled => "disabled",
        }
    }

    /// Whether it is a call of the account's API.
    pub fn is_call(self) -> bool {
        matches!(self, Self::Rest | Self::Poll)
    }
}

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The record, or the records.
    #[default]
    Record,
    /// Nothing that is of use, such as 204.
    Nothing,
}

/// One operation on the wire.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    #[serde(default)]
    pub(super) transport: Transport,
    #[serde(default = "get")]
    pub(super) method: Method,
    /// Below the base URL; `{id}` is the record's, and any other place in braces, such as `{client.id}`, a field of the
    /// record, which is then read first.
    #[serde(default)]
    pub(super) path: String,
    /// Parameters of every call.
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    /// What can be searched by, and the parameter of each.
    #[serde(default)]
    pub(super) search: BTreeMap<String, Parameter>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) codec: Option<Codec>,
    pub(super) root: Option<String>,
    /// Which of `[records]` it writes and reads, if not the one it is named after.
    pub(super) record: Option<String>,
    pub(super) content: Option<Content>,
    /// Values of the vendor's that every body has.
    #[serde(default)]
    pub(super) body: Map<String, Value>,
    /// The statuses that mean success; none is every 2xx.
    #[serde(default)]
    pub(super) success: Vec<u16>,
    #[serde(default)]
    pub(super) answer: Answer,
    /// Where in the answer the record lies.
    pub(super) at: Option<Place>,
    /// Where in the answer of a create the new record's id lies.
    pub(super) id: Option<Place>,
    /// Where in the answer the list lies.
    pub(super) items: Option<Place>,
    /// The record is looked for by its id in a list, since it cannot be read by itself.
    #[serde(default)]
    pub(super) pick: bool,
    pub(super) paging: Option<Paging>,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) concurrency: Option<Concurrency>,
    pub(super) timeout_seconds: Option<u64>,
    /// For a hand-over: how it is confirmed.
    pub(super) confirm: Option<Confirm>,
    /// For a list that is polled: how often; without it every five minutes.
    pub(super) every: Option<Period>,
    /// For mail: the address, with `{id}` for the case's.
    pub(super) to: Option<String>,
    #[serde(skip, default = "read")]
    pub(super) effect: Effect,
}

/// How a hand-over is confirmed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// By what.
    pub by: ConfirmedBy,
    /// How long it may take until a person is told.
    pub within: Period,
}

/// What confirms a hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmedBy {
    /// A webhook with our reference and the new record's id.
    Callback,
}

/// A parameter to search by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) form: Transform,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullParameter {
    name: String,
    #[serde(default, rename = "as")]
    form: Transform,
}

impl<'de> Deserialize<'de> for Parameter {
    /// Its name alone, or `{ name, as }`.
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        match Value::deserialize(source)? {
            Value::String(name) => Ok(Self { name, form: Transform::default() }),
            table => {
                let full: FullParameter = serde_json::from_value(table).map_err(de::Error::custom)?;
                Ok(Self { name: full.name, form: full.form })
            }
        }
    }
}

fn get() -> Method {
    Method::Get
}

fn read() -> Effect {
    Effect::Read
}

impl Wire {
    /// Checks what one key alone cannot show; the key and what is right.
    pub(super) fn check(&self, id: &str) -> Result<(), (&'static str, String)> {
        let wrong = |key, why: &str| Err((key, why.to_owned()));
        match self.transport {
            Transport::EmailBcc if !id.starts_with("note.create") => wrong(
                "transport",
                "`email_bcc` carries notes only: note.create_on_lead and note.create_on_case",
            ),
            Transport::EmailBcc
                if self.to.as_ref().is_none_or(|to| !to.contains('@') || !to.contains("{id}")) =>
            {
                wrong("to", "mail needs the address, such as `{id}@bcc.casepeer.com`")
            }
            Transport::ZapierHook if self.effect == Effect::Read => {
                wrong("transport", "a hook answers nothing, so it cannot read; write `disabled`")
            }
            Transport::ZapierHook if self.effect == Effect::Create && self.confirm.is_none() => {
                wrong("confirm", "a hand-over needs `confirm = { by = \"callback\", within = \"15m\" }`")
            }
            Transport::Poll if !POLLED.contains(&id) => {
                wrong("transport", "`poll` is for lists of what changed: lead.list, case.list and task.list")
            }
            Transport::Poll if !self.search.contains_key("updated_since") => {
                wrong("search", "polling needs the list's parameter for `updated_since`")
            }
            Transport::Poll if self.every.is_some_and(|every| every.duration() < LEAST_EVERY) => {
                wrong("every", "is a minute at least")
            }
            Transport::Rest | Transport::ZapierHook | Transport::EmailBcc if self.every.is_some() => {
                wrong("every", "is for `transport = \"poll\"`")
            }
            Transport::Rest | Transport::Poll if !self.path.is_empty() && !self.path.starts_with('/') => {
                wrong("path", "starts with `/`: it is appended to the base URL")
            }
            Transport::Rest | Transport::Poll
                if self.path.matches('{').count() != self.path.matches('}').count() =>
            {
                wrong("path", "has a brace that does not pair; a place is written `{id}`")
            }
            Transport::Rest if self.method == Method::Get && self.effect != Effect::Read => {
                wrong("method", "GET changes nothing; write POST, PUT or PATCH")
            }
            _ => Ok(()),
        }
    }
}
