//! Claiming and settling alone, through the store's own verbs.

use std::time::{Duration, Instant};

use casebridge::bridge::WorkerOptions;
use casebridge::clock::{Clock, SystemClock};
use casebridge::domain::{Cause, EventId, FirmId, Outcome, RecordKind, RecordRef, System};
use casebridge::store::{Arrival, ClaimRoom, DeliveryKey, Settlement, SharedStore};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use uuid::Uuid;

use super::Plan;
use super::database::Database;
use super::server::{FIRM, Site, Vendors};
use super::table::{Bound, Report, Table, milliseconds, number, quantile};

/// How many are claimed at once.
const BATCH: usize = 64;
/// How many people there are.
const PEOPLE: usize = 5_000;
/// How many claims are timed.
const CLAIMS: usize = 200;
/// How many events are recorded at once; a full queue would refuse them.
const IN_FLIGHT: usize = 512;

pub fn run(plan: &Plan, report: &mut Report) {
    for database in &plan.databases {
        runtime().block_on(rates(plan, *database, report));
        runtime().block_on(claim_cost(plan, *database, report));
    }
}

/// Which person an event of this number is about.
type Spread = fn(usize) -> usize;

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("the system gives threads")
}

async fn rates(plan: &Plan, database: Database, report: &mut Report) {
    let table = Table::new(
        &format!(
            "Claim and settle alone, {}: {BATCH} claimed at once, then settled at once",
            database.name()
        ),
        &[&format!("{:<46}", "backlog"), "  events", "       /s", "          budget"],
    );
    let events = if plan.is_full { 60_000 } else { 20_000 };
    let even = |number: usize| number % PEOPLE;
    let hot = |number: usize| if number.is_multiple_of(2) { 0 } else { number % PEOPLE };
    let cases: [(&str, Spread, f64); 2] =
        [("spread evenly over 5,000 people", even, 20_000.0), ("half of it on one of them", hot, 5_000.0)];
    for (what, person, least) in cases {
        let site = Site::new(database, &Vendors::none());
        let store = site.store().await;
        fill(&store, 0..events, person).await;
        let timer = Instant::now();
        // In a task, as the program's workers: the thread that waits for the whole would be woken for each answer.
        tokio::spawn(drain(store, events)).await.expect("the queue is emptied");
        let rate = events as f64 / timer.elapsed().as_secs_f64();
        let name = format!("claim and settle, {}, {what}", database.name());
        let verdict = report.judge(&name, rate, "/s", Bound::AtLeast(least));
        table.row([what.into(), number(events as f64), number(rate), verdict]);
    }
}

/// Takes every event through its turn.
async fn drain(store: SharedStore, events: usize) {
    let mut settled = 0;
    while settled < events {
        let claims = store.claim("bench", &room(BATCH), lease()).await.expect("the store works");
        assert!(!claims.is_empty(), "every event becomes due");
        settled += claims.len();
        let settling = join_all(claims.iter().map(|claim| store.settle(&claim.lease, nothing_to_do()))).await;
        for one in settling {
            one.expect("the store works");
        }
    }
}

async fn claim_cost(plan: &Plan, database: Database, report: &mut Report) {
    let table = Table::new(
        &format!("What a claim of 32 takes, {}, by how many events are pending", database.name()),
        &[&format!("{:<46}", "pending"), "  mean ms", "   p50 ms", "   p99 ms", "   × least", "      budget"],
    );
    let site = Site::new(database, &Vendors::none());
    let store = site.store().await;
    let sizes = if plan.is_full { [10_000, 1_000_000] } else { [10_000, 200_000] };
    let mut stored = 0;
    let mut least = None;
    for size in sizes {
        // A person for each: only a lane's head can be claimed.
        fill(&store, stored..size, |number| number).await;
        stored = size;
        let spans = time_claims(&store).await;
        let mean = spans.iter().sum::<Duration>() / u32::try_from(spans.len()).expect("few");
        let ratio = milliseconds(mean) / milliseconds(*least.get_or_insert(mean));
        let verdict = if ratio == 1.0 {
            String::new()
        } else {
            let what = format!(
                "claim cost, {}, {} pending against {}",
                database.name(),
                number(size as f64),
                number(sizes[0] as f64)
            );
            report.judge(&what, ratio, "×", Bound::AtMost(1.2))
        };
        let span = |span| number(milliseconds(span));
        let (p50, p99) = (quantile(&spans, 0.5), quantile(&spans, 0.99));
        table.row([number(size as f64), span(mean), span(p50), span(p99), format!("{ratio:.2}"), verdict]);
    }
}

/// What each of some claims takes, sorted; they are given back.
async fn time_claims(store: &SharedStore) -> Vec<Duration> {
    let mut spans = Vec::with_capacity(CLAIMS);
    for _ in 0..CLAIMS {
        let timer = Instant::now();
        let claims = store.claim("bench", &room(32), lease()).await.expect("the store works");
        spans.push(timer.elapsed());
        assert_eq!(claims.len(), 32);
    }
    store.release("bench").await.expect("the store works");
    spans.sort_unstable();
    spans
}

fn room(total: usize) -> ClaimRoom {
    ClaimRoom { total, per_firm: total, busy: std::collections::BTreeMap::new() }
}

fn lease() -> jiff::SignedDuration {
    WorkerOptions::default().lease
}

fn nothing_to_do() -> Settlement {
    let outcome = Outcome::NothingToDo { why: "no rule for this type".into() };
    Settlement { outcome, plan: None, reads: Vec::new(), supersedes: None }
}

/// Records events, each about the person that `person` says.
async fn fill(store: &SharedStore, numbers: std::ops::Range<usize>, person: impl Fn(usize) -> usize) {
    let recording = stream::iter(numbers).map(|number| store.record(arrival(number, person(number))));
    recording
        .buffer_unordered(IN_FLIGHT)
        .for_each(async |recorded| {
            recorded.expect("the store works");
        })
        .await;
}

/// Stores events on which nothing is to be done any more.
pub fn store_settled(site: &Site, events: usize) {
    runtime().block_on(async {
        let store = site.store().await;
        let arrivals = stream::iter(0..events).map(|number| {
            let undeliverable = Some((Cause::NotOurs, "of long ago".into()));
            store.record(Arrival { undeliverable, ..arrival(number, number) })
        });
        arrivals
            .buffer_unordered(IN_FLIGHT)
            .for_each(async |one| {
                one.expect("the store works");
            })
            .await;
    });
}

fn arrival(number: usize, person: usize) -> Arrival {
    let now = SystemClock.now();
    Arrival {
        id: EventId(Uuid::now_v7()),
        firm: FirmId::new(FIRM),
        source: System::HighLevel,
        kind: "ContactDndUpdate".into(),
        delivery_key: DeliveryKey::Sender(format!("{number:036}")),
        records: vec![RecordRef::highlevel(RecordKind::Contact, format!("contact{person:013}"))],
        proof: "ed25519",
        payload: vec![b'x'; 1_254].into(),
        sent_at: Some(now),
        received_at: now,
        is_update: false,
        undeliverable: None,
        trace: None,
    }
}
