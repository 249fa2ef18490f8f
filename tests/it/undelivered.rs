//! What a person does with what was given up, and with a whole firm: nothing is done twice, and everything says why.

use casebridge::bridge::Would;
use casebridge::domain::{Cause, EventState, FirmId, ParkCause};
use casebridge::store::EventFilter;
use casebridge::twin::Fault;
use jiff::SignedDuration;
use serde_json::json;

use crate::story::{ada, grace};
use crate::support::TestBridge;

#[tokio::test]
async fn a_preview_says_what_is_done_what_will_be_and_what_has_changed() {
    let bridge = TestBridge::start().await;
    // The contact and the first of its initial tasks are made; the second task is refused.
    bridge.highlevel.fault(Fault::status(422).on("POST", "/contacts/").times(1).every(3));
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let events = bridge.installation.events().await;
    let lead = events.iter().find(|row| row.kind == "lead.created").unwrap();
    assert_eq!(lead.state, EventState::Undelivered, "{}", bridge.installation.tell().await);

    let preview = bridge.installation.bridge.preview(lead.id).await.unwrap();
    let would: Vec<Would> = preview.steps.iter().map(|step| step.would).collect();
    // The third step only remembers that the initial tasks are seen to.
    assert_eq!(would, [Would::Done, Would::WillDo, Would::WillDo], "{preview:#?}");

    // Somebody corrects the lead before the replay: that was not planned the last time.
    let id = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.hold_webhooks(true);
    bridge.casepeer.update_lead(&id, json!({ "client": { "first_name": "Gracie" } }));
    let writes = bridge.writes();
    let preview = bridge.installation.bridge.preview(lead.id).await.unwrap();
    assert_eq!(preview.steps[0].would, Would::ChangedSince, "{preview:#?}");
    assert_eq!(bridge.writes(), writes, "a preview writes nothing");

    assert_eq!(bridge.installation.store.replay(lead.id).await.unwrap(), Some(true));
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts()[0]["firstName"], "Gracie");
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!((bridge.highlevel.contacts().len(), bridge.highlevel.tasks(&contact).len()), (1, 2));
}

#[tokio::test]
async fn what_was_given_up_is_counted_by_cause_and_replayed_by_filter() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(Fault::status(422).on("POST", "/leads").times(2));
    for email in ["one@example.com", "two@example.com"] {
        let contact = casebridge::twin::NewContact { email: email.into(), phone: String::new(), ..ada() };
        bridge.highlevel.create_contact(contact);
    }
    bridge.settle().await;
    let store = &bridge.installation.store;
    let causes = store.causes().await.unwrap();
    assert_eq!(causes.len(), 1);
    assert_eq!((causes[0].cause, causes[0].events), (Cause::Rejected, 2));
    let of = |cause| EventFilter { cause: Some(cause), limit: 10, ..EventFilter::default() };
    assert!(store.events(of(Cause::Unreadable)).await.unwrap().is_empty());
    for row in store.events(of(Cause::Rejected)).await.unwrap() {
        store.replay(row.id).await.unwrap();
    }
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
    assert!(store.causes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_paused_firm_keeps_everything_and_goes_on_in_order() {
    let bridge = TestBridge::start().await;
    let (store, firm) = (&bridge.installation.store, FirmId::new("acme"));
    store.pause(&firm, "moving house").await.unwrap();
    let contact = bridge.highlevel.create_contact(ada());
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    bridge.wait(SignedDuration::from_hours(24)).await;
    assert_eq!(bridge.writes(), 0, "a person paused it, so only a person resumes it");
    let parkings = store.parkings().await.unwrap();
    assert_eq!((parkings[0].cause, parkings[0].reason.as_str()), (ParkCause::Paused, "moving house"));
    assert_eq!(bridge.installation.count(EventState::Parked).await, 1);
    assert_eq!(bridge.installation.count(EventState::Waiting).await, 1);

    assert_eq!(store.resume(&firm).await.unwrap(), Some(1));
    assert_eq!(store.resume(&firm).await.unwrap(), None);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Dallas");
    bridge.installation.assert_nothing_undelivered().await;
}
