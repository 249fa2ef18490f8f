//! The account's users.

use serde_json::Value;

use super::{CannotSend, Profile, Request};
use crate::domain::User;
use crate::operations::{Response, text};

/// Read the users.
pub fn list_users(profile: &Profile) -> Result<Request, CannotSend> {
    profile.read("user.list", None)
}

/// The users in an answer to [`list_users`].
pub fn read_users(answer: &Response) -> Vec<User> {
    let items = answer.body.get("data").and_then(Value::as_array).into_iter().flatten();
    let read = |item: &Value| {
        let names = ["first_name", "last_name"].map(|key| text(item, key).unwrap_or_default());
        let name = text(item, "name").unwrap_or_else(|| names.join(" ").trim().to_owned());
        let email = text(item, "email").unwrap_or_default().to_lowercase();
        Some(User { id: text(item, "id")?, name, email })
    };
    items.filter_map(read).collect()
}
