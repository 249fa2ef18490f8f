//! What HighLevel takes with a success and does not keep is found by reading back, and told.

use casebridge::domain::EventState;
use casebridge::twin::Fault;
use serde_json::{Value, json};

use crate::story::grace;
use crate::support::TestBridge;

/// A bridge with a lead that is in step with its contact, and HighLevel's key and id of a custom field.
async fn in_step() -> (TestBridge, String, String) {
    let bridge = TestBridge::start().await;
    let field = bridge.highlevel.create_custom_field("preferred_language", "Language");
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    (bridge, lead, field)
}

fn language(bridge: &TestBridge, field: &str) -> Value {
    let contact = bridge.highlevel.contacts().remove(0);
    let values = contact["customFields"].as_array().cloned().unwrap_or_default();
    values.iter().find(|value| value["id"] == field).map_or(Value::Null, |value| value["value"].clone())
}

#[tokio::test]
async fn a_value_that_highlevel_drops_silently_is_told_and_brought_by_the_next_change() {
    let (bridge, lead, field) = in_step().await;
    bridge.highlevel.fault(Fault::ignored_properties(&["phone", "customFields"]).on("PUT", "/contacts/"));
    let change = json!({ "client": { "phone": "+15125550177", "language": "Spanish" } });
    bridge.casepeer.update_lead(&lead, change);
    bridge.settle().await;
    assert_ne!(bridge.highlevel.contacts()[0]["phone"], "+15125550177", "the fault did its work");
    let tell = bridge.installation.tell().await;
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 1, "{tell}");
    assert!(tell.contains("did not keep phone, language"), "{tell}");
    // Nothing was agreed on about the two, so that they go with the next change.
    let change = json!({ "client": { "address": { "city": "Waco" } } });
    bridge.casepeer.update_lead(&lead, change);
    bridge.settle().await;
    let contact = bridge.highlevel.contacts().remove(0);
    assert_eq!(
        (&contact["city"], &contact["phone"], language(&bridge, &field)),
        (&json!("Waco"), &json!("+15125550177"), json!("Spanish"))
    );
}

#[tokio::test]
async fn a_value_that_was_dropped_is_written_again_on_replay() {
    let (bridge, lead, _) = in_step().await;
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Waco" } } }));
    bridge.settle().await;
    bridge.highlevel.fault(Fault::ignored_properties(&["phone"]).on("PUT", "/contacts/"));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "phone": "+15125550177" } }));
    bridge.settle().await;
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 1);
    for row in bridge.installation.events().await {
        if row.state == EventState::Undelivered {
            assert_eq!(bridge.installation.store.replay(row.id).await.unwrap(), Some(true));
        }
    }
    bridge.settle().await;
    assert_eq!(
        bridge.highlevel.contacts()[0]["phone"],
        "+15125550177",
        "{}",
        bridge.installation.tell().await
    );
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_contact_that_is_created_without_its_phone_is_told_of() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.fault(Fault::ignored_properties(&["phone"]).on("POST", "/contacts/"));
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 1);
    let tell = bridge.installation.tell().await;
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 1, "{tell}");
    assert!(tell.contains("did not keep phone"), "{tell}");
}
