//! The operations: one recorded request in, one answer out.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::records::{Done, Kind, State};
use super::{ACCOUNT, BASE, envelope};
use crate::stub::{Answer, Recorded, same_phone, text};

/// The contract's upper bound on a page.
const MOST_A_PAGE: usize = 100;
/// A page when no limit is asked for.
const A_PAGE: usize = 25;

const PRIORITIES: [&str; 4] = ["low", "regular", "medium", "urgent"];

type Outcome = Result<Answer, Answer>;

/// Answers a request; an error repeats the request's id.
pub(super) fn answer(state: &mut State, token: &str, request: &Recorded) -> Answer {
    let mut answer = checked(token, request)
        .and_then(|()| if request.method == "POST" { once(state, request) } else { route(state, request) })
        .unwrap_or_else(|refusal| refusal);
    if answer.body["error"].is_object() {
        answer.body["error"]["request_id"] = request.header("x-request-id").into();
    }
    answer
}

fn checked(token: &str, request: &Recorded) -> Result<(), Answer> {
    for name in ["authorization", "accept", "user-agent", "x-request-id"] {
        if request.header(name).is_none_or(str::is_empty) {
            let status = if name == "authorization" { 401 } else { 400 };
            return Err(error(status, "missing_header", &format!("every request carries {name}")));
        }
    }
    if request.header("authorization") != Some(&format!("Bearer {token}")) {
        return Err(error(401, "unauthorized", "unknown token"));
    }
    if !request.bytes.is_empty() && !request.body.as_ref().is_some_and(Value::is_object) {
        return Err(error(400, "invalid_json", "the body must be a JSON object"));
    }
    Ok(())
}

/// A POST under an idempotency key takes effect once.
fn once(state: &mut State, request: &Recorded) -> Outcome {
    let Some(key) = request.header("idempotency-key") else { return route(state, request) };
    if let Some(done) = state.done.iter().find(|done| done.key == key) {
        return if done.path == request.path && done.body == request.body {
            Ok(Answer { status: 200, ..done.answer.clone() })
        } else {
            Err(error(422, "idempotency_mismatch", "this key was used for another request"))
        };
    }
    let answer = route(state, request)?;
    state.done.push(Done {
        key: key.to_owned(),
        path: request.path.clone(),
        body: request.body.clone(),
        answer: answer.clone(),
    });
    Ok(answer)
}

fn route(state: &mut State, request: &Recorded) -> Outcome {
    let segments = request.segments(BASE);
    let method = request.method.as_str();
    match segments[..] {
        ["me"] if method == "GET" => {
            Ok(Answer::new(200, json!({ "id": "U-1", "name": "Bridge", "account_id": ACCOUNT })))
        }
        ["users"] if method == "GET" => choices(&["Uma Intake", "Carl Case-Manager"], "U"),
        ["case-statuses"] if method == "GET" => {
            choices(&["Intake", "Treating", "Settled", "Turned down"], "S")
        }
        ["case-types"] if method == "GET" => choices(&["Auto Accident", "Slip and Fall"], "Y"),
        ["lead-sources"] if method == "GET" => choices(&["Internet", "Referral"], "R"),
        [parent, id, "notes", ref rest @ ..] => notes(state, request, parent, id, rest),
        ["notes", id] if method == "GET" => one(state, Kind::Note, id),
        [collection] => {
            let kind = Kind::of_path(collection).ok_or_else(not_found)?;
            match method {
                "GET" => list(state, request, kind, |_| true),
                // A case is made by converting a lead.
                "POST" if kind != Kind::Case => create(state, request, kind, json!({})),
                _ => Err(not_allowed()),
            }
        }
        [collection, id] => {
            let kind = Kind::of_path(collection).ok_or_else(not_found)?;
            match method {
                "GET" => one(state, kind, id),
                "PATCH" => update(state, request, kind, id),
                _ => Err(not_allowed()),
            }
        }
        _ => Err(not_found()),
    }
}

fn choices(names: &[&str], letter: &str) -> Outcome {
    let data: Vec<Value> = names
        .iter()
        .zip(1..)
        .map(|(name, number)| json!({ "id": format!("{letter}-{number}"), "name": name }))
        .collect();
    Ok(Answer::new(200, json!({ "data": data, "page": { "next_cursor": null } })))
}

fn notes(state: &mut State, request: &Recorded, parent: &str, id: &str, rest: &[&str]) -> Outcome {
    let kind =
        Kind::of_path(parent).filter(|kind| [Kind::Lead, Kind::Case].contains(kind)).ok_or_else(not_found)?;
    state.get(kind, id).ok_or_else(not_found)?;
    let owner = format!("{}_id", kind.name());
    match (request.method.as_str(), rest) {
        ("GET", []) => list(state, request, Kind::Note, |note| note[&owner] == id),
        ("GET", [note]) => one(state, Kind::Note, note),
        ("POST", []) => create(state, request, Kind::Note, json!({ owner: id })),
        _ => Err(not_allowed()),
    }
}

