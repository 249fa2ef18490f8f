//! Acknowledgements: verified, sealed and committed.

use std::collections::BTreeSet;

use casebridge::domain::EventId;
use casebridge::store::EventFilter;

use super::Plan;
use super::database::Database;
use super::load;
use super::load::{Load, Outcome, Pace, Reuse};
use super::server::{Server, Site, Vendors};
use super::stock::{self, Stock};
use super::table::{Bound, Report, Table, milliseconds, number, say};

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
         receiving happens, except in the last row)",
        &[
            &format!("{:<38}", "what"),
            "connections",
            "       /s",
            " × bare",
            "  p50 ms",
            "  p99 ms",
            "  max ms",
            "CPU µs each",
            "lost",
            "              budgets",
        ],
    );
    let count = MOST_A_SECOND * usize::try_from(plan.duration.as_secs()).expect("a short time");
    let signed = Scheme::Ed25519.stock(count);
    let bare: Vec<f64> =
        CONNECTIONS.iter().map(|connections| bare(plan, &table, &signed, *connections)).collect();
    for database in &plan.databases {
        for scheme in [Scheme::Hmac, Scheme::Ed25519] {
            for (connections, bare) in CONNECTIONS.iter().zip(&bare) {
                let stamped = (scheme == Scheme::Hmac).then(|| scheme.stock(count));
                let stock = stamped.as_ref().unwrap_or(&signed);
                let run = Run { database: *database, scheme, worker: Worker::Idle, bare: *bare };
                run.row(plan, &table, stock, *connections, report);
            }
        }
        let run = Run {
            database: *database,
            scheme: Scheme::Ed25519,
            worker: Worker::Busy,
            bare: bare[CONNECTIONS.iter().position(|count| *count == BUDGETED).expect("it is listed")],
        };
        run.row(plan, &table, &signed, BUDGETED, report);
    }
    // The machine may have changed meanwhile: how far the ratios can be trusted.
    let again = load::run(of(plan, &Server::bare(), BUDGETED, Reuse::Yes), &signed);
    say(&format!("bare server again, {BUDGETED} connections: {}/s", number(again.rate())));
}

fn of(plan: &Plan, server: &Server, connections: usize, reuse: Reuse) -> Load {
    Load { address: server.address, connections, duration: plan.duration, pace: Pace::Closed, reuse }
}

fn bare(plan: &Plan, table: &Table, stock: &Stock, connections: usize) -> f64 {
    let server = Server::bare();
    let outcome = load::run(of(plan, &server, connections, Reuse::Yes), stock);
    table.row(cells("bare axum server", connections, &outcome, &server, 1.0, [String::new(), String::new()]));
    outcome.rate()
}

struct Run {
    database: Database,
    scheme: Scheme,
    worker: Worker,
    bare: f64,
}

impl Run {
    fn row(&self, plan: &Plan, table: &Table, stock: &Stock, connections: usize, report: &mut Report) {
        let site = Site::new(self.database, &Vendors::none());
        if self.worker == Worker::Idle {
            site.pause();
        }
        let server = site.serve();
        let outcome = load::run(of(plan, &server, connections, Reuse::No), stock);
        let ratio = outcome.rate() / self.bare;
        let worker = if self.worker == Worker::Busy { ", each settled too" } else { "" };
        let what = format!("{} → {}{worker}", self.scheme.name(), self.database.name());
        let budgets = self.budgets(&outcome, ratio, connections, report);
        let mut cells = cells(&what, connections, &outcome, &server, ratio, [String::new(), budgets]);
        drop(server);
        cells[8] = lost(&site, &outcome).to_string();
        table.row(cells);
    }

    fn budgets(&self, outcome: &Outcome, ratio: f64, connections: usize, report: &mut Report) -> String {
        if self.scheme != Scheme::Ed25519 || self.worker == Worker::Busy {
            return String::new();
        }
        let database = self.database.name();
        let (least, most) = match self.database {
            Database::Sqlite => (0.15, 15.0),
        };
        let (p50, p99) = (milliseconds(outcome.quantile(0.5)), milliseconds(outcome.quantile(0.99)));
        match connections {
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

fn cells(
    what: &str,
    connections: usize,
    outcome: &Outcome,
    server: &Server,
    ratio: f64,
    [lost, budgets]: [String; 2],
) -> Vec<String> {
    let each = server.processor_time().as_secs_f64() * 1e6 / outcome.answers.max(1) as f64;
    let span = |part| number(milliseconds(outcome.quantile(part)));
    let rate = number(outcome.rate());
    let ratio = format!("{ratio:.3}");
    let connections = connections.to_string();
    vec![what.into(), connections, rate, ratio, span(0.5), span(0.99), span(1.0), number(each), lost, budgets]
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
