//! HighLevel's records, and the session in which one request or one person changes them.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::limits::Limits;
use super::oauth::OAuth;
use crate::twin::call::{Call, Reply};
use crate::twin::ids::Ids;
use crate::twin::ledger::{Effect, MadeBy, Vendor};
use crate::twin::server::Common;
use crate::twin::table::Table;

/// A record as its wire fields.
pub(super) type Record = Map<String, Value>;

/// A contact with what hangs on it.
#[derive(Debug, Default)]
pub(super) struct Contact {
    pub(super) fields: Record,
    pub(super) added: Timestamp,
    pub(super) tasks: Vec<Record>,
    pub(super) notes: Vec<Record>,
    pub(super) followers: Vec<String>,
    pub(super) opportunities: Vec<String>,
}

/// An opportunity with its time of making, which search lag needs.
#[derive(Debug, Default)]
pub(super) struct Opportunity {
    pub(super) fields: Record,
    pub(super) added: Timestamp,
    pub(super) followers: Vec<String>,
}

/// Everything in the location. Lists are in order of making.
#[derive(Debug)]
pub(super) struct State {
    pub(super) location: String,
    pub(super) company: String,
    pub(super) ids: Ids,
    pub(super) contacts: Table<Contact>,
    pub(super) by_email: HashMap<String, String>,
    pub(super) by_phone: HashMap<String, String>,
    pub(super) task_owner: HashMap<String, String>,
    pub(super) allows_duplicates: bool,
    /// Task webhooks name no contact and no body (HighLevel's issue 332).
    pub(super) has_bare_tasks: bool,
    pub(super) opportunities: Table<Opportunity>,
    pub(super) pipelines: Vec<Record>,
    pub(super) businesses: Vec<Record>,
    pub(super) custom_fields: Vec<Record>,
    pub(super) tags: Vec<Record>,
    pub(super) users: Vec<Record>,
    pub(super) calendars: Vec<Record>,
    pub(super) appointments: Table<Record>,
    pub(super) oauth: OAuth,
    pub(super) limits: Limits,
}

impl State {
    /// A location with one pipeline, two users, one calendar and no contacts.
    pub(super) fn new(location: &str, mut ids: Ids, is_unlimited: bool) -> Self {
        let company = ids.record();
        let stages: Vec<Value> = ["New lead", "In intake", "Signed", "Closed"]
            .iter()
            .enumerate()
            .map(|(position, name)| json!({"id": ids.uuid(), "name": name, "position": position}))
            .collect();
        let pipeline = object(json!({
            "id": ids.record(), "name": "Intake", "stages": stages, "showInFunnel": true,
            "showInPieChart": true, "locationId": location,
        }));
        let users = [("Irene", "Intake"), ("Paul", "Paralegal")]
            .into_iter()
            .map(|(first, last)| {
                object(json!({
                    "id": ids.record(), "name": format!("{first} {last}"), "firstName": first, "lastName": last,
                    "email": format!("{}@twin.example", first.to_lowercase()), "phone": "", "extension": "",
                    "permissions": {}, "roles": {"type": "account", "role": "user", "locationIds": [location]},
                    "deleted": false,
                }))
            })
            .collect();
        let calendar = object(json!({
            "id": ids.record(), "locationId": location, "name": "Consultations", "isActive": true,
            "calendarType": "event", "slotDuration": 30, "slotDurationUnit": "mins",
        }));
        Self {
            location: location.to_owned(),
            company,
            ids,
            contacts: Table::default(),
            by_email: HashMap::new(),
            by_phone: HashMap::new(),
            task_owner: HashMap::new(),
            allows_duplicates: false,
            has_bare_tasks: false,
            opportunities: Table::default(),
            pipelines: vec![pipeline],
            businesses: Vec::new(),
            custom_fields: Vec::new(),
            tags: Vec::new(),
            users,
            calendars: vec![calendar],
            appointments: Table::default(),
            oauth: OAuth::default(),
            limits: Limits::new(is_unlimited),
        }
    }

