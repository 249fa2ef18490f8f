//! What changed in CASEpeer.

use jiff::Timestamp;

use super::super::session::Stop;
use super::judge::{Changed, Page, Record};
use super::stream::{Mark, Stream};
use super::{Progress, Sweep};
use crate::domain::{RecordKind, System};
use crate::operations::Response;
use crate::operations::casepeer::{
    CannotSend, Listed, list_changed, next_page, read_listed_matters, read_listed_tasks,
};
use crate::store::Looked;

/// The most pages of a list that are read in a sweep; the next one goes on there.
const PAGES: usize = 10_000;

impl Sweep<'_> {
    /// Leads, cases or tasks, by the date they were changed.
    pub(super) async fn casepeer_list(
        &mut self,
        stream: Stream,
        kind: RecordKind,
        before: Mark,
        progress: Progress<'_>,
    ) -> Result<(), Stop> {
        let mut page = Page::new(stream.kind(), &before);
        let (since, mut cursor) = (self.since(&before), None);
        for _ in 0..PAGES {
            let request = list_changed(self.firm.casepeer.profile(), kind, Some(since), cursor.as_deref());
            let request = match request {
                Ok(request) => request,
                Err(why @ (CannotSend::Disabled { .. } | CannotSend::NotSearchable { .. })) => {
                    self.report.remarks.push(format!("{}: not looked at: {why}", stream.kind()));
                    let mut found = std::mem::take(&mut page.found);
                    found.line(stream.kind(), self.now).looked = Looked { at: 0, of: 1 };
                    return self.save(found.into_record(None)).await;
                }
                Err(why) => return Err(why.into()),
            };
            let Some(answer) = self.asker.read(System::CasePeer, &request).await? else {
                return Err(Stop::NotThere("the account has no such list".into()));
            };
            let changes = self.changes(&answer, kind);
            let newest = changes.iter().map(|changed| changed.at).max();
            self.judge(&mut page, changes).await?;
            cursor = next_page(&answer);
            let read_to = if cursor.is_none() { self.now } else { newest.unwrap_or(since) };
            let mark = page.mark(read_to).named(stream);
            let mut found = std::mem::take(&mut page.found);
            if cursor.is_none() {
                found.line(stream.kind(), self.now).looked = Looked { at: 1, of: 1 };
            }
            self.save(found.into_record(Some(mark))).await?;
            progress(&self.report);
            if cursor.is_none() {
                return Ok(());
            }
        }
        Err(Stop::NotThere("the list has no end".into()))
    }

    fn changes(&self, answer: &Response, kind: RecordKind) -> Vec<Changed> {
        let at = |updated: Option<Timestamp>, created: Option<Timestamp>| updated.or(created);
        if kind == RecordKind::Task {
            let listed = read_listed_tasks(answer).into_iter();
            return listed
                .filter_map(|Listed { record, created_at, updated_at }| {
                    Some(Changed { record: Record::Task(record), at: at(updated_at, created_at)? })
                })
                .collect();
        }
        let listed = read_listed_matters(answer, kind, &self.firm.rules.name_filler).into_iter();
        let rules = &self.firm.rules;
        listed
            .filter_map(|Listed { mut record, created_at, updated_at }| {
                rules.fields.complete_matter(&mut record, rules.case_url.as_deref());
                let record = Record::Matter(Box::new(record));
                Some(Changed { record, at: at(updated_at, created_at)? })
            })
            .collect()
    }
}
