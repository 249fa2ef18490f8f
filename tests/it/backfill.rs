//! What was there before the bridge is paired and synced by the same way as what comes.

use async_trait::async_trait;
use casebridge::bridge::{BackfillOptions, BackfillReport, Watch};
use casebridge::domain::FirmId;
use casebridge::twin::{NewContact, NewLead};
use jiff::SignedDuration;
use serde_json::json;

use crate::support::TestBridge;

/// Lets the worker catch up.
struct Settling<'a>(&'a TestBridge);

#[async_trait]
impl Watch for Settling<'_> {
    fn progress(&mut self, _: &BackfillReport) {}

    async fn wait(&mut self) {
        self.0.installation.step().await;
    }
}

pub async fn backfill(bridge: &TestBridge, is_dry_run: bool) -> BackfillReport {
    let options = BackfillOptions { since: None, is_dry_run };
    let acme = FirmId::new("acme");
    let report = bridge.installation.bridge.backfill(&acme, options, &mut Settling(bridge)).await.unwrap();
    assert!(report.is_complete, "{report:#?}");
    report
}

fn contact(number: usize) -> NewContact {
    NewContact {
        first_name: format!("Ada{number}"),
        last_name: "Byron".into(),
        email: format!("p{number}@example.com"),
        city: "Austin".into(),
        ..NewContact::default()
    }
}

fn lead(number: usize) -> NewLead {
    NewLead {
        first_name: format!("Ada{number}"),
        last_name: "Byron".into(),
        email: format!("p{number}@example.com"),
        ..NewLead::default()
    }
}

/// `contacts` in HighLevel and `leads` in CASEpeer that nobody told of; `shared` of them are the same people.
fn populate(bridge: &TestBridge, contacts: usize, leads: usize, shared: usize) {
    bridge.highlevel.drop_next_webhooks(contacts);
    bridge.casepeer.drop_next_webhooks(leads);
    (0..contacts).for_each(|number| drop(bridge.highlevel.create_contact(contact(number))));
    let first = contacts - shared;
    (first..first + leads).for_each(|number| drop(bridge.casepeer.create_lead(lead(number))));
}

#[tokio::test]
async fn a_preview_says_what_would_be_done_and_does_nothing() {
    let bridge = TestBridge::start().await;
    populate(&bridge, 6, 5, 2);
    bridge.settle().await;
    let report = backfill(&bridge, true).await;
    assert_eq!((report.read, report.will_link, report.will_create), (11, 2, 7), "{report:#?}");
    assert_eq!((report.announced, report.ambiguous, report.contacts), (0, 0, Some(6)));
    assert!(report.examples.iter().all(|example| !example.why.contains("Ada")), "{report:#?}");
    assert_eq!((bridge.writes(), bridge.installation.events().await.len()), (0, 0));
}

#[tokio::test]
async fn everything_is_paired_and_a_second_backfill_writes_nothing() {
    let bridge = TestBridge::start().await;
    populate(&bridge, 230, 220, 200);
    bridge.settle().await;
    assert!(bridge.installation.events().await.is_empty());
    let report = backfill(&bridge, false).await;
    assert_eq!((report.read, report.announced), (450, 450));
    bridge.settle().await;
    bridge.installation.assert_nothing_undelivered().await;
    assert_eq!((bridge.highlevel.contacts().len(), bridge.casepeer.leads().len()), (250, 250));
    let cities = bridge.casepeer.leads();
    let cities = cities.iter().filter(|lead| lead["client"]["address"]["city"] == json!("Austin"));
    assert_eq!(cities.count(), 230);

    let writes = bridge.writes();
    backfill(&bridge, false).await;
    bridge.settle().await;
    assert_eq!(bridge.writes(), writes);
    let third = backfill(&bridge, false).await;
    assert_eq!(third.announced, 0, "nothing changed since: {third:?}");
    let preview = backfill(&bridge, true).await;
    assert_eq!((preview.will_link, preview.will_create, preview.differ), (0, 0, 0), "{preview:#?}");
}

#[tokio::test]
async fn what_a_backfill_finds_is_no_new_lead_unless_the_firm_says_so() {
    let start = "[firms.sync]\n";
    let template = "[[firms.sync.initial_tasks]]\ncase_type = \"*\"\nkey = \"call\"\ntitle = \"Call\"\n";
    for (setting, gets_tasks) in [("", false), ("initial_tasks_on_backfill = true\n", true)] {
        let bridge = TestBridge::with(&format!("{start}{setting}{template}")).await;
        populate(&bridge, 1, 2, 1);
        bridge.settle().await;
        backfill(&bridge, false).await;
        bridge.settle().await;
        // Whichever of the pair's two events comes second finds the lead changed, and tries again.
        bridge.wait(SignedDuration::from_secs(10)).await;
        // An edit is no occasion to make up for it.
        for lead in bridge.casepeer.leads() {
            let city = json!({ "client": { "address": { "city": "Dallas" } } });
            bridge.casepeer.update_lead(lead["id"].as_str().unwrap(), city);
        }
        bridge.settle().await;
        let contacts = bridge.highlevel.contacts();
        assert_eq!(contacts.len(), 2);
        let of = |contact: &serde_json::Value| bridge.highlevel.tasks(contact["id"].as_str().unwrap()).len();
        assert_eq!(contacts.iter().map(of).sum::<usize>() > 0, gets_tasks, "{setting}");
        let told = bridge.installation.tell().await;
        assert!(contacts.iter().all(|contact| contact["city"] == "Dallas"), "{told}");
    }
}
