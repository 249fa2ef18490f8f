//! Missed webhooks are found: both systems are compared with what was received, and the gap is healed.

use casebridge::bridge::{SweepOptions, SweepReport};
use casebridge::domain::{EventState, FirmId};
use casebridge::store::{LossFilter, LossRow};
use casebridge::twin::casepeer::NewTask as CasePeerTask;
use casebridge::twin::highlevel::NewTask as HighLevelTask;
use casebridge::twin::{Fault, Misbehaviour, NewContact, NewLead, NewNote};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::story::{ada, grace};
use crate::support::TestBridge;

/// Longer than the senders' grace.
const LATER: SignedDuration = SignedDuration::from_hours(3);

impl TestBridge {
    pub async fn sweep_with(&self, options: SweepOptions) -> SweepReport {
        let acme = FirmId::new("acme");
        self.installation.bridge.reconcile(&acme, options, &mut |_| {}).await.unwrap()
    }

    pub async fn sweep(&self) -> SweepReport {
        let report = self.sweep_with(SweepOptions::default()).await;
        assert!(report.is_complete, "{report:#?}");
        report
    }

    pub async fn losses(&self) -> Vec<LossRow> {
        let filter = LossFilter { limit: 1_000, ..LossFilter::default() };
        self.installation.store.losses(filter).await.unwrap()
    }

    fn drop_each(&self, nth: u64) {
        let fault = || Fault::new(Misbehaviour::DropWebhook).times(100_000).every(nth);
        self.highlevel.fault(fault());
        self.casepeer.fault(fault());
    }

    fn drop_none(&self) {
        self.highlevel.clear_faults();
        self.casepeer.clear_faults();
    }

    async fn second(&self) {
        self.installation.clock.advance(SignedDuration::from_secs(1));
    }
}

fn person(number: usize) -> NewContact {
    NewContact {
        first_name: format!("Ada{number}"),
        last_name: "Byron".into(),
        email: format!("ada{number}@example.com"),
        phone: format!("+1512555{number:04}"),
        city: "Austin".into(),
        ..NewContact::default()
    }
}

fn client(number: usize) -> NewLead {
    NewLead {
        first_name: format!("Grace{number}"),
        last_name: "Hopper".into(),
        email: format!("grace{number}@example.com"),
        phone: format!("+1713555{number:04}"),
        city: "Houston".into(),
        case_type: "Auto Accident".into(),
        ..NewLead::default()
    }
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}

/// E-mail, name and city of everybody, as each side has them.
fn people(bridge: &TestBridge) -> (Vec<String>, Vec<String>) {
    let line = |one: &Value, keys: [&str; 3], city: &Value| {
        format!("{} {} {} {city}", one[keys[0]], one[keys[1]], one[keys[2]])
    };
    let contacts = bridge.highlevel.contacts();
    let contacts = contacts.iter().map(|one| line(one, ["email", "firstName", "lastName"], &one["city"]));
    let leads = bridge.casepeer.leads();
    let leads = leads.iter().map(|lead| {
        let client = &lead["client"];
        line(client, ["email", "first_name", "last_name"], &client["address"]["city"])
    });
    (sorted(contacts.collect()), sorted(leads.collect()))
}

fn tasks_done(bridge: &TestBridge) -> (Vec<String>, Vec<String>) {
    let done = |tasks: Vec<Value>| {
        let ours = tasks.into_iter().filter(|task| task["title"].as_str().unwrap().starts_with("task "));
        sorted(ours.map(|task| format!("{} {}", task["title"], task["completed"])).collect())
    };
    let here = bridge.highlevel.contacts();
    let here = here.iter().flat_map(|contact| bridge.highlevel.tasks(contact["id"].as_str().unwrap()));
    (done(here.collect()), done(bridge.casepeer.tasks()))
}

