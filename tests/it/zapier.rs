//! A firm without an API: leads go out by a Zap's catch hook and are confirmed by a callback, status changes come in by
//! another Zap with a secret header.

use casebridge::domain::{EventState, Resolution, ReviewAction, ReviewKind};
use casebridge::store::{EventRow, ReviewFilter, ReviewRow};
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::store::PostgresDatabase;
use crate::story::ada;
use crate::support::TestBridge;

impl TestBridge {
    /// What a Zap posts, with the firm's secret header; the status of the answer.
    async fn zap(&self, body: &Value) -> StatusCode {
        self.zap_with(self.webhook_secret(), body).await
    }

    async fn zap_with(&self, secret: &str, body: &Value) -> StatusCode {
        let url = format!("{}/webhooks/casepeer/{}", self.installation.url, self.inbound_token());
        let request = reqwest::Client::new().post(url).header("X-Bridge-Secret", secret);
        request.body(body.to_string()).send().await.unwrap().status()
    }

    async fn newest(&self) -> EventRow {
        self.installation.events().await.pop().unwrap()
    }

    async fn questions(&self) -> Vec<ReviewRow> {
        self.installation.store.reviews(ReviewFilter { limit: 10, ..ReviewFilter::default() }).await.unwrap()
    }
}

fn confirmation(reference: &Value) -> Value {
    json!({"type": "lead.confirmed", "bridge_ref": reference, "lead_id": "CP-1"})
}

#[tokio::test]
async fn a_lead_is_handed_off_confirmed_and_its_status_comes_back() {
    let bridge = TestBridge::zapier().await;
    let contact = bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let told = bridge.casepeer.hand_offs();
    assert_eq!(told.len(), 1, "{}", bridge.installation.tell().await);
    assert_eq!((&told[0]["last_name"], &told[0]["phone"]), (&json!("Byron"), &json!("+15125550100")));
    let story = bridge.installation.last_story().await;
    assert_eq!(story.row.state, EventState::HandedOff);
    let why = story.row.reason.unwrap();
    assert!(why.starts_with("handed over by lead.create, to be confirmed by 2026-11-24T12:15:"), "{why}");

    // A change in between waits for the same confirmation; nothing is handed over twice.
    bridge.highlevel.update_contact(&contact, json!({ "city": "Dallas" }));
    bridge.highlevel.redeliver_last();
    bridge.settle().await;
    assert_eq!(bridge.casepeer.hand_offs().len(), 1);
    assert_eq!(bridge.installation.count(EventState::HandedOff).await, 2);

    assert_eq!(bridge.zap(&confirmation(&told[0]["bridge_ref"])).await, StatusCode::ACCEPTED);
    bridge.settle().await;
    let first = bridge.installation.events().await.remove(0);
    assert_eq!(
        (first.state, first.reason.as_deref()),
        (EventState::Done, Some("confirmed: casepeer:lead:CP-1"))
    );
    assert_eq!(bridge.installation.count(EventState::HandedOff).await, 0);
    assert_eq!(bridge.casepeer.hand_offs().len(), 1, "{}", bridge.installation.tell().await);

    // The status, as one Zap writes it: flat, numbers as text, no id.
    let status = |status: &str| json!({"type": "case.status_changed", "case_id": "CP-1", "lead_id": "CP-1", "status": status});
    assert_eq!(bridge.zap(&status("Treating")).await, StatusCode::ACCEPTED);
    assert_eq!(bridge.zap(&status("Treating")).await, StatusCode::OK, "said again it is a repeat");
    bridge.settle().await;
    let tags = bridge.highlevel.contacts()[0]["tags"].clone();
    assert!(tags.as_array().unwrap().contains(&json!("cp:signed")), "{}", bridge.installation.tell().await);
    assert_eq!(
        bridge.highlevel.contacts()[0]["city"],
        "Dallas",
        "what a Zap does not mention is not emptied"
    );
    // A, B, A are three changes.
    assert_eq!(bridge.zap(&status("Turned down")).await, StatusCode::ACCEPTED);
    assert_eq!(bridge.zap(&status("Treating")).await, StatusCode::ACCEPTED);
    let writes = bridge.highlevel.writes();
    bridge.settle().await;
    assert_eq!(bridge.highlevel.writes(), writes + 3, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.highlevel.opportunities()[0]["status"], "won");
    bridge.installation.assert_nothing_undelivered().await;
}

