//! A rule runs once, in order, by the version it began with, and says what it did.

use casebridge::domain::{EventState, ReviewAction};
use casebridge::twin::{Fault, NewContact};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{TAG, import};
use crate::story::ada;
use crate::support::TestBridge;

fn tags(bridge: &TestBridge, contact: &str) -> Value {
    bridge.highlevel.contact(contact).unwrap()["tags"].clone()
}

#[tokio::test]
async fn a_rule_follows_the_sync_and_its_story_says_so() {
    let bridge = TestBridge::start().await;
    import(&bridge.installation, TAG).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.deliver().await;
    bridge.installation.step().await;
    assert_eq!(bridge.casepeer.leads().len(), 1, "the sync has its lead");
    assert_eq!(tags(&bridge, &contact), json!(["google"]));
    let story =
        bridge.installation.store.event(bridge.installation.events().await[0].id).await.unwrap().unwrap();
    assert_eq!(story.row.state, EventState::Done);
    let plan = story.plan.unwrap();
    let step = plan.commands.last().unwrap();
    assert_eq!(
        (step.command.as_str(), step.reason.as_str()),
        ("call contacts.add-tags", "rule `google`, step 1")
    );
    let call = story.calls.iter().find(|call| call.operation == "contacts.add-tags").unwrap();
    assert_eq!(call.effect_key, step.effect_key);
    assert!(call.effect_key.as_ref().unwrap().starts_with("rule:google:"));
    bridge.settle().await;
    let before = bridge.writes();
    bridge.installation.bridge.replay(story.row.id).await.unwrap();
    bridge.settle().await;
    assert_eq!(bridge.writes(), before, "a replay does nothing again");
}

#[tokio::test]
async fn a_rule_that_does_not_hold_says_so_and_does_nothing() {
    let bridge = TestBridge::start().await;
    import(&bridge.installation, TAG).await;
    let contact = bridge.highlevel.create_contact(NewContact { source: "Referral".into(), ..ada() });
    bridge.settle().await;
    assert_eq!(tags(&bridge, &contact), json!([]));
    let first = bridge.installation.events().await[0].id;
    let story = bridge.installation.store.event(first).await.unwrap().unwrap();
    let remarks = story.plan.unwrap().remarks;
    assert!(
        remarks.contains(&"the conditions of these rules do not hold: `google`".to_owned()),
        "{remarks:?}"
    );
    bridge.installation.store.switch_rule("google", false).await.unwrap();
    let other = bridge.highlevel.create_contact(NewContact {
        email: "b@example.com".into(),
        phone: String::new(),
        ..ada()
    });
    bridge.settle().await;
    assert_eq!(tags(&bridge, &other), json!([]), "a rule that is off does nothing");
}

#[tokio::test]
async fn a_refused_step_stops_its_rule_or_does_not_as_the_rule_says() {
    let broken = |id: &str, on_error: &str| {
        format!(
            "id = '{id}'\nwhen = 'webhook.ContactCreate'\non_error = '{on_error}'\n\
            [[then]]\naction = 'contacts.add-tags'\nwith = {{ contactId = 'nobody', tags = ['a'] }}\n\
            [[then]]\naction = 'contacts.add-tags'\nwith = {{ contactId = '{{id}}', tags = ['{id}'] }}\n"
        )
    };
    let bridge = TestBridge::start().await;
    import(&bridge.installation, &broken("stops", "stop")).await;
    import(&bridge.installation, &broken("goes-on", "continue")).await;
    import(&bridge.installation, TAG).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(tags(&bridge, &contact), json!(["goes-on", "google"]), "one rule does not keep another");
    let event = bridge.installation.events().await.remove(0);
    assert_eq!(event.state, EventState::Undelivered);
    let reason = event.reason.unwrap();
    assert!(reason.starts_with("rule `stops`, step 1 (contacts.add-tags): "), "{reason}");
}

#[tokio::test]
async fn a_step_without_what_it_needs_is_refused_before_it_is_sent() {
    let bridge = TestBridge::start().await;
    let text = "id = 'x'\nwhen = 'webhook.ContactCreate'\n[[then]]\naction = 'contacts.create-note'\n\
        with = { contactId = '{id}', body = '{companyName}' }\n";
    import(&bridge.installation, text).await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let event = bridge.installation.events().await.remove(0);
    assert_eq!(event.state, EventState::Undelivered);
    assert!(event.reason.unwrap().contains("`body` is required"));
}

#[tokio::test]
async fn a_run_ends_by_the_version_it_began_with() {
    let bridge = TestBridge::start().await;
    import(&bridge.installation, TAG).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.highlevel.fault(Fault::status(503).on("POST", &format!("/contacts/{contact}/tags")));
    bridge.settle().await;
    assert_eq!(bridge.installation.count(EventState::Retrying).await, 1);
    import(&bridge.installation, &TAG.replace("[\"google\"]", "[\"newer\"]")).await;
    bridge.wait(SignedDuration::from_mins(2)).await;
    assert_eq!(tags(&bridge, &contact), json!(["google"]));
    let other = bridge.highlevel.create_contact(NewContact {
        email: "b@example.com".into(),
        phone: String::new(),
        ..ada()
    });
    bridge.settle().await;
    assert_eq!(tags(&bridge, &other), json!(["newer"]));
}

#[tokio::test]
async fn a_create_that_was_not_answered_is_not_made_twice() {
    let bridge = TestBridge::start().await;
    let text = "id = 'call'\nwhen = 'webhook.ContactTagUpdate'\n[[then]]\naction = 'contacts.create-task'\n\
        with = { contactId = '{id}', title = 'Call', dueDate = { date = 'now', plus = '1d' }, completed = false }\n";
    import(&bridge.installation, text).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let path = format!("/contacts/{contact}/tasks");
    bridge.highlevel.fault(Fault::timeout_after().on("POST", &path));
    bridge.highlevel.add_tags(&contact, &["x"]);
    bridge.settle().await;
    let made = bridge.highlevel.tasks(&contact).iter().filter(|task| task["title"] == "Call").count();
    assert_eq!(made, 1);
    bridge.wait(SignedDuration::from_mins(10)).await;
    let why = crate::identity::asked(&bridge).await[0].row.why.clone();
    assert!(why.contains("answer `ignore` if it was"), "{why}");
    crate::identity::answer(&bridge, ReviewAction::Ignore).await;
    let made = bridge.highlevel.tasks(&contact).iter().filter(|task| task["title"] == "Call").count();
    assert_eq!((made, bridge.installation.count(EventState::InReview).await), (1, 0));
}

#[tokio::test]
async fn each_update_has_its_own_turn_where_a_rule_listens() {
    let bridge = TestBridge::start().await;
    let text = "id = 'noted'\nwhen = 'webhook.ContactTagUpdate'\n[[then]]\naction = 'contacts.create-note'\n\
        with = { contactId = '{id}', body = 'Tags: {tags}' }\n";
    import(&bridge.installation, text).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    for tag in ["a", "b", "c"] {
        bridge.highlevel.add_tags(&contact, &[tag]);
    }
    bridge.deliver().await;
    bridge.settle().await;
    let notes = bridge.highlevel.notes(&contact);
    let mut bodies: Vec<&str> = notes.iter().filter_map(|note| note["body"].as_str()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["Tags: a", "Tags: a, b", "Tags: a, b, c"]);
}

#[tokio::test]
async fn what_a_backfill_announces_sets_no_rule_off() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.drop_next_webhooks(1);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    import(&bridge.installation, TAG).await;
    crate::backfill::backfill(&bridge, false).await;
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 1);
    assert_eq!(tags(&bridge, &contact), json!([]));
}
