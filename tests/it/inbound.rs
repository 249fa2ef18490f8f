//! What a firm may say about its CASEpeer side's webhooks, seen over HTTP; and a changed file taken over while it runs.

use casebridge::cli::reload::{Looked, Reloader};
use casebridge::config::Loaded;
use casebridge::domain::EventState;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::story::grace;
use crate::support::{Installation, SYNC, TestBridge, Vendors, clock, configuration_text};

const SECRET: &str = "the-secret-of-the-firm";

const OWN: &str = r#"
[firms.casepeer.inbound.verify]
kind = "basic"
user = "hook"
[firms.casepeer.inbound.handshake]
kind = "header"
header = "X-Hook-Secret"
[firms.casepeer.inbound.answers.stored]
status = 200
body = { Success = "true", CaseId = "{event}" }
[firms.casepeer.inbound.answers.busy]
status = 500
"#;

fn vendors() -> Vendors<'static> {
    Vendors {
        highlevel_url: "http://127.0.0.1:1",
        highlevel_key: "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
        location: "loc-1",
        highlevel_token: "unused-token",
        casepeer_url: "http://127.0.0.1:1",
        casepeer_token: "unused-token",
        inbound_token: "inbound-token-of-acme",
        webhook_secret: SECRET,
    }
}

fn post(installation: &Installation, body: &str) -> RequestBuilder {
    let url = format!("{}/webhooks/casepeer/inbound-token-of-acme", installation.url);
    Client::new().post(url).body(body.to_owned())
}

#[tokio::test]
async fn a_sender_is_proven_and_answered_as_the_firm_says() {
    let installation = Installation::start(&vendors(), &format!("{OWN}{SYNC}"), clock());
    let body = r#"{"id":"e1","type":"lead.created","data":{"lead":{"id":"L-1"}}}"#;
    let answer = post(&installation, body).basic_auth("hook", Some(SECRET)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let said: Value = answer.json().await.unwrap();
    let id = installation.events().await[0].id.to_string();
    assert_eq!(said, json!({"Success": "true", "CaseId": id}));
    assert_eq!(installation.last_story().await.verified_by, "basic");
    let again = post(&installation, body).basic_auth("hook", Some(SECRET)).send().await.unwrap();
    assert_eq!(again.json::<Value>().await.unwrap()["status"], "duplicate");

    for wrong in [
        post(&installation, body),
        post(&installation, body).basic_auth("hook", Some("another")),
        post(&installation, body).bearer_auth(SECRET),
    ] {
        let answer = wrong.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json::<Value>().await.unwrap()["type"], "/problems/invalid-signature");
    }
    assert_eq!(installation.events().await.len(), 1);
}

#[tokio::test]
async fn a_handshake_is_echoed_within_bounds_and_only_where_the_firm_says() {
    let installation = Installation::start(&vendors(), &format!("{OWN}{SYNC}"), clock());
    let answer = post(&installation, "").header("X-Hook-Secret", "a-b_C.1").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-hook-secret"], "a-b_C.1");
    assert_eq!(answer.text().await.unwrap(), "");
    for wrong in ["a".repeat(257), "two words".into(), String::new()] {
        let answer = post(&installation, "").header("X-Hook-Secret", &wrong).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{wrong}");
        assert!(!answer.headers().contains_key("x-hook-secret"));
    }
    assert!(installation.events().await.is_empty(), "nothing is kept of it");
    let silent = Installation::start(&vendors(), SYNC, clock());
    let answer = post(&silent, "").header("X-Hook-Secret", "a").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_source_that_only_says_updated_is_compared_with_what_was_seen_last() {
    let events = "[firms.casepeer.events.types]\n\"case.status_changed\" = \"case.updated\"\n";
    let bridge = TestBridge::with(&format!("{events}{SYNC}")).await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    assert_eq!(bridge.highlevel.opportunities()[0]["status"], "won", "{}", bridge.installation.tell().await);
    let tags = bridge.highlevel.contacts()[0]["tags"].clone();
    assert!(tags.as_array().unwrap().contains(&json!("cp:signed")));
    // Told again under another id, the status is the one it was last seen in.
    let writes = bridge.writes();
    let told = bridge.installation.events().await.pop().unwrap();
    bridge.installation.bridge.replay(told.id).await.unwrap();
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_changed_file_is_taken_over_or_refused_while_it_runs() {
    let installation = Installation::start(&vendors(), SYNC, clock());
    let path = installation.directory().join("casebridge.toml");
    let text = |sync: &str| configuration_text(installation.directory(), &vendors(), sync);
    std::fs::write(&path, text(SYNC)).unwrap();
    let mut reloader = Reloader::new(installation.bridge.clone(), Loaded::read(&path).unwrap());
    assert_eq!(reloader.look(), Looked::Same);

    let body = r#"{"id":"e1","type":"lead.created","data":{"lead":{"id":"L-1"}}}"#;
    let status =
        async || post(&installation, body).basic_auth("hook", Some(SECRET)).send().await.unwrap().status();
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);

    std::fs::write(&path, text(&format!("{}{SYNC}", OWN.replace("status = 500", "status = 204")))).unwrap();
    let Looked::Refused(why) = reloader.look() else { panic!("taken over") };
    assert!(
        why.contains("casepeer.inbound.answers.busy: a webhook that is not safe must come again"),
        "{why}"
    );
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "what was in force stays");

    std::fs::write(&path, text(&format!("{OWN}{SYNC}"))).unwrap();
    assert_eq!(reloader.look(), Looked::TakenOver);
    assert_eq!(status().await, StatusCode::OK);
    assert_eq!(reloader.look(), Looked::Same);
    assert_eq!(reloader.reload(), Looked::TakenOver, "as on SIGHUP");
    assert_eq!(installation.count(EventState::Ready).await, 1);
}
