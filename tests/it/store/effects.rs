//! Nothing is done twice: intents are written down before a request leaves, and what is done is remembered.

use std::collections::BTreeSet;

use casebridge::domain::{
    Base, CallClass, Cause, EffectKey, Field, Fields, FirmId, Link, Outcome, RecordRef, Sent, System,
};
use casebridge::store::{
    Ambiguity, Begun, CallRecord, Claim, EffectFailure, Intent, LinkChange, Said, Settled,
};
use jiff::{SignedDuration, Timestamp};

use super::{TestStore, contact, firm, lead, on_both};

on_both!(
    an_intent_is_sent_again_to_the_byte,
    a_create_that_was_begun_may_have_been_carried_out_until_its_failure_is_known,
    an_update_is_sent_as_it_is_now,
    what_an_update_said_and_nobody_answered_is_known_to_its_link,
    what_was_done_is_not_done_again,
    what_was_done_is_remembered_although_the_lease_was_lost,
    what_was_refused_may_be_corrected,
    what_may_have_been_done_is_looked_for,
    a_rival_waits_until_the_other_is_done,
    a_rival_goes_on_when_the_other_is_refused_or_given_up,
    calls_are_told_in_order,
    what_we_created_is_ours,
);

fn key(name: &str) -> EffectKey {
    EffectKey(name.to_owned())
}

fn create(body: &str, match_keys: &[u8]) -> Intent {
    Intent {
        operation: "create-lead",
        body: body.into(),
        is_create: true,
        idempotency_key: format!("key of {body}"),
        match_keys: match_keys.iter().map(|byte| [*byte; 32]).collect(),
        said: Said::default(),
    }
}

fn call(test: &TestStore, class: CallClass) -> CallRecord {
    CallRecord {
        operation: "create-lead".into(),
        target: "POST /leads".into(),
        effect_key: Some("lead-of:c1".into()),
        status: (class == CallClass::Ok).then_some(201),
        class,
        started_at: test.now(),
        duration_ms: 12,
        detail: None,
    }
}

async fn begin(test: &TestStore, claim: &Claim, name: &str, intent: Intent) -> Begun {
    test.store.begin_effect(&claim.lease, &key(name), intent).await.unwrap()
}

async fn complete(test: &TestStore, claim: &Claim, name: &str, result: Option<RecordRef>) -> Settled {
    let call = Some(call(test, CallClass::Ok));
    test.store.complete_effect(&claim.lease, &key(name), result, Vec::new(), call).await.unwrap()
}

async fn fail(test: &TestStore, claim: &Claim, name: &str, failure: EffectFailure) -> Settled {
    let call = call(test, CallClass::Timeout);
    test.store.fail_effect(&claim.lease, &key(name), failure, call).await.unwrap()
}

fn send(body: &str, idempotency_key: &str, ambiguity: Option<Ambiguity>) -> Begun {
    let idempotency_key = format!("key of {idempotency_key}");
    Begun::Send { body: body.into(), idempotency_key, ambiguity, fields: Fields::default() }
}

/// A claimed event.
async fn claimed(test: &TestStore, contact: &str) -> Claim {
    test.update(contact).await;
    test.claim_one().await
}

async fn an_intent_is_sent_again_to_the_byte(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    assert_eq!(begin(test, &claim, "k", create("one", &[])).await, send("one", "one", None));
    assert_eq!(fail(test, &claim, "k", EffectFailure::NotDone).await, Settled::Yes);
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("one", "one", None));
    // The event that comes next wants the same. Nobody said how the second attempt ended, as after a crash.
    test.settle(&claim, Outcome::Done).await;
    let next = claimed(test, "c1").await;
    let begun_at = test.now();
    // The second attempt was never heard of again.
    let unknown = Some(Ambiguity { begun_at, since: begun_at, looks: 0 });
    assert_eq!(begin(test, &next, "k", create("three", &[])).await, send("one", "one", unknown));
    // Another firm's key is another key.
    let lost = begin(test, &claim, "k", create("four", &[])).await;
    assert_eq!(lost, Begun::LeaseLost);
}

async fn a_create_that_was_begun_may_have_been_carried_out_until_its_failure_is_known(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    let begun_at = test.now();
    begin(test, &claim, "k", create("one", &[])).await;
    test.pass(SignedDuration::from_secs(5));
    test.store.note_look(&claim.lease, &key("k")).await.unwrap();
    let looked = Some(Ambiguity { begun_at, since: begun_at, looks: 1 });
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("one", "one", looked));
    // It was looked for and is sent again: from now on that attempt may have been carried out.
    assert_eq!(test.store.send_again(&claim.lease, &key("k")).await.unwrap(), Settled::Yes);
    let since = test.now();
    let sent_again = Some(Ambiguity { begun_at, since, looks: 0 });
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("one", "one", sent_again));
    fail(test, &claim, "k", EffectFailure::NotDone).await;
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("one", "one", None));
    // Who has lost the lease sends nothing again.
    test.store.release("worker").await.unwrap();
    assert_eq!(test.store.send_again(&claim.lease, &key("k")).await.unwrap(), Settled::LeaseLost);
}

