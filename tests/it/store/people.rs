//! Two people are one, and one is two: their pending events keep their order and go where their records go.

use casebridge::domain::{
    Base, EventId, EventState, Field, Fields, FirmId, Link, Matched, Outcome, PersonId, RecordRef, System,
};
use casebridge::store::{Arrival, CannotSplit, LinkChange, PeopleFilter, Settled, person_key};

use super::databases::keyring;
use super::{TestStore, contact, firm, lead, on_both, settlement};

on_both!(
    merged_people_share_one_lane_in_order,
    people_of_two_firms_stay_two,
    a_persons_story_has_its_records_links_and_events,
    a_split_sends_waiting_events_where_their_records_go,
    an_event_that_runs_during_a_split_starts_over,
    a_split_ends_links_and_matching_is_told,
    a_split_needs_somebody_who_stays,
    a_merge_after_a_split_is_one_lane_again,
    a_link_by_hand_answers_what_was_asked,
    people_are_listed_and_found_by_what_their_contact_has,
    a_link_by_hand_revives_a_tombstone,
);

async fn lead_update(test: &TestStore, id: &str) -> EventId {
    test.record(Arrival { source: System::CasePeer, records: vec![lead(id)], ..test.arrival("") }).await
}

async fn person(test: &TestStore, record: RecordRef) -> PersonId {
    test.store.person_of(&firm(), &record).await.unwrap().unwrap()
}

/// The contact c1 and the lead l1 are one person; settles what it takes.
async fn united(test: &TestStore) {
    test.update("c1").await;
    lead_update(test, "l1").await;
    let claims = test.claim().await;
    let matched = Matched { score: 995, reasons: vec!["same e-mail (+7)".into()] };
    let base = Base::default().with_match(matched);
    let link = LinkChange::Link(Link::new(contact("c1"), lead("l1"), System::CasePeer, base));
    assert_eq!(test.store.save_links(&claims[0].lease, vec![link]).await.unwrap(), Settled::Yes);
    for claim in &claims {
        test.settle(claim, Outcome::Done).await;
    }
}

async fn split(test: &TestStore, records: &[RecordRef]) -> casebridge::store::Split {
    test.store.split_person(&firm(), records, "maria").await.unwrap().unwrap()
}

async fn merged_people_share_one_lane_in_order(test: &TestStore) {
    let events = [test.update("c1").await, lead_update(test, "l1").await, test.update("c1").await];
    let (one, other) = (person(test, contact("c1")).await, person(test, lead("l1")).await);
    assert_ne!(one, other);
    assert_eq!(test.store.merge_people(other, one).await.unwrap(), Some(one));
    // Once more, by either number: they are one already.
    assert_eq!(test.store.merge_people(one, other).await.unwrap(), Some(one));
    for event in events {
        let claim = test.claim_one().await;
        assert_eq!(claim.lease.event, event);
        test.settle(&claim, Outcome::Done).await;
    }
    let story = test.store.person(other).await.unwrap().unwrap();
    assert_eq!((story.id, story.merged), (one, vec![other]));
    assert_eq!(story.events.len(), 3);
}

async fn people_of_two_firms_stay_two(test: &TestStore) {
    test.update("c1").await;
    test.record(Arrival { firm: FirmId::new("other"), ..test.arrival("c1") }).await;
    let here = person(test, contact("c1")).await;
    let there = test.store.person_of(&FirmId::new("other"), &contact("c1")).await.unwrap().unwrap();
    assert_eq!(test.store.merge_people(here, there).await.unwrap(), None);
    assert_eq!(test.store.merge_people(here, PersonId(999)).await.unwrap(), None);
    assert!(test.store.person(PersonId(999)).await.unwrap().is_none());
    assert_eq!(test.claim().await.len(), 2);
}

async fn a_persons_story_has_its_records_links_and_events(test: &TestStore) {
    united(test).await;
    let event = test.update("c1").await;
    let story = test.store.person(person(test, lead("l1")).await).await.unwrap().unwrap();
    assert_eq!(story.records, ["casepeer:lead:l1", "highlevel:contact:c1"]);
    assert_eq!(story.links.len(), 1);
    let matched = story.links[0].base.matched.as_ref().unwrap();
    assert_eq!((matched.score, story.links[0].origin.as_str()), (995, "casepeer"));
    assert_eq!(story.events.len(), 3);
    assert_eq!(story.events[2].row.id, event, "the oldest first");
}