    /// The record of this id in a list.
    pub(super) fn find<'a>(list: &'a [Record], id: &str) -> Option<&'a Record> {
        list.iter().find(|record| record.get("id").and_then(Value::as_str) == Some(id))
    }
}

/// One change of the state: by whom, when, and what it causes outside.
pub(super) struct Session<'a> {
    pub(super) state: &'a mut State,
    pub(super) common: &'a Common,
    pub(super) now: Timestamp,
    pub(super) made_by: MadeBy,
    pub(super) idempotency_key: Option<String>,
    /// Searches hide what is younger than so many seconds.
    pub(super) lag: i64,
}

impl Session<'_> {
    /// The present moment as HighLevel writes it.
    pub(super) fn stamp(&self) -> String {
        format!("{:.3}", self.now)
    }

    /// Checks that a request names the token's own location.
    ///
    /// # Errors
    /// 403 in HighLevel's words.
    pub(super) fn location(&self, named: &str) -> Result<(), Reply> {
        if named == self.state.location {
            return Ok(());
        }
        Err(refusal(403, "The token does not have access to this location."))
    }

    /// Checks the location a query names.
    ///
    /// # Errors
    /// 422 when it names none, 403 when it names another.
    pub(super) fn query_location(&self, call: &Call, name: &str) -> Result<(), Reply> {
        let named = call.query(name).ok_or_else(|| refusal(422, &format!("{name} can't be undefined")))?;
        self.location(named)
    }

    /// True when a search already shows a record of this age.
    pub(super) fn is_searchable(&self, added: Timestamp) -> bool {
        self.now.as_millisecond() - added.as_millisecond() >= self.lag.saturating_mul(1000)
    }

    /// Writes an effect to the ledger.
    pub(super) fn effect(&self, operation: &'static str, record_id: &str, changed: bool) {
        self.common.ledger.add(Effect {
            sequence: 0,
            vendor: Vendor::HighLevel,
            operation,
            record_id: record_id.to_owned(),
            at: self.now,
            idempotency_key: self.idempotency_key.clone(),
            made_by: self.made_by,
            changed,
        });
    }

    /// Queues a webhook: these fields and the envelope of live deliveries.
    pub(super) fn webhook(&mut self, kind: &str, fields: Record) {
        let id = self.state.ids.uuid();
        let mut body = object(json!({"type": kind, "locationId": self.state.location}));
        body.extend(fields);
        body.insert("timestamp".into(), self.stamp().into());
        body.insert("webhookId".into(), id.as_str().into());
        body.insert("appId".into(), super::APP_ID.into());
        self.common.outbox.enqueue(kind, &id, &Value::Object(body));
    }
}

/// An error in HighLevel's shape.
pub(super) fn refusal(status: u16, message: &str) -> Reply {
    let error = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    // 422 is the one error whose message is a list (HighLevel's common schemas).
    let message = if status == 422 { json!([message]) } else { json!(message) };
    Reply::new(status, json!({"statusCode": status, "message": message, "error": error}))
}

/// The object of a `json!({…})`.
pub(super) fn object(value: Value) -> Record {
    match value {
        Value::Object(object) => object,
        _ => Record::new(),
    }
}

/// Some of a record's fields.
pub(super) fn pick(record: &Record, names: &[&str]) -> Record {
    names
        .iter()
        .filter_map(|name| record.get(*name).map(|value| ((*name).to_owned(), value.clone())))
        .collect()
}

/// A phone number as HighLevel keeps it: `+` and digits; a bare ten-digit number is taken for a US one.
pub(super) fn phone(written: &str) -> String {
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    match (written.trim_start().starts_with('+'), digits.len()) {
        (_, 0) => String::new(),
        (true, _) => format!("+{digits}"),
        (false, 10) => format!("+1{digits}"),
        (false, 11) if digits.starts_with('1') => format!("+{digits}"),
        _ => digits,
    }
}
