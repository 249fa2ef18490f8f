//! One event of a person at a time, in order of receipt; people and firms do not wait for each other.

use std::collections::BTreeMap;

use casebridge::domain::{Cause, EventState, FirmId, MAX_ATTEMPTS, Outcome, RecordKind, RecordRef};
use casebridge::store::{Arrival, ClaimRoom, Rejoined, Settled, Settlement};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{LEASE, TestStore, contact, firm, on_both, retry, room, settlement};

on_both!(
    only_the_head_of_a_lane_is_claimed,
    a_retry_keeps_the_head,
    giving_an_event_up_lets_the_lane_go_on,
    people_do_not_wait_for_each_other,
    a_lease_that_was_lost_settles_nothing,
    a_lease_that_ran_out_is_taken_over_and_counts,
    a_worker_gives_its_leases_back,
    firms_take_turns,
    the_busy_firm_waits,
    updates_are_settled_together,
    thousands_of_updates_are_settled_together,
    only_updates_that_were_read_are_settled_together,
    a_failed_turn_settles_nothing_else,
    an_event_moves_to_its_persons_lane,
    the_next_due_moment_is_known,
);

const RETRY: SignedDuration = SignedDuration::from_secs(5);

async fn only_the_head_of_a_lane_is_claimed(test: &TestStore) {
    let mut events = Vec::new();
    for _ in 0..5 {
        events.push(test.update("c1").await);
    }
    for event in events {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        assert!(test.claim().await.is_empty());
        test.settle(&claim, Outcome::Done).await;
        assert_eq!(test.state(event).await, EventState::Done);
    }
    assert!(test.claim().await.is_empty());
}

async fn a_retry_keeps_the_head(test: &TestStore) {
    let (first, second) = (test.update("c1").await, test.update("c1").await);
    for failed in 0..3 {
        let claim = test.claim_one().await;
        assert_eq!((claim.lease.event, claim.failed_attempts), (first, failed));
        test.settle(&claim, retry(RETRY)).await;
        assert_eq!(test.states([first, second]).await, [EventState::Retrying, EventState::Waiting]);
        assert!(test.claim().await.is_empty());
        test.pass(RETRY);
    }
    let waits = Outcome::RetryIn { pause: SignedDuration::ZERO, why: "the quota".into(), counts: false };
    test.settle(&test.claim_one().await, waits).await;
    let claim = test.claim_one().await;
    assert_eq!((claim.lease.event, claim.failed_attempts), (first, 3));
}

async fn giving_an_event_up_lets_the_lane_go_on(test: &TestStore) {
    let (first, second) = (test.update("c1").await, test.update("c1").await);
    let claim = test.claim_one().await;
    test.settle(&claim, Outcome::Undelivered { cause: Cause::Rejected, why: "no such state".into() }).await;
    assert_eq!(test.state(first).await, EventState::Undelivered);
    assert_eq!(test.claimed().await, [second]);
}

async fn people_do_not_wait_for_each_other(test: &TestStore) {
    let (first, _) = (test.update("c1").await, test.update("c1").await);
    let other = test.update("c2").await;
    let nobodys = || Arrival { records: Vec::new(), ..test.arrival("") };
    let (third, fourth) = (test.record(nobodys()).await, test.record(nobodys()).await);
    // The same record of another firm is another person's.
    let elsewhere = test.record(Arrival { firm: FirmId::new("other"), ..test.arrival("c1") }).await;
    let mut claimed = test.claimed().await;
    claimed.sort_unstable();
    assert_eq!(claimed, [first, other, third, fourth, elsewhere]);
}

async fn a_lease_that_was_lost_settles_nothing(test: &TestStore) {
    let event = test.update("c1").await;
    let lost = test.claim_one().await;
    test.pass(LEASE + SignedDuration::from_secs(1));
    let ours = test.claim_one().await;
    assert_eq!(ours.lease.event, event);
    let settled = test.store.settle(&lost.lease, settlement(Outcome::Done)).await.unwrap();
    assert_eq!(settled, Settled::LeaseLost);
    assert_eq!(test.state(event).await, EventState::Running);
    assert_eq!(test.store.rejoin(&lost.lease, &contact("c2")).await.unwrap(), Rejoined::LeaseLost);
    assert_eq!(test.store.save_links(&lost.lease, Vec::new()).await.unwrap(), Settled::LeaseLost);
    test.settle(&ours, Outcome::Done).await;
    let again = test.store.settle(&ours.lease, settlement(Outcome::Done)).await.unwrap();
    assert_eq!(again, Settled::LeaseLost);
}

