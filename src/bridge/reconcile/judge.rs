//! Whether a change was received, is in step without that, is still awaited, or is a gap.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::session::Stop;
use super::announce::{self, Announcement};
use super::stream::{Found, Mark};
use super::{GapReport, Sweep, day};
use crate::domain::{
    Contact, Event, EventId, Fact, Field, FieldName, Fields, Link, MAY_BE_REACHED, Matter, RecordKind,
    RecordRef, System, Task,
};
use crate::operations::casepeer::polled_every;
use crate::rules::SyncRules;
use crate::store::{BY_SWEEP, Gap, Recorded};

/// The most gaps that a report shows one by one.
const MOST_SHOWN: usize = 1_000;

/// A record as its system shows it now.
pub(super) enum Record {
    Contact(Contact),
    Matter(Box<Matter>),
    Task(Task),
}

impl Record {
    pub(super) fn reference(&self) -> &RecordRef {
        match self {
            Self::Contact(contact) => &contact.record,
            Self::Matter(matter) => &matter.record,
            Self::Task(task) => &task.record,
        }
    }

    /// The records whose links say whether it is in step.
    fn related(&self) -> Vec<RecordRef> {
        let others = match self {
            Self::Matter(matter) => [matter.case.clone(), matter.lead.clone()],
            Self::Contact(_) | Self::Task(_) => [None, None],
        };
        std::iter::once(self.reference().clone()).chain(others.into_iter().flatten()).collect()
    }
}

/// A record that changed.
pub(super) struct Changed {
    pub(super) record: Record,
    pub(super) at: Timestamp,
}

/// What was made of a change.
enum Verdict {
    Received,
    InStep,
    Awaited,
    /// No webhook tells of such records: reading them is how they are received.
    Polled(Announcement),
    Gap(Announcement),
}

/// A page of a stream is judged against the mark before, and makes the mark after.
pub(super) struct Page<'a> {
    pub(super) kind: &'static str,
    pub(super) before: &'a Mark,
    /// When the oldest change happened that is still awaited.
    pub(super) oldest_awaited: Option<Timestamp>,
    pub(super) awaited: std::collections::BTreeSet<String>,
    pub(super) found: Found,
}

impl<'a> Page<'a> {
    pub(super) fn new(kind: &'static str, before: &'a Mark) -> Self {
        let (awaited, found) = Default::default();
        Self { kind, before, oldest_awaited: None, awaited, found }
    }

    /// The mark after everything up to this moment was read.
    pub(super) fn mark(&self, read_to: Timestamp) -> Mark {
        let read_from = self.oldest_awaited.map_or(read_to, |awaited| awaited.min(read_to));
        let later = |before: Option<Timestamp>, now| Some(before.map_or(now, |before| before.max(now)));
        Mark {
            // A sweep that was asked to begin earlier does not take the mark back, unless something is awaited there.
            read_from: match self.oldest_awaited {
                Some(_) => Some(read_from),
                None => later(self.before.read_from, read_from),
            },
            counted_to: later(self.before.counted_to, read_to),
            awaited: self.awaited.clone(),
            ..self.before.clone()
        }
    }
}

