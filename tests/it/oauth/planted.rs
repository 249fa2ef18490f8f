//! Tokens, codes, links and cookies stay where they belong: a search of everything that is written finds none of them.

use casebridge::twin::NewContact;
use jiff::SignedDuration;

use super::{ALL, Browser, bridge_with, credential, link};
use crate::story::ada;
use crate::support::Log;

fn holds(bytes: &[u8], planted: &str) -> bool {
    bytes.windows(planted.len()).any(|window| window == planted.as_bytes())
}

#[tokio::test]
async fn nothing_that_is_written_holds_a_secret_of_a_connection() {
    let log = Log::capture();

    let bridge = bridge_with(ALL).await;
    let mut browser = Browser::of(&bridge);
    let link = link(&bridge.installation.bridge).await;
    let back = browser.leave(&link).await;
    let value = |name: &str| back.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let (code, state) = (value("code"), value("state"));
    let cookie = browser.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned();
    let page = browser.open(back.as_str()).await;
    assert_eq!(page.status, 200);
    let first = credential(&bridge).await.unwrap();
    bridge.installation.clock.advance(SignedDuration::from_hours(23));
    bridge.installation.bridge.keep_connections().await;
    let second = credential(&bridge).await.unwrap();
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.uninstall();
    let email = "grace@example.com".to_owned();
    bridge.highlevel.create_contact(NewContact { email, phone: String::new(), ..ada() });
    bridge.settle().await;

    let refresh = |of: &casebridge::store::Credential| of.refresh.as_ref().unwrap().reveal().to_owned();
    let planted = [
        ("the client secret", "twin-secret".to_owned()),
        ("the first access token", first.access.reveal().to_owned()),
        ("the first refresh token", refresh(&first)),
        ("the second access token", second.access.reveal().to_owned()),
        ("the second refresh token", refresh(&second)),
        ("the link", link.split_once("link=").unwrap().1.to_owned()),
        ("the code", code),
        ("the state", state),
        ("the cookie", cookie),
    ];
    let mut written = vec![
        ("the page", page.text.into_bytes()),
        ("the events", bridge.installation.tell().await.into_bytes()),
        ("the credentials", format!("{first:?}{second:?}").into_bytes()),
    ];
    for path in ["/api/v1/firms", "/api/v1/installations", "/api/v1/events", "/metrics"] {
        let answer = reqwest::get(format!("{}{path}", bridge.installation.admin_url)).await.unwrap();
        written.push((path, answer.bytes().await.unwrap().to_vec()));
    }
    if let Some(database) = bridge.installation.sqlite_file() {
        for end in ["", "-wal"] {
            let file = format!("{}{end}", database.display());
            written.push(("the database", std::fs::read(file).unwrap_or_default()));
        }
    }
    let ours = log.ours();
    assert!(
        ours.contains("a firm was connected to HighLevel") && ours.contains("a HighLevel token was renewed")
    );
    written.push(("the log", ours.into_bytes()));
    for (place, bytes) in &written {
        for (what, secret) in &planted {
            assert!(secret.len() > 8 && !holds(bytes, secret), "{what} stands in {place}");
        }
    }
}
