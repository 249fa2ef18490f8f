//! What happened, counted by hour; and by what a person is found.

use casebridge::domain::{
    Base, Cause, EffectKey, EventId, Field, Fields, Link, Outcome, RecordKind, RecordRef, System,
};
use casebridge::store::{
    ActivityFilter, Arrival, Begun, EventFilter, Intent, LinkChange, PipelineFilter, Said, Tally,
};
use jiff::SignedDuration;

use super::{TestStore, contact, firm, lead, on_both};

on_both!(
    events_are_counted_by_hour_and_firm_and_counted_again_when_they_change,
    new_leads_are_counted_by_how_long_they_took,
    events_are_found_by_the_people_they_speak_of,
    what_became_of_leads_is_counted_by_month_and_source,
);

async fn count(test: &TestStore) {
    for hour in test.store.hours_to_count(100).await.unwrap() {
        test.store.count_hour(hour).await.unwrap();
    }
}

async fn events(test: &TestStore, firms: Option<&str>) -> Vec<(i64, String, u64)> {
    let firms = firms.map(|firm| vec![casebridge::domain::FirmId::new(firm)]);
    let filter = ActivityFilter { what: Tally::Event, firms, since: 0, per: 1 };
    let rows = test.store.activity(filter).await.unwrap();
    let first = rows.first().map_or(0, |row| row.hour);
    rows.into_iter().map(|row| (row.hour - first, row.outcome, row.things)).collect()
}

async fn events_are_counted_by_hour_and_firm_and_counted_again_when_they_change(test: &TestStore) {
    let done = |hour, state: &str, things| (hour, state.to_owned(), things);
    test.update("c1").await;
    let other = Arrival { firm: casebridge::domain::FirmId::new("other"), ..test.arrival("c1") };
    test.record(other).await;
    test.pass(SignedDuration::from_hours(3));
    let late = test.update("c2").await;
    count(test).await;
    assert_eq!(events(test, None).await, [done(0, "ready", 2), done(3, "ready", 1)]);
    assert_eq!(events(test, Some("acme")).await, [done(0, "ready", 1), done(3, "ready", 1)]);
    for claim in test.claim().await {
        let failed = Outcome::Undelivered { cause: Cause::Rejected, why: "no".into() };
        test.settle(&claim, if claim.lease.event == late { failed } else { Outcome::Done }).await;
    }
    test.pass(SignedDuration::from_mins(11));
    count(test).await;
    assert_eq!(events(test, None).await, [done(0, "done", 2), done(3, "undelivered", 1)]);
    // Much later the hour is over and everything in it settled; a person changes something in it all the same.
    test.pass(SignedDuration::from_hours(9));
    test.update("c3").await;
    count(test).await;
    count(test).await;
    assert_eq!(test.store.hours_to_count(100).await.unwrap().len(), 1, "what is over is not counted again");
    assert_eq!(test.store.discard(late, "a test").await.unwrap(), Some(true));
    count(test).await;
    let expected = [done(0, "done", 2), done(3, "discarded", 1), done(12, "ready", 1)];
    assert_eq!(events(test, None).await, expected);
    let days = ActivityFilter { what: Tally::Event, firms: None, since: 0, per: 24 };
    let days = test.store.activity(days).await.unwrap();
    assert_eq!(days.iter().map(|row| row.things).sum::<u64>(), 4);
}

async fn new_leads_are_counted_by_how_long_they_took(test: &TestStore) {
    let lead = |contact| Arrival { kind: "ContactCreate".into(), is_update: false, ..test.arrival(contact) };
    test.record(lead("c1")).await;
    test.record(lead("c2")).await;
    let claim = test.claim().await.remove(0);
    test.pass(SignedDuration::from_secs(3));
    test.settle(&claim, Outcome::Done).await;
    test.pass(SignedDuration::from_mins(3));
    count(test).await;
    let filter = ActivityFilter { what: Tally::Lead, firms: Some(vec![firm()]), since: 0, per: 1 };
    let rows = test.store.activity(filter).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.outcome.as_str(), row.things)).collect();
    assert_eq!(told, [("23", 1), ("late", 1)], "one took 3 s, one waits for more than 2 min: {rows:?}");
    assert!((2_500..3_500).contains(&casebridge::store::wait_of(23)));
}

