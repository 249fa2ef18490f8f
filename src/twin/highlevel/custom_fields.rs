//! The location's custom fields, and their values on contacts and opportunities.

use serde_json::{Value, json};

use super::state::{Record, Session, State, object, refusal};
use super::validate::{self, Kind, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

/// `GET /locations/{locationId}/customFields`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    let model = call.query("model").unwrap_or("all");
    let fields: Vec<&Record> = session
        .state
        .custom_fields
        .iter()
        .filter(|field| model == "all" || text(field, "model") == model)
        .collect();
    Ok(Reply::ok(json!({"customFields": fields})))
}

/// `POST /locations/{locationId}/customFields`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let properties = [
        must("name", Kind::Text),
        must("dataType", Kind::Text),
        may("placeholder", Kind::Text),
        may("acceptedFormat", Kind::Texts),
        may("isMultipleFile", Kind::Flag),
        may("maxNumberOfFiles", Kind::Number),
        may("textBoxListOptions", Kind::Any),
        may("options", Kind::Texts),
        may("position", Kind::Number),
        may("model", Kind::Text),
    ];
    let body = validate::body(call, &properties)?;
    let model = if text(&body, "model") == "opportunity" { "opportunity" } else { "contact" };
    let name = text(&body, "name").to_owned();
    let id = add(session, &key_of(&name), &name, text(&body, "dataType"), model);
    let field = State::find(&session.state.custom_fields, &id).cloned();
    Ok(Reply::created(json!({"customField": field})))
}

/// `GET`, `PUT` and `DELETE /locations/{locationId}/customFields/{id}`.
pub(super) fn one(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let found = session.state.custom_fields.iter().position(|field| text(field, "id") == id);
    let position = found.ok_or_else(|| refusal(404, "Custom field not found"))?;
    match call.method.as_str() {
        "PUT" => {
            let body = object(call.json().unwrap_or_default());
            if let Some(name) = body.get("name").filter(|name| name.is_string()) {
                session.state.custom_fields[position].insert("name".into(), name.clone());
            }
            session.effect("custom_field.update", id, true);
        }
        "DELETE" => {
            session.state.custom_fields.remove(position);
            session.effect("custom_field.delete", id, true);
            return Ok(Reply::ok(json!({"succeded": true})));
        }
        _ => {}
    }
    Ok(Reply::ok(json!({"customField": session.state.custom_fields[position]})))
}

/// Makes a custom field. The key is given without its model.
pub(super) fn add(session: &mut Session<'_>, key: &str, name: &str, data_type: &str, model: &str) -> String {
    let id = session.state.ids.record();
    let key = key.split_once('.').map_or(key, |(_, key)| key);
    let position = session.state.custom_fields.len() * 50;
    session.state.custom_fields.push(object(json!({
        "id": id, "name": name, "fieldKey": format!("{model}.{key}"), "dataType": data_type, "placeholder": "",
        "position": position, "picklistOptions": [], "locationId": session.state.location, "model": model,
    })));
    session.effect("custom_field.create", &id, true);
    id
}

/// Merges values given as `{id|key, field_value|value|fieldValue}` into those kept as `{id, value}`.
/// What names no field of the location is dropped, as HighLevel does (issue 20474 of n8n).
pub(super) fn merge(session: &Session<'_>, kept: Option<&Value>, given: &[Value]) -> Value {
    let mut kept: Vec<Value> = kept.and_then(Value::as_array).cloned().unwrap_or_default();
    for item in given {
        let Some(id) = resolve(session, item) else { continue };
        let value = ["field_value", "value", "fieldValue"].iter().find_map(|name| item.get(*name)).cloned();
        let value = value.unwrap_or_default();
        let position = kept.iter().position(|held| held["id"] == id.as_str());
        let is_empty = value.is_null() || value == "";
        match (position, is_empty) {
            (Some(position), true) => {
                kept.remove(position);
            }
            (Some(position), false) => kept[position]["value"] = value,
            (None, false) => kept.push(json!({"id": id, "value": value})),
            (None, true) => {}
        }
    }
    Value::Array(kept)
}

fn resolve(session: &Session<'_>, item: &Value) -> Option<String> {
    let named = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (id, key) = (named("id"), named("key"));
    let field = session.state.custom_fields.iter().find(|field| {
        let whole = text(field, "fieldKey");
        let short = whole.split_once('.').map_or(whole, |(_, key)| key);
        match id {
            Some(id) => text(field, "id") == id,
            None => key.is_some_and(|key| key == whole || key == short),
        }
    })?;
    Some(text(field, "id").to_owned())
}

fn key_of(name: &str) -> String {
    name.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}
