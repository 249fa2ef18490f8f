//! What users complain about, line by line. Where a line has its test elsewhere, that is named.
//!
//! | complaint | test |
//! |---|---|
//! | one event delivered five times | here |
//! | a second accident of one person | `sync::clients`, `sync::fields::a_second_accident_does_not_change_the_first` |
//! | no last name | `story::a_contact_without_a_last_name_gets_a_filler_that_does_not_come_back` |
//! | no e-mail | here |
//! | a family's shared phone | `story::a_familys_shared_phone_is_not_one_person`, `identity` |
//! | CASEpeer down for six hours | here, `crash::outage` |
//! | a status nobody mapped | `story::an_unknown_status_changes_nothing_and_says_so` |
//! | a status that goes back; signed told once | here |
//! | the echo of our own write | `story`, `convergence` |
//! | wrong signature, stale timestamp | `webhooks`, `webhook::…::verify` |
//! | a token that expires in the middle | `oauth::tokens` |
//! | names, phones, e-mails in logs | `secrets::no_planted_secret_is_in_the_database_the_logs_…` |
//! | what was given up, replayed | `story::a_refused_write_is_shown_and_a_replay_mends_it_…`, `undelivered` |
//! | documents, conflict check before intake | out of scope: neither system has an event or an operation for them |

use casebridge::domain::EventState;
use casebridge::twin::{NewContact, NewLead};
use jiff::SignedDuration;
use serde_json::json;

use crate::story::{ada, grace};
use crate::support::TestBridge;

#[tokio::test]
async fn five_deliveries_of_one_event_are_one_lead() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(ada());
    for _ in 0..4 {
        bridge.highlevel.redeliver_last();
        bridge.settle().await;
    }
    assert_eq!((bridge.casepeer.leads().len(), bridge.writes()), (1, 1));
}

#[tokio::test]
async fn people_without_an_email_are_one_person_by_phone_and_name() {
    let bridge = TestBridge::start().await;
    bridge.highlevel.create_contact(NewContact { email: String::new(), ..ada() });
    bridge.settle().await;
    let lead = NewLead {
        first_name: "Ada".into(),
        last_name: "Byron".into(),
        phone: "512.555.0100".into(),
        ..NewLead::default()
    };
    bridge.casepeer.create_lead(lead);
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 1, "{}", bridge.installation.tell().await);
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn nothing_is_lost_in_six_hours_without_casepeer_and_each_persons_order_stays() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.set_down(true);
    let contact = bridge.highlevel.create_contact(ada());
    let other = NewContact {
        first_name: "Mary".into(),
        email: "mary@example.com".into(),
        phone: String::new(),
        ..ada()
    };
    let other = bridge.highlevel.create_contact(other);
    for hour in 0..6 {
        for id in [&contact, &other] {
            bridge.highlevel.update_contact(id, json!({ "city": format!("City {hour}") }));
            bridge.highlevel.create_note(id, &format!("note {hour}"));
        }
        bridge.wait(SignedDuration::from_hours(1)).await;
    }
    assert!(bridge.casepeer.leads().is_empty());
    bridge.casepeer.set_down(false);
    for _ in 0..12 {
        bridge.wait(SignedDuration::from_hours(1)).await;
    }
    assert_eq!(bridge.casepeer.leads().len(), 2, "{}", bridge.installation.tell().await);
    for lead in bridge.casepeer.leads() {
        assert_eq!(lead["client"]["address"]["city"], "City 5");
        let notes = bridge.casepeer.notes().into_iter().filter(|note| note["lead_id"] == lead["id"]);
        let bodies: Vec<String> = notes.map(|note| note["body"].as_str().unwrap().to_owned()).collect();
        assert_eq!(bodies, ["note 0", "note 1", "note 2", "note 3", "note 4", "note 5"]);
    }
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn a_status_that_goes_back_moves_the_deal_back_and_signed_is_told_once() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.create_lead(grace());
    bridge.settle().await;
    let lead = bridge.casepeer.leads()[0]["id"].as_str().unwrap().to_owned();
    let case = bridge.casepeer.convert_lead(&lead);
    let deal = |key: &str| bridge.highlevel.opportunities()[0][key].clone();
    let mut stages = Vec::new();
    for status in ["Treating", "Intake", "Treating"] {
        bridge.casepeer.set_status(&case, status);
        bridge.settle().await;
        stages.push((deal("pipelineStageId"), deal("status")));
    }
    assert_eq!(stages[0], stages[2]);
    assert_ne!(stages[0], stages[1]);
    let told = bridge.highlevel.ledger().into_iter().filter(|effect| effect.operation.contains("tag"));
    let contact = bridge.highlevel.contacts().remove(0);
    let tags = contact["tags"].as_array().unwrap().iter().filter(|tag| **tag == "cp:signed").count();
    assert_eq!((tags, bridge.highlevel.opportunities().len()), (1, 1));
    assert!(told.count() <= 2, "signed and lead_open, once each");
}

#[tokio::test]
async fn who_asks_not_to_be_reached_while_an_event_waits_is_so_marked_when_it_is_carried_out() {
    let bridge = TestBridge::start().await;
    bridge.casepeer.set_down(true);
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    assert_eq!(bridge.installation.count(EventState::Retrying).await, 1);
    bridge.highlevel.update_contact(&contact, json!({ "dnd": true }));
    bridge.casepeer.set_down(false);
    // The plan that waited since before is not carried out as it was: it is made anew.
    bridge.wait(SignedDuration::from_hours(8)).await;
    let first =
        bridge.casepeer.ledger().into_iter().find(|effect| effect.operation == "lead.create").unwrap();
    assert_eq!(bridge.casepeer.lead(&first.record_id).unwrap()["custom"]["do_not_contact"], "all");
    assert_eq!(
        bridge.casepeer.writes(),
        1,
        "it was never there without: {}",
        bridge.installation.tell().await
    );
}