async fn a_lease_that_ran_out_is_taken_over_and_counts(test: &TestStore) {
    let event = test.update("c1").await;
    for failed in 0..MAX_ATTEMPTS {
        let claim = test.claim_one().await;
        assert_eq!((claim.lease.event, claim.failed_attempts), (event, failed));
        test.pass(LEASE);
        assert!(test.claim().await.is_empty());
        test.pass(SignedDuration::from_secs(1));
        if failed > 0 {
            assert!(test.claim().await.is_empty(), "from the second time on it pauses");
            test.pass(SignedDuration::from_secs(81));
        }
    }
    assert_eq!(test.claim_one().await.failed_attempts, MAX_ATTEMPTS);
}

async fn a_worker_gives_its_leases_back(test: &TestStore) {
    let (first, second) = (test.update("c1").await, test.update("c2").await);
    let lost = test.store.claim("gone", &room(1), LEASE).await.unwrap().remove(0);
    let kept = test.claim_one().await;
    assert_eq!(test.store.release("gone").await.unwrap(), 1);
    assert_eq!(test.store.release("nobody").await.unwrap(), 0);
    assert_eq!(test.states([first, second]).await, [EventState::Ready, EventState::Running]);
    let settled = test.store.settle(&lost.lease, settlement(Outcome::Done)).await.unwrap();
    assert_eq!(settled, Settled::LeaseLost);
    let claim = test.claim_one().await;
    assert_eq!((claim.lease.event, claim.failed_attempts), (first, 1), "its turn never ended");
    test.settle(&kept, Outcome::Done).await;
}

async fn firms_take_turns(test: &TestStore) {
    for number in 0..50 {
        test.update(&format!("c{number}")).await;
    }
    let mut small = Vec::new();
    for number in 0..2 {
        test.pass(SignedDuration::from_secs(1));
        let arrival = Arrival { firm: FirmId::new("small"), ..test.arrival(&format!("c{number}")) };
        small.push(test.record(arrival).await);
    }
    let claims = test.store.claim("worker", &room(6), LEASE).await.unwrap();
    let of_small: Vec<_> =
        claims.iter().map(|claim| claim.lease.event).filter(|event| small.contains(event)).collect();
    assert_eq!((claims.len(), of_small), (6, small));
    let share = ClaimRoom { total: 20, per_firm: 3, ..ClaimRoom::default() };
    assert_eq!(test.store.claim("worker", &share, LEASE).await.unwrap().len(), 3);
}

async fn the_busy_firm_waits(test: &TestStore) {
    for number in 0..10 {
        test.update(&format!("c{number}")).await;
        test.record(Arrival { firm: FirmId::new("idle"), ..test.arrival(&format!("c{number}")) }).await;
    }
    let busy = BTreeMap::from([(firm(), 4)]);
    let share = ClaimRoom { total: 6, per_firm: 5, busy };
    let claims = test.store.claim("worker", &share, LEASE).await.unwrap();
    let ours = claims.iter().filter(|claim| claim.lease.firm == firm()).count();
    assert_eq!((claims.len(), ours), (6, 1));
}

/// A turn that read the records afresh and settles what it read with it.
fn with_updates(outcome: Outcome, horizon: i64) -> Settlement {
    Settlement { supersedes: Some(horizon), ..settlement(outcome) }
}

async fn updates_are_settled_together(test: &TestStore) {
    let first = test.update("c1").await;
    for _ in 0..49 {
        test.update("c1").await;
    }
    let claim = test.claim_one().await;
    let later = test.update("c1").await;
    test.store.settle(&claim.lease, with_updates(Outcome::Done, claim.horizon)).await.unwrap();
    let counts = test.store.counts().await.unwrap();
    assert_eq!((counts.of(EventState::Done), counts.of(EventState::Superseded)), (1, 49));
    assert_eq!(test.states([first, later]).await, [EventState::Done, EventState::Ready]);
}

