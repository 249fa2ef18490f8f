//! Private tokens are exchanged while the bridge runs: nothing is parked, nothing is lost.

use casebridge::domain::EventState;
use serde_json::json;

use crate::story::ada;
use crate::support::TestBridge;

/// A bridge with `tokens = [new, old]`, each a file of its own.
async fn bridge(new: &str, old: &str) -> TestBridge {
    let write = |text: String, directory: &std::path::Path| {
        let file = |name: &str, value: &str| {
            std::fs::write(directory.join(name), value).unwrap();
            format!("{{ file = {:?} }}", directory.join(name).display().to_string())
        };
        let tokens = format!("tokens = [{}, {}]", file("new-token", new), file("old-token", old));
        let token = text.lines().find(|line| line.starts_with("token = ")).unwrap().to_owned();
        text.replace(&token, &tokens)
    };
    TestBridge::edited(write).await
}

async fn assert_works(bridge: &TestBridge, city: &str) {
    let contact = bridge.highlevel.contacts().remove(0)["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": city }));
    bridge.settle().await;
    let lead = bridge.casepeer.leads().remove(0);
    assert_eq!(lead["client"]["address"]["city"], city, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.installation.store.parkings().await.unwrap(), []);
}

#[tokio::test]
async fn old_and_new_are_good_together() {
    let bridge = bridge("pit-new", "twin-token").await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_works(&bridge, "Dallas").await;
    // The new one is in force; the old one ends a week later.
    bridge.highlevel.accept_token("pit-new");
    bridge.highlevel.revoke_token("twin-token");
    assert_works(&bridge, "Austin").await;
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 0);
}

#[tokio::test]
async fn a_file_that_was_changed_is_read_again_without_a_restart() {
    let bridge = bridge("twin-token", "twin-token").await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.revoke_token("twin-token");
    bridge.highlevel.accept_token("pit-rotated");
    std::fs::write(bridge.installation.directory().join("new-token"), "pit-rotated\n").unwrap();
    assert_works(&bridge, "Dallas").await;
}

#[tokio::test]
async fn when_all_are_refused_a_person_is_told_what_to_set() {
    let bridge = bridge("pit-new", "pit-old").await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap().remove(0);
    assert!(parked.reason.contains("answered 401: Invalid token"), "{}", parked.reason);
    assert!(
        parked.reason.contains(
            "Settings > Private Integrations) and paste it on the firm's page, or set firms.highlevel.token"
        ),
        "{}",
        parked.reason
    );
    assert!(!parked.reason.contains("pit-"), "{}", parked.reason);
}
