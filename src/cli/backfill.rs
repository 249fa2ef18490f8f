//! `casebridge backfill`: pairs and syncs what was there before.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Args;
use jiff::Timestamp;

use super::ConfigArgument;
use super::by::By;
use super::events::since;
use super::failure::Failure;
use super::output::{note, print_json, say};
use super::serve::{keyring, open_store};
use crate::bridge::{BACKFILL_PAUSE, BackfillOptions, BackfillReport, Bridge, NoSweep, Watch};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::{Deed, FirmId};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The firm.
    #[arg(long, value_name = "ID")]
    firm: String,
    /// Only what changed since: a span such as 30d, or a moment such as 2026-11-24T12:00:00Z.
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
    /// Only say what would be linked, created and changed, and what a person would be asked about.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.config.load()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let keyring = keyring(&config)?;
    let store = open_store(&config, &keyring, &clock).await?;
    let bridge = Bridge::new(&config, store, keyring, clock).map_err(Failure::configuration)?;
    bridge.refresh_rules().await?;
    let options = BackfillOptions { since: arguments.since, is_dry_run: arguments.dry_run };
    let mut shown = Shown { began: Instant::now(), waited: 0 };
    let firm = FirmId::new(&arguments.firm);
    if !arguments.dry_run && config.firms.iter().any(|known| known.id == arguments.firm) {
        bridge.store.note_deed(arguments.by.did(Deed::Backfilled).at(&firm)).await?;
    }
    let report = bridge.backfill(&firm, options, &mut shown).await.map_err(|error| match error {
        NoSweep::Store(error) => error.into(),
        NoSweep::UnderWay => Failure::try_again(error.to_string()),
        NoSweep::NoFirm(_) => {
            Failure::failed(error.to_string()).hint("`casebridge firms list` shows the ids")
        }
    })?;
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        // With standard error closed there is nobody left to tell.
        let _ = writeln!(out);
    }
    drop(out);
    if arguments.json {
        print_json(&report)?;
    } else {
        say(&told(&report))?;
    }
    if report.is_complete {
        return Ok(());
    }
    report.remarks.iter().for_each(|why| note(why));
    Err(Failure::try_again("not everything was read").hint("the same command goes on where it ended"))
}

/// Says how far it is.
struct Shown {
    began: Instant,
    waited: u32,
}

/// After so many pauses in which no event was settled, half a minute of them, somebody may have forgotten to start the
/// bridge.
const PATIENCE: u32 = 150;

#[async_trait]
impl Watch for Shown {
    fn progress(&mut self, report: &BackfillReport) {
        self.waited = 0;
        let mut out = std::io::stderr().lock();
        if out.is_terminal() {
            // With standard error closed there is nobody left to tell.
            let _ = write!(out, "\r{}", line(report, self.began.elapsed())).and_then(|()| out.flush());
        }
    }

    async fn wait(&mut self) {
        self.waited += 1;
        if self.waited == PATIENCE {
            note("what was announced is not worked on: is `casebridge serve` running?");
        }
        tokio::time::sleep(BACKFILL_PAUSE).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn line(report: &BackfillReport, elapsed: Duration) -> String {
    let rate = report.read as f64 / elapsed.as_secs_f64().max(0.001);
    let left = report.contacts.map(|contacts| contacts.saturating_sub(report.contacts_read));
    let left = left.filter(|left| *left > 0 && report.read > 0);
    // Contacts come last, and of leads and cases nobody says how many there are.
    let is_least = if report.contacts_read == 0 { "at least " } else { "" };
    let left = left.map(|left| format!(", {is_least}{:.0} s left", left as f64 / rate.max(0.001)));
    format!("{} records read, {rate:.0}/s{}   ", report.read, left.unwrap_or_default())
}

fn told(report: &BackfillReport) -> String {
    if !report.dry_run {
        return format!(
            "{} records read: {} pairs linked, {} records in step; {} announced, {} had been before; a running bridge works on them when nothing else is to do",
            report.read, report.linked, report.in_step, report.announced, report.known
        );
    }
    let mut text = format!(
        "{} records read; nothing is done\n  will link   {:>8}\n  will create {:>8}\n  differ      {:>8}\n  ambiguous   {:>8}\n  in step     {:>8}",
        report.read, report.will_link, report.will_create, report.differ, report.ambiguous, report.in_step
    );
    for example in &report.examples {
        text.push_str(&format!("\n  {}: {}", example.record, example.why));
    }
    text
}