async fn a_split_sends_waiting_events_where_their_records_go(test: &TestStore) {
    united(test).await;
    let [a, b, c, d] = [
        test.update("c1").await,
        lead_update(test, "l1").await,
        test.update("c1").await,
        lead_update(test, "l1").await,
    ];
    assert_eq!(test.states([a, b, c, d]).await[1..], [EventState::Waiting; 3]);
    let parted = split(test, &[lead("l1")]).await;
    assert_eq!((parted.events, parted.links, parted.records.len()), (2, 1, 1));
    assert_eq!(person(test, contact("c1")).await, parted.from);
    assert_eq!(person(test, lead("l1")).await, parted.to);
    // Two lanes, each in order of receipt, neither waiting for the other.
    let heads = test.claim().await;
    assert_eq!(heads.iter().map(|claim| claim.lease.event).collect::<Vec<_>>(), [a, b]);
    test.settle(&heads[1], Outcome::Done).await;
    assert_eq!(test.claimed().await, [d]);
    test.settle(&heads[0], Outcome::Done).await;
    assert_eq!(test.claimed().await, [c]);
    // What comes later about either finds its own.
    let later = lead_update(test, "l1").await;
    assert_eq!(test.state(later).await, EventState::Waiting);
    let story = test.store.person(parted.to).await.unwrap().unwrap();
    assert_eq!(story.events.len(), 4, "its past went with it");
}

async fn an_event_that_runs_during_a_split_starts_over(test: &TestStore) {
    united(test).await;
    let (a, b) = (test.update("c1").await, lead_update(test, "l1").await);
    let running = test.claim_one().await;
    assert_eq!(running.lease.event, a);
    split(test, &[lead("l1")]).await;
    // What it was going to do was decided about one person: nothing of it is written any more.
    let link = LinkChange::Link(Link::new(contact("c1"), lead("l1"), System::CasePeer, Base::default()));
    assert_eq!(test.store.save_links(&running.lease, vec![link]).await.unwrap(), Settled::LeaseLost);
    let late = test.store.settle(&running.lease, settlement(Outcome::Done)).await.unwrap();
    assert_eq!(late, Settled::LeaseLost);
    let heads = test.claim().await;
    assert_eq!(heads.iter().map(|claim| claim.lease.event).collect::<Vec<_>>(), [a, b]);
    assert!(heads.iter().all(|claim| claim.failed_attempts == 0), "it was no failure of theirs");
    for head in &heads {
        test.settle(head, Outcome::Done).await;
    }
    assert!(test.store.links_of(&firm(), &[contact("c1")]).await.unwrap().is_empty());
}

async fn a_split_ends_links_and_matching_is_told(test: &TestStore) {
    united(test).await;
    split(test, &[contact("c1")]).await;
    assert!(test.store.links_of(&firm(), &[contact("c1"), lead("l1")]).await.unwrap().is_empty());
    for (record, other) in [(contact("c1"), lead("l1")), (lead("l1"), contact("c1"))] {
        let decisions = test.store.decisions(&firm(), &[record.to_string()]).await.unwrap();
        let shown = decisions[0].details.on(other.system);
        assert_eq!((decisions.len(), &shown[0].record), (1, &other));
        assert_eq!(decisions[0].resolution.action, casebridge::domain::ReviewAction::Create);
    }
}

async fn a_split_needs_somebody_who_stays(test: &TestStore) {
    united(test).await;
    test.update("c2").await;
    let try_split = async |records: &[RecordRef]| {
        test.store.split_person(&firm(), records, "maria").await.unwrap().unwrap_err()
    };
    assert_eq!(try_split(&[contact("c1"), lead("l1")]).await, CannotSplit::Nothing);
    assert_eq!(try_split(&[contact("c1"), contact("c2")]).await, CannotSplit::Several);
    assert_eq!(try_split(&[contact("c9")]).await, CannotSplit::Unknown(contact("c9")));
    assert_eq!(test.store.links_of(&firm(), &[contact("c1")]).await.unwrap().len(), 1);
}

