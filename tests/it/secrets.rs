//! Secrets: never where they can be read, made and changed by the program, and their age told.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use casebridge::bridge::{Bridge, Refused};
use casebridge::clock::{Clock, SystemClock};
use casebridge::config;
use casebridge::domain::{
    EventId, Fields, FirmId, Opportunity, OpportunityStatus, RecordKind, RecordRef, System, Target,
};
use casebridge::store::sqlite::ServeLock;
use casebridge::store::{Arrival, Begun, DeliveryKey, Intent, Said, SealedPlace};
use casebridge::twin::{Twin, TwinConfig};
use casebridge::webhook::Headers;
use casebridge::webhook::casepeer::sign::sign;
use jiff::SignedDuration;
use serde_json::Value;
use uuid::Uuid;

use crate::crash::child::{Child, Home};
use crate::crash::{Database, PATIENCE, eventually};
use crate::house::source;
use crate::story::ada;
use crate::support::{SYNC, Vendors, clock, configuration_text};

/// Each in a form that nothing else has.
const HIGHLEVEL_TOKEN: &str = "pit-planted-highlevel-7c41";
const CASEPEER_TOKEN: &str = "planted-casepeer-bearer-93be";
const INBOUND_TOKEN: &str = "planted-inbound-token-51aa";
const WEBHOOK_SECRET: &str = "planted-webhook-secret-d08e";

/// Those, and what `configuration_text` writes besides.
const PLANTED: [&str; 8] = [
    HIGHLEVEL_TOKEN,
    CASEPEER_TOKEN,
    INBOUND_TOKEN,
    WEBHOOK_SECRET,
    "the-secret-before-the-rotation",
    "workflow-token-of-acme",
    "workflow-secret",
    "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
];

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn vendors<'a>(twin: &'a Twin, urls: &'a [String; 2], key: &'a str) -> Vendors<'a> {
    Vendors {
        highlevel_url: &urls[0],
        highlevel_key: key,
        location: twin.highlevel.location(),
        highlevel_token: HIGHLEVEL_TOKEN,
        casepeer_url: &urls[1],
        casepeer_token: CASEPEER_TOKEN,
        inbound_token: INBOUND_TOKEN,
        webhook_secret: WEBHOOK_SECRET,
    }
}

async fn twin() -> Twin {
    let config = TwinConfig {
        unlimited: true,
        inbound_token: INBOUND_TOKEN.into(),
        webhook_secret: WEBHOOK_SECRET.into(),
        ..TwinConfig::new(Arc::new(SystemClock))
    };
    let twin = Twin::start(config).await.unwrap();
    twin.highlevel.accept_token(HIGHLEVEL_TOKEN);
    twin.casepeer.accept_token(CASEPEER_TOKEN);
    twin
}

