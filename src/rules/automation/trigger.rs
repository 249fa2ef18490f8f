//! What may trigger a rule, and the fields it brings.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::TimeZone;
use super::Occasion;
use crate::domain::{Field, System};
use crate::operations::catalog::{self, Entry, Kind};

/// A field that a rule may look at.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TriggerField {
    /// Its name.
    pub name: String,
    /// A line of help.
    pub help: String,
    /// A value it could have.
    pub example: Value,
}

/// What the bridge itself knows of every event.
const KNOWN: [(&str, &str, &str); 8] = [
    ("event.id", "The event, as in `casebridge events show`.", "019ab5a2-7c1e-7d3a-9f3c-0d9f3b1f2a10"),
    ("event.type", "What happened, in its sender's words.", "ContactCreate"),
    ("event.received_at", "When it reached the bridge.", "2026-11-24T12:00:00Z"),
    ("firm", "The firm.", "acme"),
    (
        "contact_id",
        "The HighLevel contact of the person it is about, if there is one.",
        "ocQHyuzHvysMo5N5VsXc",
    ),
    ("lead_id", "The person's newest CASEpeer lead, if there is one.", "L-1"),
    ("case_id", "The person's newest CASEpeer case, if there is one.", "K-7"),
    ("now", "The moment it reached the bridge, for dates.", "2026-11-24T12:00:00Z"),
];

/// Where what both sides agree on about the person begins.
const PERSON: &str = "person.";

/// Whether a field is told by the records that are linked with what happened, and not by the event alone.
pub(super) fn is_linked(field: &str) -> bool {
    ["contact_id", "lead_id", "case_id"].contains(&field) || field.starts_with(PERSON)
}

/// The trigger of this id.
pub fn find_trigger(id: &str) -> Option<&'static Entry> {
    catalog::find(id).filter(|entry| entry.kind == Kind::Trigger)
}

/// The trigger that an event of this type, in the catalog's words, is.
pub fn trigger_of(source: System, kind: &str) -> Option<&'static Entry> {
    let wanted = match source {
        _ if kind.starts_with("casebridge.") => catalog::System::Casebridge,
        System::HighLevel => catalog::System::HighLevel,
        System::CasePeer => catalog::System::CasePeer,
    };
    let is_it =
        |entry: &&Entry| entry.kind == Kind::Trigger && entry.system == wanted && entry.result == kind;
    catalog::all().iter().find(is_it)
}

/// Every field of a trigger: what its sender says, then what the bridge knows.
pub fn fields_of(trigger: &Entry) -> Vec<TriggerField> {
    let own = trigger.parameters.iter().map(|parameter| TriggerField {
        name: parameter.name.clone(),
        help: parameter.help.clone(),
        example: parameter.example.clone(),
    });
    let mut fields: Vec<TriggerField> = own.collect();
    for (name, help, example) in KNOWN {
        if fields.iter().all(|field| field.name != name) {
            fields.push(TriggerField { name: name.into(), help: help.into(), example: json!(example) });
        }
    }
    fields.extend(Field::ALL.iter().map(|field| TriggerField {
        name: format!("{PERSON}{}", field.as_str()),
        help: format!("The person's {}, as both systems agree on it.", field.title()),
        example: Value::Null,
    }));
    fields
}

/// An event of this trigger, with the examples of its fields.
pub fn sample(trigger: &'static Entry, at: Timestamp, zone: TimeZone) -> Occasion {
    let mut data = Value::Object(Map::new());
    for parameter in &trigger.parameters {
        let mut place = &mut data;
        for step in parameter.name.split('.') {
            place = &mut place[step];
        }
        *place = parameter.example.clone();
    }
    let known = KNOWN.iter().map(|(name, _, example)| ((*name).to_owned(), json!(example))).collect();
    Occasion { trigger, data, known, at, zone }
}

/// Whether a field is one of the firm's own, which no list can name.
pub(super) fn is_own(field: &str) -> bool {
    ["customFields.", "lead.custom.", "case.custom.", "lead.assignees.", "case.assignees.", "person.custom."]
        .iter()
        .any(|start| field.strip_prefix(start).is_some_and(|name| !name.is_empty()))
}
