//! Backups that can be restored, bytes that are gone, and what the law asks for: through the program itself.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use casebridge::clock::Clock;
use casebridge::config;
use casebridge::domain::{EventState, FirmId};
use casebridge::store::sqlite::{ServeLock, SqliteStore};
use jiff::SignedDuration;
use serde_json::Value;

use crate::support::TestBridge;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A verb against a bridge's own configuration and database.
fn casebridge(bridge: &TestBridge, arguments: &[&str]) -> Output {
    let directory = bridge.installation.directory();
    Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(arguments)
        .current_dir(directory)
        .env("CASEBRIDGE_STORE__URL", "sqlite://bridge.db")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Every file of a directory whose name begins so.
fn files(directory: &Path, name: &str) -> Vec<u8> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let ours = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
    ours.flat_map(|path| std::fs::read(path).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_goes_on_working() {
    let bridge = TestBridge::start().await;
    let Some(database) = bridge.installation.sqlite_file() else { return };
    bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    // Received and not worked on yet, while the backup is made from a database in use.
    bridge.highlevel.create_contact(casebridge::twin::NewContact {
        email: "grace@example.com".into(),
        first_name: "Grace".into(),
        phone: "+1 512 555 0199".into(),
        ..crate::story::ada()
    });
    bridge.deliver().await;
    let made = casebridge(&bridge, &["store", "backup", "copy.db", "--json"]);
    assert!(made.status.success(), "{}", text(&made));
    let said: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(said["events"].as_u64().unwrap() >= 2 && said["links"].as_u64() == Some(1), "{said}");
    let backup = bridge.installation.directory().join("copy.db");
    assert_eq!(std::fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let again = casebridge(&bridge, &["store", "backup", "copy.db"]);
    assert!(!again.status.success() && text(&again).contains("is there already"), "{}", text(&again));

    // What happened since is lost with the database.
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
    std::fs::write(&database, b"not a database any more").unwrap();
    let without = casebridge(&bridge, &["store", "restore", "copy.db"]);
    assert!(text(&without).contains("--replace"), "{}", text(&without));
    let lock = ServeLock::take(&database).unwrap();
    let served = casebridge(&bridge, &["store", "restore", "copy.db", "--replace"]);
    assert_eq!(served.status.code(), Some(75), "{}", text(&served));
    drop(lock);
    let restored = casebridge(&bridge, &["store", "restore", "copy.db", "--replace"]);
    assert!(restored.status.success() && text(&restored).contains("reconcile"), "{}", text(&restored));

    let text = std::fs::read_to_string(bridge.installation.directory().join("casebridge.toml")).unwrap();
    let keyring = Arc::new(config::parse("c.toml", &text, &Vec::new()).unwrap().crypto.keyring().unwrap());
    let store = SqliteStore::open(&database, keyring, bridge.installation.clock.clone()).unwrap();
    let worker = bridge.installation.another_worker("worker", Arc::new(store));
    while worker.step().await.unwrap() > 0 {}
    assert_eq!(bridge.casepeer.leads().len(), 2, "what was done before the loss is not done again");
    let shown = casebridge(&bridge, &["events", "list", "--json"]);
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("\"ready\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_foreign_backup_is_not_restored() {
    let bridge = TestBridge::start().await;
    let Some(database) = bridge.installation.sqlite_file() else { return };
    bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    let directory = bridge.installation.directory();
    assert!(casebridge(&bridge, &["store", "backup", "copy.db"]).status.success());
    let before = files(directory, "bridge.db");
    let whole = std::fs::read(directory.join("copy.db")).unwrap();
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle..middle + 4096].fill(0xff);
    let cases: [(&str, &[u8], &str); 4] = [
        ("cut.db", &whole[..whole.len() / 2], "not a whole backup"),
        ("flipped.db", &flipped, "not a whole backup"),
        ("empty.db", b"", "not a whole backup"),
        ("text.db", b"SELECT 1;", "not a whole backup"),
    ];
    for (name, bytes, why) in cases {
        std::fs::write(directory.join(name), bytes).unwrap();
        let refused = casebridge(&bridge, &["store", "restore", name, "--replace"]);
        assert!(!refused.status.success() && text(&refused).contains(why), "{name}: {}", text(&refused));
    }
    // Sealed with another key.
    std::fs::write(directory.join("key"), "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=").unwrap();
    let refused = casebridge(&bridge, &["store", "restore", "copy.db", "--replace"]);
    assert_eq!(refused.status.code(), Some(78), "{}", text(&refused));
    assert!(before == files(directory, "bridge.db"), "{} was touched", database.display());
}

#[tokio::test]
async fn what_was_kept_long_enough_is_gone_from_the_files_bytes() {
    let bridge = TestBridge::start().await;
    let Some(database) = bridge.installation.sqlite_file() else { return };
    for email in ["ada@example.com", "grace@example.com"] {
        let name = if email.starts_with("ada") { "Ada" } else { "Grace" };
        bridge.highlevel.create_contact(casebridge::twin::NewContact {
            first_name: name.into(),
            email: email.into(),
            phone: String::new(),
            ..crate::story::ada()
        });
    }
    bridge.settle().await;
    let connection = rusqlite::Connection::open(&database).unwrap();
    let sealed = |sql: &str| -> Vec<Vec<u8>> {
        let mut select = connection.prepare(sql).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let bodies = sealed("SELECT sealed_body FROM payload WHERE event < (SELECT max(seq) FROM event)");
    let requests = sealed("SELECT sealed_request FROM effect");
    assert!(bodies.len() > 1 && !requests.is_empty());
    let directory = bridge.installation.directory();
    // The ends of what was sealed: the beginnings are alike.
    let ends: Vec<Vec<u8>> =
        bodies.iter().chain(&requests).map(|sealed| sealed[sealed.len() - 48..].to_vec()).collect();
    let found = || {
        let bytes = files(directory, "bridge.db");
        ends.iter().filter(|end| holds(&bytes, end)).count()
    };
    assert_eq!(found(), ends.len());
    bridge.installation.clock.advance(DAY * 31);
    let retained = bridge.installation.bridge.retain_due().await.unwrap().unwrap();
    assert!(retained.payloads >= bodies.len() as u64 && retained.requests == requests.len() as u64);
    assert_eq!(found(), 0, "in the database or its log");
    assert_eq!(bridge.installation.bridge.retain_due().await.unwrap(), None, "once a day");
    // It goes on.
    let contact = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
    bridge.highlevel.update_contact(&contact, serde_json::json!({ "city": "Dallas" }));
    bridge.settle().await;
    assert_eq!(bridge.casepeer.leads().len(), 2);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn the_body_of_a_location_that_no_firm_has_goes_after_a_week() {
    let bridge = TestBridge::start().await;
    let store = bridge.installation.store.clone();
    let id = casebridge::domain::EventId(uuid::Uuid::now_v7());
    let stranger = casebridge::store::Arrival {
        id,
        firm: FirmId::new(""),
        source: casebridge::domain::System::HighLevel,
        kind: "ContactUpdate".into(),
        delivery_key: casebridge::store::DeliveryKey::Sender(id.to_string()),
        records: Vec::new(),
        proof: "ed25519",
        payload: b"{}".as_slice().into(),
        sent_at: None,
        received_at: bridge.installation.clock.now(),
        is_update: true,
        undeliverable: Some((casebridge::domain::Cause::NotOurs, "no firm for this location".into())),
        trace: None,
    };
    store.record(stranger).await.unwrap();
    bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    bridge.installation.clock.advance(DAY * 8);
    let retained = bridge.installation.bridge.retain().await.unwrap();
    assert_eq!((retained.payloads, retained.requests), (1, 0), "the firm's own stay");
    assert_eq!(store.payload(id).await.unwrap(), None);
    assert_eq!(store.event(id).await.unwrap().unwrap().row.state, EventState::Undelivered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_exported_held_and_erased_with_a_certificate() {
    let bridge = TestBridge::start().await;
    if bridge.installation.sqlite_file().is_none() {
        return;
    }
    let contact = bridge.highlevel.create_contact(crate::story::ada());
    bridge.settle().await;
    let who = format!("highlevel:contact:{contact}");
    let out = bridge.installation.directory().join("ada.json");
    let exported = casebridge(&bridge, &["people", "export", &who, "--out", "ada.json"]);
    assert!(exported.status.success(), "{}", text(&exported));
    assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let everything: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(everything["person"]["links"].as_array().unwrap().len(), 1);
    let received = everything["received"].to_string();
    let sent = everything["sent"].to_string();
    assert!(received.contains("ContactCreate") && sent.contains("Byron"), "{everything:#}");

    assert!(casebridge(&bridge, &["people", "hold", &who, "--why", "Byron v. Acme"]).status.success());
    let refused = casebridge(&bridge, &["people", "erase", &who, "--yes"]);
    assert!(text(&refused).contains("under legal hold") && !refused.status.success(), "{}", text(&refused));
    let listed = text(&casebridge(&bridge, &["people", "holds"]));
    assert!(listed.contains("Byron v. Acme") && listed.contains("held"), "{listed}");
    assert!(casebridge(&bridge, &["people", "release", &who]).status.success());

    let unasked = casebridge(&bridge, &["people", "erase", &who]);
    assert_eq!(unasked.status.code(), Some(2), "{}", text(&unasked));
    let erased = casebridge(&bridge, &["people", "erase", &who, "--yes"]);
    assert!(erased.status.success(), "{}", text(&erased));
    let certificate: Value = serde_json::from_slice(&erased.stdout).unwrap();
    assert_eq!(certificate["certificate"], "casebridge erasure 1");
    assert!(certificate["records"].to_string().contains(&contact), "{certificate}");
    assert!(certificate["erased"]["payloads"].as_u64().unwrap() > 0, "{certificate}");
    let gone = casebridge(&bridge, &["people", "show", &who]);
    assert!(!gone.status.success());
}
