//! Reconciliation: what changed at each vendor is compared with what was received and with the links; a change that no
//! webhook told of is announced as an ordinary event, which the ordinary worker works on.
//!
//! Each stream of records is read from a watermark, overlapping a little, oldest change first; so a sweep that ends early
//! goes on where it was. `highlevel`, `casepeer` and `notes` read the streams, `judge` decides about each change, `announce`
//! makes the events, `ask` makes the calls, in the lowest priority class.

mod announce;
mod ask;
mod casepeer;
mod highlevel;
mod judge;
mod notes;
mod poll;
mod report;
mod stream;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub(super) use self::announce::{Announcement, contact, is_announced, is_backfill, matter};
pub(super) use self::ask::Asker;
pub(super) use self::judge::{contact_in_step, has_news};
pub use self::report::{GapReport, KindReport, SweepReport};
use self::stream::{Mark, Stream};
use super::session::Stop;
use super::{Bridge, Firm};
use crate::domain::{FirmId, RecordKind, RecordRef, System};
use crate::store::{StoreError, SweepRecord};

/// How a sweep is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct SweepOptions {
    /// From when on changes are looked at, in place of the watermark.
    pub since: Option<Timestamp>,
    /// Whether gaps are only reported.
    pub is_dry_run: bool,
}

/// Why there was no sweep.
#[derive(Debug, thiserror::Error)]
pub enum NoSweep {
    /// There is no such firm.
    #[error("there is no firm `{0}`")]
    NoFirm(FirmId),
    /// One is under way, perhaps in another process.
    #[error("a sweep over this firm is under way")]
    UnderWay,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far before its watermark a stream is read: search indexes lag, and lists are ordered by clocks that differ.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// How far back the first sweep of a firm goes where nothing was received yet, and at most where something was: no
/// sender tries for longer. What is older is a backfill's.
const FIRST_AT_LEAST: SignedDuration = SignedDuration::from_hours(24);
const FIRST_AT_MOST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the right to sweep a firm is called, and how long it holds without a sign of life: longer than a page takes.
const RIGHT: &str = "sweep";
const RIGHT_HOLDS: SignedDuration = SignedDuration::from_mins(10);
/// What the turns of the schedule are called.
const TURN: &str = "schedule";

/// Is told how far a sweep is.
pub type Progress<'a> = &'a mut (dyn FnMut(&SweepReport) + Send);

/// A sweep over one firm's systems.
struct Sweep<'a> {
    bridge: &'a Bridge,
    firm: &'a Firm,
    asker: Asker<'a>,
    /// Who holds the right to sweep.
    owner: String,
    options: SweepOptions,
    /// When it began.
    now: Timestamp,
    /// From when on a stream is read that has no watermark.
    first: Timestamp,
    /// What senders' webhooks were about, and when the last was received.
    heard: HashMap<RecordRef, Timestamp>,
    report: SweepReport,
}

impl Bridge {
    /// Sweeps over a firm's systems once.
    pub async fn reconcile(
        &self,
        firm: &FirmId,
        options: SweepOptions,
        progress: Progress<'_>,
    ) -> Result<SweepReport, NoSweep> {
        let report = Box::pin(self.sweep(firm, options, &Stream::ALL, progress)).await?;
        metrics::counter!("casebridge_sweeps_total", "firm" => firm.to_string(), "result" => report.result())
            .increment(1);
        Ok(report)
    }

    async fn sweep(
        &self,
        firm: &FirmId,
        options: SweepOptions,
        streams: &[Stream],
        progress: Progress<'_>,
    ) -> Result<SweepReport, NoSweep> {
        let firm = self.firms.find(firm).ok_or_else(|| NoSweep::NoFirm(firm.clone()))?;
        let now = self.clock.now();
        let mut report = SweepReport::new(firm.id.clone(), options.is_dry_run);
        let parkings = self.store.parkings().await?;
        if let Some(parking) = parkings.into_iter().find(|parking| parking.firm == firm.id) {
            report.end_early(format!("the firm is parked: {}", parking.reason));
            return Ok(report);
        }
        let (asker, owner) = (Asker::new(self, &firm), Uuid::now_v7().to_string());
        if !options.is_dry_run && !self.store.hold_sweep(&firm.id, RIGHT, &owner, RIGHT_HOLDS).await? {
            return Err(NoSweep::UnderWay);
        }
        let first = self.first_of(&firm.id, now).await?;
        let mut marks = HashMap::new();
        for stream in streams.iter().copied() {
            marks.insert(stream, Mark::load(self, &firm.id, stream).await?);
        }
        let oldest = marks.values().map(|mark| mark.earliest(first)).min().unwrap_or(first);
        let heard_since = before(options.since.map_or(oldest, |since| since.min(oldest)), OVERLAP);
        let heard = self.store.heard_since(&firm.id, heard_since).await?;
        let mut sweep = Sweep { bridge: self, firm: &firm, asker, owner, options, now, first, heard, report };
        for stream in streams.iter().copied() {
            let mark = marks.remove(&stream).unwrap_or_default();
            match sweep.stream(stream, mark, progress).await {
                Ok(()) => {}
                Err(Stop::Store(error)) => return Err(error.into()),
                Err(stop) => sweep.report.end_early(format!("{}: {stop}", stream.kind())),
            }
            progress(&sweep.report);
        }
        if !options.is_dry_run {
            self.store.hold_sweep(&firm.id, RIGHT, &sweep.owner, SignedDuration::ZERO).await?;
        }
        Ok(sweep.report)
    }

