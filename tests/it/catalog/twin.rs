//! The actions whose endpoints the twin has, run there one after the other: what each did is seen by the next.

use std::collections::{BTreeMap, BTreeSet};

use casebridge::bridge::Firm;
use casebridge::operations::catalog::System;
use serde_json::{Value, json};

use super::{actions, call, examples, firm};
use crate::support::TestBridge;

/// A story of actions. Texts such as `$contact` are replaced by what was kept under that name.
struct Story<'a> {
    firm: &'a Firm,
    kept: BTreeMap<&'static str, Value>,
    told: BTreeSet<String>,
}

impl<'a> Story<'a> {
    fn new(firm: &'a Firm) -> Self {
        Self { firm, kept: BTreeMap::new(), told: BTreeSet::new() }
    }

    /// Runs an action and answers what the vendor did.
    async fn run(&mut self, id: &str, given: Value) -> Value {
        self.told.insert(id.to_owned());
        let exchange = call(self.firm, id, self.filled(given)).await;
        match exchange.result {
            Ok(answer) => answer.body,
            Err(failure) => panic!("{id}: {} {:?}", failure.detail, failure.answer.map(|answer| answer.body)),
        }
    }

    /// The same, and keeps a value of the answer.
    async fn keep(&mut self, name: &'static str, pointer: &str, id: &str, given: Value) -> Value {
        let answer = self.run(id, given).await;
        let value = answer.pointer(pointer).unwrap_or_else(|| panic!("{id}: no {pointer} in {answer}"));
        self.kept.insert(name, value.clone());
        answer
    }

    /// The same, and compares a value of the answer.
    async fn see(&mut self, id: &str, given: Value, pointer: &str, expected: Value) {
        let answer = self.run(id, given).await;
        let found = answer.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(*found, self.filled(expected), "{id}: {pointer} of {answer}");
    }

    /// Expects that the record is gone.
    async fn gone(&self, id: &str, given: Value) {
        let failure = call(self.firm, id, self.filled(given)).await.result.expect_err(id);
        assert!(failure.is_not_found(), "{id}: {failure:?}");
    }

