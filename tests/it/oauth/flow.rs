//! The way through the browser, and every turn at which it is refused, in the words a person reads.

use casebridge::domain::EventState;
use casebridge::store::Holder;
use casebridge::twin::Fault;
use casebridge::twin::highlevel::Choice;
use casebridge::vendors::Surface;
use jiff::SignedDuration;

use super::{AGENCY, ALL, Browser, PUBLIC, bridge_with, by_browser, connected, credential, link};
use crate::story::ada;
use crate::support::TestBridge;

/// Fails unless the page is a refusal in these words, keeps nothing, and is safe to show.
async fn assert_refused(bridge: &TestBridge, page: (u16, String), status: u16, words: &[&str]) {
    assert_eq!(page.0, status, "{}", page.1);
    for words in words {
        assert!(page.1.contains(words), "{words:?} is not in\n{}", page.1);
    }
    assert!(page.1.contains("<h1>Not connected</h1>"), "{}", page.1);
    assert!(!page.1.contains("<script"), "{}", page.1);
    assert!(bridge.installation.store.credentials().await.unwrap().is_empty());
}

async fn open(browser: &mut Browser, url: &str) -> (u16, String) {
    let answer = browser.open(url).await;
    assert!(answer.policy.unwrap().starts_with("default-src 'none'"));
    (answer.status, answer.text)
}

#[tokio::test]
async fn a_firm_is_connected_and_works() {
    let bridge = bridge_with(ALL).await;
    let mut browser = Browser::of(&bridge);
    let start = browser.open(&link(&bridge.installation.bridge).await).await;
    let cookie = start.set_cookie.unwrap();
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/oauth", "; Max-Age=900"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let there = start.location.unwrap();
    let query: Vec<(String, String)> = there.query_pairs().into_owned().collect();
    let value = |name: &str| query.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert_eq!(there.path(), "/v2/oauth/chooselocation");
    assert_eq!(value("response_type"), "code");
    assert_eq!(value("client_id"), "twinapp0000000000000000a-x");
    assert_eq!(value("redirect_uri"), format!("{PUBLIC}/oauth/highlevel/callback"));
    assert!(value("scope").starts_with("contacts.readonly contacts.write "), "{query:?}");
    assert_eq!(value("state").len(), 64);
    let back = browser.open(there.as_str()).await.location.unwrap();
    let page = browser.open(back.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("The firm <code>acme</code> is connected to HighLevel."), "{}", page.text);
    assert!(!page.text.contains("Left out"), "{}", page.text);
    assert!(page.set_cookie.unwrap().contains("Max-Age=0"), "the cookie has done its work");
    assert!(credential(&bridge).await.unwrap().refresh.is_some());

    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.highlevel.oauth_counts().dead_calls, 0);
}

#[tokio::test]
async fn under_a_white_label_no_address_speaks_of_highlevel() {
    let bridge = bridge_with(ALL).await;
    let connections = bridge.installation.bridge.connections();
    let firm = bridge.installation.bridge.firms.iter().next().unwrap().id.clone();
    let (link, _) = connections.make_link(Surface::WhiteLabel, &firm).await.unwrap();
    assert!(link.starts_with(&format!("{PUBLIC}/oauth/crm/start?link=")), "{link}");
    let mut browser = Browser::of(&bridge);
    let back = browser.leave(&link).await;
    assert_eq!(back.path(), "/oauth/crm/callback");
    assert_eq!(browser.open(back.as_str()).await.status, 200);
}

#[tokio::test]
async fn without_a_link_nothing_begins() {
    let bridge = bridge_with(ALL).await;
    let mut browser = Browser::of(&bridge);
    for query in ["", "?link=", "?link=0000", "?other=1", &format!("?link={}", "x".repeat(5000))] {
        let page = open(&mut browser, &format!("{PUBLIC}/oauth/highlevel/start{query}")).await;
        let words =
            ["This address only works with a link made for it.", "<code>casebridge firms connect</code>"];
        assert_refused(&bridge, page, 403, &words).await;
    }
    assert_eq!(browser.cookie, None);
}

