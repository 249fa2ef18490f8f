//! The simulated HighLevel: its routes on one page.

mod admin;
mod appointments;
mod businesses;
mod consent;
mod contacts;
mod custom_fields;
mod limits;
mod locations;
mod notes;
mod oauth;
mod opportunities;
mod search;
mod state;
mod tags;
mod tasks;
mod ui;
mod validate;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::oauth::{Choice, OAuthCounts};
use self::state::{Session, State, refusal};
pub use self::ui::{HighLevel, NewContact, NewTask};
use super::call::{Answer, Call, Reply};
use super::faults::Fault;
use super::ids::Ids;
use super::ledger::MadeBy;
use super::server::{Api, Common};

/// The private integration token it accepts.
pub const PRIVATE_TOKEN: &str = "twin-token";
/// The client secret it accepts, with any client id.
pub const CLIENT_SECRET: &str = "twin-secret";
/// The Marketplace app whose webhooks it sends: what stands before the dash of that app's client ids.
pub const APP_ID: &str = "twinapp0000000000000000a";
/// The API versions it accepts: two of the official files, and the one HighLevel's own SDK sends.
const VERSIONS: [&str; 3] = ["2021-07-28", "2021-04-15", "2023-02-21"];

/// A running HighLevel: the state and what surrounds it.
#[derive(Debug)]
pub(super) struct Vendor {
    pub(super) common: Common,
    pub(super) location: String,
    pub(super) public_key: String,
    state: Mutex<State>,
    /// Asked for by the twin's own routes, which live on this port but tell about both vendors.
    pub(super) beside: Arc<dyn Beside>,
}

/// What the twin's own routes need of the other vendor.
pub(super) trait Beside: Send + Sync + std::fmt::Debug {
    /// Scripts a fault at the other vendor.
    fn fault(&self, fault: Fault);
    /// The other vendor's records.
    fn records(&self) -> Value;
}

impl Vendor {
    /// A HighLevel with its first records.
    pub(super) fn new(
        common: Common,
        location: &str,
        public_key: String,
        ids: Ids,
        is_unlimited: bool,
        beside: Arc<dyn Beside>,
    ) -> Self {
        let state = Mutex::new(State::new(location, ids, is_unlimited));
        Self { common, location: location.to_owned(), public_key, state, beside }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something as a person in HighLevel's own screens.
    fn by_hand<T>(&self, act: impl FnOnce(&mut Session<'_>) -> T) -> T {
        let mut state = self.lock();
        act(&mut Session {
            state: &mut state,
            common: &self.common,
            now: self.common.clock.now(),
            made_by: MadeBy::Ui,
            idempotency_key: None,
            lag: 0,
        })
    }
}

impl Api for Vendor {
    const BASE: &'static str = "";

    fn common(&self) -> &Common {
        &self.common
    }

    fn answer(&self, call: &Call, lag: i64) -> Reply {
        let now = self.common.clock.now();
        let mut state = self.lock();
        let mut session = Session {
            state: &mut state,
            common: &self.common,
            now,
            made_by: MadeBy::Api,
            idempotency_key: call.header("idempotency-key").map(str::to_owned),
            lag,
        };
        let reply = match public(&mut session, call) {
            Some(answer) => answer,
            None => private(&mut session, call, now),
        };
        let reply = state.limits.tell(reply.unwrap_or_else(|refused| refused), now);
        traced(reply, &mut state.ids)
    }

    fn refusal(&self, status: u16, message: &str) -> Reply {
        let mut state = self.lock();
        let message = match status {
            401 => "Invalid token: access token is invalid",
            _ => message,
        };
        let reply = state.limits.tell(refusal(status, message), self.common.clock.now());
        traced(reply, &mut state.ids)
    }

    fn revoke(&self, token: &str) {
        self.lock().oauth.revoke(token);
    }

    fn expire(&self) {
        self.lock().oauth.expire();
    }

    fn control(&self, call: &Call) -> Option<Response> {
        admin::answer(self, call)
    }
}

impl Vendor {
    /// Switches every API answer to 503, or back.
    pub(super) fn set_down(&self, is_down: bool) {
        self.common.is_down.store(is_down, Ordering::SeqCst);
    }
}

/// Every response carries a trace id (HighLevel's support asks for it).
fn traced(mut reply: Reply, ids: &mut Ids) -> Reply {
    if let Value::Object(body) = &mut reply.body {
        body.insert("traceId".into(), ids.uuid().into());
    }
    reply
}

/// The routes that need no token.
fn public(session: &mut Session<'_>, call: &Call) -> Option<Answer> {
    Some(match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["oauth", "chooselocation"] | ["v2", "oauth", "chooselocation"]) => {
            oauth::choose(session, call)
        }
        ("POST", ["oauth", "token"]) => oauth::token(session, call),
        ("POST", ["oauth", "reconnect"]) => oauth::reconnect(session, call),
        _ => return None,
    })
}

