//! What happens in one system shows in the other: the promises of everyday, on the twin.

use casebridge::domain::EventState;
use casebridge::twin::{NewContact, NewLead, NewNote, casepeer, highlevel};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::TestBridge;

pub fn ada() -> NewContact {
    NewContact {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        email: "Ada@Example.com".into(),
        phone: "(512) 555-0100".into(),
        city: "Austin".into(),
        source: "Google Ads".into(),
        ..NewContact::default()
    }
}

pub fn grace() -> NewLead {
    NewLead {
        first_name: "Grace".into(),
        last_name: "Hopper".into(),
        email: "grace@example.com".into(),
        phone: "+15125550199".into(),
        case_type: "Auto Accident".into(),
        source: "Referral".into(),
        ..NewLead::default()
    }
}

fn titles(tasks: &[Value]) -> Vec<&str> {
    let mut titles: Vec<&str> = tasks.iter().map(|task| task["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    titles
}

#[tokio::test]
async fn a_new_contact_becomes_one_lead() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let leads = bridge.casepeer.leads();
    assert_eq!(leads.len(), 1);
    assert_eq!(leads[0]["external_ref"], format!("ghl:{}:{contact}", bridge.highlevel.location()));
    assert_eq!(leads[0]["client"]["last_name"], "Byron");
    assert_eq!(leads[0]["client"]["email"], "ada@example.com");
    assert_eq!(leads[0]["client"]["phone"], "+15125550100");
    assert_eq!(leads[0]["client"]["address"]["city"], "Austin");

    bridge.highlevel.redeliver_last();
    bridge.settle().await;
    assert_eq!((bridge.casepeer.writes(), bridge.highlevel.writes()), (1, 0));
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_new_lead_becomes_one_contact_with_its_initial_tasks() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let contacts = bridge.highlevel.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0]["firstName"], "Grace");
    assert_eq!(contacts[0]["tags"], json!(["cp:synced"]));
    assert_eq!(contacts[0]["source"], "Referral");
    let tasks = bridge.highlevel.tasks(contacts[0]["id"].as_str().unwrap());
    assert_eq!(titles(&tasks), ["Order the police report", "Send the welcome package"]);
    assert_eq!(tasks[0]["dueDate"].as_str().map(|due| &due[..10]), Some("2026-11-26"));

    bridge.casepeer.redeliver_last();
    bridge.settle().await;
    assert_eq!(
        (bridge.highlevel.writes(), bridge.casepeer.writes()),
        (3, 0),
        "the contact and two tasks, once"
    );
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_changed_contact_changes_its_lead_and_the_echo_changes_nothing() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas", "phone": "+15125550111" }));
    bridge.settle().await;
    let lead = &bridge.casepeer.leads()[0];
    assert_eq!(lead["client"]["phone"], "+15125550111");
    assert_eq!(lead["client"]["address"]["city"], "Dallas");
    assert_eq!((bridge.casepeer.writes(), bridge.highlevel.writes()), (2, 0));
}

#[tokio::test]
async fn a_changed_lead_changes_its_contact_and_the_echo_changes_nothing() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let writes = bridge.writes();
    bridge.casepeer.update_lead(&lead, json!({ "client": { "email": "grace@navy.example" } }));
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts()[0]["email"], "grace@navy.example");
    assert_eq!(bridge.writes(), writes + 1);
}

#[tokio::test]
async fn changes_on_both_sides_meet_field_by_field() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "phone": "+15125550122" } }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Dallas");
    assert_eq!(bridge.casepeer.leads()[0]["client"]["phone"], "+15125550122");
    let contact = bridge.highlevel.contact(&contact).unwrap();
    assert_eq!((&contact["city"], &contact["phone"]), (&json!("Dallas"), &json!("+15125550122")));
    assert_eq!(bridge.writes(), 3, "the lead, and one write for each edit");
}

#[tokio::test]
async fn there_and_back_and_there_again_is_three_changes() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    for city in ["Dallas", "Austin", "Dallas", "Austin"] {
        bridge.highlevel.update_contact(&contact, json!({ "city": city }));
        bridge.settle().await;
        assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], city);
    }
    assert_eq!(bridge.casepeer.writes(), 5);
}

