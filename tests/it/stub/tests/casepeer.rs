//! CASEpeer, by the promises of the contract.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::call;
use crate::stub::casepeer::Stub;
use crate::stub::text;

async fn start() -> Stub {
    Stub::start("cp-token", "inbound", "whsec").await
}

async fn ask(stub: &Stub, method: Method, path: &str, body: Value, extra: &[(&str, &str)]) -> (u16, Value) {
    call(stub.url(), method, path, "cp-token", body, extra).await
}

fn lead() -> Value {
    json!({ "external_ref": "ghl:loc:1", "client": { "first_name": "Ada", "last_name": "Byron", "phone": "+15550100" },
        "case_type": "Auto Accident" })
}

#[tokio::test]
async fn it_creates_once_and_tells() {
    let stub = start().await;
    let key = [("Idempotency-Key", "k-1")];
    let (status, first) = ask(&stub, Method::POST, "/leads", lead(), &key).await;
    assert_eq!((status, &first["status"], &first["version"]), (201, &json!("Intake"), &json!("1")));
    let (status, again) = ask(&stub, Method::POST, "/leads", lead(), &key).await;
    assert_eq!((status, &again), (200, &first));
    let mut other = lead();
    other["summary"] = "Rear-ended".into();
    let (status, answer) = ask(&stub, Method::POST, "/leads", other.clone(), &key).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("idempotency_mismatch")));
    let (status, answer) = ask(&stub, Method::POST, "/leads", other, &[("Idempotency-Key", "k-2")]).await;
    assert_eq!(
        (status, &answer["existing_id"], &answer["error"]["request_id"]),
        (409, &first["id"], &json!("r-1"))
    );
    assert_eq!(ask(&stub, Method::POST, "/leads", lead(), &[]).await.0, 400);
    let echoes = stub.take_echoes();
    assert_eq!((echoes.len(), &echoes[0]["data"]["lead"]), (1, &first));
    assert_eq!((stub.leads().len(), stub.contacts().len(), stub.writes().len()), (1, 1, 5));
}

#[tokio::test]
async fn it_takes_a_change_only_with_the_current_etag() {
    let stub = start().await;
    let id = stub.add_lead(lead()).id;
    let path = format!("/leads/{id}");
    let patch = json!({ "client": { "email": "ada@example.com" } });
    assert_eq!(ask(&stub, Method::PATCH, &path, patch.clone(), &[]).await.0, 428);
    assert_eq!(ask(&stub, Method::PATCH, &path, patch.clone(), &[("If-Match", "\"9\"")]).await.0, 412);
    let (status, changed) = ask(&stub, Method::PATCH, &path, patch, &[("If-Match", "\"1\"")]).await;
    assert_eq!(
        (status, &changed["client"]["email"], &changed["version"]),
        (200, &json!("ada@example.com"), &json!("2"))
    );
    assert_eq!(changed["client"]["first_name"], "Ada");
    let contact = format!("/contacts/{}", text(&changed["client"], "id"));
    let (_, contact_now) = ask(&stub, Method::GET, &contact, Value::Null, &[]).await;
    let etag = format!("\"{}\"", text(&contact_now, "version"));
    let born = json!({ "date_of_birth": "1990-12-10" });
    assert_eq!(ask(&stub, Method::PATCH, &contact, born, &[("If-Match", &etag)]).await.0, 200);
    assert_eq!(
        (&stub.leads()[0]["version"], &stub.leads()[0]["client"]["date_of_birth"]),
        (&json!("3"), &json!("1990-12-10"))
    );
    let wrong = json!({ "client": { "ssn": "1" }, "date_of_loss": "01/02/2026" });
    let (status, answer) = ask(&stub, Method::PATCH, &path, wrong, &[("If-Match", "\"3\"")]).await;
    assert_eq!(status, 422);
    assert_eq!(
        answer["error"]["fields"],
        json!([{ "path": "client.ssn", "code": "unknown" },
        { "path": "date_of_loss", "code": "not_a_date" }])
    );
}