/// The routes that need a token and a version.
fn private(session: &mut Session<'_>, call: &Call, now: Timestamp) -> Answer {
    session.state.oauth.check(call, now)?;
    session.state.limits.take(now)?;
    let segments = call.segments();
    match call.header("version") {
        None => return Err(refusal(401, "version header was not found.")),
        Some(version) if !VERSIONS.contains(&version) => {
            return Err(refusal(401, "version header is invalid"));
        }
        Some(_) => {}
    }
    let method = call.method.as_str();
    match (method, &segments[..]) {
        (_, ["contacts", rest @ ..]) => contact_routes(session, call, method, rest),
        (_, ["opportunities", rest @ ..]) => opportunity_routes(session, call, method, rest),
        (_, ["locations", location, rest @ ..]) => {
            session.location(location)?;
            location_routes(session, call, method, rest)
        }
        (_, ["calendars", rest @ ..]) => calendar_routes(session, call, method, rest),
        ("GET", ["businesses"]) => businesses::list(session, call),
        ("POST", ["businesses"]) => businesses::create(session, call),
        ("GET" | "PUT" | "DELETE", ["businesses", id]) => businesses::one(session, call, id),
        ("GET", ["users"] | ["users", "search"]) => locations::users(session, call),
        ("GET", ["users", id]) => locations::user(session, id),
        ("GET", ["campaigns"]) => Ok(Reply::ok(json!({"campaigns": []}))),
        ("GET", ["workflows"]) => Ok(Reply::ok(json!({"workflows": []}))),
        ("POST", ["oauth", "locationToken"]) => oauth::location_token(session, call),
        ("GET", ["oauth", "installedLocations"]) => oauth::installed(session, call),
        _ => Err(unknown(call)),
    }
}

