//! A firm's account on the CASEpeer side, connected in the browser by code and PKCE, with refresh tokens that are good for
//! one use.

use std::path::Path;
use std::sync::Arc;

use casebridge::bridge::Bridge;
use casebridge::domain::{ParkCause, System};
use casebridge::operations::casepeer::health;
use casebridge::store::{Credential, SharedStore};
use casebridge::vendors::Surface;
use jiff::SignedDuration;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Browser, PUBLIC};
use crate::crash::doomed::{Doomed, Point};
use crate::store::PostgresDatabase;
use crate::story::ada;
use crate::support::TestBridge;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The lease of a renewal is over.
const LEASE_OVER: SignedDuration = SignedDuration::from_secs(21);

/// The usual configuration with an account that is to be connected in the browser, and these lines of `auth`.
pub fn by_account(text: &str, directory: &Path, lines: &str) -> String {
    let secret = directory.join("account-secret");
    std::fs::write(&secret, "twin-secret").unwrap();
    let url = text.rsplit("base_url = \"").next().unwrap().split('"').next().unwrap();
    let token = text.lines().find(|line| line.starts_with("auth = ")).unwrap();
    let auth = format!(
        "auth.kind = \"oauth2_authorization_code\"\nauth.client_id = \"twin-client\"\n\
         auth.client_secret = {{ file = {:?} }}\nauth.authorize_url = \"{url}/oauth/authorize\"\n\
         auth.token_url = \"{url}/oauth/token\"\n{lines}",
        secret.display().to_string()
    );
    let text = text.replace(token, &auth);
    if text.contains("[server]") { text } else { format!("[server]\npublic_url = \"{PUBLIC}\"\n{text}") }
}

async fn bridge_with(lines: &str) -> TestBridge {
    TestBridge::edited(|text, directory| by_account(&text, directory, lines)).await
}

/// A link as `casebridge firms connect acme --casepeer` prints it.
pub async fn link(bridge: &Bridge) -> String {
    let firm = bridge.firms.iter().next().unwrap().id.clone();
    bridge.connections().make_link(Surface::CasePeer, &firm).await.unwrap().0
}

/// All the way through the browser; the last page and its status.
pub async fn connect(bridge: &TestBridge) -> (u16, String) {
    let mut browser = Browser::of(bridge);
    let back = browser.leave(&link(&bridge.installation.bridge).await).await;
    let page = browser.open(back.as_str()).await;
    (page.status, page.text)
}

async fn connected(lines: &str) -> TestBridge {
    let bridge = bridge_with(lines).await;
    let (status, page) = connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    bridge
}

pub async fn credential(bridge: &TestBridge) -> Credential {
    let firm = bridge.installation.bridge.firms.iter().next().unwrap();
    let holder = firm.account.clone().unwrap();
    bridge.installation.store.credential(&holder).await.unwrap().expect("it is connected")
}

/// Asks the account whether it is there; the status, or why nothing was sent.
async fn ask(bridge: &Bridge) -> Result<u16, String> {
    let firm = bridge.firms.iter().next().unwrap();
    let request = health(firm.casepeer.profile()).unwrap();
    let exchange = firm.casepeer.send(&request, None, None).await;
    let status = exchange.status();
    status.ok_or_else(|| exchange.result.unwrap_err().to_string())
}

#[tokio::test]
async fn an_account_is_connected_and_works() {
    let bridge = bridge_with("").await;
    assert!(ask(&bridge.installation.bridge).await.unwrap_err().contains("it is not connected"));
    let mut browser = Browser::of(&bridge);
    let start = browser.open(&link(&bridge.installation.bridge).await).await;
    let there = start.location.unwrap();
    let value = |name: &str| there.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert!(there.as_str().starts_with(&bridge.casepeer.authorize_url()), "{there}");
    assert_eq!((value("response_type"), value("client_id")), ("code".into(), "twin-client".into()));
    assert_eq!(value("redirect_uri"), format!("{PUBLIC}/oauth/casepeer/callback"));
    assert_eq!((value("code_challenge_method"), value("code_challenge").len()), ("S256".into(), 43));
    assert_eq!(value("state").len(), 64);
    let back = browser.open(there.as_str()).await.location.unwrap();
    let page = browser.open(back.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("The firm <code>acme</code> is connected to CASEpeer."), "{}", page.text);
    assert_eq!(credential(&bridge).await.holder.to_string(), "account:acme@127.0.0.1");

    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    let counts = bridge.casepeer.oauth_counts();
    assert_eq!((counts.codes, counts.refused, counts.dead_calls), (1, 0, 0));
    let rows: Value = reqwest::get(format!("{}/api/v1/firms", bridge.installation.admin_url))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(rows[0]["account"]["holder"], "account:acme@127.0.0.1");
    assert_eq!(rows[0]["connection"], Value::Null);
}