#[tokio::test]
async fn it_converts_and_keeps_tasks_and_notes_where_they_were_made() {
    let stub = start().await;
    let lead = stub.change_lead(&stub.add_lead(lead()).id, json!({ "summary": "Rear-ended" })).id;
    let note = json!({ "body": "Called", "category": "Intake" });
    let (status, note) =
        ask(&stub, Method::POST, &format!("/leads/{lead}/notes"), note, &[("Idempotency-Key", "n-1")]).await;
    assert_eq!((status, &note["lead_id"]), (201, &json!(lead)));
    let created = stub.convert(&lead);
    let case = &created.webhook["data"]["case"];
    assert_eq!(
        (&case["lead_id"], &case["name"], &case["client"]["phone"]),
        (&json!(lead), &json!("Byron, Ada"), &json!("+15550100"))
    );
    assert_eq!(stub.leads()[0]["case_id"], json!(created.id));
    let changed = stub.set_status(&created.id, "Settled").webhook;
    assert_eq!(
        (&changed["type"], &changed["previous"]["status"]),
        (&json!("case.status_changed"), &json!("Treating"))
    );
    assert_eq!(stub.cases()[0]["status"], "Settled");
    stub.add_note(json!({ "case_id": created.id, "body": "Settled today" }));
    let (_, notes) = ask(&stub, Method::GET, &format!("/cases/{}/notes", created.id), Value::Null, &[]).await;
    assert_eq!((notes["data"].as_array().map(Vec::len), stub.notes().len()), (Some(1), 2));
    let task = stub.add_task(json!({ "case_id": created.id, "title": "Send the letter" })).id;
    let done = stub.complete_task(&task).webhook;
    assert!(done["data"]["task"]["completed_at"].is_string(), "{done}");
    let (status, reopened) =
        ask(&stub, Method::PATCH, &format!("/tasks/{task}"), json!({ "completed": false }), &[]).await;
    assert_eq!((status, &reopened["completed_at"]), (200, &Value::Null));
    let (_, mine) =
        ask(&stub, Method::GET, &format!("/tasks?case_id={}", created.id), Value::Null, &[]).await;
    assert_eq!(mine["data"], json!(stub.tasks()));
}

#[tokio::test]
async fn it_lists_in_pages() {
    let stub = start().await;
    for number in 0..5 {
        let client = json!({ "first_name": "A", "last_name": "B", "phone": format!("+1555010{number}") });
        stub.add_lead(json!({ "client": client }));
    }
    stub.limit_pages(2);
    let mut seen = Vec::new();
    let mut path = "/leads?updated_since=2020-01-01T00:00:00Z&limit=100".to_owned();
    loop {
        let (status, page) = ask(&stub, Method::GET, &path, Value::Null, &[]).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["data"].as_array().expect("a list").iter().map(|lead| text(lead, "id").to_owned()));
        let Some(cursor) = page["page"]["next_cursor"].as_str() else { break };
        path = format!("/leads?limit=100&cursor={cursor}");
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len(), stub.requests().len()), (5, 5, 3));
    let (_, found) =
        ask(&stub, Method::GET, "/leads?phone=%2B15550103&external_ref=", Value::Null, &[]).await;
    assert_eq!(found["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&stub, Method::GET, "/leads?limit=500", Value::Null, &[]).await.0, 400);
    assert_eq!(ask(&stub, Method::GET, "/me", Value::Null, &[]).await.0, 200);
    assert_eq!(stub.requests()[0].header("x-request-id"), Some("r-1"));
}

#[tokio::test]
async fn it_signs_each_attempt() {
    let bridge = MockServer::start().await;
    Mock::given(matchers::path("/webhooks/casepeer/inbound"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&bridge)
        .await;
    let stub = start().await;
    let webhook = stub.add_lead(lead()).webhook;
    assert_eq!(stub.deliver(&bridge.uri(), &webhook).await.status(), 202);
    let sent = &bridge.received_requests().await.expect("recorded")[0];
    let header = |name: &str| sent.headers[name].to_str().expect("text");
    let timestamp = header("x-casepeer-timestamp").parse().expect("seconds");
    let expected = casebridge::webhook::casepeer::sign::sign(b"whsec", timestamp, &sent.body);
    assert_eq!(header("x-casepeer-signature"), expected, "the bridge's reading and the stub's agree");
    assert_eq!(header("x-casepeer-event"), "lead.created");
    assert_eq!(header("x-casepeer-delivery"), text(&webhook, "id"));
}
