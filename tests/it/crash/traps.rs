//! What HighLevel is known to do to those who create: answers that lie, answers that never come, searches that lag.

use casebridge::twin::{Fault, Misbehaviour, NewContact, NewNote};
use jiff::SignedDuration;

use super::creates::{Create, live_on, made, undisturbed};
use super::{assert_all_is_well, run_dry};
use crate::story::{ada, grace};
use crate::support::TestBridge;

#[tokio::test]
async fn a_duplicate_that_highlevel_names_is_linked_and_not_made() {
    let bridge = TestBridge::start().await;
    // A contact that the bridge was never told of, and that the search does not show yet.
    bridge.highlevel.drop_next_webhooks(1);
    let (first_name, last_name) = ("Grace".into(), "Hopper".into());
    let email = "grace@example.com".into();
    let contact = bridge.highlevel.create_contact(NewContact { first_name, last_name, email, ..ada() });
    let lag = Fault::new(Misbehaviour::SearchLag { seconds: 30 });
    bridge.highlevel.fault(lag.on("GET", "/contacts/search").times(2));
    let lead = bridge.casepeer.create_lead(grace());
    run_dry(&bridge).await;
    assert_all_is_well(&bridge).await;
    assert_eq!(bridge.highlevel.contacts().len(), 1);
    let (category, body) = ("Intake".into(), "Called back".into());
    bridge.casepeer.create_note(&lead, NewNote { category, body, ..NewNote::default() });
    run_dry(&bridge).await;
    assert_eq!(
        bridge.highlevel.notes(&contact).len(),
        1,
        "the lead is linked with the contact that was there"
    );
}

#[tokio::test]
async fn a_create_that_highlevel_answers_with_422_and_carries_out_is_made_once() {
    for create in [Create::Contact, Create::TaskInHighLevel, Create::NoteInHighLevel] {
        let expected = undisturbed(create).await;
        let bridge = TestBridge::start().await;
        create.cause(&bridge).await;
        bridge.highlevel.fault(Fault::new(Misbehaviour::CreatedBut422).on("POST", create.path()));
        live_on(&bridge).await;
        assert_eq!(made(&bridge).await, expected, "{create:?}\n{}", bridge.installation.tell().await);
    }
}

#[tokio::test]
async fn a_create_that_is_never_answered_is_made_once() {
    for create in [Create::Contact, Create::TaskInHighLevel, Create::NoteInHighLevel, Create::Opportunity] {
        let expected = undisturbed(create).await;
        for fault in [Fault::timeout_after(), Fault::timeout_before()] {
            let bridge = TestBridge::start().await;
            create.cause(&bridge).await;
            bridge.highlevel.fault(fault.on("POST", create.path()));
            live_on(&bridge).await;
            assert_eq!(made(&bridge).await, expected, "{create:?}\n{}", bridge.installation.tell().await);
        }
    }
}

#[tokio::test]
async fn a_contact_that_the_search_does_not_show_yet_is_not_made_again() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.create_lead(grace());
    bridge.deliver().await;
    let lag = Misbehaviour::SearchLag { seconds: 30 };
    bridge.highlevel.fault(Fault::timeout_after().on("POST", "/contacts/"));
    bridge.highlevel.fault(Fault::new(lag).on("GET", "/contacts/search").times(6));
    bridge.settle().await;
    bridge.wait(SignedDuration::from_secs(6)).await;
    assert_eq!(bridge.highlevel.contacts().len(), 1);
    run_dry(&bridge).await;
    assert_all_is_well(&bridge).await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.highlevel.contacts()[0]["tags"][0], "cp:synced");
}
