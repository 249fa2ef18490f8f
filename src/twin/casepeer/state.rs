//! The CASEpeer side's records, and the session in which one request or one person changes them.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::auth::Auth;
use super::idempotency::Keys;
use crate::twin::call::{Call, Reply, text};
use crate::twin::ids::Ids;
use crate::twin::ledger::{Effect, MadeBy, Vendor};
use crate::twin::server::Common;
use crate::twin::table::Table;

/// A record as its wire fields; a lead or case holds its client as `client_id`.
pub(super) type Record = Map<String, Value>;

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Contact,
    Lead,
    Case,
    Task,
    Note,
}

impl Kind {
    /// The name in events and messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Lead => "lead",
            Self::Case => "case",
            Self::Task => "task",
            Self::Note => "note",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Contact => "C-",
            Self::Lead => "L-",
            Self::Case => "K-",
            Self::Task => "T-",
            Self::Note => "N-",
        }
    }
}

/// Everything in the account.
#[derive(Debug, Default)]
pub(super) struct Tables {
    contacts: Table<Record>,
    leads: Table<Record>,
    cases: Table<Record>,
    tasks: Table<Record>,
    notes: Table<Record>,
    /// Ids by `external_ref`, e-mail, phone, client, lead and case.
    index: HashMap<(Kind, &'static str, String), Vec<String>>,
}

/// The fields that records are found by without looking at every one.
const INDEXED: [&str; 6] = ["external_ref", "email", "phone", "client_id", "lead_id", "case_id"];

impl Tables {
    /// The table of a kind.
    pub(super) fn table(&self, kind: Kind) -> &Table<Record> {
        match kind {
            Kind::Contact => &self.contacts,
            Kind::Lead => &self.leads,
            Kind::Case => &self.cases,
            Kind::Task => &self.tasks,
            Kind::Note => &self.notes,
        }
    }

    fn table_mut(&mut self, kind: Kind) -> &mut Table<Record> {
        match kind {
            Kind::Contact => &mut self.contacts,
            Kind::Lead => &mut self.leads,
            Kind::Case => &mut self.cases,
            Kind::Task => &mut self.tasks,
            Kind::Note => &mut self.notes,
        }
    }

    /// The record of this id.
    pub(super) fn get(&self, kind: Kind, id: &str) -> Option<&Record> {
        self.table(kind).get(id)
    }

    /// The ids of the records whose field has this value; e-mails and phones match in any writing.
    pub(super) fn ids_by(&self, kind: Kind, field: &'static str, value: &str) -> Vec<String> {
        self.index.get(&(kind, field, key(field, value))).cloned().unwrap_or_default()
    }

    /// Puts a record in its table and in the index.
    pub(super) fn put(&mut self, kind: Kind, record: Record) {
        let id = text(&record, "id").to_owned();
        let before = self.get(kind, &id).cloned();
        for field in INDEXED {
            let (old, new) = (before.as_ref().map_or("", |record| text(record, field)), text(&record, field));
            if old == new {
                continue;
            }
            if let Some(ids) = self.index.get_mut(&(kind, field, key(field, old))) {
                ids.retain(|held| *held != id);
            }
            if !new.is_empty() {
                self.index.entry((kind, field, key(field, new))).or_default().push(id.clone());
            }
        }
        match self.table_mut(kind).get_mut(&id) {
            Some(row) => *row = record,
            None => self.table_mut(kind).insert(&id, record),
        }
    }
}

fn key(field: &str, value: &str) -> String {
    match field {
        "email" => value.trim().to_lowercase(),
        "phone" => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            // A US number is the same with and without its country code.
            digits.strip_prefix('1').filter(|rest| rest.len() == 10).map_or(digits.clone(), str::to_owned)
        }
        _ => value.to_owned(),
    }
}

/// The account: records, tokens and idempotency keys.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ids: Ids,
    pub(super) tables: Tables,
    pub(super) auth: Auth,
    pub(super) keys: Keys,
    pub(super) requires_if_match: bool,
    /// What the Zapier-like hook caught.
    pub(super) hand_offs: Vec<Value>,
}

impl State {
    /// An account without records.
    pub(super) fn new(ids: Ids) -> Self {
        Self {
            ids,
            tables: Tables::default(),
            auth: Auth::default(),
            keys: Keys::default(),
            requires_if_match: false,
            hand_offs: Vec::new(),
        }
    }
}

/// One change of the state: by whom, when, and what it causes outside.
pub(super) struct Session<'a> {
    pub(super) state: &'a mut State,
    pub(super) common: &'a Common,
    pub(super) now: Timestamp,
    pub(super) made_by: MadeBy,
    pub(super) idempotency_key: Option<String>,
    /// Lists hide what is younger than so many seconds.
    pub(super) lag: i64,
}

