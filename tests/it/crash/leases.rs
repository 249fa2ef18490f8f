//! Workers that meet: two at once, one that was frozen past its lease, one whose answer comes too late.

use casebridge::bridge::Worker;
use casebridge::domain::EventState;
use casebridge::twin::highlevel::NewTask;
use casebridge::twin::{NewContact, NewLead, NewNote};
use jiff::SignedDuration;
use tokio::task::JoinHandle;

use super::creates::{Create, live_on, made, undisturbed};
use super::doomed::{Doomed, Point};
use super::{PATIENCE, assert_all_is_well, eventually, run_dry};
use crate::story::{ada, grace};
use crate::support::{TestBridge, WORKER};

/// Longer than a lease.
const PAST_THE_LEASE: SignedDuration = SignedDuration::from_mins(11);

#[tokio::test]
async fn two_workers_over_one_store_make_one_of_each() {
    let bridge = TestBridge::start().await;
    let people = 12;
    for person in 0..people {
        let phone = format!("+1512555{:04}", 1000 + person);
        let (first_name, email) = (format!("Ada{person}"), format!("ada{person}@example.com"));
        let contact = bridge.highlevel.create_contact(NewContact { first_name, email, phone, ..ada() });
        bridge.highlevel.create_task(&contact, NewTask { title: "Call back".into(), ..NewTask::default() });
        bridge.highlevel.create_note(&contact, "Prefers mornings");
        let phone = format!("+1512555{:04}", 2000 + person);
        let (first_name, email) = (format!("Grace{person}"), format!("grace{person}@example.com"));
        let lead = bridge.casepeer.create_lead(NewLead { first_name, email, phone, ..grace() });
        let (category, body) = ("Intake".into(), "Called back".into());
        bridge.casepeer.create_note(&lead, NewNote { category, body, ..NewNote::default() });
    }
    let store = &bridge.installation.store;
    let one = bridge.installation.another_worker("one", store.clone());
    let other = bridge.installation.another_worker("other", store.clone());
    loop {
        bridge.deliver().await;
        let (one, other) = tokio::join!(one.step(), other.step());
        if one.unwrap() + other.unwrap() == 0 {
            break;
        }
    }
    run_dry(&bridge).await;
    assert_all_is_well(&bridge).await;
    let expected = [
        (("casepeer", "lead.create"), (people, people)),
        (("casepeer", "note.create"), (people, people)),
        (("casepeer", "task.create"), (people, people)),
        (("highlevel", "contact.create"), (people, people)),
        (("highlevel", "note.create"), (people, people)),
        // The initial tasks are copies of nothing.
        (("highlevel", "task.create"), (2 * people, 0)),
    ];
    assert_eq!(made(&bridge).await, expected.into(), "{}", bridge.installation.tell().await);
}

#[tokio::test]
async fn a_worker_that_was_frozen_past_its_lease_doubles_nothing() {
    for create in Create::IN_CASEPEER.into_iter().chain(Create::IN_HIGHLEVEL) {
        let expected = undisturbed(create).await;
        for point in Point::ALL {
            let bridge = TestBridge::start().await;
            create.cause(&bridge).await;
            let store = Doomed::new(bridge.installation.store.clone(), point, create.effect());
            let frozen = bridge.installation.another_worker("frozen", store.clone());
            let meanwhile = async {
                store.reached().await;
                bridge.installation.clock.advance(PAST_THE_LEASE);
                run_dry(&bridge).await;
                store.thaw();
            };
            let (taken, ()) = tokio::join!(frozen.step(), meanwhile);
            taken.unwrap();
            live_on(&bridge).await;
            assert_eq!(
                made(&bridge).await,
                expected,
                "{create:?} {point:?}\n{}",
                bridge.installation.tell().await
            );
        }
    }
}

fn begin(worker: Worker) -> JoinHandle<usize> {
    tokio::spawn(async move { worker.step().await.unwrap() })
}

async fn ended(step: &JoinHandle<usize>) {
    eventually("the turn ends", PATIENCE, async || step.is_finished().then_some(())).await;
}

#[tokio::test]
async fn an_answer_that_comes_after_another_worker_took_over_is_not_lost() {
    for create in Create::IN_CASEPEER.into_iter().chain(Create::IN_HIGHLEVEL) {
        let expected = undisturbed(create).await;
        let bridge = TestBridge::start().await;
        create.cause(&bridge).await;
        let late = Doomed::new(bridge.installation.store.clone(), Point::AfterAnswer, create.effect());
        let first = begin(bridge.installation.another_worker("first", late.clone()));
        late.reached().await;
        bridge.installation.clock.advance(PAST_THE_LEASE);
        let begun = Doomed::new(bridge.installation.store.clone(), Point::BeforeSend, create.effect());
        let second = begin(bridge.installation.another_worker("second", begun.clone()));
        // The first ends while the second stands between its intent and its request; unless it has found the record
        // before it came so far.
        tokio::select! {
            () = begun.reached() => {}
            () = ended(&second) => {}
        }
        late.thaw();
        first.await.unwrap();
        begun.thaw();
        second.await.unwrap();
        live_on(&bridge).await;
        assert_eq!(made(&bridge).await, expected, "{create:?}\n{}", bridge.installation.tell().await);
    }
}

#[tokio::test]
async fn an_event_that_brings_the_program_down_is_given_up_after_ten_times_and_the_others_go_on() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.deliver().await;
    for _ in 0..10 {
        let store = Doomed::new(bridge.installation.store.clone(), Point::BeforeIntent, "lead-of:");
        let worker = bridge.installation.another_worker(WORKER, store.clone());
        tokio::select! {
            taken = worker.step() => panic!("{taken:?}: the program was not brought down"),
            () = store.reached() => {}
        }
        bridge.installation.restart().await;
        bridge.installation.clock.advance(SignedDuration::from_secs(81));
    }
    bridge.highlevel.create_task(&contact, NewTask { title: "Call back".into(), ..NewTask::default() });
    bridge.settle().await;
    let events = bridge.installation.events().await;
    assert_eq!(events[0].state, EventState::Undelivered);
    assert!(events[0].reason.as_ref().unwrap().contains("broke off 10 times"), "{:?}", events[0]);
    assert_eq!(bridge.casepeer.leads().len(), 1, "the task brings its person along");
    assert_eq!(bridge.casepeer.tasks().len(), 1);
}
