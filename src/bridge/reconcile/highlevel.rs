//! What changed in HighLevel.

use std::collections::HashSet;

use jiff::Timestamp;

use super::super::session::Stop;
use super::announce;
use super::judge::{Changed, Page, Record};
use super::stream::{Found, Mark, Stream};
use super::{OVERLAP, Progress, Sweep, before as earlier};
use crate::domain::{RecordKind, RecordRef, System};
use crate::operations::highlevel::{
    CONTACTS_PAGE, ContactDate, read_found_contacts, read_searched_tasks, search_contacts, search_tasks,
};
use crate::store::Looked;

/// The most pages of a location's tasks that are read in a sweep.
const TASK_PAGES: usize = 1_000;

impl Sweep<'_> {
    /// Contacts, by the date they were changed. A page goes on from the date the one before ended with, since a contact
    /// that is changed meanwhile moves to the end; only within one date it goes on from a contact.
    pub(super) async fn contacts(&mut self, before: Mark, progress: Progress<'_>) -> Result<(), Stop> {
        let stream = Stream::Contacts;
        let location = self.firm.location.clone();
        let definitions = self.asker.custom_fields(self.now).await?;
        let mut page = Page::new(stream.kind(), &before);
        let (mut since, mut after) = (self.since(&before), None);
        let mut seen: HashSet<(String, Timestamp)> = HashSet::new();
        loop {
            let request = search_contacts(&location, ContactDate::Updated, Some(since), after.as_ref());
            let answer = self.asker.read(System::HighLevel, &request).await?;
            let mut found =
                answer.map(|answer| read_found_contacts(&answer, &definitions)).unwrap_or_default();
            let fields = &self.firm.rules.fields;
            found.iter_mut().for_each(|found| fields.complete_contact(&mut found.contact));
            let is_last = found.len() < CONTACTS_PAGE;
            let newest = found.iter().filter_map(|contact| contact.updated_at).max().unwrap_or(since);
            let next = found.last().and_then(|contact| contact.after.clone());
            let changes: Vec<Changed> = found
                .into_iter()
                .filter_map(|found| {
                    let at = found.updated_at?;
                    let is_new = seen.insert((found.contact.record.id.clone(), at));
                    is_new.then_some(Changed { record: Record::Contact(found.contact), at })
                })
                .collect();
            self.judge(&mut page, changes).await?;
            let read_to = if is_last { self.now } else { newest };
            let mark = page.mark(read_to).named(stream);
            let mut found = std::mem::take(&mut page.found);
            if is_last {
                found.line(stream.kind(), self.now).looked = Looked { at: 1, of: 1 };
            }
            self.save(found.into_record(Some(mark))).await?;
            progress(&self.report);
            if is_last {
                return Ok(());
            }
            if newest > since {
                (since, after) = (newest, None);
                seen.retain(|(_, at)| *at >= since);
            } else if next.is_some() {
                after = next;
            } else {
                return Err(Stop::NotThere("the search does not say where its next page begins".into()));
            }
        }
    }

    /// Tasks, by the search over all of the location's, which knows no dates: an open task nobody told of whose contact
    /// is linked, and a completed one whose copy is open.
    pub(super) async fn highlevel_tasks(&mut self, before: Mark) -> Result<(), Stop> {
        let stream = Stream::HighLevelTasks;
        let location = self.firm.location.clone();
        let mut found = Found::default();
        self.count_heard(&mut found, stream.kind(), RecordKind::Task, &before);
        let mut looked = Looked { at: 0, of: 1 };
        let just_now = earlier(self.now, OVERLAP);
        for number in 0..TASK_PAGES {
            let request = search_tasks(&location, number);
            let Some(answer) = self.asker.read(System::HighLevel, &request).await? else { break };
            let (tasks, is_last) = read_searched_tasks(&answer);
            self.report.of(stream.kind()).read += tasks.len() as u64;
            let related: Vec<RecordRef> = tasks
                .iter()
                .flat_map(|task| std::iter::once(task.record.clone()).chain(task.owner.clone()))
                .collect();
            let links = self.bridge.store.links_of(&self.firm.id, &related).await?;
            let named = self.bridge.store.named(&self.firm.id, &related).await?;
            for task in &tasks {
                let own: Vec<_> = links.iter().filter(|link| link.highlevel == task.record).collect();
                let is_known = self.task_in_step(task, &own).await?;
                let is_due = match own.is_empty() {
                    // The tasks of a contact that is not in CASEpeer come with it.
                    true => {
                        !task.is_completed
                            && !named.contains(&task.record)
                            && task
                                .owner
                                .as_ref()
                                .is_some_and(|owner| links.iter().any(|link| link.highlevel == *owner))
                    }
                    // What was told of just now may not have been worked on yet.
                    false => self.heard.get(&task.record).is_none_or(|last| *last < just_now),
                };
                if !is_known && is_due {
                    let owner = task.owner.as_ref();
                    let announcement =
                        announce::task(&task.record, owner, None, task.is_completed, !own.is_empty());
                    self.gap(stream.kind(), &announcement, &mut found).await?;
                }
            }
            if is_last {
                looked.at = 1;
                break;
            }
        }
        if looked.at == 0 {
            self.report.end_early(format!("{}: not every page of the search was read", stream.kind()));
        }
        found.line(stream.kind(), self.now).looked = looked;
        let mark = Mark { counted_to: Some(self.now), read_from: Some(self.now), ..before };
        self.save(found.into_record(Some(mark.named(stream)))).await
    }

    /// Counts what webhooks told of records whose systems do not list them by date.
    pub(super) fn count_heard(
        &mut self,
        found: &mut Found,
        kind: &'static str,
        record: RecordKind,
        before: &Mark,
    ) {
        let from = before.counted_to.unwrap_or(self.first);
        let of_kind =
            |reference: &RecordRef| reference.kind == record && kind.starts_with(reference.system.as_str());
        for (_, at) in self.heard.iter().filter(|(reference, at)| of_kind(reference) && **at > from) {
            self.report.of(kind).received += 1;
            found.line(kind, *at).received += 1;
        }
    }
}
