//! Tokens, codes, links and cookies stay where they belong: a search of everything that is written finds none of them.

use casebridge::store::Credential;
use casebridge::twin::NewContact;
use jiff::SignedDuration;

use super::{ALL, Browser, account, by_browser, credential, link};
use crate::planted::{Planted, assert_unwritten, database};
use crate::story::ada;
use crate::support::{Log, TestBridge};

/// A person connects a side; what went through the browser, and the page that was shown at the end.
async fn connect(bridge: &TestBridge, link: String, planted: &mut Vec<Planted>) -> Vec<u8> {
    let mut browser = Browser::of(bridge);
    let back = browser.leave(&link).await;
    let value = |name: &str| back.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    planted.extend([
        ("a link", link.split_once("link=").unwrap().1.to_owned()),
        ("a code", value("code")),
        ("a state", value("state")),
        ("a cookie", browser.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned()),
    ]);
    let page = browser.open(back.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.text.into_bytes()
}

fn tokens(of: &Credential) -> [Planted; 2] {
    let refresh = of.refresh.as_ref().unwrap().reveal().to_owned();
    [("an access token", of.access.reveal().to_owned()), ("a refresh token", refresh)]
}

#[tokio::test]
async fn nothing_that_is_written_holds_a_secret_of_a_connection() {
    let log = Log::capture();
    let bridge = TestBridge::edited(|text, directory| {
        let text = by_browser(&text, directory, ALL, "twinapp0000000000000000a-x");
        account::by_account(&text, directory, "")
    })
    .await;
    let mut planted: Vec<Planted> = vec![("the client secret", "twin-secret".into())];
    let mut written = Vec::new();
    let inside = &bridge.installation.bridge;
    for link in [link(inside).await, account::link(inside).await] {
        written.push(("the page", connect(&bridge, link, &mut planted).await));
    }
    let known = async || [credential(&bridge).await.unwrap(), account::credential(&bridge).await];
    let first = known().await;
    bridge.installation.clock.advance(SignedDuration::from_hours(23));
    inside.keep_connections().await;
    let second = known().await;
    for one in first.iter().chain(&second) {
        planted.extend(tokens(one));
        written.push(("a credential as it is printed", format!("{one:?}").into_bytes()));
    }
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    // Both end, and both refusals are told.
    bridge.highlevel.uninstall();
    bridge.casepeer.withdraw();
    let email = "grace@example.com".to_owned();
    bridge.highlevel.create_contact(NewContact { email, phone: String::new(), ..ada() });
    bridge.settle().await;
    let firm = inside.firms.iter().next().unwrap();
    let (highlevel, casepeer) = inside.try_connections(&firm).await;
    written.push(("the refusals", format!("{highlevel:?} {casepeer:?}").into_bytes()));
    assert!(highlevel.is_err() && casepeer.is_err(), "{highlevel:?} {casepeer:?}");

    written.push(("the events", bridge.installation.tell().await.into_bytes()));
    for path in ["/api/v1/firms", "/api/v1/installations", "/api/v1/events", "/metrics"] {
        let answer = reqwest::get(format!("{}{path}", bridge.installation.admin_url)).await.unwrap();
        written.push((path, answer.bytes().await.unwrap().to_vec()));
    }
    written.extend(database(&bridge));
    let ours = log.ours();
    for words in [
        "a firm was connected to HighLevel",
        "a firm was connected to CASEpeer",
        "a HighLevel token was renewed",
        "a CASEpeer token was renewed",
    ] {
        assert!(ours.contains(words), "{words}");
    }
    written.push(("the log", ours.into_bytes()));
    assert_eq!(planted.len(), 1 + 2 * 4 + 4 * 2);
    assert_unwritten(&written, &planted);
}
