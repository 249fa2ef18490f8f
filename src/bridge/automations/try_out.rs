//! Trying a rule on stored events: the calls it would make, or why it would make none. Nothing is sent or written.

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::super::{Bridge, Firm};
use super::happened::{self, Happened};
use crate::domain::{EffectKey, EventId, FirmId, System};
use crate::operations::catalog::{self, Entry};
use crate::rules::automation::{Occasion, OncePer, Rule};
use crate::store::{EventFilter, EventRow, StoreError};

/// How many events are read at once.
const PAGE: usize = 500;
/// How many are tried at once: each is a read or two of the store.
const AT_ONCE: usize = 16;

/// What a rule would make of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// The event; none of a sample.
    pub event: Option<EventId>,
    /// Whose it is.
    pub firm: FirmId,
    /// When it was received, RFC 3339.
    pub received_at: Option<Timestamp>,
    /// Why the rule would do nothing; none if it would.
    pub skipped: Option<String>,
    /// The calls it would make, in order.
    pub steps: Vec<TriedStep>,
}

/// A call that a rule would make.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TriedStep {
    /// The action.
    pub action: String,
    /// Method and path.
    pub target: Option<String>,
    /// The query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Option<Value>,
    /// Why it would be refused before it is sent; none if it would be sent.
    pub refused: Option<String>,
    /// Whether it was done for this event already.
    pub is_done: bool,
}

impl Bridge {
    /// Tries a rule on the events of its trigger that were received since then, the newest first; how many events were
    /// looked at.
    pub async fn try_rule(
        &self,
        rule: &Rule,
        within: Option<Vec<FirmId>>,
        since: Timestamp,
        most: usize,
        mut each: impl FnMut(Tried),
    ) -> Result<usize, StoreError> {
        let (mut before, mut seen) = (None, 0);
        loop {
            let filter = EventFilter {
                within: within.clone(),
                since: Some(since),
                before,
                limit: PAGE.min(most - seen),
                ..narrowed(rule.when)
            };
            if filter.limit == 0 {
                return Ok(seen);
            }
            let page = self.store.events(filter).await?;
            let Some(last) = page.last() else { return Ok(seen) };
            before = Some(last.id);
            let tried =
                stream::iter(page).map(|row| async move { self.try_row(rule, &row).await }).buffered(AT_ONCE);
            let tried: Vec<Option<Tried>> = tried.try_collect().await?;
            seen += tried.len();
            tried.into_iter().flatten().for_each(&mut each);
        }
    }

    /// Tries a rule on one event; nothing if there is none, or it is not one of its trigger.
    pub async fn try_rule_on(&self, rule: &Rule, id: EventId) -> Result<Option<Tried>, StoreError> {
        match self.store.event(id).await? {
            Some(story) => self.try_row(rule, &story.row).await,
            None => Ok(None),
        }
    }

    async fn try_row(&self, rule: &Rule, row: &EventRow) -> Result<Option<Tried>, StoreError> {
        let Some(firm) = self.firms.find(&row.firm) else { return Ok(None) };
        if happened::trigger(&firm, row.source, &row.kind) != Some(rule.when) {
            return Ok(None);
        }
        let skip = |why: &str| {
            let (event, received_at) = (Some(row.id), Some(row.received_at));
            let skipped = Some(why.to_owned());
            Ok(Some(Tried { event, firm: row.firm.clone(), received_at, skipped, steps: Vec::new() }))
        };
        if !rule.is_for(row.firm.as_str()) {
            return skip("it is not for this firm");
        }
        let (occasion, subject) = match self.occasion_of(&firm, row, rule.when).await? {
            Ok(seen) => seen,
            Err(why) => return skip(why),
        };
        let id = row.id.to_string();
        let run = if rule.once_per == OncePer::Record && !subject.is_empty() { &subject } else { &id };
        let mut tried = try_occasion(&firm, rule, &occasion);
        (tried.event, tried.received_at) = (Some(row.id), Some(row.received_at));
        let keys: Vec<EffectKey> =
            (0..tried.steps.len()).map(|step| EffectKey(rule.effect(run, step))).collect();
        if !keys.is_empty() {
            let done = self.store.completed(&firm.id, &keys).await?;
            for (step, key) in tried.steps.iter_mut().zip(&keys) {
                step.is_done = done.contains(key);
            }
        }
        Ok(Some(tried))
    }

    /// What rules of this trigger see of a stored event, and the record it is about; or why they cannot.
    pub(super) async fn occasion_of(
        &self,
        firm: &Firm,
        row: &EventRow,
        trigger: &'static Entry,
    ) -> Result<Result<(Occasion, String), &'static str>, StoreError> {
        let Some(payload) = self.store.payload(row.id).await? else {
            return Ok(Err("its body is no longer kept"));
        };
        let Some(happened) = Happened::read(firm, row.source, &row.kind, trigger, &payload) else {
            return Ok(Err("its body cannot be read"));
        };
        let (subject, id) = (happened.subject(), row.id.to_string());
        let (mut occasion, people) = happened.occasion(firm, (&id, &row.kind, row.received_at));
        happened::look_up(&mut occasion, &people, &self.store, firm).await?;
        Ok(Ok((occasion, subject)))
    }

    /// Tries a rule on its trigger's example, for a firm.
    pub fn try_rule_on_sample(&self, rule: &Rule, firm: &FirmId) -> Option<Tried> {
        let firm = self.firms.find(firm)?;
        let zone = firm.rules.time_zone.clone();
        let occasion = rule.when_sample(self.clock.now(), zone);
        Some(try_occasion(&firm, rule, &occasion))
    }
}

/// The events among which those of a trigger are: HighLevel calls them as the catalog does; a CASEpeer profile may not.
pub(super) fn narrowed(trigger: &Entry) -> EventFilter {
    let (source, kind) = match trigger.system {
        catalog::System::HighLevel => (Some(System::HighLevel), Some(trigger.result.clone())),
        catalog::System::CasePeer => (Some(System::CasePeer), None),
        catalog::System::Casebridge => (None, Some(trigger.result.clone())),
    };
    EventFilter { source, kind, ..EventFilter::default() }
}

fn try_occasion(firm: &Firm, rule: &Rule, occasion: &Occasion) -> Tried {
    let mut tried =
        Tried { event: None, firm: firm.id.clone(), received_at: None, skipped: None, steps: Vec::new() };
    if !rule.holds(occasion) {
        tried.skipped = Some("its conditions do not hold".into());
        return tried;
    }
    let steps = rule.steps.iter().map(|step| {
        let action = step.action.id.clone();
        let (filled, profile) = (step.fill(occasion), firm.casepeer.profile());
        match step.action.request_for(&filled, &firm.location, profile) {
            Err(wrong) => TriedStep {
                action,
                target: None,
                query: Vec::new(),
                body: None,
                refused: Some(wrong.to_string()),
                is_done: false,
            },
            Ok(request) => TriedStep {
                action,
                target: Some(format!("{} {}", request.method.as_str(), request.path)),
                query: request.query.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
                body: request.body,
                refused: None,
                is_done: false,
            },
        }
    });
    tried.steps = steps.collect();
    tried
}
