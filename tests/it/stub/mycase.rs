//! MyCase's Open API, from its documentation alone (`MYCASE.md`: base path, Link paging with `page_size`, `filter[…]`,
//! `field[client]`, PUT answered 204, errors as `{"errors":[{"description","source"}]}`, no ETag and no idempotency key).
//!
//! Strict readings: an unknown property is 422; ids are numbers; a page holds at most two records whatever is asked for.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use super::{Answer, Recorded, Server, lock, now};

/// The path of the base URL.
const BASE: &str = "/v1";
/// The most records of a page.
const PAGE: usize = 2;

const LEAD: &[&str] = &[
    "first_name",
    "last_name",
    "email",
    "cell_phone_number",
    "work_phone_number",
    "home_phone_number",
    "address",
    "lead_details",
    "birthdate",
    "referral_source_reference",
    "referred_by",
    "custom_field_values",
];
const CLIENT: &[&str] = &[
    "first_name",
    "last_name",
    "email",
    "cell_phone_number",
    "address",
    "birthdate",
    "people_group",
    "notes",
    "custom_field_values",
];
const TASK: &[&str] = &["name", "description", "priority", "due_date", "staff", "completed", "case"];
const NOTE: &[&str] = &["subject", "note", "date"];

/// One MyCase firm behind one access token.
#[derive(Debug)]
pub struct Stub {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    leads: Vec<Value>,
    clients: Vec<Value>,
    cases: Vec<Value>,
    tasks: Vec<Value>,
    notes: Vec<Value>,
    /// Carries the next create out and answers 503.
    loses_next_create: bool,
}

impl Stub {
    /// Starts a firm that accepts `token`.
    pub async fn start(token: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let token = format!("Bearer {token}");
        let server = Server::start(move |request| lock(&shared).answer(&token, request)).await;
        Self { server, state }
    }

    /// The base URL to configure.
    pub fn url(&self) -> String {
        format!("{}{BASE}", self.server.origin)
    }

    /// Requests that asked for a change and were granted it.
    pub fn writes(&self) -> usize {
        let is_write = |request: &Recorded| request.method != "GET" && request.status < 300;
        self.server.requests().iter().filter(|request| is_write(request)).count()
    }

    /// The leads, as the API shows them.
    pub fn leads(&self) -> Vec<Value> {
        lock(&self.state).leads.clone()
    }

    /// The clients, as the API shows them.
    pub fn clients(&self) -> Vec<Value> {
        lock(&self.state).clients.clone()
    }

    /// The tasks, as the API shows them.
    pub fn tasks(&self) -> Vec<Value> {
        lock(&self.state).tasks.clone()
    }

    /// The notes of every case.
    pub fn notes(&self) -> Vec<Value> {
        lock(&self.state).notes.clone()
    }

    /// A person enters a lead.
    pub fn add_lead(&self, fields: Value) -> String {
        lock(&self.state).add_lead(fields)["id"].to_string()
    }

    /// A person edits a lead.
    pub fn change_lead(&self, id: &str, fields: Value) {
        let mut state = lock(&self.state);
        let lead = state.leads.iter_mut().find(|lead| has_id(lead, id)).expect("a lead");
        merge(lead, &fields);
        lead["updated_at"] = now().into();
    }

    /// A person opens a case for a new client; its stage by name.
    pub fn add_case(&self, client: Value, stage: &str) -> String {
        let mut state = lock(&self.state);
        let client = state.stamped(client);
        let case = json!({ "name": format!("{} v. Twin", client["last_name"]), "case_stage": stage,
            "clients": [{ "id": client["id"] }], "practice_area": null, "case_number": "26-1" });
        state.clients.push(client);
        let case = state.stamped(case);
        state.cases.push(case.clone());
        case["id"].to_string()
    }

    /// A person moves a case to another stage.
    pub fn set_stage(&self, case: &str, stage: &str) {
        let mut state = lock(&self.state);
        let case = state.cases.iter_mut().find(|one| has_id(one, case)).expect("a case");
        case["case_stage"] = stage.into();
    }

    /// The next create is carried out, but its answer is lost on the way.
    pub fn lose_next_create(&self) {
        lock(&self.state).loses_next_create = true;
    }
}

impl State {
    fn answer(&mut self, token: &str, request: &Recorded) -> Answer {
        if request.header("authorization") != Some(token) {
            return refusal(401, "The access token is invalid", "authorization");
        }
        let is_json = request.header("content-type") == Some("application/json");
        if request.method != "GET" && !is_json {
            return refusal(400, "The body is not JSON", "content-type");
        }
        match (request.method.as_str(), &request.segments(BASE)[..]) {
            ("GET", ["me"]) => Answer::new(200, json!({ "id": 900, "first_name": "Irene" })),
            ("GET", ["leads"]) => self.list(request, "leads", &self.leads),
            ("GET", ["leads", id]) => found(&self.leads, id),
            ("POST", ["leads"]) => match checked(request, LEAD, &["first_name", "last_name"]) {
                Ok(fields) => {
                    let lead = self.add_lead(fields);
                    self.created(lead)
                }
                Err(refused) => refused,
            },
            ("PUT", ["leads", id]) => change(&mut self.leads, request, LEAD, id),
            ("PUT", ["clients", id]) => change(&mut self.clients, request, CLIENT, id),
            ("GET", ["cases", id]) => self.case(request, id),
            ("GET", ["cases", id, "notes"]) => {
                let notes: Vec<Value> =
                    self.notes.iter().filter(|note| has_id(&note["case"], id)).cloned().collect();
                self.list(request, &format!("cases/{id}/notes"), &notes)
            }
            ("POST", ["cases", id, "notes"]) => match checked(request, NOTE, &["subject", "note", "date"]) {
                Ok(mut fields) => {
                    fields["case"] = json!({ "id": id.parse::<u64>().unwrap_or_default() });
                    let note = self.stamped(fields);
                    self.notes.push(note.clone());
                    self.created(note)
                }
                Err(refused) => refused,
            },
            ("GET", ["tasks"]) => self.list(request, "tasks", &self.tasks),
            ("POST", ["tasks"]) => match checked(request, TASK, &["name", "priority", "due_date", "staff"]) {
                Ok(fields) => {
                    let task = self.stamped(fields);
                    self.tasks.push(task.clone());
                    self.created(task)
                }
                Err(refused) => refused,
            },
            ("PUT", ["tasks", id]) => change(&mut self.tasks, request, TASK, id),
            _ => refusal(404, "Not found", "path"),
        }
    }

