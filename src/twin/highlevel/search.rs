//! Finding contacts: the search, the duplicate lookup, the deprecated list and a business's contacts.

use serde_json::{Map, Value, json};

use super::contacts::{matching, show, shown};
use super::state::{Contact, Record, Session, object, phone, refusal};
use super::validate::{self, Kind, may, must};
use crate::twin::call::{Answer, Call, Reply, text};

/// Beyond it `searchAfter` must be used (HighLevel's search guide).
const MOST_BY_PAGE: usize = 10_000;

/// `POST /contacts/search`.
pub(super) fn search(session: &mut Session<'_>, call: &Call) -> Answer {
    let properties = [
        must("locationId", Kind::Text),
        must("pageLimit", Kind::Number),
        may("page", Kind::Number),
        may("searchAfter", Kind::Any),
        may("filters", Kind::Objects),
        may("sort", Kind::Objects),
        may("query", Kind::Text),
    ];
    let body = validate::body(call, &properties)?;
    session.location(text(&body, "locationId"))?;
    let number = |name: &str| body.get(name).and_then(Value::as_u64).map(|number| number as usize);
    let limit = number("pageLimit").unwrap_or(20);
    if limit == 0 || limit > 500 {
        return Err(refusal(422, "pageLimit must not be greater than 500"));
    }
    let skip = number("page").unwrap_or(1).saturating_sub(1).saturating_mul(limit);
    if skip.saturating_add(limit) > MOST_BY_PAGE {
        return Err(refusal(400, "page * pageLimit must not exceed 10000, use searchAfter"));
    }
    let filters = body.get("filters").and_then(Value::as_array).cloned().unwrap_or_default();
    let query = text(&body, "query").to_lowercase();
    let mut hits: Vec<&Contact> = Vec::new();
    for contact in session.state.contacts.iter().rev().filter(|c| session.is_searchable(c.added)) {
        let mut fits = mentions(contact, &query);
        for filter in &filters {
            fits = fits && filter_fits(contact, filter)?;
        }
        if fits {
            hits.push(contact);
        }
    }
    sort(&mut hits, &body);
    let total = hits.len();
    let after = body.get("searchAfter").and_then(Value::as_array).and_then(|after| after.last()?.as_str());
    let start = match after {
        // Where the contact has gone meanwhile nothing is left to go on from.
        Some(after) => hits.iter().position(|c| text(&c.fields, "id") == after).map_or(total, |at| at + 1),
        None => skip,
    };
    let contacts: Vec<Value> = hits.into_iter().skip(start).take(limit).map(hit).collect();
    Ok(Reply::ok(json!({"contacts": contacts, "total": total})))
}

/// `GET /contacts/search/duplicate`.
pub(super) fn duplicate(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    let mut wanted = Map::new();
    // `+` means a space in a query; a phone number that lost its plus sign this way is not found at HighLevel either.
    for (name, parameter) in [("email", "email"), ("phone", "number")] {
        if let Some(value) = call.query(parameter) {
            wanted.insert(name.into(), value.into());
        }
    }
    let found = matching(session, &wanted).map_or(Value::Null, |(id, _)| shown(session, &id));
    Ok(Reply::ok(json!({"contact": found})))
}

/// `GET /contacts/` (deprecated): oldest first, continued by `startAfterId`.
pub(super) fn list(session: &mut Session<'_>, call: &Call) -> Answer {
    session.query_location(call, "locationId")?;
    let limit = limit(call, 20, 100)?;
    let query = call.query("query").unwrap_or_default().to_lowercase();
    let hits: Vec<&Contact> = session
        .state
        .contacts
        .iter()
        .filter(|contact| session.is_searchable(contact.added) && mentions(contact, &query))
        .collect();
    let start = call.query("startAfterId").map_or(0, |after| {
        hits.iter().position(|contact| text(&contact.fields, "id") == after).map_or(hits.len(), |at| at + 1)
    });
    let total = hits.len();
    let page: Vec<&Contact> = hits.into_iter().skip(start).take(limit).collect();
    let last = page.last().filter(|_| start + page.len() < total);
    let meta = json!({
        "total": total,
        "startAfterId": last.map(|contact| contact.fields["id"].clone()),
        "startAfter": last.map(|contact| contact.added.as_millisecond()),
    });
    let contacts: Vec<Value> = page.into_iter().map(show).collect();
    Ok(Reply::ok(json!({"contacts": contacts, "count": total, "meta": meta})))
}

