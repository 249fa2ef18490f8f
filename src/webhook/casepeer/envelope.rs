//! What must be known of a CASEpeer webhook before it can be stored.

use serde_json::{Map, Value};

use super::body::Body;
use crate::domain::{RecordKind, RecordRef};
use crate::operations::casepeer::Events;
use crate::webhook::{Envelope, Headers, Unreadable, text};

/// What a payload without a type is stored as.
const UNTYPED: &str = "unknown";

/// Reads the envelope as the profile says; the published contract's is
/// `{id, type, occurred_at, account_id, data: {<kind>: {…}}}`.
pub fn read_envelope(events: &Events, headers: &impl Headers, body: &[u8]) -> Result<Envelope, Unreadable> {
    let body = Body::parse(events, body)?;
    let kind = body.find(&events.kind, headers).unwrap_or_else(|| UNTYPED.to_owned());
    Ok(Envelope {
        delivery_id: body.find(&events.id, headers),
        tenant: body.find(&events.account, headers),
        app: None,
        sent_at: body.moment(&events.occurred_at, headers),
        records: Record::of(events, body, events.canonical(&kind))
            .map(|record| record.all())
            .unwrap_or_default(),
        kind,
    })
}

/// The record an event is about, in the contract's form. Its kind is the first word of the event's canonical name:
/// `lead.created` is about a lead.
pub(super) struct Record {
    kind: RecordKind,
    pub(super) fields: Map<String, Value>,
}

/// The kind of record that the first word of an event's name means.
pub(super) fn kind_of(word: &str) -> Option<RecordKind> {
    Some(match word {
        "lead" => RecordKind::Lead,
        "case" => RecordKind::Case,
        "task" => RecordKind::Task,
        "note" => RecordKind::Note,
        "contact" => RecordKind::Client,
        _ => return None,
    })
}

impl Record {
    pub(super) fn of(events: &Events, body: Body, event: &str) -> Option<Self> {
        let word = event.split('.').next()?;
        let kind = kind_of(word)?;
        Some(Self { kind, fields: body.record(events, word)? })
    }

    pub(super) fn subject(&self) -> Option<RecordRef> {
        Some(RecordRef::casepeer(self.kind, text(&self.fields, "id")?))
    }

    fn named(&self, key: &str, kind: RecordKind) -> Option<RecordRef> {
        Some(RecordRef::casepeer(kind, text(&self.fields, key)?))
    }

    /// Whose a task or note is: the case once there is one.
    pub(super) fn owner(&self) -> Option<RecordRef> {
        self.named("case_id", RecordKind::Case).or_else(|| self.named("lead_id", RecordKind::Lead))
    }

    fn client(&self) -> Option<RecordRef> {
        let client = self.fields.get("client")?.as_object()?;
        Some(RecordRef::casepeer(RecordKind::Client, text(client, "id")?))
    }

    /// The client that was merged into this one.
    pub(super) fn merged(&self) -> Option<RecordRef> {
        self.named("merged_id", RecordKind::Client).filter(|_| self.kind == RecordKind::Client)
    }

    fn all(&self) -> Vec<RecordRef> {
        let related = [
            self.named("case_id", RecordKind::Case),
            self.named("lead_id", RecordKind::Lead),
            self.client(),
            self.merged(),
        ];
        self.subject().into_iter().chain(related.into_iter().flatten()).collect()
    }
}
