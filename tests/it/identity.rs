//! Who is who: certain matches link, clear differences create, and the rest waits for a person, whose answer is carried
//! out.

use casebridge::bridge::CannotResolve;
use casebridge::domain::{EventState, Resolution, ReviewAction, ReviewKind};
use casebridge::store::{ReviewFilter, ReviewStory};
use casebridge::twin::casepeer::NewCase;
use casebridge::twin::{NewContact, NewLead};
use serde_json::{Value, json};

use crate::story::{ada, grace};
use crate::support::TestBridge;

/// What waits for a decision.
pub async fn asked(bridge: &TestBridge) -> Vec<ReviewStory> {
    let store = &bridge.installation.store;
    let rows = store.reviews(ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.unwrap();
    let mut stories = Vec::new();
    for row in rows {
        stories.push(store.review(row.id).await.unwrap().unwrap());
    }
    stories
}

/// Answers the only question.
pub async fn answer(bridge: &TestBridge, action: ReviewAction) {
    let asked = asked(bridge).await;
    assert_eq!(asked.len(), 1, "{asked:?}\n{}", bridge.installation.tell().await);
    let answer = Resolution::new(action);
    bridge.installation.bridge.resolve(asked[0].row.id, answer, "maria").await.unwrap();
    bridge.settle().await;
}

/// Ada as somebody at the front desk took her down: by her first name and her number.
fn ada_at_the_desk() -> NewLead {
    NewLead {
        first_name: "Ada".into(),
        last_name: "King".into(),
        phone: "512-555-0100".into(),
        ..NewLead::default()
    }
}

/// A bridge whose CASEpeer has a lead that may be the contact Ada's.
pub async fn in_doubt() -> (TestBridge, String) {
    let bridge = TestBridge::start().await;
    bridge.highlevel.hold_webhooks(true);
    bridge.casepeer.hold_webhooks(true);
    let lead = bridge.casepeer.create_lead(ada_at_the_desk());
    bridge.highlevel.create_contact(ada());
    bridge.highlevel.hold_webhooks(false);
    bridge.settle().await;
    (bridge, lead)
}

fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_in_doubt_waits_with_both_sides_shown() {
    let (bridge, lead) = in_doubt().await;
    assert_eq!(bridge.writes(), 0);
    assert_eq!(bridge.installation.count(EventState::InReview).await, 1);
    let asked = asked(&bridge).await.remove(0);
    assert_eq!(asked.row.kind, ReviewKind::AmbiguousMatch);
    let (here, there) = (&asked.details.highlevel[0], &asked.details.casepeer[0]);
    assert_eq!((here.values["last name"].as_str(), there.values["last name"].as_str()), ("Byron", "King"));
    assert_eq!(there.record.id, lead);
    assert_eq!(there.reasons, ["same phone (+4)", "same given name (+5)", "other family name (-6)"]);
    assert!((1..990).contains(&there.score.unwrap()), "{:?}", there.score);
    for secret in ["Byron", "King", "555", "example"] {
        assert!(!asked.row.why.contains(secret), "{}", asked.row.why);
        assert!(!format!("{asked:?}").contains(secret), "{asked:?}");
    }
}

#[tokio::test]
async fn link_links_the_two_and_keeps_why() {
    let (bridge, lead) = in_doubt().await;
    answer(&bridge, ReviewAction::Link).await;
    assert_eq!(ids(&bridge.casepeer.leads()), [lead.as_str()], "{}", bridge.installation.tell().await);
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Dallas");
    let record = asked_record(&contact);
    let links = bridge.installation.store.links_of(&firm(), &[record]).await.unwrap();
    let matched = links[0].base.matched.as_ref().unwrap();
    assert_eq!(matched.reasons.last().unwrap(), "a person said so");
    assert!(asked(&bridge).await.is_empty());
    // The lead's own event finds the link and asks nothing.
    bridge.casepeer.hold_webhooks(false);
    bridge.settle().await;
    assert_eq!((bridge.highlevel.contacts().len(), asked(&bridge).await.len()), (1, 0));
    bridge.installation.assert_nothing_undelivered().await;
}

fn asked_record(contact: &str) -> casebridge::domain::RecordRef {
    casebridge::domain::RecordRef::highlevel(casebridge::domain::RecordKind::Contact, contact)
}

fn firm() -> casebridge::domain::FirmId {
    casebridge::domain::FirmId::new("acme")
}

#[tokio::test]
async fn create_makes_a_second_lead_and_does_not_ask_again() {
    let (bridge, lead) = in_doubt().await;
    answer(&bridge, ReviewAction::Create).await;
    let leads = bridge.casepeer.leads();
    assert_eq!(leads.len(), 2, "{}", bridge.installation.tell().await);
    assert!(
        leads.iter().any(|other| other["id"] != lead.as_str() && other["client"]["last_name"] == "Byron")
    );
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert!(asked(&bridge).await.is_empty());
}

#[tokio::test]
async fn ignore_leaves_both_as_they_are_until_another_look_alike_shows() {
    let (bridge, _) = in_doubt().await;
    answer(&bridge, ReviewAction::Ignore).await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!((bridge.writes(), asked(&bridge).await.len()), (0, 0));
    bridge.casepeer.create_lead(NewLead { last_name: "Queen".into(), ..ada_at_the_desk() });
    bridge.highlevel.update_contact(&contact, json!({ "city": "Austin" }));
    bridge.settle().await;
    assert_eq!(asked(&bridge).await[0].details.casepeer.len(), 2, "nobody has seen the new one");
    assert_eq!(bridge.writes(), 0);
}

#[tokio::test]
async fn an_answer_must_fit_and_comes_over_the_admin_api_as_well() {
    let (bridge, _) = in_doubt().await;
    let asked = asked(&bridge).await.remove(0);
    let wrong =
        bridge.installation.bridge.resolve(asked.row.id, Resolution::new(ReviewAction::Retry), "x").await;
    assert!(matches!(wrong, Err(CannotResolve::Answer(_))), "{wrong:?}");
    let client = reqwest::Client::new();
    let url = format!("{}/api/v1/review", bridge.installation.admin_url);
    let list: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(list[0]["kind"], "ambiguous_match");
    let url = format!("{url}/{}", list[0]["id"].as_str().unwrap());
    let shown: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["details"]["casepeer"][0]["values"]["last name"], "King");
    let resolve = |answer: Value| client.post(format!("{url}/resolve")).json(&answer).send();
    for (body, status) in [
        (json!({ "action": "retry" }), 400),
        (json!({ "action": "link", "record": "casepeer:lead:other" }), 400),
        (json!({ "action": "link" }), 200),
        (json!({ "action": "link" }), 409),
    ] {
        assert_eq!(resolve(body.clone()).await.unwrap().status(), status, "{body}");
    }
    let metrics = client.get(format!("{}/metrics", bridge.installation.admin_url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("casebridge_reviews_open{kind=\"ambiguous_match\"} 0"), "{metrics}");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
}

#[tokio::test]
async fn the_next_events_of_the_person_wait_for_the_same_answer() {
    let (bridge, _) = in_doubt().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.create_note(&contact, "She called about the accident.");
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!(asked(&bridge).await[0].events.len(), 3);
    answer(&bridge, ReviewAction::Link).await;
    let lead = &bridge.casepeer.leads()[0];
    assert_eq!(bridge.casepeer.notes().len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(lead["client"]["address"]["city"], "Dallas");
    assert_eq!(bridge.installation.count(EventState::InReview).await, 0);
}

#[tokio::test]
async fn a_record_corrected_meanwhile_answers_the_question() {
    let (bridge, lead) = in_doubt().await;
    bridge.casepeer.update_lead(&lead, json!({ "client": { "last_name": "Byron" } }));
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert!(asked(&bridge).await.is_empty(), "{}", bridge.installation.tell().await);
    assert_eq!(bridge.casepeer.leads().len(), 1);
    assert_eq!(bridge.installation.count(EventState::InReview).await, 0);
}

#[tokio::test]
async fn a_shared_family_phone_is_not_one_person() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.allow_duplicates(true);
    let ralph = NewContact { first_name: "Ralph".into(), email: "ralph@example.com".into(), ..ada() };
    bridge.highlevel.create_contact(ralph);
    bridge.settle().await;
    assert_eq!((bridge.casepeer.leads().len(), asked(&bridge).await.len()), (2, 0));
}

#[tokio::test]
async fn a_client_known_only_by_a_case_gets_no_second_lead() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.hold_webhooks(true);
    let case = bridge.casepeer.create_case(NewCase {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        phone: "5125550100".into(),
        status: "Treating".into(),
        ..NewCase::default()
    });
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert!(bridge.casepeer.leads().is_empty(), "{}", bridge.installation.tell().await);
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let links = bridge.installation.store.links_of(&firm(), &[asked_record(&contact)]).await.unwrap();
    assert_eq!(links[0].casepeer.id, case);
}

