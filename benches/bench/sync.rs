//! Whole events a second: claim, refetch, plan, write, settle; against simulated vendors in this process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use casebridge::bridge::{Bridge, Worker, WorkerOptions, save_rule};
use casebridge::clock::SystemClock;
use casebridge::domain::EventState;
use casebridge::http::{self, Listener, Readiness, Shared};
use casebridge::rules::automation::from_toml;
use casebridge::store::SharedStore;
use casebridge::twin::Twin;
use casebridge::twin::highlevel::NewTask;
use casebridge::webhook::highlevel::Signatures;
use casebridge::webhook::highlevel::sign::SigningKey;
use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::latency::{person, start_twin, vendors};
use super::server::Site;
use super::table::{Bound, Report, Table, Whose, number, processor_time};
use super::{Plan, stock};

/// How often is looked whether everything is settled.
const LOOK: Duration = Duration::from_millis(10);

/// How many rules look at each event where it is measured what rules cost.
const RULES: usize = 10;

/// How many rounds are measured with rules, and as many without.
const ROUNDS: usize = 7;

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "Full sync against simulated vendors in this process, without limits; a backlog that was received before",
        &[&format!("{:<52}", "what"), "  events", "  writes", "events /s", "CPU µs each", "         budget"],
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    for database in &plan.databases {
        runtime.block_on(of(plan, *database, &table, report));
    }
}

async fn of(plan: &Plan, database: Database, table: &Table, report: &mut Report) {
    let people = if plan.is_full { 5_000 } else { 2_000 };
    let workshop = Workshop::start(database).await;
    let (highlevel, casepeer) = (&workshop.twin.highlevel, &workshop.twin.casepeer);
    let measure = async |report: &mut Report, what: &str, is_budgeted: bool| {
        let writes = casepeer.writes() + highlevel.writes();
        let (events, elapsed, processor) = workshop.settle_backlog().await;
        let writes = casepeer.writes() + highlevel.writes() - writes;
        let rate = events as f64 / elapsed.as_secs_f64();
        let name = format!("full sync, {}, {what}", database.name());
        let verdict = if is_budgeted {
            report.judge(&name, rate, "/s", Bound::AtLeast(2_500.0))
        } else {
            String::new()
        };
        let each = processor.as_secs_f64() * 1e6 / events.max(1) as f64;
        table.row([
            format!("{}, {what}", database.name()),
            number(events as f64),
            number(writes as f64),
            number(rate),
            number(each),
            verdict,
        ]);
    };

    let contacts: Vec<String> = (0..people).map(|index| highlevel.create_contact(person(index))).collect();
    workshop.receive("ContactCreate").await;
    measure(report, "new people: each a lead", false).await;

    for (index, contact) in contacts.iter().enumerate() {
        highlevel.update_contact(contact, json!({"city": format!("City {index}")}));
    }
    workshop.receive("ContactUpdate").await;
    measure(report, "linked people changed", true).await;

    // In turns, for tables grow meanwhile and the machine has other guests; the middle of each is compared.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..2 * ROUNDS {
        for (index, contact) in contacts.iter().enumerate() {
            highlevel.update_contact(contact, json!({"city": format!("Village {round} {index}")}));
        }
        workshop.receive("ContactUpdate").await;
        let has_rules = round % 2 == 1;
        workshop.switch_rules(has_rules).await;
        let (events, _, processor) = workshop.settle_backlog().await;
        let each = processor.as_secs_f64() * 1e6 / events as f64;
        if has_rules { with.push(each) } else { without.push(each) }
    }
    workshop.switch_rules(false).await;
    let [with, without] = [with, without].map(middle);
    for (what, each) in [("without rules", without), ("with ten that look", with)] {
        let what = format!("{}, {what}: the middle of {ROUNDS} rounds", database.name());
        table.row([what, String::new(), String::new(), String::new(), number(each)]);
    }
    let name = format!("what ten rules add to full sync, {}, processor time", database.name());
    report.judge(&name, with / without, "×", Bound::AtMost(1.1));

    for contact in &contacts {
        highlevel.create_task(contact, NewTask { title: "Call back".into(), ..NewTask::default() });
    }
    workshop.receive("TaskCreate").await;
    measure(report, "a task for each", false).await;

    for index in 0..people / 4 {
        let title = format!("Task {index}");
        highlevel.create_task(&contacts[0], NewTask { title, ..NewTask::default() });
    }
    workshop.receive("TaskCreate").await;
    measure(report, "tasks, all of one person", false).await;

    for index in 0..people {
        highlevel.update_contact(&contacts[1], json!({"city": format!("Town {index}")}));
    }
    workshop.receive("ContactUpdate").await;
    measure(report, "changes, all of one person (settled together)", false).await;

    workshop.hear_echoes();
    for (index, contact) in contacts.iter().enumerate() {
        highlevel.update_contact(contact, json!({"city": format!("Borough {index}")}));
    }
    measure(report, "linked people changed, as it comes, with its echo", false).await;
    workshop.stop().await;
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A bridge between two vendors that nobody has told of it: their webhooks are handed over here.
struct Workshop {
    twin: Twin,
    bridge: Arc<Bridge>,
    store: SharedStore,
    key: SigningKey,
    listener: Listener,
    _site: Site,
    handed_over: std::cell::Cell<usize>,
}