#[tokio::test]
async fn a_preview_does_not_use_a_link_up_and_a_person_does() {
    let bridge = bridge_with(ALL).await;
    let link = link(&bridge.installation.bridge).await;
    let looked = reqwest::Client::builder().no_proxy().build().unwrap();
    let looked = looked.head(link.replace(PUBLIC, &bridge.installation.url)).send().await.unwrap();
    assert_eq!(looked.status(), 405);
    // Scanners of mails open it before, and at the very moment when, the person does; one of them goes on to HighLevel.
    let (mut preview, mut person) = (Browser::of(&bridge), Browser::of(&bridge));
    assert_eq!(preview.open(&link).await.status, 303);
    let back = person.leave(&link).await;
    preview.leave(&link).await;
    assert_eq!(person.open(back.as_str()).await.status, 200);

    let mut late = preview.clone();
    let page = open(&mut late, &link).await;
    assert_eq!(page.0, 410);
    for words in ["This link has been used: each is good once.", "Ask for a new link"] {
        assert!(page.1.contains(words), "{}", page.1);
    }
    assert_eq!(bridge.installation.store.credentials().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_is_good_for_an_hour() {
    let bridge = bridge_with(ALL).await;
    let mut browser = Browser::of(&bridge);
    let old = link(&bridge.installation.bridge).await;
    bridge.installation.clock.advance(SignedDuration::from_hours(1));
    let page = open(&mut browser, &old).await;
    assert_refused(&bridge, page, 410, &["This link is too old: it is good for one hour."]).await;
}

#[tokio::test]
async fn only_the_browser_that_left_may_come_back() {
    let bridge = bridge_with(ALL).await;
    let mut browser = Browser::of(&bridge);
    let back = browser.leave(&link(&bridge.installation.bridge).await).await;
    let words = ["This browser did not begin this connection.", "with cookies allowed"];
    for cookie in [None, Some("casebridge_connect=".to_owned() + &"0".repeat(64))] {
        let mut other = Browser { cookie, ..browser.clone() };
        let page = open(&mut other, back.as_str()).await;
        assert_refused(&bridge, page, 403, &words).await;
    }
    let mut forged = back.clone();
    forged.query_pairs_mut().clear().append_pair("code", "stolen").append_pair("state", "forged");
    let page = open(&mut browser, forged.as_str()).await;
    assert_refused(&bridge, page, 403, &["This answer of HighLevel belongs to another attempt."]).await;
    // None of it ended the attempt of the browser that left.
    assert_eq!(browser.clone().open(back.as_str()).await.status, 200);
    let again = browser.open(back.as_str()).await;
    assert_eq!(again.status, 410);
    assert!(again.text.contains("This connection has been made, or has failed, already."), "{}", again.text);
}

#[tokio::test]
async fn a_state_that_highlevel_leaves_out_is_not_needed() {
    let bridge = bridge_with(ALL).await;
    bridge.highlevel.drop_state(true);
    assert_eq!(Browser::of(&bridge).connect(&bridge).await.0, 200);
}

#[tokio::test]
async fn who_takes_too_long_or_says_no_is_told_so() {
    let bridge = bridge_with(ALL).await;
    let mut browser = Browser::of(&bridge);
    let back = browser.leave(&link(&bridge.installation.bridge).await).await;
    bridge.installation.clock.advance(SignedDuration::from_mins(15));
    let page = open(&mut browser, back.as_str()).await;
    assert_refused(&bridge, page, 410, &["It took longer than 15 minutes.", "Ask for a new link"]).await;

    bridge.highlevel.choose(Choice::Decline);
    let page = browser.connect(&bridge).await;
    assert_refused(&bridge, page, 400, &["HighLevel was not given the permission."]).await;
    bridge.highlevel.choose(Choice::Location);
    let mut back = browser.leave(&link(&bridge.installation.bridge).await).await;
    back.set_query(None);
    let page = open(&mut browser, back.as_str()).await;
    assert_refused(&bridge, page, 400, &["HighLevel&#39;s answer has no code."]).await;
}

#[tokio::test]
async fn another_location_than_the_firms_is_refused() {
    let bridge = bridge_with(ALL).await;
    bridge.highlevel.choose(Choice::OtherLocation("<b>elsewhere</b>".into()));
    let page = Browser::of(&bridge).connect(&bridge).await;
    let words = [
        "The location you chose (&lt;b&gt;elsewhere&lt;/b&gt;) is not the one of the firm <code>acme</code>",
        "Nothing was kept of it.",
        "choose the firm&#39;s own location",
    ];
    assert_refused(&bridge, page, 400, &words).await;
}

#[tokio::test]
async fn an_agency_connects_its_location() {
    let bridge = bridge_with(AGENCY).await;
    bridge.highlevel.choose(Choice::Agency);
    let (status, page) = Browser::of(&bridge).connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    assert!(
        page.contains("It was connected by its agency.") && page.contains("Left out, for want of"),
        "{page}"
    );
    let made = credential(&bridge).await.unwrap();
    assert!(made.refresh.is_none() && made.row.company == Some(bridge.highlevel.company()));
    let agency = Holder::Company(bridge.highlevel.company());
    let agency = bridge.installation.store.credential(&agency).await.unwrap().unwrap();
    assert!(agency.refresh.is_some());
    bridge.settle().await;
    let installed = bridge.installation.store.installations().await.unwrap();
    let names: Vec<_> = installed.iter().map(|one| (one.holder.to_string(), one.name.as_deref())).collect();
    let location = format!("location:{}", bridge.highlevel.location());
    assert!(names.contains(&(location, Some("Twin Injury Law"))), "{names:?}");

    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    // The location's token is made anew from the agency's, which is renewed for that.
    bridge.installation.clock.advance(SignedDuration::from_hours(23));
    bridge.installation.bridge.keep_connections().await;
    let counts = bridge.highlevel.oauth_counts();
    assert_eq!((counts.refreshes, counts.location_tokens, counts.dead_calls), (1, 2, 0));
}

#[tokio::test]
async fn an_agency_without_the_scope_or_the_location_is_refused() {
    let bridge = bridge_with(ALL).await;
    bridge.highlevel.choose(Choice::Agency);
    let page = Browser::of(&bridge).connect(&bridge).await;
    let words = ["HighLevel did not grant the scope <code>oauth.write</code>", "choose the location itself"];
    assert_refused(&bridge, page, 400, &words).await;

    let bridge = bridge_with(AGENCY).await;
    bridge.highlevel.choose(Choice::Agency);
    bridge.highlevel.fault(Fault::status(400).on("POST", "/oauth/locationToken"));
    let page = Browser::of(&bridge).connect(&bridge).await;
    let words = [
        "The agency you chose has not installed the app in the location of the firm <code>acme</code>",
        "Install the app in that location first",
    ];
    assert_refused(&bridge, page, 400, &words).await;
}

#[tokio::test]
async fn another_apps_tokens_are_refused() {
    let edit =
        |text: String, directory: &std::path::Path| by_browser(&text, directory, AGENCY, "anotherapp-x");
    let bridge = TestBridge::edited(edit).await;
    bridge.highlevel.choose(Choice::Agency);
    let page = Browser::of(&bridge).connect(&bridge).await;
    assert_refused(&bridge, page, 400, &["it answered for another app"]).await;
}

#[tokio::test]
async fn a_wrong_secret_or_a_vendor_that_is_away_is_told_apart() {
    let edit = |text: String, directory: &std::path::Path| {
        let text = by_browser(&text, directory, ALL, "twinapp0000000000000000a-x");
        std::fs::write(directory.join("client-secret"), "not the secret").unwrap();
        text
    };
    let bridge = TestBridge::edited(edit).await;
    let page = Browser::of(&bridge).connect(&bridge).await;
    let words =
        ["does not accept highlevel.client_id with highlevel.client_secret", "Compare highlevel.client_id"];
    assert_refused(&bridge, page, 400, &words).await;

    let bridge = bridge_with(ALL).await;
    bridge.highlevel.fault(Fault::status(503).on("POST", "/oauth/token"));
    let page = Browser::of(&bridge).connect(&bridge).await;
    assert_refused(&bridge, page, 503, &["It cannot be done just now", "answered 503"]).await;
}

#[tokio::test]
async fn a_firm_that_is_not_connected_waits_and_then_goes_on_at_once() {
    let bridge = bridge_with(ALL).await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let parked = bridge.installation.store.parkings().await.unwrap().remove(0);
    assert!(
        parked
            .reason
            .contains("was not sent: it is not connected; connect it with `casebridge firms connect acme`"),
        "{}",
        parked.reason
    );
    let (status, page) = Browser::of(&bridge).connect(&bridge).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("People whose events were kept until now: 1."), "{page}");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    assert_eq!(bridge.installation.count(EventState::Parked).await, 0);
}

#[tokio::test]
async fn connecting_again_takes_the_place_of_what_was_there() {
    let bridge = connected(ALL).await;
    let before = credential(&bridge).await.unwrap();
    assert_eq!(Browser::of(&bridge).connect(&bridge).await.0, 200);
    let after = credential(&bridge).await.unwrap();
    assert!(after.row.revision > before.row.revision);
    assert_ne!(after.access.reveal(), before.access.reveal());
}
