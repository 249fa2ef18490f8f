//! What arrives is kept once, sealed, in its person's lane.

use casebridge::crypto::Keyring;
use casebridge::domain::{Cause, EventState, FirmId, System};
use casebridge::store::{Arrival, DeliveryKey, Recorded, StoreError};
use futures_util::future::join_all;
use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::{LEASE, TestStore, contact, lead, on_both, room};

on_both!(
    a_delivery_is_stored_once_by_its_id,
    a_body_without_an_id_is_a_repeat_for_ten_minutes,
    a_change_there_and_back_is_three_changes,
    a_body_that_names_no_record_is_a_repeat_all_the_same,
    what_cannot_be_worked_on_is_kept_outside_the_lanes,
    many_at_once_are_stored_once_each_and_in_order,
    a_record_that_is_named_twice_is_one,
    the_records_of_an_event_belong_to_one_person,
    a_payload_is_sealed_and_opened,
    an_event_is_due_although_the_clock_was_set_back,
    text_may_hold_any_character,
    without_its_key_nothing_is_claimed,
);

async fn a_delivery_is_stored_once_by_its_id(test: &TestStore) {
    let arrival = test.arrival("c1");
    let repeat = || Arrival { delivery_key: arrival.delivery_key.clone(), ..test.arrival("c2") };
    let first = test.record(arrival.clone()).await;
    assert_eq!(test.store.record(repeat()).await.unwrap(), Recorded::Duplicate(first));
    test.pass(SignedDuration::from_hours(24 * 365));
    assert_eq!(test.store.record(repeat()).await.unwrap(), Recorded::Duplicate(first));
    // Another sender's or another firm's id is another id.
    test.record(Arrival { source: System::CasePeer, ..repeat() }).await;
    test.record(Arrival { firm: FirmId::unknown(), ..repeat() }).await;
}

/// An arrival without an id.
fn body(test: &TestStore, contact: &str, hash: u8) -> Arrival {
    Arrival { delivery_key: DeliveryKey::Body([hash; 32]), ..test.arrival(contact) }
}

async fn a_body_without_an_id_is_a_repeat_for_ten_minutes(test: &TestStore) {
    let first = test.record(body(test, "c1", 1)).await;
    test.pass(SignedDuration::from_mins(10));
    assert_eq!(test.store.record(body(test, "c1", 1)).await.unwrap(), Recorded::Duplicate(first));
    test.pass(SignedDuration::from_secs(1));
    let second = test.record(body(test, "c1", 1)).await;
    assert_eq!(test.store.record(body(test, "c1", 1)).await.unwrap(), Recorded::Duplicate(second));
    test.pass(SignedDuration::from_mins(11));
    test.record(body(test, "c1", 1)).await;
}

async fn a_change_there_and_back_is_three_changes(test: &TestStore) {
    test.record(body(test, "c1", 1)).await;
    // Somebody else's news does not count as something in between.
    test.update("c2").await;
    assert!(matches!(test.store.record(body(test, "c1", 1)).await.unwrap(), Recorded::Duplicate(_)));
    test.record(body(test, "c1", 2)).await;
    let third = test.record(body(test, "c1", 1)).await;
    assert_eq!(test.store.record(body(test, "c1", 1)).await.unwrap(), Recorded::Duplicate(third));
    // At once, as after a jam, it is no different.
    let bodies = [3, 4, 3, 3].map(|hash| test.store.record(body(test, "c3", hash)));
    let stored = join_all(bodies).await;
    let stored = stored.iter().filter(|recorded| matches!(recorded, Ok(Recorded::Stored(_)))).count();
    assert_eq!(stored, 3);
}

async fn a_body_that_names_no_record_is_a_repeat_all_the_same(test: &TestStore) {
    let arrival = || Arrival { records: Vec::new(), ..body(test, "", 1) };
    let first = test.record(arrival()).await;
    test.update("c1").await;
    assert_eq!(test.store.record(arrival()).await.unwrap(), Recorded::Duplicate(first));
}

