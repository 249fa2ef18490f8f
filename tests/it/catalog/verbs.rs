//! `casebridge catalog` as a person types it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{Vendors, configuration_text};

fn catalog(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_casebridge"));
    command
        .current_dir(directory)
        .env_remove("CASEBRIDGE_CONFIG")
        .arg("catalog")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A directory with a configuration for the firm `acme`, whose vendors are both there.
fn installed(url: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let vendors = Vendors {
        highlevel_url: url,
        highlevel_key: "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
        location: "loc-1",
        highlevel_token: "planted-token",
        casepeer_url: url,
        casepeer_token: "planted-bearer",
        inbound_token: "planted-inbound-token",
        webhook_secret: "planted-webhook-secret",
    };
    let store = "[store]\nurl = \"sqlite://bridge.db\"\n";
    let text = format!("{store}{}", configuration_text(directory.path(), &vendors, ""));
    std::fs::write(directory.path().join("casebridge.toml"), text).unwrap();
    directory
}

#[test]
fn the_list_is_whole_and_can_be_narrowed() {
    let here = tempfile::tempdir().unwrap();
    let rows = |arguments: &[&str]| -> Vec<Value> {
        let output = catalog(here.path(), &[&["list", "--json"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = rows(&[]);
    let highlevel = rows(&["--system", "highlevel"]);
    assert!(highlevel.len() >= 126 && all.len() > highlevel.len() + 40, "{} {}", all.len(), highlevel.len());
    for row in &all {
        for name in ["id", "system", "kind", "method", "path", "scope", "parameters", "help", "deprecated"] {
            assert!(row.get(name).is_some(), "{row} has no {name}");
        }
    }
    let notes = rows(&["--kind", "action", "--search", "NOTE"]);
    assert!(notes.iter().any(|row| row["id"] == "contacts.create-note"));
    assert!(notes.iter().all(|row| row["kind"] == "action"));
    let old: Vec<_> = all.iter().filter(|row| row["deprecated"] == true).collect();
    assert_eq!((old.len(), &old[0]["path"], &old[0]["method"]), (1, &json!("/contacts/"), &json!("GET")));
    let table = catalog(here.path(), &["list", "--system", "casebridge"]);
    assert!(text(&table.stdout).contains("casebridge.milestone_reached"));
    assert!(text(&table.stderr).contains("0 actions and 5 triggers"));
}

#[test]
fn one_is_shown_with_its_parameters_and_a_wrong_id_meets_the_right_one() {
    let here = tempfile::tempdir().unwrap();
    let shown = catalog(here.path(), &["show", "contacts.create-task"]);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("POST /contacts/{contactId}/tasks") && shown.contains("contacts.write"),
        "{shown}"
    );
    assert!(shown.contains("* dueDate") && shown.contains("doing it again may do it twice"), "{shown}");
    let output = catalog(here.path(), &["show", "contacts.createtask"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("hint: did you mean `contacts.create-task`?"));
}

#[tokio::test]
async fn a_dry_run_prints_the_request_and_no_secret_and_sends_nothing() {
    let server = MockServer::start().await;
    let directory = installed(&server.uri());
    let dry = |arguments: &[&str]| {
        let output =
            catalog(directory.path(), &[&["call", "--firm", "acme", "--dry-run"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!text(&output.stdout).contains("planted"), "{}", text(&output.stdout));
        text(&output.stdout).to_owned()
    };
    let asked = ["contacts.get-contacts-by-businessId", "--param", "businessId=b 1", "--param", "query=a&b"];
    let expected =
        "/contacts/business/b%201?locationId=loc-1&query=a%26b\nAuthorization: …\nVersion: 2021-07-28\n";
    let printed = dry(&asked);
    assert_eq!(printed, format!("GET {}{expected}", server.uri()));
    std::fs::write(
        directory.path().join("lead.json"),
        r#"{"client":{"first_name":"Ada","last_name":"Byron"}}"#,
    )
    .unwrap();
    let asked = ["lead.create", "--body", "lead.json", "--param", "summary=x", "--idempotency-key", "k-1"];
    let printed = dry(&asked);
    let (head, body) = printed.split_once("\n\n").unwrap();
    assert!(
        head.ends_with("/leads\nAuthorization: …\nIdempotency-Key: k-1\nContent-Type: application/json"),
        "{head}"
    );
    let expected = json!({ "client": { "first_name": "Ada", "last_name": "Byron" }, "summary": "x" });
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), expected);
    let address = "url=https://bridge.example.com/webhooks/casepeer/planted-inbound-token";
    let asked =
        ["webhook.create", "--param", address, "--param", "events=lead.created", "--param", "secret=planted"];
    assert!(dry(&asked).contains("\"secret\": \"…\""));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_call_prints_the_answer_or_why_there_is_none() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(201).set_body_json(json!({ "note": { "id": "n-1" } }));
    Mock::given(method("POST"))
        .and(path("/contacts/c-1/notes"))
        .and(header("authorization", "Bearer planted-token"))
        .and(header("version", "2021-07-28"))
        .and(body_json(json!({ "body": "Called", "pinned": true })))
        .respond_with(answer)
        .mount(&server)
        .await;
    let refusal =
        ResponseTemplate::new(422).set_body_json(json!({ "message": ["body should not be empty"] }));
    Mock::given(path("/contacts/c-2/notes")).respond_with(refusal).mount(&server).await;
    Mock::given(path("/contacts/c-3/notes")).respond_with(ResponseTemplate::new(429)).mount(&server).await;
    let directory = installed(&server.uri());
    let note = |contact: &str| {
        let asked =
            ["call", "contacts.create-note", "--firm", "acme", "--param", contact, "--param", "body=Called"];
        catalog(directory.path(), &[&asked[..], &["--param", "pinned=true"]].concat())
    };
    let output = note("contactId=c-1");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), json!({ "note": { "id": "n-1" } }));
    assert!(
        text(&output.stderr).contains("POST /contacts/c-1/notes answered 201"),
        "{}",
        text(&output.stderr)
    );
    let output = note("contactId=c-2");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("body should not be empty"));
    assert!(
        text(&output.stderr).contains("error: contacts.create-note answered 422"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(note("contactId=c-3").status.code(), Some(75));

    // All three count, for this process is not the only one.
    let listed = Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .current_dir(directory.path())
        .args(["firms", "list", "--json"])
        .output()
        .unwrap();
    let rows: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(rows[0]["quotas"][0]["spent_today"], 3, "{rows}");
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once_and_nothing_is_sent() {
    let server = MockServer::start().await;
    let directory = installed(&server.uri());
    let call = |firm: &str, arguments: &[&str]| {
        let output = catalog(directory.path(), &[&["call", "--firm", firm], arguments].concat());
        (output.status.code(), text(&output.stderr).to_owned())
    };
    let asked = [
        "contacts.create-task",
        "--param",
        "contact_id=c",
        "--param",
        "completed=perhaps",
        "--param",
        "title=T",
    ];
    let (code, said) = call("acme", &asked);
    assert_eq!(code, Some(2));
    for line in [
        "`contact_id` is no parameter of contacts.create-task; did you mean `contactId`?",
        "`contactId` is required",
        "`dueDate` is required",
        "`completed` must be true or false",
        "hint: `casebridge catalog show contacts.create-task`",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let (code, said) = call("acne", &["health"]);
    assert_eq!((code, said.contains("did you mean `acme`?")), (Some(1), true), "{said}");
    let (code, said) = call("acme", &["webhook.ContactCreate"]);
    assert_eq!((code, said.contains("is a trigger")), (Some(2), true), "{said}");
    let (code, said) = call("acme", &["locations.get-location", "--param", "locationId=other"]);
    assert_eq!((code, said.contains("not the firm's location")), (Some(2), true), "{said}");
    assert!(server.received_requests().await.unwrap().is_empty());
}