fn one(state: &State, kind: Kind, id: &str) -> Outcome {
    state.get(kind, id).map(|record| with_etag(200, record)).ok_or_else(not_found)
}

fn create(state: &mut State, request: &Recorded, kind: Kind, from_path: Value) -> Outcome {
    if kind == Kind::Lead && request.header("idempotency-key").is_none() {
        return Err(error(400, "idempotency_key_required", "POST /leads carries an Idempotency-Key"));
    }
    let mut fields = request.body.clone().unwrap_or_else(|| json!({}));
    for (name, value) in from_path.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    let mut complaints = Vec::new();
    check_names(&kind.blank(), &fields, "", &mut complaints);
    check_values(state, &fields, &mut complaints);
    check_required(kind, &fields, &mut complaints);
    if !complaints.is_empty() {
        return Err(invalid(complaints));
    }
    let reference = &fields["external_ref"];
    let same = |record: &Value| !reference.is_null() && record["external_ref"] == *reference;
    if let Some(existing) = state.all(kind).into_iter().find(same) {
        let mut refusal = error(409, "duplicate", "a record with this external_ref exists");
        refusal.body["existing_id"] = existing["id"].clone();
        return Err(refusal);
    }
    let record = state.create(kind, &fields);
    let event = match kind {
        Kind::Lead => Some("lead.created"),
        Kind::Task => Some("task.created"),
        Kind::Note => Some("note.created"),
        Kind::Case | Kind::Contact => None,
    };
    state.echoes.extend(event.map(|event| envelope(event, kind, record.clone(), None)));
    Ok(with_etag(201, record))
}

fn update(state: &mut State, request: &Recorded, kind: Kind, id: &str) -> Outcome {
    let before = state.get(kind, id).ok_or_else(not_found)?;
    match request.header("if-match") {
        Some(etag) if etag == etag_of(&before) => {}
        Some(_) => return Err(error(412, "stale", "the record has changed since that version")),
        None if kind == Kind::Task => {}
        None => return Err(error(428, "if_match_required", "send the ETag you have seen")),
    }
    let fields = request.body.clone().unwrap_or_else(|| json!({}));
    let mut complaints = Vec::new();
    check_names(&kind.blank(), &fields, "", &mut complaints);
    check_values(state, &fields, &mut complaints);
    if !complaints.is_empty() {
        return Err(invalid(complaints));
    }
    let after = state.update(kind, id, &fields);
    let (event, previous) = match kind {
        Kind::Lead => (Some("lead.updated"), None),
        Kind::Case if after["status"] != before["status"] => {
            (Some("case.status_changed"), Some(before["status"].clone()))
        }
        Kind::Contact => (Some("contact.updated"), None),
        Kind::Task if after["completed"] == true && before["completed"] != true => {
            (Some("task.completed"), None)
        }
        _ => (None, None),
    };
    state.echoes.extend(event.map(|event| envelope(event, kind, after.clone(), previous)));
    Ok(with_etag(200, after))
}

fn list(state: &State, request: &Recorded, kind: Kind, is_inside: impl Fn(&Value) -> bool) -> Outcome {
    let filters: &[&str] = match kind {
        Kind::Lead | Kind::Contact => &["external_ref", "email", "phone"],
        Kind::Case => &["external_ref", "email", "phone", "contact_id", "lead_id"],
        Kind::Task => &["lead_id", "case_id", "external_ref"],
        Kind::Note => &["external_ref"],
    };
    for (name, _) in &request.query {
        if !filters.contains(&name.as_str()) && !["updated_since", "cursor", "limit"].contains(&name.as_str())
        {
            return Err(error(400, "unknown_parameter", name));
        }
    }
    let since = match request.param("updated_since").map(str::parse::<Timestamp>) {
        Some(Err(_)) => return Err(error(400, "invalid_parameter", "updated_since")),
        Some(Ok(since)) => Some(since),
        None => None,
    };
    let limit: usize = request.param("limit").map_or(Ok(A_PAGE), str::parse).unwrap_or_default();
    if !(1..=MOST_A_PAGE).contains(&limit) {
        return Err(error(400, "invalid_parameter", "limit"));
    }
    let limit = limit.min(state.page_limit.unwrap_or(limit));
    let mut records = state.all(kind);
    records.retain(|record| {
        is_inside(record)
            && filters.iter().all(|name| request.param(name).is_none_or(|value| matches(record, name, value)))
            && since.is_none_or(|since| {
                text(record, "updated_at").parse::<Timestamp>().is_ok_and(|at| at >= since)
            })
    });
    records.sort_by_key(position);
    if let Some(cursor) = request.param("cursor") {
        let after = hex::decode(cursor).map_err(|_| error(400, "invalid_parameter", "cursor"))?;
        records.retain(|record| position(record).into_bytes() > after);
    }
    let next = (records.len() > limit).then(|| hex::encode(position(&records[limit - 1])));
    records.truncate(limit);
    Ok(Answer::new(200, json!({ "data": records, "page": { "next_cursor": next } })))
}

