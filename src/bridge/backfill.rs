//! Backfill: every contact, lead and case is announced as an ordinary event in the lowest priority class, so that what
//! was there before the bridge is paired and synced by the same way as what comes; or, in a dry run, planned without
//! acting.
//!
//! A page is announced, and the next only when most of what was announced is settled: what happens meanwhile does not
//! queue behind the past. How far it came is kept; a change that was announced is not announced again.

mod preview;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use self::preview::{expected, partners};
use super::reconcile::{Announcement, Asker, NoSweep, contact, matter};
use super::session::Stop;
use super::{Bridge, Firm};
use crate::domain::{Event, EventId, EventState, Fact, FirmId, Matter, RecordKind, RecordRef, System};
use crate::operations::casepeer::{CannotSend, list_changed, next_page, read_listed_matters};
use crate::operations::highlevel::{
    CONTACTS_PAGE, ContactDate, CustomFields, read_found_contacts, search_contacts,
};
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
    /// Records that were announced as events.
    pub announced: u64,
    /// Records of which that same change had been announced before.
    pub known: u64,
    /// In a dry run: pairs that would be linked.
    pub will_link: u64,
    /// In a dry run: records that the other side would get.
    pub will_create: u64,
    /// In a dry run: linked pairs of which one side would be changed.
    pub differ: u64,
    /// In a dry run: records a person would be asked about, or that cannot be worked on.
    pub ambiguous: u64,
    /// In a dry run: records about which nothing would be done.
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
/// Plans that are made at once in a dry run.
const AT_ONCE: usize = 8;
/// Examples of each kind that a dry run shows.
const EXAMPLES: usize = 5;
/// What is read, in turn: a lead before the case it became.
const PARTS: [RecordKind; 3] = [RecordKind::Contact, RecordKind::Lead, RecordKind::Case];
/// What the mark of a backfill is called.
const STREAM: &str = "backfill";

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

/// A record and what tells of it.
struct Item {
    announcement: Announcement,
    fact: Fact,
    lead: Option<RecordRef>,
}

