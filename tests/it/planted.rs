//! What people and programs prove themselves with stays where it belongs: a search of everything that is written while
//! they use it finds none of it.

use std::path::Path;

use casebridge::bridge::TokenGrant;
use casebridge::config::Secret;
use casebridge::domain::{Actor, FirmId, Reach, Role};
use casebridge::vendors::Surface;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::console::{PASSWORD, Person};
use crate::story::ada;
use crate::support::{Log, TestBridge};

/// A secret and what it is.
pub type Planted = (&'static str, String);

/// Fails if a secret stands in something that was written, as it is or in one of the forms it travels in.
pub fn assert_unwritten(written: &[(&str, Vec<u8>)], planted: &[Planted]) {
    for (place, bytes) in written {
        for (what, secret) in planted {
            assert!(secret.len() > 8, "{what} is too short to be searched for");
            let bytes_of = format!("{:?}", secret.as_bytes());
            for form in [secret.as_str(), &urlencoded(secret), bytes_of.trim_matches(['[', ']'])] {
                let is_there = bytes.windows(form.len()).any(|window| window == form.as_bytes());
                assert!(!is_there, "{what} stands in {place}");
            }
        }
    }
}

fn urlencoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The files of a bridge's database; none on PostgreSQL.
pub fn database(bridge: &TestBridge) -> Vec<(&'static str, Vec<u8>)> {
    let Some(file) = bridge.installation.sqlite_file() else { return Vec::new() };
    let read = |end: &str| std::fs::read(Path::new(&format!("{}{end}", file.display())));
    ["", "-wal"].iter().map(|end| ("the database", read(end).unwrap_or_default())).collect()
}

fn cookie_of(person: &Person) -> String {
    person.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned()
}

/// The first administrator by the one-time link; then a wrong password, and one more session.
async fn people(bridge: &TestBridge, planted: &mut Vec<Planted>) -> Person {
    let inside = &bridge.installation.bridge;
    let word = inside.offer_setup().await.unwrap().unwrap();
    planted.push(("the set-up link", word.reveal().to_owned()));
    let first = inside.set_up(word.reveal(), "maria", Secret::new("the first password of maria")).await;
    planted.push(("the first password", "the first password of maria".into()));
    planted.push(("the first session", first.unwrap().reveal().to_owned()));
    let mut person = Person::at(bridge);
    for (password, status) in [("a password that is wrong", 401), ("the first password of maria", 303)] {
        let answer = person.post("/sign-in", &[("name", "maria"), ("password", password)]).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    planted.push(("the wrong password", "a password that is wrong".into()));
    assert!(inside.change_password("maria", Secret::new(PASSWORD)).await.unwrap());
    planted.push(("the new password", PASSWORD.into()));
    let answer = person.post("/sign-in", &[("name", "maria"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    person.get("/").await;
    planted.push(("the session", cookie_of(&person)));
    planted.push(("the token of pages", person.page_token.clone()));
    person
}

/// A program that calls an action, subscribes, is told, and is refused.
async fn program(bridge: &TestBridge, receiver: &MockServer, planted: &mut Vec<Planted>) {
    let maria = Actor { name: "maria".into(), role: Role::Admin, reach: Reach::Everywhere };
    let (firms, actions) = (vec!["acme".to_owned()], vec!["hooks".to_owned(), "contacts.*".to_owned()]);
    let grant = TokenGrant { name: "zapier".into(), firms, actions };
    let (id, token) = bridge.installation.bridge.make_token_as(&maria, grant).await.unwrap();
    planted.push(("the program's token", token.reveal().to_owned()));
    let ask = async |token: &str, method: Method, path: &str, body: Value| {
        let url = format!("{}/api/v1/{path}", bridge.installation.url);
        let answer = Client::new().request(method, url).bearer_auth(token).json(&body).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap_or_default())
    };
    let key = "planted-key-of-the-hook-target";
    let url = format!("{}/hook?key={key}", receiver.uri());
    let subscribed = json!({ "trigger": "webhook.ContactCreate", "url": url });
    let (status, made) = ask(token.reveal(), Method::POST, "hooks", subscribed).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let secret = |made: &Value| made["secret"].as_str().unwrap().to_owned();
    planted.push(("the hook's secret", secret(&made)));
    let rotate = format!("hooks/{}/rotate", made["id"].as_str().unwrap());
    let (_, rotated) = ask(token.reveal(), Method::POST, &rotate, Value::Null).await;
    planted.push(("the hook's new secret", secret(&rotated)));
    planted.push(("the key in the hook's address", key.into()));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert!(!receiver.received_requests().await.unwrap().is_empty(), "the program is told");
    bridge.installation.bridge.revoke_token_as(&maria, &id).await.unwrap();
    for wrong in [token.reveal(), "cbt_planted-token-that-nobody-made"] {
        let (status, body) = ask(wrong, Method::GET, "hooks", Value::Null).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    }
    planted.push(("a token that nobody made", "cbt_planted-token-that-nobody-made".into()));
}

#[tokio::test]
async fn nothing_that_is_written_holds_what_people_and_programs_prove_themselves_with() {
    let log = Log::capture();
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let url = receiver.uri();
    let bridge = TestBridge::edited(|text, _| format!("[hooks]\nallowed = [{url:?}]\n{text}")).await;
    let mut planted: Vec<Planted> = Vec::new();
    let mut maria = people(&bridge, &mut planted).await;
    program(&bridge, &receiver, &mut planted).await;
    let firm = FirmId::new("acme");
    for surface in [Surface::HighLevel, Surface::CasePeer] {
        let link = bridge.installation.bridge.connections().make_link(surface, &firm).await.unwrap().0;
        planted.push(("a link to connect a firm", link.split_once("link=").unwrap().1.to_owned()));
    }

    let mut written = database(&bridge);
    for path in [
        "/",
        "/events",
        "/people",
        "/firms",
        "/users",
        "/tokens",
        "/settings",
        "/audit",
        "/api/v1/events",
        "/api/v1/firms",
        "/metrics",
    ] {
        let answer = maria.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        // Every page of hers has what its forms send along; nobody else gets to see it.
        let text = answer.text.replace(&maria.page_token, "");
        written.push((path, text.into_bytes()));
    }
    written.push(("the stories", bridge.installation.tell().await.into_bytes()));
    for event in bridge.installation.events().await {
        let story = bridge.installation.store.event(event.id).await.unwrap().unwrap();
        written.push(("a story as it is printed", format!("{story:?}").into_bytes()));
    }
    let store = &bridge.installation.store;
    let rows = format!("{:?} {:?}", store.accounts().await.unwrap(), store.tokens().await.unwrap());
    written.push(("the rows as they are printed", rows.into_bytes()));
    let ours = log.ours();
    assert!(ours.contains("TRACE") || ours.contains("DEBUG"), "the log is not at its loudest");
    written.push(("the log", ours.into_bytes()));
    assert!(written.len() > 15 && planted.len() == 14, "{} places, {} secrets", written.len(), planted.len());
    assert_unwritten(&written, &planted);
}
