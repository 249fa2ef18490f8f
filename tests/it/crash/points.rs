//! The program dies at each point of each kind of create: afterwards there is one of it, as if nothing had happened.

use super::creates::{Create, live_on, made, undisturbed};
use super::doomed::{Doomed, Point};
use super::gate::Held;
use crate::support::{Gated, TestBridge, WORKER};

/// A worker works until it has come to the point, and is never heard of again.
async fn die_at(bridge: &TestBridge, point: Point, effect: &'static str) {
    let store = Doomed::new(bridge.installation.store.clone(), point, effect);
    let worker = bridge.installation.another_worker(WORKER, store.clone());
    tokio::select! {
        taken = worker.step() => panic!("{taken:?}: the worker never came to {point:?} of {effect}"),
        () = store.reached() => {}
    }
}

async fn assert_one_of_each_after(create: Create, points: &[Point]) {
    let expected = undisturbed(create).await;
    for point in points {
        let bridge = TestBridge::start().await;
        create.cause(&bridge).await;
        die_at(&bridge, *point, create.effect()).await;
        bridge.installation.restart().await;
        live_on(&bridge).await;
        assert_eq!(
            made(&bridge).await,
            expected,
            "{create:?} {point:?}\n{}",
            bridge.installation.tell().await
        );
    }
}

#[tokio::test]
async fn dying_at_any_point_of_a_create_in_casepeer_makes_one() {
    for create in Create::IN_CASEPEER {
        assert_one_of_each_after(create, &Point::ALL).await;
    }
}

#[tokio::test]
async fn dying_at_any_point_of_a_create_in_highlevel_makes_one() {
    for create in Create::IN_HIGHLEVEL {
        assert_one_of_each_after(create, &Point::ALL).await;
    }
}

#[tokio::test]
async fn dying_while_the_request_is_under_way_makes_one() {
    for create in Create::IN_CASEPEER.into_iter().chain(Create::IN_HIGHLEVEL) {
        let expected = undisturbed(create).await;
        for held in [Held::BeforeTheEffect, Held::AfterTheEffect] {
            let Gated { bridge, highlevel, casepeer } = TestBridge::gated().await;
            create.cause(&bridge).await;
            let gate = if create.is_in_casepeer() { casepeer } else { highlevel };
            // Of a new lead, the first request like this is the contact's own.
            gate.hold("POST", create.path(), usize::from(matches!(create, Create::InitialTask)), held);
            let worker = bridge.installation.another_worker(WORKER, bridge.installation.store.clone());
            tokio::select! {
                taken = worker.step() => panic!("{taken:?}: {create:?} was answered"),
                () = gate.holds() => {}
            }
            bridge.installation.restart().await;
            live_on(&bridge).await;
            let told = bridge.installation.tell().await;
            assert_eq!(made(&bridge).await, expected, "{create:?} {held:?}\n{told}");
        }
    }
}
