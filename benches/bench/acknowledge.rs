//! Acknowledgements: verified, sealed and committed.

use std::collections::BTreeSet;
use std::time::Duration;

use casebridge::domain::EventId;
use casebridge::store::EventFilter;

use super::Plan;
use super::database::Database;
use super::load;
use super::load::{Load, Outcome, Pace, Reuse};
use super::server::{Server, Site, Vendors};
use super::stock::{self, Stock};
use super::table::{Bound, Report, Table, milliseconds, number};

const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
/// How many connections the budgets are for.
const BUDGETED: usize = 64;
/// More than any machine acknowledges in a second: a load that runs out of requests just ends earlier.
const MOST_A_SECOND: usize = 25_000;

/// What a webhook has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Hmac,
    Ed25519,
}

impl Scheme {
    fn stock(self, count: usize) -> Stock {
        match self {
            Self::Hmac => stock::casepeer(count),
            Self::Ed25519 => stock::highlevel(count),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// What happens behind the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worker {
    Idle,
    Busy,
}

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "Acknowledgements (a body of 1,254 bytes about one of 20,000 people; the firm is paused, so that nothing but \
         receiving happens, except where it says so)",
        &[
            &format!("{:<34}", "what"),
            "connections",
            "       /s",
            " × bare",
            "  p50 ms",
            "  p99 ms",
            "  max ms",
            "CPU µs each",
            "lost",
            "                   budgets",
        ],
    );
    let count = MOST_A_SECOND * usize::try_from(plan.duration.as_secs()).expect("a short time");
    let signed = Scheme::Ed25519.stock(count);
    for connections in CONNECTIONS {
        // The machine changes while it is measured: what is between two runs of the bare server is compared with both.
        let before = bare(plan, &signed, connections);
        let mut found = Vec::new();
        for database in &plan.databases {
            let case = |scheme, worker| Case { database: *database, scheme, worker, connections };
            let stamped = Scheme::Hmac.stock(count);
            found.push(case(Scheme::Hmac, Worker::Idle).measure(plan, &stamped));
            found.push(case(Scheme::Ed25519, Worker::Idle).measure(plan, &signed));
            if connections == BUDGETED {
                found.push(case(Scheme::Ed25519, Worker::Busy).measure(plan, &signed));
            }
        }
        let after = bare(plan, &signed, connections);
        let rate = f64::midpoint(before.outcome.rate(), after.outcome.rate());
        for found in [vec![before], found, vec![after]].into_iter().flatten() {
            table.row(found.cells(rate, report));
        }
    }
}

/// What is measured once.
#[derive(Debug, Clone, Copy)]
struct Case {
    database: Database,
    scheme: Scheme,
    worker: Worker,
    connections: usize,
}

impl Case {
    fn measure(self, plan: &Plan, stock: &Stock) -> Found {
        let site = Site::new(self.database, &Vendors::none());
        if self.worker == Worker::Idle {
            site.pause();
        }
        let server = site.serve();
        let outcome = load::run(of(plan, &server, self.connections, Reuse::No), stock);
        let processor = server.processor_time();
        drop(server);
        let lost = Some(lost(&site, &outcome));
        Found { case: Some(self), connections: self.connections, outcome, processor, lost }
    }

    fn name(self) -> String {
        let worker = if self.worker == Worker::Busy { ", settled too" } else { "" };
        format!("{} → {}{worker}", self.scheme.name(), self.database.name())
    }

    fn budgets(self, outcome: &Outcome, ratio: f64, report: &mut Report) -> String {
        if self.scheme != Scheme::Ed25519 || self.worker == Worker::Busy {
            return String::new();
        }
        let database = self.database.name();
        let (least, most) = match self.database {
            Database::Sqlite => (0.15, 15.0),
            Database::Postgres => (0.12, 45.0),
        };
        let (p50, p99) = (milliseconds(outcome.quantile(0.5)), milliseconds(outcome.quantile(0.99)));
        match self.connections {
            1 => {
                let what = |part| format!("acknowledgement, {database}, one connection, {part}");
                let p50 = report.judge(&what("p50"), p50, "ms", Bound::AtMost(0.5));
                let p99 = report.judge(&what("p99"), p99, "ms", Bound::AtMost(5.0));
                format!("p50 {p50}, p99 {p99}")
            }
            BUDGETED => {
                let what = |part| format!("acknowledgements, {database}, {BUDGETED} connections, {part}");
                let ratio = report.judge(&what("against bare"), ratio, "×", Bound::AtLeast(least));
                let p99 = report.judge(&what("p99"), p99, "ms", Bound::AtMost(most));
                format!("{ratio}, p99 {p99}")
            }
            _ => String::new(),
        }
    }
}

/// What was found; without a case, of the bare server.
struct Found {
    case: Option<Case>,
    connections: usize,
    outcome: Outcome,
    processor: Duration,
    lost: Option<usize>,
}

impl Found {
    fn cells(&self, bare: f64, report: &mut Report) -> [String; 10] {
        let outcome = &self.outcome;
        let ratio = outcome.rate() / bare;
        let each = self.processor.as_secs_f64() * 1e6 / outcome.answers.max(1) as f64;
        let span = |part| number(milliseconds(outcome.quantile(part)));
        [
            self.case.map_or("bare axum server".into(), Case::name),
            self.connections.to_string(),
            number(outcome.rate()),
            format!("{ratio:.3}"),
            span(0.5),
            span(0.99),
            span(1.0),
            number(each),
            self.lost.map(|lost| lost.to_string()).unwrap_or_default(),
            self.case.map(|case| case.budgets(outcome, ratio, report)).unwrap_or_default(),
        ]
    }
}

fn bare(plan: &Plan, stock: &Stock, connections: usize) -> Found {
    let server = Server::bare();
    let outcome = load::run(of(plan, &server, connections, Reuse::Yes), stock);
    Found { case: None, connections, outcome, processor: server.processor_time(), lost: None }
}

fn of(plan: &Plan, server: &Server, connections: usize, reuse: Reuse) -> Load {
    Load { address: server.address, connections, duration: plan.duration, pace: Pace::Closed, reuse }
}

/// How many acknowledged events are not in the store, now that the server was killed.
pub fn lost(site: &Site, outcome: &Outcome) -> usize {
    assert_eq!(outcome.refused, 0, "webhooks were refused");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system gives what a runtime needs");
    let stored: BTreeSet<EventId> = runtime.block_on(async {
        let store = site.store().await;
        let mut stored = BTreeSet::new();
        let mut filter = EventFilter { limit: 50_000, ..EventFilter::default() };
        loop {
            let page = store.events(filter.clone()).await.expect("the store can be read");
            let Some(last) = page.last() else { return stored };
            filter.before = Some(last.id);
            stored.extend(page.iter().map(|row| row.id));
        }
    });
    let acknowledged: BTreeSet<_> = outcome.acknowledged.iter().copied().collect();
    assert_eq!(acknowledged.len(), outcome.answers, "each webhook has an id of its own");
    acknowledged.difference(&stored).count()
}
