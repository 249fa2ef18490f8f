//! Receiving: nothing unverified gets in, nothing authentic is lost, and a refusal says what its sender may know.

use casebridge::domain::EventState;
use casebridge::store::sqlite::SqliteStore;
use casebridge::webhook::casepeer::sign as casepeer_sign;
use casebridge::webhook::highlevel::sample::SAMPLES;
use casebridge::webhook::highlevel::sign::{SIGNATURE_HEADER, SigningKey};
use casebridge::webhook::highlevel::{DOCUMENTED, sample};
use jiff::SignedDuration;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Installation, START, SYNC, Vendors, clock};

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const SECRET: &str = "the-secret-of-the-firm";

/// A bridge whose vendors cannot be reached, and a sender that holds the keys.
struct Receiver {
    installation: Installation,
    key: SigningKey,
    client: Client,
}

impl Receiver {
    fn start() -> Self {
        let key = SigningKey::from_seed(&[3; 32]);
        let vendors = Vendors {
            highlevel_url: "http://127.0.0.1:1",
            highlevel_key: &key.public_key(),
            location: LOCATION,
            highlevel_token: "unused-token",
            casepeer_url: "http://127.0.0.1:1",
            casepeer_token: "unused-token",
            inbound_token: "inbound-token-of-acme",
            webhook_secret: SECRET,
        };
        Self { installation: Installation::start(&vendors, SYNC, clock()), key, client: Client::new() }
    }

    fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.installation.url)).body(body.into())
    }

    async fn highlevel(&self, body: &[u8]) -> Response {
        let signature = self.key.sign(body);
        self.post("/webhooks/highlevel", body).header(SIGNATURE_HEADER, signature).send().await.unwrap()
    }

    async fn casepeer(&self, body: &[u8], stamp: i64, secret: &str) -> Response {
        self.post("/webhooks/casepeer/inbound-token-of-acme", body)
            .header(casepeer_sign::TIMESTAMP_HEADER, stamp.to_string())
            .header(casepeer_sign::SIGNATURE_HEADER, casepeer_sign::sign(secret.as_bytes(), stamp, body))
            .send()
            .await
            .unwrap()
    }

    async fn workflow(&self, body: &[u8]) -> Response {
        let request = self.post("/webhooks/highlevel/workflow-token-of-acme", body);
        request.header("X-Bridge-Secret", "workflow-secret").send().await.unwrap()
    }

    fn now(&self) -> i64 {
        use casebridge::clock::Clock;
        self.installation.clock.now().as_second()
    }
}

/// Asserts that an answer is a problem of this kind, and returns its `Retry-After`.
async fn assert_problem(answer: Response, status: u16, kind: &str) -> Option<String> {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], format!("/problems/{kind}"));
    assert_eq!(problem["status"], status);
    retry_after
}

async fn receipt(answer: Response, code: StatusCode, status: &str) -> String {
    assert_eq!(answer.status(), code);
    let receipt: Value = answer.json().await.unwrap();
    assert_eq!(receipt["status"], status);
    receipt["event"].as_str().unwrap().to_owned()
}

/// A published sample as a live delivery has it.
fn live(text: &str, id: &str, wrapped: bool) -> Vec<u8> {
    let mut body: Value = serde_json::from_str(text).unwrap();
    if wrapped {
        body = json!({ "data": body });
    }
    body["webhookId"] = id.into();
    body["timestamp"] = START.into();
    body.to_string().into_bytes()
}

#[tokio::test]
async fn every_published_sample_is_taken_once_and_never_unproven() {
    let receiver = Receiver::start();
    let mut taken = 0;
    for (name, text) in SAMPLES {
        for wrapped in [false, true] {
            let body = live(text, &format!("{name}-{wrapped}"), wrapped);
            let first = receipt(receiver.highlevel(&body).await, StatusCode::ACCEPTED, "recorded").await;
            let again = receipt(receiver.highlevel(&body).await, StatusCode::OK, "duplicate").await;
            assert_eq!(first, again, "{name}");
            taken += 1;

            let signature = receiver.key.sign(&body);
            let mut flipped = body.clone();
            flipped[body.len() / 2] ^= 1;
            for (body, header) in
                [(flipped, Some(signature.as_str())), (body.clone(), None), (body, Some("N/A"))]
            {
                let mut request = receiver.post("/webhooks/highlevel", body);
                if let Some(header) = header {
                    request = request.header(SIGNATURE_HEADER, header);
                }
                assert_problem(request.send().await.unwrap(), 401, "invalid-signature").await;
            }
        }
    }
    receiver.installation.step().await;
    let counts = receiver.installation.store.counts().await.unwrap();
    assert_eq!(counts.by_state.values().sum::<u64>(), taken);
    assert_eq!(
        (counts.of(EventState::Ready), counts.of(EventState::Running)),
        (0, 0),
        "none blocks the worker"
    );
}

