//! Stopping under load: the balancer is told first, and nobody is turned away before it could look elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::load::World;
use super::{PATIENCE, eventually};

const DRAIN: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_refuses_nobody_before_the_drain_is_over_and_loses_nothing() {
    let mut world = World::start(DRAIN.as_secs()).await;
    let (has_ended, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (url, sender) = (world.child.url.clone(), world.sender.clone());
            let (has_ended, answers) = (has_ended.clone(), answers.clone());
            // A connection each, as from a balancer that keeps none.
            let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
            tokio::spawn(async move {
                while !has_ended.load(Ordering::SeqCst) {
                    // From when on nobody listens.
                    let Some(answer) = sender.send(&http, &url, 0).await else { break };
                    let status = answer.status().as_u16();
                    assert!(matches!(status, 200 | 202 | 429), "answered {status}");
                    answers.fetch_add(1, Ordering::SeqCst);
                }
                Instant::now()
            })
        })
        .collect();
    world.work(6);
    let look = async || (answers.load(Ordering::SeqCst) > 20).then_some(());
    eventually("the load is under way", PATIENCE, look).await;

    let asked = Instant::now();
    world.child.signal(Signal::TERM);
    let look = async || (world.child.readiness().await == Some(503)).then_some(());
    eventually("it says that it is draining", DRAIN, look).await;
    let before = answers.load(Ordering::SeqCst);
    let status = world.child.ended().await;
    has_ended.store(true, Ordering::SeqCst);
    assert_eq!(status.code(), Some(0), "{}", world.child.log());
    assert!(answers.load(Ordering::SeqCst) > before, "webhooks are taken while it drains");
    for sender in senders {
        let refused = sender.await.unwrap();
        let after = refused.duration_since(asked);
        assert!(after >= DRAIN, "a connection was refused {after:?} after the stop was asked for");
    }
    assert_eq!(world.wrong_answers(), [0_u16; 0], "{}", world.child.log());
    world.child.start_again().await;
    world.finish().await;
}
