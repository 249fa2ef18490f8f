//! Rules have versions, runs are pinned to one, and writes are counted once for all instances.

use casebridge::domain::FirmId;
use casebridge::store::{RuleRun, RuleSaved, Settled};
use jiff::SignedDuration;

use super::{TestStore, firm, on_both};

on_both!(
    a_version_follows_the_one_it_was_made_from,
    a_run_stays_with_the_version_it_began_with,
    the_last_runs_of_a_rule_are_listed_newest_first,
    writes_are_counted_by_the_hour_and_by_firm,
);

async fn a_version_follows_the_one_it_was_made_from(test: &TestStore) {
    let store = &test.store;
    let save = async |json: &str, from| store.save_rule("a", json, from, "maria").await.unwrap();
    let mut changes = store.rules_changed().await.unwrap();
    let mut has_grown = async || {
        let now = store.rules_changed().await.unwrap();
        std::mem::replace(&mut changes, now) < now
    };
    assert_eq!(save("{1}", None).await, RuleSaved::As(1));
    assert!(has_grown().await);
    assert_eq!(save("{2}", None).await, RuleSaved::Changed, "it is there already");
    assert_eq!(save("{1}", Some(1)).await, RuleSaved::Same(1));
    assert!(!has_grown().await);
    assert_eq!(save("{2}", Some(1)).await, RuleSaved::As(2));
    assert_eq!(save("{3}", Some(1)).await, RuleSaved::Changed, "somebody was faster");
    let rule = store.rules().await.unwrap().remove(0);
    assert_eq!(
        (rule.version, rule.is_on, rule.json.as_str(), rule.saved_by.as_str()),
        (2, false, "{2}", "maria")
    );
    assert!(store.switch_rule("a", true).await.unwrap());
    assert_eq!(save("{4}", Some(2)).await, RuleSaved::As(3));
    assert!(store.rules().await.unwrap()[0].is_on, "a new version stays on");
    assert!(has_grown().await);
    assert!(store.remove_rule("a").await.unwrap());
    assert!(has_grown().await);
    assert!(store.rules().await.unwrap().is_empty());
    assert!(!store.switch_rule("a", true).await.unwrap() && !store.remove_rule("a").await.unwrap());
    assert_eq!(save("{5}", Some(3)).await, RuleSaved::Changed, "it is gone");
    assert_eq!(store.rule_version("a", 1).await.unwrap().as_deref(), Some("{1}"), "for what began by it");
    assert_eq!(save("{6}", None).await, RuleSaved::As(4), "a version is never used twice");
    assert!(!store.rules().await.unwrap()[0].is_on);
    let versions: Vec<u32> = store.rule_versions("a").await.unwrap().iter().map(|one| one.version).collect();
    assert_eq!(versions, [4, 3, 2, 1]);
}

async fn a_run_stays_with_the_version_it_began_with(test: &TestStore) {
    let store = &test.store;
    test.update("c").await;
    let claim = test.claim_one().await;
    let run = |version| RuleRun { rule: "a".into(), version, subject: "highlevel:contact:c".into() };
    assert_eq!(store.begin_runs(&claim.lease, vec![run(1)]).await.unwrap(), Settled::Yes);
    assert_eq!(store.begin_runs(&claim.lease, vec![run(2)]).await.unwrap(), Settled::Yes);
    assert_eq!(store.runs_of(claim.lease.event).await.unwrap(), [run(1)]);
    let since = test.now() - SignedDuration::from_hours(1);
    let count =
        async |firm: &FirmId, rule, subject| store.count_runs(firm, rule, subject, since).await.unwrap();
    assert_eq!(count(&firm(), "a", "highlevel:contact:c").await, 1);
    for (firm, rule, subject) in [
        (FirmId::new("bell"), "a", "highlevel:contact:c"),
        (firm(), "b", "highlevel:contact:c"),
        (firm(), "a", "x"),
    ] {
        assert_eq!(count(&firm, rule, subject).await, 0);
    }
    let mut lost = claim.lease.clone();
    lost.claim += 1;
    assert_eq!(store.begin_runs(&lost, vec![run(3)]).await.unwrap(), Settled::LeaseLost);
}

async fn the_last_runs_of_a_rule_are_listed_newest_first(test: &TestStore) {
    let store = &test.store;
    let mut events = Vec::new();
    for id in ["c1", "c2", "c3"] {
        test.update(id).await;
        let claim = test.claim_one().await;
        let run = |rule: &str| RuleRun { rule: rule.into(), version: 2, subject: String::new() };
        store.begin_runs(&claim.lease, vec![run("a"), run("b")]).await.unwrap();
        events.insert(0, claim.lease.event);
        test.pass(SignedDuration::from_secs(1));
    }
    let last = async |within: Option<&[FirmId]>, most| {
        let runs = store.last_runs("a", within, most).await.unwrap();
        assert!(runs.iter().all(|run| run.version == 2 && run.firm == firm()));
        runs.into_iter().map(|run| run.event).collect::<Vec<_>>()
    };
    assert_eq!(last(None, 2).await, events[..2]);
    assert_eq!(last(Some(&[FirmId::new("bell"), firm()]), 10).await, events);
    assert!(last(Some(&[FirmId::new("bell")]), 10).await.is_empty());
}

async fn writes_are_counted_by_the_hour_and_by_firm(test: &TestStore) {
    let hour = SignedDuration::from_hours(1);
    let spend =
        async |firm: &FirmId, rule| test.store.spend_write(firm, rule, 3, test.now() - hour).await.unwrap();
    let acme = firm();
    let together = futures_util::future::join_all((0..10).map(|_| spend(&acme, "a"))).await;
    assert_eq!(together.iter().filter(|spent| **spent).count(), 3);
    assert!(spend(&FirmId::new("bell"), "a").await && spend(&acme, "b").await);
    test.pass(hour + SignedDuration::from_secs(1));
    assert!(spend(&acme, "a").await);
    test.pass(SignedDuration::from_secs(1));
    assert!(
        test.store.spend_write(&acme, "a", 1, test.now()).await.unwrap(),
        "a person said that it may go on"
    );
    assert!(!test.store.spend_write(&acme, "a", 1, test.now() - hour).await.unwrap());
}
