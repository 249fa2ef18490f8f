//! Which record is which, and people who turn out to be one.

use casebridge::domain::{Base, EventState, FirmId, Link, Outcome, System};
use casebridge::store::{Claim, LinkChange, Settled};
use jiff::SignedDuration;

use super::{LEASE, TestStore, contact, firm, lead, on_both, retry};
use casebridge::store::Arrival;

on_both!(
    a_link_is_found_from_both_sides,
    a_base_moves_only_on_a_change,
    an_agreement_makes_no_link,
    a_link_unites_two_lanes,
    lanes_whose_heads_are_held_unite_in_order,
    two_heads_that_fail_take_turns_again,
    two_heads_whose_worker_is_gone_take_turns_again,
    links_are_saved_all_or_none,
);

fn link(highlevel: &str, casepeer: &str, base: Base) -> LinkChange {
    LinkChange::Link(Link::new(contact(highlevel), lead(casepeer), System::HighLevel, base))
}

async fn save(test: &TestStore, claim: &Claim, changes: Vec<LinkChange>) {
    assert_eq!(test.store.save_links(&claim.lease, changes).await.unwrap(), Settled::Yes);
}

async fn a_link_is_found_from_both_sides(test: &TestStore) {
    test.update("c1").await;
    let claim = test.claim_one().await;
    save(test, &claim, vec![link("c1", "l1", Base::default())]).await;
    test.pass(SignedDuration::from_secs(1));
    save(test, &claim, vec![link("c1", "l0", Base::of_task(true)), link("c2", "l2", Base::default())]).await;
    let of = async |records: &[_]| -> Vec<(String, String)> {
        let links = test.store.links_of(&firm(), records).await.unwrap();
        links.into_iter().map(|link| (link.highlevel.id, link.casepeer.id)).collect()
    };
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(of(&[contact("c1")]).await, [pair("c1", "l1"), pair("c1", "l0")]);
    assert_eq!(of(&[lead("l0")]).await, [pair("c1", "l0")]);
    assert_eq!(of(&[lead("l1"), contact("c1")]).await, [pair("c1", "l1"), pair("c1", "l0")]);
    assert_eq!(of(&[contact("c3")]).await, []);
    assert!(test.store.links_of(&FirmId::new("other"), &[contact("c1")]).await.unwrap().is_empty());
    let links = test.store.links_of(&firm(), &[lead("l0")]).await.unwrap();
    assert_eq!((links[0].origin, &links[0].base), (System::HighLevel, &Base::of_task(true)));
}

async fn a_base_moves_only_on_a_change(test: &TestStore) {
    test.update("c1").await;
    let claim = test.claim_one().await;
    let agree = |base| LinkChange::Agree { highlevel: contact("c1"), casepeer: lead("l1"), base };
    let steps = [
        (link("c1", "l1", Base::of_task(false)), 0, false),
        (agree(Base::of_task(false)), 0, false),
        (agree(Base::of_task(true)), 1, true),
        (agree(Base::default()), 1, true),
        (link("c1", "l1", Base::of_task(true)), 1, true),
        (link("c1", "l1", Base::of_task(false)), 2, false),
    ];
    for (change, revision, is_completed) in steps {
        save(test, &claim, vec![change]).await;
        let links = test.store.links_of(&firm(), &[contact("c1")]).await.unwrap();
        assert_eq!((links.len(), links[0].revision), (1, revision));
        assert_eq!(links[0].base.is_completed, Some(is_completed));
    }
}

async fn an_agreement_makes_no_link(test: &TestStore) {
    test.update("c1").await;
    let claim = test.claim_one().await;
    let base = Base::of_task(true);
    save(test, &claim, vec![LinkChange::Agree { highlevel: contact("c1"), casepeer: lead("l1"), base }])
        .await;
    assert!(test.store.links_of(&firm(), &[contact("c1")]).await.unwrap().is_empty());
}

/// An update of a lead.
async fn lead_update(test: &TestStore, id: &str) -> casebridge::domain::EventId {
    test.record(Arrival { source: System::CasePeer, records: vec![lead(id)], ..test.arrival("") }).await
}

async fn a_link_unites_two_lanes(test: &TestStore) {
    let first = test.update("c1").await;
    let claim = test.claim_one().await;
    let second = lead_update(test, "l1").await;
    let third = test.update("c1").await;
    let fourth = lead_update(test, "l1").await;
    assert_eq!(
        test.states([first, second, third, fourth]).await,
        [EventState::Running, EventState::Ready, EventState::Waiting, EventState::Waiting]
    );
    save(test, &claim, vec![link("c1", "l1", Base::default())]).await;
    assert!(test.claim().await.is_empty(), "the head of the one lane is still worked on");
    test.settle(&claim, Outcome::Done).await;
    // What comes later about either record joins them.
    let fifth = lead_update(test, "l1").await;
    for event in [second, third, fourth, fifth] {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        test.settle(&claim, Outcome::Done).await;
    }
}

/// Both heads are being worked on when their lanes become one; more waits in each.
async fn united(test: &TestStore) -> ([Claim; 2], [casebridge::domain::EventId; 2]) {
    test.update("c1").await;
    lead_update(test, "l1").await;
    let claims = test.claim().await;
    let waiting = [lead_update(test, "l1").await, test.update("c1").await];
    save(test, &claims[0], vec![link("c1", "l1", Base::default())]).await;
    (claims.try_into().unwrap(), waiting)
}

async fn lanes_whose_heads_are_held_unite_in_order(test: &TestStore) {
    let (heads, waiting) = united(test).await;
    test.settle(&heads[1], Outcome::Done).await;
    assert!(test.claim().await.is_empty(), "the other head is still worked on");
    test.settle(&heads[0], Outcome::Done).await;
    for event in waiting {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        test.settle(&claim, Outcome::Done).await;
    }
}

async fn two_heads_that_fail_take_turns_again(test: &TestStore) {
    let (heads, waiting) = united(test).await;
    for head in [&heads[1], &heads[0]] {
        test.settle(head, retry(SignedDuration::from_secs(5))).await;
    }
    test.pass(SignedDuration::from_secs(5));
    for event in [heads[0].lease.event, heads[1].lease.event, waiting[0], waiting[1]] {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        test.settle(&claim, Outcome::Done).await;
    }
}

async fn two_heads_whose_worker_is_gone_take_turns_again(test: &TestStore) {
    let (heads, _) = united(test).await;
    test.pass(LEASE + SignedDuration::from_secs(1));
    let claim = test.claim_one().await;
    assert_eq!((claim.lease.event, claim.failed_attempts), (heads[0].lease.event, 1));
    test.settle(&claim, Outcome::Done).await;
    assert_eq!(test.claim_one().await.lease.event, heads[1].lease.event);
    // The same where a worker gives them back.
    assert_eq!(test.store.release("worker").await.unwrap(), 1);
    // The second time it broke off: it pauses.
    test.pass(SignedDuration::from_secs(1));
    assert_eq!(test.claim_one().await.lease.event, heads[1].lease.event);
}

async fn links_are_saved_all_or_none(test: &TestStore) {
    test.update("c1").await;
    let lost = test.claim_one().await;
    test.store.release("worker").await.unwrap();
    let changes = vec![link("c1", "l1", Base::default()), link("c2", "l2", Base::default())];
    assert_eq!(test.store.save_links(&lost.lease, changes).await.unwrap(), Settled::LeaseLost);
    assert!(test.store.links_of(&firm(), &[contact("c1"), contact("c2")]).await.unwrap().is_empty());
}