async fn events_are_found_by_the_people_they_speak_of(test: &TestStore) {
    let body = br#"{"type":"ContactCreate","firstName":"Ada","lastName":"Lovelace","phone":"+15125550100"}"#;
    let of_ada = test.record(Arrival { payload: body.as_slice().into(), ..test.arrival("c1") }).await;
    let of_her_too = test.update("c1").await;
    let of_bo = test.update("c2").await;
    test.pass(SignedDuration::from_secs(5));
    while test.store.index_events(2).await.unwrap() > 0 {}
    let find = async |word: &str, other: EventFilter| -> Vec<EventId> {
        let filter = EventFilter { word: Some(word.into()), limit: 10, ..other };
        test.store.events(filter).await.unwrap().into_iter().map(|row| row.id).collect()
    };
    let any = EventFilter::default;
    assert_eq!(find("512-555-0100", any()).await, [of_her_too, of_ada], "what is of the same person, too");
    assert_eq!(find("ada lovelace", any()).await, [of_her_too, of_ada]);
    assert_eq!(find("C2", any()).await, [of_bo], "by the record's number");
    assert!(find("bo@example.com", any()).await.is_empty());
    let elsewhere = EventFilter { within: Some(Vec::new()), ..any() };
    assert!(find("512-555-0100", elsewhere).await.is_empty(), "not in a firm that one may not see");
}

async fn what_became_of_leads_is_counted_by_month_and_source(test: &TestStore) {
    test.update("c1").await;
    let claim = test.claim_one().await;
    let base = |source| Base::of_fields(Fields::default().with(Field::Source, source));
    let case = RecordRef::casepeer(RecordKind::Case, "k1");
    let link = |contact_id, matter, base| {
        LinkChange::Link(Link::new(contact(contact_id), matter, System::HighLevel, base))
    };
    let links = vec![
        link("c1", lead("l1"), base("Billboard")),
        link("c1", case.clone(), Base::default()),
        link("c2", lead("l2"), base("Web form")),
        link("c3", lead("l3"), Base::default()),
    ];
    test.store.save_links(&claim.lease, links).await.unwrap();
    for step in ["signed", "settled", "active"] {
        let key = EffectKey(format!("milestone:{case}:{step}"));
        let intent = Intent {
            operation: "add-tags",
            body: Vec::new(),
            is_create: false,
            idempotency_key: key.0.clone(),
            match_keys: Vec::new(),
            said: Said::default(),
        };
        assert!(matches!(test.store.begin_effect(&claim.lease, &key, intent).await, Ok(Begun::Send { .. })));
        test.store.complete_effect(&claim.lease, &key, None, Vec::new(), None).await.unwrap();
    }
    let since = test.now() - SignedDuration::from_hours(1);
    let ask = async |firms| test.store.pipeline(PipelineFilter { firms, since }).await.unwrap();
    let rows = ask(None).await;
    let told: Vec<_> =
        rows.iter().map(|row| (row.source.as_str(), row.leads, row.signed, row.settled)).collect();
    assert_eq!(told, [("", 1, 0, 0), ("Billboard", 1, 1, 1), ("Web form", 1, 0, 0)]);
    assert_eq!(rows[0].month, test.now().strftime("%Y-%m").to_string());
    assert_eq!(ask(Some(vec![firm()])).await, rows);
    assert!(ask(Some(Vec::new())).await.is_empty(), "of firms that one may not see");
    test.pass(SignedDuration::from_hours(2));
    let later = PipelineFilter { firms: None, since: test.now() };
    assert!(test.store.pipeline(later).await.unwrap().is_empty());
}
