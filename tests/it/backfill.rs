//! What was there before the bridge is paired and synced by the same way as what comes.

use async_trait::async_trait;
use casebridge::bridge::{BackfillOptions, BackfillReport, Watch};
use casebridge::domain::{EventState, FirmId};
use casebridge::twin::{Fault, NewContact, NewLead};
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
    // Of a pair, what the lists show is linked at once, and its one event writes the city.
    assert_eq!((report.read, report.linked, report.announced), (450, 200, 250));
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

/// Pairs that differ in nothing.
fn agreeing(bridge: &TestBridge, count: usize) {
    bridge.highlevel.drop_next_webhooks(count);
    bridge.casepeer.drop_next_webhooks(count);
    for number in 0..count {
        bridge.highlevel.create_contact(NewContact { city: String::new(), ..contact(number) });
        bridge.casepeer.create_lead(lead(number));
    }
}

#[tokio::test]
async fn an_agreeing_pair_costs_no_call_of_its_own() {
    let mut calls = Vec::new();
    let copies_no_notes = "[firms.sync.notes]\nto_casepeer = false\n";
    for (sync, count) in [(copies_no_notes, 1), (copies_no_notes, 60), ("", 60)] {
        let bridge = TestBridge::with(sync).await;
        agreeing(&bridge, count);
        bridge.settle().await;
        let before = bridge.highlevel.calls() + bridge.casepeer.calls();
        let report = backfill(&bridge, false).await;
        bridge.settle().await;
        calls.push(bridge.highlevel.calls() + bridge.casepeer.calls() - before);
        assert_eq!((report.linked, report.announced), (count as u64, 0), "{report:#?}");
        assert_eq!(bridge.writes(), 0);
        assert_eq!(bridge.installation.count(EventState::Done).await, count as u64);
        // Linked for good: what changes from now on crosses.
        let id = bridge.highlevel.contacts()[0]["id"].as_str().unwrap().to_owned();
        bridge.highlevel.update_contact(&id, json!({ "city": "Dallas" }));
        bridge.settle().await;
        assert_eq!(bridge.writes(), 1);
        let report = backfill(&bridge, false).await;
        assert_eq!((report.linked, report.announced, report.in_step), (0, 0, count as u64), "{report:#?}");
    }
    let pages = 60_usize.div_ceil(50);
    assert!(calls[1] <= calls[0] + pages, "{calls:?}: only the lists have more pages");
    assert_eq!(calls[2], calls[1] + 60, "whether a contact has notes, only its own list says");
}

/// Does something once the contacts were listed.
struct Meanwhile<'a, Act: FnMut() + Send>(&'a TestBridge, Option<Act>);

#[async_trait]
impl<Act: FnMut() + Send> Watch for Meanwhile<'_, Act> {
    fn progress(&mut self, _: &BackfillReport) {
        if let Some(mut act) = self.1.take() {
            act();
        }
    }

    async fn wait(&mut self) {
        self.0.installation.step().await;
    }
}

async fn backfill_and(bridge: &TestBridge, act: impl FnMut() + Send) -> BackfillReport {
    let mut meanwhile = Meanwhile(bridge, Some(act));
    let options = BackfillOptions::default();
    bridge.installation.bridge.backfill(&FirmId::new("acme"), options, &mut meanwhile).await.unwrap()
}

/// Changes a contact between list and link, of which nobody tells; the listing takes this long afterwards.
async fn an_untold_change_is_found(bridge: &TestBridge, takes: SignedDuration) {
    let id = bridge.highlevel.contacts()[1]["id"].as_str().unwrap().to_owned();
    let report = backfill_and(bridge, || {
        bridge.installation.clock.advance(SignedDuration::from_secs(1));
        bridge.highlevel.drop_next_webhooks(1);
        bridge.highlevel.update_contact(&id, json!({ "city": "Dallas" }));
        bridge.installation.clock.advance(takes);
    });
    let report = report.await;
    assert_eq!((report.linked, report.announced), (3, 0), "{report:#?}");
    bridge.settle().await;
    assert_eq!(bridge.writes(), 0, "the list said nothing of it");
    bridge.wait(SignedDuration::from_hours(49)).await;
    let swept = bridge.sweep().await;
    assert!(swept.gaps.iter().any(|gap| gap.record.ends_with(&id)), "{swept:#?}");
    bridge.settle().await;
    let leads = bridge.casepeer.leads();
    let moved = leads.iter().filter(|lead| lead["client"]["address"]["city"] == "Dallas");
    assert_eq!(moved.count(), 1, "{leads:#?}");
}

