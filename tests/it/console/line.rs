//! What is done on the command line is written down as what is done here is.

use casebridge::domain::{Details, Fields, FirmId, Question, RecordKind, RecordRef, Shown};
use casebridge::domain::{EventState, Reach, ReviewKind, Role};
use casebridge::store::{AuditFilter, EventFilter};
use casebridge::twin::Fault;

use super::Person;
use crate::story::{ada, grace};
use crate::support::{TestBridge, casebridge};

/// Runs a verb, which succeeds; nothing where the bridge's database is no file.
fn run(bridge: &TestBridge, verb: &str) -> Option<String> {
    let arguments: Vec<&str> = verb.split(' ').collect();
    let (code, out, err) = casebridge(bridge, &arguments)?;
    assert_eq!(code, 0, "{verb}: {out}{err}");
    Some(out)
}

/// An undelivered event, and a question about its person.
async fn troubled(bridge: &TestBridge) -> (String, String, String) {
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.casepeer.fault(Fault::status(422).on("POST", "/leads").times(1));
    let contact = bridge.highlevel.create_contact(casebridge::twin::NewContact {
        first_name: "Grace".into(),
        email: "grace@example.com".into(),
        phone: "+1 512 555 0177".into(),
        ..ada()
    });
    bridge.settle().await;
    let filter = EventFilter { states: vec![EventState::Undelivered], limit: 1, ..EventFilter::default() };
    let event = bridge.installation.store.events(filter).await.unwrap().remove(0).id;
    let shown = Shown {
        score: Some(1),
        ..Shown::of(&RecordRef::casepeer(RecordKind::Lead, "L"), &Fields::default())
    };
    let question = Question {
        kind: ReviewKind::AmbiguousMatch,
        subject: "s".into(),
        why: "two look alike".into(),
        details: Details { casepeer: vec![shown], ..Details::default() },
    };
    let review = bridge.installation.store.open_review(&FirmId::new("acme"), question, None).await.unwrap();
    (event.to_string(), review.to_string(), format!("highlevel:contact:{contact}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_command_line_does_is_in_the_audit_log() {
    let bridge = TestBridge::start().await;
    let (event, review, contact) = troubled(&bridge).await;
    if run(&bridge, "rules import --ready-made rejected --by maria").is_none() {
        return;
    }
    let contacts = bridge.highlevel.contacts();
    let other = contacts.iter().find(|one| one["firstName"] == "Ada").unwrap()["id"].as_str().unwrap();
    let other = format!("highlevel:contact:{other}");
    let token = run(&bridge, "tokens create Zap --firm acme --action contacts.* --by maria").unwrap();
    let id = bridge.installation.store.tokens().await.unwrap()[0].id.clone();
    let out = bridge.installation.directory().join("export.json").display().to_string();
    for verb in [
        "rules on rejected".to_owned(),
        "rules off rejected".to_owned(),
        "rules remove rejected".to_owned(),
        "firms pause acme --reason lunch".to_owned(),
        "firms resume acme".to_owned(),
        format!("events discard {event} --reason test"),
        format!("events replay {event}"),
        format!("review resolve {review} --action ignore"),
        format!("tokens revoke {id}"),
        format!("people hold {contact} --why lawsuit"),
        format!("people release {contact}"),
        format!("people export {contact} --out {out}"),
        format!("people merge {contact} {other}"),
        format!("people split {contact}"),
        format!("people erase {contact} --yes"),
        "catalog call contacts.get-contact --firm acme --param contactId=nobody".to_owned(),
        "secrets rotate key".to_owned(),
        "backfill --firm acme".to_owned(),
        "reconcile --firm acme".to_owned(),
    ] {
        let verb = format!("{verb} --by maria");
        let arguments: Vec<&str> = verb.split(' ').collect();
        let (code, out, err) = casebridge(&bridge, &arguments).unwrap();
        let may_be_refused = verb.starts_with("catalog call");
        assert!(code == 0 || may_be_refused, "{verb}: {out}{err}");
    }
    let filter = AuditFilter { who: Some("maria".into()), limit: 100, ..AuditFilter::default() };
    let mut rows = bridge.installation.store.audit_log(filter).await.unwrap();
    rows.reverse();
    let deeds: Vec<&str> = rows.iter().map(|row| row.what.as_str()).collect();
    assert_eq!(
        deeds,
        [
            "rule_saved",
            "token_made",
            "rule_on",
            "rule_off",
            "rule_removed",
            "paused",
            "resumed",
            "discarded",
            "replayed",
            "resolved",
            "token_revoked",
            "held",
            "released",
            "exported",
            "merged",
            "split",
            "erased",
            "called",
            "resealed",
            "backfilled",
            "swept",
        ]
    );
    for row in &rows {
        assert!(row.reason.as_deref().unwrap_or_default().contains("on the command line"), "{row:?}");
        assert!(!row.about.as_deref().unwrap_or_default().contains(token.trim()), "{row:?}");
    }
    let at = |what: &str| rows.iter().find(|row| row.what.as_str() == what).unwrap().clone();
    assert_eq!(at("paused").reason.as_deref(), Some("lunch (on the command line)"));
    for (what, about) in [("discarded", event.as_str()), ("replayed", event.as_str())] {
        assert_eq!(
            (at(what).about.as_deref(), at(what).firm.as_ref().map(FirmId::as_str)),
            (Some(about), Some("acme"))
        );
    }
    assert_eq!(at("held").firm.as_ref().map(FirmId::as_str), Some("acme"));
    let mut root = Person::signed_in(&bridge, "root", Role::Admin, Reach::Everywhere).await;
    let page = root.get("/audit?who=maria").await.text;
    assert!(page.contains("exported a person") && page.contains("ran a backfill"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_that_the_consoles_mapping_is_in_force() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.create_lead(grace());
    let Some(before) = run(&bridge, "check") else { return };
    assert!(!before.contains("mapping"), "{before}");
    let rules = bridge.installation.bridge.firms.iter().next().unwrap().rules.to_json().to_string();
    let (store, acme) = (&bridge.installation.store, FirmId::new("acme"));
    store.save_mapping(&acme, Some(&rules), 0, "ada").await.unwrap().unwrap();
    let during = run(&bridge, "check").unwrap();
    assert!(
        during.contains("acme: mapping: the console's stands in place of the file's [firms.sync]: version 1")
            && during.contains("by ada"),
        "{during}"
    );
    store.save_mapping(&acme, None, 1, "ada").await.unwrap().unwrap();
    assert!(!run(&bridge, "check").unwrap().contains("mapping"));
}
