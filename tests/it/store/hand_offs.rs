//! Hand-overs: what a carrier took is not sent again, is linked once it is confirmed, and is asked about when it is not.

use casebridge::domain::{
    Base, EffectKey, EventState, Field, Fields, FirmId, Outcome, RecordKind, RecordRef, System,
};
use casebridge::store::{Begun, Claim, Confirmed, HandOver, Intent, Lease, Said, Settled};
use jiff::SignedDuration;

use super::{TestStore, contact, firm, lead, on_both};

on_both!(
    a_confirmation_completes_the_effect_links_the_record_and_ends_the_event,
    an_event_with_more_to_do_goes_on,
    a_confirmation_without_an_id_completes_without_a_link,
    what_cannot_be_confirmed_is_told_apart,
    an_overdue_one_is_met_again_once,
    a_withdrawn_one_may_be_sent_again,
    a_lost_lease_hands_nothing_over,
    a_confirmation_before_the_turn_ends_is_not_missed,
    an_overdue_one_is_met_by_a_turn_that_ends_late,
);

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

fn key() -> EffectKey {
    EffectKey("lead-of:highlevel:contact:c1".into())
}

fn create() -> Intent {
    Intent {
        operation: "lead.create",
        body: b"{}".to_vec(),
        is_create: true,
        idempotency_key: "acme/lead-of:highlevel:contact:c1".into(),
        match_keys: Vec::new(),
        said: Said::default(),
    }
}

fn hand_over(has_rest: bool) -> HandOver {
    HandOver {
        original: Some(contact("c1")),
        makes: Some(RecordKind::Lead),
        base: Base::of_fields(Fields::default().with(Field::City, "Austin")),
        has_rest,
        within: QUARTER,
    }
}

fn waits(test: &TestStore) -> Outcome {
    Outcome::HandedOff { effect: key(), until: test.now(), why: "handed over".into() }
}

/// Hands the lead of an update over, and settles the update.
async fn handed_over(test: &TestStore, has_rest: bool) -> Claim {
    test.update("c1").await;
    let claim = test.claim_one().await;
    test.store.begin_effect(&claim.lease, &key(), create()).await.unwrap();
    let settled = test.store.hand_over(&claim.lease, &key(), hand_over(has_rest), None).await.unwrap();
    assert_eq!(settled, Settled::Yes);
    test.settle(&claim, waits(test)).await;
    assert_eq!(test.state(claim.lease.event).await, EventState::HandedOff);
    claim
}

async fn confirm(test: &TestStore, record: Option<RecordRef>) -> Confirmed {
    test.store.confirm(&firm(), &key(), record).await.unwrap()
}

async fn a_confirmation_completes_the_effect_links_the_record_and_ends_the_event(test: &TestStore) {
    let claim = handed_over(test, false).await;
    // A later event of the same person met the hand-over and waits for it too.
    let later = test.update("c1").await;
    let second = test.claim_one().await;
    test.settle(&second, waits(test)).await;

    assert_eq!(confirm(test, Some(lead("L-1"))).await, Confirmed::Yes);
    let story = test.store.event(claim.lease.event).await.unwrap().unwrap();
    assert_eq!(story.row.state, EventState::Done);
    assert_eq!(story.row.reason.as_deref(), Some("confirmed: casepeer:lead:L-1"));
    let links = test.store.links_of(&firm(), &[contact("c1")]).await.unwrap();
    assert_eq!((links.len(), &links[0].casepeer, links[0].origin), (1, &lead("L-1"), System::HighLevel));
    assert_eq!(links[0].base.fields.get(Field::City), Some("Austin"));
    assert!(test.store.is_ours(&firm(), &lead("L-1")).await.unwrap());
    assert_eq!(test.store.hand_off(&firm(), &key()).await.unwrap(), None);
    // The other goes on, and finds the effect carried out.
    let claim = test.claim_one().await;
    assert_eq!(claim.lease.event, later);
    let begun = test.store.begin_effect(&claim.lease, &key(), create()).await.unwrap();
    assert_eq!(begun, Begun::AlreadyDone(Some(lead("L-1"))));
}

async fn an_event_with_more_to_do_goes_on(test: &TestStore) {
    let claim = handed_over(test, true).await;
    confirm(test, Some(lead("L-1"))).await;
    assert_eq!(test.claimed().await, [claim.lease.event]);
}

async fn a_confirmation_without_an_id_completes_without_a_link(test: &TestStore) {
    let claim = handed_over(test, false).await;
    assert_eq!(confirm(test, None).await, Confirmed::Yes);
    let row = test.store.event(claim.lease.event).await.unwrap().unwrap().row;
    assert_eq!((row.state, row.reason.as_deref()), (EventState::Done, Some("confirmed without an id")));
    assert!(test.store.links_of(&firm(), &[contact("c1")]).await.unwrap().is_empty());
}

