//! What was not granted is not tried: it is named, with the way to have it granted.

use casebridge::domain::{Cause, EventState, Field, Fields, Opportunity, OpportunityStatus};
use casebridge::operations::highlevel;
use casebridge::twin::{Fault, Misbehaviour};
use serde_json::{Value, json};

use super::{ALL, Browser, connected, link};
use crate::story::{ada, grace};
use crate::stub::official;
use crate::support::{TestBridge, casebridge};

const READ_ONLY: &str = r#"["contacts.readonly"]"#;

#[tokio::test]
async fn reading_contacts_alone_is_enough_to_make_leads() {
    let bridge = connected(READ_ONLY).await;
    bridge.highlevel.create_custom_field("injury", "Injury");
    let custom_fields = vec![("injury".to_owned(), json!("knee"))];
    let contact = casebridge::twin::NewContact { custom_fields, ..ada() };
    bridge.highlevel.create_contact(contact);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "{}", bridge.installation.tell().await);
    bridge.installation.assert_nothing_undelivered().await;
    assert_eq!(bridge.highlevel.oauth_counts().dead_calls, 0);
}

#[tokio::test]
async fn a_write_without_its_scope_is_not_sent_and_says_what_to_grant() {
    let bridge = connected(READ_ONLY).await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let story = bridge.installation.last_story().await;
    assert_eq!((story.row.state, story.cause), (EventState::Undelivered, Some(Cause::Setup)));
    let reason = story.row.reason.unwrap();
    for words in [
        "contacts.create-contact was not sent: HighLevel did not grant the scope `contacts.write`",
        "Marketplace > My Apps > Auth > Scopes",
        "`casebridge firms connect acme`",
    ] {
        assert!(reason.contains(words), "{reason}");
    }
    assert_eq!(story.calls.last().unwrap().status, None, "nothing was sent");
    assert_eq!(bridge.highlevel.writes(), 0);
    assert_eq!(bridge.installation.store.parkings().await.unwrap(), [], "the rest goes on");
}

#[tokio::test]
async fn a_private_token_without_a_scope_is_told_apart_from_a_dead_one() {
    let bridge = TestBridge::start().await;
    let body = json!({"statusCode": 401, "message": "The token is not authorized for this scope.",
        "error": "Unauthorized"});
    let answer = Misbehaviour::Status { status: 401, retry_after: None, body: Some(body) };
    bridge.highlevel.fault(Fault::new(answer).on("GET", "/contacts/"));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let story = bridge.installation.last_story().await;
    assert_eq!((story.row.state, story.cause), (EventState::Undelivered, Some(Cause::Setup)));
    let reason = story.row.reason.unwrap();
    let words = "the private integration lacks the scope `contacts.readonly`: add it in HighLevel (Settings > Private \
                 Integrations";
    assert!(reason.contains(words), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_the_lists_show_what_a_connection_allows() {
    let bridge = connected(READ_ONLY).await;
    let Some((code, out, err)) = casebridge(&bridge, &["check"]) else { return };
    assert_eq!(code, 0, "{out}{err}");
    for line in [
        "ok    acme: HighLevel location twinLocation00000001: is connected; it is not asked, for want of the scope \
         locations.readonly",
        "ok    acme: HighLevel scopes: 1 granted",
        "        yes  contacts, tasks and notes from HighLevel to CASEpeer",
        "        no   contacts, tasks, notes and tags from CASEpeer to HighLevel (not granted: contacts.write)",
        "        no   opportunities of cases (not granted: opportunities.readonly, opportunities.write)",
    ] {
        assert!(out.contains(line), "{line:?} is not in\n{out}");
    }
    let (_, out, _) = casebridge(&bridge, &["firms", "list"]).unwrap();
    assert!(out.contains("connected") && out.contains("working"), "{out}");
    let (_, out, _) = casebridge(&bridge, &["firms", "list", "--json"]).unwrap();
    let rows: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(rows[0]["connection"]["scopes"], json!(["contacts.readonly"]));
    let url = format!("{}/api/v1/firms", bridge.installation.admin_url);
    let rows: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!((&rows[0]["id"], &rows[0]["credential"]), (&json!("acme"), &json!("oauth")));
    assert_eq!(rows[0]["connection"]["scopes"], json!(["contacts.readonly"]));
    assert_eq!(rows[0]["cannot"].as_array().unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_a_link_that_works() {
    let bridge = super::bridge_with(ALL).await;
    let Some((code, out, err)) = casebridge(&bridge, &["firms", "connect", "acme"]) else { return };
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("https://bridge.example.com/oauth/highlevel/start?link="), "{out}");
    assert!(err.contains("redirect URL is https://bridge.example.com/oauth/highlevel/callback"), "{err}");
    let mut browser = Browser::of(&bridge);
    let back = browser.leave(out.trim()).await;
    assert_eq!(browser.open(back.as_str()).await.status, 200);
    assert_ne!(out.trim(), link(&bridge.installation.bridge).await);
    let (code, _, err) = casebridge(&bridge, &["firms", "connect", "nobody"]).unwrap();
    assert_eq!(code, 1);
    assert!(err.contains("there is no firm `nobody`"), "{err}");

    let bridge = TestBridge::start().await;
    let (code, _, err) = casebridge(&bridge, &["firms", "connect", "acme"]).unwrap();
    assert_eq!(code, 78);
    assert!(err.contains("the firm `acme` uses a private token") && err.contains("`oauth = true`"), "{err}");
}

#[test]
fn every_operation_demands_the_scope_of_its_official_file() {
    if !official::available() {
        return;
    }
    let status = OpportunityStatus::Open;
    let to = Opportunity { pipeline: "p".into(), stage: "s".into(), status, lost_reason: None };
    let requests = [
        highlevel::get_contact("c"),
        highlevel::find_duplicate("l", Field::Email, "a@example.com"),
        highlevel::update_contact("c", &Fields::default(), &[]),
        highlevel::add_tags("c", &["t".to_owned()]),
        highlevel::get_task("c", "t"),
        highlevel::list_tasks("c"),
        highlevel::complete_task("c", "t"),
        highlevel::search_tasks("l", 0),
        highlevel::get_note("c", "n"),
        highlevel::list_notes("c"),
        highlevel::create_note("c", "text", None),
        highlevel::get_location("l"),
        highlevel::get_custom_fields("l"),
        highlevel::search_opportunities("l", "c", "p"),
        highlevel::get_pipelines("l"),
        highlevel::create_opportunity("l", "c", "name", &to),
        highlevel::update_opportunity("o", &to),
        highlevel::oauth::location_token(),
        highlevel::oauth::installed_locations("c", "a", 0),
    ];
    for request in requests {
        let official = official::scopes(request.method.as_str(), &request.path);
        let scope = request.scope.unwrap_or_default();
        assert!(official.iter().any(|one| one == scope), "{request:?}: {scope} is not one of {official:?}");
    }
}
