use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::{Field, Fields};
use crate::operations::casepeer::Profile;
use crate::operations::{Request, highlevel};

fn call(id: &str, given: Value) -> Result<Request, NotCallable> {
    let Value::Object(given) = given else { panic!("parameters are an object") };
    find(id).unwrap().request(&given, "here")
}

fn problems(id: &str, given: Value) -> Vec<String> {
    match call(id, given) {
        Err(NotCallable::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_file_reads_and_every_entry_is_whole() {
    let mut ids = BTreeSet::new();
    for entry in all() {
        assert!(ids.insert(&entry.id), "{} is there twice", entry.id);
        assert!(entry.help.ends_with('.') && !entry.result.is_empty(), "{}", entry.id);
        let names: BTreeSet<_> = entry.parameters.iter().map(|parameter| &parameter.name).collect();
        assert_eq!(names.len(), entry.parameters.len(), "{} has a parameter twice", entry.id);
        for parameter in &entry.parameters {
            let place = format!("{} {}", entry.id, parameter.name);
            assert_eq!(parameter.complaint(&parameter.example), None, "{place}");
            assert!(parameter.help.ends_with('.'), "{place}");
            assert_eq!(parameter.place == Place::Payload, entry.kind == Kind::Trigger, "{place}");
            assert!(parameter.place != Place::Body || entry.body, "{place}");
            let is_id = parameter.of == Type::Text && parameter.required;
            assert!(parameter.place != Place::Path || is_id, "{place}");
        }
        if entry.kind == Kind::Action {
            let path = entry.path.as_deref().unwrap();
            let places = path.matches('{').count();
            let ids = entry.parameters.iter().filter(|parameter| parameter.place == Place::Path);
            assert!(ids.clone().all(|id| path.contains(&format!("{{{}}}", id.name))), "{}", entry.id);
            assert_eq!((places, entry.method.is_some()), (ids.count(), true), "{}", entry.id);
        }
    }
}

#[test]
fn a_slip_in_a_file_is_refused() {
    let entry =
        "[[entry]]\nid = \"x\"\nkind = \"action\"\neffect = \"read\"\nhelp = \"X.\"\nresult = \"x\"\n";
    assert!(files::read(System::CasePeer, entry).is_ok());
    assert!(files::read(System::CasePeer, &format!("{entry}scopes = \"y\"")).is_err());
    assert!(files::read(System::CasePeer, &entry.replace("read", "maybe")).is_err());
}

#[test]
fn parameters_go_where_they_belong() {
    let request =
        call("contacts.create-note", json!({ "contactId": "a/../b", "body": "Called", "pinned": true }));
    let request = request.unwrap();
    assert_eq!((request.method, request.path.as_str()), (Method::Post, "/contacts/a%2F%2E%2E%2Fb/notes"));
    assert_eq!(request.headers, [("Version".into(), "2021-07-28".to_owned())]);
    assert_eq!(request.body, Some(json!({ "body": "Called", "pinned": true })));
    assert_eq!((request.scope, request.effect), (Some("contacts.write"), Effect::Create));
    let request = call(
        "calendars.get-slots",
        json!({ "calendarId": "c", "startDate": 1, "endDate": 2, "userIds": ["a", "b"] }),
    );
    let expected = [("startDate", "1"), ("endDate", "2"), ("userIds", "a"), ("userIds", "b")];
    assert_eq!(request.unwrap().query, expected.map(|(name, value)| (name.into(), value.to_owned())));
    // An operation whose body has no properties has one all the same; one without a body has none.
    assert_eq!(call("calendars.delete-event", json!({ "eventId": "e" })).unwrap().body, Some(json!({})));
    assert_eq!(call("contacts.get-contact", json!({ "contactId": "c" })).unwrap().body, None);
}

#[test]
fn dots_lead_into_objects_and_objects_may_be_given_whole() {
    let expected = Some(
        json!({ "client": { "first_name": "Ada", "last_name": "Byron", "address": { "city": "Austin" } } }),
    );
    let dotted =
        json!({ "client.first_name": "Ada", "client.last_name": "Byron", "client.address.city": "Austin" });
    assert_eq!(call("lead.create", dotted).unwrap().body, expected);
    let whole =
        json!({ "client": { "first_name": "Ada", "last_name": "Byron", "address": { "city": "Austin" } } });
    assert_eq!(call("lead.create", whole).unwrap().body, expected);
    let strange = json!({ "client": { "first_name": "Ada", "last_name": "Byron", "ssn": "1" } });
    assert_eq!(problems("lead.create", strange), ["`client.ssn` is no parameter of lead.create"]);
    let updated =
        call("lead.update", json!({ "id": "L-1", "If-Match": "\"3\"", "status": "Intake" })).unwrap();
    assert_eq!(updated.headers, [("If-Match".into(), "\"3\"".to_owned())]);
}

#[test]
fn every_problem_is_named_at_once_and_no_value_is_repeated() {
    let found = problems(
        "contacts.create-task",
        json!({ "contact_id": "secret-1", "title": 7, "dueDate": "", "completed": "secret-2", "frobnicate": 1 }),
    );
    let text = found.join("\n");
    assert_eq!(found.len(), 6, "{text}");
    assert!(
        text.contains("`contact_id` is no parameter of contacts.create-task; did you mean `contactId`?"),
        "{text}"
    );
    assert!(text.contains("`frobnicate` is no parameter of contacts.create-task\n"), "{text}");
    assert!(text.contains("`contactId` is required: The contact."), "{text}");
    assert!(text.contains("`title` must be text"), "{text}");
    assert!(text.contains("`dueDate` is required"), "{text}");
    assert!(text.contains("`completed` must be true or false"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let found =
        problems("contacts.create-association", json!({ "type": "set", "contacts": ["a"], "tags": ["b"] }));
    assert_eq!(found, ["`type` must be one of add, remove"]);
    let long = "x".repeat(201);
    assert_eq!(problems("contacts.get-contact", json!({ "contactId": long })).len(), 1);
    assert_eq!(problems("lead.update", json!({ "id": "L-1", "If-Match": "a\r\nHost: b" })).len(), 1);
    let large = "x".repeat(2 * 1024 * 1024);
    assert_eq!(problems("contacts.create-note", json!({ "contactId": "c", "body": large })).len(), 1);
}

#[test]
fn the_location_is_the_firms_and_no_other() {
    let request = call("businesses.get-businesses-by-location", json!({})).unwrap();
    assert_eq!(request.query, [("locationId".into(), "here".to_owned())]);
    let request = call("locations.get-location", json!({ "locationId": "here" })).unwrap();
    assert_eq!(request.path, "/locations/here");
    let found = problems("locations.get-location", json!({ "locationId": "elsewhere" }));
    assert_eq!(found, ["`locationId` is not the firm's location; leave it out"]);
}

#[test]
fn null_is_left_out_unless_it_means_something() {
    let request =
        call("contacts.create-note", json!({ "contactId": "c", "body": "x", "color": null })).unwrap();
    assert_eq!(request.body, Some(json!({ "body": "x" })));
    let request = call("contacts.update-contact", json!({ "contactId": "c", "city": null })).unwrap();
    assert_eq!(request.body, Some(json!({ "city": null })));
    let request =
        call("contacts.add-remove-contact-from-business", json!({ "ids": ["c"], "businessId": null }));
    assert_eq!(
        request.unwrap().body,
        Some(json!({ "locationId": "here", "ids": ["c"], "businessId": null }))
    );
}

#[test]
fn triggers_are_not_called() {
    let nothing = Map::new();
    let refused = find("webhook.ContactCreate").unwrap().request(&nothing, "here").unwrap_err();
    assert!(refused.to_string().contains("is a trigger"));
}

#[test]
fn text_is_read_as_what_the_parameter_holds() {
    let read = |id: &str, name: &str, text| find(id).unwrap().parameter(name).unwrap().read(text);
    assert_eq!(read("contacts.add-tags", "tags", "a, b"), Ok(json!(["a", "b"])));
    assert_eq!(read("contacts.add-tags", "tags", r#"["a, b"]"#), Ok(json!(["a, b"])));
    assert_eq!(read("contacts.create-task", "completed", "true"), Ok(json!(true)));
    assert!(read("contacts.create-task", "completed", "yes").is_err());
    assert_eq!(read("contacts.create-task", "title", "7"), Ok(json!("7")));
    assert_eq!(read("opportunities.create-opportunity", "monetaryValue", "7.5"), Ok(json!(7.5)));
    assert_eq!(read("contacts.add-remove-contact-from-business", "businessId", "null"), Ok(Value::Null));
}

#[test]
fn a_wrong_id_is_met_with_the_right_one() {
    assert_eq!(nearest_entry("contacts.createnote"), Some("contacts.create-note"));
    assert_eq!(nearest_entry("lead-create"), Some("lead.create"));
    assert_eq!(nearest_entry("xyzzy"), None);
}

#[test]
fn another_profile_puts_an_action_on_the_wire_its_own_way_or_has_none() {
    let mycase = Profile::built_in("mycase").unwrap();
    let call =
        |id: &str, given: Value| find(id).unwrap().request_for(given.as_object().unwrap(), "here", &mycase);
    let lead =
        json!({ "client": { "first_name": "Ada", "last_name": "Byron" }, "case_type": "Auto Accident" });
    let contract = Profile::built_in("contract-v1").unwrap();
    let ours =
        find("lead.create").unwrap().request_for(lead.as_object().unwrap(), "here", &contract).unwrap();
    let theirs = call("lead.create", lead).unwrap();
    assert_eq!(ours.operation, theirs.operation);
    assert!(ours.body != theirs.body && ours.path == "/leads", "{theirs:?} {:?}", theirs.body);
    assert!(matches!(call("webhook.list", json!({})), Err(NotCallable::Account(_))));
    let versioned = call("lead.update", json!({ "id": "1", "If-Match": "3", "status": "Intake" }));
    assert!(versioned.is_err(), "{versioned:?}");
    // HighLevel has no profiles.
    assert_eq!(call("contacts.get-contact", json!({ "contactId": "c" })).unwrap().path, "/contacts/c");
}

#[test]
fn what_the_sync_asks_for_is_the_same_built_from_the_catalog() {
    let tags = ["cp:signed".to_owned()];
    let mut fields = Fields::default();
    fields.put(Field::City, "Austin".to_owned());
    for (typed, given) in [
        (highlevel::get_contact("c"), json!({ "contactId": "c" })),
        (highlevel::find_duplicate("here", Field::Email, "a@b.c"), json!({ "email": "a@b.c" })),
        (highlevel::update_contact("c", &fields, &[]), json!({ "contactId": "c", "city": "Austin" })),
        (highlevel::add_tags("c", &tags), json!({ "contactId": "c", "tags": tags })),
        (highlevel::list_notes("c"), json!({ "contactId": "c" })),
        (highlevel::get_note("c", "n"), json!({ "contactId": "c", "id": "n" })),
        (highlevel::create_note("c", "Called", None), json!({ "contactId": "c", "body": "Called" })),
        (highlevel::list_tasks("c"), json!({ "contactId": "c" })),
        (highlevel::get_task("c", "t"), json!({ "contactId": "c", "taskId": "t" })),
        (highlevel::complete_task("c", "t"), json!({ "contactId": "c", "taskId": "t", "completed": true })),
        (highlevel::search_tasks("here", 1), json!({ "limit": 100, "skip": 100 })),
        (highlevel::get_pipelines("here"), json!({})),
        (highlevel::get_location("here"), json!({})),
        (highlevel::get_custom_fields("here"), json!({ "model": "contact" })),
    ] {
        let built = call(typed.operation, given).unwrap();
        assert_eq!((&built.query, &built.body), (&typed.query, &typed.body), "{typed:?}");
        assert!(built == typed, "{built:?} {:?} {:?}", built.headers, built.scope);
    }
}
