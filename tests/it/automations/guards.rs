//! What keeps a rule within bounds.

use casebridge::bridge::NotSaved;
use casebridge::domain::{EventState, ReviewAction, ReviewKind};
use casebridge::twin::NewContact;
use jiff::SignedDuration;
use serde_json::json;

use super::{TAG, import, try_import};
use crate::identity::{answer, asked};
use crate::story::ada;
use crate::support::TestBridge;

fn person(number: usize) -> NewContact {
    let (email, phone) = (format!("p{number}@example.com"), format!("+1512555{:04}", 200 + number));
    NewContact { first_name: format!("P{number}"), last_name: format!("L{number}"), email, phone, ..ada() }
}

fn tagged(bridge: &TestBridge) -> usize {
    bridge.highlevel.contacts().iter().filter(|contact| contact["tags"] == json!(["google"])).count()
}

#[tokio::test]
async fn a_rule_over_its_budget_waits_for_a_person_and_goes_on_when_allowed() {
    let bridge = TestBridge::start().await;
    import(&bridge.installation, &TAG.replacen("when =", "writes_per_hour = 2\nwhen =", 1)).await;
    for number in 0..5 {
        bridge.highlevel.create_contact(person(number));
    }
    bridge.settle().await;
    assert_eq!((tagged(&bridge), bridge.installation.count(EventState::InReview).await), (2, 3));
    let questions = asked(&bridge).await;
    assert_eq!(
        (questions.len(), questions[0].row.kind),
        (1, ReviewKind::RuleBudget),
        "a person is asked once"
    );
    assert!(questions[0].row.why.contains("has made its 2 writes of this hour"));
    bridge.installation.clock.advance(SignedDuration::from_secs(1));
    answer(&bridge, ReviewAction::Retry).await;
    assert_eq!((tagged(&bridge), bridge.installation.count(EventState::InReview).await), (4, 1));
    answer(&bridge, ReviewAction::Ignore).await;
    assert_eq!((tagged(&bridge), bridge.installation.count(EventState::InReview).await), (4, 0));
}

#[tokio::test]
async fn a_rule_that_sets_itself_off_is_stopped() {
    let bridge = TestBridge::start().await;
    let text = "id = 'loop'\nwhen = 'webhook.ContactUpdate'\nmay_trigger_itself = true\n[[then]]\n\
        action = 'contacts.update-contact'\nwith = { contactId = '{id}', address1 = '{event.id}' }\n";
    import(&bridge.installation, text).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.highlevel.update_contact(&contact, json!({ "city": "Waco" }));
    bridge.settle().await;
    let questions = asked(&bridge).await;
    assert_eq!(questions[0].row.kind, ReviewKind::HopBudget);
    assert!(questions[0].row.why.contains("it sets itself off"), "{}", questions[0].row.why);
}

#[tokio::test]
async fn two_rules_that_set_each_other_off_are_not_saved() {
    let bridge = TestBridge::start().await;
    let rule = |id: &str, when: &str, action: &str| {
        format!("id = '{id}'\nwhen = '{when}'\n[[then]]\naction = '{action}'\n")
    };
    let one = rule("notes", "webhook.TaskComplete", "contacts.create-note")
        + "with = { contactId = '{contactId}', body = 'done' }\n";
    let other = rule("tasks", "webhook.NoteCreate", "contacts.update-task-completed")
        + "with = { contactId = '{contactId}', taskId = 't', completed = true }\n";
    import(&bridge.installation, &one).await;
    let Err(NotSaved::Wrong(wrong)) = try_import(&bridge.installation, &other).await else {
        panic!("it was saved")
    };
    let why = wrong[0].to_string();
    assert!(why.contains("triggers itself through") && why.contains("sets off the rule `notes`"), "{why}");
    assert!(bridge.installation.store.rules().await.unwrap().iter().all(|row| row.id != "tasks"));
}

#[tokio::test]
async fn a_rule_is_for_the_firms_it_names() {
    let bridge = TestBridge::start().await;
    import(&bridge.installation, &TAG.replacen("when =", "firms = ['another']\nwhen =", 1)).await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(tagged(&bridge), 0);
}

const MESSAGE: &str = r#"
id = "welcome"
when = "webhook.ContactCreate"
[[then]]
action = "conversations.send-a-new-message"
with = { type = "SMS", subType = "SMS", contactId = "{id}", status = "pending", message = "Welcome" }
[[then]]
action = "contacts.add-tags"
with = { contactId = "{id}", tags = ["welcomed"] }
"#;

#[tokio::test]
async fn who_is_not_to_be_disturbed_by_now_gets_no_message_and_the_event_says_why() {
    let active = |channel: &str| json!({ "dndSettings": { channel: { "status": "active" } } });
    let cases = [(active("SMS"), false), (json!({ "dnd": true }), false), (active("Email"), true)];
    for (consent, is_sent) in cases {
        let bridge = TestBridge::start().await;
        import(&bridge.installation, MESSAGE).await;
        let contact = bridge.highlevel.create_contact(ada());
        bridge.deliver().await;
        // After the event that sets the rule off was received.
        bridge.highlevel.drop_next_webhooks(1);
        bridge.highlevel.update_contact(&contact, consent);
        bridge.settle().await;
        let events = bridge.installation.events().await;
        let first = events.iter().find(|row| row.kind == "ContactCreate").unwrap().id;
        let story = bridge.installation.store.event(first).await.unwrap().unwrap();
        let sent = story.calls.iter().filter(|call| call.operation == "conversations.send-a-new-message");
        assert_eq!(sent.count() > 0, is_sent, "{story:#?}");
        let remarks = story.plan.unwrap().remarks.join("; ");
        assert_eq!(remarks.contains("not to be disturbed by SMS"), !is_sent, "{remarks}");
        if !is_sent {
            assert_eq!(story.row.state, EventState::Done, "nothing is wrong");
            assert_eq!(
                bridge.highlevel.contact(&contact).unwrap()["tags"],
                json!([]),
                "what would follow is not done"
            );
        }
    }
}
