//! The three searches. The official file leaves the body of `POST /contacts/search` empty; its properties come from
//! HighLevel's published description of the filters.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stub::{Recorded, same_phone, text};

const PROPERTIES: [&str; 7] = ["locationId", "pageLimit", "page", "searchAfter", "filters", "sort", "query"];
const MOST_A_PAGE: u64 = 500;
/// Beyond this many records only `searchAfter` goes on.
const MOST_BY_PAGE_NUMBER: u64 = 10_000;

/// A search for contacts, read and checked.
pub(super) struct Search {
    pub(super) location: String,
    limit: usize,
    page: usize,
    after: Option<Value>,
    filters: Vec<Value>,
    sort: Vec<(String, bool)>,
    query: String,
}

impl Search {
    /// Reads the body, or says everything that is wrong with it.
    pub(super) fn read(body: &Value) -> Result<Self, Vec<String>> {
        let mut complaints: Vec<String> = body
            .as_object()
            .into_iter()
            .flat_map(|body| body.keys())
            .filter(|name| !PROPERTIES.contains(&name.as_str()))
            .map(|name| format!("property {name} should not exist"))
            .collect();
        let limit = body["pageLimit"].as_u64().unwrap_or_default();
        if !(1..=MOST_A_PAGE).contains(&limit) {
            complaints.push(format!("pageLimit must be a number from 1 to {MOST_A_PAGE}"));
        }
        if text(body, "locationId").is_empty() {
            complaints.push("locationId should not be empty".to_owned());
        }
        let page = body["page"].as_u64().unwrap_or(1).max(1);
        if page * limit > MOST_BY_PAGE_NUMBER {
            complaints.push("use searchAfter beyond 10000 records".to_owned());
        }
        if text(body, "query").chars().count() > 75 {
            complaints.push("query must be at most 75 characters".to_owned());
        }
        let filters = body["filters"].as_array().cloned().unwrap_or_default();
        complaints.extend(filters.iter().filter_map(|filter| check(filter).err()));
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let sort = body["sort"].as_array().into_iter().flatten();
        let mut sort: Vec<_> =
            sort.map(|key| (text(key, "field").to_owned(), text(key, "direction") == "desc")).collect();
        sort.push(("dateAdded".to_owned(), true));
        sort.push(("id".to_owned(), true));
        Ok(Self {
            location: text(body, "locationId").to_owned(),
            limit: usize::try_from(limit).expect("checked above"),
            page: usize::try_from(page).expect("checked above"),
            after: body["searchAfter"].as_array().and_then(|cursor| cursor.last().cloned()),
            filters,
            sort,
            query: text(body, "query").to_lowercase(),
        })
    }

    /// One page of hits, and how many there are in all.
    pub(super) fn run<'a>(&self, contacts: &'a [Value]) -> (Vec<&'a Value>, usize) {
        let mut hits: Vec<&Value> = contacts
            .iter()
            .filter(|contact| self.filters.iter().all(|filter| matches(filter, contact)))
            .filter(|contact| {
                let fields = ["name", "email", "phone", "companyName"];
                fields.iter().any(|field| text(contact, field).to_lowercase().contains(&self.query))
            })
            .collect();
        hits.sort_by(|left, right| self.order(left, right));
        let total = hits.len();
        let skipped = match &self.after {
            Some(id) => hits.iter().position(|hit| hit["id"] == *id).map_or(total, |at| at + 1),
            None => (self.page - 1) * self.limit,
        };
        (hits.into_iter().skip(skipped).take(self.limit).collect(), total)
    }

    /// What continues the search after this hit.
    pub(super) fn cursor(&self, hit: &Value) -> Value {
        json!([hit[&self.sort[0].0], hit["id"]])
    }

    fn order(&self, left: &Value, right: &Value) -> Ordering {
        let by = |(field, is_descending): &(String, bool)| {
            let order = compare(&left[field], &right[field]);
            if *is_descending { order.reverse() } else { order }
        };
        self.sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn check(filter: &Value) -> Result<(), String> {
    if let Some(group) = filter["group"].as_str() {
        if !["AND", "OR"].contains(&group) {
            return Err(format!("group {group} is neither AND nor OR"));
        }
        return filter["filters"].as_array().into_iter().flatten().try_for_each(check);
    }
    let operators = ["eq", "not_eq", "contains", "not_contains", "exists", "not_exists", "range"];
    if !operators.contains(&text(filter, "operator")) || text(filter, "field").is_empty() {
        return Err(format!("not a filter: {filter}"));
    }
    Ok(())
}

fn matches(filter: &Value, contact: &Value) -> bool {
    let inner = || filter["filters"].as_array().into_iter().flatten();
    match filter["group"].as_str() {
        Some("OR") => return inner().any(|filter| matches(filter, contact)),
        Some(_) => return inner().all(|filter| matches(filter, contact)),
        None => {}
    }
    let name = text(filter, "field");
    let held = match name.strip_prefix("customFields.") {
        Some(id) => custom_field(contact, id),
        None => &contact[name],
    };
    let wanted = &filter["value"];
    match text(filter, "operator") {
        "eq" => equal(name, held, wanted),
        "not_eq" => !equal(name, held, wanted),
        "contains" => contains(held, wanted),
        "not_contains" => !contains(held, wanted),
        "exists" => !held.is_null(),
        "not_exists" => held.is_null(),
        _ => [
            ("gt", false, Ordering::Greater),
            ("gte", true, Ordering::Greater),
            ("lt", false, Ordering::Less),
            ("lte", true, Ordering::Less),
        ]
        .into_iter()
        .filter(|(bound, ..)| !wanted[bound].is_null())
        .all(|(bound, is_inclusive, side)| {
            let order = compare(held, &wanted[bound]);
            order == side || (is_inclusive && order.is_eq())
        }),
    }
}

fn custom_field<'a>(contact: &'a Value, id: &str) -> &'a Value {
    let fields = contact["customFields"].as_array().into_iter().flatten();
    fields.into_iter().find(|field| field["id"] == id).map_or(&Value::Null, |field| &field["value"])
}

