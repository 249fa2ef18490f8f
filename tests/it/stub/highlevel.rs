//! HighLevel, by its OpenAPI files (contacts, opportunities, locations) and its webhook samples.
//!
//! Faithful in what the files say and our notes record: required properties, unknown properties refused with 422,
//! duplicates refused with 400 and `meta.contactId`, custom fields in as `field_value` and out as `value`
//! (`fieldValue` on opportunities), dates of birth in three shapes, tags overwritten by a contact update.
//! The files list no 404, so a record that does not exist is a 400. Search is never behind.

mod api;
mod opportunities;
mod search;

use std::sync::{Arc, Mutex};

use casebridge::webhook::highlevel::sign::SigningKey;
use serde_json::{Map, Value, json};

use super::{Change, Recorded, Server, lock, now, pick, text};

/// The header that carries HighLevel's signature, as its Webhook Integration Guide names it.
const SIGNATURE: &str = "X-GHL-Signature";

/// The fields of a contact webhook, from the official samples.
const CONTACT_WEBHOOK: [&str; 23] = [
    "locationId",
    "id",
    "address1",
    "city",
    "state",
    "companyName",
    "country",
    "source",
    "dateAdded",
    "dateOfBirth",
    "dnd",
    "email",
    "name",
    "firstName",
    "lastName",
    "phone",
    "postalCode",
    "tags",
    "website",
    "attachments",
    "assignedTo",
    "customFields",
    // Only in ContactDndUpdate.
    "dndSettings",
];
const TASK_WEBHOOK: [&str; 8] =
    ["locationId", "id", "assignedTo", "body", "contactId", "title", "dateAdded", "dueDate"];
const NOTE_WEBHOOK: [&str; 5] = ["locationId", "id", "body", "contactId", "dateAdded"];
const OPPORTUNITY_WEBHOOK: [&str; 11] = [
    "locationId",
    "id",
    "assignedTo",
    "contactId",
    "monetaryValue",
    "name",
    "pipelineId",
    "pipelineStageId",
    "source",
    "status",
    "dateAdded",
];

/// One HighLevel location behind one token.
#[derive(Debug)]
pub struct Stub {
    server: Server,
    state: Arc<Mutex<State>>,
    key: SigningKey,
    client: reqwest::Client,
}

