//! Pairing what two lists show.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::super::prepare::{Listed, contacts_of, related};
use super::super::reconcile::{Announcement, contact, contact_in_step, has_news};
use super::super::session::Stop;
use super::super::settle::plan_record;
use super::lists::{ContactItem, MatterItem};
use super::{AT_ONCE, Backfill};
use crate::domain::{Command, Contact, Event, EventId, Fact, Link, Plan, Planned, RecordRef, System};
use crate::operations::highlevel::{list_notes, list_tasks, read_notes, read_tasks};
use crate::plan::matching::match_subject;
use crate::plan::plan;
use crate::store::{BY_BACKFILL, ListedPair};

/// What is to be done about a matter, as the lists show it.
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// It is this contact's for certain.
    Pair(Box<Found>),
    /// What is to be done shows when both sides are read afresh.
    Ask,
}

/// A matter whose contact was found.
pub(super) struct Found {
    /// What is to be done.
    pub(super) plan: Plan,
    /// The link, with what both sides agree on.
    link: Link,
    /// What of the plan is done by linking them.
    done: Plan,
    /// Whether there is more to do.
    has_rest: bool,
}

impl Backfill<'_> {
    /// Links what pairs with certainty, and announces what more is to be done about these matters.
    pub(super) async fn pair(&mut self, items: Vec<MatterItem>) -> Result<(), Stop> {
        let steps = self.steps(&items).await?;
        self.matters.extend(items.iter().map(|item| item.matter.record.clone()));
        if self.options.is_dry_run {
            return self.preview_matters(items, steps).await;
        }
        let (mut pairs, mut announced): (Vec<(Found, &MatterItem)>, Vec<Announcement>) = Default::default();
        for (item, step) in items.iter().zip(steps) {
            match step {
                Step::Nothing => self.report.in_step += 1,
                // A person's first matter is linked here, others as they are worked on.
                Step::Pair(found) if self.people.insert(found.link.highlevel.id.clone()) => {
                    pairs.push((*found, item));
                }
                Step::Pair(_) | Step::Ask => announced.push(item.announcement.clone()),
            }
        }
        let with_belongings = self.with_belongings(&pairs).await?;
        let mut listed = Vec::new();
        let mut linked = Vec::new();
        for (found, item) in pairs {
            let shown = self.contacts.get(&found.link.highlevel.id);
            match shown.and_then(announced_as) {
                Some(mut told) if !with_belongings.contains(&found.link.highlevel.id) => {
                    told.records.extend(item.announcement.records.iter().cloned());
                    let arrival = self.bridge.arrival_of(self.firm, &told, BY_BACKFILL);
                    listed.push(ListedPair { arrival, plan: plan_record(&found.done), link: found.link });
                    linked.push((found.has_rest, item));
                }
                // Its tasks and notes go with it.
                Some(told) => announced.push(told),
                None => announced.push(item.announcement.clone()),
            }
        }
        let are_linked = self.bridge.store.link_listed(listed, self.began).await?;
        for (is_linked, (has_rest, item)) in are_linked.into_iter().zip(linked) {
            self.report.linked += u64::from(is_linked);
            if has_rest || !is_linked {
                announced.push(item.announcement.clone());
            }
        }
        self.announce(announced.iter()).await
    }

    /// What is to be done about each of these matters. Nothing is read from either system but what changes seldom.
    async fn steps(&self, items: &[MatterItem]) -> Result<Vec<Step>, Stop> {
        let (store, firm, session) = (&self.bridge.store, &self.firm.id, self.asker.session());
        let records: Vec<RecordRef> = items.iter().flat_map(|item| related(&item.matter)).cloned().collect();
        let links = store.links_of(firm, &records).await?;
        let contacts =
            items.iter().flat_map(|item| contacts_of(&session, &item.matter, &self.contacts, &links));
        let contacts: Vec<RecordRef> = contacts.collect::<HashSet<_>>().into_iter().collect();
        let theirs = store.links_of(firm, &contacts).await?;
        let subjects: Vec<String> = items.iter().map(|item| match_subject(&item.matter.record)).collect();
        let decided = store.decisions(firm, &subjects).await?;
        let mut plans = Vec::with_capacity(items.len());
        for (item, subject) in items.iter().zip(&subjects) {
            // Who decided about it was shown it as it is: see there.
            if decided.iter().any(|decision| decision.subject == *subject) {
                plans.push(Err(Step::Ask));
                continue;
            }
            plans.push(match self.asker.listed(&item.matter, &self.contacts, (&links, &theirs)).await? {
                Listed::Seen(snapshot) => Ok(plan(&self.event(item.fact()), &snapshot, &self.firm.rules)),
                Listed::Nothing => Err(Step::Nothing),
                Listed::Unsure => Err(Step::Ask),
            });
        }
        let planned = plans.iter().flatten().flat_map(|plan| &plan.commands);
        let keys: Vec<_> = planned.filter_map(|planned| planned.command.effect_key()).collect();
        let carried_out = store.completed(firm, &keys).await?;
        let is_due =
            |planned: &Planned| planned.command.effect_key().is_some_and(|key| !carried_out.contains(&key));
        Ok(plans.into_iter().map(|plan| plan.map_or_else(|step| step, |plan| step(plan, &is_due))).collect())
    }

    /// An event that tells of a fact, as nobody has.
    pub(super) fn event(&self, fact: Fact) -> Event {
        Event {
            id: EventId(Uuid::nil()),
            firm: self.firm.id.clone(),
            source: fact.subject().system,
            received_at: self.bridge.clock.now(),
            fact,
        }
    }

    /// Which of these contacts have open tasks or notes that go to CASEpeer.
    async fn with_belongings(&self, pairs: &[(Found, &MatterItem)]) -> Result<HashSet<String>, Stop> {
        let ids = pairs.iter().map(|(found, _)| found.link.highlevel.id.clone());
        let asked = stream::iter(ids.map(|id| async move {
            let has_any = self.has_tasks(&id).await? || self.has_notes(&id).await?;
            Ok::<_, Stop>(has_any.then_some(id))
        }));
        let found: Vec<Option<String>> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn has_tasks(&self, contact: &str) -> Result<bool, Stop> {
        if let Some(known) = &self.with_tasks {
            return Ok(known.contains(contact));
        }
        let answer = self.asker.read(System::HighLevel, &list_tasks(contact)).await?;
        let tasks = answer.map(|answer| read_tasks(&answer, contact)).unwrap_or_default();
        Ok(tasks.iter().any(|task| !task.is_completed))
    }

    async fn has_notes(&self, contact: &str) -> Result<bool, Stop> {
        if !self.firm.rules.notes.to_casepeer {
            return Ok(false);
        }
        let answer = self.asker.read(System::HighLevel, &list_notes(contact)).await?;
        Ok(answer.is_some_and(|answer| !read_notes(&answer, contact).is_empty()))
    }

    /// Those of these contacts that are not in step with matters that were gone through.
    pub(super) async fn left_over(&mut self, items: Vec<ContactItem>) -> Result<Vec<ContactItem>, Stop> {
        let records: Vec<RecordRef> = items.iter().map(|item| item.contact.record.clone()).collect();
        let links = self.bridge.store.links_of(&self.firm.id, &records).await?;
        let mut left = Vec::new();
        for item in items {
            let own: Vec<&Link> = links.iter().filter(|link| link.highlevel == item.contact.record).collect();
            let is_live = !own.is_empty() && own.iter().all(|link| link.is_live());
            let fields = &item.contact.fields;
            if self.people.contains(&item.contact.record.id)
                || is_live && own.iter().all(|link| self.matters.contains(&link.casepeer))
            {
                continue;
            }
            if is_live && contact_in_step(&own, fields) && !has_news(&self.firm.rules, &own, fields) {
                self.report.in_step += 1;
                continue;
            }
            left.push(item);
        }
        Ok(left)
    }
}

