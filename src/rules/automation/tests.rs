use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::operations::catalog;
use crate::rules::TimeZone;

const RULE: &str = r#"
id = "welcome"
name = "Welcome task"
firms = ["acme"]
when = "webhook.ContactCreate"
on_error = "continue"
once_per = "record"
writes_per_hour = 50

[if]
all = [
    { field = "source", operator = "starts_with", value = "google" },
    { field = "tags", operator = "contains", value = "vip" },
    { not = { field = "customFields.f1", operator = "equals", value = "no" } },
]

[[then]]
action = "contacts.create-task"
[then.with]
contactId = "{id}"
title = "Call {firstName} {{now}}"
dueDate = { date = "now", plus = "2d", zone = "America/Chicago", at = "17:00" }
completed = false

[[then]]
action = "contacts.add-tags"
[then.with]
contactId = { copy = "id" }
tags = ["called", "{source}"]
"#;

fn occasion(trigger: &str, data: Value) -> Occasion {
    let zone: TimeZone = serde_json::from_value("America/Chicago".into()).unwrap();
    Occasion {
        trigger: catalog::find(trigger).unwrap(),
        data,
        known: json!({ "contact_id": "C", "person.city": "Austin" }).as_object().unwrap().clone(),
        at: "2026-11-24T12:00:00Z".parse::<Timestamp>().unwrap(),
        zone,
    }
}

fn created() -> Occasion {
    occasion(
        "webhook.ContactCreate",
        json!({
            "id": "c1", "firstName": "Ada", "source": "Google Ads", "tags": ["VIP", "x"],
            "customFields": [{ "id": "f1", "value": "yes" }],
        }),
    )
}