#[tokio::test]
async fn every_documented_type_is_known_by_name_and_what_no_rule_is_about_is_settled() {
    let receiver = Receiver::start();
    let acted_on = [
        "AppointmentCreate",
        "AppointmentUpdate",
        "ContactCreate",
        "ContactDelete",
        "ContactDndUpdate",
        "ContactTagUpdate",
        "ContactUpdate",
        "NoteCreate",
        "NoteDelete",
        "NoteUpdate",
        "TaskComplete",
        "TaskCreate",
        "TaskDelete",
    ];
    let (acted_on, others): (Vec<_>, Vec<_>) =
        DOCUMENTED.into_iter().partition(|kind| acted_on.contains(kind));
    for (kinds, expected) in [(others, Some("no rule for this type")), (acted_on, None)] {
        for kind in &kinds {
            let body = json!({ "type": kind, "locationId": LOCATION, "webhookId": kind, "id": kind, "contactId": "c" });
            receipt(receiver.highlevel(body.to_string().as_bytes()).await, StatusCode::ACCEPTED, "recorded")
                .await;
        }
        receiver.installation.step().await;
        for row in
            receiver.installation.events().await.iter().filter(|row| kinds.contains(&row.kind.as_str()))
        {
            // What a rule is about waits here for a vendor that cannot be reached.
            assert_eq!(row.state.is_settled(), expected.is_some(), "{row:?}");
            assert!(expected.is_none() || row.reason.as_deref() == expected, "{row:?}");
        }
    }
}

#[tokio::test]
async fn every_documented_type_has_a_sample() {
    // Documents' names where they differ from the type on the wire.
    let names = [
        ("INSTALL", "AppInstall"),
        ("UNINSTALL", "AppUninstall"),
        ("PLAN_CHANGE", "PlanChange"),
        ("ConversationUnreadUpdate", "ConversationUnreadWebhook"),
    ];
    for kind in DOCUMENTED {
        let name = names.iter().find(|(wire, _)| *wire == kind).map_or(kind, |(_, name)| name);
        assert!(sample::find(name).is_some(), "{kind}");
    }
}

#[tokio::test]
async fn the_white_label_address_is_the_same_door() {
    let receiver = Receiver::start();
    let body = live(sample::find("ContactCreate").unwrap(), "1", false);
    let signature = receiver.key.sign(&body);
    let answer = receiver
        .post("/webhooks/crm", body.clone())
        .header(SIGNATURE_HEADER, signature)
        .send()
        .await
        .unwrap();
    receipt(answer, StatusCode::ACCEPTED, "recorded").await;
    receipt(receiver.highlevel(&body).await, StatusCode::OK, "duplicate").await;
    assert_problem(receiver.post("/webhooks/crm", body).send().await.unwrap(), 401, "invalid-signature")
        .await;
}

#[tokio::test]
async fn an_authentic_body_nobody_can_read_is_kept_and_shown() {
    let receiver = Receiver::start();
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for body in [&b"not json"[..], b"", b"[1,2]", b"\"text\"", b"{\"type\":", &[0xff, 0xfe], &deep] {
        receipt(receiver.highlevel(body).await, StatusCode::ACCEPTED, "recorded").await;
        let stamp = receiver.now();
        receipt(receiver.casepeer(body, stamp, SECRET).await, StatusCode::ACCEPTED, "recorded").await;
    }
    receiver.installation.step().await;
    let rows = receiver.installation.events().await;
    assert_eq!(rows.len(), 14);
    for row in rows {
        assert_eq!(row.state, EventState::Undelivered);
        assert!(row.reason.as_ref().unwrap().starts_with("cannot be read"), "{row:?}");
        assert_eq!(receiver.installation.store.replay(row.id).await.unwrap(), Some(true));
    }
    receiver.installation.step().await;
    assert_eq!(
        receiver.installation.count(EventState::Undelivered).await,
        14,
        "this build still cannot read them"
    );
}

