//! Who is who, by the program and by its API: found by e-mail, phone and record, told as one story, linked, merged and
//! made two again.

use casebridge::domain::EventState;
use casebridge::twin::NewLead;
use reqwest::Client;
use serde_json::{Value, json};

use crate::story::{ada, grace};
use crate::support::{TestBridge, casebridge};

/// The program beside the bridge goes by the real time, which the test's own clock must have reached.
const PROGRAMS_CLOCK: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 365 * 20);

async fn post(bridge: &TestBridge, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/people{path}", bridge.installation.admin_url);
    let answer = Client::new().post(url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(bridge: &TestBridge, path: &str) -> (u16, Value) {
    let answer =
        reqwest::get(format!("{}/api/v1/people{path}", bridge.installation.admin_url)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_person_is_found_by_email_phone_and_record_and_told_as_one_story() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let (_, all) = get(&bridge, "?firm=acme").await;
    assert_eq!(all.as_array().unwrap().len(), 2);
    let first = all[0]["id"].as_i64().unwrap();
    assert_eq!(get(&bridge, &format!("?after={first}&limit=5")).await.1, json!([all[1]]));
    assert_eq!(get(&bridge, "?firm=other").await.1, json!([]));
    let record = format!("highlevel:contact:{contact}");
    let mut found = Vec::new();
    for by in [
        json!({ "email": " ADA@example.com" }),
        json!({ "phone": "512 555 0100", "firm": "acme" }),
        json!({ "record": record, "firm": "acme" }),
    ] {
        let (code, rows) = post(&bridge, "/search", by.clone()).await;
        assert_eq!((code, rows.as_array().unwrap().len()), (200, 1), "{by}: {rows}");
        found.push(rows[0].clone());
    }
    assert!(found.iter().all(|row| *row == found[0]), "{found:?}");
    assert!(found[0]["records"].as_array().unwrap().contains(&json!(record)));
    for (by, code) in [
        (json!({ "email": "nobody@example.com" }), 200),
        (json!({ "email": "ada@example.com", "firm": "other" }), 200),
        (json!({ "record": "highlevel:contact:nobody", "firm": "acme" }), 200),
        (json!({ "record": record }), 400),
        (json!({}), 400),
        (json!({ "email": "a@example.com", "phone": "1" }), 400),
    ] {
        let (answered, rows) = post(&bridge, "/search", by.clone()).await;
        assert_eq!(answered, code, "{by}: {rows}");
        assert!(code == 400 || rows == json!([]), "{by}: {rows}");
    }
    let (_, story) = get(&bridge, &format!("/{}", found[0]["id"])).await;
    assert_eq!(story["links"][0]["highlevel"], record);
    assert_eq!(story["events"][0]["type"], "ContactCreate");
    assert_eq!(story["events"].as_array().unwrap().last().unwrap()["type"], "lead.created", "its echo");
    assert_eq!(get(&bridge, "/999").await.0, 404);
    assert_eq!(get(&bridge, "/ada").await.0, 404);
    // A new address finds the same person.
    bridge.highlevel.update_contact(&contact, json!({ "email": "ada.king@example.com" }));
    bridge.settle().await;
    assert_eq!(
        post(&bridge, "/search", json!({ "email": "ada.king@example.com" })).await.1[0]["id"],
        found[0]["id"]
    );
}

#[tokio::test]
async fn people_are_linked_merged_and_made_two_by_the_api() {
    let bridge = TestBridge::start().await;
    let other = NewLead { first_name: "G.".into(), email: "g@example.com".into(), ..NewLead::default() };
    bridge.highlevel.create_contact(ada());
    let lead = bridge.casepeer.create_lead(NewLead { last_name: "Murray".into(), ..other });
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let (contact, matter) = (format!("highlevel:contact:{contact}"), format!("casepeer:lead:{lead}"));
    let body = |firm: &str, contact: &str, matter: &str| json!({ "firm": firm, "contact": contact, "matter": matter });
    assert_eq!(post(&bridge, "/link", body("other", &contact, &matter)).await.0, 404);
    assert_eq!(post(&bridge, "/link", body("acme", &matter, &contact)).await.0, 400);
    assert_eq!(post(&bridge, "/link", body("acme", "Ada", &matter)).await.0, 400);
    let (code, linked) = post(&bridge, "/link", body("acme", &contact, &matter)).await;
    assert_eq!(code, 200, "{linked}");
    let id = linked["person"].as_i64().unwrap();
    let (_, story) = get(&bridge, &format!("/{id}")).await;
    assert!(story["records"].as_array().unwrap().contains(&json!(matter)), "{story}");
    // Both are worked on as one, and one's change reaches the other.
    bridge.highlevel.update_contact(&contact[18..], json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.lead(&lead).unwrap()["client"]["address"]["city"], "Dallas");

    let (code, split) = post(&bridge, "/split", json!({ "firm": "acme", "records": [matter] })).await;
    assert_eq!((code, &split["records"]), (200, &json!([matter])), "{split}");
    assert_eq!(post(&bridge, "/split", json!({ "firm": "acme", "records": [matter] })).await.0, 409);
    let (one, two) = (split["from"].as_i64().unwrap(), split["to"].as_i64().unwrap());
    let (code, merged) = post(&bridge, "/merge", json!({ "people": [one, two] })).await;
    assert_eq!((code, merged["person"].as_i64()), (200, Some(one.min(two))), "{merged}");
    assert_eq!(post(&bridge, "/merge", json!({ "people": [one, 999] })).await.0, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verbs_for_people_say_what_they_did_and_what_to_do_instead() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let (contact, matter) = (format!("highlevel:contact:{contact}"), format!("casepeer:lead:{lead}"));
    let run = |arguments: &[&str]| casebridge(&bridge, &[&["people"], arguments].concat());
    let Some((code, _, err)) = run(&["link", &matter, &contact]) else { return };
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("hint: casebridge people link highlevel:contact:ID casepeer:lead:ID"), "{err}");
    let (code, out, err) = run(&["link", &contact, &matter]).unwrap();
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("are linked"), "{out}");
    let (code, out, _) = run(&["show", &contact]).unwrap();
    assert_eq!(code, 0);
    for part in
        ["links", &format!("{contact} = {matter}"), "timeline", "ContactCreate", "create a lead in CASEpeer"]
    {
        assert!(out.contains(part), "{part:?} is not in\n{out}");
    }
    let (_, out, _) = run(&["show", &contact, "--json"]).unwrap();
    let story: Value = serde_json::from_str(&out).unwrap();
    assert!(story["links"].as_array().unwrap().len() >= 2, "{story}");
    let (code, out, _) = run(&["split", &matter, "--by", "maria"]).unwrap();
    assert_eq!(code, 0);
    assert!(out.contains("now belong to person"), "{out}");
    let (code, out, _) = run(&["merge", &contact, &matter]).unwrap();
    assert_eq!(code, 0);
    assert!(out.starts_with("they are person"), "{out}");
    let (code, _, err) = run(&["show", "999"]).unwrap();
    assert_eq!(code, 1);
    assert!(err.contains("the bridge knows no person 999"), "{err}");
    let (code, _, err) = run(&["split", "casepeer:lead:nobody"]).unwrap();
    assert_eq!(code, 1);
    assert!(err.contains("nobody's record is called casepeer:lead:nobody"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verbs_for_questions_list_show_and_answer_them() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.allow_duplicates(true);
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let desk = NewLead {
        first_name: "Ada".into(),
        last_name: "King".into(),
        phone: "512-555-0100".into(),
        ..NewLead::default()
    };
    bridge.casepeer.create_lead(desk);
    bridge.settle().await;
    assert_eq!(bridge.installation.count(EventState::InReview).await, 1);
    let Some((code, out, _)) = casebridge(&bridge, &["review", "list", "--json"]) else { return };
    assert_eq!(code, 0);
    let row: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let id = row["id"].as_str().unwrap();
    let event = bridge.installation.last_story().await.row.id.to_string();
    let (_, out, _) = casebridge(&bridge, &["events", "show", &event]).unwrap();
    assert!(out.contains(&format!("casebridge review show {id}")), "{out}");
    let (code, out, _) = casebridge(&bridge, &["review", "show", id]).unwrap();
    assert_eq!(code, 0);
    assert!(out.contains("Byron") && out.contains("King"), "both sides: {out}");
    let (code, _, err) = casebridge(&bridge, &["review", "resolve", id, "--action", "retry"]).unwrap();
    assert_ne!(code, 0, "{err}");
    let (code, out, err) = casebridge(&bridge, &["review", "resolve", id, "--action", "create"]).unwrap();
    assert_eq!(code, 0, "{out}{err}");
    bridge.wait(PROGRAMS_CLOCK).await;
    assert_eq!(bridge.highlevel.contacts().len(), 2, "{}", bridge.installation.tell().await);
    let (code, _, err) = casebridge(&bridge, &["review", "resolve", id, "--action", "create"]).unwrap();
    assert_eq!(code, 1);
    assert!(err.contains("answered already"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verbs_for_sweeps_and_backfills_tell_counts_and_never_names() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.drop_next_webhooks(1);
    bridge.highlevel.create_contact(ada());
    bridge.deliver().await;
    let Some((code, out, err)) = casebridge(&bridge, &["backfill", "--firm", "acme", "--dry-run"]) else {
        return;
    };
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("will create        1"), "{out}");
    let (code, out, _) = casebridge(&bridge, &["backfill", "--firm", "acme", "--dry-run", "--json"]).unwrap();
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["will_create"], &report["dry_run"]), (0, &json!(1), &json!(true)));
    let (code, _, err) = casebridge(&bridge, &["backfill", "--firm", "nobody"]).unwrap();
    assert_eq!(code, 1);
    assert!(err.contains("there is no firm `nobody`") && err.contains("hint:"), "{err}");
    let (code, out, err) = casebridge(&bridge, &["backfill", "--firm", "acme", "--json"]).unwrap();
    assert_eq!(code, 0, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["read"], &report["announced"]), (&json!(1), &json!(1)), "{report}");
    bridge.wait(PROGRAMS_CLOCK).await;
    assert_eq!(bridge.casepeer.leads().len(), 1);

    let (code, out, err) = casebridge(&bridge, &["reconcile", "--dry-run", "--json"]).unwrap();
    assert_eq!(code, 0, "{err}");
    let reports: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&reports[0]["firm"], &reports[0]["dry_run"]), (&json!("acme"), &json!(true)), "{reports}");
    let (code, out, _) = casebridge(&bridge, &["reconcile", "--report", "--json"]).unwrap();
    assert_eq!(code, 0);
    assert!(serde_json::from_str::<Value>(&out).unwrap().is_array(), "{out}");
    for told in [&out, &err] {
        assert!(!told.contains("Ada") && !told.contains("Byron"), "{told}");
    }
}

