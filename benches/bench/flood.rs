//! What a flood of forged webhooks does to good ones.

use super::load::{self, Load, Outcome, Pace, Reuse};
use super::server::{Site, Vendors};
use super::table::{Table, milliseconds, number};
use super::{Plan, Report, acknowledge, stock};

/// How many connections send forged webhooks, as fast as they are answered.
const FORGERS: usize = 64;
/// How many forged webhooks there are; they are sent again and again.
const FORGED: usize = 2_000;

pub fn run(plan: &Plan, _report: &mut Report) {
    let table = Table::new(
        &format!("Good webhooks, and a flood of badly signed ones over {FORGERS} connections"),
        &[
            &format!("{:<46}", "good webhooks"),
            "flood /s",
            "  good /s",
            "  p50 ms",
            "  p99 ms",
            "  max ms",
            "lost",
        ],
    );
    let seconds = usize::try_from(plan.duration.as_secs()).expect("a short time");
    let good = stock::highlevel(25_000 * seconds);
    let forged = stock::forged(FORGED);
    let paces = [
        ("as real senders send, 500 a second", Pace::PerSecond(500), 32),
        ("as many as 16 connections get through", Pace::Closed, 16),
    ];
    for database in &plan.databases {
        for (what, pace, connections) in paces {
            for has_flood in [false, true] {
                let site = Site::new(*database, &Vendors::none());
                site.pause();
                let server = site.serve();
                let load = Load {
                    address: server.address,
                    connections,
                    duration: plan.duration,
                    pace,
                    reuse: Reuse::No,
                };
                let (outcome, flood) = std::thread::scope(|scope| {
                    let flood = has_flood.then(|| {
                        let load =
                            Load { connections: FORGERS, pace: Pace::Closed, reuse: Reuse::Yes, ..load };
                        let forged = &forged;
                        scope.spawn(move || load::run(load, forged))
                    });
                    let outcome = load::run(load, &good);
                    (outcome, flood.map(|flood| flood.join().expect("the flood ends")))
                });
                drop(server);
                let what = format!("{}, {what}", database.name());
                table.row(cells(&what, &outcome, flood.as_ref(), acknowledge::lost(&site, &outcome)));
            }
        }
    }
}

fn cells(what: &str, outcome: &Outcome, flood: Option<&Outcome>, lost: usize) -> Vec<String> {
    let flood = flood.map_or("-".into(), |flood| {
        assert_eq!(flood.refused, flood.answers, "no forged webhook is taken");
        number(flood.rate())
    });
    let span = |part| number(milliseconds(outcome.quantile(part)));
    vec![what.into(), flood, number(outcome.rate()), span(0.5), span(0.99), span(1.0), lost.to_string()]
}
