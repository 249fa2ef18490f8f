//! `casebridge rules` as a person types it.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use casebridge::domain::{EventId, FirmId, System};
use casebridge::rules::automation::from_toml;
use casebridge::store::{Arrival, DeliveryKey};
use serde_json::{Value, json};

use super::TAG;
use crate::support::{START, SYNC, TestBridge, Vendors, configuration_text};

fn rules(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casebridge"));
    command.current_dir(directory).env_remove("CASEBRIDGE_CONFIG").env("USER", "maria");
    command.arg("rules").args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn installed() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let vendors = Vendors {
        highlevel_url: "http://127.0.0.1:1",
        highlevel_key: "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
        location: "loc-1",
        highlevel_token: "planted-token",
        casepeer_url: "http://127.0.0.1:1",
        casepeer_token: "planted-bearer",
        inbound_token: "planted-inbound-token",
        webhook_secret: "planted-webhook-secret",
    };
    let text = format!(
        "[store]\nurl = \"sqlite://bridge.db\"\n{}",
        configuration_text(directory.path(), &vendors, SYNC)
    );
    std::fs::write(directory.path().join("casebridge.toml"), text).unwrap();
    std::fs::write(directory.path().join("google.toml"), TAG).unwrap();
    directory
}

#[test]
fn from_a_blank_page_to_a_rule_that_is_on() {
    let here = installed();
    let fields = out(&rules(here.path(), &["fields", "webhook.ContactCreate"]));
    assert!(fields.contains("firstName") && fields.contains("person.first_name"), "{fields}");
    assert!(out(&rules(here.path(), &["check", "google.toml"])).contains("`google` checks"));
    let sample = out(&rules(here.path(), &["try", "google.toml", "--sample", "--firm", "acme"]));
    assert!(sample.contains("contacts.add-tags POST /contacts/ocQHyuzHvysMo5N5VsXc/tags"), "{sample}");
    assert!(out(&rules(here.path(), &["import", "google.toml"])).contains("saved as version 1, and is off"));
    assert!(
        out(&rules(here.path(), &["import", "google.toml", "--on"])).contains("as in version 1, and is on")
    );
    let list: Value = serde_json::from_str(&out(&rules(here.path(), &["list", "--json"]))).unwrap();
    assert_eq!(
        (&list[0]["id"], &list[0]["is_on"], &list[0]["saved_by"]),
        (&json!("google"), &json!(true), &json!("maria"))
    );
    let exported = out(&rules(here.path(), &["export", "google"]));
    assert_eq!(from_toml(&exported).unwrap(), from_toml(TAG).unwrap());
    // A newer version that does not check is refused with the place, and the one in force stays.
    std::fs::write(here.path().join("google.toml"), TAG.replace("add-tags", "add-tag")).unwrap();
    let refused = rules(here.path(), &["import", "google.toml"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(78));
    assert!(
        said.contains("then[1].action: `contacts.add-tag` is no action; did you mean `contacts.add-tags`?"),
        "{said}"
    );
    assert_eq!(out(&rules(here.path(), &["export", "google"])), exported);
    assert!(out(&rules(here.path(), &["off", "google"])).contains("is off"));
    out(&rules(here.path(), &["remove", "google"]));
    let gone = rules(here.path(), &["on", "google"]);
    assert!(
        !gone.status.success() && String::from_utf8_lossy(&gone.stderr).contains("there is no rule `google`")
    );
    let ready =
        out(&rules(here.path(), &["import", "--ready-made", "signed", "--set", "workflow_id=wf-1", "--on"]));
    assert!(ready.contains("`signed` is saved as version 1, and is on"), "{ready}");
    assert!(out(&rules(here.path(), &["list", "--ready-made"])).contains("--set workflow_id=…"));
}

/// The figure is for 10,000 events; this machine may be busy, so the test counts and the bound is wide.
#[tokio::test]
async fn a_rule_is_tried_on_ten_thousand_stored_events() {
    let bridge = TestBridge::start().await;
    let store = &bridge.installation.store;
    let arrival = |number: usize| {
        let id = EventId(uuid::Uuid::now_v7());
        let source = if number.is_multiple_of(2) { "Google Ads" } else { "Referral" };
        let body = json!({ "type": "ContactCreate", "id": format!("c{number}"), "source": source, "firstName": "Ada" });
        Arrival {
            id,
            firm: FirmId::new("acme"),
            source: System::HighLevel,
            kind: "ContactCreate".into(),
            delivery_key: DeliveryKey::Sender(id.to_string()),
            records: vec![casebridge::domain::RecordRef::highlevel(
                casebridge::domain::RecordKind::Contact,
                format!("c{number}"),
            )],
            proof: "ed25519",
            payload: body.to_string().into(),
            sent_at: None,
            received_at: START.parse().unwrap(),
            is_update: false,
            undeliverable: None,
            trace: None,
        }
    };
    for chunk in (0..10_000).collect::<Vec<_>>().chunks(500) {
        let recording = chunk.iter().map(|number| store.record(arrival(*number)));
        futures_util::future::join_all(recording)
            .await
            .into_iter()
            .for_each(|recorded| assert!(recorded.is_ok()));
    }
    let rule = from_toml(TAG).unwrap();
    let since = START.parse::<jiff::Timestamp>().unwrap() - jiff::SignedDuration::from_hours(24);
    let (mut runs, mut skipped) = (0, 0);
    let began = Instant::now();
    let seen =
        bridge
            .installation
            .bridge
            .try_rule(&rule, None, since, 10_000, |tried| {
                if tried.skipped.is_some() { skipped += 1 } else { runs += 1 }
            })
            .await
            .unwrap();
    eprintln!("10,000 stored events tried in {:.2} s", began.elapsed().as_secs_f64());
    assert_eq!((seen, runs, skipped), (10_000, 5_000, 5_000));
    assert_eq!(bridge.writes(), 0, "nothing is sent");
    assert!(store.runs_of(bridge.installation.events().await[0].id).await.unwrap().is_empty());
}
