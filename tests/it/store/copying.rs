//! An installation moves from SQLite to PostgreSQL: everything is there, opens, and goes on where it was.

use std::process::{Command, Output};

use casebridge::config::Secret;
use casebridge::domain::{
    Allowance, Announced, Base, Cause, Deed, Details, EventState, Link, Outcome, ParkCause, Priority,
    Question, Reach, Resolution, ReviewAction, ReviewKind, Role, System,
};
use casebridge::store::copy::{CannotCopy, copy};
use casebridge::store::{
    ActionAnswer, AuditEntry, Begun, CallsAsked, ConnectLink, Credentials, EventFilter, Holder, Intent,
    LinkChange, NewToken, RuleRun, Said, SharedStore, Store, Tokens,
};
use jiff::SignedDuration;

use super::databases::keyring;
use super::{LEASE, PostgresDatabase, TestStore, contact, firm, lead, room, settlement};
use crate::support::clock;

/// A store with something in every table.
async fn lived_in() -> TestStore {
    let test = TestStore::sqlite();
    for number in 0..1200 {
        test.update(&format!("c{}", number % 300)).await;
    }
    let claims = test.store.claim("worker", &room(4), LEASE).await.unwrap();
    let intent = Intent {
        operation: "create-lead",
        body: b"{\"name\":\"Ada\"}".to_vec(),
        is_create: true,
        idempotency_key: "key".into(),
        match_keys: vec![[1; 32]],
        said: Said::default(),
    };
    let key = casebridge::domain::EffectKey("lead-of:c0".into());
    test.store.begin_effect(&claims[0].lease, &key, intent).await.unwrap();
    let link = Link::new(contact("c1"), lead("l1"), System::HighLevel, Base::of_task(true));
    test.store.save_links(&claims[1].lease, vec![LinkChange::Link(link)]).await.unwrap();
    test.settle(&claims[1], Outcome::Done).await;
    test.settle(&claims[2], Outcome::Undelivered { cause: Cause::Rejected, why: "no".into() }).await;
    let why = "401".to_owned();
    let parked = Outcome::Parked { cause: ParkCause::Credentials, system: System::CasePeer, why };
    test.settle(&claims[3], parked).await;
    let ask = CallsAsked {
        priority: Priority::NewLead,
        wanted: 5,
        made: 0,
        assumed: Allowance::HIGHLEVEL,
        announced: Announced::default(),
        closed_for: None,
        unspent: Vec::new(),
    };
    test.store.lease_calls(&firm(), System::HighLevel, ask).await.unwrap();
    test.store.save_sweep(&firm(), super::sweeps::found(claims[1].lease.event)).await.unwrap();
    test.store.hold_sweep(&firm(), "sweep", "me", SignedDuration::from_hours(1)).await.unwrap();
    test.store.save_tokens(&location(), &tokens(), None).await.unwrap();
    test.store.note_installed(&location(), Some("com"), Some("Acme")).await.unwrap();
    let hour = SignedDuration::from_hours(1);
    test.store.make_link([1; 32], &firm(), hour).await.unwrap();
    test.store.make_link([0; 32], &firm(), hour).await.unwrap();
    test.store.use_link([1; 32], hour).await.unwrap();
    test.store.save_rule("signed", "{}", None, "maria").await.unwrap();
    test.store.save_mapping(&firm(), Some("{}"), 0, "maria").await.unwrap();
    test.store.add_hook(super::hooks::new("h1")).await.unwrap();
    let token = NewToken {
        id: "t1".into(),
        name: "zapier".into(),
        digest: [4; 32],
        firms: vec!["acme".into()],
        actions: vec!["contacts.*".into()],
        by: "maria".into(),
    };
    test.store.add_token(token).await.unwrap();
    let answer = ActionAnswer { status: Some(200), why: None, body: serde_json::json!({}) };
    test.store.save_answer(&claims[0].lease, answer).await.unwrap();
    let run = RuleRun { rule: "signed".into(), version: 1, subject: contact("c0").to_string() };
    test.store.begin_runs(&claims[0].lease, vec![run]).await.unwrap();
    test.store.spend_write(&firm(), "signed", 5, test.now() - hour).await.unwrap();
    let question = Question {
        kind: ReviewKind::AmbiguousMatch,
        subject: contact("c5").to_string(),
        why: "two look alike".into(),
        details: Details::default(),
    };
    let event = claims[2].lease.event;
    let id = test.store.open_review(&firm(), question, Some(event)).await.unwrap();
    test.store.resolve_review(id, &Resolution::new(ReviewAction::Ignore), "maria").await.unwrap();
    for span in test.store.hours_to_count(10).await.unwrap() {
        test.store.count_hour(span).await.unwrap();
    }
    test.store.index_events(10).await.unwrap();
    test.store.offer_setup([4; 32], hour).await.unwrap();
    let ada = super::access::new("ada", Role::Admin, Reach::Everywhere);
    assert!(test.store.add_account(ada).await.unwrap());
    test.store.open_session([5; 32], "ada", hour).await.unwrap();
    test.store.count_try([6; 32], hour).await.unwrap();
    test.store.note_deed(AuditEntry::new("ada", Deed::SetUp).because("it is new")).await.unwrap();
    test
}

fn location() -> Holder {
    Holder::Location("loc".into())
}

fn tokens() -> Tokens {
    let (access, refresh) = (Secret::new("access"), Some(Secret::new("refresh")));
    let life = SignedDuration::from_hours(24);
    Tokens { access, refresh, scopes: Some("contacts.readonly".into()), life, company: Some("com".into()) }
}

