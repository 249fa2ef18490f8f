//! Promise G6 and G7: people are edited at random at both vendors, webhooks are lost, doubled, late and out of order,
//! calls fail and the program breaks off; in the end both sides agree, field by field, on what an oracle of the test's
//! own says, with no more writes than it takes.
//!
//! `CASEBRIDGE_SEEDS=100` runs a hundred seeds; `CASEBRIDGE_SEED=7` that one. A seed that failed stays in [`KEPT`].

mod dice;
mod edits;
mod oracle;
mod world;

use casebridge::twin::{Fault, Misbehaviour};
use jiff::SignedDuration;

use self::world::World;
use crate::crash::scale;
use crate::support::{ON_POSTGRES, TestBridge};

const SYNC: &str = r#"
[firms.sync]
hop_budget = 100000
[[firms.sync.initial_tasks]]
case_type = "*"
key = "welcome"
title = "Send the welcome package"
[firms.sync.fields.street]
owner = "manual"
[firms.sync.fields.state]
owner = "casepeer"
[firms.sync.fields.postal_code]
owner = "newest"
[firms.sync.statuses."Intake"]
milestone = "lead_open"
pipeline = "Intake"
stage = "In intake"
[firms.sync.statuses."Treating"]
milestone = "signed"
pipeline = "Intake"
stage = "Signed"
opportunity = "won"
[firms.sync.statuses."Turned down"]
milestone = "rejected"
pipeline = "Intake"
stage = "Closed"
opportunity = "lost"
[firms.sync.notes]
to_highlevel = ["Intake"]
[firms.sync.tasks]
text_to_highlevel = true
"#;

/// Seeds that are played each time. At 106 a value that had arrived unheard won over what was said since.
const KEPT: [u64; 3] = [1, 2, 106];
/// Rounds of edits for each seed, and edits in each.
const ROUNDS: usize = 6;
const EDITS: usize = 120;
/// Writes that an edit may cause.
const WRITES_PER_EDIT: f64 = 1.05;

#[tokio::test]
async fn both_sides_agree_whatever_happens_on_the_way() {
    let chosen = scale("CASEBRIDGE_SEED", 0) as u64;
    let more = scale("CASEBRIDGE_SEEDS", 0) as u64;
    let seeds: Vec<u64> =
        if chosen > 0 { vec![chosen] } else { KEPT.into_iter().chain(100..100 + more).collect() };
    for seed in seeds {
        eprintln!("seed {seed}");
        run(seed, SYNC).await;
    }
}

#[tokio::test]
async fn both_sides_agree_on_postgresql_too() {
    if crate::store::has_postgres() {
        run(KEPT[0], &format!("{ON_POSTGRES}{SYNC}")).await;
    }
}

async fn run(seed: u64, sync: &str) {
    let bridge = TestBridge::with(sync).await;
    let mut world = World::new(bridge, seed);
    for round in 0..ROUNDS {
        for _ in 0..10 {
            world.add();
        }
        world.bridge.highlevel.release_late_webhooks();
        world.bridge.casepeer.release_late_webhooks();
        world.bridge.highlevel.echo_before_response(world.dice.percent(50));
        world.bridge.casepeer.echo_before_response(world.dice.percent(50));
        world.bridge.highlevel.send_bare_tasks(world.dice.percent(50));
        if round % 2 == 0 {
            for _ in 0..EDITS {
                world.change(false);
            }
            let before = world.bridge.writes();
            let needed = world.settle_exactly().await;
            let made = world.bridge.writes() - before;
            assert!(
                made as f64 <= needed as f64 * WRITES_PER_EDIT,
                "seed {seed}: {made} writes for {needed}"
            );
        } else {
            disturbed(&mut world).await;
        }
    }
    // Many are lost, and nothing that comes later tells of them.
    world.lost = 60;
    for _ in 0..EDITS / 4 {
        world.change(false);
    }
    world.late_ones_are_heard();
    world.settle_exactly().await;
    assert!(world.apart() > 0, "seed {seed}: nothing is left for the sweep");
    let before = world.bridge.writes();
    world.bridge.wait(SignedDuration::from_hours(3)).await;
    world.bridge.sweep().await;
    world.all_are_heard();
    let needed = world.settle_exactly().await;
    let made = world.bridge.writes() - before;
    eprintln!("seed {seed}: the sweep made {made} writes for {needed}");
    assert!(made <= needed, "seed {seed}: the sweep made {made} writes for {needed}");
    world.assert_belongings();
    let (made, writes) = (world.made, world.bridge.writes());
    eprintln!("seed {seed}: {made} edits, {writes} writes");
    assert!(writes as f64 <= made as f64 * WRITES_PER_EDIT);
    // Nothing is left to do: another sweep finds both sides in step.
    world.bridge.wait(SignedDuration::from_hours(3)).await;
    let report = world.bridge.sweep().await;
    assert!(report.gaps.is_empty(), "{report:#?}");
    world.bridge.settle().await;
    assert_eq!(world.bridge.writes(), writes);
}

/// Edits while the bridge works, calls that fail, and a program that breaks off in the middle.
async fn disturbed(world: &mut World) {
    for fault in [
        Fault::timeout_after().times(2).every(7),
        Fault::timeout_before().times(2).every(11),
        Fault::status(503).times(2).every(13),
    ] {
        world.bridge.highlevel.fault(fault.clone());
        world.bridge.casepeer.fault(fault);
    }
    let lag = Fault::new(Misbehaviour::SearchLag { seconds: 5 }).on("POST", "/contacts/search").times(50);
    world.bridge.highlevel.fault(lag);
    for _ in 0..6 {
        for _ in 0..EDITS / 6 {
            world.change(true);
        }
        let patience = world.dice.below(4000);
        tokio::select! {
            () = world.bridge.settle() => {}
            () = yields(patience) => world.bridge.installation.restart().await,
        }
    }
    world.settle_roughly().await;
    world.bridge.highlevel.clear_faults();
    world.bridge.casepeer.clear_faults();
}

async fn yields(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}