impl Stub {
    /// Starts a location that accepts this bearer token and signs its webhooks with this key.
    pub async fn start(key: SigningKey, location: &str, token: &str) -> Self {
        let state = Arc::new(Mutex::new(State::new(location, token)));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| api::answer(&mut lock(&shared), request)).await;
        Self { server, state, key, client: reqwest::Client::new() }
    }

    /// The base URL to configure.
    pub fn url(&self) -> &str {
        &self.server.origin
    }

    /// The key to configure, as HighLevel publishes its own: base64 of the SubjectPublicKeyInfo.
    pub fn public_key(&self) -> String {
        self.key.public_key()
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// The requests that asked for a change.
    pub fn writes(&self) -> Vec<Recorded> {
        let reads = |request: &Recorded| request.method == "GET" || request.path.ends_with("/search");
        self.requests().into_iter().filter(|request| !reads(request)).collect()
    }

    /// All contacts, oldest first.
    pub fn contacts(&self) -> Vec<Value> {
        lock(&self.state).contacts.clone()
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> Vec<Value> {
        lock(&self.state).tasks.clone()
    }

    /// All notes, oldest first.
    pub fn notes(&self) -> Vec<Value> {
        lock(&self.state).notes.clone()
    }

    /// All opportunities, oldest first.
    pub fn opportunities(&self) -> Vec<Value> {
        lock(&self.state).opportunities.clone()
    }

    /// Webhooks about the API's own writes since the last call: HighLevel sends these too, with no sign of origin.
    pub fn take_echoes(&self) -> Vec<Value> {
        std::mem::take(&mut lock(&self.state).echoes)
    }

    /// A person adds a contact. Give the fields as the API writes them (`firstName`, `email`, …).
    pub fn add_contact(&self, fields: Value) -> Change {
        self.change(|state| {
            let contact = state.create_contact(object(&fields));
            state.contact_webhook("ContactCreate", &contact)
        })
    }

    /// A person edits a contact.
    pub fn change_contact(&self, id: &str, fields: Value) -> Change {
        self.change(|state| {
            let contact = state.update_contact(id, object(&fields));
            state.contact_webhook("ContactUpdate", &contact)
        })
    }

    /// A person adds a task to a contact (`title`, `dueDate`, …).
    pub fn add_task(&self, contact: &str, fields: Value) -> Change {
        self.change(|state| {
            let task = state.create_task(contact, object(&fields));
            state.webhook("TaskCreate", pick(&task, &TASK_WEBHOOK))
        })
    }

    /// A person ticks a task off.
    pub fn complete_task(&self, id: &str) -> Change {
        self.change(|state| {
            let task = state.update_task(id, object(&json!({ "completed": true })));
            state.webhook("TaskComplete", pick(&task, &TASK_WEBHOOK))
        })
    }

    /// A person writes a note on a contact.
    pub fn add_note(&self, contact: &str, body: &str) -> Change {
        self.change(|state| {
            let note = state.create_note(contact, object(&json!({ "body": body })));
            state.webhook("NoteCreate", pick(&note, &NOTE_WEBHOOK))
        })
    }

    /// The firm sets up a pipeline; answers its id and its stages' ids, in order.
    pub fn add_pipeline(&self, name: &str, stages: &[&str]) -> (String, Vec<String>) {
        let mut state = lock(&self.state);
        let pipeline = state.id("pipeline");
        let stages: Vec<Value> = stages
            .iter()
            .zip(0..)
            .map(|(stage, position)| json!({ "id": stage_id(), "name": stage, "position": position }))
            .collect();
        let ids = stages.iter().map(|stage| text(stage, "id").to_owned()).collect();
        let location = state.location.clone();
        state.pipelines.push(json!({ "id": pipeline, "name": name, "stages": stages, "showInFunnel": true,
            "showInPieChart": true, "locationId": location }));
        (pipeline, ids)
    }

    /// The firm sets up a custom field of contacts or opportunities; answers its id.
    pub fn add_custom_field(&self, model: &str, key: &str, data_type: &str) -> String {
        let mut state = lock(&self.state);
        let id = state.id("field");
        let location = state.location.clone();
        let position = state.custom_fields.len();
        state.custom_fields.push(json!({ "id": id, "name": key, "fieldKey": format!("{model}.{key}"),
            "dataType": data_type, "position": position, "locationId": location, "model": model }));
        id
    }

    /// Signs a webhook's body and sends it to the bridge. Sent twice, it is a redelivery.
    pub async fn deliver(&self, bridge_url: &str, body: &Value) -> reqwest::Response {
        let bytes = serde_json::to_vec(body).expect("JSON");
        self.client
            .post(format!("{}/webhooks/highlevel", bridge_url.trim_end_matches('/')))
            .header("Content-Type", "application/json")
            .header(SIGNATURE, self.key.sign(&bytes))
            .body(bytes)
            .send()
            .await
            .expect("a bridge that answers")
    }

    fn change(&self, make: impl FnOnce(&mut State) -> Value) -> Change {
        let webhook = make(&mut lock(&self.state));
        Change { id: text(&webhook, "id").to_owned(), webhook }
    }
}

/// What the location holds. Each list is in the order of creation.
#[derive(Debug)]
struct State {
    location: String,
    token: String,
    next: u32,
    contacts: Vec<Value>,
    tasks: Vec<Value>,
    notes: Vec<Value>,
    opportunities: Vec<Value>,
    pipelines: Vec<Value>,
    custom_fields: Vec<Value>,
    echoes: Vec<Value>,
}

impl State {
    fn new(location: &str, token: &str) -> Self {
        Self {
            location: location.to_owned(),
            token: token.to_owned(),
            next: 0,
            contacts: Vec::new(),
            tasks: Vec::new(),
            notes: Vec::new(),
            opportunities: Vec::new(),
            pipelines: Vec::new(),
            custom_fields: Vec::new(),
            echoes: Vec::new(),
        }
    }

    /// A fresh opaque id of HighLevel's usual 20 characters.
    fn id(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}{:0>width$}", self.next, width = 20 - kind.len())
    }

    fn create_contact(&mut self, fields: Map<String, Value>) -> Value {
        let id = self.id("contact");
        let mut contact = json!({ "id": id, "locationId": self.location, "dnd": false, "tags": [], "customFields": [],
            "attachments": [], "type": "lead", "dateAdded": now() });
        self.write_contact(&mut contact, fields);
        self.contacts.push(contact.clone());
        contact
    }

    fn update_contact(&mut self, id: &str, fields: Map<String, Value>) -> Value {
        let at = position(&self.contacts, id).expect("a contact that exists");
        let mut contact = self.contacts[at].clone();
        self.write_contact(&mut contact, fields);
        self.contacts[at] = contact.clone();
        contact
    }

    fn write_contact(&self, contact: &mut Value, fields: Map<String, Value>) {
        let names_given = ["firstName", "lastName"].iter().any(|name| fields.contains_key(*name));
        for (name, value) in fields {
            match name.as_str() {
                "customFields" => self.write_custom_fields(&mut contact["customFields"], &value, "value"),
                "dateOfBirth" => {
                    contact[name] = value.as_str().map_or(Value::Null, |date| calendar_date(date).into())
                }
                "name" if !names_given => {
                    let (first, last) = text_of(&value).split_once(' ').unwrap_or((text_of(&value), ""));
                    contact["firstName"] = first.into();
                    contact["lastName"] = last.into();
                }
                "name" => {}
                _ => contact[name] = value,
            }
        }
        let full_name = format!("{} {}", text(contact, "firstName"), text(contact, "lastName"));
        contact["name"] = full_name.trim().into();
        contact["dateUpdated"] = now().into();
    }

    /// Takes `{id or key, field_value}` in, and keeps `{id, value}` under the name this kind of record answers with.
    fn write_custom_fields(&self, kept: &mut Value, given: &Value, value_name: &str) {
        if kept.is_null() {
            *kept = json!([]);
        }
        let kept = kept.as_array_mut().expect("a list of custom fields");
        for field in given.as_array().into_iter().flatten() {
            let by_key = || self.custom_fields.iter().find(|known| is_key(known, text(field, "key")));
            let id =
                field["id"].as_str().or_else(|| by_key().map(|known| text(known, "id"))).unwrap_or_default();
            let value = if field["field_value"].is_null() { &field["value"] } else { &field["field_value"] };
            kept.retain(|old| old["id"] != id);
            kept.push(json!({ "id": id, value_name: value }));
        }
    }

    fn create_task(&mut self, contact: &str, fields: Map<String, Value>) -> Value {
        let id = self.id("task");
        let mut task = json!({ "id": id, "contactId": contact, "locationId": self.location, "completed": false,
            "dateAdded": now() });
        task.as_object_mut().expect("an object").extend(fields);
        self.tasks.push(task.clone());
        task
    }

    fn update_task(&mut self, id: &str, fields: Map<String, Value>) -> Value {
        let at = position(&self.tasks, id).expect("a task that exists");
        self.tasks[at].as_object_mut().expect("an object").extend(fields);
        self.tasks[at].clone()
    }

    fn create_note(&mut self, contact: &str, fields: Map<String, Value>) -> Value {
        let id = self.id("note");
        let mut note =
            json!({ "id": id, "contactId": contact, "locationId": self.location, "dateAdded": now() });
        note.as_object_mut().expect("an object").extend(fields);
        self.notes.push(note.clone());
        note
    }

    /// A webhook's body: the sample's fields, with the id and timestamp that live deliveries add.
    fn webhook(&self, kind: &str, fields: Map<String, Value>) -> Value {
        let mut body = Map::from_iter([("type".to_owned(), kind.into())]);
        body.extend(fields);
        body.insert("webhookId".to_owned(), uuid::Uuid::now_v7().to_string().into());
        body.insert("timestamp".to_owned(), now().into());
        Value::Object(body)
    }

    fn contact_webhook(&self, kind: &str, contact: &Value) -> Value {
        let mut fields = pick(contact, &CONTACT_WEBHOOK);
        if kind != "ContactDndUpdate" {
            fields.remove("dndSettings");
        }
        if let Some(date) = fields.get_mut("dateOfBirth") {
            *date = midnight(text_of(date)).into();
        }
        self.webhook(kind, fields)
    }

    fn echo_contact(&mut self, kind: &str, contact: &Value) {
        let webhook = self.contact_webhook(kind, contact);
        self.echoes.push(webhook);
    }

    fn echo(&mut self, kind: &str, record: &Value, fields: &[&str]) {
        let webhook = self.webhook(kind, pick(record, fields));
        self.echoes.push(webhook);
    }
}

fn position(records: &[Value], id: &str) -> Option<usize> {
    records.iter().position(|record| record["id"] == id)
}

fn find<'a>(records: &'a [Value], id: &str) -> Option<&'a Value> {
    records.iter().find(|record| record["id"] == id)
}

/// Whether `key` names this custom field, with its model's prefix or without.
fn is_key(field: &Value, key: &str) -> bool {
    let full = text(field, "fieldKey");
    full == key || full.split_once('.').is_some_and(|(_, short)| short == key)
}

/// Stages have UUIDs where everything else has 20 characters.
fn stage_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object of fields").clone()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `YYYY-MM-DD` of any of the eight forms in which HighLevel takes a date of birth.
fn calendar_date(date: &str) -> String {
    let parts: Vec<&str> = date.split(['/', '-', '.', '_', 'T']).collect();
    match parts[..] {
        [year, month, day, ..] if year.len() == 4 => format!("{year}-{month}-{day}"),
        [month, day, year, ..] => format!("{year}-{month}-{day}"),
        _ => date.to_owned(),
    }
}

/// The form of a date of birth in webhooks and in the answer to a create.
fn midnight(date: &str) -> String {
    format!("{date}T00:00:00.000Z")
}
