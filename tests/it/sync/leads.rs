//! Which contacts become leads.

use casebridge::twin::{NewContact, NewLead};
use serde_json::json;

use crate::story::ada;
use crate::support::TestBridge;

const BY_TAG: &str = "[firms.sync]\nleads_from = { any = [\
    { field = \"tags\", operator = \"contains\", value = \"injury\" }, \
    { field = \"pipeline\", operator = \"equals\", value = \"Intake\" }] }\n";

#[tokio::test]
async fn a_contact_becomes_a_lead_once_it_qualifies() {
    let bridge = TestBridge::with(BY_TAG).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.highlevel.create_note(&contact, "Asked about a will");
    bridge.settle().await;
    assert_eq!(bridge.writes(), 0, "neither the lead nor its note");
    bridge.highlevel.add_tags(&contact, &["injury"]);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    assert_eq!(bridge.casepeer.notes().len(), 1, "what was written before comes along");
    bridge.highlevel.remove_tags(&contact, &["injury"]);
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Dallas", "a lead stays one");
}

#[tokio::test]
async fn an_opportunity_in_the_pipeline_qualifies_too() {
    let bridge = TestBridge::with(BY_TAG).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.highlevel.create_opportunity(&contact, "Ada");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
}

#[tokio::test]
async fn whom_casepeer_knows_is_linked_whether_or_not_it_qualifies() {
    let bridge = TestBridge::with(BY_TAG).await;
    bridge.casepeer.hold_webhooks(true);
    bridge.casepeer.create_lead(NewLead {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        email: "ada@example.com".into(),
        ..NewLead::default()
    });
    bridge.highlevel.create_contact(NewContact { tags: vec!["newsletter".into()], ..ada() });
    bridge.settle().await;
    bridge.casepeer.hold_webhooks(false);
    bridge.settle().await;
    assert_eq!((bridge.casepeer.leads().len(), bridge.highlevel.contacts().len()), (1, 1));
    assert_eq!(bridge.casepeer.leads()[0]["client"]["phone"], "+15125550100");
}