#[tokio::test]
async fn a_contact_without_a_last_name_gets_a_filler_that_does_not_come_back() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(NewContact { last_name: String::new(), ..ada() });
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["last_name"], "Unknown");
    bridge.casepeer.redeliver_last();
    bridge.settle().await;
    let last_name = bridge.highlevel.contact(&contact).unwrap()["lastName"].clone();
    assert!(last_name.is_null() || last_name == "", "{last_name}");
    assert_eq!(bridge.writes(), 1);
}

#[tokio::test]
async fn a_contact_nobody_could_reach_becomes_a_lead_once_it_has_a_phone() {
    let bridge = TestBridge::start().await;
    let unreachable = NewContact { email: String::new(), phone: String::new(), ..ada() };
    let contact = bridge.highlevel.create_contact(unreachable);
    bridge.settle().await;
    assert_eq!(bridge.writes(), 0);
    bridge.highlevel.update_contact(&contact, json!({ "phone": "+15125550100" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
}

#[tokio::test]
async fn a_contact_brings_the_tasks_and_notes_it_has() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.hold_webhooks(true);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.highlevel.create_task(&contact, task("Call back"));
    bridge.highlevel.create_note(&contact, "Asked for a Spanish speaker");
    bridge.highlevel.hold_webhooks(false);
    bridge.settle().await;
    assert_eq!(titles(&bridge.casepeer.tasks()), ["Call back"]);
    assert_eq!(bridge.casepeer.notes().len(), 1);
    assert_eq!(
        bridge.casepeer.writes(),
        3,
        "the lead, the task and the note, although each has a webhook too"
    );
}

fn task(title: &str) -> highlevel::NewTask {
    highlevel::NewTask {
        title: title.into(),
        due_date: "2026-12-01T15:00:00Z".into(),
        ..highlevel::NewTask::default()
    }
}

fn case_task(title: &str) -> casepeer::NewTask {
    casepeer::NewTask { title: title.into(), ..casepeer::NewTask::default() }
}

#[tokio::test]
async fn a_contacts_task_is_copied_and_completed_in_casepeer() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let id = bridge.highlevel.create_task(&contact, task("Call back"));
    bridge.settle().await;
    let copies = bridge.casepeer.tasks();
    assert_eq!(titles(&copies), ["Call back"]);
    assert_eq!(copies[0]["completed"], false);
    bridge.highlevel.complete_task(&contact, &id);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.tasks()[0]["completed"], true);
    assert_eq!((bridge.casepeer.writes(), bridge.highlevel.writes()), (3, 0));
}

#[tokio::test]
async fn a_leads_task_is_copied_and_completed_in_highlevel() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(NewLead { case_type: "Dog Bite".into(), ..grace() });
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let id = bridge.casepeer.create_task(&lead, case_task("Ask for photographs"));
    bridge.settle().await;
    assert_eq!(
        titles(&bridge.highlevel.tasks(&contact)),
        ["Ask for photographs", "Send the welcome package"]
    );
    bridge.casepeer.complete_task(&id);
    bridge.settle().await;
    let tasks = bridge.highlevel.tasks(&contact);
    let copy = tasks.iter().find(|task| task["title"] == "Ask for photographs").unwrap();
    assert_eq!(copy["completed"], true);
    assert_eq!((bridge.highlevel.writes(), bridge.casepeer.writes()), (4, 0));
}

