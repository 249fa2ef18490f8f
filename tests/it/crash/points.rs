//! The program dies at each point of each kind of create: afterwards there is one of it, as if nothing had happened.

use std::collections::BTreeMap;

use casebridge::twin::highlevel::NewTask;
use casebridge::twin::{MadeBy, NewNote, Vendor, casepeer};

use super::doomed::{Doomed, Point};
use super::gate::Held;
use super::{assert_all_is_well, run_dry};
use crate::story::{ada, grace};
use crate::support::{Gated, TestBridge, WORKER};

/// What is being created when it happens.
#[derive(Debug, Clone, Copy)]
enum Create {
    Lead,
    TaskInCasePeer,
    NoteInCasePeer,
    Contact,
    InitialTask,
    TaskInHighLevel,
    NoteInHighLevel,
    Opportunity,
}

impl Create {
    const IN_CASEPEER: [Self; 3] = [Self::Lead, Self::TaskInCasePeer, Self::NoteInCasePeer];
    const IN_HIGHLEVEL: [Self; 5] =
        [Self::Contact, Self::InitialTask, Self::TaskInHighLevel, Self::NoteInHighLevel, Self::Opportunity];

    /// How its effect key begins.
    fn effect(self) -> &'static str {
        match self {
            Self::Lead => "lead-of:",
            Self::Contact => "contact-of:",
            Self::InitialTask => "task:",
            Self::Opportunity => "opportunity-of:",
            Self::TaskInCasePeer | Self::NoteInCasePeer | Self::TaskInHighLevel | Self::NoteInHighLevel => {
                "copy-of:"
            }
        }
    }

    /// The start of the request's path.
    fn path(self) -> &'static str {
        match self {
            Self::Lead => "/leads",
            Self::TaskInCasePeer => "/tasks",
            Self::NoteInCasePeer => "/leads/",
            Self::Contact | Self::InitialTask | Self::TaskInHighLevel | Self::NoteInHighLevel => "/contacts/",
            Self::Opportunity => "/opportunities/",
        }
    }

    fn is_in_casepeer(self) -> bool {
        matches!(self, Self::Lead | Self::TaskInCasePeer | Self::NoteInCasePeer)
    }

    /// Brings about everything before it, and then what causes it; that is received and not worked on.
    async fn cause(self, bridge: &TestBridge) {
        match self {
            Self::Lead => {
                bridge.highlevel.create_contact(ada());
            }
            Self::TaskInCasePeer | Self::NoteInCasePeer => {
                let contact = bridge.highlevel.create_contact(ada());
                bridge.settle().await;
                if matches!(self, Self::TaskInCasePeer) {
                    let task = NewTask { title: "Call back".into(), ..NewTask::default() };
                    bridge.highlevel.create_task(&contact, task);
                } else {
                    bridge.highlevel.create_note(&contact, "Prefers mornings");
                }
            }
            Self::Contact | Self::InitialTask => {
                bridge.casepeer.create_lead(grace());
            }
            Self::TaskInHighLevel | Self::NoteInHighLevel | Self::Opportunity => {
                let lead = bridge.casepeer.create_lead(grace());
                bridge.settle().await;
                match self {
                    Self::TaskInHighLevel => {
                        let title = "Ask for photographs".into();
                        let task = casepeer::NewTask { title, ..casepeer::NewTask::default() };
                        bridge.casepeer.create_task(&lead, task);
                    }
                    Self::NoteInHighLevel => {
                        let (category, body) = ("Intake".into(), "Called back".into());
                        bridge.casepeer.create_note(&lead, NewNote { category, body, ..NewNote::default() });
                    }
                    _ => {
                        bridge.casepeer.convert_lead(&lead);
                    }
                }
            }
        }
        bridge.deliver().await;
    }
}

/// What programs have made at the vendors, and how many of each.
type Made = BTreeMap<(&'static str, &'static str), usize>;

fn made(bridge: &TestBridge) -> Made {
    let mut made = Made::new();
    // One ledger serves both vendors.
    for effect in bridge.highlevel.ledger().into_iter().chain(bridge.casepeer.ledger()) {
        if effect.made_by == MadeBy::Api {
            let vendor = if effect.vendor == Vendor::HighLevel { "highlevel" } else { "casepeer" };
            *made.entry((vendor, effect.operation)).or_default() += 1;
        }
    }
    made
}

async fn undisturbed(create: Create) -> Made {
    let bridge = TestBridge::start().await;
    create.cause(&bridge).await;
    run_dry(&bridge).await;
    assert_all_is_well(&bridge).await;
    made(&bridge)
}

/// A worker works until it has come to the point, and is never heard of again.
async fn die_at(bridge: &TestBridge, point: Point, effect: &'static str) {
    let store = Doomed::new(bridge.installation.store.clone(), point, effect);
    let worker = bridge.installation.another_worker(WORKER, store.clone());
    tokio::select! {
        taken = worker.step() => panic!("{taken:?}: the worker never came to {point:?} of {effect}"),
        () = store.reached() => {}
    }
}

async fn assert_one_of_each_after(create: Create, points: &[Point]) {
    let expected = undisturbed(create).await;
    for point in points {
        let bridge = TestBridge::start().await;
        create.cause(&bridge).await;
        die_at(&bridge, *point, create.effect()).await;
        bridge.installation.restart().await;
        run_dry(&bridge).await;
        assert_all_is_well(&bridge).await;
        assert_eq!(made(&bridge), expected, "{create:?} {point:?}\n{}", bridge.installation.tell().await);
    }
}

#[tokio::test]
async fn dying_at_any_point_of_a_create_in_casepeer_makes_one() {
    for create in Create::IN_CASEPEER {
        assert_one_of_each_after(create, &Point::ALL).await;
    }
}

#[tokio::test]
async fn dying_at_any_point_of_a_create_in_highlevel_makes_one() {
    for create in Create::IN_HIGHLEVEL {
        assert_one_of_each_after(create, &Point::ALL).await;
    }
}

#[tokio::test]
async fn dying_while_the_request_is_under_way_makes_one() {
    for create in Create::IN_CASEPEER.into_iter().chain(Create::IN_HIGHLEVEL) {
        let expected = undisturbed(create).await;
        for held in [Held::BeforeTheEffect, Held::AfterTheEffect] {
            let Gated { bridge, highlevel, casepeer } = TestBridge::gated().await;
            create.cause(&bridge).await;
            let gate = if create.is_in_casepeer() { casepeer } else { highlevel };
            // Of a new lead, the first request like this is the contact's own.
            gate.hold("POST", create.path(), usize::from(matches!(create, Create::InitialTask)), held);
            let worker = bridge.installation.another_worker(WORKER, bridge.installation.store.clone());
            tokio::select! {
                taken = worker.step() => panic!("{taken:?}: {create:?} was answered"),
                () = gate.holds() => {}
            }
            bridge.installation.restart().await;
            run_dry(&bridge).await;
            assert_all_is_well(&bridge).await;
            let told = bridge.installation.tell().await;
            assert_eq!(made(&bridge), expected, "{create:?} {held:?}\n{told}");
        }
    }
}
