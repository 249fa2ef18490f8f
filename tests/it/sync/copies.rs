//! Tasks, notes and appointments: who, when, how urgent, and nothing that runs.

use casebridge::twin::{NewLead, NewNote, casepeer, highlevel};
use serde_json::json;

use crate::story::{ada, grace};
use crate::support::TestBridge;

const SYNC: &str = r#"
[firms.sync]
time_zone = "America/Chicago"
[[firms.sync.initial_tasks]]
case_type = "Auto Accident"
key = "call"
title = "Call the client"
assignee = "paul@twin.example"
[firms.sync.notes]
to_highlevel = ["Intake"]
[firms.sync.tasks]
text_to_highlevel = true
priorities = { urgent = "!!", low = "!" }
assignees = { "laura@twin.example" = "irene@twin.example" }
"#;

#[tokio::test]
async fn a_tasks_priority_assignee_and_due_day_cross_both_ways() {
    let bridge = TestBridge::with(SYNC).await;
    let users = bridge.highlevel.users();
    let lead = bridge.casepeer.create_lead(NewLead { case_type: "Dog Bite".into(), ..grace() });
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.create_task(
        &lead,
        casepeer::NewTask {
            title: "Photograph the <b>scene</b>".into(),
            priority: "urgent".into(),
            due_at: "2026-12-01T15:00:00Z".into(),
            assignee_id: "U-9".into(),
            ..casepeer::NewTask::default()
        },
    );
    bridge.settle().await;
    let task = bridge.highlevel.tasks(&contact).remove(0);
    assert_eq!(task["title"], "!! Photograph the scene");
    assert_eq!(task["assignedTo"], users[0], "Laura works as Irene in HighLevel");
    assert!(task["dueDate"].as_str().unwrap().starts_with("2026-12-01T15:00:00"), "{task}");

    bridge.highlevel.create_task(
        &contact,
        highlevel::NewTask {
            title: "!! Call the witness".into(),
            due_date: "2026-12-02T15:00:00-06:00".into(),
            assigned_to: users[1].clone(),
            ..highlevel::NewTask::default()
        },
    );
    bridge.settle().await;
    let copy = bridge.casepeer.tasks().into_iter().find(|task| task["title"] == "Call the witness").unwrap();
    assert_eq!((&copy["priority"], &copy["assignee_id"]), (&json!("urgent"), &json!("U-2")));
    assert_eq!(copy["due_at"], "2026-12-02T21:00:00Z");
}

#[tokio::test]
async fn an_initial_task_is_given_to_whom_the_firm_says() {
    let bridge = TestBridge::with(SYNC).await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(bridge.highlevel.tasks(&contact)[0]["assignedTo"], bridge.highlevel.users()[1]);
}

#[tokio::test]
async fn a_note_keeps_its_author_and_time_and_loses_what_would_run() {
    let bridge = TestBridge::with(SYNC).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.create_note(&contact, "<p>Prefers <b>mornings</b></p><script>alert(1)</script>");
    bridge.settle().await;
    let note = bridge.casepeer.notes().remove(0);
    assert_eq!(note["body"], "Prefers mornings");
    assert!(note["occurred_at"].as_str().unwrap().starts_with("2026-11-24T12:00:00"), "{note}");

    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.create_note(
        &lead,
        NewNote {
            body: "Called <i>back</i><br>No answer<img src=x onerror=alert(1)>".into(),
            category: "Intake".into(),
            author_id: "U-2".into(),
        },
    );
    bridge.settle().await;
    let notes = bridge.highlevel.notes(&contact);
    let copy = notes.iter().find(|note| note["body"].as_str().unwrap().starts_with("Called")).unwrap();
    assert_eq!(copy["body"], "Called back\nNo answer\n\nPaul Paralegal, 2026-11-24 06:00 CST (CASEpeer)");
    assert_eq!(copy["userId"], bridge.highlevel.users()[1]);
}

