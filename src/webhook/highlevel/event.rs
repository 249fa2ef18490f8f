//! What a stored HighLevel webhook means.

use super::envelope::Wire;
use super::types::WORKFLOW;
use crate::domain::{Fact, RecordKind, RecordRef};
use crate::webhook::{Reading, Unreadable, parse_object, text};

/// Reads a payload that was stored under this type.
pub fn read_event(kind: &str, body: &[u8]) -> Result<Reading, Unreadable> {
    let body = parse_object(body)?;
    if kind == WORKFLOW {
        let id = text(&body, "contact_id").or_else(|| text(&body, "contactId"));
        let id = id.ok_or_else(|| Unreadable("the Workflow's body names no contact_id".into()))?;
        let contact = RecordRef::highlevel(RecordKind::Contact, id);
        return Ok(Reading::Fact(Fact::ContactUpdated { contact }));
    }
    let wire = Wire::of(&body);
    let subject = || wire.subject(kind).ok_or_else(|| Unreadable(format!("{kind} without an id")));
    let fact = match kind {
        "ContactCreate" => Fact::ContactCreated { contact: subject()? },
        // A tag may make a lead of a contact, or unmake it; the contact is read afresh either way.
        "ContactUpdate" | "ContactTagUpdate" | "ContactDndUpdate" => {
            Fact::ContactUpdated { contact: subject()? }
        }
        "ContactDelete" => Fact::ContactDeleted { contact: subject()? },
        "AppointmentCreate" | "AppointmentUpdate" => {
            Fact::AppointmentChanged { appointment: subject()?, owner: wire.contact() }
        }
        "TaskCreate" => Fact::TaskCreated { task: subject()?, owner: wire.contact() },
        "TaskComplete" => Fact::TaskCompleted { task: subject()?, owner: wire.contact() },
        "NoteUpdate" => Fact::NoteUpdated { note: subject()?, owner: wire.contact() },
        "TaskDelete" | "NoteDelete" => Fact::CopyDeleted { record: subject()?, owner: wire.contact() },
        "NoteCreate" => Fact::NoteCreated { note: subject()?, owner: wire.contact() },
        _ => return Ok(Reading::NoRule),
    };
    Ok(Reading::Fact(fact))
}

/// What a stored payload says of its record, flat or wrapped.
pub fn read_record(body: &[u8]) -> Option<serde_json::Value> {
    let body = parse_object(body).ok()?;
    let is_wrapped = matches!(body.get("data"), Some(serde_json::Value::Object(_)));
    Some(if is_wrapped { body["data"].clone() } else { body.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(id: &str) -> RecordRef {
        RecordRef::highlevel(RecordKind::Contact, id)
    }

    #[test]
    fn flat_and_wrapped_payloads_mean_the_same() {
        let expected = Ok(Reading::Fact(Fact::TaskCreated {
            task: RecordRef::highlevel(RecordKind::Task, "t"),
            owner: Some(contact("c")),
        }));
        let flat = br#"{"type":"TaskCreate","id":"t","contactId":"c"}"#;
        let wrapped = br#"{"type":"TaskCreate","id":"delivery","data":{"id":"t","contactId":"c"}}"#;
        assert_eq!(read_event("TaskCreate", flat), expected);
        assert_eq!(read_event("TaskCreate", wrapped), expected);
    }

    #[test]
    fn a_task_may_come_without_its_contact() {
        let read = read_event("TaskCreate", br#"{"id":"t"}"#);
        assert!(matches!(read, Ok(Reading::Fact(Fact::TaskCreated { owner: None, .. }))));
    }

    #[test]
    fn what_no_rule_is_about_is_no_fault() {
        assert_eq!(read_event("InvoicePaid", b"{}"), Ok(Reading::NoRule));
        assert_eq!(read_event("UserCreate", br#"{"id":"u"}"#), Ok(Reading::NoRule));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(
            read_event("ContactCreate", br#"{"locationId":"x"}"#).unwrap_err().0.contains("without an id")
        );
        assert!(read_event("ContactCreate", b"[1]").unwrap_err().0.contains("not an object"));
        let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
        assert!(read_event("ContactCreate", &deep).is_err());
    }
}