/// Where a record stands in a list: by `updated_at`, then `id`.
fn position(record: &Value) -> String {
    format!("{} {}", text(record, "updated_at"), text(record, "id"))
}

fn matches(record: &Value, name: &str, value: &str) -> bool {
    let person = if record["client"].is_null() { record } else { &record["client"] };
    match name {
        "email" => text(person, "email").eq_ignore_ascii_case(value),
        "phone" => same_phone(value, text(person, "phone")),
        "contact_id" => record["client"]["id"] == value,
        _ => record[name] == value,
    }
}

/// Every field named in the request must be one that the contract names.
fn check_names(known: &Value, given: &Value, at: &str, complaints: &mut Vec<(String, &'static str)>) {
    for (name, value) in given.as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match known.get(name) {
            None => complaints.push((path, "unknown")),
            Some(Value::Object(inside)) => match value {
                Value::Object(_) if inside.is_empty() => {}
                Value::Object(_) => check_names(&known[name], value, &path, complaints),
                _ => complaints.push((path, "not_an_object")),
            },
            Some(Value::Bool(_)) if !value.is_boolean() => complaints.push((path, "not_a_boolean")),
            Some(Value::Null | Value::String(_)) if !(value.is_string() || value.is_null()) => {
                complaints.push((path, "not_text"));
            }
            Some(_) => {}
        }
    }
}

/// Dates, priorities and references to other records.
fn check_values(state: &State, fields: &Value, complaints: &mut Vec<(String, &'static str)>) {
    let mut check = |path: &str, code, is_right: &dyn Fn(&str) -> bool| {
        let value = fields.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_str);
        if !value.is_none_or(is_right) {
            complaints.push((path.to_owned(), code));
        }
    };
    for date in ["date_of_loss", "statute_date", "date_of_birth", "client.date_of_birth"] {
        check(date, "not_a_date", &|value| value.len() == 10 && value.parse::<Date>().is_ok());
    }
    for moment in ["due_at", "occurred_at", "retained_at", "closed_at"] {
        check(moment, "not_a_utc_timestamp", &|value| {
            value.ends_with('Z') && value.parse::<Timestamp>().is_ok()
        });
    }
    check("priority", "not_a_priority", &|value| PRIORITIES.contains(&value));
    check("lead_id", "not_found", &|id| state.get(Kind::Lead, id).is_some());
    check("case_id", "not_found", &|id| state.get(Kind::Case, id).is_some());
    check("client.id", "not_found", &|id| state.get(Kind::Contact, id).is_some());
}

fn check_required(kind: Kind, fields: &Value, complaints: &mut Vec<(String, &'static str)>) {
    let is_given = |path: &str| {
        let value = fields.pointer(&format!("/{}", path.replace('.', "/")));
        value.and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    };
    let alternatives: &[&[&str]] = match kind {
        Kind::Lead if is_given("client.id") => &[],
        Kind::Lead => &[&["client.first_name"], &["client.last_name"], &["client.phone", "client.email"]],
        Kind::Contact => &[&["first_name"], &["last_name"], &["phone", "email"]],
        Kind::Task => &[&["title"], &["lead_id", "case_id"]],
        Kind::Note => &[&["body"]],
        Kind::Case => &[],
    };
    let missing = alternatives.iter().filter(|paths| !paths.iter().any(|path| is_given(path)));
    complaints.extend(missing.map(|paths| (paths.join("|"), "required")));
}

fn with_etag(status: u16, record: Value) -> Answer {
    let etag = etag_of(&record);
    Answer::new(status, record).with("ETag", etag)
}

fn etag_of(record: &Value) -> String {
    format!("\"{}\"", text(record, "version"))
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status, json!({ "error": { "code": code, "message": message, "fields": [] } }))
}

fn invalid(complaints: Vec<(String, &'static str)>) -> Answer {
    let fields: Vec<Value> =
        complaints.into_iter().map(|(path, code)| json!({ "path": path, "code": code })).collect();
    let mut answer = error(422, "invalid", "some fields are wrong");
    answer.body["error"]["fields"] = fields.into();
    answer
}

fn not_found() -> Answer {
    error(404, "not_found", "no such record")
}

fn not_allowed() -> Answer {
    error(405, "method_not_allowed", "not for this path")
}
