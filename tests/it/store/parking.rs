//! A firm whose connection does not work: everything is kept, one event tries, and all go on in order.

use casebridge::domain::{EventState, FirmId, Outcome, ParkCause, System};
use casebridge::store::{Arrival, Parking};
use jiff::SignedDuration;

use super::{LEASE, TestStore, firm, on_both, retry};

on_both!(
    a_refused_credential_parks_the_firm,
    a_try_that_fails_waits_longer_and_one_that_works_resumes_in_order,
    what_was_under_way_joins_the_others_if_it_fails,
    a_firm_is_paused_and_resumed_by_hand,
    a_lease_that_runs_out_stays_parked,
    a_try_that_never_ends_is_tried_again,
);

fn refused() -> Outcome {
    Outcome::Parked { cause: ParkCause::Credentials, system: System::CasePeer, why: "401".into() }
}

const FIRST: SignedDuration = SignedDuration::from_secs(30);

async fn parking(test: &TestStore) -> Option<Parking> {
    let mut parkings = test.store.parkings().await.unwrap();
    assert!(parkings.len() <= 1);
    parkings.pop()
}

async fn a_refused_credential_parks_the_firm(test: &TestStore) {
    let first = test.update("c1").await;
    let claim = test.claim_one().await;
    let (ready, waiting) = (test.update("c2").await, test.update("c2").await);
    test.settle(&claim, refused()).await;
    let expected = Parking {
        firm: firm(),
        cause: ParkCause::Credentials,
        system: Some(System::CasePeer),
        reason: "401".into(),
        since: test.now(),
        probe_at: Some(test.now() + FIRST),
    };
    assert_eq!(parking(test).await, Some(expected));
    // What arrives meanwhile is parked as well; other firms go on.
    let arrived = test.update("c3").await;
    let other = test.record(Arrival { firm: FirmId::new("other"), ..test.arrival("c1") }).await;
    let parked = EventState::Parked;
    assert_eq!(
        test.states([first, ready, waiting, arrived]).await,
        [parked, parked, EventState::Waiting, parked]
    );
    assert_eq!(test.claimed().await, [other]);
    assert_eq!(test.store.probe().await.unwrap(), 0);
    assert_eq!(test.store.next_due().await.unwrap(), Some(test.now() + FIRST));
}

async fn a_try_that_fails_waits_longer_and_one_that_works_resumes_in_order(test: &TestStore) {
    let first = test.update("c1").await;
    let claim = test.claim_one().await;
    test.settle(&claim, refused()).await;
    let (second, third) = (test.update("c2").await, test.update("c1").await);
    let mut pause = FIRST;
    for _ in 0..7 {
        test.pass(pause);
        assert_eq!(test.store.probe().await.unwrap(), 1);
        assert_eq!(test.store.probe().await.unwrap(), 0);
        let claim = test.claim_one().await;
        assert_eq!((claim.lease.event, claim.failed_attempts), (first, 0));
        test.settle(&claim, refused()).await;
        pause = (pause * 2).min(SignedDuration::from_mins(15));
        assert_eq!(parking(test).await.unwrap().probe_at, Some(test.now() + pause));
        assert!(test.claim().await.is_empty());
    }
    test.pass(pause);
    test.store.probe().await.unwrap();
    let claim = test.claim_one().await;
    test.settle(&claim, Outcome::Done).await;
    assert_eq!(parking(test).await, None);
    let mut claimed = test.claimed().await;
    claimed.sort_unstable();
    assert_eq!(claimed, [second, third]);
}

async fn what_was_under_way_joins_the_others_if_it_fails(test: &TestStore) {
    let (_, failing, working) = (test.update("c1").await, test.update("c2").await, test.update("c3").await);
    let claims = test.claim().await;
    test.settle(&claims[0], refused()).await;
    let probe_at = parking(test).await.unwrap().probe_at;
    test.pass(SignedDuration::from_secs(1));
    test.settle(&claims[1], retry(test, FIRST)).await;
    test.settle(&claims[2], Outcome::Done).await;
    assert_eq!(test.states([failing, working]).await, [EventState::Parked, EventState::Done]);
    assert_eq!(parking(test).await.unwrap().probe_at, probe_at, "only the try decides");
}

async fn a_firm_is_paused_and_resumed_by_hand(test: &TestStore) {
    assert_eq!(test.store.resume(&firm()).await.unwrap(), None);
    let (first, second) = (test.update("c1").await, test.update("c1").await);
    test.store.pause(&firm(), "we are moving").await.unwrap();
    let third = test.update("c2").await;
    let paused = parking(test).await.unwrap();
    assert_eq!((paused.cause, paused.system, paused.probe_at), (ParkCause::Paused, None, None));
    test.pass(SignedDuration::from_hours(24));
    assert_eq!(test.store.probe().await.unwrap(), 0);
    assert!(test.claim().await.is_empty());
    assert_eq!(test.store.resume(&firm()).await.unwrap(), Some(2));
    assert_eq!(parking(test).await, None);
    assert_eq!(test.claimed().await, [first, third]);
    assert_eq!(test.state(second).await, EventState::Waiting);
}

async fn a_lease_that_runs_out_stays_parked(test: &TestStore) {
    let (lost, released) = (test.update("c1").await, test.update("c2").await);
    assert_eq!(test.claim().await.len(), 2);
    test.store.pause(&firm(), "we are moving").await.unwrap();
    test.pass(LEASE + SignedDuration::from_secs(1));
    assert!(test.claim().await.is_empty());
    assert_eq!(test.states([lost, released]).await, [EventState::Parked, EventState::Parked]);
    test.store.resume(&firm()).await.unwrap();
    assert_eq!(test.claim().await.len(), 2);
    test.store.pause(&firm(), "again").await.unwrap();
    assert_eq!(test.store.release("worker").await.unwrap(), 2);
    assert!(test.claim().await.is_empty());
}

async fn a_try_that_never_ends_is_tried_again(test: &TestStore) {
    test.update("c1").await;
    test.settle(&test.claim_one().await, refused()).await;
    test.pass(FIRST);
    test.store.probe().await.unwrap();
    let lost = test.claim_one().await;
    test.pass(SignedDuration::from_mins(15));
    assert!(test.claim().await.is_empty());
    assert_eq!(test.store.probe().await.unwrap(), 1);
    let claim = test.claim_one().await;
    assert_eq!(claim.lease.event, lost.lease.event);
    test.settle(&claim, Outcome::Done).await;
    assert_eq!(parking(test).await, None);
}
