use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::*;
use crate::clock::ManualClock;
use crate::crypto::Keyring;
use crate::store::sqlite::SqliteStore;

/// Two instances over one store.
struct Two {
    store: SharedStore,
    manual: Arc<ManualClock>,
    clock: SharedClock,
    meters: [Meter; 2],
    _directory: tempfile::TempDir,
}

impl Two {
    fn new() -> Self {
        let manual = Arc::new(ManualClock::at("2026-11-24T12:00:00Z".parse().unwrap()));
        let clock: SharedClock = manual.clone();
        let directory = tempfile::tempdir().unwrap();
        let keyring = Arc::new(Keyring::new([("k1".to_owned(), Zeroizing::new([7; 32]))]).unwrap());
        let store = SqliteStore::open(&directory.path().join("quota.db"), keyring, clock.clone()).unwrap();
        let meter = || Meter::new(System::HighLevel, Some(Allowance::HIGHLEVEL));
        Self { store: Arc::new(store), manual, clock, meters: [meter(), meter()], _directory: directory }
    }

    async fn spend(&self, instance: usize, priority: Priority) -> Spent {
        let firm = FirmId::new("acme");
        self.meters[instance].spend(&self.store, &self.clock, &firm, priority).await.unwrap()
    }

    /// How many calls both may make until neither may.
    async fn spend_all(&self, priority: Priority) -> usize {
        let calls = AtomicUsize::new(0);
        let one = async |instance| {
            while self.spend(instance, priority).await == Spent::Yes {
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        tokio::join!(one(0), one(1));
        calls.into_inner()
    }
}

#[tokio::test]
async fn two_instances_never_exceed_the_limit_together() {
    let two = Two::new();
    let mut made = Vec::new();
    for _ in 0..240 {
        for instance in [0, 1, 0] {
            // One of them seldom has much to do.
            for _ in 0..if instance == 0 { 3 } else { 1 } {
                if two.spend(instance, Priority::NewLead).await == Spent::Yes {
                    made.push(two.clock.now());
                }
            }
        }
        two.manual.advance(SignedDuration::from_millis(249));
    }
    for (first, begin) in made.iter().enumerate() {
        let end = *begin + SignedDuration::from_secs(10);
        let within = made[first..].iter().take_while(|call| **call < end).count();
        assert!(within <= 100, "{within} calls in the ten seconds from {begin}");
    }
    // Blocks that were not spent whole do not add up: most of what is allowed in a minute is used.
    assert!(made.len() >= 480, "{}", made.len());
}

#[tokio::test]
async fn a_backfill_cannot_starve_a_new_lead() {
    let two = Two::new();
    assert_eq!(two.spend_all(Priority::Backfill).await, 50);
    assert_eq!(two.spend_all(Priority::NoteTask).await, 25);
    assert_eq!(two.spend_all(Priority::Status).await, 10);
    // What was leased for backfill and is left over serves the lead; never the other way round.
    assert_eq!(two.spend_all(Priority::NewLead).await, 15);
    assert_eq!(two.spend(0, Priority::NewLead).await, Spent::Wait(SignedDuration::from_secs(11)));
    assert!(two.meters[0].is_used_up(two.clock.now()));
    two.manual.advance(SignedDuration::from_secs(11));
    assert!(!two.meters[0].is_used_up(two.clock.now()));
    assert_eq!(two.spend(0, Priority::NewLead).await, Spent::Yes);
    assert_eq!(two.spend_all(Priority::Backfill).await, 49, "the lead's block is nobody else's");
}

#[tokio::test]
async fn a_backfill_leaves_half_the_day_to_what_happens_now() {
    let two = Two::new();
    let announced = Announced {
        per_interval: Some(1_000_000),
        per_day: Some(1_000),
        left_today: Some(1_000),
        ..Announced::default()
    };
    two.meters[0].heard(announced, two.clock.now());
    assert_eq!(two.spend(0, Priority::Backfill).await, Spent::Yes);
    assert_eq!(two.spend_all(Priority::Backfill).await, 499);
    assert!(
        matches!(two.spend(1, Priority::Backfill).await, Spent::Wait(wait) if wait == SignedDuration::from_hours(12))
    );
    assert_eq!(two.spend_all(Priority::NewLead).await, 500);
}

#[tokio::test]
async fn the_store_is_asked_once_a_block_and_blocks_grow_with_the_limit() {
    let two = Two::new();
    let announced = Announced { per_interval: Some(1_000_000_000), ..Announced::default() };
    two.meters[0].heard(announced, two.clock.now());
    for _ in 0..10_000 {
        assert_eq!(two.spend(0, Priority::Status).await, Spent::Yes);
    }
    assert_eq!(two.meters[0].state().asks.1, 1);
}

#[tokio::test]
async fn a_429_closes_the_quota_for_all_instances_as_long_as_the_vendor_says() {
    let two = Two::new();
    assert_eq!(two.spend(0, Priority::NewLead).await, Spent::Yes);
    let firm = FirmId::new("acme");
    let wait = SignedDuration::from_secs(30);
    let told = two.meters[0].refused(&two.store, &two.clock, &firm, Some(wait), Announced::default());
    told.await.unwrap();
    for instance in [0, 1] {
        assert_eq!(two.spend(instance, Priority::NewLead).await, Spent::Wait(wait));
    }
    two.manual.advance(wait);
    assert_eq!(two.spend(1, Priority::NewLead).await, Spent::Yes);
}

#[tokio::test]
async fn a_vendor_that_speaks_of_no_limit_is_called_without_asking() {
    let two = Two::new();
    let meter = Meter::new(System::CasePeer, None);
    let firm = FirmId::new("acme");
    for _ in 0..1_000 {
        let spent = meter.spend(&two.store, &two.clock, &firm, Priority::Backfill).await.unwrap();
        assert_eq!(spent, Spent::Yes);
    }
    assert!(two.store.quotas().await.unwrap().is_empty());
}

#[tokio::test]
async fn calls_that_were_made_on_the_way_are_paid_by_whoever_calls_next() {
    let two = Two::new();
    assert_eq!(two.spend(0, Priority::NewLead).await, Spent::Yes);
    // A list had 31 more pages, and its token was refused once.
    two.meters[0].owe(32);
    let mut rest = 0;
    loop {
        match two.spend(0, Priority::NewLead).await {
            Spent::Yes => rest += 1,
            // The debt was larger than what is leased at once.
            Spent::Wait(SignedDuration::ZERO) => {}
            Spent::Wait(_) => break,
        }
    }
    assert_eq!(1 + 32 + rest, 100, "HighLevel allows a hundred in ten seconds");
}