#[tokio::test]
async fn known_types_without_their_id_are_kept_and_shown() {
    let receiver = Receiver::start();
    receiver
        .highlevel(br#"{"type":"ContactCreate","locationId":"ve9EPM428h8vShlRW1KT","webhookId":"1"}"#)
        .await;
    receiver.casepeer(br#"{"id":"e","type":"lead.created","data":{}}"#, receiver.now(), SECRET).await;
    receiver.installation.step().await;
    assert_eq!(receiver.installation.count(EventState::Undelivered).await, 2);
}

#[tokio::test]
async fn a_location_no_firm_has_and_a_very_old_event_are_set_aside() {
    let receiver = Receiver::start();
    let cases = [
        (
            json!({ "type": "ContactCreate", "locationId": "elsewhere", "webhookId": "1", "id": "c" }),
            "no firm for this location",
        ),
        (json!({ "type": "ContactCreate", "webhookId": "2", "id": "c" }), "no firm: it names no location"),
        (
            json!({ "type": "ContactCreate", "locationId": LOCATION, "webhookId": "3", "id": "c",
                "timestamp": "2026-11-17T11:59:59Z" }),
            "older than 7 days",
        ),
    ];
    for (body, expected) in cases {
        receipt(receiver.highlevel(body.to_string().as_bytes()).await, StatusCode::ACCEPTED, "recorded")
            .await;
        receiver.installation.step().await;
        let row = receiver.installation.events().await.pop().unwrap();
        assert_eq!(row.state, EventState::Undelivered);
        assert!(row.reason.as_ref().unwrap().contains(expected), "{row:?}");
    }
}

#[tokio::test]
async fn a_casepeer_webhook_needs_a_live_secret_and_a_fresh_stamp() {
    let receiver = Receiver::start();
    let body = br#"{"id":"evt_1","type":"lead.updated","data":{"lead":{"id":"L-1"}}}"#;
    let now = receiver.now();
    for (stamp, secret) in [(now, "wrong"), (now - 301, SECRET), (now + 301, SECRET)] {
        assert_problem(receiver.casepeer(body, stamp, secret).await, 401, "invalid-signature").await;
    }
    let unsigned = receiver.post("/webhooks/casepeer/inbound-token-of-acme", &body[..]).send().await.unwrap();
    assert_problem(unsigned, 401, "invalid-signature").await;
    let elsewhere = receiver.post("/webhooks/casepeer/somebody-elses-token", &body[..]).send().await.unwrap();
    assert_problem(elsewhere, 404, "not-found").await;

    // Each attempt is stamped afresh; the event's id tells that it is the same. The secret before it is live too.
    let first = receipt(receiver.casepeer(body, now, SECRET).await, StatusCode::ACCEPTED, "recorded").await;
    let older = receiver.casepeer(body, now + 60, "the-secret-before-the-rotation").await;
    assert_eq!(receipt(older, StatusCode::OK, "duplicate").await, first);
}

#[tokio::test]
async fn a_workflows_webhook_needs_its_address_and_its_secret_header() {
    let receiver = Receiver::start();
    let body = br#"{"contact_id":"c1","first_name":"Sam","location":{"id":"ve9EPM428h8vShlRW1KT"}}"#;
    let path = "/webhooks/highlevel/workflow-token-of-acme";
    assert_problem(receiver.post(path, &body[..]).send().await.unwrap(), 401, "invalid-signature").await;
    let wrong = receiver.post(path, &body[..]).header("X-Bridge-Secret", "guess").send().await.unwrap();
    assert_problem(wrong, 401, "invalid-signature").await;
    let unknown = receiver.post("/webhooks/highlevel/some-other-token", &body[..]).send().await.unwrap();
    assert_problem(unknown, 404, "not-found").await;
    receipt(receiver.workflow(body).await, StatusCode::ACCEPTED, "recorded").await;

    let foreign = br#"{"contact_id":"c1","location":{"id":"elsewhere"}}"#;
    receipt(receiver.workflow(foreign).await, StatusCode::ACCEPTED, "recorded").await;
    let row = receiver.installation.events().await.pop().unwrap();
    assert_eq!(row.state, EventState::Undelivered);
    assert!(row.reason.unwrap().contains("location elsewhere"));
}

#[tokio::test]
async fn a_body_without_an_id_is_a_repeat_for_ten_minutes_and_while_nothing_else_came() {
    let receiver = Receiver::start();
    let sample = sample::find("Workflow_outbound_webhook").unwrap().replace("h6mdv5aZcKtVnjS0xxxx", LOCATION);
    let a = sample.as_bytes();
    let b = sample.replace("Fname", "Other");
    let first = receipt(receiver.workflow(a).await, StatusCode::ACCEPTED, "recorded").await;
    assert_eq!(receipt(receiver.workflow(a).await, StatusCode::OK, "duplicate").await, first);

    // A→B→A is three changes, not two and a repeat.
    receipt(receiver.workflow(b.as_bytes()).await, StatusCode::ACCEPTED, "recorded").await;
    let third = receipt(receiver.workflow(a).await, StatusCode::ACCEPTED, "recorded").await;
    assert_eq!(receipt(receiver.workflow(a).await, StatusCode::OK, "duplicate").await, third);

    receiver.installation.clock.advance(SignedDuration::from_secs(10 * 60 + 1));
    receipt(receiver.workflow(a).await, StatusCode::ACCEPTED, "recorded").await;
}

#[tokio::test]
async fn the_wrong_address_method_or_size_is_told() {
    let receiver = Receiver::start();
    let url = |path: &str| format!("{}{path}", receiver.installation.url);
    for path in ["/", "/webhooks", "/webhooks/other", "/api/v1/events", "/metrics", "/webhooks/casepeer"] {
        assert_problem(receiver.client.get(url(path)).send().await.unwrap(), 404, "not-found").await;
    }
    for path in ["/webhooks/highlevel/%FF", "/webhooks/casepeer/%FF"] {
        let answer = receiver.client.post(url(path)).body("{}").send().await.unwrap();
        assert_problem(answer, 404, "not-found").await;
    }
    for path in ["/webhooks/highlevel", "/webhooks/casepeer/x"] {
        let answer = receiver.client.get(url(path)).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], "POST");
        assert_problem(answer, 405, "method-not-allowed").await;
    }
    let limit = 1024 * 1024;
    let largest = vec![b' '; limit];
    receipt(receiver.highlevel(&largest).await, StatusCode::ACCEPTED, "recorded").await;
    assert_problem(receiver.highlevel(&vec![b' '; limit + 1]).await, 413, "too-large").await;
    // Without a length announced, the body is cut off while it is read.
    let chunks = reqwest::Body::wrap(http_body_util::StreamBody::new(futures_of(limit + 1)));
    let request = receiver.client.post(url("/webhooks/highlevel")).header(SIGNATURE_HEADER, "AAAA");
    let answer = request.body(chunks).send().await.unwrap();
    assert_problem(answer, 413, "too-large").await;
}

