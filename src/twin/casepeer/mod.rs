//! The simulated CASEpeer side, speaking the published contract v1: its routes on one page.
//! Beside it, on ports of their own, stand a JSON:API dialect and a Zapier-like hook, for firms that have another API
//! or none.

mod auth;
mod cases;
mod contacts;
mod idempotency;
pub(super) mod jsonapi;
mod leads;
mod lists;
mod notes;
mod state;
mod tasks;
mod ui;
mod validate;
mod webhooks;
pub(super) mod zap;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use serde_json::{Value, json};

pub use self::auth::AccountCounts;
use self::state::{Kind, Session, State, refusal};
pub use self::ui::{CasePeer, NewCase, NewLead, NewNote, NewTask};
use super::call::{Answer, Call, Reply};
use super::faults::Fault;
use super::highlevel::Beside;
use super::ids::Ids;
use super::ledger::MadeBy;
use super::server::{Api, Common};

/// The bearer token it accepts.
pub const TOKEN: &str = "twin-token";
/// The OAuth client it knows.
pub const CLIENT_ID: &str = "twin-client";
/// That client's secret.
pub const CLIENT_SECRET: &str = "twin-secret";
/// The account its events name.
pub const ACCOUNT: &str = "firm-1";
/// The id of the receiver that the twin's configuration names.
pub(super) const BRIDGE: &str = "bridge";
/// The events a webhook may ask for.
const EVENTS: [&str; 8] = [
    "lead.created",
    "lead.updated",
    "case.created",
    "case.status_changed",
    "task.created",
    "task.completed",
    "note.created",
    "contact.updated",
];

/// A running CASEpeer side: the state and what surrounds it.
#[derive(Debug)]
pub(super) struct Vendor {
    pub(super) common: Common,
    state: Mutex<State>,
}

impl Vendor {
    /// An account without records.
    pub(super) fn new(common: Common, ids: Ids) -> Self {
        Self { common, state: Mutex::new(State::new(ids)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what a call of the account's API asks for.
    fn by_api(&self, call: &Call, lag: i64, act: impl FnOnce(&mut Session<'_>) -> Answer) -> Reply {
        let mut state = self.lock();
        let mut session = Session {
            state: &mut state,
            common: &self.common,
            now: self.common.clock.now(),
            made_by: MadeBy::Api,
            idempotency_key: call.header("idempotency-key").map(str::to_owned),
            lag,
        };
        let reply = act(&mut session).unwrap_or_else(|refused| refused);
        let id = call.header("x-request-id").map_or_else(|| state.ids.uuid(), str::to_owned);
        traced(reply, &id)
    }

    /// Does something as a person in CASEpeer's own screens.
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

impl Beside for Vendor {
    fn fault(&self, fault: Fault) {
        self.common.faults().add(fault);
    }

    fn records(&self) -> Value {
        self.by_hand(|session| {
            let of = |kind| -> Vec<Value> {
                session.state.tables.table(kind).iter().map(|record| session.show(record)).collect()
            };
            json!({
                "leads": of(Kind::Lead), "cases": of(Kind::Case), "contacts": of(Kind::Contact),
                "tasks": of(Kind::Task), "notes": of(Kind::Note),
            })
        })
    }
}

impl Api for Vendor {
    const BASE: &'static str = "/api/v1";

    fn common(&self) -> &Common {
        &self.common
    }

    fn answer(&self, call: &Call, lag: i64) -> Reply {
        self.by_api(call, lag, |session| answered(session, call))
    }

    fn refusal(&self, status: u16, message: &str) -> Reply {
        let code = match status {
            401 => "unauthorized",
            403 => "forbidden",
            422 => "validation_failed",
            429 => "rate_limited",
            503 => "unavailable",
            _ => "scripted_fault",
        };
        let id = self.lock().ids.uuid();
        traced(refusal(status, code, message), &id)
    }

    fn revoke(&self, token: &str) {
        self.lock().auth.revoke(token);
    }

    fn expire(&self) {
        self.lock().auth.expire();
    }

    fn control(&self, _call: &Call) -> Option<Response> {
        None
    }
}

fn traced(mut reply: Reply, id: &str) -> Reply {
    if let Some(request_id) = reply.body.pointer_mut("/error/request_id") {
        *request_id = id.into();
    }
    reply.with("x-request-id", id)
}

fn answered(session: &mut Session<'_>, call: &Call) -> Answer {
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["oauth", "authorize"]) => return auth::authorize(session, call),
        ("POST", ["oauth", "token"]) => return auth::token(session, call),
        _ => {}
    }
    session.state.auth.check(call, session.now)?;
    if let Some(replay) = session.state.keys.replay(call) {
        return replay;
    }
    let reply = routes(session, call)?;
    session.state.keys.remember(call, &reply);
    Ok(reply)
}

fn routes(session: &mut Session<'_>, call: &Call) -> Answer {
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["me"]) => Ok(Reply::ok(json!({
            "account_id": ACCOUNT, "name": "Twin Injury Law", "user": {"id": "U-1", "email": "irene@twin.example"},
        }))),
        ("GET", ["leads"]) => leads::list(session, call),
        ("POST", ["leads"]) => leads::create(session, call),
        ("GET", ["leads", id]) => leads::get(session, id),
        ("PATCH", ["leads", id]) => leads::update(session, call, id),
        ("GET", ["cases"]) => cases::list(session, call),
        ("GET", ["cases", id]) => cases::get(session, id),
        ("PATCH", ["cases", id]) => cases::update(session, call, id),
        ("GET", [owner @ ("leads" | "cases"), id, "notes"]) => {
            notes::list(session, call, owner_of(owner), id)
        }
        ("POST", [owner @ ("leads" | "cases"), id, "notes"]) => {
            notes::create(session, call, owner_of(owner), id)
        }
        ("GET", ["notes", id] | ["leads" | "cases", _, "notes", id]) => notes::get(session, id),
        ("GET", ["contacts"]) => contacts::list(session, call),
        ("POST", ["contacts"]) => contacts::create(session, call),
        ("GET", ["contacts", id]) => contacts::get(session, id),
        ("PATCH", ["contacts", id]) => contacts::update(session, call, id),
        ("GET", ["tasks"]) => tasks::list(session, call),
        ("POST", ["tasks"]) => tasks::create(session, call),
        ("GET", ["tasks", id]) => tasks::get(session, id),
        ("PATCH", ["tasks", id]) => tasks::update(session, call, id),
        ("GET", ["webhooks"]) => webhooks::list(session),
        ("POST", ["webhooks"]) => webhooks::create(session, call),
        ("DELETE", ["webhooks", id]) => webhooks::delete(session, id),
        ("GET", [list @ ("users" | "case-statuses" | "case-types" | "lead-sources")]) => lists::fixed(list),
        (_, ["leads" | "cases" | "contacts" | "tasks" | "webhooks" | "me" | "users", ..]) => {
            Err(refusal(405, "method_not_allowed", &format!("no {} {}", call.method, call.path)))
        }
        _ => Err(refusal(404, "not_found", &format!("no route {}", call.path))),
    }
}

fn owner_of(segment: &str) -> Kind {
    if segment == "cases" { Kind::Case } else { Kind::Lead }
}
