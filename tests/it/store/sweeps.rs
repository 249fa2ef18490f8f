//! What sweeps remember, and the loss meter.

use casebridge::domain::{
    Base, EventId, EventState, Field, Fields, FirmId, Link, Outcome, RecordKind, RecordRef, System,
};
use casebridge::store::{
    Arrival, BY_BACKFILL, BY_SWEEP, Counted, DeliveryKey, Gap, LinkChange, ListedPair, Looked, LossFilter,
    LossRow, PlanRecord, PlannedRecord, SweepRecord,
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
    pairs_of_lists_are_linked_unless_something_else_is_known,
    two_known_people_whom_lists_show_to_be_one_share_a_lane,
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

/// A pair as two lists showed it.
fn listed(test: &TestStore, number: u32) -> ListedPair {
    let (here, there) = (contact(&format!("c{number}")), lead(&format!("l{number}")));
    let fields = Fields::default().with(Field::Email, &format!("p{number}@example.com"));
    let link = Link::new(here.clone(), there.clone(), System::CasePeer, Base::of_fields(fields));
    let command = PlannedRecord { command: "link".into(), effect_key: None, reason: "same e-mail".into() };
    let plan = PlanRecord { commands: vec![command], remarks: Vec::new() };
    let arrival = Arrival {
        records: vec![here.clone(), there],
        proof: BY_BACKFILL,
        delivery_key: DeliveryKey::Sender(format!("seen:{here}@1")),
        ..test.arrival("")
    };
    ListedPair { arrival, plan, link }
}

async fn pairs_of_lists_are_linked_unless_something_else_is_known(test: &TestStore) {
    // Known, but settled before the lists were read.
    let claim = test.update("c1").await;
    let held = test.claim_one().await;
    assert_eq!(held.lease.event, claim);
    test.settle(&held, Outcome::NothingToDo { why: "no rule".into() }).await;
    test.pass(SignedDuration::from_secs(5));
    let since = test.now();
    // Told of since, and settled.
    test.update("c2").await;
    let held = test.claim_one().await;
    test.settle(&held, Outcome::NothingToDo { why: "no rule".into() }).await;
    // Told of, and not settled.
    let records = vec![lead("l3")];
    test.record(Arrival { records, source: System::CasePeer, ..test.arrival("") }).await;
    let mut pairs: Vec<ListedPair> = (0..5).map(|number| listed(test, number)).collect();
    let first = pairs[0].arrival.id;
    // A second matter of the first contact.
    pairs[4].link.highlevel = contact("c0");
    let linked = test.store.link_listed(pairs, since).await.unwrap();
    assert_eq!(linked, [true, true, false, false, false]);
    for (number, is_linked) in linked.iter().enumerate() {
        let links = test.store.links_of(&firm(), &[lead(&format!("l{number}"))]).await.unwrap();
        assert_eq!(links.len(), usize::from(*is_linked), "{number}");
    }
    let links = test.store.links_of(&firm(), &[contact("c0")]).await.unwrap();
    assert_eq!(links[0].base.fields.get(Field::Email), Some("p0@example.com"));
    // What explains it is settled, and nobody is kept waiting by it.
    let story = test.store.event(first).await.unwrap().unwrap();
    assert_eq!(story.row.state, EventState::Done);
    assert_eq!(story.plan.unwrap().commands[0].reason, "same e-mail");
    test.update("c0").await;
    assert_eq!(test.claim().await.len(), 2, "the lead's and the contact's new one");
    // The same again changes nothing.
    let again = (0..2).map(|number| listed(test, number)).collect();
    assert_eq!(test.store.link_listed(again, since).await.unwrap(), [false, false]);
}

async fn two_known_people_whom_lists_show_to_be_one_share_a_lane(test: &TestStore) {
    test.update("c1").await;
    let held = test.claim_one().await;
    test.settle(&held, Outcome::NothingToDo { why: "no rule".into() }).await;
    let of_lead =
        |id: &str| Arrival { records: vec![lead("l1")], source: System::CasePeer, ..test.arrival(id) };
    test.record(of_lead("")).await;
    let held = test.claim_one().await;
    test.settle(&held, Outcome::NothingToDo { why: "no rule".into() }).await;
    test.pass(SignedDuration::from_secs(5));
    assert_eq!(test.store.link_listed(vec![listed(test, 1)], test.now()).await.unwrap(), [true]);
    test.update("c1").await;
    test.record(of_lead("")).await;
    assert_eq!(test.claim().await.len(), 1, "one after the other");
}