impl Sweep<'_> {
    /// Judges a page of changes, and announces the gaps among them.
    pub(super) async fn judge(&mut self, page: &mut Page<'_>, changes: Vec<Changed>) -> Result<(), Stop> {
        let related: Vec<RecordRef> = changes.iter().flat_map(|changed| changed.record.related()).collect();
        let links = self.bridge.store.links_of(&self.firm.id, &related).await?;
        for changed in changes {
            self.report.of(page.kind).read += 1;
            let reference = changed.record.reference();
            let name = format!("{reference}@{}", announce::version(changed.at));
            let is_news = page.before.counted_to.is_none_or(|to| changed.at > to)
                || page.before.awaited.contains(&name);
            match self.verdict(&changed, &links).await? {
                Verdict::Received => {
                    self.report.of(page.kind).received += 1;
                    page.found.line(page.kind, changed.at).received += u64::from(is_news);
                }
                Verdict::InStep => {
                    self.report.of(page.kind).in_step += 1;
                    page.found.line(page.kind, changed.at).in_step += u64::from(is_news);
                }
                Verdict::Awaited => {
                    self.report.of(page.kind).awaited += 1;
                    page.oldest_awaited =
                        Some(page.oldest_awaited.map_or(changed.at, |oldest| oldest.min(changed.at)));
                    page.awaited.insert(name);
                }
                Verdict::Polled(announcement) => {
                    self.report.of(page.kind).received += 1;
                    page.found.line(page.kind, changed.at).received += u64::from(is_news);
                    if !self.options.is_dry_run {
                        self.bridge.announce(self.firm, &announcement, BY_SWEEP).await?;
                    }
                }
                Verdict::Gap(announcement) => {
                    let found = &mut page.found;
                    self.gap(page.kind, &announcement, found).await?;
                }
            }
        }
        Ok(())
    }

    async fn verdict(&self, changed: &Changed, links: &[Link]) -> Result<Verdict, Stop> {
        let reference = changed.record.reference();
        if self.heard.get(reference).is_some_and(|last| *last >= changed.at) {
            return Ok(Verdict::Received);
        }
        let own: Vec<&Link> = links.iter().filter(|link| link.on(reference.system) == reference).collect();
        let is_linked = !own.is_empty();
        let announcement = match &changed.record {
            Record::Contact(contact) => {
                let contact_updated = || Fact::ContactUpdated { contact: reference.clone() };
                if contact_in_step(&own, &contact.fields)
                    && (!has_news(&self.firm.rules, &own, &contact.fields)
                        || self.is_done(contact_updated()).await?)
                {
                    return Ok(Verdict::InStep);
                }
                announce::contact(reference, changed.at, is_linked)
            }
            Record::Matter(matter) => {
                if self.matter_in_step(matter, links).await? {
                    return Ok(Verdict::InStep);
                }
                announce::matter(matter, changed.at, is_linked)
            }
            Record::Task(task) => {
                if self.task_in_step(task, &own).await? {
                    return Ok(Verdict::InStep);
                }
                announce::task(reference, task.owner.as_ref(), Some(changed.at), task.is_completed, is_linked)
            }
        };
        let profile = self.firm.casepeer.profile();
        if reference.system == System::CasePeer && polled_every(profile, reference.kind).is_some() {
            return Ok(Verdict::Polled(announcement));
        }
        let age = self.now.duration_since(changed.at);
        Ok(if age < self.grace(reference.system) { Verdict::Awaited } else { Verdict::Gap(announcement) })
    }

    /// Announces a gap, unless this is a dry run.
    pub(super) async fn gap(
        &mut self,
        kind: &'static str,
        announcement: &Announcement,
        found: &mut Found,
    ) -> Result<(), Stop> {
        let record = &announcement.records[0];
        let recorded = match self.options.is_dry_run {
            true => None,
            false => Some(self.bridge.announce(self.firm, announcement, BY_SWEEP).await?),
        };
        if let Some(Recorded::Stored(event) | Recorded::Duplicate(event)) = recorded {
            found.record.gaps.push(Gap {
                record: record.clone(),
                version: announcement.version.clone(),
                day: day(announcement.changed_at.unwrap_or(self.now)),
                event,
                found_at: self.now,
            });
        }
        let report = self.report.of(kind);
        if let Some(Recorded::Duplicate(_)) = recorded {
            report.known_gaps += 1;
            return Ok(());
        }
        report.gaps += 1;
        if self.report.gaps.len() == MOST_SHOWN {
            return Ok(());
        }
        self.report.gaps.push(GapReport {
            record: record.to_string(),
            changed_at: announcement.changed_at,
            kind: announcement.kind.to_owned(),
            event: recorded.map(|(Recorded::Stored(event) | Recorded::Duplicate(event))| event),
        });
        Ok(())
    }

    /// Whether a lead's or case's link knows its values. A case also has a status, which no base knows: whether anything
    /// would be done about it says its plan.
    async fn matter_in_step(&self, matter: &Matter, links: &[Link]) -> Result<bool, Stop> {
        let related = [Some(&matter.record), matter.case.as_ref(), matter.lead.as_ref()];
        let mut known = links.iter().filter(|link| link.highlevel.kind == RecordKind::Contact);
        if matter.record.kind == RecordKind::Lead {
            let own = known.find(|link| {
                related.contains(&Some(&link.casepeer)) && agree(&link.base.fields, &matter.fields)
            });
            let Some(own) = own else { return Ok(false) };
            let lead_updated = Fact::LeadUpdated { lead: matter.record.clone() };
            return Ok(
                !has_news(&self.firm.rules, &[own], &matter.fields) || self.is_done(lead_updated).await?
            );
        }
        if !known.any(|link| link.casepeer == matter.record) {
            return Ok(false);
        }
        let (case, status) = (matter.record.clone(), matter.status.clone());
        self.is_done(Fact::CaseStatusChanged { case, status }).await
    }

    /// Whether nothing would be done about a fact that was not done before.
    async fn is_done(&self, fact: Fact) -> Result<bool, Stop> {
        let event = Event {
            id: EventId(Uuid::nil()),
            firm: self.firm.id.clone(),
            source: fact.subject().system,
            received_at: self.now,
            fact,
        };
        let plan = match self.asker.plan(&event).await {
            Ok(plan) => plan,
            Err(stop @ (Stop::Quota { .. } | Stop::Store(_) | Stop::Vendor { .. })) => return Err(stop),
            // Whatever else keeps it from being planned, an event shows it to a person.
            Err(_) => return Ok(false),
        };
        let keys: Vec<_> = plan.commands.iter().filter_map(|planned| planned.command.effect_key()).collect();
        let done = self.bridge.store.completed(&self.firm.id, &keys).await?;
        Ok(keys.iter().all(|key| done.contains(key)))
    }

    /// Whether a task's copy is as far as it is, or the task is our own.
    pub(super) async fn task_in_step(&self, task: &Task, own: &[&Link]) -> Result<bool, Stop> {
        match own.first() {
            // Nobody tells of a task that was opened again.
            Some(link) => Ok(!task.is_completed || link.base.is_completed == Some(true)),
            None => Ok(self.bridge.store.is_ours(&self.firm.id, &task.record).await?),
        }
    }
}

