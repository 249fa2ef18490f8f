//! Businesses: `businesses.json`, scopes `businesses.readonly` and `businesses.write`; and the contacts under them:
//! `contacts.json`, scope `contacts.write`.

use serde_json::{Value, json};

use super::{Effect, Method, Operation, Request, scopes};
use crate::operations::{Response, text};

const LIST: Operation = Operation::new(
    "businesses.get-businesses-by-location",
    Method::Get,
    "/businesses/",
    Effect::Read,
    scopes::BUSINESSES_READ,
);
const CREATE: Operation = Operation::new(
    "businesses.create-business",
    Method::Post,
    "/businesses/",
    Effect::Create,
    scopes::BUSINESSES_WRITE,
);
const JOIN: Operation = Operation::new(
    "contacts.add-remove-contact-from-business",
    Method::Post,
    "/contacts/bulk/business",
    Effect::Idempotent,
    scopes::CONTACTS_WRITE,
);

/// How many businesses a page has.
pub const BUSINESS_PAGE: usize = 100;

/// Read a page of a location's businesses, counted from 0.
pub fn list_businesses(location: &str, page: usize) -> Request {
    let request = LIST.request(&[]).query("locationId", location).query("limit", BUSINESS_PAGE.to_string());
    request.query("skip", (page * BUSINESS_PAGE).to_string())
}

/// The businesses in an answer to [`list_businesses`]: ids and names.
pub fn read_businesses(answer: &Response) -> Vec<(String, String)> {
    let items = answer.body.get("businesses").and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| Some((text(item, "id")?, text(item, "name")?))).collect()
}

/// Create a business.
pub fn create_business(location: &str, name: &str) -> Request {
    CREATE.request(&[]).json(json!({ "locationId": location, "name": name }))
}

/// Put a contact under a business.
pub fn join_business(location: &str, contact: &str, business: &str) -> Request {
    JOIN.request(&[]).json(json!({ "locationId": location, "ids": [contact], "businessId": business }))
}
