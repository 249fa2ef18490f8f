//! Memory: idle, under load, and with many events stored.

use std::time::Duration;

use super::load::{self, Load, Pace, Reuse};
use super::server::{Site, Vendors};
use super::table::{Bound, Report, Table, number};
use super::{Plan, queue, stock};

const CONNECTIONS: usize = 64;
const MOST_A_SECOND: usize = 25_000;

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "Memory: resident, of the bridge's process; its own is what is not pages of the program's file",
        &[&format!("{:<46}", "what"), "     MiB", "own MiB", "     budget"],
    );
    let count = MOST_A_SECOND * usize::try_from(plan.duration.as_secs()).expect("a short time");
    let stock = stock::highlevel(count);
    let mut row = |what: String, (memory, own): (f64, f64), most: f64| {
        let verdict = report.judge(&format!("memory, {what}"), memory, "MiB", Bound::AtMost(most));
        table.row([what, number(memory), number(own), verdict]);
    };
    for database in &plan.databases {
        let name = database.name();
        let site = Site::new(*database, &Vendors::none());
        let server = site.serve();
        std::thread::sleep(Duration::from_secs(1));
        row(format!("{name}, idle"), server.memory(), 20.0);
        let load = |address| Load {
            address,
            connections: CONNECTIONS,
            duration: plan.duration,
            pace: Pace::Closed,
            reuse: Reuse::No,
        };
        let outcome = load::run(load(server.address), &stock);
        let what = format!("{name}, after {} events, each settled", number(outcome.answers as f64));
        row(what, server.memory(), 90.0);
        drop(server);

        let events = if plan.is_full { 1_000_000 } else { 100_000 };
        let site = Site::new(*database, &Vendors::none());
        queue::store_settled(&site, events);
        let server = site.serve();
        load::run(load(server.address), &stock);
        row(format!("{name}, {} stored, after load", number(events as f64)), server.memory(), 100.0);
    }
}