/// What each of them took once grew with their number: so many took longer than a transaction may.
async fn thousands_of_updates_are_settled_together(test: &TestStore) {
    for _ in 0..8 {
        let recording = (0..500).map(|_| test.store.record(test.arrival("c1")));
        join_all(recording).await.into_iter().for_each(|recorded| assert!(recorded.is_ok()));
    }
    let claim = test.claim_one().await;
    let settled = test.store.settle(&claim.lease, with_updates(Outcome::Done, claim.horizon)).await;
    assert_eq!(settled.unwrap(), Settled::Yes);
    assert_eq!(test.store.counts().await.unwrap().of(EventState::Superseded), 3_999);
}

async fn only_updates_that_were_read_are_settled_together(test: &TestStore) {
    test.update("c1").await;
    let update = test.update("c1").await;
    let created = Arrival { is_update: false, kind: "ContactCreate".into(), ..test.arrival("c1") };
    let created = test.record(created).await;
    let note = RecordRef::highlevel(RecordKind::Note, "n1");
    let note = test.record(Arrival { records: vec![note, contact("c1")], ..test.arrival("") }).await;
    let claim = test.claim_one().await;
    test.store.settle(&claim.lease, with_updates(Outcome::Done, claim.horizon)).await.unwrap();
    assert_eq!(
        test.states([update, created, note]).await,
        [EventState::Superseded, EventState::Ready, EventState::Waiting]
    );
}

async fn a_failed_turn_settles_nothing_else(test: &TestStore) {
    test.update("c1").await;
    let second = test.update("c1").await;
    let claim = test.claim_one().await;
    let failed = Outcome::Undelivered { cause: Cause::Rejected, why: "no".into() };
    test.store.settle(&claim.lease, with_updates(failed, claim.horizon)).await.unwrap();
    assert_eq!(test.claimed().await, [second]);
}

async fn an_event_moves_to_its_persons_lane(test: &TestStore) {
    let task = RecordRef::highlevel(RecordKind::Task, "t1");
    let arrival = || Arrival { records: vec![task.clone()], ..test.arrival("") };
    let first = test.update("c1").await;
    let (moved, behind) = (test.record(arrival()).await, test.record(arrival()).await);
    let last = test.update("c1").await;
    let claims = test.claim().await;
    let [head, claim] = claims.as_slice() else { panic!("{claims:?}") };
    assert_eq!((head.lease.event, claim.lease.event), (first, moved));
    assert_eq!(test.store.rejoin(&head.lease, &contact("c1")).await.unwrap(), Rejoined::AlreadyThere);
    assert_eq!(test.store.rejoin(&claim.lease, &contact("c1")).await.unwrap(), Rejoined::Moved);
    assert_eq!(
        test.states([first, moved, last]).await,
        [EventState::Running, EventState::Waiting, EventState::Waiting]
    );
    let late = test.store.settle(&claim.lease, settlement(Outcome::Done)).await.unwrap();
    assert_eq!(late, Settled::LeaseLost);
    // What waited behind it in the lane it left goes on there.
    let left = test.claim_one().await;
    assert_eq!(left.lease.event, behind);
    // What comes later about the task belongs to the person.
    let later = test.record(arrival()).await;
    test.settle(&left, Outcome::Done).await;
    test.settle(head, Outcome::Done).await;
    for event in [moved, last, later] {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        test.settle(&claim, Outcome::Done).await;
    }
}

async fn the_next_due_moment_is_known(test: &TestStore) {
    assert_eq!(test.store.next_due().await.unwrap(), None);
    test.update("c1").await;
    assert_eq!(test.store.next_due().await.unwrap(), Some(test.now()));
    let claim = test.claim_one().await;
    assert_eq!(test.store.next_due().await.unwrap(), Some(test.now() + LEASE));
    test.settle(&claim, retry(RETRY)).await;
    assert_eq!(test.store.next_due().await.unwrap(), Some(test.now() + RETRY));
    assert!(test.store.ping().await.is_ok());
}
