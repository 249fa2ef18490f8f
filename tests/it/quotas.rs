//! What HighLevel allows is kept by all instances together, and told.

use casebridge::domain::{Actor, EventState, Reach, Role, System};
use casebridge::twin::highlevel::NewContact;
use casebridge::twin::{Fault, Misbehaviour};
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::TestBridge;

fn grace() -> NewContact {
    NewContact {
        first_name: "Grace".into(),
        last_name: "Hopper".into(),
        email: "grace@example.com".into(),
        ..NewContact::default()
    }
}

#[tokio::test]
async fn two_workers_bring_forty_leads_over_without_one_429() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.set_limits(100, 200_000);
    for number in 0..40 {
        bridge.highlevel.create_contact(NewContact {
            first_name: "Ada".into(),
            last_name: format!("Number{number}"),
            email: format!("ada{number}@example.com"),
            ..NewContact::default()
        });
    }
    let installation = &bridge.installation;
    let other = installation.another_worker("other", installation.store.clone());
    let mut spans = 0;
    while bridge.casepeer.leads().len() < 40 || installation.store.counts().await.unwrap().pending() > 0 {
        bridge.deliver().await;
        tokio::join!(installation.step(), async { other.step().await.unwrap() });
        // Not a multiple of the vendor's interval, which it counts from the first call in it.
        installation.clock.advance(SignedDuration::from_millis(730));
        spans += 1;
        assert!(spans < 400, "{}", installation.tell().await);
    }
    let mut calls = 0;
    for row in installation.events().await {
        let story = installation.store.event(row.id).await.unwrap().unwrap();
        assert_eq!((story.failed_attempts, story.row.state == EventState::Undelivered), (0, false));
        assert!(story.calls.iter().all(|call| call.status != Some(429)), "{}", installation.tell().await);
        calls += story.calls.iter().filter(|call| call.target.contains("/contacts")).count();
    }
    assert!(calls > 100, "{calls}: the limit was never reached");
}

#[tokio::test]
async fn a_429_uses_no_attempt_and_the_vendor_is_left_alone_for_as_long_as_it_says() {
    let bridge = TestBridge::start().await;
    let status = Misbehaviour::Status { status: 429, retry_after: Some(60), body: None };
    let fault = Fault::new(status).on("GET", "/contacts").times(1);
    bridge.highlevel.fault(fault);
    let contact = bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    bridge.highlevel.create_contact(grace());
    bridge.wait(SignedDuration::from_secs(59)).await;
    assert!(bridge.casepeer.leads().is_empty(), "{}", bridge.installation.tell().await);
    bridge.wait(SignedDuration::from_secs(4)).await;
    assert_eq!(bridge.casepeer.leads().len(), 2, "{}", bridge.installation.tell().await);
    for row in bridge.installation.events().await {
        let story = bridge.installation.store.event(row.id).await.unwrap().unwrap();
        assert_eq!(story.failed_attempts, 0, "{contact}");
    }
}

#[tokio::test]
async fn who_tries_a_connection_spends_calls_too() {
    let bridge = TestBridge::start().await;
    let inside = &bridge.installation.bridge;
    let spent = async || {
        let quotas = bridge.installation.store.quotas().await.unwrap();
        quotas.iter().find(|quota| quota.system == System::HighLevel).map_or(0, |quota| quota.spent_today)
    };
    let firm = inside.firms.iter().next().unwrap();
    for times in 1..=3 {
        let (highlevel, casepeer) = inside.try_connections(&firm).await;
        assert!(highlevel.is_ok() && casepeer.is_ok(), "{highlevel:?} {casepeer:?}");
        assert_eq!(spent().await, times);
    }
    // Pipelines, tags, fields, reasons and users, for the form of the mapping.
    let maria = Actor { name: "maria".into(), role: Role::Admin, reach: Reach::Everywhere };
    inside.values_for(&maria, &firm.id).await.unwrap();
    assert_eq!(spent().await, 3 + 5);
}

#[tokio::test]
async fn quotas_are_told_to_programs() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.set_limits(100, 1_000);
    bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    bridge.wait(SignedDuration::from_secs(1)).await;
    bridge.highlevel.create_contact(grace());
    bridge.settle().await;
    let admin = &bridge.installation.admin_url;
    let get = async |path: &str| reqwest::get(format!("{admin}{path}")).await.unwrap().text().await.unwrap();
    let quotas: Value = serde_json::from_str(&get("/api/v1/quotas").await).unwrap();
    assert_eq!((&quotas[0]["firm"], &quotas[0]["system"]), (&"acme".into(), &"highlevel".into()));
    assert_eq!((&quotas[0]["per_day"], &quotas[0]["per_interval"]), (&1_000.into(), &100.into()));
    let spent = quotas[0]["spent_today"].as_u64().unwrap();
    assert!((4..30).contains(&spent), "{spent}");
    // At some calls a minute a thousand do not last twelve hours.
    assert!(quotas[0]["exhausted_at"].is_string(), "{quotas}");
    let metrics = get("/metrics").await;
    for line in [
        format!("casebridge_quota_calls_today{{firm=\"acme\",system=\"highlevel\"}} {spent}"),
        "casebridge_quota_calls_per_day{firm=\"acme\",system=\"highlevel\"} 1000".into(),
        "casebridge_quota_exhausted_in_seconds{firm=\"acme\",system=\"highlevel\"} ".into(),
    ] {
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}
