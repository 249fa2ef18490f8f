//! Deleted and merged contacts.

use casebridge::domain::ReviewAction;
use serde_json::json;

use crate::identity::{answer, asked};
use crate::story::{ada, grace};
use crate::support::TestBridge;

#[tokio::test]
async fn a_deleted_contact_leaves_a_tombstone_and_nothing_is_deleted() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.delete_contact(&contact);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    let notes = bridge.casepeer.notes();
    assert_eq!(notes.len(), 1);
    assert!(notes[0]["body"].as_str().unwrap().starts_with("The contact was deleted in HighLevel."));
    bridge.highlevel.redeliver_last();
    bridge.casepeer.update_lead(&lead, json!({ "client": { "phone": "+15125550177" } }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.notes().len(), 1, "told once");
    assert!(bridge.highlevel.contacts().is_empty(), "what somebody deleted is not made anew");
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_contact_that_is_there_again_is_kept_in_step_again() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    // Told of as deleted while HighLevel does not show it, as when somebody restores it later.
    let gone = casebridge::twin::Fault::status(404).on("GET", &format!("/contacts/{contact}"));
    bridge.highlevel.fault(gone.times(2));
    bridge.highlevel.send_webhook("ContactDelete", json!({ "id": contact }));
    bridge.settle().await;
    bridge.highlevel.clear_faults();
    assert_eq!(bridge.casepeer.notes().len(), 1, "{}", bridge.installation.tell().await);
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    let lead = &bridge.casepeer.leads()[0];
    assert_eq!(lead["client"]["address"]["city"], "Dallas");
    bridge
        .casepeer
        .update_lead(lead["id"].as_str().unwrap(), json!({ "client": { "phone": "+15125550177" } }));
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contact(&contact).unwrap()["phone"], "+15125550177");
}

/// Two contacts with the same name, e-mail and phone, the first with a lead and the other in question.
async fn two_of_one_name(bridge: &TestBridge) -> (String, String) {
    bridge.highlevel.allow_duplicates(true);
    let first = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let second = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!((bridge.casepeer.leads().len(), asked(bridge).await.len()), (1, 1));
    (first, second)
}

#[tokio::test]
async fn the_matters_of_a_merged_contact_follow_the_survivor() {
    let bridge = TestBridge::start().await;
    let (loser, survivor) = two_of_one_name(&bridge).await;
    // HighLevel tells of a merge as of a deletion; the survivor has the same e-mail and name.
    bridge.highlevel.delete_contact(&loser);
    bridge.settle().await;
    assert!(bridge.casepeer.notes().is_empty(), "nobody is gone");
    bridge.highlevel.update_contact(&survivor, json!({ "city": "Houston" }));
    bridge.settle().await;
    let leads = bridge.casepeer.leads();
    let cities: Vec<_> = leads.iter().map(|lead| &lead["client"]["address"]["city"]).collect();
    assert_eq!(cities, ["Houston"], "the lead follows the survivor");
    assert!(asked(&bridge).await.is_empty(), "the merge answered who the survivor is");
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn the_matters_of_a_deleted_contact_do_not_follow_one_that_a_person_told_apart() {
    let bridge = TestBridge::start().await;
    let (father, son) = two_of_one_name(&bridge).await;
    answer(&bridge, ReviewAction::Create).await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
    bridge.highlevel.delete_contact(&father);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.notes().len(), 1, "the father's lead keeps a tombstone");
    bridge.highlevel.update_contact(&son, json!({ "city": "Houston" }));
    bridge.settle().await;
    let leads = bridge.casepeer.leads();
    let moved = leads.iter().filter(|lead| lead["client"]["address"]["city"] == "Houston");
    assert_eq!(moved.count(), 1, "only the son has moved");
    bridge.installation.assert_nothing_undelivered().await;
}