fn equal(name: &str, held: &Value, wanted: &Value) -> bool {
    match (held, wanted) {
        (_, Value::Array(choices)) => choices.iter().any(|choice| equal(name, held, choice)),
        (Value::Array(values), _) => values.contains(wanted),
        (Value::String(held), Value::String(wanted)) if name == "phone" => same_phone(held, wanted),
        (Value::String(held), Value::String(wanted)) => held.to_lowercase() == wanted.to_lowercase(),
        _ => held == wanted,
    }
}

fn contains(held: &Value, wanted: &Value) -> bool {
    let wanted = wanted.as_str().unwrap_or_default().to_lowercase();
    match held {
        Value::Array(values) => values.iter().any(|value| contains(value, &wanted.as_str().into())),
        _ => held.as_str().is_some_and(|held| held.to_lowercase().contains(&wanted)),
    }
}

/// Orders moments, whether written as text or as milliseconds; anything else as text.
fn compare(left: &Value, right: &Value) -> Ordering {
    let moment = |value: &Value| {
        value.as_i64().or_else(|| value.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond))
    };
    match (moment(left), moment(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.as_str().cmp(&right.as_str()),
    }
}

/// The tasks that a location's task search asks for.
pub(super) fn tasks<'a>(tasks: &'a [Value], body: &Value) -> impl Iterator<Item = &'a Value> {
    let is_among = |list: &Value, value: &Value| list.as_array().is_none_or(|list| list.contains(value));
    let found: Vec<&Value> = tasks
        .iter()
        .filter(|task| is_among(&body["contactId"], &task["contactId"]))
        .filter(|task| is_among(&body["assignedTo"], &task["assignedTo"]))
        .filter(|task| body["completed"].is_null() || task["completed"] == body["completed"])
        .filter(|task| text(task, "title").to_lowercase().contains(&text(body, "query").to_lowercase()))
        .collect();
    let number =
        |name: &str, default| body[name].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    found.into_iter().skip(number("skip", 0)).take(number("limit", 25))
}

/// The opportunities that a search by query (GET) or by body (POST) asks for.
pub(super) fn opportunities<'a>(records: &'a [Value], request: &Recorded) -> impl Iterator<Item = &'a Value> {
    let is = |record: &Value, field: &str, param: &str| {
        request.param(param).is_none_or(|value| record[field] == value)
    };
    let query = request.param("q").or(request.field("query").as_str()).unwrap_or_default().to_lowercase();
    records.iter().filter(move |record| {
        is(record, "id", "id")
            && is(record, "contactId", "contact_id")
            && is(record, "pipelineId", "pipeline_id")
            && is(record, "pipelineStageId", "pipeline_stage_id")
            && is(record, "assignedTo", "assigned_to")
            && (request.param("status") == Some("all") || is(record, "status", "status"))
            && text(record, "name").to_lowercase().contains(&query)
    })
}

/// The page and its size that an opportunity search asks for.
pub(super) fn page(request: &Recorded) -> (usize, usize) {
    let number = |name: &str, default| {
        let in_body = || request.field(name).as_u64().and_then(|number| usize::try_from(number).ok());
        request.param(name).and_then(|number| number.parse().ok()).or_else(in_body).unwrap_or(default).max(1)
    };
    (number("page", 1), number("limit", 20))
}