#[tokio::test]
async fn a_note_that_is_written_anew_is_told_once_more_and_one_that_is_deleted_stays_in_the_case_file() {
    let bridge = TestBridge::with(SYNC).await;
    let contact = bridge.highlevel.create_contact(ada());
    let note = bridge.highlevel.create_note(&contact, "Prefers mornings");
    bridge.settle().await;
    bridge.highlevel.update_note(&contact, &note, "Prefers evenings");
    bridge.settle().await;
    bridge.highlevel.redeliver_last();
    bridge.settle().await;
    let bodies = || {
        let notes = bridge.casepeer.notes().into_iter();
        notes.map(|note| note["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bodies(), ["Prefers mornings", "Changed in HighLevel:\n\nPrefers evenings"]);
    // Back to what it was: another change, and no echo of the copies.
    bridge.highlevel.update_note(&contact, &note, "Prefers mornings");
    bridge.settle().await;
    assert_eq!((bodies().len(), bridge.highlevel.notes(&contact).len()), (3, 1));
    bridge.highlevel.delete_note(&contact, &note);
    bridge.settle().await;
    assert_eq!(bodies().len(), 3);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_task_that_is_deleted_in_highlevel_stays_in_casepeer_and_is_spoken_of_once() {
    let bridge = TestBridge::with(SYNC).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let new = || highlevel::NewTask { title: "Call the witness".into(), ..highlevel::NewTask::default() };
    let (told, untold) =
        (bridge.highlevel.create_task(&contact, new()), bridge.highlevel.create_task(&contact, new()));
    bridge.settle().await;
    bridge.highlevel.delete_task(&contact, &told);
    bridge.settle().await;
    bridge.highlevel.redeliver_last();
    bridge.settle().await;
    let notes = bridge.casepeer.notes();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        notes[0]["body"],
        "The task \"Call the witness\" was deleted in HighLevel. It stays here as it is."
    );
    // Of the other nobody tells; it shows when its copy is completed.
    bridge.highlevel.drop_next_webhooks(1);
    bridge.highlevel.delete_task(&contact, &untold);
    for task in bridge.casepeer.tasks() {
        bridge.casepeer.complete_task(task["id"].as_str().unwrap());
    }
    bridge.settle().await;
    assert_eq!(bridge.highlevel.writes(), 0);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn an_appointment_becomes_a_note_and_each_change_another() {
    let bridge = TestBridge::with(SYNC).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let id = bridge.highlevel.create_appointment(&contact, "Consultation", "2026-12-01T15:00:00Z");
    bridge.settle().await;
    let body = "HighLevel appointment 2026-12-01 09:00 CST (confirmed): Consultation";
    assert_eq!(bridge.casepeer.notes()[0]["body"], body);
    bridge.highlevel.update_appointment(&id, json!({ "appointmentStatus": "cancelled" }));
    bridge.settle().await;
    bridge.highlevel.redeliver_last();
    bridge.settle().await;
    let notes = bridge.casepeer.notes();
    assert_eq!(notes.len(), 2);
    assert!(notes[1]["body"].as_str().unwrap().contains("(cancelled)"));
    assert_eq!(bridge.highlevel.notes(&contact).len(), 0, "our own do not come back");
}

#[tokio::test]
async fn an_appointment_becomes_a_task_or_nothing_where_the_firm_wants_that() {
    for (create, tasks, notes) in [("task", 1, 1), ("nothing", 0, 0)] {
        let bridge = TestBridge::with(&format!("[firms.sync.appointments]\ncreate = \"{create}\"\n")).await;
        let contact = bridge.highlevel.create_contact(ada());
        bridge.settle().await;
        bridge.highlevel.create_appointment(&contact, "Consultation", "2026-12-01T15:00:00Z");
        bridge.settle().await;
        assert_eq!(
            (bridge.casepeer.tasks().len(), bridge.casepeer.notes().len()),
            (tasks, notes),
            "{create}"
        );
    }
}