#[tokio::test]
async fn what_changes_between_list_and_link_is_not_lost_although_nobody_tells() {
    let bridge = TestBridge::start().await;
    agreeing(&bridge, 3);
    bridge.settle().await;
    bridge.sweep().await;
    an_untold_change_is_found(&bridge, SignedDuration::ZERO).await;
}

#[tokio::test]
async fn the_first_sweep_of_a_firm_reads_from_before_its_backfill() {
    let bridge = TestBridge::start().await;
    agreeing(&bridge, 3);
    bridge.settle().await;
    // Longer than sweeps overlap: a list under a quota takes its time.
    an_untold_change_is_found(&bridge, SignedDuration::from_mins(20)).await;
}

#[tokio::test]
async fn who_is_told_of_meanwhile_is_read_afresh() {
    let bridge = TestBridge::start().await;
    agreeing(&bridge, 3);
    bridge.settle().await;
    let id = bridge.highlevel.contacts()[1]["id"].as_str().unwrap().to_owned();
    // Received, and worked on before or after the pair is.
    bridge.highlevel.update_contact(&id, json!({ "city": "Dallas" }));
    bridge.deliver().await;
    let report = backfill_and(&bridge, || {}).await;
    assert_eq!((report.linked, report.announced), (2, 1), "the lead is announced: {report:#?}");
    bridge.settle().await;
    bridge.installation.assert_nothing_undelivered().await;
    assert_eq!((bridge.highlevel.contacts().len(), bridge.casepeer.leads().len()), (3, 3));
    let leads = bridge.casepeer.leads();
    let moved = leads.iter().filter(|lead| lead["client"]["address"]["city"] == "Dallas");
    assert_eq!(moved.count(), 1, "{leads:#?}");
}

#[tokio::test]
async fn a_contacts_tasks_and_notes_go_with_it() {
    let bridge = TestBridge::start().await;
    agreeing(&bridge, 3);
    let contacts = bridge.highlevel.contacts();
    let id = |at: usize| contacts[at]["id"].as_str().unwrap();
    bridge.highlevel.drop_next_webhooks(2);
    bridge.highlevel.create_task(
        id(0),
        casebridge::twin::highlevel::NewTask { title: "Call".into(), ..Default::default() },
    );
    bridge.highlevel.create_note(id(1), "Wants to be called in the morning.");
    bridge.settle().await;
    let report = backfill(&bridge, false).await;
    assert_eq!((report.linked, report.announced), (1, 2), "{report:#?}");
    bridge.settle().await;
    bridge.installation.assert_nothing_undelivered().await;
    assert_eq!(bridge.casepeer.leads().len(), 3);
    assert_eq!((bridge.casepeer.tasks().len(), bridge.casepeer.notes().len()), (1, 1));
}

#[tokio::test]
async fn a_backfill_that_broke_off_goes_on_and_pairs_nobody_twice() {
    let bridge = TestBridge::start().await;
    agreeing(&bridge, 150);
    bridge.settle().await;
    // The list's second page.
    bridge.casepeer.fault(Fault::status(503).on("GET", "/leads").every(2));
    let first = backfill_and(&bridge, || {}).await;
    assert!(!first.is_complete && first.linked > 0 && first.linked < 150, "{first:#?}");
    bridge.casepeer.clear_faults();
    let second = backfill(&bridge, false).await;
    assert_eq!((first.linked + second.linked, second.announced), (150, 0), "{second:#?}");
    bridge.settle().await;
    assert_eq!((bridge.writes(), bridge.highlevel.contacts().len()), (0, 150));
}
