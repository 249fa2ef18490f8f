//! Words that a profile's value map lacks: with `on_unknown = "warn"` they go on as they are, and a person is told.

use casebridge::twin::{NewContact, NewLead};

use crate::story::{ada, grace};
use crate::support::{Log, TestBridge};

const PROFILE: &str = r#"
extends = "contract-v1"
[records.lead.fields]
external_ref = "external_ref"
"client.id" = "client.id"
"client.first_name" = "client.first_name"
"client.last_name" = "client.last_name"
"client.email" = "client.email"
"client.phone" = "client.phone"
"source.type" = "source.type"
"source.detail" = { at = "source.detail", values = "source" }
case_type = { at = "case_type", values = "case_type" }
status = "status"
[values.case_type]
on_unknown = "warn"
map = { "Auto Accident" = "MVA" }
[values.source]
on_unknown = "warn"
"#;

/// The value of a figure.
async fn figure(bridge: &TestBridge, named: &str) -> u64 {
    let url = format!("{}/metrics", bridge.installation.admin_url);
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(named));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

#[tokio::test]
async fn a_word_that_a_map_lacks_goes_on_and_is_told_once() {
    let log = Log::capture();
    let bridge = TestBridge::edited(|text, directory| {
        let file = directory.join("warns.toml");
        std::fs::write(&file, PROFILE).unwrap();
        let named = format!("[firms.casepeer]\nprofile = {:?}\n", file.display().to_string());
        text.replace("[firms.casepeer]\n", &named)
    })
    .await;
    let types = "casebridge_unknown_words_total{map=\"case_type\"}";
    let before = figure(&bridge, types).await;
    for (name, case_type) in [("Grace", "Boat"), ("Hedy", "Boat"), ("Ida", "MVA")] {
        let lead = NewLead {
            first_name: name.into(),
            email: format!("{name}@example.com"),
            phone: String::new(),
            case_type: case_type.into(),
            ..grace()
        };
        bridge.casepeer.create_lead(lead);
    }
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 3, "{}", bridge.installation.tell().await);
    let log_line = "the profile's [values.case_type] does not have `Boat`: it stays as it is";
    let told = log.ours();
    assert_eq!(told.matches(log_line).count(), 1, "once, however often it is read: {told}");
    assert!(!told.contains("`MVA`"), "{told}");
    assert!(figure(&bridge, types).await >= before + 2);

    // The same on the way out.
    bridge.highlevel.create_contact(NewContact { source: "Billboard".into(), ..ada() });
    bridge.settle().await;
    let lead = bridge.casepeer.leads().pop().unwrap();
    assert_eq!(lead["source"]["detail"], "Billboard", "{}", bridge.installation.tell().await);
    assert!(log.ours().contains("[values.source] does not have `Billboard`"), "{}", log.ours());
}