#[tokio::test]
async fn a_task_that_was_completed_before_its_creation_was_told_is_copied_once_and_done() {
    for reversed in [false, true] {
        let bridge = TestBridge::start().await;
        let lead = bridge.casepeer.create_lead(grace());
        let contact = bridge.highlevel.create_contact(ada());
        bridge.settle().await;
        let writes = bridge.writes();
        bridge.casepeer.hold_webhooks(true);
        bridge.highlevel.hold_webhooks(true);
        let id = bridge.casepeer.create_task(&lead, case_task("Ask for photographs"));
        bridge.casepeer.complete_task(&id);
        let id = bridge.highlevel.create_task(&contact, task("Call back"));
        bridge.highlevel.complete_task(&contact, &id);
        if reversed {
            bridge.casepeer.reverse_held();
            bridge.highlevel.reverse_held();
        }
        bridge.casepeer.hold_webhooks(false);
        bridge.highlevel.hold_webhooks(false);
        bridge.settle().await;
        let contacts = bridge.highlevel.contacts();
        let graces = contacts.iter().find(|contact| contact["firstName"] == "Grace").unwrap();
        let copies = bridge.highlevel.tasks(graces["id"].as_str().unwrap());
        let copy = copies.iter().find(|task| task["title"] == "Ask for photographs").unwrap();
        assert_eq!(copy["completed"], true, "reversed: {reversed}");
        assert_eq!(
            bridge.casepeer.tasks().iter().filter(|task| task["completed"] == true).count(),
            2,
            "the one and the copy of the other, reversed: {reversed}"
        );
        assert_eq!(bridge.writes(), writes + 2, "one copy each, born completed, reversed: {reversed}");
    }
}

#[tokio::test]
async fn a_task_whose_webhook_does_not_say_whose_it_is_finds_its_person() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.send_bare_tasks(true);
    bridge.highlevel.create_task(&contact, task("Call back"));
    bridge.settle().await;
    assert_eq!(titles(&bridge.casepeer.tasks()), ["Call back"]);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn notes_cross_once_and_back_only_in_listed_categories() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.create_note(&contact, "Prefers mornings");
    bridge.settle().await;
    assert_eq!(bridge.casepeer.notes()[0]["body"], "Prefers mornings");

    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    let note = |category: &str, body: &str| NewNote {
        body: body.into(),
        category: category.into(),
        ..NewNote::default()
    };
    bridge.casepeer.create_note(&lead, note("Medical", "MRI on Tuesday"));
    bridge.casepeer.create_note(&lead, note("", "no category"));
    bridge.casepeer.create_note(&lead, note("intake", "Called back"));
    bridge.settle().await;
    let bodies: Vec<_> = bridge.highlevel.notes(&contact).iter().map(|note| note["body"].clone()).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies.contains(&json!("Called back")) && bodies.contains(&json!("Prefers mornings")));
}

#[tokio::test]
async fn a_cases_task_text_stays_in_casepeer_unless_the_firm_shares_it() {
    let bridge = TestBridge::with("").await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.casepeer.create_task(&lead, case_task("MRI of the left knee"));
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(titles(&bridge.highlevel.tasks(&contact)), ["Task in CASEpeer"]);
}

#[tokio::test]
async fn a_case_moves_its_opportunity_and_latches_its_milestones() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    let opportunities = bridge.highlevel.opportunities();
    assert_eq!(opportunities.len(), 1);
    assert_eq!(
        (&opportunities[0]["name"], &opportunities[0]["status"]),
        (&json!("Grace Hopper"), &json!("open"))
    );
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    assert_eq!(bridge.highlevel.opportunities()[0]["status"], "won");
    let tags = || bridge.highlevel.contacts()[0]["tags"].clone();
    assert_eq!(tags(), json!(["cp:synced", "cp:lead_open", "cp:signed"]));

    // Back and forth again: the deal mirrors the status, the milestone has been counted.
    let writes = bridge.writes();
    bridge.casepeer.set_status(&case, "Intake");
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    assert_eq!(bridge.highlevel.opportunities()[0]["status"], "won");
    assert_eq!(bridge.writes(), writes + 2, "only the deal moved");
    assert_eq!(bridge.highlevel.opportunities().len(), 1);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_milestone_that_was_passed_quickly_still_counts() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.casepeer.set_status(&case, "Treating");
    bridge.casepeer.set_status(&case, "Turned down");
    bridge.settle().await;
    let tags = bridge.highlevel.contacts()[0]["tags"].clone();
    assert_eq!(tags, json!(["cp:synced", "cp:lead_open", "cp:signed", "cp:rejected"]));
    assert_eq!(bridge.highlevel.opportunities()[0]["status"], "lost");
}

