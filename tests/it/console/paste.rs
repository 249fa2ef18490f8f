//! A private token that is pasted at the console.

use casebridge::domain::{FirmId, Reach, Role};
use casebridge::store::Holder;
use jiff::SignedDuration;

use super::desk::deeds;
use super::{Answer, Person};
use crate::story::ada;
use crate::support::TestBridge;

const NEW: &str = "pit-00000000-0000-0000-0000-00000000new1";

async fn paste(person: &mut Person, token: &str) -> Answer {
    person.post("/firms/acme/token", &[("do", "paste"), ("token", token)]).await
}

/// How many calls HighLevel has answered with 401 so far is not told; whether a new contact comes through is.
async fn comes_through(bridge: &TestBridge, name: &str) -> bool {
    bridge.highlevel.create_contact(casebridge::twin::NewContact {
        first_name: name.into(),
        email: format!("{name}@example.com"),
        phone: format!("+1 512 555 {:04}", 1000 + bridge.highlevel.contacts().len()),
        ..ada()
    });
    bridge.settle().await;
    bridge.casepeer.leads().iter().any(|lead| lead["client"]["first_name"] == name)
}

#[tokio::test]
async fn a_pasted_token_is_tried_kept_sealed_and_stands_before_the_files() {
    let bridge = TestBridge::start().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    assert_eq!(operator.get("/firms/acme/token").await.status, 403);
    assert_eq!(paste(&mut operator, NEW).await.status, 403);
    let page = root.get("/firms/acme/token").await.text;
    assert!(
        page.contains("By a private token from the configuration. One that is pasted here stands before it"),
        "{page}"
    );

    let refused = paste(&mut root, NEW).await;
    assert_eq!(refused.status, 409, "HighLevel does not know it");
    assert!(
        refused.text.contains("It was tried and not kept") && !refused.text.contains(NEW),
        "{}",
        refused.text
    );
    for wrong in ["", "two words", "naïve"] {
        assert_eq!(paste(&mut root, wrong).await.status, 400, "{wrong}");
    }
    let holder = Holder::Private(bridge.highlevel.location().to_owned());
    let store = &bridge.installation.store;
    assert!(store.credential(&holder).await.unwrap().is_none());

    bridge.highlevel.accept_token(NEW);
    assert_eq!(paste(&mut root, NEW).await.location.as_deref(), Some("/firms/acme?done=pasted"));
    let shown = root.get("/firms/acme").await.text;
    assert!(
        shown.contains("By a private token that was pasted here")
            && shown.contains("stands before the configuration's"),
        "{shown}"
    );
    for page in ["/firms/acme", "/firms/acme/token", "/firms/acme/rotate", "/settings", "/audit"] {
        assert!(!root.get(page).await.text.contains(NEW), "{page}");
    }
    assert!(root.get("/firms/acme/rotate").await.text.contains("pasted in the console"));
    assert_eq!(deeds(&bridge).await[0], ("token_pasted".into(), String::new()));
    if let Some(file) = bridge.installation.sqlite_file() {
        for file in [file.clone(), file.with_extension("db-wal")] {
            let bytes = std::fs::read(&file).unwrap_or_default();
            assert!(!bytes.windows(NEW.len()).any(|window| window == NEW.as_bytes()), "{}", file.display());
        }
    }

    // It is used, and another process learns of it.
    bridge.highlevel.revoke_token("twin-token");
    assert!(comes_through(&bridge, "Ada").await, "{}", bridge.installation.tell().await);
    let other = bridge.installation.another_bridge(store.clone());
    let firm = other.firms.iter().next().unwrap();
    assert_eq!(firm.highlevel.granted().await.unwrap().token.reveal(), NEW);

    // When it ends, the file's is used again, and the page says so.
    bridge.highlevel.accept_token("twin-token");
    bridge.highlevel.revoke_token(NEW);
    assert!(comes_through(&bridge, "Bert").await, "{}", bridge.installation.tell().await);
    let shown = root.get("/firms/acme").await.text;
    assert!(shown.contains("HighLevel has refused the token that was pasted here since"), "{shown}");

    // Its age counts from when it was pasted.
    bridge.installation.clock.advance(SignedDuration::from_hours(91 * 24));
    let ages = bridge.installation.bridge.secret_ages().await.unwrap();
    let age = ages.iter().find(|age| age.origin.as_deref() == Some("pasted in the console")).unwrap();
    assert!(age.is_due && age.reference == "firms.acme.highlevel.token", "{age:?}");
    let mut root = Person::signed_in(&bridge, "later", Role::Admin, Reach::Everywhere).await;
    let forgotten = root.post("/firms/acme/token", &[("do", "forget")]).await;
    assert_eq!(forgotten.location.as_deref(), Some("/firms/acme?done=forgotten"), "{}", forgotten.text);
    assert_eq!(root.post("/firms/acme/token", &[("do", "forget")]).await.status, 409);
    assert!(store.credential(&holder).await.unwrap().is_none());
    assert_eq!(deeds(&bridge).await[0].0, "token_forgotten");
}

#[tokio::test]
async fn a_firm_without_a_token_in_the_file_waits_for_one_and_goes_on_when_it_is_pasted() {
    let bridge = TestBridge::edited(|text, _| {
        let token = text.lines().find(|line| line.starts_with("token = ")).unwrap().to_owned();
        text.replacen(&format!("{token}\n"), "", 1)
    })
    .await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    assert!(!comes_through(&bridge, "Ada").await, "there is no token");
    let acme = FirmId::new("acme");
    let parkings = bridge.installation.store.parkings().await.unwrap();
    assert!(
        parkings[0].firm == acme && parkings[0].reason.contains("paste it on the firm's page"),
        "{parkings:?}"
    );
    let guide = root.get("/firms/acme/set-up").await.text;
    assert!(guide.contains("href=\"/firms/acme/token\""), "{guide}");
    assert!(root.get("/firms/acme").await.text.contains("no private token for this firm"));
    assert_eq!(paste(&mut root, "twin-token").await.status, 303);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    assert!(bridge.installation.store.parkings().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_guide_offers_to_paste_it_and_a_browsers_firm_takes_none() {
    let bridge = TestBridge::start().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let form = [
        ("id", "bell"),
        ("location", "otherLocation0000001"),
        ("by", "paste"),
        ("profile", "contract-v1"),
        ("base-url", "https://api.example.com"),
        ("auth", "none"),
        ("folder", "/etc/casebridge/secrets"),
    ];
    let lines = root.post("/firms/new", &form).await.text;
    let lines = lines.split("id=\"firm-lines\">").nth(1).unwrap().split("</pre>").next().unwrap().to_owned();
    assert!(lines.contains("location_id = ") && !lines.contains("\ntoken = "), "{lines}");

    let by_browser = crate::oauth::bridge_with(crate::oauth::ALL).await;
    let mut root = Person::signed_in(&by_browser, "root", Role::Admin, Reach::Everywhere).await;
    let refused = paste(&mut root, "twin-token").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("connected in the browser"), "{}", refused.text);
}
