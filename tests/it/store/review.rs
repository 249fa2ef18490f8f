//! What only a person can decide: asked once, seen with both sides, answered once, and then what waited goes on.

use casebridge::domain::{
    Details, EventState, Field, Fields, FirmId, Outcome, Question, Resolution, ReviewAction, ReviewKind,
    Shown,
};
use casebridge::store::{ReviewFilter, ReviewStory};

use super::{TestStore, contact, firm, lead, on_both, settlement};

on_both!(
    a_question_is_asked_once_at_a_time,
    an_event_waits_for_its_answer_while_the_lane_goes_on,
    an_answer_puts_what_waits_back_in_order,
    a_question_is_answered_once_and_the_answer_is_kept,
    a_question_that_is_not_asked_any_more_is_closed,
    a_handed_off_or_given_up_event_can_be_held_later,
    questions_are_listed_by_firm_and_kind,
    an_answer_is_taken_back_once_and_not_beside_a_new_question,
);

/// Whether this contact is that lead.
fn question(id: &str, first_name: &str) -> Question {
    let ada = Fields::default().with(Field::FirstName, first_name);
    let candidate =
        Shown { score: Some(600), reasons: vec!["same phone".into()], ..Shown::of(&lead("l1"), &ada) };
    Question {
        kind: ReviewKind::AmbiguousMatch,
        subject: contact(id).to_string(),
        why: format!("{} may be {}", contact(id), lead("l1")),
        details: Details {
            highlevel: vec![Shown::of(&contact(id), &ada)],
            casepeer: vec![candidate],
            ..Details::default()
        },
    }
}

fn asks(id: &str) -> Outcome {
    Outcome::InReview { questions: vec![question(id, "Ada")] }
}

