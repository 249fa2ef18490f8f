//! The location itself, and its users.

use serde_json::json;

use super::state::{Record, Session, State, refusal};
use crate::twin::call::{Answer, Call, Reply, text};

/// `GET /locations/{locationId}`.
pub(super) fn get(session: &mut Session<'_>) -> Answer {
    Ok(Reply::ok(json!({"location": {
        "id": session.state.location, "companyId": session.state.company, "name": "Twin Injury Law",
        "address": "1 Main Street", "city": "Springfield", "state": "CA", "country": "US",
        "postalCode": "90001", "website": "https://twin.example", "timezone": "America/Los_Angeles",
        "email": "office@twin.example", "phone": "+15550100000",
        "settings": {"allowDuplicateContact": session.state.allows_duplicates},
    }})))
}

/// `GET /users/` and `GET /users/search`.
pub(super) fn users(session: &mut Session<'_>, call: &Call) -> Answer {
    let query = call.query("query").unwrap_or_default().to_lowercase();
    if let Some(location) = call.query("locationId") {
        session.location(location)?;
    }
    let users: Vec<&Record> = session
        .state
        .users
        .iter()
        .filter(|user| {
            text(user, "name").to_lowercase().contains(&query) || text(user, "email").contains(&query)
        })
        .collect();
    Ok(Reply::ok(json!({"count": users.len(), "users": users})))
}

/// `GET /users/{userId}`: the one resource that HighLevel answers without an envelope.
pub(super) fn user(session: &mut Session<'_>, id: &str) -> Answer {
    let user = State::find(&session.state.users, id).ok_or_else(|| refusal(404, "User not found"))?;
    Ok(Reply::ok(json!(user)))
}