#[tokio::test]
async fn an_unknown_status_changes_nothing_and_says_so() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    let writes = bridge.writes();
    bridge.casepeer.set_status(&case, "Waiting for the moon");
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes);
    let story = bridge.installation.last_story().await;
    assert_eq!(story.row.state, EventState::NothingToDo);
    assert!(story.row.reason.unwrap().contains("`Waiting for the moon` is not in the firm's map"));
}

#[tokio::test]
async fn a_case_without_a_lead_becomes_a_contact_with_initial_tasks_once() {
    let bridge = TestBridge::start().await;
    let case = casebridge::twin::NewCase {
        first_name: "Grace".into(),
        last_name: "Hopper".into(),
        email: "grace@example.com".into(),
        case_type: "Auto Accident".into(),
        status: "Treating".into(),
        ..Default::default()
    };
    bridge.casepeer.create_case(case);
    bridge.settle().await;
    let contact = bridge.highlevel.contacts()[0].clone();
    assert_eq!(contact["tags"], json!(["cp:synced", "cp:signed"]));
    assert_eq!(bridge.highlevel.tasks(contact["id"].as_str().unwrap()).len(), 2);
}

#[tokio::test]
async fn people_who_are_known_on_both_sides_are_linked_not_doubled() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.hold_webhooks(true);
    bridge.casepeer.create_lead(NewLead {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        email: "ada@example.com".into(),
        ..NewLead::default()
    });
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.casepeer.hold_webhooks(false);
    bridge.settle().await;
    assert_eq!((bridge.casepeer.leads().len(), bridge.highlevel.contacts().len()), (1, 1));
    assert_eq!(
        bridge.casepeer.leads()[0]["client"]["phone"],
        "+15125550100",
        "what was missing is filled in"
    );
}

#[tokio::test]
async fn a_familys_shared_phone_is_not_one_person() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.allow_duplicates(true);
    bridge.highlevel.create_contact(NewContact { email: String::new(), ..ada() });
    bridge.settle().await;
    let child = NewContact { first_name: "Ralph".into(), email: String::new(), ..ada() };
    bridge.highlevel.create_contact(child);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
}

#[tokio::test]
async fn an_echo_that_arrives_before_the_answer_makes_no_second_record() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.echo_before_response(true);
    bridge.casepeer.echo_before_response(true);
    let contact = bridge.highlevel.create_contact(ada());
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    bridge.highlevel.create_task(&contact, task("Call back"));
    bridge.casepeer.create_task(&lead, case_task("Ask for photographs"));
    bridge.highlevel.create_note(&contact, "Prefers mornings");
    bridge.settle().await;
    assert_eq!((bridge.casepeer.leads().len(), bridge.highlevel.contacts().len()), (2, 2));
    assert_eq!(bridge.casepeer.tasks().len(), 2);
    assert_eq!(bridge.casepeer.notes().len(), 1);
    assert_eq!(bridge.writes(), 7, "lead, contact, two initial tasks, two copies, a note");
}

#[tokio::test]
async fn what_happens_while_casepeer_is_down_arrives_when_it_is_up_and_in_order() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.set_down(true);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    let id = bridge.highlevel.create_task(&contact, task("Call back"));
    bridge.highlevel.complete_task(&contact, &id);
    bridge.wait(SignedDuration::from_mins(30)).await;
    assert_eq!(bridge.casepeer.leads().len(), 0);
    assert_eq!(bridge.installation.count(EventState::Retrying).await, 1, "the head of the lane");
    assert_eq!(bridge.installation.count(EventState::Waiting).await, 3, "the rest waits behind it");

    bridge.casepeer.set_down(false);
    bridge.wait(SignedDuration::from_hours(8)).await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["city"], "Dallas");
    assert_eq!(bridge.casepeer.tasks()[0]["completed"], true);
    assert_eq!(bridge.casepeer.leads().len(), 1);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn one_persons_failing_event_does_not_hold_up_another() {
    let bridge = TestBridge::start().await;
    let fault = casebridge::twin::Fault::status(500).on("GET", "/contacts/").times(1);
    bridge.highlevel.fault(fault);
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 0);
    let other = NewContact {
        first_name: "Mary".into(),
        email: "mary@example.com".into(),
        phone: String::new(),
        ..ada()
    };
    bridge.highlevel.create_contact(other);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    bridge.wait(SignedDuration::from_secs(10)).await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
}