fn casebridge(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(arguments)
        .current_dir(directory)
        .env("CASEBRIDGE_LOG", "trace")
        .env("PLANTED_KEY_2", "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_is_in_the_database_the_logs_at_their_loudest_or_what_verbs_print() {
    let twin = twin().await;
    let (urls, key) = ([twin.highlevel.url(), twin.casepeer.url()], twin.highlevel.public_key());
    let vendors = vendors(&twin, &urls, &key);
    let (directory, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = Home {
        directory: directory.path(),
        data: data.path(),
        database: &Database::Sqlite,
        drain_seconds: 0,
    };
    let child = Child::start_logging(&home, &vendors, SYNC, "trace").await;
    twin.set_bridge(&child.url);
    twin.highlevel.create_contact(ada());
    let look = async || {
        twin.flush().await;
        (twin.casepeer.leads().len() == 1).then_some(())
    };
    eventually("the lead is there", PATIENCE, look).await;
    // Refusals too: a wrong signature to the firm's secret address, a refused credential, the Workflow's address.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let casepeer = http.post(format!("{}/webhooks/casepeer/{INBOUND_TOKEN}", child.url));
    let refused = casepeer.header("x-casepeer-signature", WEBHOOK_SECRET).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let workflow = http.post(format!("{}/webhooks/highlevel/workflow-token-of-acme", child.url));
    workflow.header("X-Bridge-Secret", "workflow-secret").body("{}").send().await.unwrap();
    twin.casepeer.revoke_token(CASEPEER_TOKEN);
    twin.highlevel
        .create_contact(casebridge::twin::NewContact { email: "grace@example.com".into(), ..ada() });
    let parked = async || {
        twin.flush().await;
        let rows = casebridge(directory.path(), &["firms", "list", "--json"]);
        let rows: Value = serde_json::from_slice(&rows.stdout).ok()?;
        rows[0]["parked"].is_object().then_some(())
    };
    eventually("the refused credential parks the firm", PATIENCE, parked).await;

    let mut printed = Vec::new();
    for arguments in [
        &["secrets", "status"][..],
        &["secrets", "status", "--json"],
        &["check"],
        &["firms", "list"],
        &["events", "list", "--json"],
        &["secrets", "rotate", "webhook-secret", "acme"],
        &["secrets", "rotate", "token", "acme"],
        &["secrets", "rotate", "key"],
    ] {
        printed.extend(text(&casebridge(directory.path(), arguments)).into_bytes());
    }
    for path in ["/api/v1/secrets", "/api/v1/quotas", "/api/v1/events", "/metrics"] {
        let answer = http.get(format!("{}{path}", child.admin_url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        printed.extend(answer.bytes().await.unwrap());
    }
    let log = std::fs::read(directory.path().join("log")).unwrap();
    assert!(holds(&log, "TRACE") && holds(&log, "settled"), "the log is not at its loudest");
    let mut places = vec![("what is printed".to_owned(), printed), ("the log".to_owned(), log)];
    for file in std::fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    assert!(places.iter().any(|(name, bytes)| name.ends_with("bridge.db-wal") && bytes.len() > 10_000));
    for (place, bytes) in places {
        for planted in PLANTED {
            assert!(!holds(&bytes, planted), "{planted} is in {place}");
        }
    }
}

#[test]
fn debug_shows_neither_bodies_nor_names_nor_secrets() {
    let body = b"Ada Byron, 512 555 0100".to_vec();
    let arrival = Arrival {
        id: EventId(Uuid::nil()),
        firm: FirmId::new("acme"),
        source: System::HighLevel,
        kind: "ContactUpdate".into(),
        delivery_key: DeliveryKey::Sender("Ada".into()),
        records: Vec::new(),
        proof: "ed25519",
        payload: body.clone().into(),
        sent_at: None,
        received_at: clock().now(),
        is_update: true,
        undeliverable: None,
        trace: None,
    };
    let intent = Intent {
        operation: "create-lead",
        body: body.clone(),
        is_create: true,
        idempotency_key: "acme/lead-of:c1".into(),
        match_keys: Vec::new(),
        said: Said::default(),
    };
    let begun = Begun::Send {
        body: body.clone(),
        idempotency_key: "k".into(),
        ambiguity: None,
        fields: Fields::default(),
    };
    let claim = casebridge::store::Claim {
        lease: casebridge::store::Lease { event: EventId(Uuid::nil()), firm: FirmId::new("acme"), claim: 1 },
        source: System::HighLevel,
        kind: "ContactUpdate".into(),
        payload: Ok(body),
        failed_attempts: 0,
        received_at: clock().now(),
        horizon: 0,
        trace: casebridge::telemetry::TraceId([1; 16]),
    };
    let opportunity = casebridge::domain::NewOpportunity {
        case: RecordRef::casepeer(RecordKind::Case, "K-1"),
        contact: Target::Record(RecordRef::highlevel(RecordKind::Contact, "c1")),
        name: "Ada Byron".into(),
        to: Opportunity {
            pipeline: "p".into(),
            stage: "s".into(),
            status: OpportunityStatus::Open,
            lost_reason: None,
        },
    };
    let secret = config::Secret::new("Ada");
    let all = format!("{arrival:?} {intent:?} {begun:?} {claim:?} {opportunity:?} {secret:?}");
    // Bytes in `Debug` are numbers: of "Ada", 65, 100, 97.
    for never in ["Ada", "Byron", "555", "65, 100, 97"] {
        assert!(!all.contains(never), "{never} in {all}");
    }
    assert!(all.contains("lead-of:c1") && all.contains("ContactUpdate"), "{all}");
}

/// Each column called `sealed_…` is one that `secrets rotate key` seals anew.
#[test]
fn every_sealed_column_is_sealed_anew() {
    let known: BTreeSet<_> =
        SealedPlace::ALL.iter().map(|place| (place.table.into(), place.column.into())).collect();
    for store in ["sqlite", "postgres"] {
        let mut found = BTreeSet::new();
        let folder = format!("{}/src/store/{store}/migrations", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if !name.ends_with(".sql") {
                continue;
            }
            let mut table = String::new();
            for line in source(&format!("src/store/{store}/migrations/{name}")).lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ").or(line.strip_prefix("ALTER TABLE ")) {
                    table = rest.split_whitespace().next().unwrap().to_owned();
                }
                let column = line.trim_start().trim_start_matches("ADD COLUMN ");
                let column = column.split_whitespace().next().unwrap_or_default();
                // A statement of a function names columns too; a table is being described only between its words.
                if line.starts_with("CREATE ") && !line.starts_with("CREATE TABLE ") {
                    table.clear();
                }
                if column.starts_with("sealed_") && !table.is_empty() {
                    found.insert((table.clone(), column.to_owned()));
                }
            }
        }
        assert_eq!(found, known, "{store}: name it in store::SealedPlace::ALL");
    }
}

/// The headers of a signed webhook.
struct Signed {
    stamp: String,
    signature: String,
}

impl Headers for Signed {
    fn value(&self, name: &str) -> Option<&[u8]> {
        match name {
            "X-Casepeer-Timestamp" => Some(self.stamp.as_bytes()),
            "X-Casepeer-Signature" => Some(self.signature.as_bytes()),
            _ => None,
        }
    }
}

#[tokio::test]
async fn a_webhook_secret_that_ends_is_accepted_until_then() {
    let twin = twin().await;
    let (urls, key) = ([twin.highlevel.url(), twin.casepeer.url()], twin.highlevel.public_key());
    let directory = tempfile::tempdir().unwrap();
    let text = configuration_text(directory.path(), &vendors(&twin, &urls, &key), SYNC);
    let until = "webhook-older\", until = \"2026-11-24T13:00:00Z\" }";
    let text = text.replace("webhook-older\" }", until);
    let config = config::parse("test.toml", &text, &Vec::new()).unwrap();
    let (clock, keyring) = (clock(), Arc::new(config.crypto.keyring().unwrap()));
    let (store, _database) =
        crate::store::open_chosen(&directory.path().join("b.db"), &keyring, &clock, false);
    let bridge = Bridge::new(&config, store, keyring, clock.clone()).unwrap();
    let send = async |secret: &str, id: &str| {
        let body = format!("{{\"id\":\"{id}\",\"type\":\"other\"}}");
        let now = clock.now().as_second();
        let (stamp, signature) = (now.to_string(), sign(secret.as_bytes(), now, body.as_bytes()));
        let sender = bridge.casepeer_sender(INBOUND_TOKEN).unwrap();
        bridge.receive_casepeer(&sender, &Signed { stamp, signature }, body.into()).await
    };
    assert!(send("the-secret-before-the-rotation", "e1").await.is_ok());
    clock.advance(SignedDuration::from_hours(1));
    let refused = send("the-secret-before-the-rotation", "e2").await.unwrap_err();
    assert!(matches!(refused, Refused::Signature(_)), "{refused:?}");
    assert!(send(WEBHOOK_SECRET, "e3").await.is_ok());

    let misplaced = text.replace("/bearer\" }", "/bearer\", until = \"2026-11-24T13:00:00Z\" }");
    let wrong = config::parse("test.toml", &misplaced, &Vec::new()).unwrap_err().to_string();
    assert!(wrong.contains("firms.acme.casepeer.auth.token: `until` is for webhook_secrets"), "{wrong}");
}

#[tokio::test]
async fn ages_are_told_and_old_secrets_are_due() {
    let bridge = crate::support::TestBridge::start().await;
    let admin = bridge.installation.admin_url.clone();
    let get = async |path: &str| reqwest::get(format!("{admin}{path}")).await.unwrap().text().await.unwrap();
    assert!(get("/api/v1/secrets").await.contains("\"age_days\":0"));
    bridge.installation.clock.advance(SignedDuration::from_hours(91 * 24));
    let ages: Value = serde_json::from_str(&get("/api/v1/secrets").await).unwrap();
    let named: Vec<_> =
        ages.as_array().unwrap().iter().map(|age| age["reference"].as_str().unwrap()).collect();
    assert_eq!(
        named,
        [
            "crypto.keys.k1",
            "firms.acme.highlevel.token",
            "firms.acme.highlevel.workflow_token",
            "firms.acme.highlevel.workflow_header",
            "firms.acme.casepeer.inbound_token",
            "firms.acme.casepeer.webhook_secrets",
            "firms.acme.casepeer.webhook_secrets",
            "firms.acme.casepeer.auth.token",
        ]
    );
    assert_eq!((&ages[1]["age_days"], &ages[1]["is_due"]), (&91.into(), &true.into()));
    assert!(ages[1]["origin"].as_str().unwrap().starts_with("file /"), "{ages}");
    let metrics = get("/metrics").await;
    assert!(
        metrics.contains("casebridge_secret_age_days{secret=\"firms.acme.highlevel.token\"} 91"),
        "{metrics}"
    );
    assert!(metrics.contains("casebridge_secrets_due 8"), "{metrics}");
}

#[test]
fn new_secrets_are_new_and_say_where_they_go() {
    let directory = tempfile::tempdir().unwrap();
    for (kind, length, step) in [
        ("key", 44, "under [crypto] write keys = [{ id = \"k1\""),
        ("webhook-secret", 64, "name that in firms.casepeer.webhook_secrets"),
        ("token", 48, "firms.casepeer.inbound_token"),
    ] {
        let made = || casebridge(directory.path(), &["secrets", "new", kind]);
        let (one, other) = (made(), made());
        assert!(one.status.success() && one.stdout != other.stdout);
        assert_eq!(String::from_utf8_lossy(&one.stdout).trim_end().len(), length, "{kind}");
        assert!(String::from_utf8_lossy(&one.stderr).contains(step), "{}", text(&one));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is stored");
}

#[test]
fn without_a_key_nothing_starts_and_the_way_to_one_is_said() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("casebridge.toml"), "").unwrap();
    for verb in [&["serve"][..], &["secrets", "status"], &["secrets", "rotate", "key"]] {
        let refused = casebridge(directory.path(), verb);
        assert_eq!(refused.status.code(), Some(78));
        let text = text(&refused);
        assert!(text.contains("no key to seal") && text.contains("casebridge secrets new key"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_changed_while_the_service_runs_and_not_behind_its_back() {
    let twin = twin().await;
    let (urls, key) = ([twin.highlevel.url(), twin.casepeer.url()], twin.highlevel.public_key());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://bridge.db\"\n";
    let old = format!("{server}{}", configuration_text(path, &vendors(&twin, &urls, &key), SYNC));
    let both = old.replace("\nkeys = [", "\nkeys = [{ id = \"k2\", secret = { env = \"PLANTED_KEY_2\" } }, ");
    let write = |text: &str| std::fs::write(path.join("casebridge.toml"), text).unwrap();
    write(&old);
    assert!(text(&casebridge(path, &["store", "migrate"])).contains("SQLite schema"));
    write(&both);

    // The service that runs knows only the old key.
    let mut lock = ServeLock::take(&path.join("bridge.db")).unwrap();
    lock.note_keys(&["k1".to_owned()]).unwrap();
    let refused = casebridge(path, &["secrets", "rotate", "key"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("was started without the key `k2`"), "{}", text(&refused));
    assert!(text(&refused).contains("hint: restart it, then rotate"));

    // It was restarted with both.
    lock.note_keys(&["k2".to_owned(), "k1".to_owned()]).unwrap();
    let rotated = casebridge(path, &["secrets", "rotate", "key"]);
    assert!(rotated.status.success(), "{}", text(&rotated));
    assert!(text(&rotated).contains("1 values are sealed anew with `k2`"), "{}", text(&rotated));
    assert!(text(&rotated).contains("nothing is sealed with `k1` any more: take it out of crypto.keys"));
    drop(lock);
    let status = text(&casebridge(path, &["secrets", "status"]));
    // The event's body, and why the line of the audit log was written.
    assert!(status.contains("k2, the active key, seals 2 stored values"), "{status}");
    assert!(status.contains("k1, an older key, seals 0 stored values"), "{status}");
    assert!(status.contains("firms.acme.casepeer.webhook_secrets"), "{status}");
    // Whoever still has the old configuration is refused before anything is written.
    write(&old);
    let refused = casebridge(path, &["secrets", "status"]);
    assert!(text(&refused).contains("sealed with the key `k2`, which crypto.keys does not list"));
}
