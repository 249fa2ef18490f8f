//! What a stored CASEpeer webhook means.

use serde_json::Value;

use super::body::Body;
use super::envelope::{Record, kind_of};
use crate::domain::{Fact, RecordRef};
use crate::operations::casepeer::{Events, Refetch};
use crate::webhook::{Confirmation, NoHeaders, Reading, Unreadable, text};

/// The contract's events.
pub const EVENTS: [&str; 11] = [
    "lead.created",
    "lead.updated",
    "case.created",
    "case.status_changed",
    "task.created",
    "task.completed",
    "note.created",
    "lead.converted",
    "lead.rejected",
    "contact.updated",
    "contact.merged",
];

/// Whether an event of this type only says that a record changed: of several, the newest state is all that matters.
/// Where nothing is read afterwards, each carries a state of its own.
pub fn is_update(events: &Events, kind: &str) -> bool {
    events.refetch == Refetch::Always
        && matches!(events.canonical(kind), "lead.updated" | "case.updated" | "contact.updated")
}

/// Reads a payload that was stored under this type.
pub fn read_event(events: &Events, kind: &str, body: &[u8]) -> Result<Reading, Unreadable> {
    let kind = events.canonical(kind);
    let (word, what) = kind.split_once('.').unwrap_or((kind, ""));
    let body = Body::parse(events, body)?;
    if what == "confirmed" {
        let reference = body.find(&events.reference, &NoHeaders);
        let reference = reference.ok_or_else(|| {
            Unreadable(format!("{kind} without the reference that went with the hand-over"))
        })?;
        let record = Record::of(events, body, kind).and_then(|record| record.subject());
        return Ok(Reading::Confirmed(Confirmation { reference, kind: kind_of(word), record }));
    }
    if !matches!(
        kind,
        "lead.created"
            | "lead.updated"
            | "case.created"
            | "case.updated"
            | "case.status_changed"
            | "task.created"
            | "task.completed"
            | "note.created"
            | "contact.updated"
            | "contact.merged"
    ) {
        return Ok(Reading::NoRule);
    }
    let root = events.records.get(word).and_then(|map| map.root.clone());
    let root = root.unwrap_or_else(|| format!("/data/{word}"));
    let record = Record::of(events, body, kind)
        .ok_or_else(|| Unreadable(format!("{kind} without an object at `{root}`")))?;
    let subject = record
        .subject()
        .ok_or_else(|| Unreadable(format!("{kind} without the id of the {word} it is about (`{root}`)")))?;
    let status = || text(&record.fields, "status");
    let fact = match kind {
        "lead.created" => Fact::LeadCreated { lead: subject },
        "lead.updated" => Fact::LeadUpdated { lead: subject },
        "contact.updated" | "contact.merged" => {
            Fact::ClientUpdated { client: subject, merged: record.merged() }
        }
        "case.created" => Fact::CaseCreated { case: subject, status: status() },
        "case.updated" => Fact::CaseUpdated { case: subject },
        "case.status_changed" => Fact::CaseStatusChanged { case: subject, status: status() },
        "task.created" => Fact::TaskCreated { task: subject, owner: record.owner() },
        "task.completed" => Fact::TaskCompleted { task: subject, owner: record.owner() },
        _ => Fact::NoteCreated { note: subject, owner: record.owner() },
    };
    Ok(Reading::Fact(fact))
}

/// A record as a webhook tells it, in the contract's form.
pub struct Told {
    /// Which.
    pub record: RecordRef,
    /// What is said of it.
    pub fields: Value,
}

/// The record that a stored payload tells of.
pub fn read_told(events: &Events, kind: &str, body: &[u8]) -> Option<Told> {
    let record = Record::of(events, Body::parse(events, body).ok()?, events.canonical(kind))?;
    Some(Told { record: record.subject()?, fields: record.fields.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RecordKind;

    fn read(kind: &str, body: &[u8]) -> Result<Reading, Unreadable> {
        read_event(&Events::default(), kind, body)
    }

    #[test]
    fn ids_may_be_numbers_and_the_case_owns_a_task_before_the_lead() {
        let body = br#"{"data":{"task":{"id":7,"lead_id":"L-1","case_id":42}}}"#;
        let expected = Fact::TaskCompleted {
            task: RecordRef::casepeer(RecordKind::Task, "7"),
            owner: Some(RecordRef::casepeer(RecordKind::Case, "42")),
        };
        assert_eq!(read("task.completed", body), Ok(Reading::Fact(expected)));
    }

    #[test]
    fn a_status_is_read_from_the_payload_itself() {
        let body = br#"{"data":{"case":{"id":"K-7","status":"Treating"}}}"#;
        let read = read("case.status_changed", body).unwrap();
        assert!(
            matches!(read, Reading::Fact(Fact::CaseStatusChanged { status: Some(status), .. }) if status == "Treating")
        );
    }

    #[test]
    fn what_is_not_a_rule_and_what_cannot_be_read_differ() {
        assert_eq!(read("lead.rejected", b"{}"), Ok(Reading::NoRule));
        assert_eq!(
            read("lead.created", b"{}").unwrap_err().0,
            "lead.created without an object at `/data/lead`"
        );
        let why = read("lead.created", br#"{"data":{"lead":{}}}"#).unwrap_err().0;
        assert_eq!(why, "lead.created without the id of the lead it is about (`/data/lead`)");
    }

    #[test]
    fn a_confirmation_needs_its_reference_and_may_lack_an_id() {
        let body = br#"{"bridge_ref":"acme/lead-of:x","data":{"lead":{"id":"L-1"}}}"#;
        let record = Some(RecordRef::casepeer(RecordKind::Lead, "L-1"));
        let expected =
            Confirmation { reference: "acme/lead-of:x".into(), kind: Some(RecordKind::Lead), record };
        assert_eq!(read("lead.confirmed", body), Ok(Reading::Confirmed(expected)));
        let body = br#"{"bridge_ref":"acme/lead-of:x"}"#;
        assert!(matches!(
            read("lead.confirmed", body),
            Ok(Reading::Confirmed(Confirmation { record: None, .. }))
        ));
        assert_eq!(
            read("lead.confirmed", b"{}").unwrap_err().0,
            "lead.confirmed without the reference that went with the hand-over"
        );
    }
}
