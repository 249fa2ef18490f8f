//! Tags, businesses and the reasons of lost deals.

use casebridge::twin::NewLead;
use serde_json::json;

use crate::story::grace;
use crate::support::TestBridge;

const SYNC: &str = r#"
[firms.sync.lost_reasons]
"No liability" = "No case"
[firms.sync.businesses]
source_types = ["Attorney Referral"]
[firms.sync.statuses."Treating"]
milestone = "signed"
tags = ["client", "Treating"]
[firms.sync.statuses."Settled"]
tags = ["client"]
[firms.sync.statuses."Turned down"]
milestone = "rejected"
pipeline = "Intake"
stage = "Closed"
opportunity = "lost"
"#;

#[tokio::test]
async fn tags_follow_the_status_and_leave_others_alone() {
    let bridge = TestBridge::with(SYNC).await;
    let lead = bridge.casepeer.create_lead(grace());
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.add_tags(&contact, &["vip"]);
    let tags = || {
        let contact = bridge.highlevel.contact(&contact).unwrap();
        let mut tags: Vec<String> =
            contact["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
        tags.sort();
        tags
    };
    for (status, expected) in [
        ("Treating", vec!["client", "cp:signed", "cp:synced", "treating", "vip"]),
        ("Settled", vec!["client", "cp:signed", "cp:synced", "vip"]),
        ("Treating", vec!["client", "cp:signed", "cp:synced", "treating", "vip"]),
        ("Turned down", vec!["cp:rejected", "cp:signed", "cp:synced", "vip"]),
    ] {
        bridge.casepeer.set_status(&case, status);
        bridge.settle().await;
        assert_eq!(tags(), expected, "{status}");
    }
    let writes = bridge.writes();
    bridge.casepeer.redeliver_last();
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes);
}

#[tokio::test]
async fn a_lost_deal_says_why_in_highlevels_words() {
    let bridge = TestBridge::with(SYNC).await;
    let lead = bridge.casepeer.create_lead(grace());
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.update_case(&case, json!({ "status": "Turned down", "reject_reason": "No liability" }));
    bridge.settle().await;
    let deal = bridge.highlevel.opportunities().remove(0);
    assert_eq!(deal["status"], "lost");
    assert_eq!(deal["lostReasonId"], "twinLostReason000001", "{deal}");
    let writes = bridge.writes();
    bridge.casepeer.redeliver_last();
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn contacts_are_grouped_by_the_business_that_sent_them() {
    let bridge = TestBridge::with(SYNC).await;
    bridge.highlevel.create_business("Smith & Partners");
    for (first, source) in [("Ann", "Smith & Partners"), ("Ben", "Jones Legal"), ("Cat", "Jones Legal")] {
        bridge.casepeer.create_lead(NewLead {
            first_name: first.into(),
            last_name: "Stone".into(),
            email: format!("{first}@example.com"),
            source: "Attorney Referral".into(),
            source_detail: source.into(),
            ..NewLead::default()
        });
        bridge.settle().await;
    }
    let businesses: Vec<_> =
        bridge.highlevel.contacts().iter().map(|contact| contact["businessId"].clone()).collect();
    assert!(businesses.iter().all(serde_json::Value::is_string), "{businesses:?}");
    assert_ne!(businesses[0], businesses[1]);
    assert_eq!(businesses[1], businesses[2], "one business of one name");
    bridge.installation.assert_nothing_undelivered().await;
}