#[tokio::test]
async fn the_loss_meter_is_told_by_the_api_and_in_the_metrics() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.wait(jiff::SignedDuration::from_secs(1)).await;
    bridge.highlevel.drop_next_webhooks(1);
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.deliver().await;
    bridge.wait(jiff::SignedDuration::from_hours(3)).await;
    bridge.sweep().await;
    bridge.settle().await;
    let url = |path: &str| format!("{}{path}", bridge.installation.admin_url);
    let rows: Value = reqwest::get(url("/api/v1/losses?firm=acme")).await.unwrap().json().await.unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["kind"] == "highlevel:contact").unwrap();
    assert_eq!((&row["healed"], &row["unexplained"]), (&json!(1), &json!(0)), "{row}");
    assert_eq!(reqwest::get(url("/api/v1/losses?since=yesterday")).await.unwrap().status(), 400);
    let none: Value = reqwest::get(url("/api/v1/losses?firm=other")).await.unwrap().json().await.unwrap();
    assert_eq!(none, json!([]));
    let metrics = reqwest::get(url("/metrics")).await.unwrap().text().await.unwrap();
    for name in ["casebridge_loss_healed", "casebridge_loss_unexplained", "casebridge_loss_coverage"] {
        let line = format!("{name}{{firm=\"acme\",kind=\"highlevel:contact\"}}");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_map_is_tried_on_what_came_and_does_nothing() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    let Some(_) = bridge.installation.sqlite_file() else { return };
    let usual = bridge.installation.directory().join("casebridge.toml");
    let changed = bridge.installation.directory().join("changed.toml");
    let text = std::fs::read_to_string(&usual).unwrap();
    std::fs::write(&changed, text.replace("stage = \"Signed\"", "stage = \"New lead\"")).unwrap();
    let what_if = |with: &std::path::Path| {
        let with = with.to_str().unwrap();
        let since = "2026-11-24T00:00:00Z";
        casebridge(&bridge, &["events", "what-if", "--with", with, "--since", since, "--json"]).unwrap()
    };
    let writes = bridge.writes();
    let (code, out, err) = what_if(&changed);
    assert_eq!(code, 0, "{err}");
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!rows.is_empty(), "{err}");
    for row in &rows {
        assert_eq!(row["no_longer"], json!([]), "{row}");
        let calls = row["instead"].as_array().unwrap();
        assert!(
            calls.iter().all(|call| call.as_str().unwrap().starts_with("move highlevel:opportunity:")),
            "{row}"
        );
    }
    let (code, out, err) = what_if(&usual);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains(" 0 would make other calls"), "{err}");
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes);
}
