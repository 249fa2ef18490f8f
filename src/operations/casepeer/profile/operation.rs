//! `[operations.…]`: the canonical operations, and how each is put on the wire.

use serde::Deserialize;

use crate::operations::{Effect, Method};

/// The canonical operations and what a repeat of each would do.
pub(super) const CANONICAL: [(&str, Effect); 14] = [
    ("lead.create", Effect::Create),
    ("lead.get", Effect::Read),
    ("lead.update", Effect::Idempotent),
    ("lead.find", Effect::Read),
    ("case.get", Effect::Read),
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

/// One operation on the wire.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    pub(super) method: Method,
    pub(super) path: String,
    #[serde(skip, default = "read")]
    pub(super) effect: Effect,
}

fn read() -> Effect {
    Effect::Read
}
