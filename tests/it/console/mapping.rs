//! The mapping at the console: changed with what it would have done, in force at once everywhere, and back to the file.

use casebridge::config;
use casebridge::domain::{FirmId, Reach, Role};
use casebridge::store::AuditFilter;
use serde_json::json;

use super::{Person, form, plain};
use crate::story::ada;
use crate::support::{SYNC, TestBridge};

const FORM: &str = "<form method=\"post\" action=\"/mapping/acme/edit\"";

/// Presses a button of the form with these fields changed; the answer.
async fn press(person: &mut Person, changes: &[(&str, &str)], button: &str) -> super::Answer {
    let page = person.get("/mapping/acme/edit").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let mut fields = form(&page.text, FORM);
    for (name, value) in changes {
        let known = fields.iter_mut().find(|(known, _)| known == name);
        known.unwrap_or_else(|| panic!("there is no field `{name}`")).1 = (*value).into();
    }
    fields.push(("do".into(), button.into()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    person.post("/mapping/acme/edit", &fields).await
}

/// The place in the form of a field's settings.
async fn place(person: &mut Person, field: &str) -> String {
    let page = person.get("/mapping/acme/edit").await.text;
    let fields = form(&page, FORM);
    let (name, _) = fields.iter().find(|(name, value)| name.ends_with(":name") && value == field).unwrap();
    name.trim_end_matches(":name").to_owned()
}

/// Everything that `[firms.sync]` can say.
const RICH: &str = r#"
[firms.sync]
leads_from = { any = [{ field = "tags", operator = "contains", value = "injury" }, { field = "email", operator = "exists" }] }
name_filler = "Nobody"
hop_budget = 7
time_zone = "America/Chicago"
case_url = "https://casepeer.example/cases/{id}"
initial_tasks_on_backfill = true
[firms.sync.lost_reasons]
"No liability" = "No case"
[firms.sync.businesses]
source_types = ["Attorney Referral"]
[firms.sync.appointments]
create = "task"
[firms.sync.fields.city]
direction = "to_casepeer"
write = "if_empty"
owner = { open = "newest", signed = "manual" }
[firms.sync.fields.case_type.values]
"MVA" = "Auto Accident"
"Slip, \"fall\"" = "Slip & Fall"
[firms.sync.fields.tier]
casepeer_key = "tier"
tags = { gold = "Gold", silver = "Silver" }
[firms.sync.fields.referral_code]
highlevel_key = "referral_code"
casepeer_key = "ref"
direction = "both"
[[firms.sync.initial_tasks]]
case_type = "*"
key = "welcome"
title = "Welcome"
body = "Send it"
due_in = "36h"
assignee = "role:case_manager"
[firms.sync.statuses."Treating"]
milestone = "signed"
pipeline = "Intake"
stage = "Signed"
opportunity = "won"
tags = ["client", "vip"]
[firms.sync.statuses."At <risk>"]
milestone = "at_risk"
[firms.sync.notes]
to_highlevel = ["Intake", "Call"]
to_casepeer = false
category = "From CRM"
[firms.sync.tasks]
default_due_in = "2d"
priorities = { high = "!", urgent = "!!" }
assignees = { "paul@twin.example" = "p@example.com" }
text_to_highlevel = true
"#;

#[tokio::test]
async fn everything_a_mapping_can_say_goes_through_the_form_unchanged() {
    let bridge = TestBridge::with(RICH).await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    let page = press(&mut admin, &[], "look").await;
    assert!(page.text.contains("Nothing is changed yet"), "{}", page.text);
    let saved = press(&mut admin, &[], "save").await;
    assert_eq!(saved.location.as_deref(), Some("/mapping/acme?done=saved"), "{}", saved.text);
    let firm = bridge.installation.bridge.firms.iter().next().unwrap();
    assert_eq!(firm.rules, *firm.configured);
    let shown = plain(&admin.get("/mapping/acme").await.text);
    for said in [
        "It says the same as the file",
        "[firms.sync.statuses.\"At <risk>\"]",
        "Slip & Fall",
        "p@example.com",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    // What is shown for the file reads as it.
    let text = shown.split("<pre tabindex=\"0\">").last().unwrap().split("</pre>").next().unwrap();
    let shared = std::fs::read_to_string(bridge.installation.directory().join("casebridge.toml")).unwrap();
    let file = shared.replace(RICH, &format!("\n{text}"));
    assert_ne!(file, shared);
    let config =
        config::parse("test.toml", &file, &Vec::new()).unwrap_or_else(|wrong| panic!("{wrong}: {text}"));
    assert_eq!(config.firms[0].sync, firm.rules);
}

#[tokio::test]
async fn a_change_is_seen_before_it_is_saved_and_in_force_at_once() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let city = || bridge.casepeer.leads()[0]["client"]["address"]["city"].clone();
    let before = city();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Waco" }));
    bridge.deliver().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    let at = place(&mut admin, "city").await;
    let direction = format!("{at}:direction");
    let changes = [(direction.as_str(), "to_highlevel")];
    let seen = plain(&press(&mut admin, &changes, "what-if").await.text);
    assert!(
        seen.contains("no longer: set city of casepeer:lead:") || seen.contains("no longer: set "),
        "{seen}"
    );
    assert!(
        seen.contains("+ [firms.sync.fields.city]") && seen.contains("+ direction = \"to_highlevel\""),
        "{seen}"
    );
    assert_eq!(press(&mut admin, &changes, "save").await.status, 303);
    bridge.settle().await;
    assert_eq!(city(), before, "HighLevel's city no longer goes to CASEpeer");
    let shown = admin.get("/mapping/acme").await.text;
    assert!(
        shown.contains("settled in the console") && shown.contains("How it differs from the file"),
        "{shown}"
    );

    // Another process takes it over, and a changed file does not undo it.
    let other = bridge.installation.another_bridge(bridge.installation.store.clone());
    other.refresh_rules().await.unwrap();
    let rules = |bridge: &casebridge::bridge::Bridge| bridge.firms.iter().next().unwrap().rules.clone();
    assert_eq!(rules(&other), rules(&bridge.installation.bridge));
    let file = std::fs::read_to_string(bridge.installation.directory().join("casebridge.toml")).unwrap();
    let file = file.replace(SYNC, "[firms.sync]\ntime_zone = \"America/Chicago\"\n");
    bridge.installation.bridge.reload(&config::parse("test.toml", &file, &Vec::new()).unwrap()).unwrap();
    bridge.installation.bridge.refresh_rules().await.unwrap();
    let now = rules(&bridge.installation.bridge);
    assert_eq!(
        (&now.fields, &now.statuses),
        (&rules(&other).fields, &rules(&other).statuses),
        "it stays in force"
    );
    assert_ne!(now.time_zone, rules(&other).time_zone, "what the console does not settle is the file's");

    let back = admin.post("/mapping/acme/edit", &[("from", "1"), ("do", "back")]).await;
    assert_eq!(back.location.as_deref(), Some("/mapping/acme?done=back"), "{}", back.text);
    assert!(rules(&bridge.installation.bridge).statuses.is_empty(), "as the file has it now");
    other.refresh_rules().await.unwrap();
    assert!(!rules(&other).statuses.is_empty(), "as its own file has it");
    let filter = AuditFilter { who: Some("ad".into()), limit: 2, ..AuditFilter::default() };
    let log = bridge.installation.store.audit_log(filter).await.unwrap();
    assert!(log.iter().all(|row| row.what.as_str() == "mapping_changed"), "{log:?}");
}

#[tokio::test]
async fn what_came_and_what_both_systems_have_is_offered() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(casebridge::twin::NewContact {
        source: "Billboard 12".into(),
        tags: vec!["billboard".into()],
        ..ada()
    });
    let lead = bridge.casepeer.create_lead(crate::story::grace());
    bridge.casepeer.update_lead(&lead, json!({ "status": "Odd status" }));
    bridge.settle().await;
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, Reach::Everywhere).await;
    let page = plain(&admin.get("/mapping/acme/edit").await.text);
    for said in [
        "value=\"status Odd status\"",
        "came 1×",
        "value=\"status Negotiation\"",
        "<option value=\"In intake\">Intake</option>",
        "<option value=\"Dog Bite\">",
        "paul@twin.example",
        "<code>Billboard 12</code>",
        "Tags that came in events and stand for no value: <code>billboard</code>",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("value=\"status Treating\""), "it is mapped");
    let added = press(&mut admin, &[], "status Odd status").await.text;
    assert!(added.contains("<legend>Odd status</legend>"), "{added}");
    let added = press(&mut admin, &[("t.2:title", "Send the welcome package")], "look").await.text;
    assert!(added.contains("name=\"t.2:key\" value=\"send-the-welcome-package\""), "{added}");
    let wrong = press(&mut admin, &[("s.0:pipeline", "Intake"), ("s.0:stage", "")], "save").await.text;
    assert!(plain(&wrong).contains("needs both a pipeline and a stage"), "{wrong}");
    let wrong = press(&mut admin, &[("own", "settlement_amount")], "add-field").await.text;
    assert!(plain(&wrong).contains("is protected and never written"), "{wrong}");
}

#[tokio::test]
async fn a_mapping_is_its_administrators_and_two_do_not_overwrite_each_other() {
    let bridge = TestBridge::start().await;
    let of = |id: &str| Reach::Firms([FirmId::new(id)].into());
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    assert_eq!(operator.get("/mapping/acme").await.status, 200);
    assert_eq!(operator.get("/mapping/acme/edit").await.status, 403);
    assert_eq!(operator.post("/mapping/acme/edit", &[("do", "save")]).await.status, 403);
    let mut other = Person::signed_in(&bridge, "ot", Role::Admin, of("other")).await;
    assert_eq!(other.get("/mapping/acme/edit").await.status, 404);
    assert_eq!(other.post("/mapping/acme/edit", &[("from", "0"), ("do", "back")]).await.status, 404);
    let mut admin = Person::signed_in(&bridge, "ad", Role::Admin, of("acme")).await;
    assert_eq!(press(&mut admin, &[], "save").await.status, 303);
    let late = admin.post("/mapping/acme/edit", &[("from", "0"), ("do", "back")]).await;
    assert_eq!(late.status, 409, "{}", late.text);
}
