//! Answers that are taken back after something was done for them.

use casebridge::domain::{EventState, Reach, ReviewId, ReviewKind, Role};
use casebridge::store::{ReviewFilter, ReviewRow};
use serde_json::{Value, json};

use super::Person;
use crate::identity::{asked, in_doubt};
use crate::story::ada;
use crate::support::TestBridge;

const BY_HAND: &str = "[firms.sync.fields.city]\nowner = \"manual\"\n";

/// What waits for an answer.
async fn open(bridge: &TestBridge) -> Vec<ReviewRow> {
    let filter = ReviewFilter { limit: 10, ..ReviewFilter::default() };
    bridge.installation.store.reviews(filter).await.unwrap()
}

fn cities(bridge: &TestBridge) -> (Value, Value) {
    let here = bridge.highlevel.contacts()[0]["city"].clone();
    (here, bridge.casepeer.leads()[0]["client"]["address"]["city"].clone())
}

/// A city that changed on both sides, and the question about it.
async fn in_conflict() -> (TestBridge, String, ReviewId) {
    let bridge = TestBridge::with(BY_HAND).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Houston" } } }));
    bridge.settle().await;
    let id = open(&bridge).await[0].id;
    (bridge, contact, id)
}

#[tokio::test]
async fn what_an_answer_overwrote_is_put_back_and_asked_again() {
    for (answer, written, other) in
        [("use_highlevel", "Dallas", "use_casepeer"), ("use_casepeer", "Houston", "use_highlevel")]
    {
        let (bridge, _, id) = in_conflict().await;
        let mut mo = Person::signed_in(&bridge, "mo", Role::Operator, Reach::Everywhere).await;
        assert_eq!(mo.post(&format!("/review/{id}"), &[("action", answer)]).await.status, 303);
        bridge.settle().await;
        assert_eq!(cities(&bridge), (json!(written), json!(written)), "{answer}");
        let page = mo.get(&format!("/review/{id}")).await.text;
        assert!(page.contains("put back where they stood, and the question is asked again"), "{page}");

        let writes = bridge.writes();
        let undo = format!("/review/{id}/undo");
        assert_eq!(mo.post(&undo, &[]).await.location.as_deref(), Some("/review?back=1"));
        assert_eq!(mo.post(&undo, &[]).await.status, 409, "once");
        bridge.settle().await;
        let tell = bridge.installation.tell().await;
        assert_eq!(cities(&bridge), (json!("Dallas"), json!("Houston")), "{answer}: {tell}");
        assert_eq!(bridge.writes(), writes + 1, "{tell}");
        let asked = asked(&bridge).await;
        assert_eq!(asked.len(), 1, "asked again: {tell}");
        let difference = &asked[0].details.differences[0];
        assert_eq!(
            (difference.base.as_deref(), difference.highlevel.as_deref(), difference.casepeer.as_deref()),
            (Some("Austin"), Some("Dallas"), Some("Houston"))
        );
        assert!(mo.get("/review?all=1").await.text.contains("Taken back"));

        // It stays so until somebody answers, and then the answer holds.
        bridge.highlevel.redeliver_last();
        bridge.settle().await;
        assert_eq!(bridge.writes(), writes + 1);
        let again = format!("/review/{}", asked[0].row.id);
        assert_eq!(mo.post(&again, &[("action", other)]).await.status, 303);
        bridge.settle().await;
        let expected = if written == "Dallas" { "Houston" } else { "Dallas" };
        assert_eq!(
            cities(&bridge),
            (json!(expected), json!(expected)),
            "{}",
            bridge.installation.tell().await
        );
        assert_eq!(bridge.installation.count(EventState::InReview).await, 0);
        bridge.installation.assert_nothing_undelivered().await;
    }
}

#[tokio::test]
async fn a_value_that_was_changed_since_stays() {
    let (bridge, contact, id) = in_conflict().await;
    let mut mo = Person::signed_in(&bridge, "mo", Role::Operator, Reach::Everywhere).await;
    mo.post(&format!("/review/{id}"), &[("action", "use_highlevel")]).await;
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "city": "Waco" }));
    bridge.settle().await;
    assert_eq!(cities(&bridge), (json!("Waco"), json!("Waco")));
    let writes = bridge.writes();
    assert_eq!(mo.post(&format!("/review/{id}/undo"), &[]).await.status, 303);
    bridge.settle().await;
    assert_eq!(cities(&bridge), (json!("Waco"), json!("Waco")), "{}", bridge.installation.tell().await);
    assert_eq!(bridge.writes(), writes);
    assert!(open(&bridge).await.is_empty());
}

#[tokio::test]
async fn a_record_that_was_created_by_mistake_is_left_alone_and_the_question_asked_again() {
    let (bridge, known) = in_doubt().await;
    let mut mo = Person::signed_in(&bridge, "mo", Role::Operator, Reach::Everywhere).await;
    let id = open(&bridge).await[0].id;
    mo.post(&format!("/review/{id}"), &[("action", "create")]).await;
    bridge.settle().await;
    let leads = bridge.casepeer.leads();
    let made = leads.iter().find(|lead| lead["id"] != known.as_str()).unwrap()["id"].as_str().unwrap();
    let page = mo.get(&format!("/review/{id}")).await.text;
    assert!(page.contains("Casebridge deletes nothing at a vendor: the record stays there"), "{page}");

    let undone = mo.post(&format!("/review/{id}/undo"), &[]).await;
    let next = undone.location.unwrap_or_else(|| panic!("{}", undone.text));
    assert!(next.starts_with("/people/") && next.ends_with("?done=left"), "{next}");
    let person = mo.get(&next).await.text;
    assert!(
        person.contains(&format!("casepeer:lead:{made}")) && person.contains("it stays in its system"),
        "{person}"
    );
    bridge.settle().await;
    let tell = bridge.installation.tell().await;
    let again = open(&bridge).await;
    assert_eq!((again.len(), again[0].kind, again[0].id), (1, ReviewKind::AmbiguousMatch, id), "{tell}");

    bridge.installation.clock.advance(jiff::SignedDuration::from_mins(1));
    // The one that was meant is linked; the one that is left over is nobody's, whatever happens to it.
    mo.post(&format!("/review/{id}"), &[("action", "link"), ("record", &format!("casepeer:lead:{known}"))])
        .await;
    bridge.casepeer.hold_webhooks(false);
    bridge.settle().await;
    bridge.casepeer.update_lead(made, json!({ "client": { "address": { "city": "Waco" } } }));
    bridge.settle().await;
    let tell = bridge.installation.tell().await;
    assert_eq!((bridge.highlevel.contacts().len(), bridge.casepeer.leads().len()), (1, 2), "{tell}");
    let contact = format!("highlevel:contact:{}", bridge.highlevel.contacts()[0]["id"].as_str().unwrap());
    let firm = casebridge::domain::FirmId::new("acme");
    let links = bridge.installation.store.links_of(&firm, &[contact.parse().unwrap()]).await.unwrap();
    assert_eq!(
        links.iter().map(|link| link.casepeer.id.as_str()).collect::<Vec<_>>(),
        [known.as_str()],
        "{tell}"
    );
    assert!(open(&bridge).await.is_empty(), "{tell}");
    bridge.installation.assert_nothing_undelivered().await;
}
