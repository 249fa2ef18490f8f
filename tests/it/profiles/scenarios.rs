//! What happens in one system shows in the other, told without a word of any wire format.

use std::pin::Pin;

use casebridge::domain::EventState;
use casebridge::operations::casepeer::Transport;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stage::Stage;

pub struct Scenario {
    pub name: &'static str,
    /// The operations it needs.
    pub operations: &'static [&'static str],
    /// What the CASEpeer side must tell of by itself.
    pub webhooks: &'static [&'static str],
    pub play: fn(Stage) -> Pin<Box<dyn Future<Output = ()>>>,
}

macro_rules! scenarios {
    ($($name:literal needs [$($operation:literal),*] and hears of [$($kind:literal),*]: $play:ident;)+) => {
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: $name,
            operations: &[$($operation),*],
            webhooks: &[$($kind),*],
            play: |stage| Box::pin($play(stage)),
        }),+];
    };
}

scenarios! {
    "a new contact becomes one lead" needs ["lead.create"] and hears of []: new_contact;
    "a create whose answer is lost happens once" needs ["lead.create"] and hears of []: lost_answer;
    "a changed contact changes its lead" needs ["lead.create", "lead.get", "lead.update"] and hears of []: changed_contact;
    "a changed lead changes its contact" needs ["lead.get"] and hears of ["lead"]: changed_lead;
    "a new lead becomes one contact with its tasks" needs ["lead.get"] and hears of ["lead"]: new_lead;
    "a lead that is there is linked, not doubled" needs ["lead.find", "lead.get"] and hears of []: known_lead;
    "a task is copied and completed in HighLevel" needs ["lead.create", "task.create", "task.complete"] and hears of []: task_here;
    "a task is copied and completed in CASEpeer" needs ["task.get", "lead.get"] and hears of ["lead", "task"]: task_there;
    "a note is copied to the lead" needs ["lead.create", "note.create_on_lead"] and hears of []: note_on_lead;
    "a note is copied to the case" needs ["case.get", "note.create_on_case"] and hears of ["case"]: note_on_case;
    "a note of CASEpeer's is copied" needs ["note.list_on_lead", "lead.get"] and hears of ["lead", "note"]: note_there;
    "a case moves its deal and latches its milestone" needs ["case.get"] and hears of ["case"]: case_status;
    "a changed contact changes its case's client" needs ["case.get", "case.update"] and hears of ["case"]: changed_client;
}

async fn assert_well(stage: &Stage) {
    let undelivered = stage.installation.count(EventState::Undelivered).await;
    assert_eq!(undelivered, 0, "{:?}: {}", stage.shape, stage.installation.tell().await);
}

fn ada(city: &str) -> [String; 5] {
    ["Ada", "Byron", "ada@example.com", "+15125550100", city].map(str::to_owned)
}

async fn new_contact(stage: Stage) {
    stage.ada().await;
    stage.highlevel.redeliver_last();
    stage.settle().await;
    assert_eq!(stage.people(), [ada("Austin")], "{}", stage.installation.tell().await);
    assert_eq!(stage.writes(), 1);
    assert_well(&stage).await;
    // What only hands over says so, and a later change is not handed over again.
    let is_handed_over = stage.profile.transport("lead.create") == Transport::ZapierHook;
    assert_eq!(stage.installation.count(EventState::HandedOff).await, u64::from(is_handed_over));
    let id = stage.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    stage.highlevel.update_contact(&id, json!({ "source": "Billboard" }));
    stage.settle().await;
    assert_eq!(stage.people().len(), 1);
}

async fn lost_answer(stage: Stage) {
    stage.lose_next_create();
    stage.ada().await;
    for _ in 0..4 {
        stage.wait(SignedDuration::from_mins(3)).await;
    }
    assert_eq!(stage.people().len(), 1, "{:?}: {}", stage.shape, stage.installation.tell().await);
    stage.wait(SignedDuration::from_mins(30)).await;
    let story = stage.installation.last_story().await;
    let is_certain =
        *stage.profile.idempotency("lead.create") != casebridge::operations::casepeer::Idempotency::None;
    if is_certain {
        let is_well = matches!(story.row.state, EventState::Done | EventState::NothingToDo);
        assert!(is_well, "{}", stage.installation.tell().await);
        return;
    }
    // Nothing could show what became of it. A replay does not send it again either.
    stage.installation.store.replay(story.row.id).await.unwrap();
    stage.settle().await;
    let story = stage.installation.last_story().await;
    assert_eq!(story.row.state, EventState::InReview, "{}", stage.installation.tell().await);
    assert!(story.row.reason.unwrap().contains("has not been confirmed"));
    assert_eq!(stage.people().len(), 1);
}

async fn changed_contact(stage: Stage) {
    let contact = stage.ada().await;
    for city in ["Dallas", "El Paso"] {
        stage.highlevel.update_contact(&contact, json!({ "city": city }));
        stage.settle().await;
        assert_eq!(stage.people(), [ada(city)], "{}", stage.installation.tell().await);
    }
    assert_eq!((stage.writes(), stage.highlevel.writes()), (3, 0));
    assert_well(&stage).await;
}

