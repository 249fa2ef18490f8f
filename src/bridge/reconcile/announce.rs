//! Events that the bridge tells itself of, in the words of the system where it happened.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::{Bridge, Firm};
use crate::domain::{EventId, Matter, RecordKind, RecordRef, System};
use crate::store::{Arrival, BY_BACKFILL, DeliveryKey, Recorded, StoreError};

/// What stands first in the payload of an announced event, and says who announced it.
const ANNOUNCED_BY: &str = "casebridge";

/// An event that no webhook told of.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Announcement {
    /// What it is called, as a webhook would call it.
    pub(in crate::bridge) kind: &'static str,
    /// The records it names: first what it is about.
    pub(in crate::bridge) records: Vec<RecordRef>,
    /// What a webhook would say, without what is sensitive: the records are read afresh.
    pub(in crate::bridge) body: Value,
    /// Which change of the record it is, so that the same one is not announced twice.
    pub(in crate::bridge) version: String,
    /// When it happened, if its system says.
    pub(in crate::bridge) changed_at: Option<Timestamp>,
}

impl Bridge {
    /// Commits an announcement like a webhook.
    pub(in crate::bridge) async fn announce(
        &self,
        firm: &Firm,
        announced: &Announcement,
        by: &'static str,
    ) -> Result<Recorded, StoreError> {
        let recorded = self.store.record(self.arrival_of(firm, announced, by)).await?;
        if matches!(recorded, Recorded::Stored(_)) {
            self.ring();
        }
        Ok(recorded)
    }

    /// An announcement as it is committed.
    pub(in crate::bridge) fn arrival_of(
        &self,
        firm: &Firm,
        announced: &Announcement,
        by: &'static str,
    ) -> Arrival {
        let subject = &announced.records[0];
        let mut body = json!({ ANNOUNCED_BY: by });
        if let (Value::Object(body), Value::Object(said)) = (&mut body, &announced.body) {
            body.extend(said.clone());
        }
        Arrival {
            id: EventId(Uuid::now_v7()),
            firm: firm.id.clone(),
            source: subject.system,
            kind: announced.kind.to_owned(),
            delivery_key: DeliveryKey::Sender(format!("seen:{subject}@{}", announced.version)),
            records: announced.records.clone(),
            proof: by,
            payload: Bytes::from(body.to_string()),
            sent_at: announced.changed_at,
            received_at: self.clock.now(),
            is_update: self.is_update(&firm.id, subject.system, announced.kind),
            undeliverable: None,
            trace: None,
        }
    }
}

/// Whether a payload was announced by a backfill. A sender that wrote so would only wait longer.
pub(in crate::bridge) fn is_backfill(payload: &[u8]) -> bool {
    payload.starts_with(format!("{{\"{ANNOUNCED_BY}\":\"{BY_BACKFILL}\"").as_bytes())
}

/// Whether a payload is of the bridge's own making. A sender that wrote so would only be read by the contract's map.
pub(in crate::bridge) fn is_announced(payload: &[u8]) -> bool {
    payload.starts_with(format!("{{\"{ANNOUNCED_BY}\":").as_bytes())
}

/// Which change of a record a moment names.
pub(in crate::bridge) fn version(at: Timestamp) -> String {
    at.as_millisecond().to_string()
}

/// A contact that changed.
pub(in crate::bridge) fn contact(record: &RecordRef, at: Timestamp, is_linked: bool) -> Announcement {
    Announcement {
        kind: if is_linked { "ContactUpdate" } else { "ContactCreate" },
        records: vec![record.clone()],
        body: json!({ "id": record.id }),
        version: version(at),
        changed_at: Some(at),
    }
}

/// A lead or case that changed.
pub(in crate::bridge) fn matter(matter: &Matter, at: Timestamp, is_linked: bool) -> Announcement {
    let record = &matter.record;
    let id = |record: &Option<RecordRef>| record.as_ref().map(|record| record.id.clone());
    let mut said = json!({ "id": record.id, "client": { "id": id(&matter.client) } });
    let (kind, word) = match (record.kind, is_linked) {
        (RecordKind::Case, true) => ("case.status_changed", "case"),
        (RecordKind::Case, false) => ("case.created", "case"),
        (_, true) => ("lead.updated", "lead"),
        (_, false) => ("lead.created", "lead"),
    };
    if record.kind == RecordKind::Case {
        said["status"] = matter.status.clone().into();
        said["lead_id"] = id(&matter.lead).into();
    } else {
        said["case_id"] = id(&matter.case).into();
    }
    let related = [&matter.case, &matter.lead, &matter.client].into_iter().flatten();
    Announcement {
        kind,
        records: std::iter::once(record).chain(related.filter(|other| *other != record)).cloned().collect(),
        body: json!({ "data": { word: said } }),
        version: version(at),
        changed_at: Some(at),
    }
}

/// A task that came into being or was completed.
pub(super) fn task(
    task: &RecordRef,
    owner: Option<&RecordRef>,
    at: Option<Timestamp>,
    is_completed: bool,
    is_linked: bool,
) -> Announcement {
    let kind = match (task.system, is_linked) {
        (System::HighLevel, false) => "TaskCreate",
        (System::HighLevel, true) => "TaskComplete",
        (System::CasePeer, false) => "task.created",
        (System::CasePeer, true) => "task.completed",
    };
    let state = if is_completed { "done" } else { "open" };
    Announcement {
        kind,
        records: std::iter::once(task).chain(owner).cloned().collect(),
        body: belonging(task, owner),
        version: at.map_or_else(|| state.to_owned(), version),
        changed_at: at,
    }
}

/// A note that was written.
pub(super) fn note(note: &RecordRef, owner: &RecordRef, at: Timestamp) -> Announcement {
    Announcement {
        kind: if note.system == System::HighLevel { "NoteCreate" } else { "note.created" },
        records: vec![note.clone(), owner.clone()],
        body: belonging(note, Some(owner)),
        version: version(at),
        changed_at: Some(at),
    }
}

fn belonging(record: &RecordRef, owner: Option<&RecordRef>) -> Value {
    let id = owner.map(|owner| owner.id.clone());
    if record.system == System::HighLevel {
        return json!({ "id": record.id, "contactId": id });
    }
    let key = match owner.map(|owner| owner.kind) {
        Some(RecordKind::Case) => "case_id",
        _ => "lead_id",
    };
    json!({ "data": { record.kind.as_str(): { "id": record.id, key: id } } })
}