async fn an_update_is_sent_as_it_is_now(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    let update = |body| Intent { is_create: false, ..create(body, &[]) };
    assert_eq!(begin(test, &claim, "k", update("one")).await, send("one", "one", None));
    assert_eq!(begin(test, &claim, "k", update("two")).await, send("two", "one", None));
}

async fn what_an_update_said_and_nobody_answered_is_known_to_its_link(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    let fields = |city: &str| Fields::default().with(Field::City, city);
    let base = Base::of_fields(fields("Austin"));
    let link = Link::new(contact("c1"), lead("l1"), System::HighLevel, base);
    test.store.save_links(&claim.lease, vec![LinkChange::Link(link)]).await.unwrap();
    let update = |city: &str| {
        let said = Said { fields: fields(city), between: Some((contact("c1"), lead("l1"))) };
        Intent { is_create: false, said, ..create(city, &[]) }
    };
    let link = async || test.store.links_of(&firm(), &[lead("l1")]).await.unwrap().remove(0);
    begin(test, &claim, "k", update("Dallas")).await;
    test.store.recall(&claim.lease).await.unwrap();
    fail(test, &claim, "k", EffectFailure::NotDone).await;
    // Another event of the person wants the same, and breaks off.
    test.settle(&claim, Outcome::Done).await;
    let next = claimed(test, "c1").await;
    begin(test, &next, "k", update("Houston")).await;
    test.store.recall(&claim.lease).await.unwrap();
    test.store.recall(&next.lease).await.unwrap();
    test.store.recall(&next.lease).await.unwrap();
    let known = link().await;
    let sent = ["Dallas", "Houston"].map(|city| Sent { to: System::HighLevel, fields: fields(city) });
    assert_eq!(known.base.sent, sent);
    assert_eq!((known.revision, known.base.fields), (0, fields("Austin")), "no base has moved");
    // Once both sides agree, nothing is open.
    let (highlevel, casepeer) = (contact("c1"), lead("l1"));
    let agreed = LinkChange::Agree { highlevel, casepeer, base: Base::of_fields(fields("Houston")) };
    let done = test.store.complete_effect(&next.lease, &key("k"), None, vec![agreed], None).await.unwrap();
    assert_eq!(done, Settled::Yes);
    test.store.recall(&next.lease).await.unwrap();
    let known = link().await;
    assert_eq!((known.base.sent, known.base.fields), (Vec::new(), fields("Houston")));
}

async fn what_was_done_is_not_done_again(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    begin(test, &claim, "k", create("one", &[])).await;
    let change = Link::new(contact("c1"), lead("l1"), System::HighLevel, Base::default());
    let links = vec![LinkChange::Link(change)];
    let result = Some(lead("l1"));
    let done = test.store.complete_effect(&claim.lease, &key("k"), result, links, None).await.unwrap();
    assert_eq!(done, Settled::Yes);
    assert_eq!(test.store.links_of(&firm(), &[lead("l1")]).await.unwrap().len(), 1);
    let again = begin(test, &claim, "k", create("two", &[])).await;
    assert_eq!(again, Begun::AlreadyDone(Some(lead("l1"))));
    begin(test, &claim, "without a result", create("one", &[])).await;
    complete(test, &claim, "without a result", None).await;
    begin(test, &claim, "open", create("one", &[])).await;
    let keys = [key("k"), key("without a result"), key("open"), key("other")];
    let done = BTreeSet::from([key("k"), key("without a result")]);
    assert_eq!(test.store.completed(&firm(), &keys).await.unwrap(), done);
    assert!(test.store.completed(&FirmId::new("other"), &keys).await.unwrap().is_empty());
    let (long_ago, far_ahead) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    assert_eq!(test.store.completed_since(&firm(), &keys, long_ago).await.unwrap(), 2);
    assert_eq!(test.store.completed_since(&firm(), &keys, far_ahead).await.unwrap(), 0);
}

async fn what_was_done_is_remembered_although_the_lease_was_lost(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    begin(test, &claim, "k", create("one", &[])).await;
    test.store.release("worker").await.unwrap();
    let change = Link::new(contact("c1"), lead("l1"), System::HighLevel, Base::default());
    let links = vec![LinkChange::Link(change)];
    let result = Some(lead("l1"));
    let done = test.store.complete_effect(&claim.lease, &key("k"), result, links, None).await.unwrap();
    assert_eq!(done, Settled::LeaseLost);
    // Nobody does it again, so nobody else would link it.
    assert_eq!(test.store.links_of(&firm(), &[lead("l1")]).await.unwrap().len(), 1);
    let next = test.claim_one().await;
    let again = begin(test, &next, "k", create("one", &[])).await;
    assert_eq!(again, Begun::AlreadyDone(Some(lead("l1"))));
    // What was found to be done already is no news, and changes no links.
    let change = Link::new(contact("c1"), lead("l2"), System::HighLevel, Base::default());
    let links = vec![LinkChange::Link(change)];
    test.store.complete_effect(&claim.lease, &key("k"), Some(lead("l2")), links, None).await.unwrap();
    assert!(test.store.links_of(&firm(), &[lead("l2")]).await.unwrap().is_empty());
}