struct Backfill<'a> {
    bridge: &'a Bridge,
    firm: &'a Firm,
    asker: Asker<'a>,
    options: BackfillOptions,
    report: BackfillReport,
    unsettled: VecDeque<EventId>,
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
            announced: 0,
            known: 0,
            will_link: 0,
            will_create: 0,
            differ: 0,
            ambiguous: 0,
            in_step: 0,
            examples: Vec::new(),
            is_complete: false,
            remarks: Vec::new(),
        };
        let asker = Asker::new(self, &firm);
        let (unsettled, counted) = (VecDeque::new(), BTreeSet::new());
        let mut backfill = Backfill { bridge: self, firm: &firm, asker, options, report, unsettled, counted };
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
        while let Some(part) = PARTS.get(mark.part) {
            let (items, next) = match part {
                RecordKind::Contact => self.contacts(mark.after.as_ref()).await?,
                kind => self.matters(*kind, mark.after.as_ref()).await?,
            };
            self.report.read += items.len() as u64;
            match self.options.is_dry_run {
                true => self.preview(&items).await?,
                false => self.announce(&items).await?,
            }
            mark.after = next;
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

    /// A page of contacts by the date they were added, which stays as it is while they are worked on.
    async fn contacts(&mut self, after: Option<&Value>) -> Result<(Vec<Item>, Option<Value>), Stop> {
        let request = search_contacts(&self.firm.location, ContactDate::Added, self.options.since, after);
        let Some(answer) = self.asker.read(System::HighLevel, &request).await? else {
            return Ok((Vec::new(), None));
        };
        self.report.contacts = answer.body.get("total").and_then(Value::as_u64).or(self.report.contacts);
        let found = read_found_contacts(&answer, &CustomFields::default());
        let next = match found.last() {
            Some(last) if found.len() == CONTACTS_PAGE => last.after.clone(),
            _ => None,
        };
        let item = |found: crate::operations::highlevel::FoundContact| {
            let at = found.updated_at.or(found.contact.added_at)?;
            let record = found.contact.record;
            let announcement = contact(&record, at, true);
            Some(Item { announcement, fact: Fact::ContactUpdated { contact: record }, lead: None })
        };
        Ok((found.into_iter().filter_map(item).collect(), next))
    }

    async fn matters(
        &mut self,
        kind: RecordKind,
        cursor: Option<&Value>,
    ) -> Result<(Vec<Item>, Option<Value>), Stop> {
        let profile = self.firm.casepeer.profile();
        let request = match list_changed(profile, kind, self.options.since, cursor.and_then(Value::as_str)) {
            Ok(request) => request,
            Err(why @ (CannotSend::Disabled { .. } | CannotSend::NotSearchable { .. })) => {
                self.report.remarks.push(format!("not looked at: {why}"));
                return Ok((Vec::new(), None));
            }
            Err(why) => return Err(why.into()),
        };
        let Some(answer) = self.asker.read(System::CasePeer, &request).await? else {
            return Ok((Vec::new(), None));
        };
        let listed = read_listed_matters(&answer, kind, &self.firm.rules.name_filler);
        let item = |found: Matter, at: Timestamp| {
            let (record, lead) = (found.record.clone(), found.lead.clone());
            let announcement = matter(&found, at, true);
            let fact = match kind {
                RecordKind::Case => Fact::CaseStatusChanged { case: record, status: found.status },
                _ => Fact::LeadUpdated { lead: record },
            };
            Item { announcement, fact, lead }
        };
        let items = listed
            .into_iter()
            .filter_map(|listed| Some(item(listed.record, listed.updated_at.or(listed.created_at)?)));
        Ok((items.collect(), next_page(&answer).map(Value::from)))
    }

    /// Together, so that the store commits them together.
    async fn announce(&mut self, items: &[Item]) -> Result<(), Stop> {
        let (bridge, firm) = (self.bridge, self.firm);
        let recording = items.iter().map(|item| bridge.announce(firm, &item.announcement, BY_BACKFILL));
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

    async fn preview(&mut self, items: &[Item]) -> Result<(), Stop> {
        for items in items.chunks(AT_ONCE) {
            let planning = items.iter().map(|item| async {
                let event = Event {
                    id: EventId(Uuid::nil()),
                    firm: self.firm.id.clone(),
                    source: item.fact.subject().system,
                    received_at: self.bridge.clock.now(),
                    fact: item.fact.clone(),
                };
                self.asker.plan(&event).await
            });
            for (item, planned) in items.iter().zip(join_all(planning).await) {
                let record = item.fact.subject();
                let is_counted = self.counted.contains(record)
                    || item.lead.as_ref().is_some_and(|lead| self.counted.contains(lead));
                let (would, why) = match planned {
                    Ok(plan) => {
                        self.counted.extend(partners(&plan));
                        expected(&plan)
                    }
                    Err(stop @ (Stop::Quota { .. } | Stop::Store(_) | Stop::Vendor { .. })) => {
                        return Err(stop);
                    }
                    Err(stop) => (Expected::Ambiguous, stop.to_string()),
                };
                if record.kind == RecordKind::Lead {
                    self.counted.insert(record.clone());
                }
                if !is_counted {
                    self.count(record, would, why);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, record: &RecordRef, would: Expected, why: String) {
        let report = &mut self.report;
        *match would {
            Expected::Link => &mut report.will_link,
            Expected::Create => &mut report.will_create,
            Expected::Differ => &mut report.differ,
            Expected::Ambiguous => &mut report.ambiguous,
            Expected::InStep => &mut report.in_step,
        } += 1;
        let shown = report.examples.iter().filter(|example| example.would == would).count();
        if would != Expected::InStep && shown < EXAMPLES {
            report.examples.push(Example { record: record.to_string(), would, why });
        }
    }
}