impl Session<'_> {
    /// The present moment as the contract writes it.
    pub(super) fn stamp(&self) -> String {
        format!("{:.3}", self.now)
    }

    /// The record of this id.
    ///
    /// # Errors
    /// 404 in the contract's shape.
    pub(super) fn find(&self, kind: Kind, id: &str) -> Result<&Record, Reply> {
        self.state
            .tables
            .get(kind, id)
            .ok_or_else(|| refusal(404, "not_found", &format!("no {} {id}", kind.name())))
    }

    /// A record of this kind with what every record has.
    pub(super) fn blank(&mut self, kind: Kind) -> Record {
        let now = self.stamp();
        let id = self.state.ids.counted(kind.prefix());
        object(json!({"id": id, "external_ref": null, "created_at": now, "updated_at": now, "version": "1"}))
    }

    /// Keeps a changed record under a new version; true if it did change.
    pub(super) fn keep(&mut self, kind: Kind, mut record: Record) -> bool {
        if self.state.tables.get(kind, text(&record, "id")) == Some(&record) {
            return false;
        }
        let version = text(&record, "version").parse().unwrap_or(0u64) + 1;
        record.insert("version".into(), version.to_string().into());
        record.insert("updated_at".into(), self.stamp().into());
        self.state.tables.put(kind, record);
        true
    }

    /// Refuses a second record with the same external reference.
    ///
    /// # Errors
    /// 409 with `existing_id`.
    pub(super) fn unique(&self, kind: Kind, body: &Record) -> Result<(), Reply> {
        let reference = text(body, "external_ref");
        match self.state.tables.ids_by(kind, "external_ref", reference).first() {
            Some(existing) if !reference.is_empty() => {
                let message = format!("a {} with this external_ref exists", kind.name());
                let mut reply = refusal(409, "duplicate", &message);
                reply.body["existing_id"] = existing.as_str().into();
                Err(reply)
            }
            _ => Ok(()),
        }
    }

    /// Checks `If-Match` against the record's version.
    ///
    /// # Errors
    /// 412 when it is stale, 428 when it is missing and required.
    pub(super) fn matches(&self, call: &Call, record: &Record) -> Result<(), Reply> {
        let version = text(record, "version");
        match call.header("if-match") {
            None if self.state.requires_if_match => {
                Err(refusal(428, "precondition_required", "send If-Match with the record's ETag"))
            }
            None | Some("*") => Ok(()),
            Some(tags) if tags.split(',').any(|tag| tag.trim().trim_matches('"') == version) => Ok(()),
            Some(_) => Err(refusal(412, "stale", &format!("the record is at version {version}"))),
        }
    }

    /// Writes an effect to the ledger.
    pub(super) fn effect(&self, operation: &'static str, record_id: &str, changed: bool) {
        self.common.ledger.add(Effect {
            sequence: 0,
            vendor: Vendor::CasePeer,
            operation,
            record_id: record_id.to_owned(),
            at: self.now,
            idempotency_key: self.idempotency_key.clone(),
            made_by: self.made_by,
            changed,
        });
    }

    /// Queues an event with the full record under its kind.
    pub(super) fn event(&mut self, event: &str, kind: Kind, id: &str, previous: Option<Value>) {
        let shown = self.shown(kind, id);
        self.queue(event, kind, shown, previous);
    }

    /// Queues an event that tells this of a record.
    pub(super) fn event_about(&mut self, event: &str, kind: Kind, shown: Value) {
        self.queue(event, kind, shown, None);
    }

    fn queue(&mut self, event: &str, kind: Kind, shown: Value, previous: Option<Value>) {
        let number = self.state.ids.counted("evt_");
        let mut body = json!({
            "id": number, "type": event, "version": "1", "occurred_at": self.stamp(),
            "account_id": super::ACCOUNT, "data": {kind.name(): shown},
        });
        if let Some(previous) = previous {
            body["previous"] = previous;
        }
        self.common.outbox.enqueue(event, &number, &body);
    }

    /// A record as the API shows it: a lead or case with its client.
    pub(super) fn shown(&self, kind: Kind, id: &str) -> Value {
        self.state.tables.get(kind, id).map_or(Value::Null, |record| self.show(record))
    }

    /// Shows a record of any kind.
    pub(super) fn show(&self, record: &Record) -> Value {
        let mut record = record.clone();
        if let Some(client) = record.remove("client_id") {
            let client = self.state.tables.get(Kind::Contact, client.as_str().unwrap_or_default());
            let names =
                ["id", "first_name", "last_name", "email", "phone", "language", "address", "date_of_birth"];
            let client: Record = names
                .iter()
                .map(|name| ((*name).to_owned(), client.and_then(|client| client.get(*name)).cloned()))
                .map(|(name, value)| (name, value.unwrap_or_default()))
                .collect();
            record.insert("client".into(), Value::Object(client));
        }
        Value::Object(record)
    }
}

/// A 200 with the record and its `ETag`.
pub(super) fn single(status: u16, record: Value) -> Reply {
    let tag = format!("\"{}\"", record["version"].as_str().unwrap_or_default());
    Reply::new(status, record).with("etag", tag)
}

/// An error in the contract's shape; the request id is filled in on the way out.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, json!({"error": {"code": code, "message": message, "fields": [], "request_id": null}}))
}

/// The object of a `json!({…})`.
pub(super) fn object(value: Value) -> Record {
    match value {
        Value::Object(object) => object,
        _ => Record::new(),
    }
}

/// Lays a patch over a record: objects are merged, everything else, null included, replaces.
pub(super) fn merge(record: &mut Record, patch: &Record) {
    for (name, value) in patch {
        match (record.get_mut(name), value) {
            (Some(Value::Object(held)), Value::Object(patch)) => merge(held, patch),
            _ => {
                record.insert(name.clone(), value.clone());
            }
        }
    }
}
