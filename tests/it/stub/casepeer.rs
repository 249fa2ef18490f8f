//! CASEpeer, as part A of our published contract ("casepeer-contract v1") describes it.
//!
//! Readings taken where the contract leaves a choice: the four headers that "every request carries" are demanded;
//! `POST /leads` demands an `Idempotency-Key`; `PATCH` of a lead, case or contact demands `If-Match` (428), of a task
//! only honours it; a replay answers 200; `PATCH` merges objects; unnamed fields and query parameters are refused; a
//! task or note of a lead stays the lead's after conversion; a page may be shorter than the limit asked for.

mod api;
mod records;

use std::sync::{Arc, Mutex};

use casebridge::clock::{Clock, SystemClock};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use self::records::Kind;
use self::records::State;
use super::{Change, Recorded, Server, lock, now, text};

/// The path of the contract's base URL. Only requests below it are known.
const BASE: &str = "/api/v1";
/// The account that every webhook names.
const ACCOUNT: &str = "firm-1";

/// One CASEpeer account behind one bearer token.
#[derive(Debug)]
pub struct Stub {
    server: Server,
    base_url: String,
    state: Arc<Mutex<State>>,
    inbound_token: String,
    secret: Vec<u8>,
    client: reqwest::Client,
}

impl Stub {
    /// Starts an account that accepts `token`, and sends its webhooks to the URL with `inbound_token`, signed with
    /// `webhook_secret`.
    pub async fn start(token: &str, inbound_token: &str, webhook_secret: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let token = token.to_owned();
        let server = Server::start(move |request| api::answer(&mut lock(&shared), &token, request)).await;
        Self {
            base_url: format!("{}{BASE}", server.origin),
            server,
            state,
            inbound_token: inbound_token.to_owned(),
            secret: webhook_secret.as_bytes().to_vec(),
            client: reqwest::Client::new(),
        }
    }

    /// The base URL to configure; it has a path, and the operations' paths are appended to it.
    pub fn url(&self) -> &str {
        &self.base_url
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// The requests that asked for a change.
    pub fn writes(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.method != "GET").collect()
    }

    /// Pages hold at most this many records, whatever limit is asked for.
    pub fn limit_pages(&self, records: usize) {
        lock(&self.state).page_limit = Some(records);
    }

    /// All leads, oldest first.
    pub fn leads(&self) -> Vec<Value> {
        lock(&self.state).all(Kind::Lead)
    }

    /// All cases, oldest first.
    pub fn cases(&self) -> Vec<Value> {
        lock(&self.state).all(Kind::Case)
    }

    /// All contacts (clients), oldest first.
    pub fn contacts(&self) -> Vec<Value> {
        lock(&self.state).all(Kind::Contact)
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> Vec<Value> {
        lock(&self.state).all(Kind::Task)
    }

    /// All notes, oldest first.
    pub fn notes(&self) -> Vec<Value> {
        lock(&self.state).all(Kind::Note)
    }

    /// Webhooks about the API's own writes since the last call.
    pub fn take_echoes(&self) -> Vec<Value> {
        std::mem::take(&mut lock(&self.state).echoes)
    }

    /// A person enters a lead (the contract's lead, at least `client`).
    pub fn add_lead(&self, fields: Value) -> Change {
        self.add(Kind::Lead, fields, "lead.created")
    }

    /// A person edits a lead or its client.
    pub fn change_lead(&self, id: &str, fields: Value) -> Change {
        let lead = lock(&self.state).update(Kind::Lead, id, &fields);
        change("lead.updated", Kind::Lead, lead, None)
    }

    /// A lead signs: it gets a case, which starts in the status `Treating`.
    pub fn convert(&self, lead: &str) -> Change {
        let case = lock(&self.state).convert(lead);
        change("case.created", Kind::Case, case, None)
    }

    /// A person moves a case to another status.
    pub fn set_status(&self, case: &str, status: &str) -> Change {
        let mut state = lock(&self.state);
        let before = state.get(Kind::Case, case).expect("a case that exists")["status"].clone();
        let case = state.update(Kind::Case, case, &json!({ "status": status }));
        change("case.status_changed", Kind::Case, case, Some(before))
    }

    /// A person adds a task (`lead_id` or `case_id`, `title`, …).
    pub fn add_task(&self, fields: Value) -> Change {
        self.add(Kind::Task, fields, "task.created")
    }

    /// A person ticks a task off.
    pub fn complete_task(&self, id: &str) -> Change {
        let task = lock(&self.state).update(Kind::Task, id, &json!({ "completed": true }));
        change("task.completed", Kind::Task, task, None)
    }

    /// A person writes a note (`lead_id` or `case_id`, `body`, `category`, …).
    pub fn add_note(&self, fields: Value) -> Change {
        self.add(Kind::Note, fields, "note.created")
    }

    /// Stamps, signs and sends a webhook. Each call is a fresh attempt; sent twice, it is a redelivery.
    pub async fn deliver(&self, bridge_url: &str, body: &Value) -> reqwest::Response {
        let bytes = serde_json::to_vec(body).expect("JSON");
        let timestamp = SystemClock.now().as_second().to_string();
        self.client
            .post(format!("{}/webhooks/casepeer/{}", bridge_url.trim_end_matches('/'), self.inbound_token))
            .header("Content-Type", "application/json")
            .header("X-Casepeer-Event", text(body, "type"))
            .header("X-Casepeer-Delivery", text(body, "id"))
            .header("X-Casepeer-Signature", self.signature(&timestamp, &bytes))
            .header("X-Casepeer-Timestamp", timestamp)
            .body(bytes)
            .send()
            .await
            .expect("a bridge that answers")
    }

    fn add(&self, kind: Kind, fields: Value, event: &str) -> Change {
        let record = lock(&self.state).create(kind, &fields);
        change(event, kind, record, None)
    }

    /// `sha256=<hex HMAC-SHA256(secret, timestamp + "." + raw body)>`, from the contract's words.
    fn signature(&self, timestamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length");
        mac.update(&[timestamp.as_bytes(), b".", body].concat());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256={hex}")
    }
}

fn change(event: &str, kind: Kind, record: Value, previous_status: Option<Value>) -> Change {
    Change { id: text(&record, "id").to_owned(), webhook: envelope(event, kind, record, previous_status) }
}

/// The contract's envelope around the full record.
fn envelope(event: &str, kind: Kind, record: Value, previous_status: Option<Value>) -> Value {
    let mut envelope = json!({ "id": format!("evt_{}", uuid::Uuid::now_v7().simple()), "type": event, "version": "1",
        "occurred_at": now(), "account_id": ACCOUNT, "data": { kind.name(): record } });
    if let Some(status) = previous_status {
        envelope["previous"] = json!({ "status": status });
    }
    envelope
}
