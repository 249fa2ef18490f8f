//! The same account in another dialect, for a bridge whose profile is not the contract: JSON:API resources of its own
//! names, statuses and clients as relationships, a version in every change in place of an `ETag`, pages by `links.next`,
//! errors as `errors[]`. An operation is translated, carried out as the contract's, and its answer translated back.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::state::{Record, object, refusal};
use super::{Vendor, answered};
use crate::twin::call::{Call, Reply};
use crate::twin::faults::Fault;
use crate::twin::highlevel::Beside;
use crate::twin::server::{Api, Common};

/// Each kind's resource: the contract's path, the type, and the attributes with what they are in the contract.
const RESOURCES: [(&str, &str, Attributes); 4] =
    [("leads", "Lead", LEAD), ("cases", "Case", CASE), ("tasks", "Task", TASK), ("notes", "Note", NOTE)];
/// An attribute, and where its value lies in the contract.
type Attributes = &'static [(&'static str, &'static str)];
const LEAD: Attributes = &[
    ("external_id", "external_ref"),
    ("firstname", "client/first_name"),
    ("lastname", "client/last_name"),
    ("email", "client/email"),
    ("phone", "client/phone"),
    ("address", "client/address/line1"),
    ("city", "client/address/city"),
    ("state", "client/address/state"),
    ("zip", "client/address/zip"),
    ("casetype", "case_type"),
    ("source", "source/detail"),
    ("details", "summary"),
    ("created", "created_at"),
    ("modified", "updated_at"),
    ("lock_version", "version"),
];
const CASE: &[(&str, &str)] = &[
    ("case_name", "name"),
    ("retained", "retained_at"),
    ("modified", "updated_at"),
    ("lock_version", "version"),
];
const CLIENT: &[(&str, &str)] = &[
    ("firstname", "first_name"),
    ("lastname", "last_name"),
    ("email", "email"),
    ("phone", "phone"),
    ("address", "address/line1"),
    ("city", "address/city"),
    ("state", "address/state"),
    ("zip", "address/zip"),
];
const TASK: &[(&str, &str)] = &[
    ("subject", "title"),
    ("description", "body"),
    ("due", "due_at"),
    ("done", "completed"),
    ("external_id", "external_ref"),
    ("lock_version", "version"),
];
const NOTE: &[(&str, &str)] = &[("text", "body"), ("category", "category"), ("external_id", "external_ref")];

/// The dialect over an account.
#[derive(Debug)]
pub(in crate::twin) struct Dialect(pub(in crate::twin) Arc<Vendor>);

impl Beside for Dialect {
    fn fault(&self, fault: Fault) {
        self.0.fault(fault);
    }

    fn records(&self) -> Value {
        self.0.records()
    }
}

impl Api for Dialect {
    const BASE: &'static str = "/api/2";

    fn common(&self) -> &Common {
        self.0.common()
    }

    fn answer(&self, call: &Call, lag: i64) -> Reply {
        self.0.by_api(call, lag, |session| {
            let (kind, translated) = translate(call)?;
            let reply = answered(session, &translated).map_err(|refused| errors(&refused))?;
            Ok(in_dialect(kind, reply))
        })
    }

    fn refusal(&self, status: u16, message: &str) -> Reply {
        errors(&self.0.refusal(status, message))
    }

    fn revoke(&self, token: &str) {
        self.0.revoke(token);
    }

    fn expire(&self) {
        self.0.expire();
    }

    fn control(&self, _call: &Call) -> Option<Response> {
        None
    }
}

fn attributes_of(kind: &str) -> (&'static str, Attributes) {
    let found = RESOURCES.iter().find(|(path, ..)| *path == kind);
    found.map_or(("Client", CLIENT), |(_, name, attributes)| (*name, attributes))
}