#[tokio::test]
async fn what_a_tenth_of_the_webhooks_lost_is_there_after_one_sweep() {
    let bridge = TestBridge::start().await;
    bridge.drop_each(10);
    let (mut contacts, mut leads, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..20 {
        bridge.second().await;
        contacts.push(bridge.highlevel.create_contact(person(number)));
        leads.push(bridge.casepeer.create_lead(client(number)));
        bridge.settle().await;
    }
    for edit in 0..160 {
        bridge.second().await;
        let (contact, lead) = (&contacts[edit % 20], &leads[edit % 20]);
        let city = format!("City {edit}");
        match edit % 8 {
            0 | 1 => bridge.highlevel.update_contact(contact, json!({"city": city})),
            2 | 3 => bridge.casepeer.update_lead(lead, json!({"client": {"address": {"city": city}}})),
            4 => {
                let task = HighLevelTask { title: format!("task {edit}"), ..HighLevelTask::default() };
                tasks.push((contact.clone(), bridge.highlevel.create_task(contact, task)));
            }
            5 => {
                let task = CasePeerTask { title: format!("task {edit}"), ..CasePeerTask::default() };
                bridge.casepeer.create_task(lead, task);
            }
            6 => {
                let (contact, task) = &tasks[tasks.len() / 2];
                bridge.highlevel.complete_task(contact, task);
            }
            _ => {
                bridge.highlevel.create_note(contact, &format!("note {edit}"));
                let body = format!("note {edit}");
                let note = NewNote { body, category: "Intake".into(), ..NewNote::default() };
                bridge.casepeer.create_note(lead, note);
            }
        };
        bridge.settle().await;
    }
    bridge.drop_none();
    bridge.wait(LATER).await;
    let report = bridge.sweep().await;
    assert!(report.gaps.len() >= 5, "{report:#?}");
    bridge.settle().await;

    bridge.installation.assert_nothing_undelivered().await;
    let losses = bridge.losses().await;
    let unexplained: u64 = losses.iter().map(|row| row.unexplained).sum();
    let healed: u64 = losses.iter().map(|row| row.healed).sum();
    assert_eq!((unexplained, healed), (0, report.gaps.len() as u64), "{losses:#?}");
    for row in &losses {
        assert_eq!(row.changed, row.received + row.in_step + row.healed, "{row:?}");
        assert!((row.coverage - 1.0).abs() < f64::EPSILON || row.day != "2026-11-24", "{row:?}");
    }
    let (here, there) = people(&bridge);
    assert_eq!((here.len(), &here), (40, &there));
    let (here, there) = tasks_done(&bridge);
    assert_eq!(here, there);
    let notes = |notes: Vec<Value>| notes.len();
    assert_eq!(notes(bridge.casepeer.notes()), 40);

    let (writes, events) = (bridge.writes(), bridge.installation.events().await.len());
    bridge.wait(LATER).await;
    let again = bridge.sweep().await;
    bridge.settle().await;
    assert!(again.gaps.is_empty(), "{again:#?}");
    assert_eq!((bridge.writes(), bridge.installation.events().await.len()), (writes, events));
    let after = bridge.losses().await;
    assert_eq!(after.iter().map(|row| row.healed).sum::<u64>(), healed);
    assert_eq!(
        after.iter().map(|row| row.changed).sum::<u64>(),
        losses.iter().map(|row| row.changed).sum::<u64>(),
        "a change was counted twice"
    );
}

#[tokio::test]
async fn what_may_still_be_delivered_is_awaited() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.second().await;
    bridge.highlevel.drop_next_webhooks(1);
    bridge.highlevel.update_contact(&contact, json!({"city": "Dallas"}));
    bridge.wait(SignedDuration::from_hours(1)).await;
    let early = bridge.sweep().await;
    assert_eq!((early.gaps.len(), early.kinds["highlevel:contact"].awaited), (0, 1), "{early:#?}");
    bridge.wait(SignedDuration::from_hours(2)).await;
    let late = bridge.sweep().await;
    assert_eq!(late.gaps.len(), 1, "{late:#?}");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Dallas");
    let contacts: Vec<_> =
        bridge.losses().await.into_iter().filter(|row| row.kind == "highlevel:contact").collect();
    // Its system shows the last change of a record only.
    assert_eq!(contacts.iter().map(|row| (row.changed, row.healed)).collect::<Vec<_>>(), [(1, 1)]);
}

#[tokio::test]
async fn a_dry_run_says_what_is_missing_and_does_nothing() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.drop_next_webhooks(1);
    bridge.casepeer.create_lead(grace());
    bridge.wait(LATER).await;
    let dry = bridge.sweep_with(SweepOptions { is_dry_run: true, ..SweepOptions::default() }).await;
    assert_eq!(dry.gaps.len(), 1, "{dry:#?}");
    assert_eq!(dry.gaps[0].kind, "lead.created");
    assert_eq!((bridge.installation.events().await.len(), bridge.losses().await.len()), (0, 0));
    let wet = bridge.sweep().await;
    assert_eq!(wet.gaps.len(), 1);
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 1);
    assert_eq!(bridge.installation.count(EventState::Done).await, 1);
}