async fn what_cannot_be_confirmed_is_told_apart(test: &TestStore) {
    assert_eq!(confirm(test, None).await, Confirmed::Unknown);
    test.update("c1").await;
    let claim = test.claim_one().await;
    test.store.begin_effect(&claim.lease, &key(), create()).await.unwrap();
    assert_eq!(confirm(test, None).await, Confirmed::TooEarly, "its hand-over is not written down yet");
    test.store.hand_over(&claim.lease, &key(), hand_over(false), None).await.unwrap();
    let note = RecordRef::casepeer(RecordKind::Note, "N-1");
    assert_eq!(confirm(test, Some(note)).await, Confirmed::OtherKind);
    let other = test.store.confirm(&FirmId::new("other"), &key(), None).await.unwrap();
    assert_eq!(other, Confirmed::Unknown, "another firm's reference");
    let case = RecordRef::casepeer(RecordKind::Case, "K-1");
    assert_eq!(confirm(test, Some(case.clone())).await, Confirmed::Yes, "CASEpeer may call a lead a case");
    assert_eq!(confirm(test, Some(lead("L-2"))).await, Confirmed::Before(Some(case)));
}

async fn an_overdue_one_is_met_again_once(test: &TestStore) {
    let claim = handed_over(test, false).await;
    test.pass(QUARTER - SignedDuration::from_secs(1));
    assert_eq!(test.store.wake_overdue().await.unwrap(), 0);
    let waiting = test.store.hand_off(&firm(), &key()).await.unwrap().unwrap();
    assert!(!waiting.is_overdue);
    test.pass(SignedDuration::from_secs(1));
    assert!(test.store.hand_off(&firm(), &key()).await.unwrap().unwrap().is_overdue);
    assert_eq!(test.store.wake_overdue().await.unwrap(), 1);
    assert_eq!(test.store.wake_overdue().await.unwrap(), 0, "once");
    assert_eq!(test.claimed().await, [claim.lease.event]);
}

async fn a_withdrawn_one_may_be_sent_again(test: &TestStore) {
    handed_over(test, false).await;
    test.update("c1").await;
    let claim = test.claim_one().await;
    assert_eq!(test.store.withdraw(&claim.lease, &key()).await.unwrap(), Settled::Yes);
    assert_eq!(test.store.hand_off(&firm(), &key()).await.unwrap(), None);
    assert_eq!(confirm(test, None).await, Confirmed::TooEarly);
}

async fn a_lost_lease_hands_nothing_over(test: &TestStore) {
    test.update("c1").await;
    let claim = test.claim_one().await;
    test.store.begin_effect(&claim.lease, &key(), create()).await.unwrap();
    let lost = Lease { claim: claim.lease.claim - 1, ..claim.lease };
    let settled = test.store.hand_over(&lost, &key(), hand_over(false), None).await.unwrap();
    assert_eq!(settled, Settled::LeaseLost);
    assert_eq!(test.store.withdraw(&lost, &key()).await.unwrap(), Settled::LeaseLost);
    assert_eq!(test.store.hand_off(&firm(), &key()).await.unwrap(), None);
}

async fn a_confirmation_before_the_turn_ends_is_not_missed(test: &TestStore) {
    for has_rest in [false, true] {
        let (event, effect) = (test.update("c1").await, EffectKey(format!("lead-of:{has_rest}")));
        let claim = test.claim_one().await;
        test.store.begin_effect(&claim.lease, &effect, create()).await.unwrap();
        test.store.hand_over(&claim.lease, &effect, hand_over(has_rest), None).await.unwrap();
        // The carrier is faster than the end of the turn.
        assert_eq!(test.store.confirm(&firm(), &effect, None).await.unwrap(), Confirmed::Yes);
        let why = "handed over".into();
        test.settle(&claim, Outcome::HandedOff { effect: effect.clone(), until: test.now(), why }).await;
        let again = test.claim_one().await;
        assert_eq!((again.lease.event, again.failed_attempts), (event, 0));
        let begun = test.store.begin_effect(&again.lease, &effect, create()).await.unwrap();
        assert_eq!(begun, Begun::AlreadyDone(None));
        test.settle(&again, Outcome::Done).await;
    }
}

async fn an_overdue_one_is_met_by_a_turn_that_ends_late(test: &TestStore) {
    let event = test.update("c1").await;
    let claim = test.claim_one().await;
    test.store.begin_effect(&claim.lease, &key(), create()).await.unwrap();
    let soon = HandOver { within: SignedDuration::from_secs(1), ..hand_over(false) };
    test.store.hand_over(&claim.lease, &key(), soon, None).await.unwrap();
    // As when the process was frozen in between; the lease still holds.
    test.pass(SignedDuration::from_secs(1));
    assert_eq!(test.store.wake_overdue().await.unwrap(), 0, "no event waits for it yet");
    test.settle(&claim, waits(test)).await;
    assert_eq!(test.claimed().await, [event]);
}
