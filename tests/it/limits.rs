//! What one client may ask for, and what becomes of more.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use casebridge::domain::EventState;
use casebridge::http::{Limits, Listener, Tls};
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::TestBridge;

/// A listener that says yes, within these limits.
fn listener(limits: Limits, tls: Option<&Tls>) -> Listener {
    let socket = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let router = Router::new().route("/", get(|| async { "yes" }));
    Listener::serve_within(socket, router, limits, tls).unwrap()
}

/// Everything that comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has ended, too.
    let _ =
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.expect("it ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

const QUESTION: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_connection_too_many_is_closed_and_room_is_made_again() {
    let listener = listener(Limits { connections: 2, ..Limits::default() }, None);
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(listener.address()).await.unwrap();
        // Answered once, so that it is known to be held; then it stays open.
        stream.write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n").await.unwrap();
        let mut bytes = [0; 15];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"HTTP/1.1 200 OK");
        held.push(stream);
    }
    let mut third = TcpStream::connect(listener.address()).await.unwrap();
    let _ = third.write_all(QUESTION).await;
    assert_eq!(rest(&mut third).await, "");
    drop(held);
    for _ in 0..1_000 {
        let mut again = TcpStream::connect(listener.address()).await.unwrap();
        let _ = again.write_all(QUESTION).await;
        if rest(&mut again).await.starts_with("HTTP/1.1 200") {
            return;
        }
    }
    panic!("there is no room again");
}

#[tokio::test]
async fn a_slow_client_is_not_waited_for() {
    let short = Duration::from_millis(100);
    let limits = Limits { header_time: short, idle_time: short * 2, ..Limits::default() };
    let listener = listener(limits, None);
    let mut slow = TcpStream::connect(listener.address()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: he").await.unwrap();
    let told = rest(&mut slow).await;
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
    let mut silent = TcpStream::connect(listener.address()).await.unwrap();
    assert!(!rest(&mut silent).await.contains("yes"));
}

#[tokio::test]
async fn headers_that_are_too_many_or_too_long_are_refused() {
    let listener = listener(Limits::default(), None);
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(80 * 1024));
    for headers in [many, long] {
        let mut stream = TcpStream::connect(listener.address()).await.unwrap();
        let _ = stream.write_all(format!("GET / HTTP/1.1\r\nhost: here\r\n{headers}\r\n").as_bytes()).await;
        let told = rest(&mut stream).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 431"), "{told}");
    }
}

#[tokio::test]
async fn an_address_longer_than_any_is_refused_on_both_listeners() {
    let bridge = TestBridge::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for base in [&bridge.installation.url, &bridge.installation.admin_url] {
        for address in [format!("/livez/{}", "x".repeat(1_100)), format!("/livez?{}", "x".repeat(8_300))] {
            let answer = http.get(format!("{base}{address}")).send().await.unwrap();
            assert_eq!(answer.status(), 414);
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        assert_eq!(
            http.get(format!("{base}/livez?{}", "x".repeat(1_000))).send().await.unwrap().status(),
            200
        );
    }
}

/// Posts a Workflow's body to the firm's secret address.
async fn workflow(bridge: &TestBridge, body: Vec<u8>, encoding: Option<&str>) -> reqwest::Response {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/webhooks/highlevel/workflow-token-of-acme", bridge.installation.url);
    let mut request = http.post(url).header("X-Bridge-Secret", "workflow-secret");
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    request.body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_body_deeper_than_any_is_kept_unread_and_brings_nothing_down() {
    let bridge = TestBridge::start().await;
    let deep = [vec![b'['; 400_000], vec![b']'; 400_000]].concat();
    assert_eq!(workflow(&bridge, deep.clone(), None).await.status(), 202);
    let nested = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).into_bytes();
    assert_eq!(workflow(&bridge, nested, None).await.status(), 202);
    // Nothing is decompressed: a bomb is as large as it came.
    assert_eq!(workflow(&bridge, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], Some("gzip")).await.status(), 202);
    bridge.settle().await;
    for row in bridge.installation.events().await {
        assert_eq!(row.state, EventState::Undelivered, "{row:?}");
    }
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let id = bridge.installation.events().await[0].id;
    let url = format!("{}/api/v1/events/{id}/discard", bridge.installation.admin_url);
    let answer = http.post(url).header("content-type", "application/json").body(deep).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn a_flood_of_one_firm_is_asked_to_come_again() {
    let bridge = TestBridge::edited(|text, _| format!("[server]\nfirm_per_second = 2\n{text}")).await;
    let mut answers = Vec::new();
    for number in 0..25 {
        let body = format!("{{\"contact_id\":\"c{number}\"}}").into_bytes();
        answers.push(workflow(&bridge, body, None).await);
    }
    let taken = answers.iter().filter(|answer| answer.status() == 202).count();
    assert_eq!(taken, 20, "ten seconds' worth");
    let refused = answers.last().unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (429, true));
    assert_eq!(bridge.installation.events().await.len(), 20);
    bridge.installation.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(workflow(&bridge, b"{\"contact_id\":\"later\"}".to_vec(), None).await.status(), 202);
}

/// Writes a certificate for `localhost` and its key; the certificate.
fn certificate(directory: &Path) -> reqwest::Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn tls_is_spoken_and_a_renewed_certificate_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let (file, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let old = certificate(directory.path());
    let tls = Tls::read(&file, &key).unwrap();
    let listener = listener(Limits::default(), Some(&tls));
    let url = format!("https://localhost:{}/", listener.address().port());
    let ask = async |certificate: reqwest::Certificate| {
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap();
        client.get(&url).send().await?.text().await
    };
    assert_eq!(ask(old.clone()).await.unwrap(), "yes");
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(url.replace("https", "http")).send().await.is_err(), "nothing is said in the clear");
    assert!(!tls.refresh().unwrap());

    let whole = std::fs::read(&file).unwrap();
    let new = certificate(directory.path());
    let renewed = std::fs::read(&file).unwrap();
    // In the middle of a renewal certificate and key do not belong together.
    std::fs::write(&file, whole).unwrap();
    assert!(tls.refresh().is_err());
    assert_eq!(ask(old.clone()).await.unwrap(), "yes");
    std::fs::write(&file, renewed).unwrap();
    assert!(tls.refresh().unwrap());
    assert_eq!(ask(new).await.unwrap(), "yes");
    assert!(ask(old).await.is_err());
    std::fs::write(&key, "no key").unwrap();
    let why = tls.refresh().unwrap_err();
    assert!(why.contains("key.pem: it holds no private key in PEM") && !why.contains("no key\n"), "{why}");
}
