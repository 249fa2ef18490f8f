//! The story again, against stubs that were written from the vendors' documents alone: the bridge knows no twin, and
//! every request it sends to HighLevel is one that HighLevel's official files allow.

use std::sync::Arc;

use casebridge::clock::{Clock, ManualClock, SystemClock};
use casebridge::domain::EventState;
use casebridge::webhook::highlevel::sign::SigningKey;
use serde_json::{Value, json};

use crate::stub::{Change, casepeer, highlevel, official};
use crate::support::{Installation, SYNC, Vendors};

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";

struct Stage {
    highlevel: highlevel::Stub,
    casepeer: casepeer::Stub,
    installation: Installation,
}

impl Stage {
    async fn set() -> Self {
        let highlevel = highlevel::Stub::start(SigningKey::from_seed(&[5; 32]), LOCATION, "pit-stub").await;
        let casepeer = casepeer::Stub::start("cp-stub", "inbound-token", "stub-secret").await;
        let vendors = Vendors {
            highlevel_url: highlevel.url(),
            highlevel_key: &highlevel.public_key(),
            location: LOCATION,
            highlevel_token: "pit-stub",
            casepeer_url: casepeer.url(),
            casepeer_token: "cp-stub",
            inbound_token: "inbound-token",
            webhook_secret: "stub-secret",
        };
        // The stubs stamp what they send by the system's clock.
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let installation = Installation::start(&vendors, SYNC, clock);
        Self { highlevel, casepeer, installation }
    }

    async fn tell_highlevel(&self, webhook: &Value) {
        let answer = self.highlevel.deliver(&self.installation.url, webhook).await;
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    async fn tell_casepeer(&self, webhook: &Value) {
        let answer = self.casepeer.deliver(&self.installation.url, webhook).await;
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Takes every turn and delivers every echo, until neither is left.
    async fn settle(&self) {
        for _ in 0..50 {
            let turns = self.installation.step().await;
            let (ours, theirs) = (self.highlevel.take_echoes(), self.casepeer.take_echoes());
            if turns == 0 && ours.is_empty() && theirs.is_empty() {
                return;
            }
            for webhook in ours {
                self.tell_highlevel(&webhook).await;
            }
            for webhook in theirs {
                self.tell_casepeer(&webhook).await;
            }
        }
        panic!("events and echoes do not come to an end");
    }

    async fn in_highlevel(&self, change: Change) -> String {
        self.tell_highlevel(&change.webhook).await;
        self.settle().await;
        change.id
    }

    async fn in_casepeer(&self, change: Change) -> String {
        self.tell_casepeer(&change.webhook).await;
        self.settle().await;
        change.id
    }

    fn writes(&self) -> usize {
        self.highlevel.writes().len() + self.casepeer.writes().len()
    }
}

#[tokio::test]
async fn the_story_holds_against_stubs_that_know_only_the_documents() {
    let stage = Stage::set().await;
    stage.highlevel.add_pipeline("Intake", &["In intake", "Signed", "Closed"]);

    let ada = json!({ "firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": "+15125550100" });
    let contact = stage.in_highlevel(stage.highlevel.add_contact(ada)).await;
    assert_eq!(stage.casepeer.leads()[0]["external_ref"], format!("ghl:{LOCATION}:{contact}"));
    stage.in_highlevel(stage.highlevel.change_contact(&contact, json!({ "city": "Dallas" }))).await;
    assert_eq!(stage.casepeer.leads()[0]["client"]["address"]["city"], "Dallas");

    let grace = json!({ "client": { "first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com" },
        "case_type": "Auto Accident", "source": { "type": "Referral", "detail": "Dr. Who" } });
    let lead = stage.in_casepeer(stage.casepeer.add_lead(grace)).await;
    let graces =
        |contacts: Vec<Value>| contacts.into_iter().find(|contact| contact["firstName"] == "Grace").unwrap();
    let copy = graces(stage.highlevel.contacts());
    assert_eq!(copy["tags"], json!(["cp:synced"]));
    assert_eq!(stage.highlevel.tasks().len(), 2, "its initial tasks");

    let task = json!({ "lead_id": lead, "title": "Ask for photographs" });
    let task = stage.in_casepeer(stage.casepeer.add_task(task)).await;
    stage.in_casepeer(stage.casepeer.complete_task(&task)).await;
    let copied = stage.highlevel.tasks();
    let copied = copied.iter().find(|task| task["title"] == "Ask for photographs").unwrap();
    assert_eq!(copied["completed"], true);
    let note = json!({ "lead_id": lead, "body": "Called back", "category": "Intake" });
    stage.in_casepeer(stage.casepeer.add_note(note)).await;
    assert_eq!(stage.highlevel.notes().len(), 1);

    let task = json!({ "title": "Call back", "dueDate": "2026-12-01T15:00:00Z" });
    let task = stage.in_highlevel(stage.highlevel.add_task(&contact, task)).await;
    stage.in_highlevel(stage.highlevel.complete_task(&task)).await;
    stage.in_highlevel(stage.highlevel.add_note(&contact, "Prefers mornings")).await;
    assert!(
        stage.casepeer.tasks().iter().any(|task| task["title"] == "Call back" && task["completed"] == true)
    );
    assert!(stage.casepeer.notes().iter().any(|note| note["body"] == "Prefers mornings"));

    let case = stage.in_casepeer(stage.casepeer.convert(&lead)).await;
    let signed = stage.casepeer.set_status(&case, "Treating");
    stage.tell_casepeer(&signed.webhook).await;
    stage.settle().await;
    assert_eq!(stage.highlevel.opportunities()[0]["status"], "won");
    let tags = graces(stage.highlevel.contacts())["tags"].clone();
    assert!(tags.as_array().unwrap().contains(&json!("cp:signed")), "{tags}");

    let writes = stage.writes();
    stage.tell_casepeer(&signed.webhook).await;
    stage.settle().await;
    assert_eq!(stage.writes(), writes, "a redelivery changes nothing");
    let undelivered = stage.installation.count(EventState::Undelivered).await;
    assert_eq!(undelivered, 0, "{}", stage.installation.tell().await);

    if official::available() {
        let faults = official::validate_all(&stage.highlevel.requests());
        assert!(faults.is_empty(), "{faults:#?}");
    } else {
        eprintln!("HighLevel's official files are not at {}: not checked", official::reference().display());
    }
}
