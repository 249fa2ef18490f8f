//! What sweeps remember, and the loss meter.

use casebridge::domain::{Base, EventId, FirmId, Link, Outcome, RecordKind, RecordRef, System};
use casebridge::store::{
    Arrival, BY_SWEEP, Counted, Gap, LinkChange, Looked, LossFilter, LossRow, SweepRecord,
};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{TestStore, contact, firm, lead, on_both};
use crate::support::START;

on_both!(
    what_was_heard_is_what_senders_told_of_records_themselves,
    the_loss_meter_adds_up_and_asks_the_healing_events,
    a_mark_is_kept_and_one_sweeps_at_a_time,
    linked_people_are_read_page_by_page,
);

/// A day's counts and a gap that this event heals.
pub fn found(event: EventId) -> SweepRecord {
    let looked = Looked { at: 1, of: 1 };
    SweepRecord {
        marks: vec![("highlevel:contact".into(), "{}".into())],
        counted: vec![Counted {
            day: "2026-11-24".into(),
            kind: "highlevel:contact".into(),
            received: 5,
            in_step: 2,
            looked,
        }],
        gaps: vec![Gap {
            record: contact("c1"),
            version: "1".into(),
            day: "2026-11-24".into(),
            event,
            found_at: START.parse().unwrap(),
        }],
    }
}

async fn losses(test: &TestStore) -> Vec<LossRow> {
    test.store.losses(LossFilter { limit: 10, ..LossFilter::default() }).await.unwrap()
}

async fn what_was_heard_is_what_senders_told_of_records_themselves(test: &TestStore) {
    let second = SignedDuration::from_secs(1);
    for number in 0..50 {
        test.update(&format!("c{number}")).await;
        test.pass(second);
    }
    let from = test.now();
    test.update("c1").await;
    let task = RecordRef::highlevel(RecordKind::Task, "t1");
    let records = vec![task.clone(), contact("c2")];
    test.record(Arrival { records, kind: "TaskCreate".into(), ..test.arrival("c2") }).await;
    let case = RecordRef::casepeer(RecordKind::Case, "k1");
    let records = vec![case.clone(), lead("l1")];
    let arrival = Arrival { records, source: System::CasePeer, ..test.arrival("c3") };
    test.record(Arrival { kind: "case.created".into(), ..arrival }).await;
    test.record(Arrival { proof: BY_SWEEP, ..test.arrival("c4") }).await;
    test.record(Arrival { firm: FirmId::new("other"), ..test.arrival("c5") }).await;
    let heard = test.store.heard_since(&firm(), from).await.unwrap();
    let mut records: Vec<_> = heard.into_keys().collect();
    records.sort();
    let mut expected = vec![contact("c1"), task.clone(), case, lead("l1")];
    expected.sort();
    assert_eq!(records, expected);
    assert_eq!(test.store.heard_since(&firm(), from - second).await.unwrap().len(), 5);
    let unknown = contact("nobody");
    let named = test.store.named(&firm(), &[task.clone(), unknown, contact("c5")]).await.unwrap();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), [contact("c5"), task]);
    let first = test.store.first_received(&firm()).await.unwrap();
    assert_eq!(first, Some(START.parse().unwrap()));
    assert_eq!(test.store.first_received(&FirmId::new("nobody")).await.unwrap(), None);
}

async fn the_loss_meter_adds_up_and_asks_the_healing_events(test: &TestStore) {
    let event = test.record(Arrival { proof: BY_SWEEP, ..test.arrival("c1") }).await;
    test.store.save_sweep(&firm(), found(event)).await.unwrap();
    // The same gap again is no second one; what was looked at is what was looked at last.
    let again = SweepRecord { counted: Vec::new(), ..found(EventId(Uuid::now_v7())) };
    test.store.save_sweep(&firm(), again).await.unwrap();
    let mut more = found(event);
    more.counted[0].looked = Looked { at: 1, of: 4 };
    test.store.save_sweep(&firm(), more).await.unwrap();
    let expected = LossRow {
        firm: firm(),
        day: "2026-11-24".into(),
        kind: "highlevel:contact".into(),
        changed: 15,
        received: 10,
        in_step: 4,
        healed: 0,
        unexplained: 1,
        coverage: 0.25,
    };
    assert_eq!(losses(test).await, std::slice::from_ref(&expected));
    let claim = test.claim_one().await;
    test.settle(&claim, Outcome::Done).await;
    assert_eq!(losses(test).await, [LossRow { healed: 1, unexplained: 0, ..expected }]);
    let of = |firm: &str, since: &str| LossFilter {
        firm: Some(FirmId::new(firm)),
        since: Some(since.into()),
        limit: 10,
    };
    assert_eq!(test.store.losses(of(firm().as_str(), "2026-11-24")).await.unwrap().len(), 1);
    assert!(test.store.losses(of(firm().as_str(), "2026-11-25")).await.unwrap().is_empty());
    assert!(test.store.losses(of("other", "2026-11-24")).await.unwrap().is_empty());
}

async fn a_mark_is_kept_and_one_sweeps_at_a_time(test: &TestStore) {
    let mark = |stream: &'static str| test.store.sweep_mark_of(stream);
    assert_eq!(mark("highlevel:contact").await, None);
    test.store.save_sweep(&firm(), found(EventId(Uuid::now_v7()))).await.unwrap();
    assert_eq!(mark("highlevel:contact").await.as_deref(), Some("{}"));
    assert_eq!(mark("casepeer:lead").await, None);
    let hold = async |owner: &str, minutes| {
        let span = SignedDuration::from_mins(minutes);
        test.store.hold_sweep(&firm(), "sweep", owner, span).await.unwrap()
    };
    assert!(hold("me", 10).await);
    assert!(!hold("you", 10).await);
    assert!(hold("me", 10).await, "it is held on to");
    assert!(test.store.hold_sweep(&FirmId::new("other"), "sweep", "you", LATER).await.unwrap());
    test.pass(SignedDuration::from_mins(11));
    assert!(hold("you", 10).await, "the first is gone");
    assert!(!hold("me", 10).await);
    assert!(hold("you", 0).await, "given back");
    assert!(hold("me", 10).await);
}

const LATER: SignedDuration = SignedDuration::from_hours(1);

trait Marks {
    async fn sweep_mark_of(&self, stream: &str) -> Option<String>;
}

impl Marks for casebridge::store::SharedStore {
    async fn sweep_mark_of(&self, stream: &str) -> Option<String> {
        self.sweep_mark(&firm(), stream).await.unwrap()
    }
}

async fn linked_people_are_read_page_by_page(test: &TestStore) {
    test.update("c0").await;
    let claim = test.claim_one().await;
    let link = |here, there| LinkChange::Link(Link::new(here, there, System::HighLevel, Base::default()));
    let mut changes: Vec<_> =
        (0..5).map(|number| link(contact(&format!("c{number}")), lead(&format!("l{number}")))).collect();
    changes.push(link(
        RecordRef::highlevel(RecordKind::Task, "t1"),
        RecordRef::casepeer(RecordKind::Task, "T-1"),
    ));
    test.store.save_links(&claim.lease, changes).await.unwrap();
    assert_eq!(test.store.count_linked_people(&firm()).await.unwrap(), 5);
    let first = test.store.linked_people(&firm(), None, 3).await.unwrap();
    assert_eq!(first.len(), 3);
    let rest = test.store.linked_people(&firm(), Some(&first[2].0), 3).await.unwrap();
    assert_eq!(rest, [(contact("c3"), lead("l3")), (contact("c4"), lead("l4"))]);
}