async fn what_cannot_be_worked_on_is_kept_outside_the_lanes(test: &TestStore) {
    let undeliverable = Some((Cause::NotOurs, "another location's".to_owned()));
    let kept = test.record(Arrival { undeliverable, ..test.arrival("c1") }).await;
    let story = test.store.event(kept).await.unwrap().unwrap();
    assert_eq!((story.row.state, story.cause), (EventState::Undelivered, Some(Cause::NotOurs)));
    assert_eq!(story.row.reason.as_deref(), Some("another location's"));
    assert_eq!(story.settled_at, Some(test.now()));
    assert!(test.store.payload(kept).await.unwrap().is_some());
    let next = test.update("c1").await;
    assert_eq!(test.claimed().await, [next]);
}

async fn many_at_once_are_stored_once_each_and_in_order(test: &TestStore) {
    let arrivals: Vec<Arrival> = (0..400).map(|number| test.arrival(&format!("c{}", number % 7))).collect();
    let twice = arrivals.iter().chain(&arrivals).cloned();
    let recorded = join_all(twice.map(|arrival| test.store.record(arrival))).await;
    let stored = recorded.iter().filter(|recorded| matches!(recorded, Ok(Recorded::Stored(_))));
    assert_eq!(stored.count(), 400);
    let counts = test.store.counts().await.unwrap();
    assert_eq!((counts.of(EventState::Ready), counts.of(EventState::Waiting)), (7, 393));
}

async fn a_record_that_is_named_twice_is_one(test: &TestStore) {
    let records = vec![contact("c1"), contact("c1"), lead("l1"), lead("l1")];
    let first = test.record(Arrival { records, ..test.arrival("c1") }).await;
    test.update("c1").await;
    assert_eq!(test.claimed().await, [first]);
}

async fn the_records_of_an_event_belong_to_one_person(test: &TestStore) {
    let first = test.record(Arrival { records: vec![lead("l1"), contact("c1")], ..test.arrival("") }).await;
    let second = test.update("c1").await;
    assert_eq!(test.claimed().await, [first]);
    assert_eq!(test.state(second).await, EventState::Waiting);
}

async fn a_payload_is_sealed_and_opened(test: &TestStore) {
    let payload = "planted: Ada, +15125550100";
    let id = test.record(Arrival { payload: payload.into(), ..test.arrival("c1") }).await;
    assert_eq!(test.store.payload(id).await.unwrap().unwrap(), payload.as_bytes());
    assert_eq!(test.claim_one().await.payload.unwrap(), payload.as_bytes());
    let stored = test.database.stored_payload().await;
    assert!(stored.len() > payload.len());
    assert!(!stored.windows(7).any(|window| window == b"planted"));
}

async fn an_event_is_due_although_the_clock_was_set_back(test: &TestStore) {
    test.pass(SignedDuration::from_hours(1));
    let earlier = test.update("c1").await;
    test.pass(SignedDuration::from_hours(-1));
    let later = test.update("c2").await;
    let mut claimed = test.claimed().await;
    claimed.sort_unstable();
    assert_eq!(claimed, [earlier, later]);
}

async fn text_may_hold_any_character(test: &TestStore) {
    let strange = "a\0b 'quoted' \u{1f600}";
    let arrival = || Arrival {
        kind: strange.into(),
        delivery_key: DeliveryKey::Sender(strange.into()),
        records: vec![contact(strange)],
        ..test.arrival("")
    };
    let first = test.record(arrival()).await;
    assert_eq!(test.store.record(arrival()).await.unwrap(), Recorded::Duplicate(first));
    let claim = test.claim_one().await;
    let why = strange.to_owned();
    test.settle(&claim, casebridge::domain::Outcome::Undelivered { cause: Cause::Rejected, why }).await;
}

async fn without_its_key_nothing_is_claimed(test: &TestStore) {
    test.update("c1").await;
    let other = Keyring::new([("k2".to_owned(), Zeroizing::new([9; 32]))]).unwrap();
    let store = test.database.open_again(&test.clock, other.into()).await;
    for _ in 0..3 {
        let refused = store.claim("worker", &room(1), LEASE).await;
        assert!(matches!(refused, Err(StoreError::Sealed(_))), "{refused:?}");
        test.pass(LEASE + SignedDuration::from_secs(1));
    }
    // No attempt was used.
    assert_eq!(test.claim_one().await.failed_attempts, 0);
}
