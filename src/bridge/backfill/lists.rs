//! The lists that a backfill reads.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;

use super::super::reconcile::{Announcement, contact, matter};
use super::super::session::Stop;
use super::{Backfill, MOST_HELD, Watch};
use crate::domain::{CallClass, Contact, Fact, Matter, RecordKind, System};
use crate::operations::casepeer::{CannotSend, list_changed, next_page, read_listed_matters};
use crate::operations::highlevel::{
    CONTACTS_PAGE, ContactDate, read_found_contacts, read_searched_tasks, search_contacts, search_tasks,
};

/// The most pages of a location's tasks that are read.
const TASK_PAGES: usize = 1_000;

/// A contact of a list, and what announces it.
pub(super) struct ContactItem {
    pub(super) announcement: Announcement,
    pub(super) contact: Contact,
}

impl ContactItem {
    pub(super) fn fact(&self) -> Fact {
        Fact::ContactUpdated { contact: self.contact.record.clone() }
    }
}

/// A lead or case of a list, and what announces it.
pub(super) struct MatterItem {
    pub(super) announcement: Announcement,
    pub(super) matter: Matter,
}

impl MatterItem {
    pub(super) fn fact(&self) -> Fact {
        let (record, status) = (self.matter.record.clone(), self.matter.status.clone());
        match record.kind {
            RecordKind::Case => Fact::CaseStatusChanged { case: record, status },
            _ => Fact::LeadUpdated { lead: record },
        }
    }
}

impl Backfill<'_> {
    /// Reads all contacts, and who has an open task, before any matter is looked at.
    pub(super) async fn hold_contacts(&mut self, watch: &mut dyn Watch) -> Result<(), Stop> {
        let mut after = None;
        loop {
            let (items, next) = self.list_contacts(after.as_ref()).await?;
            for item in items {
                if self.contacts.len() < MOST_HELD {
                    self.contacts.add(item.contact);
                }
            }
            watch.progress(&self.report);
            after = next;
            if after.is_none() {
                break;
            }
        }
        self.contacts.sort();
        if !self.options.is_dry_run {
            self.with_tasks = self.contacts_with_tasks().await?;
        }
        Ok(())
    }

    /// A page of contacts by the date they were added, which stays as it is while they are worked on.
    pub(super) async fn list_contacts(
        &mut self,
        after: Option<&Value>,
    ) -> Result<(Vec<ContactItem>, Option<Value>), Stop> {
        let definitions = self.asker.custom_fields(self.bridge.clock.now()).await?;
        let request = search_contacts(&self.firm.location, ContactDate::Added, self.options.since, after);
        let Some(answer) = self.asker.read(System::HighLevel, &request).await? else {
            return Ok((Vec::new(), None));
        };
        self.report.contacts = answer.body.get("total").and_then(Value::as_u64).or(self.report.contacts);
        let found = read_found_contacts(&answer, &definitions);
        let next = match found.last() {
            Some(last) if found.len() == CONTACTS_PAGE => last.after.clone(),
            _ => None,
        };
        let item = |found: crate::operations::highlevel::FoundContact| {
            let at = found.updated_at.or(found.contact.added_at)?;
            let mut shown = found.contact;
            self.firm.rules.fields.complete_contact(&mut shown);
            Some(ContactItem { announcement: contact(&shown.record, at, true), contact: shown })
        };
        Ok((found.into_iter().filter_map(item).collect(), next))
    }

    /// A page of leads or cases.
    pub(super) async fn list_matters(
        &mut self,
        kind: RecordKind,
        cursor: Option<&Value>,
    ) -> Result<(Vec<MatterItem>, Option<Value>), Stop> {
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
        let rules = &self.firm.rules;
        let item = |mut found: Matter, at: Timestamp| {
            rules.fields.complete_matter(&mut found, rules.case_url.as_deref());
            MatterItem { announcement: matter(&found, at, true), matter: found }
        };
        let items = read_listed_matters(&answer, kind, &rules.name_filler)
            .into_iter()
            .filter_map(|listed| Some(item(listed.record, listed.updated_at.or(listed.created_at)?)));
        Ok((items.collect(), next_page(&answer).map(Value::from)))
    }

    /// The contacts that have an open task, by the search over all of the location's; nothing if it is not to be had.
    async fn contacts_with_tasks(&self) -> Result<Option<HashSet<String>>, Stop> {
        let mut with_tasks = HashSet::new();
        for number in 0..TASK_PAGES {
            let request = search_tasks(&self.firm.location, number);
            let answer = match self.asker.read(System::HighLevel, &request).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Ok(None),
                Err(Stop::Vendor { failure, .. }) if failure.class == CallClass::Unpermitted => {
                    return Ok(None);
                }
                Err(stop) => return Err(stop),
            };
            let (tasks, is_last) = read_searched_tasks(&answer);
            let open = tasks.into_iter().filter(|task| !task.is_completed);
            with_tasks.extend(open.filter_map(|task| Some(task.owner?.id)));
            if is_last {
                return Ok(Some(with_tasks));
            }
        }
        Ok(None)
    }
}
