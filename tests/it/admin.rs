//! The admin listener: who may use it, and what it tells.

use reqwest::Client;
use serde_json::{Value, json};

use crate::story::ada;
use crate::support::TestBridge;

#[tokio::test]
async fn events_can_be_listed_shown_replayed_and_discarded() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(casebridge::twin::Fault::status(422).on("POST", "/leads").times(1));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let client = Client::new();
    let url = |path: &str| format!("{}/api/v1/events{path}", bridge.installation.admin_url);
    let get = async |path: &str| {
        let answer = client.get(url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };

    let (code, rows) = get("?state=undelivered&firm=acme").await;
    assert_eq!((code, rows.as_array().unwrap().len()), (200, 1));
    let keys: Vec<&str> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["firm", "id", "reason", "received_at", "source", "state", "type"]);
    let id = rows[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(get("?firm=other").await.1, json!([]));
    assert_eq!(get(&format!("?before={id}")).await.1, json!([]));
    let (code, problem) = get("?state=lost").await;
    assert_eq!(code, 400);
    assert!(problem["detail"].as_str().unwrap().contains("the states are waiting, ready"), "{problem}");
    assert_eq!(get("?status=done").await.0, 400, "a misspelt parameter is not passed over");

    let (_, story) = get(&format!("/{id}")).await;
    assert_eq!(story["verified_by"], "ed25519");
    assert_eq!(story["plan"]["commands"][0]["command"], "create a lead in CASEpeer");
    assert_eq!(story["calls"].as_array().unwrap().last().unwrap()["class"], "rejected");
    assert_eq!(get("/0190d2a5-7b1c-7e83-8f64-0c8e3f6d2a11").await.0, 404);
    assert_eq!(get("/nonsense").await.0, 404);

    let post = async |path: &str, body: Value| {
        let answer = client.post(url(path)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(post(&format!("/{id}/discard"), json!({ "reason": " " })).await.0, 400);
    assert_eq!(post(&format!("/{id}/discard"), json!({ "reason": "a test" })).await.1["state"], "discarded");
    assert_eq!(post(&format!("/{id}/discard"), json!({ "reason": "again" })).await.0, 409);
    assert_eq!(post(&format!("/{id}/replay"), json!({})).await.0, 202);
    assert_eq!(post(&format!("/{id}/replay"), json!({})).await.0, 409, "it is not settled yet");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
}

#[tokio::test]
async fn only_this_machine_gets_in_without_a_token() {
    let bridge = TestBridge::start().await;
    let url = format!("{}/metrics", bridge.installation.admin_url);
    let client = Client::new();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    for (name, value) in [("host", "rebound.example"), ("x-forwarded-for", "203.0.113.7")] {
        let answer = client.get(&url).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{name}");
        assert_eq!(answer.json::<Value>().await.unwrap()["type"], "/problems/unauthorised");
    }
    let replay = format!("{}/api/v1/events/x/replay", bridge.installation.admin_url);
    let answer = client.post(replay).header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(answer.status(), 401, "a page of another site cannot act for a person on this machine");
}

#[tokio::test]
async fn metrics_count_what_came_and_what_was_made_of_it() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let answer = reqwest::get(format!("{}/metrics", bridge.installation.admin_url)).await.unwrap();
    let text = answer.text().await.unwrap();
    for line in [
        "casebridge_webhooks_total{sender=\"highlevel\",result=\"recorded\"}",
        "casebridge_events_settled_total{source=\"highlevel\",state=\"done\"}",
        "casebridge_calls_total{vendor=\"casepeer\",operation=\"lead.create\",class=\"ok\"}",
        "casebridge_events{state=\"done\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    for planted in ["Ada", "ada@example.com", "5125550100"] {
        assert!(!text.contains(planted));
    }
}