/// A body in chunks whose whole length is not announced.
fn futures_of(
    length: usize,
) -> impl futures_core::Stream<Item = Result<http_body::Frame<bytes::Bytes>, std::io::Error>> {
    tokio_stream::iter(
        (0..length.div_ceil(1000)).map(|_| Ok(http_body::Frame::data(bytes::Bytes::from(vec![b' '; 1000])))),
    )
}

#[tokio::test]
async fn what_cannot_be_committed_is_asked_for_again() {
    let receiver = Receiver::start();
    // Another process holds the database's write lock for longer than the store waits.
    let Some(path) = receiver.installation.sqlite_file() else { return };
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = live(sample::find("ContactCreate").unwrap(), "1", false);
    let casepeer = br#"{"id":"evt_1","type":"lead.updated","data":{"lead":{"id":"L-1"}}}"#;
    let (highlevel, casepeer_answer) =
        tokio::join!(receiver.highlevel(&body), receiver.casepeer(casepeer, receiver.now(), SECRET));
    assert_eq!(assert_problem(highlevel, 429, "busy").await.as_deref(), Some("10"));
    assert_eq!(assert_problem(casepeer_answer, 503, "busy").await.as_deref(), Some("10"));
    other.execute_batch("ROLLBACK").unwrap();
    receipt(receiver.highlevel(&body).await, StatusCode::ACCEPTED, "recorded").await;
}

