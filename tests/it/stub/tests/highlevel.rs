//! HighLevel, round every operation.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use casebridge::webhook::highlevel::sign::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::{LOCATION, TOKEN, call};
use crate::stub::highlevel::Stub;
use crate::stub::{Recorded, official, text};

async fn start() -> Stub {
    Stub::start(SigningKey::from_seed(&[7; 32]), LOCATION, TOKEN).await
}

async fn crm(stub: &Stub, method: Method, path: &str, body: Value) -> (u16, Value) {
    call(stub.url(), method, path, TOKEN, body, &[]).await
}

fn ada() -> Value {
    json!({ "firstName": "Ada", "lastName": "Byron", "email": "Ada@Example.com", "phone": "+15550100",
        "dateOfBirth": "12/10/1990" })
}

/// A full round through every HighLevel operation, as the official file has it.
async fn every_operation(stub: &Stub) {
    let field = stub.add_custom_field("contact", "case_id", "TEXT");
    let (pipeline, stages) = stub.add_pipeline("Cases", &["Intake", "Treating"]);
    let mut create = ada();
    create["locationId"] = LOCATION.into();
    create["customFields"] = json!([{ "id": field, "field_value": "K-1" }]);
    let (_, created) = crm(stub, Method::POST, "/contacts/", create).await;
    let id = text(&created["contact"], "id").to_owned();
    let contact = format!("/contacts/{id}");
    crm(stub, Method::GET, &contact, Value::Null).await;
    crm(stub, Method::PUT, &contact, json!({ "city": "Oakland", "dnd": true })).await;
    crm(stub, Method::POST, &format!("{contact}/tags"), json!({ "tags": ["signed", "vip"] })).await;
    crm(stub, Method::DELETE, &format!("{contact}/tags"), json!({ "tags": ["vip"] })).await;
    let duplicate = format!("/contacts/search/duplicate?locationId={LOCATION}&number=%2B15550100");
    crm(stub, Method::GET, &duplicate, Value::Null).await;
    crm(stub, Method::POST, "/contacts/search", json!({ "locationId": LOCATION, "pageLimit": 5 })).await;
    let task = json!({ "title": "Call", "dueDate": "2026-01-05T10:00:00.000Z", "completed": false });
    let (_, task) = crm(stub, Method::POST, &format!("{contact}/tasks"), task).await;
    let task = format!("{contact}/tasks/{}", text(&task["task"], "id"));
    crm(stub, Method::GET, &format!("{contact}/tasks"), Value::Null).await;
    crm(stub, Method::GET, &task, Value::Null).await;
    crm(stub, Method::PUT, &task, json!({ "title": "Call back" })).await;
    crm(stub, Method::PUT, &format!("{task}/completed"), json!({ "completed": true })).await;
    let (_, note) =
        crm(stub, Method::POST, &format!("{contact}/notes"), json!({ "body": "Left a message" })).await;
    crm(stub, Method::GET, &format!("{contact}/notes"), Value::Null).await;
    crm(stub, Method::GET, &format!("{contact}/notes/{}", text(&note["note"], "id")), Value::Null).await;
    let location = format!("/locations/{LOCATION}");
    crm(stub, Method::GET, &location, Value::Null).await;
    crm(stub, Method::GET, &format!("{location}/customFields?model=contact"), Value::Null).await;
    crm(stub, Method::POST, &format!("{location}/tasks/search"), json!({ "contactId": [id], "limit": 5 }))
        .await;
    crm(stub, Method::GET, &format!("/opportunities/pipelines?locationId={LOCATION}"), Value::Null).await;
    let opportunity = json!({ "pipelineId": pipeline, "locationId": LOCATION, "name": "Byron", "status": "open",
        "contactId": id });
    let (_, opportunity) = crm(stub, Method::POST, "/opportunities/", opportunity).await;
    let opportunity = format!("/opportunities/{}", text(&opportunity["opportunity"], "id"));
    crm(stub, Method::GET, &opportunity, Value::Null).await;
    crm(stub, Method::PUT, &opportunity, json!({ "pipelineStageId": stages[1], "monetaryValue": 5000 }))
        .await;
    crm(stub, Method::PUT, &format!("{opportunity}/status"), json!({ "status": "won" })).await;
    let search = format!("/opportunities/search?location_id={LOCATION}&contact_id={id}&status=won");
    crm(stub, Method::GET, &search, Value::Null).await;
    let search = json!({ "locationId": LOCATION, "query": "byron", "limit": 5, "page": 1, "searchAfter": [],
        "additionalDetails": { "notes": false, "tasks": false, "calendarEvents": false, "unReadConversations": false } });
    crm(stub, Method::POST, "/opportunities/search", search).await;
}

#[tokio::test]
async fn it_answers_every_operation_as_the_official_files_say() {
    let stub = start().await;
    every_operation(&stub).await;
    let requests = stub.requests();
    let refused: Vec<&Recorded> = requests.iter().filter(|request| request.status >= 300).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert_eq!((requests.len(), stub.writes().len()), (25, 11));
    assert_eq!(stub.contacts()[0]["tags"], json!(["signed"]));
    assert_eq!(stub.tasks()[0]["completed"], true);
    assert_eq!(stub.notes()[0]["body"], "Left a message");
    assert_eq!(stub.opportunities()[0]["status"], "won");
    if official::available() {
        assert_eq!(official::validate_all(&requests), [""; 0]);
        let wrong = |request: &Recorded| {
            official::check_answer(&request.method, &request.path, request.status, &request.answer)
        };
        assert_eq!(requests.iter().flat_map(wrong).collect::<Vec<_>>(), [""; 0]);
    }
}