#[tokio::test]
async fn what_is_not_this_attempt_is_refused_in_words() {
    let bridge = bridge_with("").await;
    let mut browser = Browser::of(&bridge);
    let page = browser.open(&format!("{PUBLIC}/oauth/casepeer/start")).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("This address only works with a link made for it."), "{}", page.text);
    // A link is for one vendor, and so is the cookie that comes of it.
    let ours = link(&bridge.installation.bridge).await;
    let page = browser.open(&ours.replace("/oauth/casepeer", "/oauth/highlevel")).await;
    assert!(page.text.contains("This address only works with a link made for it."), "{}", page.text);
    let back = browser.leave(&ours).await;
    let page = browser.open(&back.as_str().replace("/oauth/casepeer", "/oauth/highlevel")).await;
    assert!(page.text.contains("This browser did not begin this connection."), "{}", page.text);

    // Unlike HighLevel, a vendor of OAuth 2 returns the state: without it, it is no answer to us.
    let mut without = back.clone();
    without.query_pairs_mut().clear().append_pair("code", "stolen");
    let page = browser.open(without.as_str()).await;
    assert_eq!(page.status, 403);
    assert!(page.text.contains("This answer of CASEpeer belongs to another attempt."), "{}", page.text);
    let mut other = Browser { cookie: None, ..browser.clone() };
    let page = other.open(back.as_str()).await;
    assert!(page.text.contains("This browser did not begin this connection."), "{}", page.text);

    // A code that was made for another proof key is worth nothing.
    let mut second = Browser::of(&bridge);
    let elsewhere = second.leave(&link(&bridge.installation.bridge).await).await;
    let code = elsewhere.query_pairs().find(|(key, _)| key == "code").unwrap().1.into_owned();
    let state = back.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let mut injected = back.clone();
    injected.query_pairs_mut().clear().append_pair("code", &code).append_pair("state", &state);
    let page = browser.open(injected.as_str()).await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("CASEpeer refused it (invalid_grant)."), "{}", page.text);
    assert!(page.text.contains("Compare casepeer.auth with what the vendor gave you."), "{}", page.text);
    assert!(bridge.installation.store.credentials().await.unwrap().is_empty());

    // Whose configuration was changed since the link was made.
    let plain = TestBridge::start().await;
    let link = link(&plain.installation.bridge).await;
    let page = Browser::of(&plain).open(&format!("{PUBLIC}{link}")).await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("is not set up to be connected in the browser"), "{}", page.text);
    assert!(page.text.contains("oauth2_authorization_code"), "{}", page.text);
}

#[tokio::test]
async fn months_pass_and_no_call_is_made_with_a_dead_token() {
    let bridge = connected("auth.refresh_ahead = \"10m\"").await;
    for hour in 1..=60 * 24 {
        bridge.installation.clock.advance(HOUR - SignedDuration::from_mins(10));
        bridge.installation.bridge.keep_connections().await;
        if hour % 8 == 0 {
            assert_eq!(ask(&bridge.installation.bridge).await, Ok(200), "{hour}");
        }
    }
    let counts = bridge.casepeer.oauth_counts();
    assert_eq!((counts.refreshes, counts.refused, counts.dead_calls), (60 * 24, 0, 0));
}

