//! `casebridge reconcile`: finds what no webhook told of, and shows the loss meter.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use super::ConfigArgument;
use super::by::By;
use super::events::since;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::{Bridge, NoSweep, SweepOptions, SweepReport};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::{Deed, FirmId};
use crate::store::{LossFilter, LossRow};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Only this firm.
    #[arg(long, value_name = "ID")]
    firm: Option<String>,
    /// Look at what changed since, in place of where the last sweep ended: a span such as 2d, or a moment such as
    /// 2026-11-24T12:00:00Z. With --report, the first day.
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
    /// Only say what is missing.
    #[arg(long)]
    dry_run: bool,
    /// Show the loss meter, without a sweep.
    #[arg(long, conflicts_with = "dry_run")]
    report: bool,
    /// A JSON list: one report for each firm, or the lines of the loss meter.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    by: By,
}

/// The most lines of the loss meter that are shown.
const MOST_LINES: usize = 10_000;

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let firms: Vec<FirmId> = match &arguments.firm {
        Some(id) if !config.firms.iter().any(|firm| firm.id == *id) => {
            return Err(Failure::failed(format!("there is no firm `{id}`"))
                .hint("`casebridge firms list` shows the ids"));
        }
        Some(id) => vec![FirmId::new(id)],
        None => config.firms.iter().map(|firm| FirmId::new(&firm.id)).collect(),
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let keyring = keyring(&config)?;
    let store = open_store(&config, &keyring, &clock).await?;
    if arguments.report {
        let first_day = arguments.since.map(|at| at.strftime("%Y-%m-%d").to_string());
        let firm = arguments.firm.map(FirmId::new);
        let rows = store.losses(LossFilter { firm, since: first_day, limit: MOST_LINES }).await?;
        return if arguments.json { print_json(&rows) } else { say(&table(&rows)) };
    }
    let bridge = Bridge::new(&config, store, keyring, clock).map_err(Failure::configuration)?;
    bridge.refresh_rules().await?;
    let options = SweepOptions { since: arguments.since, is_dry_run: arguments.dry_run };
    let mut reports = Vec::new();
    for firm in &firms {
        if !options.is_dry_run {
            bridge.store.note_deed(arguments.by.did(Deed::Swept).at(firm)).await?;
        }
        let swept = bridge.reconcile(firm, options, &mut |report| show(report, false)).await;
        let report = swept.map_err(|error| match error {
            NoSweep::Store(error) => error.into(),
            NoSweep::UnderWay => Failure::try_again(format!("{firm}: {error}")),
            NoSweep::NoFirm(_) => Failure::failed(error.to_string()),
        })?;
        show(&report, true);
        if !arguments.json {
            say(&told(&report))?;
        }
        reports.push(report);
    }
    if arguments.json {
        print_json(&reports)?;
    }
    let early: Vec<&SweepReport> = reports.iter().filter(|report| !report.is_complete).collect();
    for report in &early {
        report.remarks.iter().for_each(|why| note(&format!("{}: {why}", report.firm)));
    }
    match early.is_empty() {
        true => Ok(()),
        false => Err(Failure::try_again("not everything was looked at; the next sweep goes on there")),
    }
}

/// Says how far it is: on a terminal in one line that moves, elsewhere at the end.
fn show(report: &SweepReport, is_end: bool) {
    let mut out = std::io::stderr().lock();
    let line = format!("{}: {} records read, {} gaps", report.firm, report.read(), report.gaps.len());
    // With standard error closed there is nobody left to tell.
    let _ = match (out.is_terminal(), is_end) {
        (true, false) => write!(out, "\r{line}"),
        (true, true) => writeln!(out, "\r{line}"),
        (false, true) => writeln!(out, "{line}"),
        (false, false) => Ok(()),
    };
}

fn told(report: &SweepReport) -> String {
    let mut text = format!(
        "{}\n  {:<18}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
        report.firm, "KIND", "READ", "RECEIVED", "IN STEP", "AWAITED", "GAPS"
    );
    for (kind, found) in &report.kinds {
        text.push_str(&format!(
            "\n  {kind:<18}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}",
            found.read, found.received, found.in_step, found.awaited, found.gaps
        ));
    }
    for gap in &report.gaps {
        let at = gap.changed_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let event = match gap.event {
            Some(event) => format!("announced as {event}"),
            None => "would be announced".to_owned(),
        };
        text.push_str(&format!("\n  {at:<24}  {:<20}  {}: {event}", gap.kind, gap.record));
    }
    text
}

fn table(rows: &[LossRow]) -> String {
    if rows.is_empty() {
        return "no sweep was made yet".to_owned();
    }
    let mut text = format!(
        "{:<10}  {:<16}  {:<18}  {:>8}  {:>8}  {:>8}  {:>8}  {:>11}  COVERAGE",
        "DAY", "FIRM", "KIND", "CHANGED", "RECEIVED", "IN STEP", "HEALED", "UNEXPLAINED"
    );
    for row in rows {
        text.push_str(&format!(
            "\n{:<10}  {:<16}  {:<18}  {:>8}  {:>8}  {:>8}  {:>8}  {:>11}  {:.0} %",
            row.day,
            row.firm.to_string(),
            row.kind,
            row.changed,
            row.received,
            row.in_step,
            row.healed,
            row.unexplained,
            row.coverage * 100.0
        ));
    }
    text
}
