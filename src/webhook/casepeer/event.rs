//! What a stored CASEpeer webhook means.

use super::envelope::Record;
use crate::domain::Fact;
use crate::webhook::{Reading, Unreadable, parse_object, text};

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
pub fn is_update(kind: &str) -> bool {
    kind == "lead.updated"
}

/// Reads a payload that was stored under this type.
pub fn read_event(kind: &str, body: &[u8]) -> Result<Reading, Unreadable> {
    let body = parse_object(body)?;
    if !matches!(
        kind,
        "lead.created"
            | "lead.updated"
            | "case.created"
            | "case.status_changed"
            | "task.created"
            | "task.completed"
            | "note.created"
    ) {
        return Ok(Reading::NoRule);
    }
    let word = kind.split('.').next().unwrap_or(kind);
    let record = Record::of(&body, kind)
        .ok_or_else(|| Unreadable(format!("{kind} without an object `data.{word}`")))?;
    let subject = record.subject().ok_or_else(|| Unreadable(format!("{kind} without `data.{word}.id`")))?;
    let status = || text(record.fields, "status");
    let fact = match kind {
        "lead.created" => Fact::LeadCreated { lead: subject },
        "lead.updated" => Fact::LeadUpdated { lead: subject },
        "case.created" => Fact::CaseCreated { case: subject, status: status() },
        "case.status_changed" => Fact::CaseStatusChanged { case: subject, status: status() },
        "task.created" => Fact::TaskCreated { task: subject, owner: record.owner() },
        "task.completed" => Fact::TaskCompleted { task: subject, owner: record.owner() },
        _ => Fact::NoteCreated { note: subject, owner: record.owner() },
    };
    Ok(Reading::Fact(fact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RecordKind, RecordRef};

    #[test]
    fn ids_may_be_numbers_and_the_case_owns_a_task_before_the_lead() {
        let body = br#"{"data":{"task":{"id":7,"lead_id":"L-1","case_id":42}}}"#;
        let expected = Fact::TaskCompleted {
            task: RecordRef::casepeer(RecordKind::Task, "7"),
            owner: Some(RecordRef::casepeer(RecordKind::Case, "42")),
        };
        assert_eq!(read_event("task.completed", body), Ok(Reading::Fact(expected)));
    }

    #[test]
    fn a_status_is_read_from_the_payload_itself() {
        let body = br#"{"data":{"case":{"id":"K-7","status":"Treating"}}}"#;
        let read = read_event("case.status_changed", body).unwrap();
        assert!(
            matches!(read, Reading::Fact(Fact::CaseStatusChanged { status: Some(status), .. }) if status == "Treating")
        );
    }

    #[test]
    fn what_is_not_a_rule_and_what_cannot_be_read_differ() {
        assert_eq!(read_event("contact.merged", b"{}"), Ok(Reading::NoRule));
        assert_eq!(
            read_event("lead.created", b"{}").unwrap_err().0,
            "lead.created without an object `data.lead`"
        );
        assert!(
            read_event("lead.created", br#"{"data":{"lead":{}}}"#).unwrap_err().0.contains("data.lead.id")
        );
    }
}
