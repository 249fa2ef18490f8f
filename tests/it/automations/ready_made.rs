//! The rules to start from do what they say.

use std::collections::BTreeMap;

use casebridge::rules::automation::{ReadyMade, from_toml, ready_made};
use casebridge::twin::NewNote;
use serde_json::{Value, json};

use super::import;
use crate::story::{ada, grace};
use crate::support::TestBridge;

async fn start(name: &str, set: &[(&str, &str)]) -> TestBridge {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_pipeline("Intake", &["In intake", "Signed", "Closed"]);
    let values = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    import(&bridge.installation, &ReadyMade::find(name).unwrap().filled(&values).unwrap()).await;
    bridge
}

fn did(bridge: &TestBridge, operation: &str) -> usize {
    bridge.highlevel.ledger().iter().filter(|effect| effect.operation == operation).count()
}

fn titles(tasks: &[Value]) -> Vec<&str> {
    let mut titles: Vec<&str> = tasks.iter().filter_map(|task| task["title"].as_str()).collect();
    titles.sort_unstable();
    titles
}

fn has_tag(contact: &Value, tag: &str) -> bool {
    contact["tags"].as_array().unwrap().contains(&json!(tag))
}

#[test]
fn every_one_checks_once_its_places_are_filled() {
    for ready in &ready_made::ALL {
        let values: BTreeMap<_, _> =
            ready.places().map(|(place, _)| (place.to_owned(), "x1".to_owned())).collect();
        let text = ready.filled(&values).unwrap();
        assert!(!text.contains("<workflow_id>\""), "{text}");
        let rule = from_toml(&text).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", ready.name));
        assert_eq!(rule.id, ready.name);
        assert!(!ready.help().is_empty());
    }
    let signed = ReadyMade::find("signed").unwrap();
    assert!(signed.filled(&BTreeMap::new()).unwrap_err().contains("`workflow_id` is missing"));
    let wrong = [("workflow_id".to_owned(), "a\"b".to_owned())].into();
    assert!(signed.filled(&wrong).unwrap_err().contains("without quotes"));
}

#[tokio::test]
async fn signed() {
    let bridge = start("signed", &[("workflow_id", "wf-1")]).await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Intake");
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    let contact = bridge.highlevel.contacts().remove(0);
    assert!(has_tag(&contact, "client"), "{contact}\n{}", bridge.installation.tell().await);
    assert_eq!(did(&bridge, "contact.workflow.add"), 1, "a milestone is told once");
    let tasks = bridge.highlevel.tasks(contact["id"].as_str().unwrap());
    assert!(titles(&tasks).contains(&"Signed: welcome Grace Hopper"), "{tasks:?}");
}

#[tokio::test]
async fn rejected() {
    let bridge = start("rejected", &[]).await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Turned down");
    bridge.settle().await;
    assert!(has_tag(&bridge.highlevel.contacts()[0], "not a client"), "{}", bridge.installation.tell().await);
    assert_eq!(did(&bridge, "contact.campaign.remove"), 1);
}

#[tokio::test]
async fn appointment() {
    let bridge = start("appointment", &[]).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.create_appointment(&contact, "Consultation", "2026-11-26T15:00:00-06:00");
    bridge.settle().await;
    let tasks = bridge.casepeer.tasks();
    let task = tasks.iter().find(|task| task["title"] == "Appointment: Consultation");
    let task = task.unwrap_or_else(|| panic!("{tasks:?}\n{:?}", titles(&tasks)));
    assert_eq!(task["due_at"], "2026-11-26T21:00:00Z");
    assert_eq!(task["lead_id"], bridge.casepeer.leads()[0]["id"]);
}

#[tokio::test]
async fn new_lead_tasks() {
    let bridge = start("new-lead-tasks", &[("case_type", "Auto Accident")]).await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let contact = bridge.highlevel.contacts().remove(0);
    let tasks = bridge.highlevel.tasks(contact["id"].as_str().unwrap());
    let due =
        |title: &str| tasks.iter().find(|task| task["title"] == title).map(|task| task["dueDate"].clone());
    assert!(
        due("First call to Grace").unwrap().as_str().unwrap().starts_with("2026-11-25T09:00"),
        "{tasks:?}"
    );
    assert!(due("Second call to Grace").unwrap().as_str().unwrap().starts_with("2026-11-27T09:00"));
}

#[tokio::test]
async fn note_category() {
    let bridge = start("note-category", &[("category", "Referral")]).await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let note = |body: &str, category: &str| NewNote {
        body: body.into(),
        category: category.into(),
        ..NewNote::default()
    };
    bridge.casepeer.create_note(&lead, note("Sent by a colleague", "Referral"));
    bridge.casepeer.create_note(&lead, note("Broken leg", "Medical"));
    bridge.settle().await;
    let contact = bridge.highlevel.contacts().remove(0);
    let notes = bridge.highlevel.notes(contact["id"].as_str().unwrap());
    let bodies: Vec<&str> = notes.iter().filter_map(|note| note["body"].as_str()).collect();
    assert_eq!(bodies, ["From CASEpeer: Sent by a colleague"]);
}

#[tokio::test]
async fn business() {
    let bridge = TestBridge::start().await;
    let business = bridge.highlevel.create_business("Byron Engines");
    let values =
        [("company".to_owned(), "Byron Engines".to_owned()), ("business_id".to_owned(), business.clone())]
            .into();
    import(&bridge.installation, &ReadyMade::find("business").unwrap().filled(&values).unwrap()).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "companyName": "Byron Engines" }));
    bridge.settle().await;
    assert_eq!(
        bridge.highlevel.contact(&contact).unwrap()["businessId"],
        json!(business),
        "{}",
        bridge.installation.tell().await
    );
}
