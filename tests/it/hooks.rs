//! Hooks: who subscribes to a trigger is told of it, signed, until it is delivered.

use casebridge::domain::EventState;
use casebridge::store::NewToken;
use jiff::SignedDuration;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use standardwebhooks::Webhook;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::story::{ada, grace};
use crate::support::TestBridge;

const TOKEN: &str = "cbt_the-token-of-a-program";

struct Stage {
    bridge: TestBridge,
    receiver: MockServer,
}

impl Stage {
    async fn start() -> Self {
        let receiver = MockServer::start().await;
        let url = receiver.uri();
        let bridge = TestBridge::edited(|text, _| format!("[hooks]\nallowed = [{url:?}]\n{text}")).await;
        let token = NewToken {
            id: "t1".into(),
            name: "zapier".into(),
            digest: Sha256::digest(TOKEN).into(),
            firms: vec!["acme".into()],
            actions: vec!["hooks".into()],
            by: "maria".into(),
        };
        bridge.installation.store.add_token(token).await.unwrap();
        Self { bridge, receiver }
    }

    async fn answers(&self, status: u16) {
        self.receiver.reset().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(status)).mount(&self.receiver).await;
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/hooks{path}", self.bridge.installation.url);
        let answer = Client::new().request(method, url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn subscribe(&self, trigger: &str) -> (String, String) {
        let url = format!("{}/hook", self.receiver.uri());
        let (status, made) = self.ask(Method::POST, "", json!({ "trigger": trigger, "url": url })).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }

    async fn received(&self) -> Vec<Request> {
        self.receiver.received_requests().await.unwrap()
    }
}

/// Checks a delivery as its receiver would, but for the clock.
fn is_signed_with(request: &Request, secret: &str) -> bool {
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    let stamp = header("webhook-timestamp").parse().unwrap();
    let expected = Webhook::new(secret).unwrap().sign(&header("webhook-id"), stamp, &request.body).unwrap();
    header("webhook-signature").split(' ').any(|one| one == expected)
}

#[tokio::test]
async fn a_subscriber_is_told_once_and_can_prove_it() {
    let stage = Stage::start().await;
    stage.answers(200).await;
    let (id, secret) = stage.subscribe("webhook.ContactCreate").await;
    let contact = stage.bridge.highlevel.create_contact(ada());
    stage.bridge.settle().await;
    stage.bridge.highlevel.redeliver_last();
    stage.bridge.settle().await;
    let received = stage.received().await;
    assert_eq!(received.len(), 1);
    assert!(is_signed_with(&received[0], &secret));
    let body: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(
        (&body["type"], &body["firm"], &body["data"]["id"]),
        (&json!("webhook.ContactCreate"), &json!("acme"), &json!(contact))
    );
    assert_eq!(body["data"]["firstName"], "Ada");
    let delivery = stage
        .bridge
        .installation
        .events()
        .await
        .into_iter()
        .find(|row| row.kind.starts_with("hook:"))
        .unwrap();
    let story = stage.bridge.installation.store.event(delivery.id).await.unwrap().unwrap();
    assert_eq!(
        (story.row.state, story.calls[0].operation.as_str(), story.calls[0].status),
        (EventState::Done, "hook.deliver", Some(200))
    );
    // It can be delivered once more on request, under the same id.
    stage.bridge.installation.bridge.replay(delivery.id).await.unwrap();
    stage.bridge.settle().await;
    let received = stage.received().await;
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].headers["webhook-id"], received[1].headers["webhook-id"]);
    assert_eq!(stage.ask(Method::DELETE, &format!("/{id}"), Value::Null).await.0, StatusCode::NO_CONTENT);
    stage.bridge.highlevel.create_contact(casebridge::twin::NewContact {
        email: "b@example.com".into(),
        phone: String::new(),
        ..ada()
    });
    stage.bridge.settle().await;
    assert_eq!(stage.received().await.len(), 2, "nobody listens any more");
}