#[tokio::test]
async fn the_story_on_postgres() {
    if std::env::var_os("CASEBRIDGE_TEST_STORE").is_some() || PostgresDatabase::create().await.is_none() {
        return;
    }
    let stories =
        ["a_lead_is_handed_off_confirmed_and_its_status_comes_back", "an_overdue_one_is_asked_about"];
    for story in stories {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("zapier::{story}")])
            .env("CASEBRIDGE_TEST_STORE", "postgres")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{story}: {said}");
    }
}

#[tokio::test]
async fn an_overdue_one_is_asked_about() {
    let bridge = TestBridge::zapier().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    bridge.wait(SignedDuration::from_mins(16)).await;
    assert_eq!(bridge.newest().await.state, EventState::InReview);
    let questions = bridge.questions().await;
    assert_eq!((questions.len(), questions[0].kind), (1, ReviewKind::OverdueHandOff));
    assert!(questions[0].why.contains("has not been confirmed"), "{}", questions[0].why);
    assert!(!questions[0].why.contains("Byron"));
    assert_eq!(bridge.casepeer.hand_offs().len(), 1, "never sent again by itself");

    // A person says that it came to nothing: it is handed over once more, and waits anew.
    let answer = Resolution::new(ReviewAction::Retry);
    bridge.installation.bridge.resolve(questions[0].id, answer, "maria").await.unwrap();
    bridge.settle().await;
    assert_eq!(bridge.casepeer.hand_offs().len(), 2, "{}", bridge.installation.tell().await);
    assert_eq!(bridge.newest().await.state, EventState::HandedOff);
    let told = bridge.casepeer.hand_offs();
    assert_eq!(told[0], told[1], "to the byte");

    // Overdue again; the confirmation comes late and closes the question.
    bridge.wait(SignedDuration::from_mins(16)).await;
    assert_eq!(bridge.newest().await.state, EventState::InReview);
    bridge.zap(&confirmation(&told[0]["bridge_ref"])).await;
    bridge.settle().await;
    assert!(bridge.questions().await.is_empty());
    assert_eq!(bridge.installation.events().await[0].state, EventState::Done);
}

#[tokio::test]
async fn what_a_zap_says_wrongly_is_refused_or_shown() {
    let bridge = TestBridge::zapier().await;
    bridge.highlevel.create_contact(ada());
    bridge.settle().await;
    let reference = bridge.casepeer.hand_offs()[0]["bridge_ref"].clone();
    let confirmed = confirmation(&reference);
    assert_eq!(bridge.zap_with("wrong", &confirmed).await, StatusCode::UNAUTHORIZED);

    let wrong = [
        (
            json!({"type": "lead.confirmed", "bridge_ref": "ghl:another:c", "lead_id": "CP-1"}),
            "its reference is none that this firm's hand-overs carry",
        ),
        (
            json!({"type": "lead.confirmed", "bridge_ref": "acme/lead-of:nobody", "lead_id": "CP-1"}),
            "nothing was handed over as lead-of:nobody",
        ),
        (
            json!({"type": "lead.confirmed", "lead_id": "CP-1"}),
            "cannot be read: lead.confirmed without the reference that went with the hand-over",
        ),
        (
            json!({"type": "case.status_changed", "status": "Treating"}),
            "cannot be read: case.status_changed without the id of the case it is about (``)",
        ),
    ];
    for (body, reason) in wrong {
        assert_eq!(bridge.zap(&body).await, StatusCode::ACCEPTED, "{body}");
        bridge.settle().await;
        let row = bridge.newest().await;
        assert_eq!((row.state, row.reason.as_deref()), (EventState::Undelivered, Some(reason)));
    }
    // Two Zaps made two leads of it.
    bridge.zap(&confirmed).await;
    bridge.settle().await;
    let mut second = confirmed.clone();
    second["lead_id"] = "CP-2".into();
    bridge.zap(&second).await;
    bridge.settle().await;
    let why = bridge.newest().await.reason.unwrap();
    assert!(why.contains("was confirmed before as casepeer:lead:CP-1, and now as another record"), "{why}");
}

#[tokio::test]
async fn a_status_of_somebody_unknown_is_not_made_a_contact() {
    let bridge = TestBridge::zapier().await;
    let body = json!({"type": "case.status_changed", "case_id": "CP-9", "status": "Treating"});
    bridge.zap(&body).await;
    bridge.settle().await;
    assert_eq!(bridge.highlevel.contacts().len(), 0);
    let why = bridge.newest().await.reason.unwrap();
    assert!(why.contains("names neither phone nor e-mail of casepeer:case:CP-9's client"), "{why}");
}