async fn all(store: &dyn Store) -> Vec<casebridge::store::EventRow> {
    store.events(EventFilter { limit: 10_000, ..EventFilter::default() }).await.unwrap()
}

#[tokio::test]
async fn a_copy_is_complete_and_goes_on() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let test = lived_in().await;
    let target = database.open(&test.clock, keyring()).await;
    let copied = copy(&test.database.path(), &target, |_| {}).await.unwrap();
    let rows: Vec<_> = copied.iter().map(|table| (table.table, table.rows)).collect();
    assert!(rows.contains(&("event", 1200)) && rows.contains(&("payload", 1200)), "{rows:?}");
    let tables = [
        "review",
        "review_event",
        "link",
        "effect",
        "reservation",
        "parking",
        "person",
        "quota",
        "credential",
        "connect_link",
        "installation",
        "sweep_mark",
        "sweep_lease",
        "loss",
        "loss_gap",
        "hook",
        "api_token",
        "action_answer",
        "rule",
        "rule_version",
        "mapping",
        "rule_run",
        "rule_budget",
        "account",
        "session",
        "setup_link",
        "sign_in_try",
        "audit",
        "activity",
        "activity_hour",
        "search_key",
        "progress",
    ];
    for table in tables {
        assert!(copied.iter().any(|copied| copied.table == table && copied.rows > 0), "{table}");
    }
    assert_eq!(all(&target).await, all(&*test.store).await);
    assert_eq!(target.parkings().await.unwrap(), test.store.parkings().await.unwrap());
    let again = copy(&test.database.path(), &target, |_| {}).await;
    assert!(matches!(again, Err(CannotCopy::NotEmpty("person"))), "{again:?}");

    let credential = target.credential(&location()).await.unwrap().unwrap();
    assert_eq!(credential.refresh.unwrap().reveal(), "refresh");
    assert_eq!(target.credentials().await.unwrap(), test.store.credentials().await.unwrap());
    assert_eq!(target.installations().await.unwrap(), test.store.installations().await.unwrap());
    assert_eq!(target.link([0; 32]).await.unwrap(), ConnectLink::For(firm()));
    assert_eq!(target.link([1; 32]).await.unwrap(), ConnectLink::Used);

    let link = &target.links_of(&firm(), &[lead("l1")]).await.unwrap()[0];
    assert_eq!(link.base, Base::of_task(true));
    let test = TestStore { store: std::sync::Arc::new(target) as SharedStore, ..test };
    test.store.resume(&firm()).await.unwrap();
    // The lease that was held when the service stopped runs out, and its create is sent again to the byte.
    test.pass(LEASE + SignedDuration::from_secs(1));
    let claims = test.store.claim("worker", &room(2000), LEASE).await.unwrap();
    assert_eq!(claims.len(), 300);
    assert!(claims.iter().all(|claim| claim.payload.as_deref().unwrap() == br#"{"type":"ContactUpdate"}"#));
    let begun = claims.iter().find(|claim| claim.failed_attempts == 1).unwrap();
    let key = casebridge::domain::EffectKey("lead-of:c0".into());
    let intent = Intent {
        operation: "create-lead",
        body: Vec::new(),
        is_create: true,
        idempotency_key: "other".into(),
        match_keys: vec![[1; 32]],
        said: Said::default(),
    };
    let sent = test.store.begin_effect(&begun.lease, &key, intent).await.unwrap();
    assert!(matches!(sent, Begun::Send { body, .. } if body == b"{\"name\":\"Ada\"}"));
    // What comes next is numbered on.
    test.update("new").await;
    let newest = all(&*test.store).await.remove(0);
    assert_eq!((newest.state, newest.received_at), (EventState::Ready, test.now()));
    for claim in &claims {
        test.store.settle(&claim.lease, settlement(Outcome::Done)).await.unwrap();
    }
}

fn casebridge(directory: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_casebridge"))
        .args(["store"])
        .args(arguments)
        .current_dir(directory)
        .env_remove("CASEBRIDGE_COPY_TO")
        .env("CASEBRIDGE_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_command_copies_once_and_says_what() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let test = lived_in().await;
    let path = test.database.path();
    let directory = path.parent().unwrap();
    let config = "[crypto]\nkeys = [{ id = \"k1\", secret = { env = \"CASEBRIDGE_KEY\" } }]\n\
        [store]\nurl = \"sqlite://bridge.db\"\n";
    std::fs::write(directory.join("casebridge.toml"), config).unwrap();
    let migrated = casebridge(directory, &["migrate"]);
    let schema = casebridge::store::sqlite::SCHEMA;
    let expected = format!("SQLite schema {schema}: it was up to date\n");
    assert_eq!(String::from_utf8_lossy(&migrated.stdout), expected);

    let lock = casebridge::store::sqlite::ServeLock::take(&path).unwrap();
    let refused = casebridge(directory, &["copy", "--to", &database.url]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("stop it first"));
    drop(lock);

    let copied = casebridge(directory, &["copy", "--to", &database.url]);
    let (out, err) = (String::from_utf8_lossy(&copied.stdout), String::from_utf8_lossy(&copied.stderr));
    assert!(copied.status.success(), "{out}{err}");
    assert!(out.contains("event                1200  ") && err.contains("event: 1200 rows\n"), "{out}{err}");
    let again = casebridge(directory, &["copy", "--to", &database.url]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("the target is not empty"));
    let target = database.open(&clock(), keyring()).await;
    assert_eq!(all(&target).await.len(), 1200);

    let wrong = casebridge(directory, &["copy", "--to", "mysql://user:hunter2@host/db"]);
    assert_eq!(wrong.status.code(), Some(2));
}