    fn created(&mut self, record: Value) -> Answer {
        if std::mem::take(&mut self.loses_next_create) {
            return Answer::new(503, Value::Null);
        }
        Answer::new(201, record)
    }

    fn add_lead(&mut self, mut fields: Value) -> Value {
        fields["status"] = "New".into();
        fields["approved"] = false.into();
        let lead = self.stamped(fields);
        self.leads.push(lead.clone());
        lead
    }

    fn stamped(&mut self, mut fields: Value) -> Value {
        self.last_id += 1;
        fields["id"] = self.last_id.into();
        fields["created_at"] = now().into();
        fields["updated_at"] = now().into();
        fields
    }

    /// A case with its clients, whose fields show only when they are asked for.
    fn case(&self, request: &Recorded, id: &str) -> Answer {
        let mut answer = found(&self.cases, id);
        let Some(fields) = request.param("field[client]") else { return answer };
        for client in answer.body["clients"].as_array_mut().into_iter().flatten() {
            let whole = self.clients.iter().find(|one| one["id"] == client["id"]).expect("the case's client");
            for field in fields.split(',') {
                client[field] = whole[field].clone();
            }
        }
        answer
    }

    fn list(&self, request: &Recorded, path: &str, records: &[Value]) -> Answer {
        let mut kept: Vec<&Value> = records.iter().collect();
        for (name, value) in &request.query {
            let field = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']'));
            match (name.as_str(), field) {
                ("page_size" | "page_token", _) => {}
                (_, Some(field)) => kept.retain(|record| record[field].as_str() == Some(value)),
                _ => return refusal(400, "The parameter is not known", name),
            }
        }
        let start = request.param("page_token").and_then(|token| token.parse().ok()).unwrap_or(0);
        let page: Vec<Value> = kept.iter().skip(start).take(PAGE).copied().cloned().collect();
        let answer = Answer::new(200, page.into()).with("Item-Count", kept.len().to_string());
        if kept.len() <= start + PAGE {
            return answer;
        }
        let host = request.header("host").unwrap_or_default();
        let next = format!("<http://{host}{BASE}/{path}?page_token={}>; rel=\"next\"", start + PAGE);
        answer.with("Link", next)
    }
}

fn has_id(record: &Value, id: &str) -> bool {
    record["id"].as_u64().is_some_and(|number| id.parse() == Ok(number))
}

fn found(records: &[Value], id: &str) -> Answer {
    match records.iter().find(|record| has_id(record, id)) {
        Some(record) => Answer::new(200, record.clone()),
        None => refusal(404, "The record was not found", "id"),
    }
}

fn change(records: &mut [Value], request: &Recorded, known: &[&str], id: &str) -> Answer {
    let fields = match checked(request, known, &[]) {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    match records.iter_mut().find(|record| has_id(record, id)) {
        Some(record) => {
            merge(record, &fields);
            record["updated_at"] = now().into();
            Answer::new(204, Value::Null)
        }
        None => refusal(404, "The record was not found", "id"),
    }
}

fn checked(request: &Recorded, known: &[&str], required: &[&str]) -> Result<Value, Answer> {
    let Some(Value::Object(fields)) = request.body.clone() else {
        return Err(refusal(400, "The body is not an object", ""));
    };
    if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(refusal(422, "The property is not known", name));
    }
    let is_there =
        |name: &&&str| fields.get(**name).is_some_and(|value| !value.is_null() && *value != json!([]));
    if let Some(name) = required.iter().find(|name| !is_there(name)) {
        return Err(refusal(422, "The property is required", name));
    }
    if fields.get("staff").is_some_and(|staff| staff.pointer("/0/id").and_then(Value::as_u64).is_none()) {
        return Err(refusal(422, "Staff are listed by their ids", "staff"));
    }
    Ok(Value::Object(fields))
}

fn refusal(status: u16, description: &str, pointer: &str) -> Answer {
    let source = json!({ "pointer": format!("/{pointer}") });
    Answer::new(status, json!({ "errors": [{ "description": description, "source": source }] }))
}

fn merge(record: &mut Value, patch: &Value) {
    let empty = Map::new();
    for (name, value) in patch.as_object().unwrap_or(&empty) {
        if value.is_object() && record[name].is_object() {
            merge(&mut record[name], value);
        } else {
            record[name] = value.clone();
        }
    }
}