/// `GET /contacts/business/{businessId}`.
pub(super) fn by_business(session: &mut Session<'_>, call: &Call, business: &str) -> Answer {
    session.query_location(call, "locationId")?;
    let limit = limit(call, 25, 100)?;
    let skip = call.query("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let query = call.query("query").unwrap_or_default().to_lowercase();
    let hits: Vec<&Contact> = session
        .state
        .contacts
        .iter()
        .filter(|contact| text(&contact.fields, "businessId") == business && mentions(contact, &query))
        .collect();
    let count = hits.len();
    let contacts: Vec<Value> = hits.into_iter().skip(skip).take(limit).map(show).collect();
    Ok(Reply::ok(json!({"contacts": contacts, "count": count})))
}

/// The query's `limit`.
///
/// # Errors
/// 422 when it is no number or over the most.
pub(super) fn limit(call: &Call, default: usize, most: usize) -> Result<usize, Reply> {
    let Some(limit) = call.query("limit") else { return Ok(default) };
    match limit.parse() {
        Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(refusal(422, &format!("limit must not be greater than {most}"))),
    }
}

fn hit(contact: &Contact) -> Value {
    let mut fields = object(show(contact));
    // Dates first, id last: what the next page's `searchAfter` takes.
    let after = json!([contact.added.as_millisecond(), fields["id"]]);
    fields.insert("searchAfter".into(), after);
    Value::Object(fields)
}

fn mentions(contact: &Contact, query: &str) -> bool {
    query.is_empty()
        || ["name", "email", "phone", "companyName"]
            .iter()
            .any(|name| text(&contact.fields, name).to_lowercase().contains(query))
        || contact.fields.get("tags").is_some_and(|tags| tags.to_string().to_lowercase().contains(query))
}

fn sort(hits: &mut [&Contact], body: &Record) {
    let Some(Value::Object(first)) = body.get("sort").and_then(|sort| sort.get(0)) else { return };
    let field = text(first, "field");
    // Both dates are ISO texts of one length: their order as texts is their order in time.
    // Each is looked up once: a bench reads long lists page by page.
    let mut dated: Vec<(&str, &Contact)> = hits.iter().map(|hit| (text(&hit.fields, field), *hit)).collect();
    dated.sort_by_key(|(date, _)| *date);
    for (hit, (_, sorted)) in hits.iter_mut().zip(dated) {
        *hit = sorted;
    }
    if text(first, "direction") != "asc" {
        hits.reverse();
    }
}

fn filter_fits(contact: &Contact, filter: &Value) -> Result<bool, Reply> {
    if let Some(group) = filter.get("group").and_then(Value::as_str) {
        let parts = filter.get("filters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut results = parts.iter().map(|part| filter_fits(contact, part));
        return if group.eq_ignore_ascii_case("OR") {
            results.try_fold(false, |any, fits| Ok(fits? || any))
        } else {
            results.try_fold(true, |all, fits| Ok(fits? && all))
        };
    }
    let field = filter.get("field").and_then(Value::as_str).unwrap_or_default();
    let wanted = filter.get("value").unwrap_or(&Value::Null);
    let held = value_of(contact, field);
    let is_there = held.as_ref().is_some_and(|value| !value.is_null() && *value != "" && *value != json!([]));
    let equals = |wanted: &Value| held.as_ref().is_some_and(|held| same(field, held, wanted));
    let contains = || {
        let wanted = lower(wanted);
        held.as_ref().is_some_and(|held| match held {
            Value::Array(items) => items.iter().any(|item| lower(item).contains(&wanted)),
            held => lower(held).contains(&wanted),
        })
    };
    Ok(match filter.get("operator").and_then(Value::as_str).unwrap_or("eq") {
        "eq" => wanted.as_array().map_or_else(|| equals(wanted), |any| any.iter().any(equals)),
        "not_eq" => !wanted.as_array().map_or_else(|| equals(wanted), |any| any.iter().any(equals)),
        "contains" => contains(),
        "not_contains" => !contains(),
        "exists" => is_there,
        "not_exists" => !is_there,
        "range" => held.is_some_and(|held| in_range(&held, wanted)),
        other => return Err(refusal(400, &format!("Invalid operator {other}"))),
    })
}

fn value_of(contact: &Contact, field: &str) -> Option<Value> {
    if let Some(id) = field.strip_prefix("customFields.") {
        let values = contact.fields.get("customFields")?.as_array()?;
        return values.iter().find(|value| value["id"] == id).map(|value| value["value"].clone());
    }
    let name = match field {
        "firstNameLowerCase" => "firstName",
        "lastNameLowerCase" => "lastName",
        "contactName" => "name",
        other => other,
    };
    contact.fields.get(name).cloned()
}

fn same(field: &str, held: &Value, wanted: &Value) -> bool {
    match held {
        Value::Array(items) => items.iter().any(|item| lower(item) == lower(wanted)),
        Value::String(number) if field == "phone" => *number == phone(wanted.as_str().unwrap_or_default()),
        held => lower(held) == lower(wanted),
    }
}

fn in_range(held: &Value, range: &Value) -> bool {
    let moment = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text
            .parse::<jiff::Timestamp>()
            .map(|moment| moment.as_millisecond() as f64)
            .ok()
            .or_else(|| text.parse().ok()),
        _ => None,
    };
    let Some(held) = moment(held) else { return false };
    let bound = |name: &str| range.get(name).and_then(moment);
    bound("gte").is_none_or(|bound| held >= bound)
        && bound("gt").is_none_or(|bound| held > bound)
        && bound("lte").is_none_or(|bound| held <= bound)
        && bound("lt").is_none_or(|bound| held < bound)
}

fn lower(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_lowercase)
}
