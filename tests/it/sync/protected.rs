//! What a case file holds and marketing must not: nothing of it reaches HighLevel from any place it may stand in.

use casebridge::twin::NewNote;
use casebridge::twin::casepeer::NewTask;
use serde_json::{Value, json};

use crate::story::grace;
use crate::support::TestBridge;

/// Notes of one category and the texts of tasks may cross: the firm said so, as far as a firm can.
const SYNC: &str = r#"
[firms.sync.notes]
to_highlevel = ["Client contact"]
[firms.sync.statuses."Treating"]
pipeline = "Intake"
stage = "Signed"
milestone = "signed"
"#;

/// Each kind of fact with a word that stands for it, which appears nowhere else.
const FACTS: [(&str, &str); 4] =
    [("medical", "zqlumbar"), ("ssn", "078-05-1120"), ("insurance", "zqpolicy"), ("settlement", "zq95000")];

/// Fields of those names on every level of a record, in each way a vendor may spell them.
fn planted() -> Value {
    let mut fields = serde_json::Map::new();
    let mut custom = Vec::new();
    for (name, word) in FACTS {
        for spelled in
            [name.to_owned(), format!("{name}_details"), format!("client{name}"), name.to_uppercase()]
        {
            fields.insert(spelled.clone(), json!(word));
            custom.push(json!({ "id": spelled, "key": spelled, "name": spelled, "value": word }));
        }
        fields.insert(format!("{name}_list"), json!([{ name: word }, word]));
    }
    fields.insert("custom_fields".into(), json!(custom));
    fields.insert("custom".into(), Value::Object(fields.clone()));
    Value::Object(fields)
}

fn with(mut fields: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(more);
    fields
}

#[tokio::test]
async fn no_fact_of_a_case_file_reaches_highlevel_from_any_position() {
    let bridge = TestBridge::with(SYNC).await;
    let lead = bridge.casepeer.create_lead(grace());
    let everything = FACTS.map(|(_, word)| word).join(" ");
    bridge.casepeer.update_lead(&lead, with(planted(), json!({ "summary": everything })));
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.casepeer.update_case(&case, with(planted(), json!({ "summary": everything })));
    let client = bridge.casepeer.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.casepeer.update_contact(&client, planted());
    bridge.settle().await;
    for owner in [&lead, &case] {
        for category in ["", "Medical", "Insurance", "Settlement", "client contact with provider"] {
            let (body, category) = (everything.clone(), category.to_owned());
            bridge.casepeer.create_note(owner, NewNote { body, category, ..NewNote::default() });
        }
        let task = NewTask { title: everything.clone(), body: everything.clone(), ..NewTask::default() };
        let task = bridge.casepeer.create_task(owner, task);
        bridge.settle().await;
        bridge.casepeer.complete_task(&task);
    }
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    bridge.installation.assert_nothing_undelivered().await;

    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    let tasks = bridge.highlevel.tasks(&contact);
    assert_eq!(tasks.len(), 2, "the tasks crossed, without their texts: {tasks:?}");
    let all = json!([
        bridge.highlevel.contacts(),
        tasks,
        bridge.highlevel.notes(&contact),
        bridge.highlevel.opportunities(),
    ]);
    let all = all.to_string().to_lowercase();
    for (name, word) in FACTS {
        assert!(!all.contains(word), "{name} reached HighLevel: {all}");
    }
    // What the firm allows does cross, or the search above would prove nothing.
    let (body, category) = ("Called back.".to_owned(), "Client contact".to_owned());
    bridge.casepeer.create_note(&case, NewNote { body, category, ..NewNote::default() });
    bridge.settle().await;
    let notes = bridge.highlevel.notes(&contact);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].to_string().contains("Called back."), "{notes:?}");
}