/// The contract's call, and the kind of what it answers.
fn translate(call: &Call) -> Result<(String, Call), Reply> {
    let segments = call.segments();
    let kind = match segments[..] {
        [_, _, "notes"] => "notes",
        ["clients", ..] => "contacts",
        [kind, ..] => kind,
        [] => "",
    }
    .to_owned();
    let bad = |detail: &str| errors(&refusal(400, "malformed", detail));
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in &call.query {
        let name = match name.as_str() {
            "include" => continue,
            "filter[external_id]" => "external_ref",
            "filter[email]" => "email",
            "filter[phone]" => "phone",
            "page[cursor]" => "cursor",
            "page[size]" => "limit",
            other => return Err(bad(&format!("unknown parameter {other}"))),
        };
        query.push((name.to_owned(), value.clone()));
    }
    let mut headers = call.headers.clone();
    let mut body = Vec::new();
    if !call.body.is_empty() {
        if call.header("content-type") != Some("application/vnd.api+json") {
            return Err(errors(&refusal(415, "unsupported_media_type", "send application/vnd.api+json")));
        }
        let (type_name, attributes) = attributes_of(&kind);
        let document = call.json().unwrap_or_default();
        if document.pointer("/data/type").and_then(Value::as_str) != Some(type_name) {
            return Err(bad(&format!("data.type is not {type_name}")));
        }
        let mut fields = Value::Object(Map::new());
        for (name, value) in
            document.pointer("/data/attributes").and_then(Value::as_object).into_iter().flatten()
        {
            let Some((_, path)) = attributes.iter().find(|(known, _)| known == name) else {
                return Err(bad(&format!("{type_name} has no attribute {name}")));
            };
            if name == "lock_version" {
                let tag = format!("\"{}\"", value.as_str().unwrap_or_default());
                headers.insert("if-match", tag.parse().map_err(|_| bad("lock_version is not text"))?);
                continue;
            }
            put(&mut fields, path, value.clone());
        }
        for (name, value) in
            document.pointer("/data/relationships").and_then(Value::as_object).into_iter().flatten()
        {
            put(&mut fields, &format!("{name}_id"), value.pointer("/data/id").cloned().unwrap_or_default());
        }
        let changes_matter = call.method == axum::http::Method::PATCH && matches!(&*kind, "leads" | "cases");
        if changes_matter && !headers.contains_key("if-match") {
            return Err(bad("a change needs lock_version"));
        }
        body = fields.to_string().into_bytes();
    }
    let path = call.path.replacen("/clients/", "/contacts/", 1);
    Ok((kind, Call { method: call.method.clone(), path, query, headers, body: body.into() }))
}

/// A contract's answer as a document.
fn in_dialect(kind: String, reply: Reply) -> Reply {
    let mut included = Vec::new();
    let body = match reply.body.get("data").and_then(Value::as_array) {
        Some(records) => {
            let data: Vec<Value> =
                records.iter().map(|record| resource(&kind, record, &mut included)).collect();
            let next = reply.body.pointer("/page/next_cursor").and_then(Value::as_str);
            let next = next.map(|cursor| format!("/api/2/{kind}?page[cursor]={cursor}"));
            json!({ "data": data, "included": included, "links": { "next": next } })
        }
        None if reply.body.get("id").is_none() => reply.body.clone(),
        None => json!({ "data": resource(&kind, &reply.body, &mut included), "included": included }),
    };
    Reply { body, headers: Vec::new(), ..reply }
}

fn resource(kind: &str, record: &Value, included: &mut Vec<Value>) -> Value {
    let (type_name, attributes) = attributes_of(kind);
    let mut relationships = Map::new();
    let mut relate = |name: &str, type_name: &str, id: &Value, attributes: Option<Value>| {
        let identifier = json!({ "type": type_name, "id": id });
        let is_new = |one: &Value| one["type"] != identifier["type"] || one["id"] != identifier["id"];
        if let Some(attributes) = attributes.filter(|_| included.iter().all(is_new)) {
            included.push(json!({ "type": type_name, "id": id, "attributes": attributes }));
        }
        let data = if id.is_null() { Value::Null } else { identifier };
        relationships.insert(name.to_owned(), json!({ "data": data }));
    };
    if let Some(status) = record.get("status") {
        // A status is known by its name; its id is only to be unlike any other.
        relate(
            "casestatus",
            "CaseStatus",
            &json!(format!("status:{status}")),
            Some(json!({ "name": status })),
        );
        relate("case_manager", "Caseworker", &Value::Null, None);
    }
    if let Some(client) = record.get("client") {
        relate("client", "Client", &client["id"], Some(shown(CLIENT, client)));
    }
    for (name, field, type_name) in [("lead", "lead_id", "Lead"), ("case", "case_id", "Case")] {
        if let Some(id) = record.get(field) {
            relate(name, type_name, id, None);
        }
    }
    json!({ "type": type_name, "id": record["id"], "attributes": shown(attributes, record),
        "relationships": relationships })
}

fn shown(attributes: &[(&str, &str)], record: &Value) -> Value {
    let value = |path: &str| record.pointer(&format!("/{path}")).cloned().unwrap_or_default();
    attributes.iter().map(|(name, path)| ((*name).to_owned(), value(path))).collect::<Record>().into()
}

fn put(fields: &mut Value, path: &str, value: Value) {
    match path.split_once('/') {
        None => fields[path] = value,
        Some((name, rest)) => {
            if !fields[name].is_object() {
                fields[name] = object(json!({})).into();
            }
            put(&mut fields[name], rest, value);
        }
    }
}

/// A refusal as JSON:API writes one. A stale or missing version is a conflict there.
fn errors(refused: &Reply) -> Reply {
    let error = &refused.body["error"];
    let status = if matches!(refused.status, 412 | 428) { 409 } else { refused.status };
    let mut one = json!({ "status": status.to_string(), "code": error["code"], "detail": error["message"],
        "source": { "pointer": error.pointer("/fields/0/path") } });
    if let Some(existing) = refused.body.get("existing_id") {
        one["meta"] = json!({ "existing_id": existing });
    }
    Reply { status, body: json!({ "errors": [one] }), headers: refused.headers.clone() }
}
