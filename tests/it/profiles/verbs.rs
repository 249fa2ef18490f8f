//! `casebridge profiles` as a person types it, and the credentials that a request carries.

use std::path::Path;

use casebridge::bridge::casepeer_client;
use casebridge::config;
use casebridge::operations::casepeer::health;
use serde_json::json;
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::oauth::account;
use crate::support::{TestBridge, casebridge, clock};

/// The firm's configuration with another account and this credential; its secret is `hush-hush`.
fn with(text: &str, directory: &Path, url: &str, auth: &str) -> String {
    std::fs::write(directory.join("own-secret"), "hush-hush").unwrap();
    let secret = format!("{{ file = {:?} }}", directory.join("own-secret").display().to_string());
    let own = text.rsplit("base_url = \"").next().unwrap().split('"').next().unwrap().to_owned();
    let line = text.lines().find(|line| line.starts_with("auth = ")).unwrap();
    text.replace(line, &format!("auth = {}", auth.replace("SECRET", &secret))).replace(&own, url)
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_json(json!({}))).mount(&server).await;
    server
}

#[tokio::test]
async fn each_kind_of_credential_goes_where_it_belongs() {
    let server = server().await;
    let here = tempfile::tempdir().unwrap();
    let vendors = crate::support::Vendors {
        highlevel_url: "http://127.0.0.1:9",
        highlevel_key: "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
        location: "loc-1",
        highlevel_token: "token",
        casepeer_url: "http://own.invalid",
        casepeer_token: "bearer",
        inbound_token: "inbound-token-of-acme",
        webhook_secret: "webhook-secret",
    };
    let text = crate::support::configuration_text(here.path(), &vendors, "");
    let header = |request: &Request, name: &str| {
        request.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    for (auth, name, value, query) in [
        ("{ kind = \"none\" }", "authorization", None, None),
        ("{ kind = \"bearer_static\", token = SECRET }", "authorization", Some("Bearer hush-hush"), None),
        (
            "{ kind = \"basic\", user = \"ada\", password = SECRET }",
            "authorization",
            Some("Basic YWRhOmh1c2gtaHVzaA=="),
            None,
        ),
        (
            "{ kind = \"api_key\", in = \"header\", name = \"X-Key\", key = SECRET }",
            "x-key",
            Some("hush-hush"),
            None,
        ),
        (
            "{ kind = \"api_key\", in = \"query\", name = \"key\", key = SECRET }",
            "authorization",
            None,
            Some("key=hush-hush"),
        ),
    ] {
        let config =
            config::parse("own.toml", &with(&text, here.path(), &server.uri(), auth), &Vec::new()).unwrap();
        let clock: casebridge::clock::SharedClock = clock();
        let client = casepeer_client(&config, &config.firms[0], &clock).unwrap();
        let exchange = client.send(&health(client.profile()).unwrap(), None, None).await;
        assert_eq!(exchange.status(), Some(200), "{auth}");
        assert_eq!(exchange.target, "GET /me", "no query is kept of it");
        let asked = server.received_requests().await.unwrap().pop().unwrap();
        assert_eq!((header(&asked, name).as_deref(), asked.url.query()), (value, query), "{auth}");
    }
}

#[tokio::test]
async fn an_operation_is_tried_and_its_secrets_are_masked() {
    let server = MockServer::start().await;
    let lead = json!({ "id": "L-1", "status": "Intake", "client": { "first_name": "Ada" }, "access_token": "planted-answer" });
    let answer = ResponseTemplate::new(200).set_body_json(lead);
    Mock::given(method("GET")).and(path("/leads/L-1")).respond_with(answer).mount(&server).await;
    let refusal = json!({ "error": { "code": "not_found", "message": "no such lead" } });
    let refusal = ResponseTemplate::new(404).set_body_json(refusal);
    Mock::given(path("/leads/L-2")).respond_with(refusal).mount(&server).await;
    let url = server.uri();
    let auth = "{ kind = \"bearer_static\", token = SECRET }";
    let bridge = TestBridge::edited(|text, directory| with(&text, directory, &url, auth)).await;
    let Some((code, out, err)) = casebridge(&bridge, &["profiles", "try", "acme", "lead.get", "--id", "L-1"])
    else {
        return;
    };
    assert_eq!(code, 0, "{err}");
    for words in [
        "→ GET ",
        "/leads/L-1\n  Authorization: ***",
        "← 200 in ",
        "\"access_token\": \"***\"",
        "= as the bridge reads it",
        "\"status\": \"Intake\"",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    assert!(!out.contains("hush-hush") && !out.contains("planted-answer"), "{out}");
    let (code, out, err) =
        casebridge(&bridge, &["profiles", "try", "acme", "lead.get", "--id", "L-2"]).unwrap();
    assert_eq!(code, 1, "{out}");
    assert!(err.contains("lead.get: answered 404") && out.contains("no such lead"), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_tried_with_the_tokens_that_a_person_gave() {
    let bridge = TestBridge::edited(|text, directory| account::by_account(&text, directory, "")).await;
    let health = ["profiles", "try", "acme", "health"];
    let Some((code, out, err)) = casebridge(&bridge, &health) else { return };
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        err.contains("it is not connected; connect it with `casebridge firms connect acme --casepeer`"),
        "{err}"
    );
    let (status, page) = account::connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    let (code, out, err) = casebridge(&bridge, &health).unwrap();
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("/me\n  Authorization: ***") && out.contains("← 200 in "), "{out}");
    assert_eq!(bridge.casepeer.oauth_counts().dead_calls, 0);
}
