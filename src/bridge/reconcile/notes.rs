//! Notes, which neither system lists by date and which move no date of their person: read of a few linked people in each
//! sweep, in turn.

use jiff::Timestamp;

use super::super::session::Stop;
use super::announce;
use super::stream::{Found, Mark, Stream};
use super::{OVERLAP, Sweep, before as earlier, day};
use crate::domain::{RecordKind, RecordRef, System};
use crate::operations::casepeer::{self, next_page, read_listed_notes};
use crate::operations::highlevel;
use crate::store::Looked;

const HIGHLEVEL: &str = "highlevel:note";
const CASEPEER: &str = "casepeer:note";
/// The most pages of a matter's notes that are read.
const PAGES: usize = 20;

impl Sweep<'_> {
    pub(super) async fn notes(&mut self, before: Mark) -> Result<(), Stop> {
        let rules = &self.firm.rules.notes;
        let lists = |operation| self.firm.casepeer.profile().allows(operation);
        let lists_notes = lists("note.list_on_lead") && lists("note.list_on_case");
        let reads_highlevel = rules.to_casepeer;
        let reads_casepeer = !rules.to_highlevel.is_empty() && lists_notes;
        let mut found = Found::default();
        self.count_heard(&mut found, HIGHLEVEL, RecordKind::Note, &before);
        self.count_heard(&mut found, CASEPEER, RecordKind::Note, &before);
        // What was there before the first sweep came with its person, or is a backfill's.
        let begun_at = before.begun_at.unwrap_or_else(|| earlier(self.first, OVERLAP));
        let since = self.options.since.map_or(begun_at, |since| since.min(begun_at));
        let (store, firm) = (&self.bridge.store, &self.firm.id);
        let most = self.bridge.reconcile.people_per_sweep;
        let mut people = store.linked_people(firm, before.after.as_ref(), most).await?;
        let is_round = people.len() < most;
        if let (false, Some(last)) = (is_round, people.last().map(|(contact, _)| contact.clone()))
            && people[0].0 != last
        {
            // Its other matters may not have fitted.
            people.retain(|(contact, _)| *contact != last);
        }
        if is_round && before.after.is_some() {
            // The last of this round, and the first of the next.
            let first = store.linked_people(firm, None, most - people.len()).await?;
            let again: Vec<_> = first.into_iter().filter(|pair| !people.contains(pair)).collect();
            people.extend(again);
        }
        let all = store.count_linked_people(firm).await?;
        let (mut last, mut looked) = (before.after.clone(), 0);
        for (contact, matter) in &people {
            if reads_highlevel && last.as_ref() != Some(contact) {
                self.notes_of_contact(contact, since, &mut found).await?;
            }
            if reads_casepeer {
                self.notes_of_matter(matter, since, &mut found).await?;
            }
            (last, looked) = (Some(contact.clone()), looked + 1);
        }
        let today = day(self.now);
        let before_today = if before.today.0 == today { before.today.1 } else { 0 };
        let today = (today, before_today + looked);
        for (kind, is_read) in [(HIGHLEVEL, reads_highlevel), (CASEPEER, reads_casepeer)] {
            let at = if is_read { today.1.min(all.max(1)) } else { 0 };
            // With nobody linked there is nothing to look at, and that was looked at.
            let at = if is_read && all == 0 { 1 } else { at };
            found.line(kind, self.now).looked = Looked { at, of: all.max(1) };
        }
        let mark =
            Mark { counted_to: Some(self.now), after: last, begun_at: Some(begun_at), today, ..before };
        self.save(found.into_record(Some(mark.named(Stream::Notes)))).await
    }

    async fn notes_of_contact(
        &mut self,
        contact: &RecordRef,
        since: Timestamp,
        found: &mut Found,
    ) -> Result<(), Stop> {
        let request = highlevel::list_notes(&contact.id);
        let Some(answer) = self.asker.read(System::HighLevel, &request).await? else { return Ok(()) };
        let notes = highlevel::read_notes(&answer, &contact.id);
        self.report.of(HIGHLEVEL).read += notes.len() as u64;
        let dated = notes.into_iter().filter_map(|note| Some((note.record, note.added_at?)));
        self.judge_notes(HIGHLEVEL, contact, dated.filter(|(_, at)| *at >= since).collect(), found).await
    }

    async fn notes_of_matter(
        &mut self,
        matter: &RecordRef,
        since: Timestamp,
        found: &mut Found,
    ) -> Result<(), Stop> {
        let mut cursor = None;
        for _ in 0..PAGES {
            let request = casepeer::list_notes(self.firm.casepeer.profile(), matter, cursor.as_deref())?;
            let Some(answer) = self.asker.read(System::CasePeer, &request).await? else { break };
            let notes = read_listed_notes(&answer, matter);
            self.report.of(CASEPEER).read += notes.len() as u64;
            let dated = notes
                .into_iter()
                .filter_map(|listed| Some((listed.record.record, listed.updated_at.or(listed.created_at)?)));
            let dated = dated.filter(|(_, at)| *at >= since).collect();
            self.judge_notes(CASEPEER, matter, dated, found).await?;
            cursor = next_page(&answer);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn judge_notes(
        &mut self,
        kind: &'static str,
        owner: &RecordRef,
        notes: Vec<(RecordRef, Timestamp)>,
        found: &mut Found,
    ) -> Result<(), Stop> {
        let records: Vec<RecordRef> = notes.iter().map(|(record, _)| record.clone()).collect();
        let (store, firm) = (&self.bridge.store, &self.firm.id);
        let named = store.named(firm, &records).await?;
        let links = store.links_of(firm, &records).await?;
        let is_linked = |note: &RecordRef| links.iter().any(|link| link.on(note.system) == note);
        for (note, at) in notes {
            if named.contains(&note) || is_linked(&note) {
                continue;
            }
            if self.bridge.store.is_ours(&self.firm.id, &note).await? {
                continue;
            }
            if self.now.duration_since(at) < self.grace(note.system) {
                self.report.of(kind).awaited += 1;
                continue;
            }
            self.gap(kind, &announce::note(&note, owner, at), found).await?;
        }
        Ok(())
    }
}
