//! `kill -9` at random moments under load: nothing that was acknowledged is lost, nothing is done twice.

use rustix::process::Signal;

use super::load::World;
use super::{Chance, PATIENCE, eventually, scale};

/// New contacts and new leads of a round.
const PEOPLE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_under_load_loses_nothing_and_doubles_nothing() {
    let mut chance = Chance::new("killed at random moments");
    let rounds = scale("CASEBRIDGE_ROUNDS", 5);
    let mut world = World::start(5).await;
    for round in 0..rounds {
        let before = world.acknowledged();
        world.work(PEOPLE);
        world.send_again();
        // Each of them is told by four webhooks at least; the moment lies somewhere within.
        let moment = 1 + usize::try_from(chance.below(8 * PEOPLE as u64)).unwrap();
        let look = async || (world.acknowledged() >= before + moment).then_some(());
        eventually("the load is under way", PATIENCE, look).await;
        world.child.kill();
        eprintln!("round {round}: killed after {moment} acknowledgements");
        world.child.start_again().await;
    }
    assert_eq!(world.wrong_answers(), [0_u16; 0], "{}", world.child.log());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_and_thawed_under_load_loses_nothing_and_doubles_nothing() {
    let mut world = World::start(5).await;
    world.work(PEOPLE);
    let look = async || (world.acknowledged() >= PEOPLE).then_some(());
    eventually("the load is under way", PATIENCE, look).await;
    world.child.signal(Signal::STOP);
    // What comes meanwhile is taken by the system and waits.
    world.work(PEOPLE);
    world.child.signal(Signal::CONT);
    let look = async || (world.acknowledged() >= 4 * PEOPLE).then_some(());
    eventually("it goes on", PATIENCE, look).await;
    world.finish().await;
}
