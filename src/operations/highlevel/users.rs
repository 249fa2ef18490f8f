//! A location's users: `users.json`, scope `users.readonly`.

use serde_json::Value;

use super::{Effect, Method, Operation, Request, scopes};
use crate::domain::User;
use crate::operations::{Response, text};

const LIST: Operation =
    Operation::new("users.get-user-by-location", Method::Get, "/users/", Effect::Read, scopes::USERS_READ);

/// Read the users of a location.
pub fn list_users(location: &str) -> Request {
    LIST.request(&[]).query("locationId", location)
}

/// The users in an answer to [`list_users`].
pub fn read_users(answer: &Response) -> Vec<User> {
    let items = answer.body.get("users").and_then(Value::as_array).into_iter().flatten();
    let read = |item: &Value| {
        let email = text(item, "email").unwrap_or_default().to_lowercase();
        Some(User { id: text(item, "id")?, name: text(item, "name").unwrap_or_default(), email })
    };
    items.filter_map(read).collect()
}