#[tokio::test]
async fn two_accidents_are_two_cases_and_one_contact_whichever_side_comes_first() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.hold_webhooks(true);
    let accident = || NewCase {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        email: "ada@example.com".into(),
        phone: "5125550100".into(),
        status: "Treating".into(),
        ..NewCase::default()
    };
    let first = bridge.casepeer.create_case(accident());
    let second = bridge.casepeer.create_case(accident());
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let links = bridge.installation.store.links_of(&firm(), &[asked_record(&contact)]).await.unwrap();
    let mut cases: Vec<&str> = links.iter().map(|link| link.casepeer.id.as_str()).collect();
    cases.sort_unstable();
    assert_eq!(cases, [first.as_str(), second.as_str()], "{}", bridge.installation.tell().await);
    // A third one comes later.
    bridge.casepeer.hold_webhooks(false);
    bridge.casepeer.create_case(accident());
    bridge.settle().await;
    assert_eq!((bridge.highlevel.contacts().len(), bridge.casepeer.leads().len()), (1, 0));
    assert_eq!(bridge.highlevel.opportunities().len(), 3, "{}", bridge.installation.tell().await);
}

#[tokio::test]
async fn look_alikes_beyond_those_that_are_shown_become_no_second_lead() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.hold_webhooks(true);
    for last_name in ["One", "Two", "Three", "Four", "Five", "Six", "Seven"] {
        bridge.casepeer.create_lead(NewLead { last_name: last_name.into(), ..ada_at_the_desk() });
    }
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let asked = asked(&bridge).await.remove(0);
    assert_eq!(asked.details.casepeer.len(), 5);
    assert!(asked.row.why.ends_with("and 2 more share its e-mail or phone"), "{}", asked.row.why);
    assert_eq!(bridge.casepeer.leads().len(), 7);
}

