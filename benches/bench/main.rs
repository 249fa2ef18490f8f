//! Benchmarks of the program as it is delivered.
//!
//! ```text
//! cargo bench                          everything, in a few minutes
//! cargo bench -- acknowledge queue     some of it
//! cargo bench -- --seconds 10 --full   longer, and with a million events where it matters
//! ```
//!
//! The bridge is the real `casebridge serve` in a process of its own. Beside it, in the same run and on the same
//! machine, a bare axum server reads the same body and answers the same receipt: what is compared between machines is
//! the ratio to it. The load comes from this process, as requests that were signed before the clock started.
//! Every acknowledged id is looked for in the store afterwards. No time is ever asserted; budgets are printed beside
//! the figures.
//!
//! The cast: `server` runs the programs, `database` is what they keep events in, `stock` holds signed requests, `load`
//! sends them; `table` prints. The rest are themes, each a file.

mod acknowledge;
mod backfill;
mod console;
mod database;
mod flood;
mod latency;
mod load;
mod matching;
mod memory;
mod queue;
mod server;
mod start;
mod stock;
mod sync;
mod table;

use std::time::Duration;

use clap::Parser;

use self::database::Database;
use self::table::{Machine, Report};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Theme {
    /// Acknowledgements a second, and what they take, against the bare server.
    Acknowledge,
    /// From a change at one vendor to the call at the other, with nothing else going on.
    Latency,
    /// Whole events a second against simulated vendors.
    Sync,
    /// Claiming and settling alone.
    Queue,
    /// Memory: idle, under load, with many events stored.
    Memory,
    /// From the start of the process to being ready.
    Start,
    /// What a flood of forged webhooks does to good ones.
    Flood,
    /// How well people are recognised.
    Matching,
    /// Records a second of a backfill; 20,000 at each vendor with `--full`.
    Backfill,
    /// The console's first page with many events stored.
    Console,
}

const THEMES: [Theme; 10] = [
    Theme::Acknowledge,
    Theme::Latency,
    Theme::Sync,
    Theme::Queue,
    Theme::Memory,
    Theme::Start,
    Theme::Flood,
    Theme::Matching,
    Theme::Backfill,
    Theme::Console,
];

#[derive(Debug, clap::Parser)]
#[command(about = "Measures Casebridge.", bin_name = "cargo bench --")]
struct Options {
    /// What to measure [default: everything].
    #[arg(value_enum)]
    themes: Vec<Theme>,
    /// Which databases [default: every one that can be reached].
    #[arg(long, value_enum)]
    database: Vec<Database>,
    /// How long each load lasts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
    /// With a million events where the budgets say so.
    #[arg(long)]
    full: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Serve as the bare server.
    #[arg(long, hide = true, value_name = "ADDR")]
    bare: Option<std::net::SocketAddr>,
}

/// What every theme is told.
struct Plan {
    databases: Vec<Database>,
    duration: Duration,
    is_full: bool,
}

fn main() {
    let options = Options::parse();
    if let Some(address) = options.bare {
        return server::serve_bare(address);
    }
    let themes = if options.themes.is_empty() { THEMES.to_vec() } else { options.themes };
    let plan = Plan {
        databases: if options.database.is_empty() { Database::all() } else { options.database },
        duration: Duration::from_secs(options.seconds),
        is_full: options.full,
    };
    let machine = Machine::watch();
    let mut report = Report::default();
    for theme in themes {
        match theme {
            Theme::Acknowledge => acknowledge::run(&plan, &mut report),
            Theme::Latency => latency::run(&plan, &mut report),
            Theme::Sync => sync::run(&plan, &mut report),
            Theme::Queue => queue::run(&plan, &mut report),
            Theme::Memory => memory::run(&plan, &mut report),
            Theme::Start => start::run(&plan, &mut report),
            Theme::Flood => flood::run(&plan, &mut report),
            Theme::Matching => matching::run(&plan, &mut report),
            Theme::Backfill => backfill::run(&plan, &mut report),
            Theme::Console => console::run(&plan, &mut report),
        }
    }
    report.print();
    machine.report();
}