fn contact_routes(session: &mut Session<'_>, call: &Call, method: &str, segments: &[&str]) -> Answer {
    match (method, segments) {
        ("GET", []) => search::list(session, call),
        ("POST", []) => contacts::create(session, call),
        ("POST", ["upsert"]) => contacts::upsert(session, call),
        ("POST", ["search"]) => search::search(session, call),
        ("GET", ["search", "duplicate"]) => search::duplicate(session, call),
        ("GET", ["business", id]) => search::by_business(session, call, id),
        ("POST", ["bulk", "business"]) => contacts::bulk_business(session, call),
        ("POST", ["bulk", "tags", "update", kind @ ("add" | "remove")]) => {
            tags::bulk(session, call, *kind == "add")
        }
        ("GET", [id]) => contacts::get(session, id),
        ("PUT", [id]) => contacts::update(session, call, id),
        ("DELETE", [id]) => contacts::delete(session, id),
        ("POST" | "DELETE", [id, "tags"]) => tags::on_contact(session, call, id, method == "POST"),
        ("POST" | "DELETE", [id, "followers"]) => contacts::followers(session, call, id, method == "POST"),
        ("GET", [id, "appointments"]) => appointments::of_contact(session, id),
        ("GET", [id, "tasks"]) => tasks::list(session, id),
        ("POST", [id, "tasks"]) => tasks::create(session, call, id),
        ("GET", [id, "tasks", task]) => tasks::get(session, id, task),
        ("PUT", [id, "tasks", task]) => tasks::update(session, call, id, task),
        ("PUT", [id, "tasks", task, "completed"]) => tasks::complete(session, call, id, task),
        ("DELETE", [id, "tasks", task]) => tasks::delete(session, id, task),
        ("GET", [id, "notes"]) => notes::list(session, id),
        ("POST", [id, "notes"]) => notes::create(session, call, id),
        ("GET", [id, "notes", note]) => notes::get(session, id, note),
        ("PUT", [id, "notes", note]) => notes::update(session, call, id, note),
        ("DELETE", [id, "notes", note]) => notes::delete(session, id, note),
        ("POST", [id, "campaigns", _]) => contacts::enrol(session, id, "contact.campaign.add", 201),
        ("DELETE", [id, "campaigns", _]) => contacts::enrol(session, id, "contact.campaign.remove", 200),
        ("POST", [id, "workflow", _]) => contacts::enrol(session, id, "contact.workflow.add", 200),
        ("DELETE", [id, "workflow", _]) => contacts::enrol(session, id, "contact.workflow.remove", 200),
        _ => Err(unknown(call)),
    }
}

fn opportunity_routes(session: &mut Session<'_>, call: &Call, method: &str, segments: &[&str]) -> Answer {
    match (method, segments) {
        ("POST", []) => opportunities::create(session, call),
        ("POST", ["upsert"]) => opportunities::upsert(session, call),
        ("GET" | "POST", ["search"]) => opportunities::search(session, call),
        ("GET", ["pipelines"]) => opportunities::pipelines(session, call),
        ("GET", ["lost-reason"]) => opportunities::lost_reasons(session, call),
        ("GET", [id]) => opportunities::get(session, id),
        ("PUT", [id]) => opportunities::update(session, call, id),
        ("DELETE", [id]) => opportunities::delete(session, id),
        ("PUT", [id, "status"]) => opportunities::status(session, call, id),
        ("POST" | "DELETE", [id, "followers"]) => {
            opportunities::followers(session, call, id, method == "POST")
        }
        _ => Err(unknown(call)),
    }
}

fn location_routes(session: &mut Session<'_>, call: &Call, method: &str, segments: &[&str]) -> Answer {
    match (method, segments) {
        ("GET", []) => locations::get(session),
        ("GET", ["tags"]) => tags::list(session),
        ("POST", ["tags"]) => tags::create(session, call),
        ("GET" | "PUT" | "DELETE", ["tags", id]) => tags::one(session, call, id),
        ("GET", ["customFields"]) => custom_fields::list(session, call),
        ("POST", ["customFields"]) => custom_fields::create(session, call),
        ("GET" | "PUT" | "DELETE", ["customFields", id]) => custom_fields::one(session, call, id),
        ("POST", ["tasks", "search"]) => tasks::search(session, call),
        _ => Err(unknown(call)),
    }
}

fn calendar_routes(session: &mut Session<'_>, call: &Call, method: &str, segments: &[&str]) -> Answer {
    match (method, segments) {
        ("GET", []) => appointments::calendars(session, call),
        ("GET", ["events"]) => appointments::events(session, call),
        ("POST", ["events", "appointments"]) => appointments::create(session, call),
        ("GET", ["events", "appointments", id]) => appointments::get(session, id),
        ("PUT", ["events", "appointments", id]) => appointments::update(session, call, id),
        ("DELETE", ["events", id]) => appointments::delete(session, id),
        ("GET", [id]) => appointments::calendar(session, id),
        _ => Err(unknown(call)),
    }
}

fn unknown(call: &Call) -> Reply {
    refusal(404, &format!("Cannot {} {}", call.method, call.path))
}