#[tokio::test]
async fn it_refuses_what_it_is_documented_to_refuse() {
    let stub = start().await;
    let ada_id = stub.add_contact(ada()).id;
    let create = |extra: Value| {
        let mut body = json!({ "locationId": LOCATION });
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        body
    };
    let (status, answer) =
        crm(&stub, Method::POST, "/contacts/", create(json!({ "email": "ada@example.com" }))).await;
    assert_eq!((status, &answer["meta"]["contactId"]), (400, &json!(ada_id)));
    assert_eq!(answer["meta"]["matchingField"], "email");
    let (status, answer) = crm(&stub, Method::POST, "/contacts/", create(json!({ "surname": "B" }))).await;
    assert_eq!((status, &answer["message"][0]), (422, &json!("property surname should not exist")));
    assert_eq!(crm(&stub, Method::POST, "/contacts/search", json!({ "locationId": LOCATION })).await.0, 422);
    assert_eq!(crm(&stub, Method::GET, "/locations/another", Value::Null).await.0, 403);
    assert_eq!(crm(&stub, Method::GET, "/contacts/nobody", Value::Null).await.0, 400);
    assert_eq!(call(stub.url(), Method::GET, "/contacts/nobody", "wrong", Value::Null, &[]).await.0, 401);
    assert_eq!(stub.contacts().len(), 1);
}

#[tokio::test]
async fn it_finds_contacts_by_filter_and_goes_on_after_a_hit() {
    let stub = start().await;
    for number in 0..3 {
        stub.add_contact(
            json!({ "name": format!("Person {number}"), "email": format!("{number}@example.com") }),
        );
    }
    let search = |extra: Value| {
        let mut body = json!({ "locationId": LOCATION, "pageLimit": 2,
            "sort": [{ "field": "dateUpdated", "direction": "asc" }] });
        body.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        crm(&stub, Method::POST, "/contacts/search", body)
    };
    let (_, first) = search(json!({ "filters": [{ "group": "OR", "filters": [
        { "field": "email", "operator": "contains", "value": "@example" },
        { "field": "dateUpdated", "operator": "range", "value": { "gte": 4_000_000_000_000_i64 } }] }] }))
    .await;
    assert_eq!((first["total"].as_u64(), first["contacts"].as_array().map(Vec::len)), (Some(3), Some(2)));
    let (_, second) = search(json!({ "searchAfter": first["contacts"][1]["searchAfter"] })).await;
    assert_eq!(second["contacts"].as_array().map(Vec::len), Some(1));
    let (_, one) =
        search(json!({ "filters": [{ "field": "email", "operator": "eq", "value": "1@example.com" }] }))
            .await;
    assert_eq!(
        (&one["contacts"][0]["firstName"], &one["contacts"][0]["lastName"]),
        (&json!("Person"), &json!("1"))
    );
}

#[tokio::test]
async fn its_webhooks_have_the_samples_fields() {
    let stub = start().await;
    let contact = stub.add_contact(ada());
    assert_eq!(contact.webhook["dateOfBirth"], "1990-12-10T00:00:00.000Z");
    let changed = stub.change_contact(&contact.id, json!({ "city": "Oakland" }));
    let task = stub.add_task(&contact.id, json!({ "title": "Call", "dueDate": "2026-01-05T10:00:00.000Z" }));
    let completed = stub.complete_task(&task.id);
    let note = stub.add_note(&contact.id, "Left a message");
    assert!(stub.take_echoes().is_empty(), "only the API's writes echo");
    let stub = start().await;
    every_operation(&stub).await;
    let echoes = stub.take_echoes();
    assert_eq!(
        echoes.iter().map(|echo| text(echo, "type")).collect::<Vec<_>>(),
        [
            "ContactCreate",
            "ContactUpdate",
            "ContactDndUpdate",
            "ContactTagUpdate",
            "ContactTagUpdate",
            "TaskCreate",
            "TaskComplete",
            "NoteCreate",
            "OpportunityCreate",
            "OpportunityStageUpdate",
            "OpportunityMonetaryValueUpdate",
            "OpportunityUpdate",
            "OpportunityStatusUpdate",
            "OpportunityUpdate"
        ]
    );
    let all: Vec<Value> =
        [contact, changed, task, completed, note].into_iter().map(|it| it.webhook).chain(echoes).collect();
    let ids: BTreeSet<&str> = all.iter().map(|webhook| text(webhook, "webhookId")).collect();
    assert_eq!(ids.len(), all.len(), "each webhook has an id of its own");
    for webhook in &all {
        let path = official::reference().join(format!("webhooks/sample/{}.json", text(webhook, "type")));
        let Ok(sample) = std::fs::read(&path) else { continue };
        let sample: Value = serde_json::from_slice(&sample).expect("a sample in JSON");
        let strange =
            webhook.as_object().expect("an object").keys().filter(|name| sample.get(name.as_str()).is_none());
        assert_eq!(strange.collect::<Vec<_>>(), ["timestamp", "webhookId"], "{webhook}");
    }
}

#[tokio::test]
async fn it_signs_what_it_sends() {
    let bridge = MockServer::start().await;
    Mock::given(matchers::path("/webhooks/highlevel"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&bridge)
        .await;
    let stub = start().await;
    let webhook = stub.add_contact(ada()).webhook;
    assert_eq!(stub.deliver(&bridge.uri(), &webhook).await.status(), 202);
    let sent = &bridge.received_requests().await.expect("recorded")[0];
    let signature = STANDARD.decode(sent.headers["x-ghl-signature"].as_bytes()).expect("base64");
    let key = STANDARD.decode(stub.public_key()).expect("base64");
    UnparsedPublicKey::new(&ED25519, &key[12..]).verify(&sent.body, &signature).expect("a true signature");
}
