//! The same person twice in the same second.

use casebridge::twin::NewLead;
use jiff::SignedDuration;

use super::creates::{Create, live_on, made, undisturbed};
use super::gate::Held;
use super::{PATIENCE, assert_all_is_well, eventually, run_dry};
use crate::story::ada;
use crate::support::{Gated, TestBridge};

fn ada_as_a_lead() -> NewLead {
    NewLead {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        email: "ada@example.com".into(),
        phone: "+15125550100".into(),
        case_type: "Dog Bite".into(),
        ..NewLead::default()
    }
}

#[tokio::test]
async fn a_person_whom_both_systems_create_in_the_same_second_is_one() {
    for casepeer_first in [false, true] {
        let bridge = TestBridge::start().await;
        bridge.highlevel.hold_webhooks(true);
        bridge.casepeer.hold_webhooks(true);
        if casepeer_first {
            bridge.casepeer.create_lead(ada_as_a_lead());
            bridge.highlevel.create_contact(ada());
        } else {
            bridge.highlevel.create_contact(ada());
            bridge.casepeer.create_lead(ada_as_a_lead());
        }
        bridge.highlevel.hold_webhooks(false);
        bridge.casepeer.hold_webhooks(false);
        run_dry(&bridge).await;
        assert_all_is_well(&bridge).await;
        let people = (bridge.highlevel.contacts().len(), bridge.casepeer.leads().len());
        assert_eq!(people, (1, 1), "{}", bridge.installation.tell().await);
    }
}

#[tokio::test]
async fn two_leads_of_a_new_person_in_the_same_second_make_one_contact() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.create_lead(ada_as_a_lead());
    bridge.casepeer.create_lead(NewLead { case_type: "Auto Accident".into(), ..ada_as_a_lead() });
    let waited = run_dry(&bridge).await;
    assert!(waited < SignedDuration::from_mins(1), "the rival waits for seconds: {waited}");
    assert_all_is_well(&bridge).await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.casepeer.leads().len(), 2);
}

#[tokio::test]
async fn our_own_contact_that_is_told_of_before_it_is_linked_takes_no_tasks_of_ours_for_its_own() {
    let expected = undisturbed(Create::Contact).await;
    let Gated { bridge, highlevel, .. } = TestBridge::gated().await;
    Create::Contact.cause(&bridge).await;
    highlevel.hold("POST", "/contacts/", 0, Held::AfterTheEffect);
    highlevel.hold("GET", "/tasks", 0, Held::BeforeTheEffect);
    let step = |name| {
        let worker = bridge.installation.another_worker(name, bridge.installation.store.clone());
        tokio::spawn(async move { worker.step().await.unwrap() })
    };
    let creating = step("creating");
    highlevel.holds().await;
    bridge.deliver().await;
    // Another worker reads the contact while nobody knows that it is ours, and its tasks when they have been made.
    let told = step("told");
    highlevel.holds().await;
    highlevel.release();
    let made_tasks = async || (bridge.highlevel.writes() == 3).then_some(());
    eventually("the initial tasks are made", PATIENCE, made_tasks).await;
    highlevel.release();
    creating.await.unwrap();
    told.await.unwrap();
    live_on(&bridge).await;
    assert_eq!(made(&bridge).await, expected, "{}", bridge.installation.tell().await);
}