/// Many ask at once, in two processes.
async fn assert_one_refresh(bridge: &TestBridge, one: Arc<Bridge>, other: Arc<Bridge>) {
    let before = bridge.casepeer.oauth_counts().refreshes;
    let asking: Vec<_> = (0..16)
        .map(|number| {
            let bridge = if number % 2 == 0 { one.clone() } else { other.clone() };
            tokio::spawn(async move { ask(&bridge).await })
        })
        .collect();
    for task in asking {
        assert_eq!(task.await.unwrap(), Ok(200));
    }
    let counts = bridge.casepeer.oauth_counts();
    assert_eq!((counts.refreshes - before, counts.refused, counts.dead_calls), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_renew_at_once_ask_once() {
    let bridge = connected("").await;
    let store = bridge.installation.store.clone();
    let (one, other) =
        (bridge.installation.another_bridge(store.clone()), bridge.installation.another_bridge(store));
    for _ in 0..3 {
        bridge.installation.clock.advance(HOUR);
        assert_one_refresh(&bridge, one.clone(), other.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_instances_on_postgres_ask_once() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let bridge = bridge_with("").await;
    let keyring = crate::store::keyring();
    let open = async || database.open(&bridge.installation.clock, keyring.clone()).await;
    let (first, second): (SharedStore, SharedStore) = (Arc::new(open().await), Arc::new(open().await));
    assert_eq!(connect(&bridge).await.0, 200);
    let known = credential(&bridge).await;
    let tokens = casebridge::store::Tokens {
        access: known.access,
        refresh: known.refresh,
        scopes: None,
        life: HOUR,
        company: None,
    };
    first.save_tokens(&known.holder, &tokens, None).await.unwrap();
    let (one, other) =
        (bridge.installation.another_bridge(first), bridge.installation.another_bridge(second));
    for _ in 0..3 {
        bridge.installation.clock.advance(HOUR);
        assert_one_refresh(&bridge, one.clone(), other.clone()).await;
    }
}

/// A process ends at this point of a renewal, which is due.
async fn crash(bridge: &TestBridge, point: Point) {
    bridge.installation.clock.advance(HOUR);
    let doomed = Doomed::new(bridge.installation.store.clone(), point, "");
    let process = bridge.installation.another_bridge(doomed.clone());
    let renewing = tokio::spawn(async move { ask(&process).await });
    doomed.reached().await;
    renewing.abort();
    assert!(renewing.await.is_err());
    bridge.installation.clock.advance(LEASE_OVER);
}

#[tokio::test]
async fn a_crash_before_the_question_or_after_the_commit_loses_nothing() {
    for point in [Point::AfterLease, Point::AfterTokens] {
        let bridge = connected("").await;
        crash(&bridge, point).await;
        let next = bridge.installation.another_bridge(bridge.installation.store.clone());
        assert_eq!(ask(&next).await, Ok(200), "{point:?}");
        let counts = bridge.casepeer.oauth_counts();
        assert_eq!((counts.refreshes, counts.refused, counts.dead_calls), (1, 0, 0), "{point:?}");
    }
}

#[tokio::test]
async fn an_answer_that_a_crash_swallowed_parks_the_firm_until_a_person_connects_it_again() {
    let bridge = connected("").await;
    crash(&bridge, Point::BeforeTokens).await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap().remove(0);
    assert_eq!((parked.cause, parked.system), (ParkCause::Credentials, Some(System::CasePeer)));
    for words in [
        "was not sent: CASEpeer no longer accepts the connection (invalid_grant)",
        "connect it with `casebridge firms connect acme --casepeer` and the link that prints",
    ] {
        assert!(parked.reason.contains(words), "{}", parked.reason);
    }
    let (status, page) = connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("People whose events were kept until now: 1."), "{page}");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    assert_eq!(bridge.casepeer.oauth_counts().dead_calls, 0);
}

#[tokio::test]
async fn a_token_that_ends_early_is_replaced_and_a_permission_taken_back_parks() {
    let bridge = connected("").await;
    bridge.casepeer.expire_tokens();
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.casepeer.oauth_counts().refreshes, 1);
    bridge.casepeer.withdraw();
    let grace =
        casebridge::twin::NewContact { email: "grace@example.com".into(), phone: String::new(), ..ada() };
    bridge.highlevel.create_contact(grace);
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap().remove(0);
    assert_eq!((parked.cause, parked.system), (ParkCause::Credentials, Some(System::CasePeer)));
}

/// A token endpoint that answers with these tokens' life in seconds.
async fn endpoint(life: i64) -> MockServer {
    let server = MockServer::start().await;
    let body =
        json!({ "access_token": "a", "token_type": "Bearer", "refresh_token": "r", "expires_in": life });
    let answer = ResponseTemplate::new(200).set_body_json(body);
    Mock::given(method("POST")).and(path("/tokens")).respond_with(answer).mount(&server).await;
    server
}

/// The vendor of this endpoint, with MyCase's profile and these lines of `auth`.
async fn by_mycase(server: &MockServer, lines: &str) -> TestBridge {
    let uri = server.uri();
    let lines = format!("auth.authorize_url = \"{uri}/login\"\nauth.token_url = \"{uri}/tokens\"\n{lines}");
    let edit = |text: String, directory: &Path| {
        let text = by_account(&text, directory, &lines);
        let is_twins = |line: &str| line.contains("/oauth/authorize") || line.contains("/oauth/token");
        let kept: Vec<_> = text.lines().filter(|line| !is_twins(line)).collect();
        kept.join("\n").replace("[firms.casepeer]\n", "[firms.casepeer]\nprofile = \"mycase\"\n")
    };
    let bridge = TestBridge::edited(edit).await;
    let mut browser = Browser::of(&bridge);
    let start = browser.open(&link(&bridge.installation.bridge).await).await;
    let there = start.location.unwrap();
    assert!(there.query_pairs().all(|(key, _)| key != "code_challenge"), "MyCase documents no PKCE: {there}");
    let state = there.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
    let back = format!("{PUBLIC}/oauth/casepeer/callback?code=c&state={state}");
    let page = browser.open(&back).await;
    assert_eq!(page.status, 200, "{}", page.text);
    bridge
}

#[tokio::test]
async fn token_requests_have_the_form_that_the_profile_says() {
    let server = endpoint(86_400).await;
    let bridge = by_mycase(&server, "").await;
    bridge.installation.clock.advance(SignedDuration::from_hours(23));
    bridge.installation.bridge.keep_connections().await;
    let asked = server.received_requests().await.unwrap();
    let bodies: Vec<Value> = asked.iter().map(|one| serde_json::from_slice(&one.body).unwrap()).collect();
    let client = json!({ "client_id": "twin-client", "client_secret": "twin-secret" });
    let with = |more: Value| {
        let mut all = client.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let callback = format!("{PUBLIC}/oauth/casepeer/callback");
    assert_eq!(
        bodies,
        [
            with(json!({ "grant_type": "authorization_code", "code": "c", "redirect_uri": callback })),
            with(json!({ "grant_type": "refresh_token", "refresh_token": "r" })),
        ]
    );

    let server = endpoint(86_400).await;
    by_mycase(&server, "auth.client_auth = \"basic\"\nauth.token_body = \"form\"").await;
    let asked = server.received_requests().await.unwrap().remove(0);
    assert!(asked.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    let body = String::from_utf8(asked.body).unwrap();
    assert!(body.contains("grant_type=authorization_code") && !body.contains("twin-secret"), "{body}");
}

#[tokio::test]
async fn a_refresh_token_that_would_end_unused_is_used_at_half_its_time() {
    // The access token lasts 90 days, and the refresh token two weeks unused.
    let server = endpoint(90 * 86_400).await;
    let bridge = by_mycase(&server, "").await;
    let asked = async || server.received_requests().await.unwrap().len();
    let wait = async |hours| {
        bridge.installation.clock.advance(SignedDuration::from_hours(hours));
        bridge.installation.bridge.keep_connections().await;
    };
    wait(7 * 24 - 1).await;
    assert_eq!(asked().await, 1);
    wait(1).await;
    assert_eq!(asked().await, 2);
    wait(6 * 24).await;
    assert_eq!(asked().await, 2);
    wait(24).await;
    assert_eq!(asked().await, 3);
}