#[tokio::test]
async fn health_says_when_traffic_may_come() {
    let receiver = Receiver::start();
    let get = async |path: &str| {
        let answer =
            receiver.client.get(format!("{}{path}", receiver.installation.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz").await, (200, r#"{"status":"ready","store":"ok"}"#.to_owned()));
    receiver.installation.readiness.drain();
    assert_eq!(get("/readyz").await.0, 503);
    let body = live(sample::find("ContactCreate").unwrap(), "1", false);
    receipt(receiver.highlevel(&body).await, StatusCode::ACCEPTED, "recorded").await;
}

#[tokio::test]
async fn what_is_received_is_committed_and_sealed_before_it_is_answered() {
    let receiver = Receiver::start();
    let body = json!({ "type": "ContactCreate", "locationId": LOCATION, "webhookId": "1", "id": "c1",
        "firstName": "Planted", "email": "planted@example.com", "phone": "+15125550100" });
    let id = receipt(receiver.highlevel(body.to_string().as_bytes()).await, StatusCode::ACCEPTED, "recorded")
        .await;
    // Read by another connection, as another process would after a crash.
    let Some(path) = receiver.installation.sqlite_file() else { return };
    let other = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = other.query_row("SELECT count(*) FROM payload", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    assert!(receiver.installation.store.event(id.parse().unwrap()).await.unwrap().is_some());
    for entry in std::fs::read_dir(receiver.installation.directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("bridge.db") {
            let bytes = std::fs::read(&path).unwrap();
            for planted in ["Planted", "planted@example.com", "+15125550100"] {
                let found = bytes.windows(planted.len()).any(|window| window == planted.as_bytes());
                assert!(!found, "{planted} lies open in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_is_gone_is_noticed_at_the_start_and_an_event_it_sealed_holds_nobody_up() {
    let receiver = Receiver::start();
    let ring = |byte: u8| {
        let key = zeroize::Zeroizing::new([byte; 32]);
        casebridge::crypto::Keyring::new([(format!("k{byte}"), key)]).unwrap().into()
    };
    let path = receiver.installation.directory().join("sealed.db");
    SqliteStore::open(&path, ring(1), clock()).unwrap();
    let refused = SqliteStore::open(&path, ring(2), clock()).err().unwrap();
    assert!(refused.to_string().contains("sealed with the key `k1`, which crypto.keys does not list"));

    // One flipped bit in one payload, as a failing disk would leave it.
    for id in ["1", "2"] {
        let body = json!({ "type": "LocationUpdate", "locationId": LOCATION, "webhookId": id });
        receipt(receiver.highlevel(body.to_string().as_bytes()).await, StatusCode::ACCEPTED, "recorded")
            .await;
    }
    let path = receiver.installation.directory().join("bridge.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    let sql = "UPDATE payload SET sealed_body = CAST(substr(sealed_body, 1, length(sealed_body) - 1) || x'00' AS BLOB) WHERE event = 1";
    assert_eq!(other.execute(sql, []).unwrap(), 1);
    receiver.installation.step().await;
    let states: Vec<_> = receiver.installation.events().await.iter().map(|row| row.state).collect();
    assert_eq!(states, [EventState::Undelivered, EventState::NothingToDo]);
}

#[tokio::test]
async fn what_was_set_aside_finds_its_firm_once_the_configuration_has_it() {
    let receiver = Receiver::start();
    let body = json!({ "type": "LocationUpdate", "locationId": LOCATION, "webhookId": "1" });
    let id = receipt(receiver.highlevel(body.to_string().as_bytes()).await, StatusCode::ACCEPTED, "recorded")
        .await;
    // As it would have been stored before the firm was configured, by a build that could not read it.
    let path = receiver.installation.directory().join("bridge.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    let sql =
        "UPDATE event SET firm = '', type = 'unreadable', state = 'undelivered', settled_at = received_at";
    other.execute(sql, []).unwrap();
    assert_eq!(receiver.installation.bridge.replay(id.parse().unwrap()).await.unwrap(), Some(true));
    receiver.installation.step().await;
    let row = receiver.installation.events().await.remove(0);
    assert_eq!((row.firm.as_str(), row.kind.as_str()), ("acme", "LocationUpdate"));
    assert_eq!(row.reason.as_deref(), Some("no rule for this type"));
}