/// HighLevel allows no second contact with Ada's number, and her mother's lead has it.
async fn refused() -> TestBridge {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.casepeer.create_lead(NewLead { phone: "(512) 555-0100".into(), ..grace() });
    bridge.settle().await;
    bridge.wait(jiff::SignedDuration::from_secs(5)).await;
    bridge
}

#[tokio::test]
async fn a_contact_that_highlevel_refuses_is_asked_about_and_created_without_the_number() {
    let bridge = refused().await;
    bridge.installation.assert_nothing_undelivered().await;
    let asked_about = asked(&bridge).await.remove(0);
    assert_eq!(asked_about.details.highlevel[0].values["first name"], "Ada");
    assert_eq!(asked_about.details.refused, ["phone"]);
    answer(&bridge, ReviewAction::Create).await;
    let contacts = bridge.highlevel.contacts();
    assert_eq!(contacts.len(), 2, "{}", bridge.installation.tell().await);
    let grace = contacts.iter().find(|contact| contact["firstName"] == "Grace").unwrap();
    assert_eq!((grace["email"].as_str(), grace["phone"].as_str()), (Some("grace@example.com"), None));
    // The number stays where it is, and is not tried again with every change.
    let lead =
        bridge.casepeer.leads().into_iter().find(|lead| lead["client"]["first_name"] == "Grace").unwrap();
    let writes = bridge.writes();
    bridge
        .casepeer
        .update_lead(lead["id"].as_str().unwrap(), json!({ "client": { "address": { "city": "Waco" } } }));
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes + 1, "{}", bridge.installation.tell().await);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_contact_that_highlevel_refuses_can_be_linked_to_the_one_it_has() {
    let bridge = refused().await;
    answer(&bridge, ReviewAction::Link).await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let links = bridge.installation.store.links_of(&firm(), &[asked_record(&contact)]).await.unwrap();
    assert_eq!(links.iter().filter(|link| link.casepeer.kind.as_str() == "lead").count(), 2);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_wrong_match_is_undone_and_not_made_again() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.hold_webhooks(true);
    let lead = bridge.casepeer.create_lead(NewLead { last_name: "Byron".into(), ..ada_at_the_desk() });
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let store = &bridge.installation.store;
    assert_eq!(store.links_of(&firm(), &[asked_record(&contact)]).await.unwrap().len(), 1);
    // They are mother and daughter of one name. HighLevel has to take a second contact with their number.
    bridge.highlevel.allow_duplicates(true);
    let record: casebridge::domain::RecordRef = format!("casepeer:lead:{lead}").parse().unwrap();
    store.split_person(&firm(), std::slice::from_ref(&record), "maria").await.unwrap().unwrap();
    bridge.casepeer.hold_webhooks(false);
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Waco" } } }));
    bridge.settle().await;
    let tell = bridge.installation.tell().await;
    assert!(asked(&bridge).await.is_empty(), "{tell}");
    assert_eq!((bridge.highlevel.contacts().len(), bridge.casepeer.leads().len()), (2, 2), "{tell}");
    let links = store.links_of(&firm(), &[asked_record(&contact)]).await.unwrap();
    assert!(links.len() == 1 && links[0].casepeer != record, "{tell}");
    let cities: Vec<String> =
        bridge.casepeer.leads().iter().map(|lead| lead["client"]["address"]["city"].to_string()).collect();
    assert!(
        cities.contains(&"\"Dallas\"".to_owned()) && cities.contains(&"\"Waco\"".to_owned()),
        "{cities:?}"
    );
    bridge.installation.assert_nothing_undelivered().await;
}
