//! The catalog: what it promises by its data, and what is sent for it.

mod official;
mod requests;
mod scope;
mod twin;
mod verbs;

use std::sync::Arc;

use casebridge::bridge::Firm;
use casebridge::domain;
use casebridge::operations::catalog::{self, Entry, Kind, System};
use casebridge::vendors::Exchange;
use serde_json::{Map, Value};

use crate::support::Installation;

/// The only firm.
fn firm(installation: &Installation) -> Arc<Firm> {
    installation.bridge.firms.iter().next().unwrap()
}

/// Runs an action for a firm.
async fn call(firm: &Firm, id: &str, given: Value) -> Exchange {
    let Value::Object(given) = given else { panic!("parameters are an object") };
    let entry = catalog::find(id).unwrap_or_else(|| panic!("no {id}"));
    let request = entry
        .request_for(&given, &firm.location, firm.casepeer.profile())
        .unwrap_or_else(|wrong| panic!("{id}: {wrong}"));
    let key = (entry.system == System::CasePeer).then(|| format!("key-of-{id}"));
    match entry.system.vendor().expect("a vendor's action") {
        domain::System::HighLevel => firm.highlevel.send(&request, None).await,
        domain::System::CasePeer => firm.casepeer.send(&request, None, key.as_deref()).await,
    }
}

/// An entry's examples as parameters.
fn examples(entry: &Entry) -> Map<String, Value> {
    let given = entry.parameters.iter().filter(|parameter| parameter.filled.is_none());
    given.map(|parameter| (parameter.name.clone(), parameter.example.clone())).collect()
}

fn actions(system: System) -> impl Iterator<Item = &'static Entry> {
    catalog::all().iter().filter(move |entry| entry.system == system && entry.kind == Kind::Action)
}

#[test]
fn it_has_what_people_build_workflows_from() {
    let count = |system, kind| {
        catalog::all().iter().filter(|entry| entry.system == system && entry.kind == kind).count()
    };
    let highlevel = count(System::HighLevel, Kind::Action) + count(System::HighLevel, Kind::Trigger);
    assert!(highlevel >= 126, "{highlevel}");
    for event in casebridge::webhook::casepeer::EVENTS {
        assert!(catalog::find(event).is_some_and(|entry| entry.kind == Kind::Trigger), "{event}");
    }
    for own in ["undelivered", "review_needed", "milestone_reached", "connection_parked", "credential_old"] {
        assert!(catalog::find(&format!("casebridge.{own}")).is_some(), "{own}");
    }
    // Protected fields are written by nobody.
    for entry in actions(System::CasePeer) {
        for word in ["statute", "ssn", "medical", "settlement"] {
            assert!(!entry.parameters.iter().any(|one| one.name.contains(word)), "{} {word}", entry.id);
        }
    }
}
