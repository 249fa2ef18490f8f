//! Signing in and out, the first administrator, and what keeps others out.

use casebridge::domain::{Reach, Role};
use casebridge::store::AuditFilter;
use jiff::SignedDuration;

use super::{PASSWORD, Person};
use crate::support::TestBridge;

async fn deeds(bridge: &TestBridge) -> Vec<String> {
    let filter = AuditFilter { limit: 100, ..AuditFilter::default() };
    let rows = bridge.installation.store.audit_log(filter).await.unwrap();
    rows.iter().rev().map(|row| format!("{} {}", row.who, row.what)).collect()
}

#[tokio::test]
async fn the_printed_link_makes_the_first_administrator_once() {
    let bridge = TestBridge::start().await;
    let word = bridge.installation.bridge.offer_setup().await.unwrap().expect("there is nobody yet");
    let setup = format!("/setup/{}", word.reveal());
    let mut ada = Person::at(&bridge);
    assert_eq!(ada.get("/").await.location.as_deref(), Some("/sign-in"));
    assert!(ada.get(&setup).await.text.contains("Choose the name and password"));
    let form = |password, again| [("name", "Ada"), ("password", password), ("again", again)];
    assert_eq!(ada.post(&setup, &form("short", "short")).await.status, 400);
    assert_eq!(ada.post(&setup, &form(PASSWORD, "another horse battery")).await.status, 400);
    let welcome = ada.post(&setup, &form(PASSWORD, PASSWORD)).await;
    assert_eq!((welcome.status, welcome.location.as_deref()), (303, Some("/")), "{}", welcome.text);
    let cookie = welcome.set_cookie.unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let home = ada.get("/").await;
    assert!(home.status == 200 && home.text.contains("<strong>ada</strong>"), "{}", home.text);

    let mut eve = Person::at(&bridge);
    assert_eq!(eve.get(&setup).await.status, 404);
    assert_eq!(eve.post(&setup, &form(PASSWORD, PASSWORD)).await.status, 404);
    assert!(bridge.installation.bridge.offer_setup().await.unwrap().is_none());
    assert_eq!(deeds(&bridge).await, ["ada set_up"]);
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_are_refused_alike_and_not_for_ever() {
    let bridge = TestBridge::start().await;
    Person::signed_in(&bridge, "ada", Role::Viewer, Reach::Everywhere).await;
    let mut eve = Person::at(&bridge);
    let wrong = eve.post("/sign-in", &[("name", "ada"), ("password", "wrong horse battery")]).await;
    let nobody = eve.post("/sign-in", &[("name", "bo"), ("password", "wrong horse battery")]).await;
    assert_eq!((wrong.status, &wrong.text), (401, &nobody.text), "which was wrong is not said");
    for _ in 0..9 {
        eve.post("/sign-in", &[("name", "ada"), ("password", "wrong horse battery")]).await;
    }
    let right = [("name", "ada"), ("password", PASSWORD)];
    assert_eq!(eve.post("/sign-in", &right).await.status, 429, "even the right one, after so many");
    bridge.installation.clock.advance(SignedDuration::from_mins(16));
    assert_eq!(eve.post("/sign-in", &right).await.status, 303);
    let log = deeds(&bridge).await;
    assert_eq!(log.iter().filter(|deed| *deed == "ada sign_in_refused").count(), 10, "{log:?}");
}

#[tokio::test]
async fn a_session_ends_with_sign_out_and_with_time() {
    let bridge = TestBridge::start().await;
    let mut ada = Person::signed_in(&bridge, "ada", Role::Viewer, Reach::Everywhere).await;
    let stolen = ada.cookie.clone();
    assert_eq!(ada.get("/sign-out").await.status, 200, "a link changes nothing");
    let out = ada.post("/sign-out", &[]).await;
    assert!(out.set_cookie.unwrap().contains("Max-Age=0"));
    ada.cookie = stolen;
    assert_eq!(ada.get("/").await.location.as_deref(), Some("/sign-in"), "the cookie is worth nothing now");

    ada.cookie = None;
    ada.post("/sign-in", &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(ada.get("/").await.status, 200);
    bridge.installation.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(ada.get("/").await.status, 303);
}

#[tokio::test]
async fn a_form_of_another_site_or_session_does_nothing() {
    let bridge = TestBridge::start().await;
    let mut ada = Person::signed_in(&bridge, "ada", Role::Admin, Reach::Everywhere).await;
    let form = [("name", "eve"), ("role", "admin"), ("password", PASSWORD)];
    let token = std::mem::take(&mut ada.page_token);
    assert_eq!(ada.post("/users", &form).await.status, 403, "without the page's token");
    let mut with_token = form.to_vec();
    with_token.push(("page_token", &token));
    let asking = ada.request("POST", "/users").header("origin", "https://evil.example").form(&with_token);
    assert_eq!(ada.send(asking).await.status, 403, "from another site");
    let stranger = Person::at(&bridge).request("POST", "/users").form(&with_token);
    assert_eq!(Person::at(&bridge).send(stranger).await.status, 303, "to the sign-in page");
    assert_eq!(bridge.installation.store.accounts().await.unwrap().len(), 1);
    ada.page_token = token;
    assert_eq!(ada.post("/users", &form).await.location.as_deref(), Some("/users?done=added"));
    assert_eq!(bridge.installation.store.accounts().await.unwrap().len(), 2);
}

#[tokio::test]
async fn pages_are_kept_by_nobody_and_run_nothing_of_others() {
    let bridge = TestBridge::start().await;
    let mut ada = Person::signed_in(&bridge, "ada", Role::Admin, Reach::Everywhere).await;
    for path in ["/", "/users", "/audit", "/sign-out", "/nothing"] {
        let page = ada.get(path).await;
        if path == "/nothing" {
            continue;
        }
        let header = |name: &str| page.headers.get(name).map_or("", |value| value.to_str().unwrap());
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!((header("cache-control"), header("x-frame-options")), ("no-store", "DENY"), "{path}");
        let inline = [" style=", " onclick=", "<style", "javascript:", "<script>"];
        assert!(!inline.iter().any(|mark| page.text.contains(mark)), "{path}: {}", page.text);
    }
    let style = ada.get("/").await.text;
    let asset = style.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let asset = ada.get(&format!("/assets/{asset}")).await;
    assert_eq!(asset.headers["cache-control"], "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn accounts_are_managed_by_those_who_govern() {
    let bridge = TestBridge::start().await;
    let acme = Reach::Firms(["acme".to_owned()].map(casebridge::domain::FirmId::new).into());
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let mut some = Person::signed_in(&bridge, "some", Role::Admin, acme).await;
    let mut viewer = Person::signed_in(&bridge, "viewer", Role::Viewer, Reach::Everywhere).await;
    assert_eq!(some.get("/users").await.status, 403, "an administrator of some firms");
    assert_eq!(some.post("/users/viewer", &[("do", "remove")]).await.status, 403);
    assert_eq!(viewer.get("/audit").await.status, 403);
    assert_eq!(some.get("/audit").await.status, 200);
    assert_eq!(root.get("/users").await.status, 200);
    let shrunk = [("do", "change"), ("role", "operator"), ("firm", "acme")];
    assert_eq!(root.post("/users/viewer", &shrunk).await.status, 303);
    assert_eq!(viewer.get("/").await.status, 303, "who is changed signs in again");
    assert_eq!(root.post("/users/root", &[("do", "remove")]).await.status, 400, "nobody would be left");
    assert_eq!(root.post("/users/some", &[("do", "remove")]).await.status, 303);
    assert_eq!(some.get("/").await.status, 303);
    let log = root.get("/audit").await.text;
    assert!(log.contains("removed a user") && log.contains("viewer: operator, acme"), "{log}");
}
