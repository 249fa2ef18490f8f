//! From a change at one vendor to the write at the other, with nothing else going on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use casebridge::clock::SystemClock;
use casebridge::twin::{NewContact, Twin, TwinConfig};
use serde_json::json;

use super::Plan;
use super::database::Database;
use super::server::{Site, Vendors};
use super::table::{Bound, Report, Table, milliseconds, number, quantile};

/// Events before the timed ones, which fill caches and open connections.
const WARM_UP: usize = 30;
/// Time for the echo of a write to be settled, before the next event.
const PAUSE: Duration = Duration::from_millis(15);
/// How often is looked whether the write has come.
const LOOK: Duration = Duration::from_micros(50);
/// How long a write may take to come at all.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "From a change at one vendor to the accepted write at the other, idle (the vendor's signing and sending, and \
         the bridge's reading of both sides, included)",
        &[
            &format!("{:<58}", "what"),
            "events",
            "  p50 ms",
            "  p99 ms",
            "  max ms",
            &format!("{:>30}", "budgets"),
        ],
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    for database in &plan.databases {
        runtime.block_on(of(plan, *database, &table, report));
    }
}

async fn of(plan: &Plan, database: Database, table: &Table, report: &mut Report) {
    let twin = start_twin().await;
    let site = Site::new(database, &vendors(&twin));
    let server = site.serve();
    twin.set_bridge(&format!("http://{}", server.address));
    let events = if plan.is_full { 1_000 } else { 200 };
    let total = WARM_UP + events;
    let mut row = |what: &str, spans: Vec<Duration>| {
        let mut spans = spans[WARM_UP..].to_vec();
        spans.sort_unstable();
        let part = |part| milliseconds(quantile(&spans, part));
        let mut judge = |name, figure, most| {
            let what = format!("event to call, {}, {what}, {name}", database.name());
            report.judge(&what, figure, "ms", Bound::AtMost(most))
        };
        let p50 = judge("p50", part(0.5), 3.0);
        let p99 = judge("p99", part(0.99), 15.0);
        table.row([
            format!("{}, {what}", database.name()),
            spans.len().to_string(),
            number(part(0.5)),
            number(part(0.99)),
            number(part(1.0)),
            format!("p50 {p50}, p99 {p99}"),
        ]);
    };

    let mut contacts = Vec::with_capacity(total);
    let mut spans = Vec::with_capacity(total);
    for index in 0..total {
        spans.push(
            time(&twin, Side::CasePeer, || contacts.push(twin.highlevel.create_contact(person(index)))).await,
        );
    }
    row("new contact → lead created", spans);

    let mut spans = Vec::with_capacity(total);
    for (index, id) in contacts.iter().enumerate() {
        let fields = json!({"city": format!("City {index}")});
        spans.push(time(&twin, Side::CasePeer, || twin.highlevel.update_contact(id, fields)).await);
    }
    row("contact changed → lead changed", spans);

    let mut spans = Vec::with_capacity(total);
    for (index, lead) in twin.casepeer.leads().iter().enumerate().take(total) {
        let id = lead["id"].as_str().expect("a lead has an id");
        let fields = json!({"client": {"address": {"line1": format!("{index} Main St")}}});
        spans.push(time(&twin, Side::HighLevel, || twin.casepeer.update_lead(id, fields)).await);
    }
    row("lead changed → contact changed", spans);
    twin.stop().await;
}

#[derive(Clone, Copy)]
enum Side {
    HighLevel,
    CasePeer,
}

/// How long after a change the other side has accepted a write.
async fn time(twin: &Twin, other: Side, change: impl FnOnce()) -> Duration {
    let writes = || match other {
        Side::HighLevel => twin.highlevel.writes(),
        Side::CasePeer => twin.casepeer.writes(),
    };
    let before = writes();
    let timer = Instant::now();
    change();
    while writes() == before {
        assert!(timer.elapsed() < PATIENCE, "the other system was not changed");
        // This thread has nothing else to do; the runtime's timer counts whole milliseconds.
        std::thread::sleep(LOOK);
    }
    let span = timer.elapsed();
    twin.flush().await;
    tokio::time::sleep(PAUSE).await;
    span
}

/// Vendors without limits.
pub async fn start_twin() -> Twin {
    let config = TwinConfig { unlimited: true, ..TwinConfig::new(Arc::new(SystemClock)) };
    Twin::start(config).await.expect("the system has free ports")
}

/// Where they are.
pub fn vendors(twin: &Twin) -> Vendors {
    Vendors {
        highlevel_url: twin.highlevel.url(),
        highlevel_key: Some(twin.highlevel.public_key()),
        casepeer_url: twin.casepeer.url(),
    }
}

/// Somebody whom nobody knows yet.
pub fn person(number: usize) -> NewContact {
    NewContact {
        first_name: format!("First{number}"),
        last_name: format!("Last{number}"),
        email: format!("person{number}@example.com"),
        phone: format!("+1512{:07}", 2_200_000 + number),
        city: "Austin".into(),
        state: "TX".into(),
        ..NewContact::default()
    }
}
