//! An alert is opened once, told once by each channel, and ended once, whoever looks.

use casebridge::domain::{FirmId, Outcome};
use casebridge::store::{Arrival, Notice, Raised};
use jiff::SignedDuration;

use super::{TestStore, contact, firm, on_both};

on_both!(
    an_alert_is_opened_once_and_its_words_stay_up_to_date,
    each_channel_is_told_once_and_a_lost_teller_is_replaced,
    who_was_told_is_told_that_it_is_over_and_nobody_else,
    quiet_hours_put_a_notice_off,
    two_lookers_open_one_alert,
    the_backlog_is_told_by_firm_sender_and_kind,
    a_probe_is_forgotten_and_nothing_else,
);

const LEASE: SignedDuration = SignedDuration::from_mins(3);
const BOTH: [&str; 2] = ["email:0", "slack"];

fn raised(message: &str) -> Raised {
    Raised { key: "credential:acme:casepeer".into(), firm: firm(), message: message.into(), is_urgent: true }
}

async fn raise(test: &TestStore, message: &str) -> bool {
    test.store.raise(&raised(message), &BOTH, test.now()).await.unwrap()
}

async fn take(test: &TestStore, owner: &str) -> Vec<Notice> {
    test.store.take_notices(owner, LEASE, 10).await.unwrap()
}

async fn an_alert_is_opened_once_and_its_words_stay_up_to_date(test: &TestStore) {
    assert!(raise(test, "1 new lead has not reached CASEpeer").await);
    test.pass(SignedDuration::from_mins(1));
    assert!(!raise(test, "2 new leads have not reached CASEpeer").await);
    let open = test.store.open_alerts().await.unwrap();
    assert_eq!((open.len(), open[0].message.as_str()), (1, "2 new leads have not reached CASEpeer"));
    assert_eq!(open[0].seen_at.duration_since(open[0].opened_at), SignedDuration::from_mins(1));
    assert!(test.store.end_alert(open[0].id, test.now()).await.unwrap());
    assert!(!test.store.end_alert(open[0].id, test.now()).await.unwrap());
    assert!(raise(test, "again").await, "it may come back");
}

async fn each_channel_is_told_once_and_a_lost_teller_is_replaced(test: &TestStore) {
    raise(test, "x").await;
    let taken = take(test, "one").await;
    assert_eq!(taken.iter().map(|notice| notice.channel.as_str()).collect::<Vec<_>>(), BOTH);
    assert!(take(test, "two").await.is_empty(), "another is telling them");
    test.store.told(&taken[0]).await.unwrap();
    // The teller of the second is gone.
    test.pass(LEASE + SignedDuration::from_secs(1));
    let again = take(test, "two").await;
    assert_eq!((again.len(), again[0].channel.as_str(), again[0].attempts), (1, "slack", 0));
    test.store.tell_later(&again[0], SignedDuration::from_mins(1)).await.unwrap();
    assert!(take(test, "two").await.is_empty());
    test.pass(SignedDuration::from_mins(1));
    let again = take(test, "two").await;
    assert_eq!(again[0].attempts, 1);
    test.store.told(&again[0]).await.unwrap();
    test.pass(SignedDuration::from_hours(24));
    assert!(take(test, "two").await.is_empty());
}

async fn who_was_told_is_told_that_it_is_over_and_nobody_else(test: &TestStore) {
    raise(test, "x").await;
    let taken = take(test, "one").await;
    test.store.told(&taken[0]).await.unwrap();
    test.store.tell_later(&taken[1], SignedDuration::from_hours(1)).await.unwrap();
    let id = test.store.open_alerts().await.unwrap()[0].id;
    test.store.end_alert(id, test.now()).await.unwrap();
    test.pass(SignedDuration::from_hours(2));
    let over = take(test, "one").await;
    assert_eq!(over.len(), 1);
    assert_eq!((over[0].channel.as_str(), over[0].is_end), ("email:0", true));
    assert!(over[0].alert.ended_at.is_some());
}

async fn quiet_hours_put_a_notice_off(test: &TestStore) {
    let morning = test.now() + SignedDuration::from_hours(8);
    test.store.raise(&raised("x"), &["slack"], morning).await.unwrap();
    assert!(take(test, "one").await.is_empty());
    test.pass(SignedDuration::from_hours(8));
    assert_eq!(take(test, "one").await.len(), 1);
}

async fn two_lookers_open_one_alert(test: &TestStore) {
    let raised = raised("x");
    let looks = (0..8).map(|_| test.store.raise(&raised, &BOTH, test.now()));
    let opened = futures_util::future::join_all(looks).await;
    assert_eq!(opened.into_iter().filter(|opened| *opened.as_ref().unwrap()).count(), 1);
    assert_eq!(take(test, "one").await.len(), 2);
}

async fn the_backlog_is_told_by_firm_sender_and_kind(test: &TestStore) {
    let begun = test.now();
    test.record(Arrival { kind: "ContactCreate".into(), ..test.arrival("c1") }).await;
    test.pass(SignedDuration::from_mins(1));
    test.update("c1").await;
    test.record(Arrival { firm: FirmId::new("other"), ..test.arrival("c1") }).await;
    let rows = test.store.backlog().await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.firm.as_str(), row.kind.as_str(), row.events)).collect();
    assert_eq!(
        told,
        [("acme", "ContactCreate", 1), ("acme", "ContactUpdate", 1), ("other", "ContactUpdate", 1)]
    );
    assert_eq!(rows[0].oldest, begun);
    for claim in test.claim().await {
        test.settle(&claim, Outcome::Done).await;
    }
    assert_eq!(test.store.backlog().await.unwrap().len(), 1);
}

async fn a_probe_is_forgotten_and_nothing_else(test: &TestStore) {
    let real = test.update("c1").await;
    let probe = test.record(Arrival { records: Vec::new(), ..test.arrival("") }).await;
    assert!(!test.store.forget(probe).await.unwrap(), "it is not settled");
    for claim in test.claim().await {
        test.settle(&claim, Outcome::NothingToDo { why: "no rule for this type".into() }).await;
    }
    assert!(!test.store.forget(probe).await.unwrap(), "it is the newest");
    test.update("c2").await;
    assert!(!test.store.forget(real).await.unwrap(), "it is about somebody");
    assert!(test.store.forget(probe).await.unwrap());
    assert!(test.store.event(probe).await.unwrap().is_none());
    assert!(test.store.person_of(&firm(), &contact("c1")).await.unwrap().is_some());
}
