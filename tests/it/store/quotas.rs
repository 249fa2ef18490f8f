//! What vendors allow is shared by the instances, and remembered.

use casebridge::domain::{Allowance, Announced, FirmId, Priority, System};
use casebridge::store::{CallsAsked, SharedStore, Unspent};
use jiff::SignedDuration;

use super::{TestStore, firm, on_both};

on_both!(
    calls_are_leased_up_to_the_limit_by_whoever_asks,
    quotas_are_apart_by_firm_and_vendor,
    what_was_learned_is_kept_and_forecast,
);

fn ask(wanted: u64) -> CallsAsked {
    CallsAsked {
        priority: Priority::NewLead,
        wanted,
        made: 0,
        assumed: Allowance::HIGHLEVEL,
        announced: Announced::default(),
        closed_for: None,
        unspent: Vec::new(),
    }
}

async fn lease(store: &SharedStore, ask: CallsAsked) -> u64 {
    store.lease_calls(&firm(), System::HighLevel, ask).await.unwrap().calls
}

async fn calls_are_leased_up_to_the_limit_by_whoever_asks(test: &TestStore) {
    let asking = (0..20).map(|_| lease(&test.store, ask(7)));
    let leased: u64 = futures_util::future::join_all(asking).await.into_iter().sum();
    assert_eq!(leased, 100);
    let refused = test.store.lease_calls(&firm(), System::HighLevel, ask(1)).await.unwrap();
    assert_eq!((refused.calls, refused.span), (0, SignedDuration::from_secs(11)));
    let unspent = vec![Unspent { tenth: refused.tenth, calls: 3 }];
    assert_eq!(lease(&test.store, CallsAsked { unspent, ..ask(5) }).await, 3);
    test.pass(SignedDuration::from_secs(11));
    assert_eq!(lease(&test.store, CallsAsked { made: 40, ..ask(0) }).await, 0);
    assert_eq!(lease(&test.store, ask(1_000)).await, 60, "others have made 40");
    // What the vendor announces has them in it.
    let announced = Announced { left_today: Some(199_700), ..Announced::default() };
    assert_eq!(lease(&test.store, CallsAsked { made: 20, announced, ..ask(0) }).await, 0);
    assert_eq!(test.store.quotas().await.unwrap()[0].spent_today, 300);
}

async fn quotas_are_apart_by_firm_and_vendor(test: &TestStore) {
    assert_eq!(lease(&test.store, ask(1_000)).await, 100);
    for (firm, system) in [(firm(), System::CasePeer), (FirmId::new("bell"), System::HighLevel)] {
        assert_eq!(test.store.lease_calls(&firm, system, ask(1_000)).await.unwrap().calls, 100);
    }
    let quotas = test.store.quotas().await.unwrap();
    let whose: Vec<_> = quotas.iter().map(|quota| (quota.firm.as_str(), quota.system)).collect();
    let expected = [("acme", System::CasePeer), ("acme", System::HighLevel), ("bell", System::HighLevel)];
    assert_eq!(whose, expected);
}

async fn what_was_learned_is_kept_and_forecast(test: &TestStore) {
    let announced = Announced { per_interval: Some(500), left_today: Some(199_000), ..Announced::default() };
    assert_eq!(lease(&test.store, CallsAsked { announced, ..ask(1_000) }).await, 500);
    test.pass(SignedDuration::from_secs(11));
    assert_eq!(lease(&test.store, ask(1_000)).await, 500);
    let quota = test.store.quotas().await.unwrap().remove(0);
    assert_eq!((quota.per_interval, quota.per_day, quota.spent_today), (500, Some(200_000), 2_000));
    // 1,000 in what counts as the first minute: the other 198,000 last 198 minutes more, and the day twelve hours.
    assert_eq!(quota.exhausted_at, Some(test.now() + SignedDuration::from_mins(198)));
    test.pass(SignedDuration::from_hours(12));
    let quota = test.store.quotas().await.unwrap().remove(0);
    assert_eq!((quota.spent_today, quota.exhausted_at), (0, None));
}
