//! What slips through the base is stopped by the hop budget, and what HighLevel drops is noticed.

use casebridge::domain::{EventState, Resolution, ReviewAction, ReviewKind};
use casebridge::store::ReviewFilter;
use serde_json::json;

use crate::story::ada;
use crate::support::TestBridge;

#[tokio::test]
async fn two_automations_that_undo_each_other_are_stopped_and_a_person_may_let_them_go_on() {
    let bridge = TestBridge::with("[firms.sync]\nhop_budget = 6\n").await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    let turn = async |at: usize| {
        bridge.highlevel.update_contact(&contact, json!({ "city": format!("Austin {at}") }));
        bridge.settle().await;
        let city = json!({ "client": { "address": { "city": format!("Dallas {at}") } } });
        bridge.casepeer.update_lead(&lead, city);
        bridge.settle().await;
    };
    for at in 0..10 {
        turn(at).await;
    }
    let writes = bridge.writes();
    assert!(writes <= 1 + 8, "stopped after a few: {writes}");
    assert!(bridge.installation.count(EventState::InReview).await > 0);
    let store = &bridge.installation.store;
    let rows = store.reviews(ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.unwrap();
    assert_eq!(rows.len(), 1, "asked once: {rows:?}");
    assert_eq!(rows[0].kind, ReviewKind::HopBudget);
    assert!(rows[0].why.contains("to and fro within an hour"), "{rows:?}");

    bridge
        .installation
        .bridge
        .resolve(rows[0].id, Resolution::new(ReviewAction::Retry), "irene")
        .await
        .unwrap();
    bridge.settle().await;
    assert!(bridge.writes() > writes);
    let city = bridge.highlevel.contact(&contact).unwrap()["city"].clone();
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], city, "both sides agree again");
}

#[tokio::test]
async fn many_edits_by_one_person_are_no_loop() {
    let bridge = TestBridge::with("[firms.sync]\nhop_budget = 6\n").await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    for at in 0..12 {
        bridge.highlevel.update_contact(&contact, json!({ "city": format!("Austin {at}") }));
        bridge.settle().await;
    }
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Austin 11");
    assert_eq!(bridge.casepeer.writes(), 13);
}
