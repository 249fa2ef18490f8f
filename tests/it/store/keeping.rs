//! What was kept long enough goes, what the law holds stays, and who asks is erased.

use casebridge::domain::{
    Base, CallClass, Details, EffectKey, EventId, EventState, Field, Fields, Link, Outcome, PersonId,
    Question, RecordRef, ReviewKind, Shown, System,
};
use casebridge::store::{
    Arrival, Begun, CallRecord, CannotErase, Intent, Kept, LinkChange, Said, Settled, StoreError,
};
use jiff::SignedDuration;

use super::{TestStore, contact, firm, lead, on_both};

on_both!(
    bodies_go_after_their_time_and_what_is_pending_keeps_its_own,
    a_body_that_is_gone_cannot_be_replayed,
    requests_go_and_what_they_achieved_stays,
    history_goes_after_its_time_but_for_the_newest,
    a_hold_keeps_everything_through_merges_and_splits,
    erasing_leaves_nothing_about_the_person_and_touches_nobody_else,
    a_hold_wins_over_erasing,
    an_event_at_work_puts_erasing_off,
    more_than_one_step_goes_through,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn let_go(test: &TestStore, class: Kept, days: i32) -> u64 {
    let before = test.now() - DAY * days;
    let (mut count, mut after) = (0, None);
    loop {
        let step = test.store.let_go(&firm(), class, before, after).await.unwrap();
        count += step.count;
        after = step.next;
        if after.is_none() {
            return count;
        }
    }
}

async fn has_body(test: &TestStore, event: EventId) -> bool {
    test.store.payload(event).await.unwrap().is_some()
}

async fn done(test: &TestStore, contact: &str) -> EventId {
    let event = test.update(contact).await;
    let claims = test.claim().await;
    let claim = claims.iter().find(|claim| claim.lease.event == event).unwrap();
    test.settle(claim, Outcome::Done).await;
    event
}

async fn person(test: &TestStore, record: RecordRef) -> PersonId {
    test.store.person_of(&firm(), &record).await.unwrap().unwrap()
}

fn intent(body: &str) -> Intent {
    Intent {
        operation: "create-lead",
        body: body.into(),
        is_create: true,
        idempotency_key: format!("key of {body}"),
        match_keys: vec![[9; 32]],
        said: Said::default(),
    }
}

/// An event of contact c1 that created lead l1, and is done.
async fn synced(test: &TestStore) -> EventId {
    let event = test.update("c1").await;
    let claim = test.claim_one().await;
    let key = EffectKey("lead-of:highlevel:c1".into());
    let begun = test.store.begin_effect(&claim.lease, &key, intent("Ada Byron")).await.unwrap();
    assert!(matches!(begun, Begun::Send { .. }));
    let call = CallRecord {
        operation: "create-lead".into(),
        target: "POST /leads".into(),
        effect_key: Some(key.0.clone()),
        status: Some(201),
        class: CallClass::Ok,
        started_at: test.now(),
        duration_ms: 12,
        detail: None,
    };
    let ada = Base { fields: Fields::default().with(Field::FirstName, "Ada"), ..Base::default() };
    let link = LinkChange::Link(Link::new(contact("c1"), lead("l1"), System::HighLevel, ada));
    let completing =
        test.store.complete_effect(&claim.lease, &key, Some(lead("l1")), vec![link], Some(call)).await;
    assert_eq!(completing.unwrap(), Settled::Yes);
    test.settle(&claim, Outcome::Done).await;
    event
}

async fn bodies_go_after_their_time_and_what_is_pending_keeps_its_own(test: &TestStore) {
    let old = done(test, "c1").await;
    let pending = test.update("c2").await;
    test.pass(DAY * 20);
    let young = done(test, "c3").await;
    test.pass(DAY * 11);
    test.update("c4").await;
    assert_eq!(let_go(test, Kept::Payloads, 30).await, 1);
    assert!(!has_body(test, old).await);
    assert!(has_body(test, pending).await, "its work needs it");
    assert!(has_body(test, young).await);
    assert_eq!(test.state(old).await, EventState::Done, "that it happened is kept longer");
    assert_eq!(let_go(test, Kept::Payloads, 30).await, 0);
}

async fn a_body_that_is_gone_cannot_be_replayed(test: &TestStore) {
    let old = done(test, "c1").await;
    test.pass(DAY * 31);
    test.update("c2").await;
    let_go(test, Kept::Payloads, 30).await;
    let refused = test.store.replay(old).await.unwrap_err();
    assert!(matches!(refused, StoreError::Gone(why) if why.contains("no longer kept")), "{refused}");
    assert_eq!(test.state(old).await, EventState::Done);
    assert_eq!(test.claimed().await.len(), 1, "the other is not held up");
}

async fn requests_go_and_what_they_achieved_stays(test: &TestStore) {
    synced(test).await;
    test.pass(DAY * 31);
    assert_eq!(let_go(test, Kept::Requests, 30).await, 1);
    assert_eq!(let_go(test, Kept::Requests, 30).await, 0);
    let papers = test.store.papers(person(test, contact("c1")).await).await.unwrap().unwrap();
    assert_eq!((papers.requests.len(), &papers.requests[0].body), (1, &None));
    // Not a second lead.
    test.update("c1").await;
    let claim = test.claim_one().await;
    let key = EffectKey("lead-of:highlevel:c1".into());
    let begun = test.store.begin_effect(&claim.lease, &key, intent("Ada Byron")).await.unwrap();
    assert!(matches!(begun, Begun::AlreadyDone(Some(found)) if found == lead("l1")));
    // A value that is gone does not stand in the way of a change of keys.
    for place in casebridge::store::SealedPlace::ALL {
        test.store.reseal(place, None, 100).await.unwrap();
    }
}

async fn history_goes_after_its_time_but_for_the_newest(test: &TestStore) {
    let old = synced(test).await;
    let newest = done(test, "c2").await;
    test.pass(DAY * 401);
    assert_eq!(let_go(test, Kept::History, 400).await, 1);
    assert!(test.store.event(old).await.unwrap().is_none());
    assert!(test.store.event(newest).await.unwrap().is_some(), "what comes is numbered after it");
    assert_eq!(test.store.links_of(&firm(), &[contact("c1")]).await.unwrap().len(), 1, "still linked");
    let later = test.update("c1").await;
    assert_eq!(test.claimed().await, [later]);
}

async fn a_hold_keeps_everything_through_merges_and_splits(test: &TestStore) {
    let held = synced(test).await;
    let ada = person(test, contact("c1")).await;
    let hold = test.store.hold(ada, "Byron v. Acme", "maria").await.unwrap().unwrap();
    assert_eq!((hold.people.as_slice(), hold.why.as_str()), (&[ada][..], "Byron v. Acme"));
    assert!(test.store.hold(PersonId(999), "x", "maria").await.unwrap().is_none());
    // Somebody older takes her in, and somebody leaves again.
    let other = done(test, "c0").await;
    let joined = test.store.merge_people(ada, person(test, contact("c0")).await).await.unwrap().unwrap();
    let parted = test.store.split_person(&firm(), &[lead("l1")], "maria").await.unwrap().unwrap();
    assert_ne!(parted.to, joined);
    test.pass(DAY * 401);
    test.update("c9").await;
    for class in [Kept::Payloads, Kept::Requests, Kept::History] {
        assert_eq!(let_go(test, class, 30).await, 0, "{class:?}");
    }
    assert!(has_body(test, held).await && has_body(test, other).await);
    let holds = test.store.holds(None).await.unwrap();
    assert_eq!((holds.len(), holds[0].people.contains(&parted.to)), (1, true));
    assert_eq!(test.store.release_holds(joined, "maria").await.unwrap(), 1);
    assert_eq!(test.store.release_holds(joined, "maria").await.unwrap(), 0);
    assert_eq!(let_go(test, Kept::Payloads, 30).await, 2);
    let past = test.store.holds(Some(joined)).await.unwrap();
    assert_eq!(past[0].released_by.as_deref(), Some("maria"));
}

async fn erasing_leaves_nothing_about_the_person_and_touches_nobody_else(test: &TestStore) {
    let event = synced(test).await;
    let pending = test.update("c1").await;
    let waits_behind = test.update("c1").await;
    // Somebody else's event waits for an answer to a question that shows her.
    let other = test
        .record(Arrival { source: System::CasePeer, records: vec![lead("l7")], ..test.arrival("") })
        .await;
    let claims = test.claim().await;
    let of_other = claims.iter().find(|claim| claim.lease.event == other).unwrap();
    let ada = Shown::of(&contact("c1"), &Fields::default().with(Field::FirstName, "Ada"));
    let question = Question {
        kind: ReviewKind::AmbiguousMatch,
        subject: lead("l7").to_string(),
        why: "it may be somebody".into(),
        details: Details { highlevel: vec![Shown { score: Some(600), ..ada }], ..Details::default() },
    };
    test.settle(of_other, Outcome::InReview { questions: vec![question] }).await;
    let hers = claims.iter().find(|claim| claim.lease.event == pending).unwrap();
    test.settle(hers, super::retry(SignedDuration::from_hours(1))).await;
    let ada = person(test, contact("c1")).await;

    let erased = test.store.erase(ada, "maria").await.unwrap().unwrap();
    assert_eq!((erased.person, erased.erased_by.as_str()), (ada, "maria"));
    assert_eq!(erased.records, ["casepeer:lead:l1", "highlevel:contact:c1"]);
    let counts = erased.erased;
    assert_eq!((counts.events, counts.discarded, counts.payloads, counts.requests), (3, 2, 3, 1));
    assert_eq!((counts.calls, counts.links, counts.reviews), (1, 1, 1));
    for id in [event, pending, waits_behind] {
        let story = test.store.event(id).await.unwrap().unwrap();
        assert!(story.records.is_empty() && story.calls.is_empty() && story.plan.is_none());
        assert!(!has_body(test, id).await && story.row.state.is_settled(), "{}", story.row.state);
    }
    assert!(test.store.links_of(&firm(), &[contact("c1")]).await.unwrap().is_empty());
    assert_eq!(test.store.person_of(&firm(), &contact("c1")).await.unwrap(), None);
    assert!(test.store.open_reviews(None).await.unwrap().is_empty());
    // The other one asks anew; nothing of hers comes up any more, now or later.
    test.pass(SignedDuration::from_hours(2));
    assert_eq!(test.claimed().await, [other]);
    // A redelivery of what was erased is known as one; something new begins a person of its own.
    let key = casebridge::store::DeliveryKey::Sender(event.to_string());
    let again = Arrival { delivery_key: key, ..test.arrival("c1") };
    assert_eq!(test.store.record(again).await.unwrap(), casebridge::store::Recorded::Duplicate(event));
    test.update("c1").await;
    assert_ne!(person(test, contact("c1")).await, ada);
}

async fn a_hold_wins_over_erasing(test: &TestStore) {
    let event = synced(test).await;
    let ada = person(test, contact("c1")).await;
    test.store.hold(ada, "Byron v. Acme", "maria").await.unwrap().unwrap();
    let refused = test.store.erase(ada, "maria").await.unwrap().unwrap_err();
    assert!(matches!(&refused, CannotErase::Held(hold) if hold.held_by == "maria"), "{refused}");
    assert!(has_body(test, event).await);
    test.store.release_holds(ada, "maria").await.unwrap();
    assert!(test.store.erase(ada, "maria").await.unwrap().is_ok());
    assert_eq!(test.store.erase(PersonId(999), "maria").await.unwrap(), Err(CannotErase::NotThere));
}

async fn an_event_at_work_puts_erasing_off(test: &TestStore) {
    test.update("c1").await;
    let claim = test.claim_one().await;
    let ada = person(test, contact("c1")).await;
    assert_eq!(test.store.erase(ada, "maria").await.unwrap(), Err(CannotErase::AtWork));
    test.settle(&claim, Outcome::Done).await;
    assert!(test.store.erase(ada, "maria").await.unwrap().is_ok());
}

async fn more_than_one_step_goes_through(test: &TestStore) {
    for count in 0..505 {
        let settled = Some((casebridge::domain::Cause::TooOld, "too old".to_owned()));
        test.record(Arrival { undeliverable: settled, ..test.arrival(&format!("c{count}")) }).await;
    }
    test.pass(DAY * 31);
    test.update("newest").await;
    assert_eq!(let_go(test, Kept::Payloads, 30).await, 505);
}