#[tokio::test]
async fn our_own_writes_are_no_losses_though_their_echoes_are_lost() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.second().await;
    bridge.drop_each(1);
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.clear_faults();
    bridge.highlevel.update_contact(&contact, json!({"city": "El Paso"}));
    bridge.wait(LATER).await;
    assert_eq!(bridge.casepeer.case(&case).unwrap()["client"]["address"]["city"], "El Paso");
    let report = bridge.sweep().await;
    assert!(report.gaps.is_empty(), "{report:#?}");
}

#[tokio::test]
async fn a_case_whose_status_nobody_told_of_is_healed() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.second().await;
    bridge.casepeer.drop_next_webhooks(1);
    bridge.casepeer.set_status(&case, "Treating");
    bridge.wait(LATER).await;
    assert_ne!(bridge.highlevel.opportunities().first().map(|one| one["status"].clone()), Some(json!("won")));
    let report = bridge.sweep().await;
    assert_eq!(report.gaps.len(), 1, "{report:#?}");
    bridge.settle().await;
    assert_eq!(bridge.highlevel.opportunities()[0]["status"], "won");
}

#[tokio::test]
async fn what_stands_in_custom_fields_and_tags_is_no_loss_while_it_is_agreed_on() {
    let sync = "[firms.sync.fields.language]\ntags = { spanish = \"Spanish\" }\n\
        [firms.sync.fields.code]\nhighlevel_key = \"code\"\ncasepeer_key = \"code\"\n";
    let bridge = TestBridge::with(sync).await;
    for key in ["code", "casepeer_lead_id", "case_type"] {
        bridge.highlevel.create_custom_field(key, key);
    }
    let new = NewContact {
        tags: vec!["spanish".into()],
        custom_fields: vec![("code".into(), json!("R-7")), ("case_type".into(), json!("Dog Bite"))],
        ..ada()
    };
    let contact = bridge.highlevel.create_contact(new);
    bridge.settle().await;
    // Everybody's last change is one that nobody told of, and that changed nothing which is kept in step.
    bridge.second().await;
    bridge.highlevel.drop_next_webhooks(9);
    bridge.highlevel.update_contact(&contact, json!({ "companyName": "Analytical Engines" }));
    bridge.casepeer.drop_next_webhooks(9);
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.update_lead(&lead, json!({ "assignees": { "intake": "U-2" } }));
    bridge.wait(LATER).await;
    let report = bridge.sweep().await;
    assert!(report.gaps.is_empty(), "{report:#?}\n{}", bridge.installation.tell().await);
    assert_eq!(report.kinds["highlevel:contact"].in_step, 1);
    // What is kept in step and differs is found.
    bridge
        .highlevel
        .update_contact(&contact, json!({ "customFields": [{ "key": "code", "field_value": "R-8" }] }));
    bridge.wait(LATER).await;
    assert_eq!(bridge.sweep().await.gaps.len(), 1);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.lead(&lead).unwrap()["custom"]["code"], "R-8");
}

#[tokio::test]
async fn a_value_that_was_never_agreed_on_is_found_too_and_one_that_may_not_cross_is_not() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    bridge.second().await;
    bridge.highlevel.drop_next_webhooks(9);
    bridge.casepeer.drop_next_webhooks(9);
    bridge.highlevel.update_contact(&contact, json!({ "address1": "1 Main St" }));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "zip": "78701" } } }));
    bridge.wait(LATER).await;
    assert_eq!(bridge.sweep().await.gaps.len(), 2);
    bridge.settle().await;
    let leads = bridge.casepeer.leads();
    let ours = leads.iter().find(|one| one["id"] != lead.as_str()).unwrap();
    assert_eq!(ours["client"]["address"]["line1"], "1 Main St");
    let theirs = bridge.highlevel.contacts().into_iter().find(|one| one["id"] != contact.as_str()).unwrap();
    assert_eq!(theirs["postalCode"], "78701");
    // A date of birth stays where it is unless the firm says otherwise.
    bridge.second().await;
    bridge.highlevel.drop_next_webhooks(9);
    bridge.highlevel.update_contact(&contact, json!({ "dateOfBirth": "1990-05-06" }));
    bridge.wait(LATER).await;
    assert!(bridge.sweep().await.gaps.is_empty());
}
