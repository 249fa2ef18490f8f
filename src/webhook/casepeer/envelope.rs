//! What must be known of a CASEpeer webhook before it can be stored.

use serde_json::{Map, Value};

use crate::domain::{RecordKind, RecordRef};
use crate::webhook::{Envelope, Unreadable, moment, parse_object, text};

/// Reads the envelope: `{id, type, occurred_at, account_id, data: {<kind>: {…}}}`.
pub fn read_envelope(body: &[u8]) -> Result<Envelope, Unreadable> {
    let body = parse_object(body)?;
    let kind = text(&body, "type").unwrap_or_else(|| "unknown".to_owned());
    Ok(Envelope {
        delivery_id: text(&body, "id"),
        tenant: text(&body, "account_id"),
        app: None,
        sent_at: moment(&body, "occurred_at"),
        records: Record::of(&body, &kind).map(|record| record.all()).unwrap_or_default(),
        kind,
    })
}

/// The record an event carries under the first word of its type: `lead.created` has `data.lead`.
pub(super) struct Record<'a> {
    kind: RecordKind,
    pub(super) fields: &'a Map<String, Value>,
}

impl<'a> Record<'a> {
    pub(super) fn of(body: &'a Map<String, Value>, event: &str) -> Option<Self> {
        let word = event.split('.').next()?;
        let kind = match word {
            "lead" => RecordKind::Lead,
            "case" => RecordKind::Case,
            "task" => RecordKind::Task,
            "note" => RecordKind::Note,
            "contact" => RecordKind::Client,
            _ => return None,
        };
        let fields = body.get("data")?.as_object()?.get(word)?.as_object()?;
        Some(Self { kind, fields })
    }

    pub(super) fn subject(&self) -> Option<RecordRef> {
        Some(RecordRef::casepeer(self.kind, text(self.fields, "id")?))
    }

    fn named(&self, key: &str, kind: RecordKind) -> Option<RecordRef> {
        Some(RecordRef::casepeer(kind, text(self.fields, key)?))
    }

    /// Whose a task or note is: the case once there is one.
    pub(super) fn owner(&self) -> Option<RecordRef> {
        self.named("case_id", RecordKind::Case).or_else(|| self.named("lead_id", RecordKind::Lead))
    }

    fn client(&self) -> Option<RecordRef> {
        let client = self.fields.get("client")?.as_object()?;
        Some(RecordRef::casepeer(RecordKind::Client, text(client, "id")?))
    }

    fn all(&self) -> Vec<RecordRef> {
        let related =
            [self.named("case_id", RecordKind::Case), self.named("lead_id", RecordKind::Lead), self.client()];
        self.subject().into_iter().chain(related.into_iter().flatten()).collect()
    }
}
