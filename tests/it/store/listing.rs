//! What people see, and what they do about it.

use casebridge::domain::{CallClass, Cause, EventId, EventState, FirmId, Outcome};
use casebridge::store::{Arrival, CallRecord, CauseRow, EventFilter, PlanRecord, PlannedRecord, Settlement};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{TestStore, firm, on_both, settlement};

on_both!(
    an_events_story_is_told,
    events_are_filtered,
    events_are_paged_through,
    causes_are_counted,
    a_replayed_event_joins_at_the_tail,
    what_was_set_aside_on_arrival_gets_its_lane_on_replay,
    an_undelivered_event_is_discarded,
);

async fn an_events_story_is_told(test: &TestStore) {
    assert!(test.store.event(EventId(Uuid::nil())).await.unwrap().is_none());
    assert!(test.store.payload(EventId(Uuid::nil())).await.unwrap().is_none());
    let sent_at = Some(test.now() - SignedDuration::from_secs(3));
    let id = test.record(Arrival { sent_at, ..test.arrival("c1") }).await;
    let story = test.store.event(id).await.unwrap().unwrap();
    assert_eq!((story.sent_at, story.due_at, story.settled_at), (sent_at, Some(test.now()), None));
    assert_eq!((story.row.kind.as_str(), story.row.received_at), ("ContactUpdate", test.now()));
    assert_eq!(
        (story.verified_by.as_str(), story.records.as_slice()),
        ("ed25519", &["highlevel:contact:c1".to_owned()][..])
    );
    let claim = test.claim_one().await;
    test.pass(SignedDuration::from_secs(1));
    let command = PlannedRecord {
        command: "create a lead".into(),
        effect_key: Some("lead-of:c1".into()),
        reason: "a new contact".into(),
    };
    let plan = PlanRecord { commands: vec![command], remarks: vec!["no phone".into()] };
    let read = CallRecord {
        operation: "get-contact".into(),
        target: "GET /contacts/c1".into(),
        effect_key: None,
        status: Some(200),
        class: CallClass::Ok,
        started_at: test.now(),
        duration_ms: 5,
        detail: Some("nothing to say".into()),
    };
    let why = Outcome::NothingToDo { why: "it is linked".into() };
    let settled = Settlement { plan: Some(plan.clone()), reads: vec![read.clone()], ..settlement(why) };
    test.store.settle(&claim.lease, settled).await.unwrap();
    let story = test.store.event(id).await.unwrap().unwrap();
    assert_eq!((story.plan, story.calls), (Some(plan), vec![read]));
    assert_eq!((story.due_at, story.settled_at), (None, Some(test.now())));
    assert_eq!(story.row.reason.as_deref(), Some("it is linked"));
}

/// Three events a minute apart: done, undelivered, ready; then another firm's.
async fn some(test: &TestStore) -> [EventId; 4] {
    let done = test.update("c1").await;
    test.settle(&test.claim_one().await, Outcome::Done).await;
    test.pass(SignedDuration::from_mins(1));
    let undelivered = test.update("c2").await;
    let given_up = Outcome::Undelivered { cause: Cause::Rejected, why: "no".into() };
    test.settle(&test.claim_one().await, given_up).await;
    test.pass(SignedDuration::from_mins(1));
    let ready = test.update("c3").await;
    let other = test.record(Arrival { firm: FirmId::new("other"), ..test.arrival("c1") }).await;
    [done, undelivered, ready, other]
}