async fn what_was_refused_may_be_corrected(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    begin(test, &claim, "k", create("one", &[])).await;
    fail(test, &claim, "k", EffectFailure::Refused).await;
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("two", "two", None));
    // A refusal does not undo what was done.
    complete(test, &claim, "k", None).await;
    fail(test, &claim, "k", EffectFailure::Refused).await;
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, Begun::AlreadyDone(None));
}

async fn what_may_have_been_done_is_looked_for(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    let begun_at = test.now();
    begin(test, &claim, "k", create("one", &[])).await;
    test.pass(SignedDuration::from_secs(30));
    let since = test.now();
    fail(test, &claim, "k", EffectFailure::Unknown).await;
    for looks in 0..3 {
        let ambiguity = Some(Ambiguity { begun_at, since, looks });
        assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("one", "one", ambiguity));
        test.store.note_look(&claim.lease, &key("k")).await.unwrap();
    }
    // A second answer that stays away begins a new search.
    fail(test, &claim, "k", EffectFailure::Unknown).await;
    let ambiguity = Some(Ambiguity { begun_at, since, looks: 0 });
    assert_eq!(begin(test, &claim, "k", create("two", &[])).await, send("one", "one", ambiguity));
}

async fn a_rival_waits_until_the_other_is_done(test: &TestStore) {
    let (one, other) = (claimed(test, "c1").await, claimed(test, "c2").await);
    assert!(matches!(begin(test, &one, "k1", create("one", &[1, 2])).await, Begun::Send { .. }));
    assert_eq!(begin(test, &other, "k2", create("two", &[2, 3])).await, Begun::Rival);
    // Nothing of the rival's was reserved, and nothing written down.
    let third = claimed(test, "c3").await;
    assert!(matches!(begin(test, &third, "k3", create("three", &[3])).await, Begun::Send { .. }));
    // The one that holds them may begin again, and another firm's keys are others.
    assert!(matches!(begin(test, &one, "k1", create("one", &[1, 2])).await, Begun::Send { .. }));
    complete(test, &third, "k3", None).await;
    complete(test, &one, "k1", Some(lead("l1"))).await;
    assert_eq!(begin(test, &other, "k2", create("two", &[2, 3])).await, send("two", "two", None));
}

async fn a_rival_goes_on_when_the_other_is_refused_or_given_up(test: &TestStore) {
    let (one, other) = (claimed(test, "c1").await, claimed(test, "c2").await);
    begin(test, &one, "k1", create("one", &[1])).await;
    for failure in [EffectFailure::NotDone, EffectFailure::Unknown] {
        fail(test, &one, "k1", failure).await;
        assert_eq!(begin(test, &other, "k2", create("two", &[1])).await, Begun::Rival);
    }
    fail(test, &one, "k1", EffectFailure::Refused).await;
    assert!(matches!(begin(test, &other, "k2", create("two", &[1])).await, Begun::Send { .. }));
    assert_eq!(begin(test, &one, "k1", create("one", &[1])).await, Begun::Rival);
    test.settle(&other, Outcome::Undelivered { cause: Cause::Rejected, why: "no".into() }).await;
    assert!(matches!(begin(test, &one, "k1", create("one", &[1])).await, Begun::Send { .. }));
}

async fn calls_are_told_in_order(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    begin(test, &claim, "k", create("one", &[])).await;
    fail(test, &claim, "k", EffectFailure::NotDone).await;
    test.pass(SignedDuration::from_secs(1));
    complete(test, &claim, "k", None).await;
    let story = test.store.event(claim.lease.event).await.unwrap().unwrap();
    let calls: Vec<_> = story.calls.iter().map(|call| (call.class, call.status)).collect();
    assert_eq!(calls, [(CallClass::Timeout, None), (CallClass::Ok, Some(201))]);
    assert_eq!(story.calls[1], call(test, CallClass::Ok));
}

async fn what_we_created_is_ours(test: &TestStore) {
    let claim = claimed(test, "c1").await;
    begin(test, &claim, "k", create("one", &[])).await;
    assert!(!test.store.is_ours(&firm(), &lead("l1")).await.unwrap());
    complete(test, &claim, "k", Some(lead("l1"))).await;
    assert!(test.store.is_ours(&firm(), &lead("l1")).await.unwrap());
    assert!(!test.store.is_ours(&firm(), &lead("l2")).await.unwrap());
    assert!(!test.store.is_ours(&FirmId::new("other"), &lead("l1")).await.unwrap());
}
