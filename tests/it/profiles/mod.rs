//! The same scenarios over four profiles of different shape: our published contract, CASEpeer by Zapier, MyCase, and a
//! JSON:API. A scenario says which operations and which webhooks it needs; a profile that lacks one skips it, and what is
//! skipped is asserted, so that nothing goes missing unseen.

mod scenarios;
mod stage;
mod words;

use std::panic::AssertUnwindSafe;

use casebridge::operations::casepeer::Idempotency;
use futures_util::FutureExt;

use self::scenarios::SCENARIOS;
use self::stage::{Shape, Stage};

/// Plays every scenario the profile allows; the names of those it does not.
async fn play(shape: Shape) -> Vec<&'static str> {
    let profile = shape.profile();
    let (mut skipped, mut failed) = (Vec::new(), Vec::new());
    for scenario in SCENARIOS {
        let is_able = scenario.operations.iter().all(|operation| profile.allows(operation))
            && scenario.webhooks.iter().all(|kind| shape.tells_of(kind));
        if is_able {
            eprintln!("{shape:?}: {}", scenario.name);
            let played = AssertUnwindSafe((scenario.play)(Stage::set(shape).await)).catch_unwind().await;
            if played.is_err() {
                failed.push(scenario.name);
            }
        } else {
            skipped.push(scenario.name);
        }
    }
    assert_eq!(failed, Vec::<&str>::new());
    skipped
}

#[tokio::test]
async fn the_scenarios_over_the_published_contract() {
    assert_eq!(play(Shape::Contract).await, Vec::<&str>::new());
}

#[tokio::test]
async fn the_scenarios_over_a_json_api() {
    assert_eq!(play(Shape::JsonApi).await, Vec::<&str>::new());
}

#[tokio::test]
async fn the_scenarios_over_mycase() {
    // MyCase: a lead has no notes, and there is no webhook for tasks and notes.
    assert_eq!(
        play(Shape::MyCase).await,
        [
            "a task is copied and completed in CASEpeer",
            "a note is copied to the lead",
            "a note of CASEpeer's is copied"
        ]
    );
}

#[tokio::test]
async fn the_scenarios_over_zapier() {
    // A Zap takes new leads and tells of statuses; it reads nothing and changes nothing.
    assert_eq!(
        play(Shape::Zapier).await,
        [
            "a changed contact changes its lead",
            "a changed lead changes its contact",
            "a new lead becomes one contact with its tasks",
            "a lead that is there is linked, not doubled",
            "a task is copied and completed in HighLevel",
            "a task is copied and completed in CASEpeer",
            "a note is copied to the lead",
            "a note is copied to the case",
            "a note of CASEpeer's is copied",
            "a case moves its deal and latches its milestone",
            "a changed contact changes its case's client",
        ]
    );
}

/// What keeps a create from happening twice differs between the four, so that the scenario of a lost answer means
/// something.
#[test]
fn the_four_differ_in_what_keeps_a_create_from_happening_twice() {
    let of = |shape: Shape| shape.profile().idempotency("lead.create").clone();
    assert!(matches!(of(Shape::Contract), Idempotency::Header { .. }));
    assert!(matches!(of(Shape::JsonApi), Idempotency::ExternalRefField));
    assert!(matches!(of(Shape::MyCase), Idempotency::FindBeforeCreate { .. }));
    assert!(matches!(of(Shape::Zapier), Idempotency::None));
}
