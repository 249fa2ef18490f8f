//! One person with several matters: they share a client, and what is the person's is written once.

use casebridge::twin::NewLead;
use casebridge::twin::casepeer::NewCase;
use serde_json::{Value, json};

use crate::story::grace;
use crate::support::TestBridge;

const SYNC: &str = "[firms.sync]\n[firms.sync.fields.city]\nowner = \"casepeer\"\n";

fn client(lead: &Value) -> String {
    lead["client"]["id"].as_str().unwrap().to_owned()
}

/// Grace with a lead and a second case of the same client; her contact and client.
async fn second_accident() -> (TestBridge, String, String) {
    let bridge = TestBridge::with(SYNC).await;
    bridge.casepeer.create_lead(NewLead { city: "Arlington".into(), ..grace() });
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let client = client(&bridge.casepeer.leads()[0]);
    bridge.casepeer.create_case(NewCase { client_id: client.clone(), ..NewCase::default() });
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    (bridge, contact, client)
}

#[tokio::test]
async fn a_clients_change_is_written_once_and_every_matter_learns_of_it() {
    let (bridge, contact, client) = second_accident().await;
    let writes = bridge.writes();
    bridge.casepeer.update_contact(&client, json!({ "address": { "city": "Baltimore" } }));
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contact(&contact).unwrap()["city"], "Baltimore");
    assert_eq!(bridge.writes() - writes, 1, "{}", bridge.installation.tell().await);
    // A matter with an old base would take HighLevel's change for one of both sides, and give it to CASEpeer's owner.
    bridge.highlevel.update_contact(&contact, json!({ "city": "Chicago" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Chicago");
    assert_eq!(bridge.highlevel.contact(&contact).unwrap()["city"], "Chicago");
    assert_eq!(bridge.writes() - writes, 2, "{}", bridge.installation.tell().await);
    // The same by way of one matter's own event.
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Denver" } } }));
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "city": "El Paso" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "El Paso");
    assert_eq!(bridge.writes() - writes, 4, "{}", bridge.installation.tell().await);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn the_matters_of_a_merged_client_follow_the_survivors_contact() {
    let bridge = TestBridge::with(SYNC).await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let other = NewLead {
        first_name: "Grace B.".into(),
        email: "gb@example.com".into(),
        phone: "+15125550166".into(),
        ..grace()
    };
    let other = bridge.casepeer.create_lead(other);
    bridge.settle().await;
    let contacts = bridge.highlevel.contacts();
    assert_eq!(contacts.len(), 2);
    let leads = bridge.casepeer.leads();
    bridge.casepeer.merge_contacts(&client(&leads[0]), &client(&leads[1]));
    bridge.settle().await;
    let tags = |at: usize| bridge.highlevel.contacts()[at]["tags"].clone();
    assert_eq!((tags(0), tags(1)), (json!(["cp:synced"]), json!(["cp:synced", "cp:duplicate"])));
    assert_eq!(bridge.highlevel.contacts()[1]["email"], "gb@example.com", "HighLevel's are its own to merge");
    // From now on both leads are the first contact's.
    bridge.highlevel.update_contact(contacts[0]["id"].as_str().unwrap(), json!({ "city": "Chicago" }));
    bridge.highlevel.update_contact(contacts[1]["id"].as_str().unwrap(), json!({ "city": "Nowhere" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.lead(&other).unwrap()["client"]["address"]["city"], "Chicago");
    bridge.casepeer.redeliver_last();
    bridge.settle().await;
    bridge.installation.assert_nothing_undelivered().await;
}