    /// From when on a stream without a watermark is read.
    async fn first_of(&self, firm: &FirmId, now: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(match self.store.first_received(firm).await? {
            Some(first) => first.max(before(now, FIRST_AT_MOST)),
            None => before(now, FIRST_AT_LEAST),
        })
    }

    /// Sees to it that a firm's first sweep begins before its backfill does: what changes after a list was read, and is
    /// told of by nobody, is found by none but a sweep.
    pub(super) async fn sweep_from(&self, firm: &FirmId, moment: Timestamp) -> Result<(), StoreError> {
        let from = self.first_of(firm, moment).await?.min(moment);
        let mut marks = Vec::new();
        for stream in [Stream::Contacts, Stream::Leads, Stream::Cases, Stream::CasePeerTasks] {
            let mark = Mark::load(self, firm, stream).await?;
            if mark.read_from.is_none() {
                marks.push(Mark { read_from: Some(from), ..mark }.named(stream));
            }
        }
        if marks.is_empty() {
            return Ok(());
        }
        self.store.save_sweep(firm, SweepRecord { marks, ..SweepRecord::default() }).await
    }

    /// Sweeps over every firm whose turn it is, whichever instance did the last; a failure of one does not keep the
    /// others from theirs.
    pub async fn reconcile_due(&self, every: SignedDuration) {
        for firm in self.firms.iter() {
            // Timers are not exact: a turn may come a little early.
            let turn =
                self.store.hold_sweep(&firm.id, TURN, &Uuid::now_v7().to_string(), every * 9 / 10).await;
            match turn {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::error!(firm = %firm.id, "no sweep: {error}");
                    continue;
                }
            }
            match self.reconcile(&firm.id, SweepOptions::default(), &mut |_| {}).await {
                Ok(report) if report.is_complete => {
                    tracing::info!(firm = %firm.id, gaps = report.gaps.len(), "swept");
                }
                Ok(report) => {
                    tracing::warn!(firm = %firm.id, "a sweep ended early: {}", report.remarks.join("; "));
                }
                Err(error) => tracing::error!(firm = %firm.id, "no sweep: {error}"),
            }
        }
    }

    /// How often to sweep; none if not by itself.
    pub fn sweeps_every(&self) -> Option<SignedDuration> {
        Some(self.reconcile.every).filter(|every| every.is_positive())
    }
}

impl Sweep<'_> {
    async fn stream(&mut self, stream: Stream, mark: Mark, progress: Progress<'_>) -> Result<(), Stop> {
        match stream {
            Stream::Contacts => self.contacts(mark, progress).await,
            Stream::HighLevelTasks => self.highlevel_tasks(mark).await,
            Stream::Leads => self.casepeer_list(stream, RecordKind::Lead, mark, progress).await,
            Stream::Cases => self.casepeer_list(stream, RecordKind::Case, mark, progress).await,
            Stream::CasePeerTasks => self.casepeer_list(stream, RecordKind::Task, mark, progress).await,
            Stream::Notes => self.notes(mark).await,
        }
    }

    /// From when on a stream is read.
    fn since(&self, mark: &Mark) -> Timestamp {
        self.options.since.unwrap_or_else(|| mark.read_from.map_or(self.first, |from| before(from, OVERLAP)))
    }

    fn grace(&self, system: System) -> SignedDuration {
        match system {
            System::HighLevel => self.bridge.reconcile.highlevel_grace,
            System::CasePeer => self.bridge.reconcile.casepeer_grace,
        }
    }

    /// Writes down what a part of the sweep found; nothing in a dry run.
    async fn save(&self, found: SweepRecord) -> Result<(), Stop> {
        if self.options.is_dry_run {
            return Ok(());
        }
        let (store, firm) = (&self.bridge.store, &self.firm.id);
        store.save_sweep(firm, found).await?;
        match store.hold_sweep(firm, RIGHT, &self.owner, RIGHT_HOLDS).await? {
            true => Ok(()),
            false => Err(Stop::LeaseLost),
        }
    }
}

fn before(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// The day of a moment, UTC.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
