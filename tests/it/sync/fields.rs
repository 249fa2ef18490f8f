//! Fields, each under its own rule.

use casebridge::domain::{EventState, Resolution, ReviewAction};
use casebridge::store::ReviewFilter;
use casebridge::twin::{NewContact, NewLead};
use serde_json::{Value, json};

use crate::story::{ada, grace};
use crate::support::TestBridge;

/// The value of a contact's custom field.
fn custom(contact: &Value, id: &str) -> Value {
    let values = contact["customFields"].as_array().unwrap();
    values.iter().find(|value| value["id"] == id).map_or(Value::Null, |value| value["value"].clone())
}

fn first_id(records: &[Value]) -> String {
    records[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tag_is_a_value_in_casepeer_and_another_tag_another() {
    let sync = "[firms.sync.fields.language]\ntags = { spanish = \"Spanish\" }\n\
        [firms.sync.fields.tier]\ncasepeer_key = \"tier\"\ntags = { gold = \"Gold\", silver = \"Silver\" }\n";
    let bridge = TestBridge::with(sync).await;
    let tags = vec!["spanish".into(), "silver".into()];
    let contact = bridge.highlevel.create_contact(NewContact { tags, ..ada() });
    bridge.settle().await;
    let lead = || bridge.casepeer.leads().remove(0);
    assert_eq!(
        (&lead()["client"]["language"], &lead()["custom"]["tier"]),
        (&json!("Spanish"), &json!("Silver"))
    );
    bridge.highlevel.add_tags(&contact, &["gold"]);
    bridge.settle().await;
    assert_eq!(lead()["custom"]["tier"], "Gold");
    // A tag that is taken off overwrites nothing.
    bridge.highlevel.remove_tags(&contact, &["gold", "silver", "spanish"]);
    bridge.settle().await;
    assert_eq!(
        (&lead()["client"]["language"], &lead()["custom"]["tier"]),
        (&json!("Spanish"), &json!("Gold"))
    );
    assert_eq!(bridge.casepeer.writes(), 2);
}

#[tokio::test]
async fn everything_a_contact_knows_reaches_the_lead_and_nothing_that_must_not() {
    let sync = "[firms.sync.fields.referral_code]\nhighlevel_key = \"referral_code\"\ncasepeer_key = \"ref\"\n\
        [firms.sync.fields.case_type.values]\n\"MVA\" = \"Auto Accident\"\n";
    let bridge = TestBridge::with(sync).await;
    let keys = [
        "preferred_language",
        "case_type",
        "date_of_loss",
        "incident_city",
        "incident_summary",
        "referral_code",
    ];
    for key in keys {
        bridge.highlevel.create_custom_field(key, key);
    }
    let values = ["Spanish", "MVA", "01/02/2026", "Waco", "Rear-ended at a light", "R-7"];
    bridge.highlevel.create_contact(NewContact {
        address1: "1 Main St".into(),
        state: "TX".into(),
        postal_code: "78701".into(),
        date_of_birth: "1990-05-06".into(),
        custom_fields: keys
            .iter()
            .zip(values)
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect(),
        dnd: true,
        ..ada()
    });
    bridge.settle().await;
    let lead = bridge.casepeer.leads().remove(0);
    assert_eq!(lead["client"]["language"], "Spanish");
    let address = json!({ "line1": "1 Main St", "city": "Austin", "state": "TX", "zip": "78701" });
    assert_eq!(lead["client"]["address"], address);
    assert_eq!(lead["case_type"], "Auto Accident");
    assert_eq!(lead["date_of_loss"], "2026-01-02");
    assert_eq!(lead["incident"]["city"], "Waco");
    assert_eq!(lead["summary"], "Rear-ended at a light");
    assert_eq!(lead["source"], json!({ "type": "HighLevel", "detail": "Google Ads" }));
    assert_eq!(lead["custom"], json!({ "ref": "R-7", "do_not_contact": "all" }));
    assert_eq!(lead["client"]["date_of_birth"], Value::Null, "only for firms that ask for it");
}

#[tokio::test]
async fn a_date_of_birth_crosses_where_the_firm_asks_for_it() {
    let bridge = TestBridge::with("[firms.sync.fields.date_of_birth]\nwrite = \"always\"\n").await;
    bridge.highlevel.create_contact(NewContact { date_of_birth: "1990-05-06".into(), ..ada() });
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads()[0]["client"]["date_of_birth"], "1990-05-06");
}

#[tokio::test]
async fn a_case_shows_in_highlevels_custom_fields_and_free_text_does_not() {
    let bridge = TestBridge::with("[firms.sync]\ncase_url = \"https://cp.example/case/{id}/\"\n").await;
    let keys = [
        "casepeer_lead_id",
        "casepeer_case_id",
        "casepeer_url",
        "casepeer_status",
        "incident_summary",
        "case_type",
    ];
    let ids = keys.map(|key| bridge.highlevel.create_custom_field(key, key));
    let lead = bridge.casepeer.create_lead(NewLead { summary: "Broken arm".into(), ..grace() });
    bridge.settle().await;
    let case = bridge.casepeer.convert_lead(&lead);
    bridge.settle().await;
    bridge.casepeer.set_status(&case, "Treating");
    bridge.settle().await;
    let contact = bridge.highlevel.contacts().remove(0);
    let shown: Vec<Value> = ids.iter().map(|id| custom(&contact, id)).collect();
    let url = format!("https://cp.example/case/{case}/");
    assert_eq!(
        shown,
        [json!(lead), json!(case), json!(url), json!("Treating"), Value::Null, json!("Auto Accident")]
    );
}

#[tokio::test]
async fn a_second_accident_does_not_change_the_first() {
    let bridge = TestBridge::with("").await;
    let field = bridge.highlevel.create_custom_field("case_type", "Case type");
    let first = bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let second = bridge.casepeer.create_lead(NewLead { case_type: "Slip / Fall".into(), ..grace() });
    bridge.settle().await;
    bridge.casepeer.update_lead(&first, json!({ "client": { "address": { "city": "Dallas" } } }));
    bridge.settle().await;
    let contacts = bridge.highlevel.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(custom(&contacts[0], &field), "Slip / Fall", "the newest matter's own");
    assert_eq!(bridge.casepeer.lead(&first).unwrap()["case_type"], "Auto Accident");
    assert_eq!(bridge.casepeer.lead(&second).unwrap()["case_type"], "Slip / Fall");
    assert_eq!(bridge.casepeer.lead(&second).unwrap()["client"]["address"]["city"], "Dallas", "one person's");
}

#[tokio::test]
async fn a_person_who_may_be_reached_again_is_known_as_such() {
    let bridge = TestBridge::start().await;
    let contact = bridge.highlevel.create_contact(NewContact { dnd: true, ..ada() });
    bridge.settle().await;
    let held = || bridge.casepeer.leads()[0]["custom"]["do_not_contact"].clone();
    assert_eq!(held(), "all");
    let settings = json!({ "SMS": { "status": "active" }, "Email": { "status": "inactive" } });
    bridge.highlevel.update_contact(&contact, json!({ "dnd": false, "dndSettings": settings }));
    bridge.settle().await;
    assert_eq!(held(), "sms");
    bridge.highlevel.update_contact(&contact, json!({ "dndSettings": {} }));
    bridge.settle().await;
    assert_eq!(held(), "none");
}

/// Both sides change the city; what each has then, and whether a person is asked.
async fn both_change_the_city(rule: &str) -> (Value, Value, u64) {
    let bridge = TestBridge::with(&format!("[firms.sync.fields.city]\n{rule}\n")).await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let lead = first_id(&bridge.casepeer.leads());
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.installation.clock.advance(jiff::SignedDuration::from_secs(60));
    bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Houston" } } }));
    bridge.settle().await;
    let here = bridge.highlevel.contact(&contact).unwrap()["city"].clone();
    let there = bridge.casepeer.lead(&lead).unwrap()["client"]["address"]["city"].clone();
    (here, there, bridge.installation.count(EventState::InReview).await)
}

#[tokio::test]
async fn whose_value_stands_is_the_firms_rule() {
    for (rule, here, there, asked) in [
        ("owner = \"highlevel\"", "Dallas", "Dallas", false),
        ("owner = \"casepeer\"", "Houston", "Houston", false),
        ("owner = \"newest\"", "Houston", "Houston", false),
        ("owner = \"manual\"", "Dallas", "Houston", true),
        ("write = \"if_empty\"", "Dallas", "Houston", false),
        ("write = \"never\"", "Dallas", "Houston", false),
        ("direction = \"to_casepeer\"", "Dallas", "Dallas", false),
        ("direction = \"to_casepeer\"\nowner = \"casepeer\"", "Dallas", "Houston", false),
    ] {
        let (found_here, found_there, waiting) = both_change_the_city(rule).await;
        assert_eq!((found_here, found_there, waiting > 0), (json!(here), json!(there), asked), "{rule}");
    }
}

#[tokio::test]
async fn a_person_decides_with_both_values_shown_and_the_answer_is_carried_out() {
    for (action, expected) in [
        (ReviewAction::UseHighlevel, ("Dallas", "Dallas")),
        (ReviewAction::UseCasepeer, ("Houston", "Houston")),
        (ReviewAction::Ignore, ("Dallas", "Houston")),
    ] {
        let bridge = TestBridge::with("[firms.sync.fields.city]\nowner = \"manual\"\n").await;
        let contact = bridge.highlevel.create_contact(ada());
        bridge.settle().await;
        let lead = first_id(&bridge.casepeer.leads());
        bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas", "state": "TX" }));
        bridge.casepeer.update_lead(&lead, json!({ "client": { "address": { "city": "Houston" } } }));
        bridge.settle().await;
        assert_eq!(bridge.casepeer.leads()[0]["client"]["address"]["state"], "TX", "the rest goes on");
        let store = &bridge.installation.store;
        let filter = ReviewFilter { limit: 10, ..ReviewFilter::default() };
        let rows = store.reviews(filter).await.unwrap();
        assert_eq!(rows.len(), 1, "asked once: {rows:?}");
        let story = store.review(rows[0].id).await.unwrap().unwrap();
        let difference = &story.details.differences[0];
        assert_eq!(difference.base.as_deref(), Some("Austin"));
        assert_eq!(
            (difference.highlevel.as_deref(), difference.casepeer.as_deref()),
            (Some("Dallas"), Some("Houston"))
        );
        assert!(
            difference.highlevel_changed.as_ref().unwrap().contains("2026-11-24T12:00:00Z"),
            "{difference:?}"
        );

        bridge.installation.bridge.resolve(rows[0].id, Resolution::new(action), "irene").await.unwrap();
        bridge.settle().await;
        let here = bridge.highlevel.contact(&contact).unwrap()["city"].clone();
        let there = bridge.casepeer.leads()[0]["client"]["address"]["city"].clone();
        assert_eq!((here, there), (json!(expected.0), json!(expected.1)), "{action:?}");
        assert_eq!(bridge.installation.count(EventState::InReview).await, 0);
    }
}