async fn a_merge_after_a_split_is_one_lane_again(test: &TestStore) {
    united(test).await;
    let (a, b) = (test.update("c1").await, lead_update(test, "l1").await);
    let parted = split(test, &[lead("l1")]).await;
    assert_eq!(test.store.merge_people(parted.from, parted.to).await.unwrap(), Some(parted.from));
    assert_eq!(test.states([a, b]).await, [EventState::Ready, EventState::Waiting]);
}

async fn a_link_by_hand_answers_what_was_asked(test: &TestStore) {
    let event = test.update("c1").await;
    let claim = test.claim_one().await;
    let question = casebridge::domain::Question {
        kind: casebridge::domain::ReviewKind::AmbiguousMatch,
        subject: contact("c1").to_string(),
        why: "it may be somebody".into(),
        details: casebridge::domain::Details::default(),
    };
    test.settle(&claim, Outcome::InReview { questions: vec![question] }).await;
    let link = Link::new(contact("c1"), lead("l1"), System::CasePeer, Base::default());
    test.store.link_records(&firm(), link).await.unwrap();
    assert_eq!(test.claimed().await, [event]);
    assert_eq!(person(test, contact("c1")).await, person(test, lead("l1")).await);
    assert!(test.store.open_reviews(None).await.unwrap().is_empty());
}

async fn people_are_listed_and_found_by_what_their_contact_has(test: &TestStore) {
    united(test).await;
    test.update("c2").await;
    let all = test.store.people(PeopleFilter { limit: 10, ..PeopleFilter::default() }).await.unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0].records, ["casepeer:lead:l1", "highlevel:contact:c1"]);
    let next = PeopleFilter { after: Some(all[0].id), limit: 10, ..PeopleFilter::default() };
    assert_eq!(test.store.people(next).await.unwrap(), all[1..]);
    let by = async |key, firm: Option<FirmId>| {
        let filter = PeopleFilter { firm, key: Some(key), after: None, limit: 10 };
        test.store.people(filter).await.unwrap()
    };
    let key = |email: &str| person_key(&keyring(), Field::Email, email).unwrap();
    assert!(by(key("ada@example.com"), None).await.is_empty());
    let claim = test.claim_one().await;
    for email in ["ada@example.com", "ada@example.org"] {
        let base = Base::of_fields(Fields::default().with(Field::Email, email));
        let agree = LinkChange::Agree { highlevel: contact("c1"), casepeer: lead("l1"), base };
        assert_eq!(test.store.save_links(&claim.lease, vec![agree]).await.unwrap(), Settled::Yes);
    }
    for email in ["ada@example.com", "ada@example.org"] {
        assert_eq!(by(key(email), None).await, all[..1], "by what it has and what it had");
    }
    assert!(by(key("ada@example.com"), Some(FirmId::new("other"))).await.is_empty());
    let records = test.store.records_with(&firm(), &lead("l1")).await.unwrap();
    assert_eq!(records, [lead("l1"), contact("c1")]);
    assert!(test.store.records_with(&firm(), &lead("nobody")).await.unwrap().is_empty());
}

async fn a_link_by_hand_revives_a_tombstone(test: &TestStore) {
    united(test).await;
    test.update("c1").await;
    let claim = test.claim_one().await;
    let gone = Base { is_deleted: true, ..Base::default() };
    let agree = LinkChange::Agree { highlevel: contact("c1"), casepeer: lead("l1"), base: gone };
    assert_eq!(test.store.save_links(&claim.lease, vec![agree]).await.unwrap(), Settled::Yes);
    let is_live = async || test.store.links_of(&firm(), &[contact("c1")]).await.unwrap()[0].is_live();
    assert!(!is_live().await);
    let link = Link::new(contact("c1"), lead("l1"), System::CasePeer, Base::default());
    test.store.link_records(&firm(), link).await.unwrap();
    assert!(is_live().await);
}
