//! The same scenarios over four profiles of different shape: our published contract, CASEpeer by Zapier, MyCase, and a
//! JSON:API. A scenario says which operations and which webhooks it needs, and a profile's file which it has: what it
//! cannot play follows from the two, and is asserted, so that nothing goes missing unseen.

mod poll;
mod scenarios;
mod stage;
mod verbs;
mod words;

use std::panic::AssertUnwindSafe;

use casebridge::operations::casepeer::{Idempotency, Profile};
use futures_util::FutureExt;

use self::scenarios::{SCENARIOS, Scenario};
use self::stage::{Shape, Stage};

/// Whether a profile has what a scenario needs. A record need not be read whose webhook tells enough of it.
fn can_play(profile: &Profile, scenario: &Scenario) -> bool {
    let events = profile.events();
    let is_told = |operation: &str| {
        let read = operation.strip_suffix(".get").filter(|kind| scenario.webhooks.contains(kind));
        read.is_some_and(|kind| events.stands_in_for_reading(kind))
    };
    scenario.operations.iter().all(|operation| profile.allows(operation) || is_told(operation))
        && scenario.webhooks.iter().all(|kind| events.tells_of(kind))
}

/// Plays every scenario the profile allows; the names of those it does not.
async fn play(shape: Shape) -> Vec<&'static str> {
    let profile = shape.profile();
    let (mut skipped, mut failed) = (Vec::new(), Vec::new());
    for scenario in SCENARIOS {
        if can_play(&profile, scenario) {
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
    // A lead has no notes, and there is no webhook for tasks and notes.
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
    // Zaps take new leads and tell of leads and cases; nothing is read, nothing changed, no task or note told.
    assert_eq!(
        play(Shape::Zapier).await,
        [
            "a changed contact changes its lead",
            "a lead that is there is linked, not doubled",
            "a task is copied and completed in HighLevel",
            "a task is copied and completed in CASEpeer",
            "a note is copied to the lead",
            "a note is copied to the case",
            "a note of CASEpeer's is copied",
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
