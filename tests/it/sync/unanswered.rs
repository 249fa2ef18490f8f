//! A write that arrived although its answer did not is our own: it must not stand against what was said since.

use casebridge::twin::Fault;
use casebridge::twin::casepeer::NewCase;
use serde_json::{Value, json};

use crate::crash::run_dry;
use crate::story::ada;
use crate::support::TestBridge;

fn cities(bridge: &TestBridge) -> [Value; 2] {
    let (contacts, leads) = (bridge.highlevel.contacts(), bridge.casepeer.leads());
    assert_eq!((contacts.len(), leads.len()), (1, 1));
    [contacts[0]["city"].clone(), leads[0]["client"]["address"]["city"].clone()]
}

fn city_there(bridge: &TestBridge, city: &str) {
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": city } } }));
}

async fn with_owner(owner: &str) -> (TestBridge, String) {
    let sync = format!("[firms.sync]\n[firms.sync.fields.city]\nowner = \"{owner}\"\n");
    let bridge = TestBridge::with(&sync).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    (bridge, contact)
}

#[tokio::test]
async fn what_arrived_in_highlevel_unheard_does_not_win_over_what_the_case_says_since() {
    let (bridge, _) = with_owner("highlevel").await;
    bridge.highlevel.fault(Fault::timeout_after().on("PUT", "/contacts/"));
    city_there(&bridge, "Dallas");
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts()[0]["city"], "Dallas", "it arrived");
    city_there(&bridge, "Houston");
    run_dry(&bridge).await;
    assert_eq!(cities(&bridge), ["Houston", "Houston"]);
}

#[tokio::test]
async fn what_arrived_in_casepeer_unheard_does_not_win_over_what_the_contact_says_since() {
    let (bridge, contact) = with_owner("casepeer").await;
    bridge.casepeer.fault(Fault::timeout_after().on("PATCH", "/leads/"));
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!(cities(&bridge)[1], "Dallas", "it arrived");
    bridge.highlevel.update_contact(&contact, json!({ "city": "Houston" }));
    run_dry(&bridge).await;
    assert_eq!(cities(&bridge), ["Houston", "Houston"]);
}

#[tokio::test]
async fn the_later_of_two_unheard_writes_does_not_hide_the_earlier() {
    let (bridge, _) = with_owner("highlevel").await;
    bridge.highlevel.fault(Fault::timeout_after().on("PUT", "/contacts/"));
    city_there(&bridge, "Dallas");
    bridge.settle().await;
    bridge.highlevel.fault(Fault::timeout_before().on("PUT", "/contacts/").times(3));
    city_there(&bridge, "Houston");
    bridge.wait(jiff::SignedDuration::from_mins(2)).await;
    assert_eq!(cities(&bridge), ["Dallas", "Houston"], "the second did not arrive");
    city_there(&bridge, "El Paso");
    run_dry(&bridge).await;
    assert_eq!(cities(&bridge), ["El Paso", "El Paso"]);
}

#[tokio::test]
async fn a_contact_made_unheard_does_not_win_over_what_its_lead_says_since() {
    let bridge = TestBridge::with("[firms.sync]\n").await;
    bridge.highlevel.fault(Fault::timeout_after().on("POST", "/contacts/"));
    bridge.casepeer.create_lead(casebridge::twin::NewLead {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        email: "ada@example.com".into(),
        city: "Dallas".into(),
        ..casebridge::twin::NewLead::default()
    });
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts()[0]["city"], "Dallas", "it was made");
    city_there(&bridge, "Houston");
    run_dry(&bridge).await;
    assert_eq!(cities(&bridge), ["Houston", "Houston"]);
}

#[tokio::test]
async fn a_lead_made_unheard_does_not_win_over_what_its_contact_says_since() {
    let sync = "[firms.sync]\n[firms.sync.fields.city]\nowner = \"casepeer\"\n";
    let bridge = TestBridge::with(sync).await;
    bridge.casepeer.fault(Fault::timeout_after().on("POST", "/leads"));
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "it was made");
    bridge.highlevel.update_contact(&contact, json!({ "city": "Houston" }));
    run_dry(&bridge).await;
    assert_eq!(cities(&bridge), ["Houston", "Houston"]);
}

#[tokio::test]
async fn what_arrived_unheard_for_one_matter_is_no_news_to_another_of_the_same_client() {
    let (bridge, _) = with_owner("highlevel").await;
    let client = bridge.casepeer.leads()[0]["client"]["id"].as_str().unwrap().to_owned();
    let second = NewCase { client_id: client.clone(), status: "Treating".into(), ..NewCase::default() };
    let case = bridge.casepeer.create_case(second);
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    bridge.highlevel.fault(Fault::timeout_after().on("PUT", "/contacts/"));
    city_there(&bridge, "Dallas");
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts()[0]["city"], "Dallas", "it arrived");
    // The client moves on, and only the other matter tells of it.
    bridge.casepeer.drop_next_webhooks(10);
    bridge.casepeer.update_contact(&client, json!({ "address": { "city": "Houston" } }));
    bridge.deliver().await;
    bridge.casepeer.clear_faults();
    bridge.casepeer.set_status(&case, "Demand");
    run_dry(&bridge).await;
    assert_eq!(cities(&bridge), ["Houston", "Houston"], "{}", bridge.installation.tell().await);
}