async fn list(test: &TestStore, filter: EventFilter) -> Vec<EventId> {
    let rows = test.store.events(filter).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

async fn events_are_filtered(test: &TestStore) {
    let [done, undelivered, ready, other] = some(test).await;
    let all = || EventFilter { limit: 10, ..EventFilter::default() };
    assert_eq!(list(test, all()).await, [other, ready, undelivered, done]);
    let of_firm = EventFilter { firm: Some(firm()), ..all() };
    assert_eq!(list(test, of_firm).await, [ready, undelivered, done]);
    let states = vec![EventState::Done, EventState::Undelivered];
    assert_eq!(list(test, EventFilter { states, ..all() }).await, [undelivered, done]);
    let cause = Some(Cause::Rejected);
    assert_eq!(list(test, EventFilter { cause, ..all() }).await, [undelivered]);
    let cause = Some(Cause::Setup);
    assert!(list(test, EventFilter { cause, firm: Some(firm()), ..all() }).await.is_empty());
    let since = Some(test.now());
    assert_eq!(list(test, EventFilter { since, ..all() }).await, [other, ready]);
    let counts = test.store.counts().await.unwrap();
    assert_eq!((counts.of(EventState::Ready), counts.of(EventState::Parked), counts.pending()), (2, 0, 2));
}

async fn events_are_paged_through(test: &TestStore) {
    let [done, undelivered, ready, other] = some(test).await;
    let page = |before| EventFilter { before, limit: 2, ..EventFilter::default() };
    assert_eq!(list(test, page(None)).await, [other, ready]);
    assert_eq!(list(test, page(Some(ready))).await, [undelivered, done]);
    assert!(list(test, page(Some(done))).await.is_empty());
    assert!(list(test, page(Some(EventId(Uuid::nil())))).await.is_empty());
}

async fn causes_are_counted(test: &TestStore) {
    let began = test.now();
    for (contact, cause) in [("c1", Cause::Setup), ("c2", Cause::Rejected), ("c3", Cause::Setup)] {
        test.update(contact).await;
        let claim = test.claim_one().await;
        test.settle(&claim, Outcome::Undelivered { cause, why: "no".into() }).await;
        test.pass(SignedDuration::from_secs(1));
    }
    let row = |cause, events, oldest| CauseRow { firm: firm(), cause, events, oldest };
    assert_eq!(
        test.store.causes().await.unwrap(),
        [row(Cause::Setup, 2, began), row(Cause::Rejected, 1, began + SignedDuration::from_secs(1))]
    );
}

async fn a_replayed_event_joins_at_the_tail(test: &TestStore) {
    assert_eq!(test.store.replay(EventId(Uuid::nil())).await.unwrap(), None);
    let replayed = test.update("c1").await;
    assert_eq!(test.store.replay(replayed).await.unwrap(), Some(false));
    let given_up = Outcome::Undelivered { cause: Cause::Rejected, why: "no".into() };
    test.settle(&test.claim_one().await, given_up).await;
    let (head, waiting) = (test.update("c1").await, test.update("c1").await);
    assert_eq!(test.store.replay(replayed).await.unwrap(), Some(true));
    let story = test.store.event(replayed).await.unwrap().unwrap();
    assert_eq!((story.row.state, story.cause, story.settled_at), (EventState::Waiting, None, None));
    assert_eq!(story.failed_attempts, 0);
    let last = test.update("c1").await;
    for event in [head, waiting, replayed, last] {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        test.settle(&claim, Outcome::Done).await;
    }
    // Alone in its lane it is due at once.
    assert_eq!(test.store.replay(replayed).await.unwrap(), Some(true));
    assert_eq!(test.claimed().await, [replayed]);
}

async fn what_was_set_aside_on_arrival_gets_its_lane_on_replay(test: &TestStore) {
    let undeliverable = Some((Cause::NotOurs, "no firm for this location".to_owned()));
    let aside = test.record(Arrival { undeliverable, ..test.arrival("c1") }).await;
    test.update("c1").await;
    let claim = test.claim_one().await;
    assert_eq!(test.store.replay(aside).await.unwrap(), Some(true));
    assert_eq!(test.state(aside).await, EventState::Waiting);
    test.settle(&claim, Outcome::Done).await;
    assert_eq!(test.claimed().await, [aside]);
}

async fn an_undelivered_event_is_discarded(test: &TestStore) {
    let [done, undelivered, ready, _] = some(test).await;
    let discard = async |id| test.store.discard(id, "a test lead").await.unwrap();
    assert_eq!(discard(EventId(Uuid::nil())).await, None);
    assert_eq!((discard(done).await, discard(ready).await), (Some(false), Some(false)));
    assert_eq!(discard(undelivered).await, Some(true));
    let row = test.store.event(undelivered).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.reason.as_deref()), (EventState::Discarded, Some("a test lead")));
    assert!(test.store.causes().await.unwrap().is_empty());
}
