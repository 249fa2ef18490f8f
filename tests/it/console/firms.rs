//! Firms at the console: the guide's lines are what the configuration takes, and who may see what.

use casebridge::config;
use casebridge::domain::{FirmId, Reach, Role};

use super::Person;
use crate::oauth::Browser;
use crate::oauth::account::by_account;
use crate::support::TestBridge;

/// The lines that a page shows, if it shows any.
fn lines(page: &str) -> Option<String> {
    let lines = page.split("<pre id=\"firm-lines\">").nth(1)?.split("</pre>").next()?;
    Some(lines.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&"))
}

#[tokio::test]
async fn the_lines_for_a_new_firm_are_taken_by_the_configuration() {
    let bridge = TestBridge::start().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().display().to_string();
    for (name, secret) in [
        ("bell-inbound-token", "0123456789abcdef"),
        ("bell-webhook-secret", "0123456789abcdef0123456789abcdef"),
        ("bell-highlevel-token", "pit"),
        ("bell-casepeer-token", "bearer"),
    ] {
        std::fs::write(home.path().join(name), secret).unwrap();
    }
    for hook in ["case-get", "lead-create", "lead-update", "note-create", "task-create", "task-update"] {
        std::fs::write(home.path().join(format!("bell-hook-{hook}")), "https://hooks.zapier.com/x").unwrap();
    }
    for (profile, auth, address) in [
        ("contract-v1", "bearer", "https://api.example.com"),
        ("zapier", "none", ""),
        ("mycase", "bearer", ""),
    ] {
        let form = [
            ("id", "bell"),
            ("name", "Bell \"& Sons\""),
            ("location", "loc-2"),
            ("by", "token"),
            ("profile", profile),
            ("base-url", address),
            ("auth", auth),
            ("folder", &folder),
        ];
        let page = root.post("/firms/new", &form).await;
        let lines = lines(&page.text).unwrap_or_else(|| panic!("{profile}: {}", page.text));
        let config = config::parse("test", &lines, &Vec::new());
        let config = config.unwrap_or_else(|wrong| panic!("{profile}: {wrong}\n{lines}"));
        assert_eq!(config.firms[0].name.as_deref(), Some("Bell \"& Sons\""));
        for (field, value, why) in [
            ("id", "acme", "There is a firm of this name already"),
            ("id", "a b", "Letters, digits"),
            ("location", "", "the last part of the sub-account"),
            ("by", "browser", "Marketplace app"),
            ("base-url", "nowhere", "is not an address"),
            ("folder", "secrets", "A whole path"),
        ] {
            let wrong = form.map(|(name, old)| (name, if name == field { value } else { old }));
            let page = root.post("/firms/new", &wrong).await.text;
            let told =
                page.split(&format!("id=\"wrong-{field}\">")).nth(1).unwrap().split('<').next().unwrap();
            assert!(told.contains(why), "{field} = {value}: {told}");
            assert!(self::lines(&page).is_none(), "{field} = {value}");
        }
    }
}

#[tokio::test]
async fn a_firm_that_is_waited_for_is_shown_to_those_who_may_add_it() {
    let bridge = TestBridge::start().await;
    let acme = Reach::Firms([FirmId::new("acme")].into());
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let mut some = Person::signed_in(&bridge, "some", Role::Admin, acme).await;
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    let waiting = root.get("/firms/bell/set-up").await;
    assert!(
        waiting.status == 200 && waiting.text.contains("It stands in the configuration"),
        "{}",
        waiting.text
    );
    assert_eq!(some.get("/firms/bell/set-up").await.status, 403);
    assert_eq!(some.get("/firms/new").await.status, 403);
    assert_eq!(some.get("/firms/acme/set-up").await.status, 200);
    assert_eq!(operator.get("/firms/acme/set-up").await.status, 403);
    assert_eq!(operator.get("/firms/acme/rotate").await.status, 403);
    assert_eq!(operator.get("/firms/nobody").await.status, 404);
    assert_eq!(some.get("/firms/bell/live").await.status, 404);
}

#[tokio::test]
async fn both_connections_are_tried_and_a_secret_is_made_and_kept_nowhere() {
    let bridge = TestBridge::start().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    assert_eq!(root.post("/firms/acme/try", &[]).await.location.as_deref(), Some("/firms/acme"));
    let page = root.get("/firms/acme").await.text;
    assert_eq!(page.matches("answers in").count(), 2, "{page}");
    let made = root.post("/firms/acme/rotate", &[]).await.text;
    let secret = made.split("id=\"new-secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(secret.len(), 64);
    assert!(made.contains("until = &quot;"), "{made}");
    assert!(!root.get("/firms/acme/rotate").await.text.contains(&secret));
    let told = super::desk::deeds(&bridge).await;
    assert_eq!(told[0].0, "tested");
}

#[tokio::test]
async fn a_link_is_made_for_the_side_that_a_person_connects() {
    let bridge = TestBridge::edited(|text, directory| by_account(&text, directory, "")).await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    let page = root.get("/firms/acme").await.text;
    assert!(
        page.contains("Make a link to connect CASEpeer") && !page.contains("connect HighLevel"),
        "{page}"
    );
    assert_eq!(operator.post("/firms/acme/connect", &[("system", "casepeer")]).await.status, 403);
    assert_eq!(root.post("/firms/acme/connect", &[("system", "highlevel")]).await.status, 409, "by a token");
    let made = root.post("/firms/acme/connect", &[("system", "casepeer"), ("back", "set-up")]).await.text;
    let link = made.split("id=\"connect-link\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut browser = Browser::of(&bridge);
    let back = browser.leave(&link).await;
    let done = browser.open(back.as_str()).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(root.get("/firms/acme").await.text.contains(">connected<"), "the page shows it");
    assert_eq!(super::desk::deeds(&bridge).await[0].0, "link_made");
}
