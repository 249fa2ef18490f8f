//! The account's records, and the contract's shape of each.

use serde_json::{Map, Value, json};

use crate::stub::{now, text};

/// The contract's kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A possible client's matter.
    Lead,
    /// A matter that was signed.
    Case,
    /// A client.
    Contact,
    /// Something to do.
    Task,
    /// Something written down.
    Note,
}

impl Kind {
    /// The name under which a webhook's `data` holds the record.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Case => "case",
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Note => "note",
        }
    }

    /// The kind whose collection stands at this path segment.
    pub(super) fn of_path(segment: &str) -> Option<Self> {
        [Self::Lead, Self::Case, Self::Contact, Self::Task]
            .into_iter()
            .find(|kind| format!("{}s", kind.name()) == segment)
    }

    /// The fields a client of the API may write, as an empty record; `custom` and `assignees` take any names.
    pub(super) fn blank(self) -> Value {
        match self {
            Self::Lead => {
                json!({ "external_ref": null, "status": "Intake", "milestone": null, "client": client(),
                "case_type": null, "date_of_loss": null, "incident": { "state": null, "city": null, "address": null },
                "summary": null, "source": { "type": null, "detail": null }, "assignees": {}, "reject_reason": null,
                "custom": {} })
            }
            Self::Case => {
                let mut case = Self::Lead.blank();
                for name in ["name", "number", "retained_at", "closed_at", "statute_date"] {
                    case[name] = Value::Null;
                }
                case
            }
            Self::Contact => {
                let mut contact = client();
                contact.as_object_mut().expect("an object").remove("id");
                contact
            }
            Self::Task => {
                json!({ "external_ref": null, "case_id": null, "lead_id": null, "title": null, "body": null,
                "priority": "regular", "due_at": null, "assignee_id": null, "completed": false })
            }
            Self::Note => json!({ "external_ref": null, "case_id": null, "lead_id": null, "body": null,
                "category": null, "author_id": null, "occurred_at": null }),
        }
    }
}

fn client() -> Value {
    json!({ "id": null, "first_name": null, "last_name": null, "email": null, "phone": null, "language": null,
        "address": { "line1": null, "city": null, "state": null, "zip": null }, "date_of_birth": null })
}

/// What the account holds, in the order of creation.
#[derive(Debug, Default)]
pub(super) struct State {
    records: Vec<(Kind, Value)>,
    next: u32,
    /// Pages hold at most this many records.
    pub(super) page_limit: Option<usize>,
    /// What each idempotency key has done.
    pub(super) done: Vec<Done>,
    /// Webhooks about the API's own writes, not yet taken.
    pub(super) echoes: Vec<Value>,
}

/// A POST that succeeded under an idempotency key.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) answer: crate::stub::Answer,
}

impl State {
    /// All records of a kind, as they are answered.
    pub(super) fn all(&self, kind: Kind) -> Vec<Value> {
        self.stored(kind).map(|record| self.shown(record)).collect()
    }

    /// One record, as it is answered.
    pub(super) fn get(&self, kind: Kind, id: &str) -> Option<Value> {
        self.stored(kind).find(|record| record["id"] == id).map(|record| self.shown(record))
    }

    /// Makes a record; what is not given is blank.
    pub(super) fn create(&mut self, kind: Kind, fields: &Value) -> Value {
        let id = self.id(kind);
        let mut record = kind.blank();
        record["id"] = id.as_str().into();
        record["created_at"] = now().into();
        record["version"] = "0".into();
        match kind {
            Kind::Lead => record["case_id"] = Value::Null,
            Kind::Task => record["completed_at"] = Value::Null,
            _ => {}
        }
        self.records.push((kind, record));
        self.update(kind, &id, fields)
    }

    /// Merges fields into a record. A lead's or case's client is a contact of its own, and both change together.
    pub(super) fn update(&mut self, kind: Kind, id: &str, fields: &Value) -> Value {
        let mut fields = fields.clone();
        let client = fields.as_object_mut().expect("an object of fields").remove("client");
        let mut record =
            self.stored(kind).find(|record| record["id"] == id).expect("a record that exists").clone();
        if let Some(mut client) = client {
            let named = client.as_object_mut().expect("a client").remove("id").filter(Value::is_string);
            let known =
                named.or_else(|| record["client"]["id"].is_string().then(|| record["client"]["id"].clone()));
            let client = match known {
                Some(id) if client.as_object().is_some_and(Map::is_empty) => id,
                Some(id) => {
                    self.update(Kind::Contact, id.as_str().unwrap_or_default(), &client)["id"].clone()
                }
                None => self.create(Kind::Contact, &client)["id"].clone(),
            };
            record["client"] = json!({ "id": client });
        }
        merge(&mut record, &fields);
        if kind == Kind::Task {
            let is_completed = record["completed"] == true;
            if is_completed == record["completed_at"].is_null() {
                record["completed_at"] = if is_completed { now().into() } else { Value::Null };
            }
        }
        touch(&mut record);
        for (_, other) in &mut self.records {
            if other["id"] == id {
                *other = record.clone();
            } else if kind == Kind::Contact && other["client"]["id"] == id {
                touch(other);
            }
        }
        self.shown(&record)
    }

    /// Gives a lead its case.
    pub(super) fn convert(&mut self, lead: &str) -> Value {
        let mut fields = self.get(Kind::Lead, lead).expect("a lead that exists");
        let client = fields["client"].take();
        for name in ["id", "case_id", "created_at", "updated_at", "version"] {
            fields.as_object_mut().expect("an object").remove(name);
        }
        fields["client"] = json!({ "id": client["id"] });
        fields["lead_id"] = lead.into();
        fields["status"] = "Treating".into();
        fields["name"] = format!("{}, {}", text(&client, "last_name"), text(&client, "first_name")).into();
        fields["number"] = format!("2026-{:03}", self.next).into();
        fields["retained_at"] = now().into();
        let case = self.create(Kind::Case, &fields);
        self.update(Kind::Lead, lead, &json!({ "case_id": case["id"] }));
        case
    }

    fn stored(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.records.iter().filter(move |(other, _)| *other == kind).map(|(_, record)| record)
    }

    fn shown(&self, record: &Value) -> Value {
        let mut shown = record.clone();
        if let Some(id) = record["client"]["id"].as_str() {
            let contact =
                self.stored(Kind::Contact).find(|contact| contact["id"] == id).expect("the client's contact");
            let names = client();
            let fields = names.as_object().expect("an object").keys();
            let fields: Map<String, Value> =
                fields.map(|name| (name.clone(), contact[name].clone())).collect();
            shown["client"] = fields.into();
        }
        shown
    }

    fn id(&mut self, kind: Kind) -> String {
        self.next += 1;
        let letter = match kind {
            Kind::Lead => 'L',
            // As in the contract's examples, where `C` is the client.
            Kind::Case => 'K',
            Kind::Contact => 'C',
            Kind::Task => 'T',
            Kind::Note => 'N',
        };
        format!("{letter}-{}", self.next)
    }
}

fn touch(record: &mut Value) {
    let version: u32 = text(record, "version").parse().expect("a version that counts");
    record["version"] = (version + 1).to_string().into();
    record["updated_at"] = now().into();
}

fn merge(into: &mut Value, fields: &Value) {
    match (into, fields) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value.clone(),
    }
}
