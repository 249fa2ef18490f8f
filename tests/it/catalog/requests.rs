//! Each action with all its parameters, sent to a server that keeps what it is asked: the exact request, as it stands in
//! `requests.txt` (written anew with `CASEBRIDGE_BLESS=1`, to be read before it is committed), judged besides by the
//! official files when they are there.

use std::fmt::Write;

use casebridge::operations::catalog::System;
use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{actions, call, examples, firm};
use crate::house::source;
use crate::stub::official;
use crate::support::{Installation, Vendors, clock};

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const FILE: &str = "tests/it/catalog/requests.txt";

pub(super) async fn recorder() -> (MockServer, Installation) {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(serde_json::json!({}));
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let url = server.uri();
    let vendors = Vendors {
        highlevel_url: &url,
        highlevel_key: "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
        location: LOCATION,
        highlevel_token: "planted-highlevel-token",
        casepeer_url: &format!("{url}/api/v1"),
        casepeer_token: "planted-casepeer-token",
        inbound_token: "inbound-token-of-acme",
        webhook_secret: "webhook-secret-of-acme",
    };
    let installation = Installation::start(&vendors, "", clock());
    (server, installation)
}

#[tokio::test]
async fn each_action_sends_exactly_its_request() {
    let (server, installation) = recorder().await;
    let firm = firm(&installation);
    let mut sent = String::new();
    let mut wrong = Vec::new();
    for system in [System::HighLevel, System::CasePeer] {
        for entry in actions(system) {
            let exchange = call(&firm, &entry.id, Value::Object(examples(entry))).await;
            assert!(exchange.result.is_ok(), "{}: {:?}", entry.id, exchange.result);
            let request = server.received_requests().await.unwrap().pop().unwrap();
            writeln!(sent, "{}\n{}", entry.id, told(&request)).unwrap();
            let token = header(&request, "authorization").unwrap();
            assert_eq!(token, format!("Bearer planted-{}-token", system.as_str()), "{}", entry.id);
            if system == System::HighLevel && official::available() {
                wrong.extend(judged(&request).into_iter().map(|wrong| format!("{}: {wrong}", entry.id)));
            }
        }
    }
    if !official::available() {
        eprintln!(
            "HighLevel's official files are not at {}: not judged by them",
            official::reference().display()
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
    if std::env::var_os("CASEBRIDGE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE), &sent).unwrap();
    }
    let expected = source(FILE);
    for (sent, expected) in sent.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(sent, expected);
    }
    assert_eq!(sent.len(), expected.len(), "{FILE} has other actions");
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).map(|value| value.to_str().unwrap())
}

/// What of a request an action decides.
fn told(request: &Request) -> String {
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut text = format!("{} {}{query}\n", request.method, request.url.path());
    for name in ["version", "if-match", "idempotency-key", "content-type"] {
        if let Some(value) = header(request, name) {
            writeln!(text, "{name}: {value}").unwrap();
        }
    }
    if !request.body.is_empty() {
        writeln!(text, "{}", std::str::from_utf8(&request.body).unwrap()).unwrap();
    }
    text
}

fn judged(request: &Request) -> Vec<String> {
    let query: Vec<_> =
        request.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let body = (!request.body.is_empty()).then(|| serde_json::from_slice(&request.body).unwrap());
    let version = header(request, "version");
    official::check(request.method.as_str(), request.url.path(), version, &query, body.as_ref())
}
