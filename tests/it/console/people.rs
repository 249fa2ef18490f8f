//! One person at the console: made one or two after a look, exported, held and erased, each written down.

use casebridge::domain::{FirmId, PersonId, Reach, Role};

use super::Person;
use crate::story::ada;
use crate::support::TestBridge;

/// A bridge on which Ada is in both systems, and her number.
async fn with_ada() -> (TestBridge, PersonId) {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let store = &bridge.installation.store;
    let event = bridge.installation.events().await.pop().unwrap();
    let record = store.event(event.id).await.unwrap().unwrap().records[0].parse().unwrap();
    let person = store.person_of(&FirmId::new("acme"), &record).await.unwrap().unwrap();
    (bridge, person)
}

#[tokio::test]
async fn a_person_is_exported_held_released_and_erased_by_those_who_say_why() {
    let (bridge, person) = with_ada().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let mut operator = Person::signed_in(&bridge, "op", Role::Operator, Reach::Everywhere).await;
    let other = Reach::Firms([FirmId::new("other")].into());
    let mut other = Person::signed_in(&bridge, "ot", Role::Admin, other).await;
    let at = |verb: &str| format!("/people/{person}/{verb}");
    for verb in ["export", "hold", "release", "erase"] {
        let form = [("reason", "x"), ("number", &person.to_string())];
        assert_eq!(operator.post(&at(verb), &form).await.status, 403, "{verb}");
        assert_eq!(other.post(&at(verb), &form).await.status, 404, "{verb}");
    }
    assert_eq!((operator.get(&at("erase")).await.status, other.get(&at("erase")).await.status), (403, 404));
    assert!(!operator.get(&format!("/people/{person}")).await.text.contains("What the law asks for"));

    assert_eq!(root.post(&at("export"), &[("reason", " ")]).await.status, 400, "without a reason");
    let copy = root.post(&at("export"), &[("reason", "she asked for it")]).await;
    assert!(copy.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(copy.text.contains("Byron") && copy.text.contains("\"received\""), "{}", copy.text);

    assert_eq!(root.post(&at("hold"), &[("reason", "a lawsuit")]).await.status, 303);
    let page = root.get(&format!("/people/{person}")).await.text;
    assert!(page.contains("On legal hold since") && page.contains("a lawsuit"), "{page}");
    let form = [("reason", "she asked for it"), ("number", &person.to_string())];
    assert_eq!(root.post(&at("erase"), &form).await.status, 409, "a hold wins");
    assert_eq!(root.post(&at("release"), &[]).await.status, 303);
    assert_eq!(root.post(&at("release"), &[]).await.status, 409, "nothing holds her any more");

    let preview = root.get(&at("erase")).await.text;
    assert!(
        preview.contains("Erase for good") && preview.contains("links with what both sides"),
        "{preview}"
    );
    assert_eq!(root.post(&at("erase"), &[("reason", "x"), ("number", "0")]).await.status, 400);
    let certificate = root.post(&at("erase"), &form).await;
    assert!(certificate.text.contains("casebridge erasure 1"), "{}", certificate.text);
    let again = root.post(&at("export"), &[("reason", "is she gone?")]).await;
    assert!(!again.text.contains("Byron"), "{}", again.text);

    let told = super::desk::deeds(&bridge).await;
    let told: Vec<&str> =
        told.iter().map(|(what, _)| what.as_str()).filter(|what| *what != "signed_in").collect();
    let expected = ["erased", "released", "held", "exported"];
    assert_eq!(
        told.iter().copied().filter(|what| expected.contains(what)).rev().collect::<Vec<_>>()[..4],
        ["exported", "held", "released", "erased"]
    );
}

#[tokio::test]
async fn what_a_merge_and_a_split_do_is_shown_before_they_are_done() {
    let (bridge, person) = with_ada().await;
    let mut root = Person::signed_in(&bridge, "root", Role::Operator, Reach::Everywhere).await;
    let store = &bridge.installation.store;
    let records = store.person(person).await.unwrap().unwrap().records;
    let lead = records.iter().find(|record| record.contains(":lead:")).unwrap().clone();
    let split = format!("/people/{person}/split");
    let shown = root.post(&split, &[("record", &lead)]).await;
    assert!(shown.status == 200 && shown.text.contains("These links end"), "{}", shown.text);
    assert_eq!(store.person(person).await.unwrap().unwrap().records, records, "nothing is done yet");
    assert_eq!(root.post(&split, &[("record", &lead), ("sure", "1")]).await.status, 303);
    let left = store.person_of(&FirmId::new("acme"), &lead.parse().unwrap()).await.unwrap().unwrap();
    assert_ne!(left, person);

    let merge = format!("/people/{person}/merge");
    let shown = root.post(&merge, &[("other", &left.to_string())]).await;
    assert!(shown.status == 200 && shown.text.contains(&lead), "{}", shown.text);
    assert_ne!(store.person_of(&FirmId::new("acme"), &lead.parse().unwrap()).await.unwrap(), Some(person));
    assert_eq!(root.post(&merge, &[("other", &left.to_string()), ("sure", "1")]).await.status, 303);
    let story = store.person(person).await.unwrap().unwrap();
    assert_eq!(story.records.len(), records.len());
    let same = root.post(&merge, &[("other", &person.to_string())]).await.status;
    assert_eq!(same, 400, "nobody is merged with themselves");
}

#[tokio::test]
async fn the_pipeline_is_shown_and_handed_out_as_csv() {
    let (bridge, _) = with_ada().await;
    let mut viewer = Person::signed_in(&bridge, "vi", Role::Viewer, Reach::Everywhere).await;
    let page = viewer.get("/pipeline").await.text;
    assert!(page.contains("pipeline-table") && page.contains("Nov 2026"), "{page}");
    let csv = viewer.get("/pipeline.csv").await.text;
    assert!(csv.starts_with("month,source,leads,signed,settled,declined\n2026-11,"), "{csv}");
    assert!(viewer.get("/").await.text.contains("hx-get=\"/pipeline\""));
    let other = Reach::Firms([FirmId::new("other")].into());
    let mut other = Person::signed_in(&bridge, "ot", Role::Admin, other).await;
    assert_eq!(other.get("/pipeline.csv?firm=acme").await.text.lines().count(), 1);
}
