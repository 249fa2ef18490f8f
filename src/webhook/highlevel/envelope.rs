//! What must be known of a HighLevel webhook before it can be stored.

use serde_json::{Map, Value};

use super::types::WORKFLOW;
use crate::domain::{RecordKind, RecordRef};
use crate::webhook::{Envelope, Unreadable, moment, parse_object, text};

/// What a payload without a type is stored as.
const UNTYPED: &str = "unknown";

/// Reads the envelope of a Marketplace app's webhook, flat or wrapped in `data`.
pub fn read_envelope(body: &[u8]) -> Result<Envelope, Unreadable> {
    let body = parse_object(body)?;
    let wire = Wire::of(&body);
    let kind = wire.outer("type").unwrap_or_else(|| UNTYPED.to_owned());
    Ok(Envelope {
        delivery_id: wire.outer("webhookId"),
        tenant: wire.outer("locationId").or_else(|| wire.alternative_location()),
        app: wire.outer("appId"),
        sent_at: moment(&body, "timestamp").or_else(|| moment(wire.record, "timestamp")),
        records: wire.records(&kind),
        kind,
    })
}

/// Reads the envelope of a Workflow's webhook: snake_case, without id, type or timestamp
/// (help.gohighlevel.com articles 155000003299 and 155000003305).
pub fn read_workflow_envelope(body: &[u8]) -> Result<Envelope, Unreadable> {
    let body = parse_object(body)?;
    let contact = text(&body, "contact_id").or_else(|| text(&body, "contactId"));
    let location = match body.get("location") {
        Some(Value::Object(location)) => text(location, "id"),
        _ => None,
    };
    Ok(Envelope {
        kind: WORKFLOW.to_owned(),
        tenant: location,
        records: contact.map(|id| RecordRef::highlevel(RecordKind::Contact, id)).into_iter().collect(),
        ..Envelope::default()
    })
}

/// A payload whose record may lie at the top or under `data`.
pub(super) struct Wire<'a> {
    top: &'a Map<String, Value>,
    record: &'a Map<String, Value>,
}

impl<'a> Wire<'a> {
    pub(super) fn of(body: &'a Map<String, Value>) -> Self {
        let record = match body.get("data") {
            Some(Value::Object(data)) => data,
            _ => body,
        };
        Self { top: body, record }
    }

    /// A value of the delivery: looked for at the top first, since a record may have a field of the same name.
    pub(super) fn outer(&self, key: &str) -> Option<String> {
        text(self.top, key).or_else(|| text(self.record, key))
    }

    /// A value of the record. The `id` at the top of a wrapped payload would be the delivery's.
    pub(super) fn inner(&self, key: &str) -> Option<String> {
        text(self.record, key)
    }

    /// Invoices and orders name the location by `altId` with `altType: location`.
    fn alternative_location(&self) -> Option<String> {
        (self.outer("altType").as_deref() == Some("location")).then(|| self.outer("altId"))?
    }

    /// A value of an appointment, which lies one level deeper.
    fn nested(&self, key: &str) -> Option<String> {
        match self.record.get("appointment") {
            Some(Value::Object(appointment)) => text(appointment, key),
            _ => None,
        }
    }

    pub(super) fn contact(&self) -> Option<RecordRef> {
        let id = self.inner("contactId").or_else(|| self.nested("contactId"))?;
        Some(RecordRef::highlevel(RecordKind::Contact, id))
    }

    /// The record it is about, where that is a kind the bridge knows.
    pub(super) fn subject(&self, kind: &str) -> Option<RecordRef> {
        let record = match kind {
            _ if kind.starts_with("Contact") => RecordKind::Contact,
            _ if kind.starts_with("Task") => RecordKind::Task,
            _ if kind.starts_with("Note") => RecordKind::Note,
            _ if kind.starts_with("Opportunity") => RecordKind::Opportunity,
            _ if kind.starts_with("Appointment") => {
                let id = self.nested("id").or_else(|| self.inner("id"))?;
                return Some(RecordRef::highlevel(RecordKind::Appointment, id));
            }
            _ => return None,
        };
        Some(RecordRef::highlevel(record, self.inner("id")?))
    }

    fn records(&self, kind: &str) -> Vec<RecordRef> {
        self.subject(kind).into_iter().chain(self.contact()).collect()
    }
}
