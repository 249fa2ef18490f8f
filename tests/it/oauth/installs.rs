//! The app's coming and going, as its webhooks tell and HighLevel confirms.

use casebridge::domain::{Cause, EventState};
use casebridge::store::Holder;
use casebridge::twin::highlevel::Choice;
use casebridge::twin::{Fault, Misbehaviour};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{AGENCY, ALL, Browser, bridge_with, by_browser, connected, credential};
use crate::story::ada;
use crate::support::TestBridge;

async fn reason(bridge: &TestBridge) -> (EventState, String) {
    let row = bridge.installation.last_story().await.row;
    (row.state, row.reason.unwrap_or_default())
}

/// The holders where the app is installed.
async fn installed(bridge: &TestBridge) -> Vec<String> {
    let all = bridge.installation.store.installations().await.unwrap();
    all.into_iter().filter(|one| one.retired_at.is_none()).map(|one| one.holder.to_string()).collect()
}

#[tokio::test]
async fn a_location_that_no_firm_has_is_listed_as_unclaimed() {
    let bridge = bridge_with(ALL).await;
    bridge.highlevel.send_webhook("INSTALL", json!({"locationId": "newLocation", "companyId": "com"}));
    bridge.settle().await;
    let (state, why) = reason(&bridge).await;
    assert_eq!(state, EventState::NothingToDo, "{why}");
    assert!(why.contains("no firm has") && why.contains("location_id = \"newLocation\""), "{why}");
    let url = format!("{}/api/v1/installations", bridge.installation.admin_url);
    let rows: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(rows[0]["holder"], "location:newLocation");
    assert_eq!((&rows[0]["company"], &rows[0]["firm"]), (&json!("com"), &Value::Null));
    bridge.highlevel.send_webhook("UNINSTALL", json!({"locationId": "newLocation"}));
    bridge.settle().await;
    assert_eq!(reason(&bridge).await.1, "taken off; it was not connected here");
    assert!(installed(&bridge).await.is_empty());
}

#[tokio::test]
async fn an_uninstall_that_highlevel_confirms_ends_the_connection() {
    let bridge = connected(ALL).await;
    assert_eq!(installed(&bridge).await.len(), 1);
    bridge.highlevel.uninstall();
    bridge.settle().await;
    let (state, why) = reason(&bridge).await;
    assert_eq!(state, EventState::NothingToDo, "{why}");
    assert!(why.starts_with("taken off, as HighLevel confirms: 1 connections were dropped"), "{why}");
    assert!(credential(&bridge).await.is_none());
    assert!(installed(&bridge).await.is_empty());
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap().remove(0);
    assert!(parked.reason.contains("it is not connected; connect it with `casebridge firms connect acme`"));
}

#[tokio::test]
async fn an_uninstall_that_is_not_true_any_more_changes_nothing() {
    let bridge = connected(ALL).await;
    bridge.highlevel.send_webhook("UNINSTALL", json!({}));
    bridge.settle().await;
    let (state, why) = reason(&bridge).await;
    assert_eq!(state, EventState::NothingToDo);
    assert!(why.starts_with("HighLevel still gives tokens for 1 of 1 connections"), "{why}");
    assert!(credential(&bridge).await.is_some());
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
}

#[tokio::test]
async fn an_uninstall_that_cannot_be_confirmed_now_is_asked_about_later() {
    let bridge = connected(ALL).await;
    bridge.highlevel.uninstall();
    bridge.highlevel.set_down(true);
    bridge.settle().await;
    let (state, why) = reason(&bridge).await;
    assert_eq!(state, EventState::Retrying);
    assert!(why.contains("it cannot be confirmed now: HighLevel's token endpoint answered 503"), "{why}");
    assert!(credential(&bridge).await.is_some());
    bridge.highlevel.set_down(false);
    bridge.wait(SignedDuration::from_mins(1)).await;
    assert!(credential(&bridge).await.is_none());
}

#[tokio::test]
async fn an_uninstall_that_waits_for_a_quota_uses_no_attempt_and_is_not_lost() {
    let bridge = connected(ALL).await;
    let limited = Misbehaviour::Status { status: 429, retry_after: None, body: None };
    bridge.highlevel.fault(Fault::new(limited).on("POST", "/oauth/token").times(15));
    bridge.highlevel.uninstall();
    bridge.settle().await;
    for _ in 0..14 {
        let story = bridge.installation.last_story().await;
        assert_eq!(
            (story.row.state, story.failed_attempts),
            (EventState::Retrying, 0),
            "{:?}",
            story.row.reason
        );
        assert!(story.row.reason.unwrap().contains("HighLevel's token endpoint answered 429"));
        bridge.wait(SignedDuration::from_secs(12)).await;
    }
    bridge.wait(SignedDuration::from_secs(12)).await;
    assert!(credential(&bridge).await.is_none(), "{}", bridge.installation.tell().await);
}

#[tokio::test]
async fn an_agency_that_takes_the_app_off_ends_all_of_its_connections() {
    let bridge = bridge_with(AGENCY).await;
    bridge.highlevel.choose(Choice::Agency);
    assert_eq!(Browser::of(&bridge).connect(&bridge).await.0, 200);
    bridge.settle().await;
    assert_eq!(bridge.installation.store.credentials().await.unwrap().len(), 2);
    bridge.highlevel.uninstall_silently();
    let company = bridge.highlevel.company();
    bridge.highlevel.send_webhook("UNINSTALL", json!({"locationId": null, "companyId": company}));
    bridge.settle().await;
    let (_, why) = reason(&bridge).await;
    assert!(why.contains("2 connections were dropped"), "{why}");
    assert!(bridge.installation.store.credentials().await.unwrap().is_empty());
    assert!(installed(&bridge).await.is_empty());
}

#[tokio::test]
async fn what_concerns_the_app_is_worked_on_while_its_firm_is_parked() {
    let bridge = connected(ALL).await;
    bridge.highlevel.uninstall_silently();
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.installation.store.parkings().await.unwrap().len(), 1);
    bridge.highlevel.send_webhook("UNINSTALL", json!({}));
    bridge.settle().await;
    assert!(credential(&bridge).await.is_none());
}

#[tokio::test]
async fn another_apps_installation_is_set_aside() {
    let edit = |text: String, directory: &std::path::Path| by_browser(&text, directory, ALL, "anotherapp-x");
    let bridge = TestBridge::edited(edit).await;
    bridge.highlevel.send_webhook("INSTALL", json!({"locationId": "newLocation"}));
    bridge.settle().await;
    let story = bridge.installation.last_story().await;
    assert_eq!((story.row.state, story.cause), (EventState::Undelivered, Some(Cause::NotOurs)));
    assert!(story.row.reason.unwrap().contains("it was sent for another app (twinapp0000000000000000a)"));
    // Without a client id, nobody knows which app is ours.
    let bridge = TestBridge::start().await;
    bridge.highlevel.send_webhook("INSTALL", json!({"locationId": "newLocation"}));
    bridge.settle().await;
    let (state, why) = reason(&bridge).await;
    assert_eq!(state, EventState::Undelivered);
    assert!(why.contains("no firm for this location (newLocation)"), "{why}");
    assert!(installed(&bridge).await.is_empty());
    let holder = Holder::Location("newLocation".into());
    assert!(bridge.installation.store.credential(&holder).await.unwrap().is_none());
}