/// What is to be done, given what both lists showed.
fn step(plan: Plan, is_due: &impl Fn(&Planned) -> bool) -> Step {
    let is_quiet = plan.questions.is_empty() && plan.unmet.is_none() && !plan.commands.iter().any(is_due);
    let Some(Command::Link(link)) = plan.commands.first().map(|planned| &planned.command) else {
        let remembers = plan.commands.iter().any(|planned| planned.command.effect_key().is_none());
        return if is_quiet && !remembers { Step::Nothing } else { Step::Ask };
    };
    let mut link = link.clone();
    // What is remembered after a write, is so because of it.
    let done = plan.commands.iter().take_while(|planned| is_quiet || planned.command.effect_key().is_none());
    let done: Vec<Planned> = done.cloned().collect();
    for planned in &done {
        match &planned.command {
            Command::Agree { highlevel, casepeer, base }
                if *highlevel == link.highlevel && *casepeer == link.casepeer =>
            {
                link.base.overlay(base);
            }
            _ => {}
        }
    }
    let has_rest = !is_quiet || done.len() < plan.commands.len();
    let done = Plan { commands: done, remarks: plan.remarks.clone(), ..Plan::default() };
    Step::Pair(Box::new(Found { plan, link, done, has_rest }))
}

/// What announces a contact.
fn announced_as(shown: &Contact) -> Option<Announcement> {
    Some(contact(&shown.record, shown.updated_at.or(shown.added_at)?, true))
}