async fn open(test: &TestStore) -> Vec<ReviewStory> {
    let rows = test.store.reviews(ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.unwrap();
    let mut stories = Vec::new();
    for row in rows {
        stories.push(test.store.review(row.id).await.unwrap().unwrap());
    }
    stories
}

async fn answer(test: &TestStore, story: &ReviewStory, action: ReviewAction) -> Option<bool> {
    test.store.resolve_review(story.row.id, &Resolution::new(action), "maria").await.unwrap()
}

async fn a_question_is_asked_once_at_a_time(test: &TestStore) {
    let first = test.store.open_review(&firm(), question("c1", "Ada"), None).await.unwrap();
    let again = test.store.open_review(&firm(), question("c1", "Augusta"), None).await.unwrap();
    assert_eq!(first, again);
    let stories = open(test).await;
    assert_eq!(stories.len(), 1);
    assert!(stories[0].details == question("c1", "Augusta").details, "what is shown is what was seen last");
    assert!(stories[0].events.is_empty());
    // Another firm's, and another subject, are questions of their own; so is one that comes up again.
    test.store.open_review(&FirmId::new("other"), question("c1", "Ada"), None).await.unwrap();
    test.store.open_review(&firm(), question("c2", "Ada"), None).await.unwrap();
    assert_eq!(answer(test, &stories[0], ReviewAction::Ignore).await, Some(true));
    let later = test.store.open_review(&firm(), question("c1", "Ada"), None).await.unwrap();
    assert_ne!(first, later);
    assert_eq!(open(test).await.len(), 3);
    assert_eq!(test.store.open_reviews(None).await.unwrap()[&ReviewKind::AmbiguousMatch], 3);
    let elsewhere = test.store.open_reviews(Some(vec![FirmId::new("another")])).await.unwrap();
    assert!(elsewhere.is_empty(), "who sees one firm hears of no other's questions: {elsewhere:?}");
}

async fn an_event_waits_for_its_answer_while_the_lane_goes_on(test: &TestStore) {
    let first = test.update("c1").await;
    let second = test.update("c1").await;
    let claim = test.claim_one().await;
    test.settle(&claim, asks("c1")).await;
    assert_eq!(test.states([first, second]).await, [EventState::InReview, EventState::Ready]);
    let row = test.store.event(first).await.unwrap().unwrap().row;
    assert_eq!(row.reason.as_deref(), Some("highlevel:contact:c1 may be casepeer:lead:l1"));
    // The next one of the lane meets the same question and waits for the same answer.
    let claim = test.claim_one().await;
    test.settle(&claim, asks("c1")).await;
    let stories = open(test).await;
    assert_eq!(stories.len(), 1);
    assert_eq!(stories[0].events, [first, second]);
    assert!(test.claim().await.is_empty());
}

async fn an_answer_puts_what_waits_back_in_order(test: &TestStore) {
    let (first, second) = (test.update("c1").await, test.update("c1").await);
    for _ in 0..2 {
        let claim = test.claim_one().await;
        test.settle(&claim, asks("c1")).await;
    }
    let third = test.update("c1").await;
    let running = test.claim_one().await;
    assert_eq!(running.lease.event, third);
    let story = open(test).await.remove(0);
    assert_eq!(answer(test, &story, ReviewAction::Create).await, Some(true));
    assert_eq!(
        test.states([first, second, third]).await,
        [EventState::Waiting, EventState::Waiting, EventState::Running]
    );
    test.settle(&running, Outcome::Done).await;
    for event in [first, second] {
        let claim = test.claim_one().await;
        assert_eq!((claim.lease.event, claim.failed_attempts), (event, 0));
        test.settle(&claim, Outcome::Done).await;
    }
}

async fn a_question_is_answered_once_and_the_answer_is_kept(test: &TestStore) {
    test.store.open_review(&firm(), question("c1", "Ada"), None).await.unwrap();
    let story = open(test).await.remove(0);
    let resolution = Resolution {
        record: Some(lead("l1")),
        note: Some("she called".into()),
        ..Resolution::new(ReviewAction::Link)
    };
    let resolve = test.store.resolve_review(story.row.id, &resolution, "maria");
    assert_eq!(resolve.await.unwrap(), Some(true));
    assert_eq!(answer(test, &story, ReviewAction::Create).await, Some(false));
    let unknown = casebridge::domain::ReviewId(uuid::Uuid::now_v7());
    assert_eq!(test.store.resolve_review(unknown, &resolution, "maria").await.unwrap(), None);

    let kept = test.store.review(story.row.id).await.unwrap().unwrap();
    assert_eq!(kept.row.action, Some(ReviewAction::Link));
    assert_eq!((kept.row.resolved_by.as_deref(), kept.row.resolved_at), (Some("maria"), Some(test.now())));
    assert!(kept.resolution.as_ref() == Some(&resolution));
    let subjects = [contact("c1").to_string(), contact("c2").to_string()];
    let decisions = test.store.decisions(&firm(), &subjects).await.unwrap();
    assert_eq!(decisions.len(), 1);
    assert!(decisions[0].resolution == resolution && decisions[0].details == kept.details);
    assert!(test.store.decisions(&FirmId::new("other"), &subjects).await.unwrap().is_empty());
    assert!(test.store.decisions(&firm(), &subjects[1..]).await.unwrap().is_empty());
}

async fn a_question_that_is_not_asked_any_more_is_closed(test: &TestStore) {
    let (first, second) = (test.update("c1").await, test.update("c1").await);
    for _ in 0..2 {
        let claim = test.claim_one().await;
        test.settle(&claim, asks("c1")).await;
    }
    // Somebody corrects a record and replays the first: it asks nothing now, so the second goes on, too.
    assert_eq!(test.store.replay(first).await.unwrap(), Some(true));
    let claim = test.claim_one().await;
    test.settle(&claim, Outcome::Done).await;
    assert_eq!(test.states([first, second]).await, [EventState::Done, EventState::Ready]);
    assert!(open(test).await.is_empty());
    let all = ReviewFilter { with_resolved: true, limit: 10, ..ReviewFilter::default() };
    let closed = test.store.reviews(all).await.unwrap().remove(0);
    assert_eq!((closed.action, closed.resolved_at), (None, Some(test.now())));
    let subjects = [contact("c1").to_string()];
    assert!(test.store.decisions(&firm(), &subjects).await.unwrap().is_empty(), "nobody decided anything");
}

async fn a_handed_off_or_given_up_event_can_be_held_later(test: &TestStore) {
    let event = test.update("c1").await;
    let claim = test.claim_one().await;
    // One that is being worked on is left to its turn.
    test.store.open_review(&firm(), question("c1", "Ada"), Some(event)).await.unwrap();
    assert_eq!(test.state(event).await, EventState::Running);
    let failed = Outcome::Undelivered { cause: casebridge::domain::Cause::Rejected, why: "no".into() };
    assert_eq!(
        test.store.settle(&claim.lease, settlement(failed)).await.unwrap(),
        casebridge::store::Settled::Yes
    );
    let id = test.store.open_review(&firm(), question("c1", "Ada"), Some(event)).await.unwrap();
    assert_eq!(test.state(event).await, EventState::InReview);
    let story = test.store.review(id).await.unwrap().unwrap();
    assert_eq!(story.events, [event]);
    answer(test, &story, ReviewAction::Ignore).await;
    assert_eq!(test.claimed().await, [event]);
}

async fn questions_are_listed_by_firm_and_kind(test: &TestStore) {
    let mut ids = Vec::new();
    for number in 0..3 {
        let question = question(&format!("c{number}"), "Ada");
        ids.push(test.store.open_review(&firm(), question, None).await.unwrap());
    }
    let conflict = Question { kind: ReviewKind::Conflict, ..question("c0", "Ada") };
    ids.push(test.store.open_review(&FirmId::new("other"), conflict, None).await.unwrap());
    let list = async |filter: ReviewFilter| -> Vec<_> {
        let rows = test.store.reviews(ReviewFilter { limit: filter.limit.max(2), ..filter }).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    let any = ReviewFilter { limit: 10, ..ReviewFilter::default() };
    assert_eq!(list(any.clone()).await, ids);
    assert_eq!(list(ReviewFilter { firm: Some(firm()), ..any.clone() }).await, ids[..3]);
    assert_eq!(list(ReviewFilter { kind: Some(ReviewKind::Conflict), ..any.clone() }).await, ids[3..]);
    assert_eq!(list(ReviewFilter { limit: 2, after: Some(ids[0]), ..any }).await, ids[1..3]);
}

async fn an_answer_is_taken_back_once_and_not_beside_a_new_question(test: &TestStore) {
    let id = test.store.open_review(&firm(), question("c1", "Ada"), None).await.unwrap();
    let reopen = async || test.store.reopen_review(id).await.unwrap();
    assert_eq!(reopen().await, Some(false), "it is open");
    let story = open(test).await.remove(0);
    assert_eq!(answer(test, &story, ReviewAction::Ignore).await, Some(true));
    let subjects = [story.row.subject.clone()];
    let decisions = async || test.store.decisions(&firm(), &subjects).await.unwrap().len();
    assert_eq!(decisions().await, 1);
    assert_eq!((reopen().await, decisions().await), (Some(true), 0));
    let story = open(test).await.remove(0);
    assert_eq!((story.row.id, story.row.resolved_by), (id, None));
    assert!(story.resolution.is_none());

    let story = open(test).await.remove(0);
    answer(test, &story, ReviewAction::Ignore).await;
    test.store.open_review(&firm(), question("c1", "Ada"), None).await.unwrap();
    assert_eq!(reopen().await, Some(false), "it is asked anew already");
    let nobody = casebridge::domain::ReviewId(uuid::Uuid::nil());
    assert_eq!(test.store.reopen_review(nobody).await.unwrap(), None);
}
