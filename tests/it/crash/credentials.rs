//! A credential that is refused: nothing is lost, and the firm goes on by itself once it is accepted again.

use casebridge::domain::{EventState, ParkCause, System};
use casebridge::twin::highlevel::NewTask;
use jiff::SignedDuration;
use serde_json::json;

use super::assert_all_is_well;
use crate::story::{ada, grace};
use crate::support::{Gated, TestBridge};

async fn assert_a_refused_credential_parks_and_resumes(system: System) {
    let Gated { bridge, highlevel, casepeer } = TestBridge::gated().await;
    let set_accepted = |accepted: bool| match (system, accepted) {
        (System::HighLevel, false) => bridge.highlevel.revoke_token("twin-token"),
        (System::HighLevel, true) => bridge.highlevel.accept_token("twin-token"),
        (System::CasePeer, false) => bridge.casepeer.revoke_token("twin-token"),
        (System::CasePeer, true) => bridge.casepeer.accept_token("twin-token"),
    };
    set_accepted(false);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap();
    assert_eq!((parked[0].cause, parked[0].system), (ParkCause::Credentials, Some(system)));

    // Arrivals go on, and nobody is asked for them.
    let asked = highlevel.count("", "") + casepeer.count("", "");
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    let task =
        bridge.highlevel.create_task(&contact, NewTask { title: "Call back".into(), ..NewTask::default() });
    bridge.highlevel.complete_task(&contact, &task);
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    assert_eq!(highlevel.count("", "") + casepeer.count("", ""), asked);
    let counts = bridge.installation.store.counts().await.unwrap();
    assert_eq!(
        (counts.of(EventState::Parked), counts.pending()),
        (2, 5),
        "the head of each lane; all of them"
    );

    // It is tried now and again, by one event, without using up its attempts.
    bridge.wait(SignedDuration::from_hours(6)).await;
    for _ in 0..40 {
        bridge.wait(SignedDuration::from_mins(15)).await;
    }
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 0);
    assert!(highlevel.count("", "") + casepeer.count("", "") < asked + 43 * 6);

    set_accepted(true);
    bridge.wait(SignedDuration::from_mins(15)).await;
    assert_eq!(bridge.installation.store.parkings().await.unwrap(), []);
    bridge.settle().await;
    assert_all_is_well(&bridge).await;
    assert_eq!((bridge.casepeer.leads().len(), bridge.highlevel.contacts().len()), (2, 2));
    let lead =
        bridge.casepeer.leads().into_iter().find(|lead| lead["client"]["first_name"] == "Ada").unwrap();
    assert_eq!(lead["client"]["address"]["city"], "Dallas");
    assert_eq!(bridge.casepeer.tasks()[0]["completed"], true);
}

#[tokio::test]
async fn a_refused_highlevel_token_parks_the_firm_until_it_is_accepted_again() {
    assert_a_refused_credential_parks_and_resumes(System::HighLevel).await;
}

#[tokio::test]
async fn a_refused_casepeer_bearer_parks_the_firm_until_it_is_accepted_again() {
    assert_a_refused_credential_parks_and_resumes(System::CasePeer).await;
}