fn wrong(text: &str) -> Vec<String> {
    from_toml(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_rule_reads_holds_and_fills_its_steps() {
    let rule = from_toml(RULE).unwrap();
    assert!(rule.is_for("acme") && !rule.is_for("other"));
    assert!(rule.holds(&created()));
    let mut other = created();
    other.data["customFields"][0]["value"] = "no".into();
    assert!(!rule.holds(&other));
    let expected = json!({
        "contactId": "c1", "title": "Call Ada {now}", "dueDate": "2026-11-26T23:00:00Z", "completed": false,
    });
    assert_eq!(Value::from(rule.steps[0].fill(&created())), expected);
    assert_eq!(
        Value::from(rule.steps[1].fill(&created())),
        json!({ "contactId": "c1", "tags": ["called", "Google Ads"] })
    );
}

#[test]
fn what_is_exported_is_read_as_the_same_rule() {
    let rule = from_toml(RULE).unwrap();
    assert_eq!(from_toml(&rule.to_toml()).unwrap(), rule);
    assert_eq!(Rule::from_json(&rule.to_json()).unwrap(), rule);
}

#[test]
fn every_transform() {
    let data = json!({
        "name": "Ada King Byron", "phone": "(512) 555-0100", "email": " Ada@Example.COM ", "companyName": "$1,250.50",
        "dateOfBirth": "1990-05-06", "dateAdded": "2026-11-24T12:00:00Z", "source": "Google Ads", "tags": ["a", "b"],
        "website": "<b>x</b>", "city": " Austin ", "state": "7",
    });
    let occasion = occasion("webhook.ContactCreate", data);
    for (written, expected) in [
        (json!("{name} of {person.city}"), json!("Ada King Byron of Austin")),
        (json!("{address1}"), Value::Null),
        (json!({ "template": "{address1}", "default": "nowhere" }), json!("nowhere")),
        (json!({ "constant": { "a": 1 } }), json!({ "a": 1 })),
        (json!({ "copy": "tags" }), json!(["a", "b"])),
        (json!("{tags}"), json!("a, b")),
        (json!({ "first_name": "name" }), json!("Ada King")),
        (json!({ "last_name": "name" }), json!("Byron")),
        (json!({ "phone": "phone" }), json!("+15125550100")),
        (json!({ "phone": "name" }), Value::Null),
        (json!({ "email": "email" }), json!("ada@example.com")),
        (json!({ "email": "name", "default": "none@example.com" }), json!("none@example.com")),
        (json!({ "money": "companyName" }), json!(1250.5)),
        (json!({ "money": "companyName", "as": "cents" }), json!(125050)),
        (json!({ "number": "state" }), json!(7)),
        (json!({ "number": "name" }), Value::Null),
        (json!({ "lower": "source" }), json!("google ads")),
        (json!({ "upper": "source" }), json!("GOOGLE ADS")),
        (json!({ "trim": "city" }), json!("Austin")),
        (json!({ "plain": "website" }), json!("x")),
        (json!({ "split": "name", "by": " " }), json!(["Ada", "King", "Byron"])),
        (json!({ "lookup": "source", "in": { "google ads": "PPC" } }), json!("PPC")),
        (json!({ "lookup": "name", "in": { "google ads": "PPC" }, "default": "Other" }), json!("Other")),
        (json!({ "date": "dateOfBirth", "format": "%m/%d/%Y" }), json!("05/06/1990")),
        (json!({ "date": "dateAdded", "format": "%Y-%m-%d %H:%M %Z" }), json!("2026-11-24 06:00 CST")),
        (json!({ "date": "dateAdded", "zone": "UTC", "minus": "1h", "format": "%H:%M" }), json!("11:00")),
        (json!({ "date": "name" }), Value::Null),
    ] {
        let expression = Expression::read(&written, 0).unwrap_or_else(|why| panic!("{written}: {why}"));
        assert_eq!(expression.value(&occasion).unwrap_or_default(), expected, "{written}");
        let again = Expression::read(&expression.written(), 0).unwrap();
        assert_eq!(again, expression, "{written} is written as it is read");
    }
}

#[test]
fn a_refusal_names_the_place_and_what_was_meant() {
    let with = |from: &str, to: &str| {
        assert!(RULE.contains(from), "{from}");
        wrong(&RULE.replace(from, to)).join("\n")
    };
    for (from, to, expected) in [
        (
            "webhook.ContactCreate",
            "webhook.ContactCreated",
            "when: `webhook.ContactCreated` is no trigger; did you mean `webhook.ContactCreate`?",
        ),
        (
            "\"source\", operator",
            "\"sourse\", operator",
            "if.all[0].field: `sourse` is no field of webhook.ContactCreate; did you mean `source`?",
        ),
        (
            "{firstName}",
            "{client.email}",
            "then[1].with.title: `client.email` is no field of webhook.ContactCreate; did you mean `email`?",
        ),
        (
            "contacts.add-tags",
            "contacts.add-tag",
            "then[2].action: `contacts.add-tag` is no action; did you mean `contacts.add-tags`?",
        ),
        ("title =", "titel =", "did you mean `title`?"),
        ("title =", "titel =", "then[1].with.title: is missing, which contacts.create-task needs"),
        ("completed = false", "completed = \"maybe\"", "then[1].with.completed: must be true or false"),
        (
            "on_error = \"continue\"",
            "on_eror = \"stop\"",
            "on_eror: is no key of a rule; did you mean `on_error`?",
        ),
        ("on_error = \"continue\"", "on_error = \"again\"", "on_error: is \"stop\" or \"continue\""),
        ("plus = \"2d\"", "plus = \"soon\"", "then[1].with.dueDate: `plus`: `soon` is not a span of time"),
        ("America/Chicago", "Chicago", "is no time zone"),
        ("{ copy = \"id\" }", "{ cop = \"id\" }", "then[2].with.contactId: `cop`; did you mean `copy`?"),
        ("starts_with", "begins_with", "if.all[0].operator: `begins_with` is no operator"),
        ("{{now}}", "{now", "then[1].with.title: a brace stands alone"),
        ("id = \"welcome\"", "id = \"Wel come\"", "id: is 1 to 60 small letters"),
    ] {
        let said = with(from, to);
        assert!(said.contains(expected), "{to}: {said}");
    }
    assert!(wrong("id = ").join("").starts_with("rule: is no TOML"));
    assert!(wrong(&"#".repeat(LARGEST_RULE + 1)).join("").contains("bytes at most"));
}

#[test]
fn a_rule_that_triggers_itself_is_refused_with_the_way() {
    let text = "id = 'x'\nwhen = 'webhook.ContactTagUpdate'\n[[then]]\naction = 'contacts.add-tags'\n\
        with = { contactId = '{id}', tags = ['a'] }\n";
    let said = wrong(text).join("");
    assert!(
        said.contains(
            "this rule triggers itself through `contacts.add-tags`, which causes webhook.ContactTagUpdate"
        ),
        "{said}"
    );
    assert!(from_toml(&format!("may_trigger_itself = true\n{text}")).is_ok());
    let far = "id = 'x'\nwhen = 'note.created'\n[[then]]\naction = 'contacts.create-note'\n\
        with = { contactId = '{contact_id}', body = 'seen' }\n";
    let said = wrong(far).join("");
    assert!(
        said.contains("which causes webhook.NoteCreate, which the sync carries over as note.created"),
        "{said}"
    );
}

#[test]
fn the_tables_of_causes_name_what_the_catalog_has() {
    let unknown: Vec<&str> = loops::named().filter(|id| catalog::find(id).is_none()).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

#[test]
fn what_the_case_file_keeps_does_not_leave_it_by_a_rule() {
    let text = "id = 'x'\nwhen = 'case.status_changed'\n[[then]]\naction = 'contacts.create-note'\n\
        with = { contactId = '{contact_id}', body = '{case.custom.ssn}' }\n";
    assert!(wrong(text).join("").contains("protected and never written"));
}

#[test]
fn every_trigger_lists_its_fields_with_examples() {
    let triggers = catalog::all().iter().filter(|entry| entry.kind == catalog::Kind::Trigger);
    for trigger in triggers {
        let fields = fields_of(trigger);
        assert!(fields.iter().any(|field| field.name == "contact_id"), "{}", trigger.id);
        let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), fields.len(), "{} lists a field twice", trigger.id);
    }
}

#[test]
fn hostile_rules_end() {
    let deep = format!("id='x'\nwhen='webhook.ContactCreate'\nif={}{}", "{not=".repeat(40), "}".repeat(40));
    assert!(from_toml(&deep).is_err());
    let long = "{id}".repeat(51);
    assert!(Expression::read(&json!(long), 0).is_err());
    // A field of a megabyte, fifty times, is cut.
    let big = occasion("webhook.ContactCreate", json!({ "id": "x".repeat(1_000_000) }));
    let text = Expression::read(&json!("{id}".repeat(50)), 0).unwrap().value(&big).unwrap();
    assert!(text.as_str().unwrap().len() <= 1_200_000);
}