#[tokio::test]
async fn a_receiver_that_is_away_is_tried_again_and_ended_after_days() {
    let stage = Stage::start().await;
    stage.answers(500).await;
    stage.subscribe("lead.created").await;
    stage.bridge.casepeer.create_lead(grace());
    stage.bridge.settle().await;
    assert_eq!(stage.bridge.installation.count(EventState::Retrying).await, 1);
    assert_eq!(stage.bridge.highlevel.contacts().len(), 1, "the sync does not wait for a receiver");
    stage.answers(200).await;
    stage.bridge.wait(SignedDuration::from_mins(5)).await;
    assert_eq!(
        (stage.received().await.len(), stage.bridge.installation.count(EventState::Retrying).await),
        (1, 0)
    );
    stage.answers(500).await;
    for day in 0..6 {
        let email = format!("p{day}@example.com");
        stage.bridge.casepeer.create_lead(casebridge::twin::NewLead {
            email,
            phone: String::new(),
            ..grace()
        });
        stage.bridge.settle().await;
        stage.bridge.wait(SignedDuration::from_hours(24)).await;
    }
    let (_, hooks) = stage.ask(Method::GET, "", Value::Null).await;
    assert_eq!(hooks[0]["ended"], "nothing was delivered for three days", "{hooks}");
    assert!(hooks[0].get("secret").is_none());
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_called_again() {
    let stage = Stage::start().await;
    stage.answers(410).await;
    stage.subscribe("webhook.ContactCreate").await;
    stage.bridge.highlevel.create_contact(ada());
    stage.bridge.settle().await;
    let (_, hooks) = stage.ask(Method::GET, "", Value::Null).await;
    assert_eq!(hooks[0]["ended"], "its receiver answered 410");
}

#[tokio::test]
async fn a_secret_is_rotated_with_a_day_of_overlap() {
    let stage = Stage::start().await;
    stage.answers(200).await;
    let (id, old) = stage.subscribe("webhook.ContactCreate").await;
    let (status, rotated) = stage.ask(Method::POST, &format!("/{id}/rotate"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let new = rotated["secret"].as_str().unwrap();
    stage.bridge.highlevel.create_contact(ada());
    stage.bridge.settle().await;
    let first = stage.received().await.remove(0);
    assert!(is_signed_with(&first, new) && is_signed_with(&first, &old));
    stage.bridge.wait(SignedDuration::from_hours(25)).await;
    stage.bridge.highlevel.create_contact(casebridge::twin::NewContact {
        email: "b@example.com".into(),
        phone: String::new(),
        ..ada()
    });
    stage.bridge.settle().await;
    let second = stage.received().await.remove(1);
    assert!(is_signed_with(&second, new) && !is_signed_with(&second, &old));
}

#[tokio::test]
async fn a_hook_must_lead_to_a_public_address_and_to_a_trigger() {
    let stage = Stage::start().await;
    for (body, expected) in [
        (json!({ "trigger": "webhook.ContactCreate", "url": "https://127.0.0.1/x" }), "not a public address"),
        (
            json!({ "trigger": "webhook.ContactCreate", "url": "http://www.example.com/x" }),
            "not called by https",
        ),
        (
            json!({ "trigger": "webhook.ContactCreate", "url": "ftp://www.example.com" }),
            "not an http or https address",
        ),
        (
            json!({ "trigger": "webhook.ContactCreated", "url": stage.receiver.uri() }),
            "did you mean `webhook.ContactCreate`?",
        ),
    ] {
        let (status, problem) = stage.ask(Method::POST, "", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
    }
    let (status, problem) =
        stage.ask(Method::POST, "", json!({ "firm": "bell", "trigger": "x", "url": "y" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    let (status, sample) = stage.ask(Method::GET, "/samples/webhook.ContactCreate", Value::Null).await;
    assert_eq!((status, &sample["data"]["firstName"]), (StatusCode::OK, &json!("Ada")));
    assert_eq!(stage.ask(Method::DELETE, "/nothing", Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_what_the_catalog_lists_is_told() {
    let stage = Stage::start().await;
    stage.answers(200).await;
    stage.subscribe("webhook.ContactCreate").await;
    let mut contact: Value = json!({ "id": "c1", "firstName": "Ada", "ssn": "078-05-1120" });
    contact["locationId"] = stage.bridge.highlevel.location().into();
    stage.bridge.highlevel.send_webhook("ContactCreate", contact);
    stage.bridge.settle().await;
    let body = String::from_utf8(stage.received().await.remove(0).body).unwrap();
    assert!(body.contains("Ada") && !body.contains("078-05-1120"), "{body}");
}