#[tokio::test]
async fn a_refused_write_is_shown_and_a_replay_mends_it_without_a_second_record() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.fault(casebridge::twin::Fault::status(422).on("POST", "/leads").times(1));
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let story = bridge.installation.last_story().await;
    assert_eq!(story.row.state, EventState::Undelivered);
    assert!(story.row.reason.as_ref().unwrap().starts_with("lead.create answered 422"), "{story:?}");
    assert_eq!(story.calls.last().unwrap().target, "POST /leads");
    for _ in 0..2 {
        assert_eq!(bridge.installation.store.replay(story.row.id).await.unwrap(), Some(true));
        bridge.settle().await;
        assert_eq!(bridge.casepeer.leads().len(), 1);
    }
}

#[tokio::test]
async fn a_contact_that_is_announced_and_not_there_is_looked_for_again_and_then_shown() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.hold_webhooks(true);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.highlevel.delete_contact(&contact);
    bridge.highlevel.hold_webhooks(false);
    bridge.settle().await;
    assert_eq!(bridge.installation.count(EventState::Retrying).await, 1, "HighLevel may show it late");
    for _ in 0..3 {
        bridge.wait(SignedDuration::from_mins(2)).await;
    }
    let row = bridge.installation.events().await.remove(0);
    assert_eq!(row.state, EventState::Undelivered);
    assert!(row.reason.unwrap().contains("if it was deleted, discard this event"));
    assert_eq!(bridge.writes(), 0);
}

#[tokio::test]
async fn a_known_contact_that_was_deleted_is_no_fault() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.hold_webhooks(true);
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.highlevel.delete_contact(&contact);
    bridge.highlevel.hold_webhooks(false);
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "nothing is ever deleted");
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn two_people_with_one_phone_are_never_merged_although_highlevel_takes_them_for_one() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let bob = NewLead {
        first_name: "Bob".into(),
        last_name: "Stone".into(),
        phone: "+15125550100".into(),
        case_type: "Auto Accident".into(),
        ..NewLead::default()
    };
    bridge.casepeer.create_lead(bob);
    bridge.settle().await;
    bridge.wait(SignedDuration::from_mins(1)).await;
    let contacts = bridge.highlevel.contacts();
    assert_eq!((contacts.len(), &contacts[0]["firstName"]), (1, &json!("Ada")));
    let contact = contacts[0]["id"].as_str().unwrap();
    assert!(bridge.highlevel.tasks(contact).is_empty(), "Bob's tasks are not Ada's");
    bridge.highlevel.update_contact(contact, json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert!(bridge.casepeer.leads().iter().any(|lead| lead["client"]["last_name"] == "Stone"));
    let rows = bridge.installation.events().await;
    let row = rows.iter().find(|row| row.state == EventState::InReview).expect("a person has to say");
    assert!(row.reason.as_ref().unwrap().contains("it may be another person"), "{row:?}");

    // Somebody allows the second contact; the replay makes it.
    bridge.highlevel.allow_duplicates(true);
    bridge.installation.store.replay(row.id).await.unwrap();
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 2);
    assert_eq!(bridge.installation.count(EventState::InReview).await, 0, "the question answered itself");
}

#[tokio::test]
async fn initial_tasks_are_for_new_matters_and_not_for_old_ones() {
    let bridge = TestBridge::start().await;
    let lead = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let writes = bridge.writes();
    for city in ["Austin", "Dallas"] {
        bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": city } } }));
        bridge.settle().await;
    }
    assert_eq!(bridge.writes(), writes + 2);
    let story = bridge.installation.last_story().await;
    let planned = story.plan.unwrap().commands;
    assert!(planned.iter().all(|command| !command.command.contains("task")), "{planned:?}");
}
