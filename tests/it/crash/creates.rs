//! Everything the bridge creates, what causes it, and what came of it.

use std::collections::BTreeMap;

use casebridge::domain::{FirmId, RecordRef};
use casebridge::twin::highlevel::NewTask;
use casebridge::twin::{MadeBy, NewNote, Vendor, casepeer};

use serde_json::json;

use super::{assert_all_is_well, run_dry};
use crate::story::{ada, grace};
use crate::support::TestBridge;

/// What is being created when it happens.
#[derive(Debug, Clone, Copy)]
pub enum Create {
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
    pub const IN_CASEPEER: [Self; 3] = [Self::Lead, Self::TaskInCasePeer, Self::NoteInCasePeer];
    pub const IN_HIGHLEVEL: [Self; 5] =
        [Self::Contact, Self::InitialTask, Self::TaskInHighLevel, Self::NoteInHighLevel, Self::Opportunity];

    /// How its effect key begins.
    pub fn effect(self) -> &'static str {
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
    pub fn path(self) -> &'static str {
        match self {
            Self::Lead => "/leads",
            Self::TaskInCasePeer => "/tasks",
            Self::NoteInCasePeer => "/leads/",
            Self::Contact | Self::InitialTask | Self::TaskInHighLevel | Self::NoteInHighLevel => "/contacts/",
            Self::Opportunity => "/opportunities/",
        }
    }

    pub fn is_in_casepeer(self) -> bool {
        matches!(self, Self::Lead | Self::TaskInCasePeer | Self::NoteInCasePeer)
    }

    /// Brings about everything before it, and then what causes it; that is received and not worked on.
    pub async fn cause(self, bridge: &TestBridge) {
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

/// What programs have made at the vendors: how many of each, and how many of those the bridge has linked.
pub type Made = BTreeMap<(&'static str, &'static str), (usize, usize)>;

/// Counted by the twin.
pub async fn made(bridge: &TestBridge) -> Made {
    let mut made = Made::new();
    for effect in bridge.highlevel.ledger().into_iter().chain(bridge.casepeer.ledger()) {
        let Some(kind) = effect.operation.strip_suffix(".create") else { continue };
        if effect.made_by != MadeBy::Api {
            continue;
        }
        let vendor = if effect.vendor == Vendor::HighLevel { "highlevel" } else { "casepeer" };
        let record: RecordRef = format!("{vendor}:{kind}:{}", effect.record_id).parse().unwrap();
        let links = bridge.installation.store.links_of(&FirmId::new("acme"), &[record]).await.unwrap();
        let (count, linked) = made.entry((vendor, effect.operation)).or_default();
        *count += 1;
        *linked += usize::from(!links.is_empty());
    }
    made
}

/// Everything is settled; then people go on working on the records, and that is settled too.
pub async fn live_on(bridge: &TestBridge) {
    run_dry(bridge).await;
    for lead in bridge.casepeer.leads() {
        let change = json!({ "client": { "address": { "city": "Dallas" } } });
        bridge.casepeer.update_lead(lead["id"].as_str().unwrap(), change);
    }
    run_dry(bridge).await;
    assert_all_is_well(bridge).await;
}

/// What is made when nothing goes wrong.
pub async fn undisturbed(create: Create) -> Made {
    let bridge = TestBridge::start().await;
    create.cause(&bridge).await;
    live_on(&bridge).await;
    made(&bridge).await
}
