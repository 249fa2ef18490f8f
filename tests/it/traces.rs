//! A trace goes from the webhook to the vendor's call: the sender's own, or else the event's id.

use casebridge::webhook::highlevel::sign::{SIGNATURE_HEADER, SigningKey};
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::support::{Installation, SYNC, Vendors, clock};

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The `traceparent` of every request that a vendor got.
async fn traces(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let header = |request: &wiremock::Request| {
        request.headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    requests.iter().map(header).collect()
}

#[tokio::test]
async fn a_trace_goes_from_the_webhook_to_the_vendors_call() {
    let server = MockServer::start().await;
    Mock::given(matchers::any())
        .respond_with(ResponseTemplate::new(404).set_body_json(json!({ "message": "Contact not found" })))
        .mount(&server)
        .await;
    let key = SigningKey::from_seed(&[7; 32]);
    let vendors = Vendors {
        highlevel_url: &server.uri(),
        highlevel_key: &key.public_key(),
        location: "location-of-acme",
        highlevel_token: "token",
        casepeer_url: &server.uri(),
        casepeer_token: "token",
        inbound_token: "inbound-token-of-acme-0001",
        webhook_secret: "webhook-secret-of-acme-0001",
    };
    let installation = Installation::start(&vendors, SYNC, clock());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |id: &str, given: Option<&str>| {
        let body = json!({
            "type": "ContactCreate", "locationId": "location-of-acme", "webhookId": id, "id": id,
            "timestamp": "2026-11-24T12:00:00Z",
        })
        .to_string();
        let mut request = http.post(format!("{}/webhooks/highlevel", installation.url));
        if let Some(given) = given {
            request = request.header("traceparent", given);
        }
        let request = request.header(SIGNATURE_HEADER, key.sign(body.as_bytes()));
        assert_eq!(request.body(body).send().await.unwrap().status(), 202);
        installation.step().await;
    };
    send("c1", Some(GIVEN)).await;
    let of_first = traces(&server).await;
    assert!(!of_first.is_empty());
    for trace in &of_first {
        assert!(
            trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.ends_with("-01"),
            "{trace}"
        );
        assert_ne!(trace, GIVEN, "each call is a span of its own");
    }
    // What is no trace is none.
    send("c2", Some("00-zz-00f067aa0ba902b7-01")).await;
    let event = installation.events().await.pop().unwrap().id;
    let own = traces(&server).await.split_off(of_first.len());
    assert!(!own.is_empty());
    for trace in own {
        assert!(trace.starts_with(&format!("00-{}-", event.0.simple())), "{trace} of {event}");
    }
}

#[tokio::test]
async fn a_collector_gets_receipt_turn_and_calls_and_nothing_about_a_person() {
    let collector = MockServer::start().await;
    Mock::given(matchers::path("/v1/traces"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&collector)
        .await;
    let endpoint = collector.uri();
    let bridge = crate::support::TestBridge::edited(move |text, _| {
        format!("{text}\n[telemetry]\notlp_endpoint = {endpoint:?}\n")
    })
    .await;
    bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    bridge.installation.bridge.spans.flush().await;
    let requests = collector.received_requests().await.unwrap();
    let mut spans: Vec<serde_json::Value> = Vec::new();
    for request in &requests {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            body["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"],
            "casebridge"
        );
        spans.extend(body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone());
        let text = String::from_utf8_lossy(&request.body).into_owned();
        for planted in ["Ada", "Byron", "5125550", "example.com", "twin-token"] {
            assert!(!text.contains(planted), "{planted} is in {text}");
        }
    }
    let first = &spans[0];
    assert_eq!((&first["name"], &first["kind"]), (&"receive webhook".into(), &2.into()));
    let of_trace: Vec<_> = spans.iter().filter(|span| span["traceId"] == first["traceId"]).collect();
    let turn = of_trace.iter().find(|span| span["name"] == "work on event").expect("its turn");
    let call = of_trace.iter().find(|span| span["name"] == "call casepeer").expect("a call that came of it");
    assert_eq!((&turn["kind"], &call["kind"]), (&5.into(), &3.into()));
    assert_eq!(call["parentSpanId"], turn["spanId"]);
    for span in spans {
        let nanos = |key: &str| span[key].as_str().unwrap().parse::<i128>().unwrap();
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"));
        assert_eq!(
            (span["traceId"].as_str().unwrap().len(), span["spanId"].as_str().unwrap().len()),
            (32, 16)
        );
    }
}
