//! The actions API: a token, a catalog action, an answer; made once, seen, and within the token's rights.

use casebridge::domain::EventState;
use casebridge::store::{CallRecord, NewToken};
use casebridge::twin::Fault;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::story::ada;
use crate::support::TestBridge;

const TOKEN: &str = "cbt_the-token-of-a-program";

async fn start(firms: &[&str], actions: &[&str]) -> TestBridge {
    let bridge = TestBridge::start().await;
    let owned = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    let token = NewToken {
        id: "t1".into(),
        name: "zapier".into(),
        digest: Sha256::digest(TOKEN).into(),
        firms: owned(firms),
        actions: owned(actions),
        by: "maria".into(),
    };
    bridge.installation.store.add_token(token).await.unwrap();
    bridge
}

fn post(bridge: &TestBridge, action: &str) -> RequestBuilder {
    Client::new().post(format!("{}/api/v1/actions/{action}", bridge.installation.url)).bearer_auth(TOKEN)
}

/// Answered at once, worked on, and asked for.
async fn called(bridge: &TestBridge, request: RequestBuilder) -> Value {
    let accepted = request.send().await.unwrap();
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    let place = accepted.headers()["location"].to_str().unwrap().to_owned();
    bridge.settle().await;
    let answer = Client::new().get(format!("{}{place}", bridge.installation.url)).bearer_auth(TOKEN);
    answer.send().await.unwrap().json().await.unwrap()
}

async fn calls(bridge: &TestBridge) -> Vec<CallRecord> {
    let event =
        bridge.installation.events().await.into_iter().find(|row| row.kind.starts_with("action:")).unwrap();
    bridge.installation.store.event(event.id).await.unwrap().unwrap().calls
}

#[tokio::test]
async fn an_action_is_carried_out_once_and_answered() {
    let bridge = start(&["acme"], &["contacts.*"]).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let ask = || {
        post(&bridge, "contacts.create-note")
            .header("Idempotency-Key", "k1")
            .json(&json!({ "parameters": { "contactId": contact, "body": "Called back" } }))
    };
    let done = called(&bridge, ask()).await;
    assert_eq!(
        (&done["status"], &done["vendor_status"], &done["action"]),
        (&json!("done"), &json!(201), &json!("contacts.create-note")),
        "{done}"
    );
    assert_eq!(done["result"]["note"]["body"], "Called back", "{done}");
    let again: Value = ask().send().await.unwrap().json().await.unwrap();
    assert_eq!(again, done, "a repeat answers the first result");
    assert_eq!(bridge.highlevel.notes(&contact).len(), 1);
    let other = ask().json(&json!({ "parameters": { "contactId": contact, "body": "Something else" } }));
    assert_eq!(other.send().await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    let calls = calls(&bridge).await;
    assert_eq!((calls.len(), calls[0].operation.as_str()), (1, "contacts.create-note"));
    let search = post(&bridge, "contacts.get-contact")
        .json(&json!({ "firm": "acme", "parameters": { "contactId": contact } }));
    assert_eq!(called(&bridge, search).await["result"]["contact"]["firstName"], "Ada");
}

#[tokio::test]
async fn a_caller_may_wait_for_the_answer() {
    let bridge = start(&["acme"], &["contacts.get-contact"]).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let ask = post(&bridge, "contacts.get-contact")
        .header("Prefer", "respond-async, wait=20")
        .json(&json!({ "parameters": { "contactId": contact } }));
    let asking = tokio::spawn(ask.send());
    let answer: Response = loop {
        bridge.installation.step().await;
        if asking.is_finished() {
            break asking.await.unwrap().unwrap();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.json::<Value>().await.unwrap()["status"], "done");
}

#[tokio::test]
async fn what_a_vendor_refuses_is_told_and_waits_for_nobody() {
    let bridge = start(&["acme"], &["contacts.add-tags"]).await;
    let ask = post(&bridge, "contacts.add-tags")
        .json(&json!({ "parameters": { "contactId": "nobody", "tags": ["a"] } }));
    let refused = called(&bridge, ask).await;
    assert_eq!(refused["status"], "refused", "{refused}");
    assert!(refused["vendor_status"].as_u64().unwrap() >= 400 && !refused["reason"].is_null());
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 0);
}

#[tokio::test]
async fn a_vendor_that_is_away_is_tried_again() {
    let bridge = start(&["acme"], &["contacts.add-tags"]).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.fault(Fault::status(503).on("POST", &format!("/contacts/{contact}/tags")));
    let ask = post(&bridge, "contacts.add-tags")
        .json(&json!({ "parameters": { "contactId": contact, "tags": ["vip"] } }));
    let accepted: Value = called(&bridge, ask).await;
    assert_eq!(accepted["status"], "accepted", "{accepted}");
    bridge.wait(jiff::SignedDuration::from_mins(2)).await;
    assert_eq!(bridge.highlevel.contact(&contact).unwrap()["tags"], json!(["vip"]));
}

#[tokio::test]
async fn every_refusal_names_what_is_missing() {
    let bridge = start(&["acme"], &["contacts.add-tags", "contacts.nothing"]).await;
    let ask = async |action: &str, body: Value| {
        let answer = post(&bridge, action).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, problem) = ask("contacts.create-note", json!({})).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("no right to `contacts.create-note`"), "{problem}");
    let (status, problem) = ask("contacts.add-tags", json!({ "firm": "bell", "parameters": {} })).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("no right to the firm `bell`"), "{problem}");
    let (status, problem) =
        ask("contacts.add-tags", json!({ "parameters": { "tags": "vip", "contact": "c" } })).await;
    assert_eq!(status, 422);
    let mut named: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().filter_map(|one| one["parameter"].as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["contact", "contactId", "tags"], "{problem}");
    assert_eq!(ask("contacts.nothing", json!({})).await.0, 404);
    assert_eq!(ask("contacts.add-tags", json!({ "parametres": {} })).await.0, 400);
    assert!(bridge.installation.events().await.is_empty(), "nothing was stored");
}

#[tokio::test]
async fn without_a_good_token_nobody_gets_in() {
    let bridge = start(&["acme"], &["contacts.add-tags"]).await;
    let url = format!("{}/api/v1/actions/contacts.add-tags", bridge.installation.url);
    let ask = async |token: Option<&str>| {
        let request = Client::new().post(&url).json(&json!({}));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap().status()
    };
    for token in [None, Some(""), Some("cbt_another"), Some("twin-token"), Some(&"x".repeat(1_000)[..])] {
        assert_eq!(ask(token).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(ask(Some(TOKEN)).await, StatusCode::UNPROCESSABLE_ENTITY);
    bridge.installation.store.revoke_token("t1").await.unwrap();
    assert_eq!(ask(Some(TOKEN)).await, StatusCode::UNAUTHORIZED, "a revoked token ends at once");
    let status =
        format!("{}/api/v1/actions/calls/019ab5a2-7c1e-7d3a-9f3c-0d9f3b1f2a10", bridge.installation.url);
    assert_eq!(Client::new().get(status).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
