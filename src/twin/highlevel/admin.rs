//! The twin's own routes, on HighLevel's port: the key, the ledger, the records and the faults.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::state::State;
use super::{Vendor, contacts};
use crate::twin::call::{Call, Reply};
use crate::twin::faults::Fault;
use crate::twin::ledger;

/// Answers `/twin/…`; none for any other path.
pub(super) fn answer(vendor: &Vendor, call: &Call) -> Option<Response> {
    if !call.path.starts_with("/twin/") {
        return None;
    }
    Some(match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/twin/key") => vendor.public_key.clone().into_response(),
        ("GET", "/twin/ledger") => reply(200, json!(vendor.common.ledger.all())),
        ("GET", "/twin/state") => {
            let casepeer = vendor.beside.records();
            reply(200, json!({"highlevel": records(&vendor.lock()), "casepeer": casepeer}))
        }
        ("GET", "/twin/deliveries") => reply(200, json!(vendor.common.outbox.deliveries())),
        ("POST", "/twin/faults") => script(vendor, call),
        ("DELETE", "/twin/faults") => {
            vendor.common.faults().clear();
            reply(204, Value::Null)
        }
        _ => reply(404, json!({"error": "the twin knows /twin/key, ledger, state, deliveries and faults"})),
    })
}

fn script(vendor: &Vendor, call: &Call) -> Response {
    let faults: Result<Vec<Fault>, _> = match call.json() {
        Ok(list @ Value::Array(_)) => serde_json::from_value(list),
        Ok(one) => serde_json::from_value(one).map(|fault| vec![fault]),
        Err(error) => Err(error),
    };
    match faults {
        Ok(faults) => {
            let count = faults.len();
            for fault in faults {
                match fault.vendor {
                    ledger::Vendor::HighLevel => vendor.common.faults().add(fault),
                    ledger::Vendor::CasePeer => vendor.beside.fault(fault),
                }
            }
            reply(201, json!({"scripted": count}))
        }
        Err(error) => reply(422, json!({"error": error.to_string()})),
    }
}

fn reply(status: u16, body: Value) -> Response {
    Reply::new(status, body).into_response()
}

/// Every record of the location.
fn records(state: &State) -> Value {
    let contacts: Vec<Value> = state
        .contacts
        .iter()
        .map(|contact| {
            let mut shown = contacts::show(contact);
            shown["tasks"] = json!(contact.tasks);
            shown["notes"] = json!(contact.notes);
            shown
        })
        .collect();
    let opportunities: Vec<_> = state.opportunities.iter().map(|row| &row.fields).collect();
    let appointments: Vec<_> = state.appointments.iter().collect();
    json!({
        "location": state.location, "contacts": contacts, "opportunities": opportunities,
        "appointments": appointments, "pipelines": state.pipelines, "businesses": state.businesses,
        "custom_fields": state.custom_fields, "tags": state.tags, "users": state.users,
        "calendars": state.calendars,
    })
}
