//! An account without webhooks: its lists are polled, and what changed is worked on as if it had been told.

use casebridge::domain::EventState;
use jiff::SignedDuration;
use serde_json::json;

use crate::story::{ada, grace};
use crate::support::TestBridge;

const PROFILE: &str = r#"
extends = "contract-v1"
[operations.lead.list]
transport = "poll"
every = "2m"
[operations.case.list]
transport = "poll"
[operations.task.list]
transport = "disabled"
"#;

async fn silent() -> TestBridge {
    let bridge = TestBridge::edited(|text, directory| {
        let file = directory.join("polled.toml");
        std::fs::write(&file, PROFILE).unwrap();
        let named = format!("[firms.casepeer]\nprofile = {:?}\n", file.display().to_string());
        text.replace("[firms.casepeer]\n", &named)
    })
    .await;
    bridge.casepeer.drop_next_webhooks(1_000_000);
    bridge
}

async fn poll(bridge: &TestBridge) {
    bridge.installation.bridge.poll_due().await;
    bridge.settle().await;
}

async fn lists_read(bridge: &TestBridge) -> usize {
    bridge.installation.events().await.len()
}

#[tokio::test]
async fn what_changed_is_found_at_the_next_turn_and_only_once() {
    let bridge = silent().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 0, "nobody told of it");
    poll(&bridge).await;
    let contacts = bridge.highlevel.contacts();
    assert_eq!(contacts.len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(contacts[0]["firstName"], "Grace");

    // Not before its turn, and then each change once.
    bridge.installation.clock.advance(SignedDuration::from_secs(30));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Arlington" } } }));
    poll(&bridge).await;
    assert_ne!(bridge.highlevel.contacts()[0]["city"], "Arlington", "a turn is every two minutes");
    bridge.installation.clock.advance(SignedDuration::from_mins(2));
    poll(&bridge).await;
    assert_eq!(bridge.highlevel.contacts()[0]["city"], "Arlington", "{}", bridge.installation.tell().await);
    let (events, writes) = (lists_read(&bridge).await, bridge.writes());
    for _ in 0..3 {
        bridge.installation.clock.advance(SignedDuration::from_mins(2));
        poll(&bridge).await;
    }
    assert_eq!((lists_read(&bridge).await, bridge.writes()), (events, writes), "the watermark is kept");

    // A case on a list of its own, and its status.
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.installation.clock.advance(SignedDuration::from_mins(5));
    poll(&bridge).await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.installation.clock.advance(SignedDuration::from_mins(5));
    poll(&bridge).await;
    let opportunities = bridge.highlevel.opportunities();
    assert_eq!(opportunities.len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(opportunities[0]["status"], "won");
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 0);
}

#[tokio::test]
async fn two_instances_take_turns_and_one_that_starts_goes_on_where_the_other_was() {
    let bridge = silent().await;
    bridge.casepeer.create_lead(grace());
    let other = bridge.installation.another_bridge(bridge.installation.store.clone());
    for _ in 0..2 {
        // Whoever finds the other at it gives its turn back.
        tokio::join!(bridge.installation.bridge.poll_due(), other.poll_due());
    }
    bridge.settle().await;
    let events = lists_read(&bridge).await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    bridge.installation.clock.advance(SignedDuration::from_mins(10));
    let next = bridge.installation.another_bridge(bridge.installation.store.clone());
    next.poll_due().await;
    bridge.settle().await;
    assert_eq!(lists_read(&bridge).await, events, "what was found before is not found again");
}

#[tokio::test]
async fn our_own_writes_are_no_news() {
    let bridge = silent().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    let events = lists_read(&bridge).await;
    poll(&bridge).await;
    assert_eq!(lists_read(&bridge).await, events, "{}", bridge.installation.tell().await);
}

#[test]
fn what_cannot_be_polled_is_refused_with_the_key() {
    for (lines, words) in [
        ("[operations.lead.get]\ntransport = \"poll\"", "operations.lead.get.transport: `poll` is for lists"),
        (
            "[operations.lead.list]\ntransport = \"poll\"\nevery = \"10s\"",
            "operations.lead.list.every: is a minute",
        ),
        (
            "[operations.lead.list]\nevery = \"10m\"",
            "operations.lead.list.every: is for `transport = \"poll\"`",
        ),
        (
            "[operations.lead.list]\ntransport = \"poll\"\npath = \"/leads\"",
            "operations.lead.list.search: polling needs",
        ),
    ] {
        let base = if words.contains("search") { "mycase" } else { "contract-v1" };
        let text = format!("extends = \"{base}\"\n{lines}");
        let wrong =
            casebridge::operations::casepeer::Profile::parse("p.toml", &text).unwrap_err().to_string();
        assert!(wrong.contains(words), "{wrong}");
    }
}
