//! Backfill: what was there before the bridge is paired and synced; or, in a dry run, planned without acting.
//!
//! Both sides are read in lists, whose records are whole. A contact and a matter that pair with certainty are linked from
//! the lists, a page at once; what the plan of the two writes, and whatever else is not in step, is announced as an
//! ordinary event in the lowest priority class. Contacts are read first, then matters, and then the contacts that no
//! matter was found for, so that a pair is announced once.
//!
//! A page is announced, and the next only when most of what was announced is settled: what happens meanwhile does not
//! queue behind the past. How far it came is kept; a change that was announced is not announced again.

mod lists;
mod pairs;
mod preview;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prepare::Contacts;
use super::reconcile::{Announcement, Asker, NoSweep};
use super::session::Stop;
use super::{Bridge, Firm};
use crate::domain::{EventId, EventState, FirmId, RecordKind, RecordRef};
use crate::store::{BY_BACKFILL, Recorded, SweepRecord};

/// How a backfill is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct BackfillOptions {
    /// Only what changed since.
    pub since: Option<Timestamp>,
    /// Whether it is only said what would be done.
    pub is_dry_run: bool,
}

/// What a backfill found and did.
#[derive(Debug, Clone, Serialize)]
pub struct BackfillReport {
    /// Whose records.
    pub firm: FirmId,
    /// Whether it was only said what would be done.
    pub dry_run: bool,
    /// Records that were read.
    pub read: u64,
    /// How many contacts there are to read, as far as HighLevel says.
    pub contacts: Option<u64>,
    /// How many of them were gone through, which comes last.
    pub contacts_read: u64,
    /// Records that were announced as events.
    pub announced: u64,
    /// Records of which that same change had been announced before.
    pub known: u64,
    /// Pairs that were linked as the lists showed them.
    pub linked: u64,
    /// In a dry run: pairs that would be linked.
    pub will_link: u64,
    /// In a dry run: records that the other side would get.
    pub will_create: u64,
    /// In a dry run: linked pairs of which one side would be changed.
    pub differ: u64,
    /// In a dry run: records a person would be asked about, or that cannot be worked on.
    pub ambiguous: u64,
    /// Linked records about which nothing is to be done; in a dry run all about which nothing would be done.
    pub in_step: u64,
    /// In a dry run: some of each, by the system's ids.
    pub examples: Vec<Example>,
    /// Whether everything was read.
    pub is_complete: bool,
    /// Why not.
    pub remarks: Vec<String>,
}

/// What would be done about one record.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Which: system, kind and id.
    pub record: String,
    /// What.
    pub would: Expected,
    /// Why, in words that name no person.
    pub why: String,
}

/// What a backfill would do about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Link it with one on the other side.
    Link,
    /// Create one on the other side.
    Create,
    /// Change one side.
    Differ,
    /// Ask a person.
    Ambiguous,
    /// Nothing.
    InStep,
}

/// Whoever watches a backfill.
#[async_trait]
pub trait Watch: Send {
    /// How far it is.
    fn progress(&mut self, report: &BackfillReport);
    /// Waits a moment, [`BACKFILL_PAUSE`] where time passes, while a worker catches up.
    async fn wait(&mut self);
}

/// How long to wait before it is looked again whether a worker has caught up.
pub const BACKFILL_PAUSE: Duration = Duration::from_millis(200);
/// The most announced events that are not settled before more are announced.
const AHEAD: usize = 2_000;
/// How often it is waited for an event that does not settle, as while it is retried.
const MOST_WAITS: u32 = 3_000;
/// Calls and, in a dry run, plans that are made at once.
const AT_ONCE: usize = 8;
/// The most contacts that are held in memory to find a matter's among them. Matters of others are announced.
const MOST_HELD: usize = 50_000;
/// How far the clocks of those that write into one store may be apart.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);
/// Examples of each kind that a dry run shows.
const EXAMPLES: usize = 5;
/// What is gone through, in turn: a case before the lead it began as, which is the same matter.
const PARTS: [RecordKind; 3] = [RecordKind::Case, RecordKind::Lead, RecordKind::Contact];
/// What the mark of a backfill is called.
const STREAM: &str = "backfill of pairs";

/// How far a backfill came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// What it was asked for.
    since: Option<Timestamp>,
    /// The part that is read.
    part: usize,
    /// Where the next page of that part begins.
    after: Option<Value>,
}

struct Backfill<'a> {
    bridge: &'a Bridge,
    firm: &'a Firm,
    asker: Asker<'a>,
    options: BackfillOptions,
    report: BackfillReport,
    unsettled: VecDeque<EventId>,
    /// When its lists began to be read.
    began: Timestamp,
    /// What the search shows of contacts.
    contacts: Contacts,
    /// The contacts with an open task; nothing if the location's tasks cannot be searched.
    with_tasks: Option<HashSet<String>>,
    /// The matters that were gone through.
    matters: HashSet<RecordRef>,
    /// The contacts that were linked or announced.
    people: HashSet<String>,
    /// In a dry run: what was counted with its counterpart, and leads whose case is the same matter.
    counted: BTreeSet<RecordRef>,
}

