//! The twin, looked at from outside: over HTTP, as a client and as a receiver of webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Fault, Misbehaviour, NewContact, NewLead, Twin, TwinConfig};
use crate::clock::{ManualClock, SystemClock};
use crate::webhook::casepeer::sign as casepeer;
use crate::webhook::highlevel::sign as highlevel;

type Received = (String, HeaderMap, Bytes);

/// A receiver of webhooks that accepts everything, and what it got.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Received>>>);

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let router = Router::new()
            .fallback(async |State(Self(inbox)): State<Self>, uri: Uri, headers: HeaderMap, body: Bytes| {
                inbox.lock().unwrap().push((uri.path().to_owned(), headers, body));
                StatusCode::ACCEPTED
            })
            .with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn types(&self) -> Vec<String> {
        self.take().iter().map(|(_, _, body)| body_of(body)["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn body_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

async fn twin() -> (Twin, Receiver) {
    let twin = Twin::start(TwinConfig::new(Arc::new(SystemClock))).await.unwrap();
    let (receiver, url) = Receiver::start().await;
    twin.set_bridge(&url);
    (twin, receiver)
}

fn ada() -> NewContact {
    NewContact {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        email: "Ada@example.com".into(),
        phone: "(555) 010-0100".into(),
        ..NewContact::default()
    }
}

struct Client<'a> {
    base: String,
    headers: Vec<(&'a str, &'a str)>,
}

impl Client<'_> {
    fn highlevel(twin: &Twin) -> Self {
        Self { base: twin.highlevel.url(), headers: vec![("version", "2021-07-28")] }
    }

    fn casepeer(twin: &Twin) -> Self {
        Self { base: twin.casepeer.url(), headers: Vec::new() }
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        more: &[(&str, &str)],
    ) -> reqwest::Result<Response> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut request = client.request(method, format!("{}{path}", self.base)).bearer_auth("twin-token");
        for (name, value) in self.headers.iter().chain(more) {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        request.send().await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.send_with(method, path, body, &[]).await
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Value,
        more: &[(&str, &str)],
    ) -> (u16, Value) {
        let response = self.try_send(method, path, &body, more).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }
}

#[tokio::test]
async fn highlevel_is_strict_about_bodies() {
    let (twin, _) = twin().await;
    let client = Client::highlevel(&twin);
    let location = twin.highlevel.location();
    for (body, message) in [
        (json!({"locationId": location, "ssn": "1"}), "property ssn should not exist"),
        (json!({"locationId": location, "email": 1}), "email must be a string"),
        (json!({"locationId": location, "email": "nobody"}), "email must be an email"),
        (json!({"firstName": "Ada"}), "locationId should not be empty"),
        (json!({"locationId": location, "tags": "a"}), "each value in tags must be a string"),
    ] {
        let (status, answer) = client.send(Method::POST, "/contacts/", body).await;
        assert_eq!(status, 422);
        assert_eq!(answer["message"][0], message);
        assert!(answer["traceId"].is_string());
    }
    assert_eq!(twin.highlevel.writes(), 0);
    twin.stop().await;
}

#[tokio::test]
async fn highlevel_wants_a_token_and_a_known_version() {
    let (twin, _) = twin().await;
    let id = twin.highlevel.create_contact(ada());
    let path = format!("/contacts/{id}");
    let base = twin.highlevel.url();
    for (headers, expected) in [
        (vec![("version", "2023-02-21")], 200),
        (vec![("version", "2020-01-01")], 401),
        (vec![], 401),
        (vec![("version", "2021-07-28"), ("authorization", "Bearer other")], 401),
    ] {
        let mut client = Client { base: base.clone(), headers };
        let foreign = client.headers.iter().position(|(name, _)| *name == "authorization");
        let status = match foreign.map(|at| client.headers.remove(at)) {
            // The client's own token comes first; a second header of the name is not looked at.
            Some((_, token)) => {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let request = http.get(format!("{base}{path}")).header("authorization", token);
                request.header("version", "2021-07-28").send().await.unwrap().status().as_u16()
            }
            None => client.send(Method::GET, &path, Value::Null).await.0,
        };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn a_duplicate_is_refused_with_the_id_of_the_first() {
    let (twin, _) = twin().await;
    let id = twin.highlevel.create_contact(ada());
    let client = Client::highlevel(&twin);
    let body = json!({"locationId": twin.highlevel.location(), "firstName": "A", "phone": "+15550100100"});
    let (status, answer) = client.send(Method::POST, "/contacts/", body).await;
    assert_eq!(status, 400);
    assert_eq!(
        answer["meta"],
        json!({"contactId": id, "matchingField": "phone", "contactName": "Ada Lovelace"})
    );
    let path = format!(
        "/contacts/search/duplicate?locationId={}&email=ADA%40example.com",
        twin.highlevel.location()
    );
    let (_, found) = client.send(Method::GET, &path, Value::Null).await;
    assert_eq!(found["contact"]["id"], id.as_str());
}

#[tokio::test]
async fn a_write_through_the_api_echoes_as_a_signed_webhook() {
    let (twin, receiver) = twin().await;
    twin.highlevel.echo_before_response(true);
    let client = Client::highlevel(&twin);
    let body =
        json!({"locationId": twin.highlevel.location(), "firstName": "Ada", "email": "ada@example.com"});
    let (status, created) = client.send(Method::POST, "/contacts/", body).await;
    assert_eq!(status, 201);

    // No flush: the echo came before the answer.
    let received = receiver.take();
    let [(path, headers, body)] = &received[..] else { panic!("one webhook") };
    assert_eq!(path, "/webhooks/highlevel");
    let key = STANDARD.decode(twin.highlevel.public_key()).unwrap();
    let signature = STANDARD.decode(&headers[highlevel::SIGNATURE_HEADER]).unwrap();
    UnparsedPublicKey::new(&ED25519, &key[12..]).verify(body, &signature).unwrap();
    let body = body_of(body);
    assert_eq!(body["type"], "ContactCreate");
    assert_eq!(body["id"], created["contact"]["id"]);
    assert!(body["webhookId"].is_string() && body["timestamp"].is_string());
    assert_eq!(twin.highlevel.writes(), 1);
    twin.stop().await;
}

#[tokio::test]
async fn tasks_and_notes_leave_the_contacts_date_alone() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    let id = twin.highlevel.create_contact(ada());
    clock.advance(jiff::SignedDuration::from_secs(60));
    let client = Client::highlevel(&twin);
    let task = json!({"title": "Call", "dueDate": "2026-01-02T00:00:00Z", "completed": false});
    let (status, task) = client.send(Method::POST, &format!("/contacts/{id}/tasks"), task).await;
    assert_eq!(status, 201);
    let path = format!("/contacts/{id}/tasks/{}/completed", task["task"]["id"].as_str().unwrap());
    assert_eq!(client.send(Method::PUT, &path, json!({"completed": true})).await.0, 200);
    assert_eq!(
        client.send(Method::POST, &format!("/contacts/{id}/notes"), json!({"body": "x"})).await.0,
        201
    );
    let contact = twin.highlevel.contact(&id).unwrap();
    assert_eq!(contact["dateUpdated"], "2026-01-01T00:00:00.000Z");
    let types: Vec<_> = twin.highlevel.deliveries().into_iter().map(|delivery| delivery.kind).collect();
    assert_eq!(types, ["ContactCreate", "TaskCreate", "TaskComplete", "NoteCreate"]);
}

#[tokio::test]
async fn highlevel_limits_a_burst() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    twin.highlevel.set_limits(2, 200_000);
    let client = Client::highlevel(&twin);
    let path = format!("/locations/{}", twin.highlevel.location());
    let answer = client.try_send(Method::GET, &path, &Value::Null, &[]).await.unwrap();
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "1");
    assert_eq!(client.send(Method::GET, &path, Value::Null).await.0, 200);
    assert_eq!(client.send(Method::GET, &path, Value::Null).await.0, 429);
    clock.advance(jiff::SignedDuration::from_secs(10));
    assert_eq!(client.send(Method::GET, &path, Value::Null).await.0, 200);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_thirty_seconds() {
    let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
    let twin = Twin::start(TwinConfig::new(clock.clone())).await.unwrap();
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let choose = format!(
        "{}/oauth/chooselocation?response_type=code&client_id=twinapp-1&redirect_uri=http://bridge/cb&state=s",
        twin.highlevel.url()
    );
    let redirect = http.get(choose).send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let code = redirect.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert!(redirect.ends_with("&state=s"));
    let token = async |grant: &str, name: &str, value: &str| {
        let form = [
            ("client_id", "twinapp-1"),
            ("client_secret", "twin-secret"),
            ("grant_type", grant),
            (name, value),
        ];
        let answer =
            http.post(format!("{}/oauth/token", twin.highlevel.url())).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, first) = token("authorization_code", "code", &code).await;
    assert_eq!(status, 200);
    let refresh = first["refresh_token"].as_str().unwrap();
    let (_, second) = token("refresh_token", "refresh_token", refresh).await;
    let (_, again) = token("refresh_token", "refresh_token", refresh).await;
    assert_eq!(second["refresh_token"], again["refresh_token"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    clock.advance(jiff::SignedDuration::from_secs(31));
    assert_eq!(token("refresh_token", "refresh_token", refresh).await.0, 400);
}

fn lead(reference: &str) -> Value {
    json!({"external_ref": reference, "case_type": "Auto Accident",
        "client": {"first_name": "Ada", "last_name": "Lovelace", "phone": "+15550100100"}})
}

#[tokio::test]
async fn the_same_key_and_body_get_the_first_answer() {
    let (twin, receiver) = twin().await;
    let client = Client::casepeer(&twin);
    let key = [("idempotency-key", "k1")];
    let (status, first) = client.send_with(Method::POST, "/leads", lead("r1"), &key).await;
    assert_eq!(status, 201);
    let (status, second) = client.send_with(Method::POST, "/leads", lead("r1"), &key).await;
    assert_eq!((status, &second), (201, &first));
    let (status, other) = client.send_with(Method::POST, "/leads", lead("r2"), &key).await;
    assert_eq!((status, &other["error"]["code"]), (422, &json!("idempotency_mismatch")));
    let (status, duplicate) = client.send(Method::POST, "/leads", lead("r1")).await;
    assert_eq!((status, &duplicate["existing_id"]), (409, &first["id"]));
    assert_eq!(twin.casepeer.writes(), 1);
    assert_eq!(twin.casepeer.ledger()[0].idempotency_key.as_deref(), Some("k1"));
    twin.flush().await;
    assert_eq!(receiver.types(), ["lead.created"]);
}

#[tokio::test]
async fn a_stale_version_is_refused_and_an_empty_change_is_silent() {
    let (twin, receiver) = twin().await;
    let client = Client::casepeer(&twin);
    client.send(Method::POST, "/leads", lead("r1")).await;
    let patch = json!({"client": {"email": "ada@example.com"}});
    let (status, changed) =
        client.send_with(Method::PATCH, "/leads/L-1", patch.clone(), &[("if-match", "\"1\"")]).await;
    assert_eq!((status, &changed["client"]["email"]), (200, &json!("ada@example.com")));
    let (status, _) =
        client.send_with(Method::PATCH, "/leads/L-1", patch.clone(), &[("if-match", "\"1\"")]).await;
    assert_eq!(status, 412);
    let answer = client.try_send(Method::PATCH, "/leads/L-1", &patch, &[]).await.unwrap();
    assert_eq!(answer.headers()["etag"], format!("\"{}\"", changed["version"].as_str().unwrap()));
    assert!(answer.headers().contains_key("x-request-id"));
    twin.flush().await;
    assert_eq!(receiver.types(), ["lead.created", "lead.updated"]);
}

#[tokio::test]
async fn casepeer_is_strict_about_bodies() {
    let (twin, _) = twin().await;
    let client = Client::casepeer(&twin);
    for (body, fields) in [
        (json!({}), json!([{"path": "client", "code": "required"}])),
        (
            json!({"client": {"first_name": "A", "last_name": "B", "phone": "1", "ssn": "2"}}),
            json!([{"path": "client.ssn", "code": "unknown_property"}]),
        ),
        (
            json!({"client": {"first_name": "A", "phone": "1"}}),
            json!([{"path": "client.last_name", "code": "required"}]),
        ),
        (
            json!({"client": {"first_name": "A", "last_name": "B"}}),
            json!([{"path": "client.phone", "code": "one_of_required"},
                {"path": "client.email", "code": "one_of_required"}]),
        ),
    ] {
        let (status, answer) = client.send(Method::POST, "/leads", body).await;
        assert_eq!((status, &answer["error"]["fields"]), (422, &fields));
        assert!(answer["error"]["request_id"].is_string());
    }
}

#[tokio::test]
async fn a_signed_case_tells_its_status_with_a_fresh_signature_each_time() {
    let (twin, receiver) = twin().await;
    let lead = twin.casepeer.create_lead(NewLead {
        first_name: "Ada".into(),
        last_name: "Lovelace".into(),
        phone: "+15550100100".into(),
        ..NewLead::default()
    });
    let case = twin.casepeer.convert_lead(&lead);
    twin.casepeer.set_status(&case, "Treating");
    twin.casepeer.redeliver_last();
    twin.flush().await;
    let received = receiver.take();
    let (path, headers, body) = received.last().unwrap();
    assert_eq!(path, "/webhooks/casepeer/twin-inbound");
    let at = headers[casepeer::TIMESTAMP_HEADER].to_str().unwrap().parse().unwrap();
    let expected = casepeer::sign(b"twin-webhook-secret", at, body);
    assert_eq!(headers[casepeer::SIGNATURE_HEADER].to_str().unwrap(), expected);
    let body = body_of(body);
    assert_eq!(body["previous"], json!({"status": "Intake"}));
    assert_eq!(body["data"]["case"]["lead_id"], lead.as_str());
    let types: Vec<_> = received.iter().map(|(_, _, body)| body_of(body)["type"].clone()).collect();
    assert_eq!(types, ["lead.created", "case.created", "case.status_changed", "case.status_changed"]);
    assert_eq!(twin.casepeer.writes(), 0);
}

#[tokio::test]
async fn pages_follow_their_cursor() {
    let (twin, _) = twin().await;
    for number in 0..5 {
        let first_name = format!("P{number}");
        twin.casepeer.create_lead(NewLead { first_name, phone: format!("{number}"), ..NewLead::default() });
    }
    let client = Client::casepeer(&twin);
    let mut path = "/leads?limit=2".to_owned();
    let mut ids = Vec::new();
    loop {
        let (_, page) = client.send(Method::GET, &path, Value::Null).await;
        ids.extend(
            page["data"].as_array().unwrap().iter().map(|lead| lead["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["page"]["next_cursor"].as_str() else { break };
        path = format!("/leads?limit=2&cursor={cursor}");
    }
    assert_eq!(ids, ["L-1", "L-2", "L-3", "L-4", "L-5"]);
    let (_, found) = client.send(Method::GET, "/leads?phone=3", Value::Null).await;
    assert_eq!(found["data"][0]["id"], "L-4");
}

#[tokio::test]
async fn a_timeout_after_the_effect_leaves_the_effect() {
    let (twin, _) = twin().await;
    let client = Client::casepeer(&twin);
    twin.casepeer.fault(Fault::timeout_before().on("POST", "/leads"));
    assert!(client.try_send(Method::POST, "/leads", &lead("r1"), &[]).await.is_err());
    assert_eq!(twin.casepeer.writes(), 0);
    twin.casepeer.fault(Fault::timeout_after().on("POST", "/leads"));
    assert!(client.try_send(Method::POST, "/leads", &lead("r1"), &[]).await.is_err());
    assert_eq!(twin.casepeer.writes(), 1);
    assert_eq!(client.send(Method::GET, "/leads/L-1", Value::Null).await.0, 200);
}

#[tokio::test]
async fn faults_are_scripted_over_http_too() {
    let (twin, receiver) = twin().await;
    let client = Client::highlevel(&twin);
    let faults = json!([
        {"method": "POST", "path": "/contacts/", "kind": "status", "status": 429, "retry_after": 7},
        {"method": "POST", "path": "/contacts/", "kind": "created_but_422"},
        {"path": "ContactCreate", "kind": "duplicate_webhook"},
        {"vendor": "casepeer", "kind": "status", "status": 500},
    ]);
    assert_eq!(client.send(Method::POST, "/twin/faults", faults).await.0, 201);
    let (status, _) = client.send(Method::POST, "/twin/faults", json!({"kind": "mischief"})).await;
    assert_eq!(status, 422);
    let body = json!({"locationId": twin.highlevel.location(), "firstName": "Ada"});
    let limited = client.try_send(Method::POST, "/contacts/", &body, &[]).await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(client.send(Method::POST, "/contacts/", body).await.0, 422);
    assert_eq!(twin.highlevel.contacts().len(), 1);
    assert_eq!(Client::casepeer(&twin).send(Method::GET, "/me", Value::Null).await.0, 500);
    assert_eq!(Client::casepeer(&twin).send(Method::GET, "/me", Value::Null).await.0, 200);
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactCreate", "ContactCreate"]);
}

#[tokio::test]
async fn webhooks_are_lost_held_overtaken_and_late_on_request() {
    let (twin, receiver) = twin().await;
    let highlevel = &twin.highlevel;
    highlevel.drop_next_webhooks(1);
    let id = highlevel.create_contact(ada());
    highlevel.fault(Fault::new(Misbehaviour::ReorderWebhook));
    highlevel.create_note(&id, "first");
    highlevel.add_tags(&id, &["vip"]);
    highlevel.fault(Fault::new(Misbehaviour::LateWebhook { seconds: None }));
    highlevel.delete_contact(&id);
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactTagUpdate", "NoteCreate"]);
    highlevel.release_late_webhooks();
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactDelete"]);

    highlevel.hold_webhooks(true);
    let id = highlevel.create_contact(ada());
    highlevel.create_note(&id, "x");
    highlevel.reverse_held();
    twin.flush().await;
    assert!(receiver.take().is_empty());
    highlevel.hold_webhooks(false);
    twin.flush().await;
    assert_eq!(receiver.types(), ["NoteCreate", "ContactCreate"]);
    let lost = highlevel.deliveries().into_iter().find(|delivery| delivery.is_dropped).unwrap();
    assert!(highlevel.redeliver(&lost.id));
    twin.flush().await;
    assert_eq!(receiver.types(), ["ContactCreate"]);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_ids() {
    let make = async || {
        let twin = Twin::start(TwinConfig::new(Arc::new(SystemClock))).await.unwrap();
        (twin.highlevel.public_key(), twin.highlevel.create_contact(ada()))
    };
    let (first, second) = (make().await, make().await);
    assert_eq!(first, second);
    assert_eq!(first.1.len(), 20);
    tokio::time::timeout(Duration::from_secs(5), async {
        Twin::start(TwinConfig::new(Arc::new(SystemClock))).await
    })
    .await
    .unwrap()
    .unwrap()
    .stop()
    .await;
}