impl Workshop {
    async fn start(database: Database) -> Self {
        let twin = start_twin().await;
        let site = Site::new(database, &vendors(&twin));
        let store = site.store().await;
        let bridge = Bridge::new(&site.config, store.clone(), site.keyring(), Arc::new(SystemClock));
        let bridge = Arc::new(bridge.expect("the configuration is right"));
        let shared = Arc::new(Shared::new(bridge.clone(), Readiness::default(), None));
        let socket = Listener::bind(([127, 0, 0, 1], 0).into()).expect("the system has a free port");
        let listener = Listener::serve(socket, http::public(shared)).expect("the port can be served");
        Self { twin, bridge, store, key: stock::key(), listener, _site: site, handed_over: 0.into() }
    }

    /// Rules that look at every changed contact and find nothing to do: what they cost is the looking.
    async fn switch_rules(&self, is_on: bool) {
        for number in 0..RULES {
            let id = format!("bench-{number}");
            let text = format!(
                "id = \"{id}\"\nname = \"A source\"\nwhen = \"webhook.ContactUpdate\"\n\
                if = {{ all = [{{ field = \"source\", operator = \"equals\", value = \"Source {number}\" }}, \
                {{ field = \"email\", operator = \"exists\" }}] }}\n\
                [[then]]\naction = \"contacts.create-note\"\nwith = {{ contactId = \"{{id}}\", body = \"Found.\" }}\n"
            );
            let rule = from_toml(&text).expect("the rule checks");
            save_rule(&self.store, &rule, "bench").await.expect("the rule is saved");
            assert!(self.store.switch_rule(&id, is_on).await.expect("the store works"));
        }
    }

    /// Receives HighLevel's webhooks of this type that have been made since the last time.
    async fn receive(&self, kind: &str) {
        let deliveries = self.twin.highlevel.deliveries();
        let seen = self.handed_over.replace(deliveries.len());
        let new = deliveries[seen..].iter().filter(|delivery| delivery.kind == kind);
        let receiving = new.map(async |delivery| {
            let signature = self.key.sign(delivery.body.as_bytes());
            let signatures = Signatures { ed25519: Some(&signature), legacy_rsa: None };
            let body = delivery.body.clone().into_bytes().into();
            self.bridge.receive_highlevel(signatures, body).await.expect("the bridge takes it");
        });
        stream::iter(receiving).buffer_unordered(256).collect::<Vec<()>>().await;
    }

    /// From now on the vendors send their webhooks themselves.
    fn hear_echoes(&self) {
        self.twin.highlevel.add_senders(7);
        self.twin.casepeer.add_senders(7);
        self.twin.set_bridge(&format!("http://{}", self.listener.address()));
    }

    /// Works until everything is settled: how many events, how long, how much processor time.
    async fn settle_backlog(&self) -> (u64, Duration, Duration) {
        let settled = async || {
            let counts = self.store.counts().await.expect("the store works");
            let settled: u64 = counts.by_state.values().sum::<u64>() - counts.pending();
            (counts.pending(), settled)
        };
        let (_, before) = settled().await;
        let worker = Worker::new(self.bridge.clone(), "bench", WorkerOptions::default());
        let stop = CancellationToken::new();
        let (processor, timer) = (processor_time("self", Whose::Alone), Instant::now());
        let stopped = stop.clone();
        let working = tokio::spawn(async move { worker.run(stopped).await });
        let after = loop {
            self.twin.flush().await;
            tokio::time::sleep(LOOK).await;
            // Counting reads every event; whether one is due, or worked on, is one look-up.
            if self.store.next_due().await.expect("the store works").is_some() {
                continue;
            }
            let (pending, settled) = settled().await;
            if pending == 0 && settled > before {
                break settled;
            }
        };
        let (elapsed, processor) = (timer.elapsed(), processor_time("self", Whose::Alone) - processor);
        stop.cancel();
        working.await.expect("the worker ends");
        let undelivered = self.store.counts().await.expect("the store works").of(EventState::Undelivered);
        assert_eq!(undelivered, 0, "every event is carried out");
        (after - before, elapsed, processor)
    }

    async fn stop(self) {
        self.twin.stop().await;
        self.listener.stop(Duration::from_millis(100)).await;
    }
}