impl Bridge {
    /// Announces everything a firm's systems have, from where the last backfill ended early.
    pub async fn backfill(
        &self,
        firm: &FirmId,
        options: BackfillOptions,
        watch: &mut dyn Watch,
    ) -> Result<BackfillReport, NoSweep> {
        let firm = self.firms.find(firm).ok_or_else(|| NoSweep::NoFirm(firm.clone()))?;
        let report = BackfillReport {
            firm: firm.id.clone(),
            dry_run: options.is_dry_run,
            read: 0,
            contacts: None,
            contacts_read: 0,
            announced: 0,
            known: 0,
            linked: 0,
            will_link: 0,
            will_create: 0,
            differ: 0,
            ambiguous: 0,
            in_step: 0,
            examples: Vec::new(),
            is_complete: false,
            remarks: Vec::new(),
        };
        let began = self.clock.now().saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN);
        let mut backfill = Backfill {
            bridge: self,
            firm: &firm,
            asker: Asker::new(self, &firm),
            options,
            report,
            unsettled: VecDeque::new(),
            began,
            contacts: Contacts::default(),
            with_tasks: None,
            matters: HashSet::new(),
            people: HashSet::new(),
            counted: BTreeSet::new(),
        };
        match backfill.run(watch).await {
            Ok(()) => backfill.report.is_complete = true,
            Err(Stop::Store(error)) => return Err(error.into()),
            Err(stop) => backfill.report.remarks.push(stop.to_string()),
        }
        watch.progress(&backfill.report);
        Ok(backfill.report)
    }
}

impl Backfill<'_> {
    async fn run(&mut self, watch: &mut dyn Watch) -> Result<(), Stop> {
        let mut mark = self.begin().await?;
        if !self.options.is_dry_run {
            self.bridge.sweep_from(&self.firm.id, self.began).await?;
        }
        self.hold_contacts(watch).await?;
        while let Some(part) = PARTS.get(mark.part) {
            mark.after = match part {
                RecordKind::Contact => self.page_of_contacts(mark.after.as_ref()).await?,
                kind => self.page_of_matters(*kind, mark.after.as_ref()).await?,
            };
            if mark.after.is_none() {
                mark.part += 1;
            }
            self.keep(&mark).await?;
            watch.progress(&self.report);
            self.catch_up(watch).await?;
        }
        // The next one begins at the beginning.
        self.keep(&Mark::default()).await
    }

    /// Goes through contacts of which no matter was found; where the next page begins.
    async fn page_of_contacts(&mut self, after: Option<&Value>) -> Result<Option<Value>, Stop> {
        let (items, next) = self.list_contacts(after).await?;
        self.report.read += items.len() as u64;
        self.report.contacts_read += items.len() as u64;
        let items = self.left_over(items).await?;
        if self.options.is_dry_run {
            self.preview(items.into_iter().map(|item| item.fact()).collect()).await?;
        } else {
            self.announce(items.iter().map(|item| &item.announcement)).await?;
        }
        Ok(next)
    }

    /// Pairs matters; where the next page begins.
    async fn page_of_matters(
        &mut self,
        kind: RecordKind,
        after: Option<&Value>,
    ) -> Result<Option<Value>, Stop> {
        let (items, next) = self.list_matters(kind, after).await?;
        self.report.read += items.len() as u64;
        self.pair(items).await?;
        Ok(next)
    }

    async fn begin(&self) -> Result<Mark, Stop> {
        let fresh = Mark { since: self.options.since, ..Mark::default() };
        if self.options.is_dry_run {
            return Ok(fresh);
        }
        let known = self.bridge.store.sweep_mark(&self.firm.id, STREAM).await?;
        let known: Option<Mark> = known.and_then(|text| serde_json::from_str(&text).ok());
        Ok(known.filter(|mark| mark.since == self.options.since).unwrap_or(fresh))
    }

    async fn keep(&self, mark: &Mark) -> Result<(), Stop> {
        if self.options.is_dry_run {
            return Ok(());
        }
        let text = serde_json::to_string(mark).expect("a mark is JSON");
        let found = SweepRecord { marks: vec![(STREAM.to_owned(), text)], ..SweepRecord::default() };
        Ok(self.bridge.store.save_sweep(&self.firm.id, found).await?)
    }

    /// Together, so that the store commits them together.
    async fn announce(&mut self, announcements: impl Iterator<Item = &Announcement>) -> Result<(), Stop> {
        let (bridge, firm) = (self.bridge, self.firm);
        let recording = announcements.map(|announced| bridge.announce(firm, announced, BY_BACKFILL));
        for recorded in try_join_all(recording).await? {
            match recorded {
                Recorded::Stored(event) => {
                    self.report.announced += 1;
                    self.unsettled.push_back(event);
                }
                Recorded::Duplicate(_) => self.report.known += 1,
            }
        }
        Ok(())
    }

    /// Waits until no more than about [`AHEAD`] of what was announced is unsettled: they are worked on in order, but for
    /// those that are tried again.
    async fn catch_up(&mut self, watch: &mut dyn Watch) -> Result<(), Stop> {
        let mut waits = 0;
        while self.unsettled.len() > AHEAD {
            let behind = self.unsettled.len() - AHEAD;
            let story = self.bridge.store.event(self.unsettled[behind - 1]).await?;
            match story.map(|story| story.row.state) {
                Some(EventState::Parked) => {
                    return Err(Stop::NotThere("the firm was parked; the backfill goes on from here".into()));
                }
                Some(state) if !state.is_settled() && waits < MOST_WAITS => {
                    waits += 1;
                    watch.wait().await;
                }
                _ => {
                    self.unsettled.drain(..behind);
                    waits = 0;
                }
            }
        }
        Ok(())
    }
}
