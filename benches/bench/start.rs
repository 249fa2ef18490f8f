//! From the start of the process to being ready.

use std::time::Duration;

use super::Plan;
use super::server::{Site, Vendors};
use super::table::{Bound, Report, Table, milliseconds, number, quantile};

const STARTS: usize = 9;

pub fn run(plan: &Plan, report: &mut Report) {
    let table = Table::new(
        "Start: from the start of the process to `/readyz` 200",
        &[&format!("{:<38}", "what"), "median ms", "   max ms", "    budget"],
    );
    for database in &plan.databases {
        let name = database.name();
        let fresh = (0..STARTS).map(|_| Site::new(*database, &Vendors::none()).serve().ready_after).collect();
        row(&table, &format!("{name}, empty database"), fresh, report);
        let site = Site::new(*database, &Vendors::none());
        drop(site.serve());
        let again = (0..STARTS).map(|_| site.serve().ready_after).collect();
        row(&table, &format!("{name}, after a kill"), again, report);
    }
}

fn row(table: &Table, what: &str, mut spans: Vec<Duration>, report: &mut Report) {
    spans.sort_unstable();
    let median = milliseconds(quantile(&spans, 0.5));
    let verdict = report.judge(&format!("start, {what}"), median, "ms", Bound::AtMost(50.0));
    table.row([what.into(), number(median), number(milliseconds(quantile(&spans, 1.0))), verdict]);
}