async fn changed_lead(stage: Stage) {
    let lead = stage.grace().await;
    stage.move_lead(&lead, "Arlington").await;
    let contacts = stage.highlevel.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0]["city"], "Arlington", "{}", stage.installation.tell().await);
    assert_eq!(stage.writes(), 0);
    assert_well(&stage).await;
}

async fn new_lead(stage: Stage) {
    stage.grace().await;
    let contacts = stage.highlevel.contacts();
    assert_eq!(contacts.len(), 1, "{}", stage.installation.tell().await);
    assert_eq!(contacts[0]["firstName"], "Grace");
    assert_eq!(contacts[0]["phone"], "+15125550199");
    let tasks = stage.highlevel.tasks(contacts[0]["id"].as_str().unwrap());
    assert!(titles(&tasks).contains(&"Send the welcome package"));
    assert_well(&stage).await;
}

async fn known_lead(stage: Stage) {
    // Silently: the contact is what the bridge hears of first.
    stage.twin.casepeer.drop_next_webhooks(1);
    match &stage.side {
        super::stage::Side::Twin | super::stage::Side::Zaps => {
            drop(stage.twin.casepeer.create_lead(Stage::like_grace()))
        }
        super::stage::Side::MyCase(stub) => {
            // On the second page, for those who look at the first alone.
            for name in ["Ann", "Bob"] {
                stub.add_lead(json!({ "first_name": name, "last_name": "X", "email": "x@example.com" }));
            }
            stub.add_lead(
                json!({ "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" }),
            );
        }
    }
    let before = stage.people().len();
    stage.contact_grace().await;
    assert_eq!(stage.people().len(), before, "{}", stage.installation.tell().await);
    assert_eq!(stage.writes(), 0, "{}", stage.installation.tell().await);
    assert_well(&stage).await;
}

fn titles(tasks: &[Value]) -> Vec<&str> {
    tasks.iter().map(|task| task["title"].as_str().unwrap_or_default()).collect()
}

async fn task_here(stage: Stage) {
    let contact = stage.ada().await;
    let new = casebridge::twin::highlevel::NewTask {
        title: "Call back".into(),
        due_date: "2026-12-01T15:00:00Z".into(),
        ..Default::default()
    };
    let task = stage.highlevel.create_task(&contact, new);
    stage.settle().await;
    assert_eq!(stage.tasks(), [("Call back".to_owned(), false)], "{}", stage.installation.tell().await);
    stage.highlevel.complete_task(&contact, &task);
    stage.settle().await;
    assert_eq!(stage.tasks(), [("Call back".to_owned(), true)], "{}", stage.installation.tell().await);
    assert_well(&stage).await;
}

async fn task_there(stage: Stage) {
    let lead = stage.grace().await;
    let new =
        casebridge::twin::casepeer::NewTask { title: "Ask for photographs".into(), ..Default::default() };
    let task = stage.twin.casepeer.create_task(&lead, new);
    stage.settle().await;
    stage.twin.casepeer.complete_task(&task);
    stage.settle().await;
    let contact = stage.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let tasks = stage.highlevel.tasks(&contact);
    let copy = tasks.iter().find(|task| task["title"] == "Ask for photographs");
    assert_eq!(copy.expect("a copy")["completed"], true, "{}", stage.installation.tell().await);
    assert_well(&stage).await;
}

async fn note_on_lead(stage: Stage) {
    let contact = stage.ada().await;
    stage.highlevel.create_note(&contact, "Prefers mornings");
    stage.settle().await;
    assert_eq!(stage.notes(), ["Prefers mornings"], "{}", stage.installation.tell().await);
    assert_well(&stage).await;
}

async fn note_on_case(stage: Stage) {
    stage.graces_case("Intake").await;
    let contact = stage.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    stage.highlevel.create_note(&contact, "Prefers evenings");
    stage.settle().await;
    assert_eq!(stage.notes(), ["Prefers evenings"], "{}", stage.installation.tell().await);
    assert_well(&stage).await;
}

async fn note_there(stage: Stage) {
    let lead = stage.grace().await;
    stage.note_on(&lead, "Called back").await;
    let contact = stage.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.highlevel.notes(&contact).len(), 1, "{}", stage.installation.tell().await);
    assert_well(&stage).await;
}

async fn case_status(stage: Stage) {
    let case = stage.graces_case("Intake").await;
    stage.set_status(&case, "Treating").await;
    let opportunities = stage.highlevel.opportunities();
    assert_eq!(opportunities.len(), 1, "{}", stage.installation.tell().await);
    assert_eq!(opportunities[0]["status"], "won");
    let tags = stage.highlevel.contacts()[0]["tags"].clone();
    assert!(tags.as_array().unwrap().contains(&json!("cp:signed")), "{tags}");
    assert_well(&stage).await;
}

async fn changed_client(stage: Stage) {
    stage.graces_case("Intake").await;
    let contact = stage.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    stage.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    stage.settle().await;
    assert_eq!(stage.clients_city(), "Dallas", "{}", stage.installation.tell().await);
    assert_eq!(stage.writes(), 1);
    assert_well(&stage).await;
}
