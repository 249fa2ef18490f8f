//! What pages show to whom, and what their buttons do.

use casebridge::domain::{
    Details, EventState, Field, Fields, FirmId, Question, Reach, ReviewKind, Role, Shown,
};
use casebridge::store::AuditFilter;
use casebridge::twin::Fault;

use super::Person;
use crate::story::ada;
use crate::support::TestBridge;

/// A bridge with an undelivered event of Ada, counted and findable.
async fn with_a_failure() -> (TestBridge, String) {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(Fault::status(422).on("POST", "/leads").times(1));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let event = bridge.installation.events().await.pop().unwrap();
    assert_eq!(event.state, EventState::Undelivered);
    bridge.installation.clock.advance(jiff::SignedDuration::from_secs(5));
    bridge.installation.bridge.count_up().await.unwrap();
    (bridge, event.id.to_string())
}

#[tokio::test]
async fn a_failed_event_is_found_by_phone_shown_with_a_reason_and_replayed() {
    let (bridge, event) = with_a_failure().await;
    let mut person = Person::signed_in(&bridge, "mo", Role::Operator, Reach::Everywhere).await;
    let home = person.get("/").await.text;
    assert!(home.contains("1 undelivered at acme"), "{home}");
    let found = person.post("/events", &[("word", "(512) 555-0100")]).await.text;
    assert!(found.contains(&event), "{found}");
    let story = person.get(&format!("/events/{event}")).await.text;
    assert!(story.contains("Create a lead in CASEpeer") && !story.contains("Byron"), "{story}");
    let reveal = format!("/events/{event}/reveal");
    assert_eq!(person.post(&reveal, &[("reason", " ")]).await.status, 400, "without a reason");
    let shown = person.post(&reveal, &[("reason", "she called")]).await.text;
    assert!(shown.contains("Byron"), "{shown}");
    let preview = person.post(&format!("/events/{event}/preview"), &[]).await.text;
    assert!(preview.contains("create a lead in CASEpeer"), "{preview}");
    assert_eq!(person.post(&format!("/events/{event}/replay"), &[]).await.status, 303);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    let filter = AuditFilter { who: Some("mo".into()), limit: 10, ..AuditFilter::default() };
    let log = bridge.installation.store.audit_log(filter).await.unwrap();
    let told: Vec<_> = log.iter().map(|row| (row.what.as_str(), row.reason.as_deref())).collect();
    assert_eq!(told[..2], [("replayed", None), ("revealed", Some("she called"))]);
}

#[tokio::test]
async fn a_viewer_sees_no_personal_data_and_changes_nothing() {
    let (bridge, event) = with_a_failure().await;
    let mut viewer = Person::signed_in(&bridge, "vi", Role::Viewer, Reach::Everywhere).await;
    let store = &bridge.installation.store;
    let story = store.event(event.parse().unwrap()).await.unwrap().unwrap();
    let record = story.records[0].parse().unwrap();
    let person = store.person_of(&FirmId::new("acme"), &record).await.unwrap().unwrap();
    let shown = Shown::of(&record, &Fields::default().with(Field::LastName, "Byron"));
    let question = Question {
        kind: ReviewKind::AmbiguousMatch,
        subject: record.to_string(),
        why: "two look alike".into(),
        details: Details { highlevel: vec![shown], ..Details::default() },
    };
    let question = store.open_review(&FirmId::new("acme"), question, None).await.unwrap();
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    assert!(operator.get(&format!("/review/{question}")).await.text.contains("Byron"));
    for path in [
        "/",
        "/events",
        &format!("/events/{event}"),
        "/review",
        &format!("/review/{question}"),
        &format!("/api/v1/review/{question}"),
        &format!("/people/{person}"),
        "/firms/acme",
    ] {
        let page = viewer.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        for secret in ["Byron", "ada@example.com", "5125550100", "twin-inbound"] {
            assert!(!page.text.contains(secret), "{path} shows {secret}");
        }
    }
    for (path, fields) in [
        (format!("/events/{event}/replay"), &[][..]),
        (format!("/events/{event}/preview"), &[]),
        (format!("/events/{event}/discard"), &[("reason", "x")]),
        (format!("/events/{event}/reveal"), &[("reason", "x")]),
        ("/firms/acme/pause".into(), &[("reason", "x")]),
        ("/firms/acme/resume".into(), &[]),
        ("/firms/acme/connect".into(), &[]),
        (format!("/people/{person}/merge"), &[("other", "1")]),
        (format!("/people/{person}/split"), &[("record", "casepeer:lead:L-1")]),
        ("/catalog/get-contact".into(), &[("firm", "acme")]),
    ] {
        let answer = viewer.post(&path, fields).await.status;
        assert!(matches!(answer, 403 | 404), "{path}: {answer}");
    }
    for path in ["/users", "/audit", "/settings"] {
        assert_eq!(viewer.get(path).await.status, 403, "{path}");
    }
    assert_eq!(bridge.installation.count(EventState::Undelivered).await, 1);
}

#[tokio::test]
async fn what_is_of_another_firm_is_not_there() {
    let (bridge, event) = with_a_failure().await;
    let reach = Reach::Firms([FirmId::new("other")].into());
    let mut other = Person::signed_in(&bridge, "ot", Role::Admin, reach).await;
    for path in ["/", "/events", "/people", "/firms", "/catalog", "/audit", "/activity.csv", "/review"] {
        let page = other.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains("acme"), "{path}: {}", page.text);
    }
    for path in [&format!("/events/{event}"), "/firms/acme", "/people/1", "/mapping/acme"] {
        assert_eq!(other.get(path).await.status, 404, "{path}");
    }
    let found = other.post("/events", &[("word", "(512) 555-0100")]).await.text;
    assert!(!found.contains(&event), "{found}");
    let csv = other.get("/activity.csv").await.text;
    assert!(csv.lines().skip(1).all(|line| line.ends_with(",0,0,0")), "{csv}");
}