/// Whether a record has a value that its links know nothing of, and that the firm lets cross.
pub(in crate::bridge) fn has_news(rules: &SyncRules, own: &[&Link], fields: &Fields) -> bool {
    let rules = &rules.fields;
    let crosses = |name: &FieldName, link: &Link| match link.highlevel.kind {
        RecordKind::Contact => rules.goes_to_casepeer(name) || rules.goes_to_highlevel(name),
        _ => false,
    };
    own.iter().any(|link| {
        fields.iter().any(|(name, _)| link.base.fields.value(name).is_none() && crosses(name, link))
    })
}

/// Whether every matter of a contact knows its values: its cases, or its leads while there is no case.
pub(in crate::bridge) fn contact_in_step(own: &[&Link], fields: &Fields) -> bool {
    let of = |kind| own.iter().filter(move |link| link.casepeer.kind == kind);
    let kind = if of(RecordKind::Case).next().is_some() { RecordKind::Case } else { RecordKind::Lead };
    of(kind).next().is_some() && of(kind).all(|link| agree(&link.base.fields, fields))
}

/// Whether what both sides agreed on is still so. What they never agreed on is no sign of a webhook that did not come.
fn agree(base: &Fields, fields: &Fields) -> bool {
    base.iter().all(|(name, agreed)| match fields.value(name) {
        Some(value) => value == agreed,
        // Who may be reached again has no mark that says so.
        None => *name == Field::DoNotContact.into() && agreed == MAY_BE_REACHED,
    })
}