    fn filled(&self, given: Value) -> Value {
        match given {
            Value::String(text) => match text.strip_prefix('$') {
                Some(name) => self.kept.get(name).unwrap_or_else(|| panic!("nothing kept as {name}")).clone(),
                None => Value::String(text),
            },
            Value::Array(items) => items.into_iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name, self.filled(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other,
        }
    }

    /// Every other action meets a twin that has no such endpoint: one it learns is to be told here.
    async fn nothing_is_left_out(&self, system: System, unknown: &str) {
        // The twin takes this one's path for a calendar's, and knows no such calendar.
        let is_untold = |id: &String| !self.told.contains(id) && id != "calendars.get-blocked-slots";
        for entry in actions(system).filter(|entry| is_untold(&entry.id)) {
            let failure =
                call(self.firm, &entry.id, examples(entry).into()).await.result.expect_err(&entry.id);
            let answer = failure.answer.expect("an answer").body.to_string();
            assert!(answer.contains(unknown), "the twin has {}: {answer}", entry.id);
        }
    }
}

#[tokio::test]
async fn highlevel_actions_have_their_effect() {
    let bridge = TestBridge::start().await;
    let firm = firm(&bridge.installation);
    let story = &mut Story::new(&firm);
    contacts(story).await;
    tasks_and_notes(story).await;
    groups(story).await;
    opportunities(story).await;
    calendars(story).await;
    location(story).await;
    story.run("contacts.delete-contact", json!({ "contactId": "$contact" })).await;
    story.gone("contacts.get-contact", json!({ "contactId": "$contact" })).await;
    story.nothing_is_left_out(System::HighLevel, "Cannot ").await;
    assert!(story.told.len() >= 65, "{}", story.told.len());
}

async fn contacts(story: &mut Story<'_>) {
    let ada =
        json!({ "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "tags": ["intake"] });
    story.keep("contact", "/contact/id", "contacts.create-contact", ada).await;
    let contact = json!({ "contactId": "$contact" });
    story.see("contacts.get-contact", contact.clone(), "/contact/firstName", json!("Ada")).await;
    story.run("contacts.update-contact", json!({ "contactId": "$contact", "city": "Austin" })).await;
    story.see("contacts.get-contact", contact.clone(), "/contact/city", json!("Austin")).await;
    let both = json!({ "contactId": "$contact", "tags": ["cp:signed"] });
    story.see("contacts.add-tags", both.clone(), "/tags", json!(["intake", "cp:signed"])).await;
    story.see("contacts.remove-tags", both, "/tags", json!(["intake"])).await;
    let byron = json!({ "contacts": ["$contact"], "tags": ["vip"], "type": "add" });
    story.run("contacts.create-association", byron).await;
    story.see("contacts.get-contact", contact.clone(), "/contact/tags", json!(["intake", "vip"])).await;
    let ada = json!({ "email": "ada@example.com" });
    story.see("contacts.get-duplicate-contact", ada.clone(), "/contact/id", json!("$contact")).await;
    story.see("contacts.upsert-contact", ada, "/new", json!(false)).await;
    let search = json!({ "pageLimit": 10, "query": "byron" });
    story.see("contacts.search-contacts-advanced", search, "/contacts/0/id", json!("$contact")).await;
    story
        .see("contacts.get-contacts", json!({ "query": "byron" }), "/contacts/0/id", json!("$contact"))
        .await;
    for (id, name) in [
        ("contacts.add-contact-to-campaign", "campaignId"),
        ("contacts.remove-contact-from-campaign", "campaignId"),
        ("contacts.add-contact-to-workflow", "workflowId"),
        ("contacts.delete-contact-from-workflow", "workflowId"),
    ] {
        story.see(id, json!({ "contactId": "$contact", name: "w-1" }), "/succeded", json!(true)).await;
    }
    story.see("contacts.remove-contact-from-every-campaign", contact, "/succeded", json!(true)).await;
}

async fn tasks_and_notes(story: &mut Story<'_>) {
    let contact = json!({ "contactId": "$contact" });
    let report = json!({ "contactId": "$contact", "title": "Report", "dueDate": "2026-11-26T17:00:00Z", "completed": false });
    story.keep("task", "/task/id", "contacts.create-task", report).await;
    let task = json!({ "contactId": "$contact", "taskId": "$task" });
    let changed = json!({ "contactId": "$contact", "taskId": "$task", "title": "Police report" });
    story.run("contacts.update-task", changed).await;
    story.see("contacts.get-task", task.clone(), "/task/title", json!("Police report")).await;
    let done = json!({ "contactId": "$contact", "taskId": "$task", "completed": true });
    story.run("contacts.update-task-completed", done).await;
    story.see("contacts.get-all-tasks", contact.clone(), "/tasks/0/completed", json!(true)).await;
    let answer = story.run("locations.task-search", json!({ "contactId": ["$contact"] })).await;
    assert!(answer.to_string().contains("Police report"), "{answer}");
    story.run("contacts.delete-task", task.clone()).await;
    story.gone("contacts.get-task", task).await;

    let called = json!({ "contactId": "$contact", "body": "Called" });
    story.keep("note", "/note/id", "contacts.create-note", called).await;
    let note = json!({ "contactId": "$contact", "id": "$note" });
    story
        .run("contacts.update-note", json!({ "contactId": "$contact", "id": "$note", "body": "Called back" }))
        .await;
    story.see("contacts.get-note", note.clone(), "/note/body", json!("Called back")).await;
    story.see("contacts.get-all-notes", contact, "/notes/0/id", json!("$note")).await;
    story.run("contacts.delete-note", note.clone()).await;
    story.gone("contacts.get-note", note).await;
}

async fn groups(story: &mut Story<'_>) {
    story.keep("user", "/users/0/id", "users.search-users", json!({ "companyId": "c" })).await;
    story.see("users.get-user", json!({ "userId": "$user" }), "/id", json!("$user")).await;
    let follower = json!({ "contactId": "$contact", "followers": ["$user"] });
    story.see("contacts.add-followers-contact", follower.clone(), "/followers", json!(["$user"])).await;
    story.see("contacts.remove-followers-contact", follower, "/followers", json!([])).await;

    story.keep("business", "/buiseness/id", "businesses.create-business", json!({ "name": "Engines" })).await;
    let business = json!({ "businessId": "$business" });
    story
        .run("businesses.update-business", json!({ "businessId": "$business", "name": "Byron Engines" }))
        .await;
    story.see("businesses.get-business", business.clone(), "/business/name", json!("Byron Engines")).await;
    story
        .see("businesses.get-businesses-by-location", json!({}), "/businesses/0/id", json!("$business"))
        .await;
    let bulk = "contacts.add-remove-contact-from-business";
    story.run(bulk, json!({ "ids": ["$contact"], "businessId": "$business" })).await;
    story
        .see("contacts.get-contacts-by-businessId", business.clone(), "/contacts/0/id", json!("$contact"))
        .await;
    story.run(bulk, json!({ "ids": ["$contact"], "businessId": null })).await;
    story.see("contacts.get-contacts-by-businessId", business.clone(), "/contacts", json!([])).await;
    story.run("businesses.delete-Business", business.clone()).await;
    story.gone("businesses.get-business", business).await;
}

async fn opportunities(story: &mut Story<'_>) {
    let answer = story.keep("pipeline", "/pipelines/0/id", "opportunities.get-pipelines", json!({})).await;
    story.kept.insert("stage", answer["pipelines"][0]["stages"][1]["id"].clone());
    let new =
        json!({ "pipelineId": "$pipeline", "name": "Byron", "status": "open", "contactId": "$contact" });
    story.keep("opportunity", "/opportunity/id", "opportunities.create-opportunity", new).await;
    let opportunity = json!({ "id": "$opportunity" });
    let moved = json!({ "id": "$opportunity", "pipelineStageId": "$stage", "monetaryValue": 25000 });
    story.run("opportunities.update-opportunity", moved).await;
    let get = "opportunities.get-opportunity";
    story.see(get, opportunity.clone(), "/opportunity/pipelineStageId", json!("$stage")).await;
    story
        .run("opportunities.update-opportunity-status", json!({ "id": "$opportunity", "status": "won" }))
        .await;
    story.see(get, opportunity.clone(), "/opportunity/status", json!("won")).await;
    let of_contact = json!({ "contact_id": "$contact" });
    story
        .see("opportunities.search-opportunity", of_contact, "/opportunities/0/id", json!("$opportunity"))
        .await;
    let page =
        json!({ "query": "Byron", "limit": 10, "page": 1, "searchAfter": [], "additionalDetails": {} });
    story
        .see(
            "opportunities.search-opportunities-advanced",
            page,
            "/opportunities/0/id",
            json!("$opportunity"),
        )
        .await;
    let follower = json!({ "id": "$opportunity", "followers": ["$user"] });
    story
        .see("opportunities.add-followers-opportunity", follower.clone(), "/followers", json!(["$user"]))
        .await;
    story.see("opportunities.remove-followers-opportunity", follower, "/followers", json!([])).await;
    let upsert = json!({ "id": "$opportunity", "pipelineId": "$pipeline", "followers": [], "isRemoveAllFollowers": false,
        "followersActionType": "add", "name": "Byron, auto" });
    story.see("opportunities.Upsert-opportunity", upsert, "/new", json!(false)).await;
    story.see(get, opportunity.clone(), "/opportunity/name", json!("Byron, auto")).await;
    assert!(story.run("opportunities.get-lost-reason", json!({})).await["lostReasons"].is_array());
    story.run("opportunities.delete-opportunity", opportunity.clone()).await;
    story.gone(get, opportunity).await;
}

async fn calendars(story: &mut Story<'_>) {
    story.keep("calendar", "/calendars/0/id", "calendars.get-calendars", json!({})).await;
    story
        .see(
            "calendars.get-calendar",
            json!({ "calendarId": "$calendar" }),
            "/calendar/id",
            json!("$calendar"),
        )
        .await;
    let new = json!({ "calendarId": "$calendar", "contactId": "$contact", "startTime": "2026-11-26T15:00:00Z",
        "endTime": "2026-11-26T16:00:00Z" });
    story.keep("appointment", "/id", "calendars.create-appointment", new).await;
    let appointment = json!({ "eventId": "$appointment" });
    story
        .run(
            "calendars.edit-appointment",
            json!({ "eventId": "$appointment", "appointmentStatus": "showed" }),
        )
        .await;
    let get = "calendars.get-appointment";
    story.see(get, appointment.clone(), "/event/appointmentStatus", json!("showed")).await;
    let day = json!({ "calendarId": "$calendar", "startTime": "1795478400000", "endTime": "1796083200000" });
    story.see("calendars.get-calendar-events", day, "/events/0/id", json!("$appointment")).await;
    let contact = json!({ "contactId": "$contact" });
    story.see("contacts.get-appointments-for-contact", contact, "/events/0/id", json!("$appointment")).await;
    story.run("calendars.delete-event", appointment.clone()).await;
    story.gone(get, appointment).await;
}

async fn location(story: &mut Story<'_>) {
    let id = json!(story.firm.location);
    story.see("locations.get-location", json!({}), "/location/id", id).await;
    story.keep("tag", "/tag/id", "locations.create-tag", json!({ "name": "cp:lead" })).await;
    let tag = json!({ "tagId": "$tag" });
    story.run("locations.update-tag", json!({ "tagId": "$tag", "name": "cp:new-lead" })).await;
    story.see("locations.get-tag-by-id", tag.clone(), "/tag/name", json!("cp:new-lead")).await;
    let all = story.run("locations.get-location-tags", json!({})).await;
    assert!(all.to_string().contains("cp:new-lead"), "{all}");
    story.run("locations.delete-tag", tag.clone()).await;
    story.gone("locations.get-tag-by-id", tag).await;

    let loss = json!({ "name": "Date of loss", "dataType": "DATE", "model": "contact" });
    story.keep("field", "/customField/id", "locations.create-custom-field", loss).await;
    let field = json!({ "id": "$field" });
    story.run("locations.update-custom-field", json!({ "id": "$field", "name": "Loss date" })).await;
    story.see("locations.get-custom-field", field.clone(), "/customField/name", json!("Loss date")).await;
    let all = story.run("locations.get-custom-fields", json!({ "model": "contact" })).await;
    assert!(all.to_string().contains("Loss date"), "{all}");
    story.run("locations.delete-custom-field", field.clone()).await;
    story.gone("locations.get-custom-field", field).await;
    assert!(story.run("campaigns.get-campaigns", json!({})).await["campaigns"].is_array());
    assert!(story.run("workflows.get-workflow", json!({})).await["workflows"].is_array());
}

#[tokio::test]
async fn casepeer_actions_have_their_effect() {
    let bridge = TestBridge::start().await;
    let firm = firm(&bridge.installation);
    let story = &mut Story::new(&firm);
    let ada =
        json!({ "client.first_name": "Ada", "client.last_name": "Byron", "client.email": "ada@example.com" });
    story.keep("lead", "/id", "lead.create", ada).await;
    story.run("lead.update", json!({ "id": "$lead", "case_type": "Auto Accident" })).await;
    story.see("lead.get", json!({ "id": "$lead" }), "/case_type", json!("Auto Accident")).await;
    story.see("lead.find", json!({ "email": "ada@example.com" }), "/data/0/id", json!("$lead")).await;
    story.see("lead.list", json!({ "limit": 10 }), "/data/0/id", json!("$lead")).await;

    let grace = json!({ "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" });
    story.keep("client", "/id", "contact.create", grace).await;
    story.run("contact.update", json!({ "id": "$client", "address.city": "Austin" })).await;
    story.see("contact.get", json!({ "id": "$client" }), "/address/city", json!("Austin")).await;
    story.see("contact.find", json!({ "email": "grace@example.com" }), "/data/0/id", json!("$client")).await;

    let report = json!({ "lead_id": "$lead", "title": "Report" });
    story.keep("task", "/id", "task.create", report).await;
    story.run("task.update", json!({ "id": "$task", "priority": "urgent" })).await;
    story.run("task.complete", json!({ "id": "$task", "completed": true })).await;
    story.see("task.get", json!({ "id": "$task" }), "/priority", json!("urgent")).await;
    story.see("task.list", json!({ "lead_id": "$lead" }), "/data/0/completed", json!(true)).await;

    story.keep("note", "/id", "note.create_on_lead", json!({ "id": "$lead", "body": "Called" })).await;
    story.see("note.list_on_lead", json!({ "id": "$lead" }), "/data/0/id", json!("$note")).await;
    let case = bridge.casepeer.convert_lead(story.kept["lead"].as_str().unwrap());
    story.kept.insert("case", json!(case));
    story.run("case.update", json!({ "id": "$case", "status": "Treating" })).await;
    story.see("case.get", json!({ "id": "$case" }), "/status", json!("Treating")).await;
    story.see("case.find", json!({ "lead_id": "$lead" }), "/data/0/id", json!("$case")).await;
    story.see("case.list", json!({}), "/data/0/id", json!("$case")).await;
    story.keep("note", "/id", "note.create_on_case", json!({ "id": "$case", "body": "Signed" })).await;
    let notes = story.run("note.list_on_case", json!({ "id": "$case" })).await;
    assert!(notes.to_string().contains("Signed"), "{notes}");

    for list in ["user.list", "status.list", "case_type.list", "source.list"] {
        assert!(story.run(list, json!({})).await["data"].is_array(), "{list}");
    }
    let hook = json!({ "url": "https://bridge.example.com/webhooks/casepeer/x", "events": ["lead.created"] });
    story.keep("hook", "/id", "webhook.create", hook).await;
    story.see("webhook.list", json!({}), "/data/0/id", json!("$hook")).await;
    story.run("webhook.delete", json!({ "id": "$hook" })).await;
    story.see("webhook.list", json!({}), "/data", json!([])).await;
    // Only that it answers counts.
    story.run("health", json!({})).await;
    let all: BTreeSet<String> = actions(System::CasePeer).map(|entry| entry.id.clone()).collect();
    assert_eq!(story.told, all);
}
