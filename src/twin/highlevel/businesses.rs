//! Businesses. Their answers spell the word "buiseness" where HighLevel's official file does.

use serde_json::{Value, json};

use super::state::{Record, Session, State, object, refusal};
use super::validate::{self, Kind, Property, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

const SHARED: [Property; 9] = [
    may("phone", Kind::Text),
    may("email", Kind::Text),
    may("website", Kind::Text),
    may("address", Kind::Text),
    may("city", Kind::Text),
    may("postalCode", Kind::Text),
    may("state", Kind::Text),
    may("country", Kind::Text),
    may("description", Kind::Text),
];

/// `GET /businesses/`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    let number = |name: &str, default| call.query(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    let page: Vec<&Record> =
        session.state.businesses.iter().skip(number("skip", 0)).take(number("limit", 100)).collect();
    Ok(Reply::ok(json!({"businesses": page})))
}

/// `POST /businesses/`.
pub(super) fn create(session: &mut Session<'_>, call: &Call) -> Answer {
    let body = checked(call, &[must("name", Kind::Text), must("locationId", Kind::Text)])?;
    session.location(text(&body, "locationId"))?;
    let id = add(session, &body);
    let business = State::find(&session.state.businesses, &id).cloned();
    Ok(Reply::created(json!({"success": true, "buiseness": business})))
}

/// `GET`, `PUT` and `DELETE /businesses/{businessId}`.
pub(super) fn one(session: &mut Session<'_>, call: &Call, id: &str) -> Answer {
    let found = session.state.businesses.iter().position(|business| text(business, "id") == id);
    let position = found.ok_or_else(|| refusal(404, "Business not found"))?;
    match call.method.as_str() {
        "PUT" => {
            let body = checked(call, &[may("name", Kind::Text)])?;
            let now = session.stamp();
            let business = &mut session.state.businesses[position];
            let before = business.clone();
            business.extend(body);
            let changed = *business != before;
            if changed {
                business.insert("updatedAt".into(), now.into());
            }
            let business = business.clone();
            session.effect("business.update", id, changed);
            Ok(Reply::ok(json!({"success": true, "buiseness": business})))
        }
        "DELETE" => {
            session.state.businesses.remove(position);
            session.effect("business.delete", id, true);
            Ok(Reply::ok(json!({"success": true})))
        }
        _ => Ok(Reply::ok(json!({"business": session.state.businesses[position]}))),
    }
}

/// Makes a business.
pub(super) fn add(session: &mut Session<'_>, body: &Record) -> String {
    let id = session.state.ids.record();
    let now = session.stamp();
    let mut business = object(json!({"id": id, "createdAt": now, "updatedAt": now}));
    business.extend(body.clone());
    business.insert("locationId".into(), Value::from(session.state.location.as_str()));
    session.state.businesses.push(business);
    session.effect("business.create", &id, true);
    id
}

fn checked(call: &Call, more: &[Property]) -> Result<Record, Reply> {
    let properties: Vec<Property> =
        SHARED.iter().chain(more).map(|property| Property { ..*property }).collect();
    validate::body(call, &properties)
}
