//! A vendor that is down for hours while thousands of events wait.

use std::collections::BTreeMap;

use casebridge::domain::EventState;
use casebridge::twin::NewContact;
use jiff::SignedDuration;
use serde_json::json;

use super::{assert_all_is_well, scale};
use crate::story::ada;
use crate::support::{Gated, TestBridge};

/// How many people's events wait; with `CASEBRIDGE_FULL=1`, as many as make ten thousand events.
fn people() -> usize {
    if scale("CASEBRIDGE_FULL", 0) == 1 { 2_500 } else { 125 }
}

/// New contact, two changes, a task: in this order.
const EVENTS_EACH: usize = 4;

#[tokio::test]
async fn six_hours_without_casepeer_cost_few_calls_and_end_in_order_without_a_storm() {
    let Gated { bridge, casepeer, .. } = TestBridge::gated().await;
    let people = people();
    bridge.casepeer.set_down(true);
    let mut contacts = Vec::with_capacity(people);
    for person in 0..people {
        let (first_name, email) = (format!("Ada{person}"), format!("ada{person}@example.com"));
        let phone = format!("+1512{:07}", 5_550_000 + person);
        contacts.push(bridge.highlevel.create_contact(NewContact { first_name, email, phone, ..ada() }));
    }
    bridge.settle().await;
    for (hour, city) in [(1, "Dallas"), (3, "Houston")] {
        for contact in &contacts {
            bridge.highlevel.update_contact(contact, json!({ "city": city }));
        }
        for _ in 0..60 * hour {
            bridge.wait(SignedDuration::from_mins(1)).await;
        }
    }
    for contact in &contacts {
        let task = casebridge::twin::highlevel::NewTask { title: "Call back".into(), ..Default::default() };
        let task = bridge.highlevel.create_task(contact, task);
        bridge.highlevel.complete_task(contact, &task);
    }
    for _ in 0..120 {
        bridge.wait(SignedDuration::from_mins(1)).await;
    }
    let counts = bridge.installation.store.counts().await.unwrap();
    assert_eq!(counts.of(EventState::Undelivered), 0);
    assert_eq!(counts.pending(), ((EVENTS_EACH + 1) * people) as u64, "everything is kept");
    // Those that were under way when it went down, then one now and again to see whether it is back.
    let calls = casepeer.count("", "");
    assert!(calls < 24 * 4 + 6 * 60, "{calls} calls to a vendor that is down");
    casepeer.take_most();

    bridge.casepeer.set_down(false);
    for _ in 0..16 {
        bridge.wait(SignedDuration::from_mins(1)).await;
    }
    assert_all_is_well(&bridge).await;
    assert_eq!(bridge.casepeer.leads().len(), people);
    assert!(bridge.casepeer.leads().iter().all(|lead| lead["client"]["address"]["city"] == "Houston"));
    assert!(bridge.casepeer.tasks().iter().all(|task| task["completed"] == true));
    assert_eq!(bridge.casepeer.tasks().len(), people);
    let most = casepeer.take_most();
    assert!(most <= 2 * 24, "{most} requests at once");
    let calls = casepeer.count("", "") - calls;
    assert!(calls <= 12 * people, "{calls} calls for {people} people");
    assert_each_person_in_order(&bridge).await;
}

/// Each person's events were settled in the order in which they had arrived.
async fn assert_each_person_in_order(bridge: &TestBridge) {
    let mut last = BTreeMap::new();
    for row in bridge.installation.events().await {
        let story = bridge.installation.store.event(row.id).await.unwrap().unwrap();
        let person = story.records.iter().find(|record| record.starts_with("highlevel:contact:"));
        let Some(person) = person.cloned() else { continue };
        let settled_at = story.settled_at.expect("it is settled");
        let before = last.insert(person, settled_at);
        assert!(before.is_none_or(|before| before <= settled_at), "{} overtook what came before it", row.id);
    }
}
