//! What a replay would do, before anybody asks for it.

use std::collections::BTreeSet;

use super::session::{Session, Stop};
use super::{Bridge, Firm, process};
use crate::domain::{EffectKey, Event, EventId, FirmId, Plan, Priority};
use crate::store::{EventStory, Lease, PlanRecord, StoreError};
use crate::webhook::Reading;

/// What a replay of an event would do now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Preview {
    /// Each command, in order.
    pub steps: Vec<Step>,
    /// Why nothing, or not everything, would be done.
    pub remarks: Vec<String>,
}

/// A command of a replay.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Step {
    /// What to do.
    pub command: String,
    /// Why.
    pub reason: String,
    /// What a replay would make of it.
    pub would: Would,
}

/// What a replay would make of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    /// Nothing: it was carried out.
    Done,
    /// Carry it out, as was planned the last time.
    WillDo,
    /// Carry it out, although it was not planned the last time: the records have changed since.
    ChangedSince,
}

impl Would {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::WillDo => "will do",
            Self::ChangedSince => "changed since: will do",
        }
    }
}

/// Why it cannot be said what a replay would do.
#[derive(Debug, thiserror::Error)]
pub enum NoPreview {
    /// There is no such event.
    #[error("there is no such event")]
    NoEvent,
    /// Its body is no longer kept, or cannot be read, or is no firm's.
    #[error("{0}")]
    NotReadable(String),
    /// A system could not be read.
    #[error("{0}")]
    NotNow(String),
}

impl From<StoreError> for NoPreview {
    fn from(error: StoreError) -> Self {
        Self::NotNow(error.to_string())
    }
}

impl Bridge {
    /// Reads both systems and says what a replay of this event would do, without doing it.
    pub async fn preview(&self, id: EventId) -> Result<Preview, NoPreview> {
        let Again { plan, before, firm } = self.plan_again(id).await?;
        let done = self.done(&firm, &plan).await?;
        Ok(preview(&plan, |key| done.contains(key), before.as_ref()))
    }

    /// Which of a plan's effects have been carried out.
    pub(super) async fn done(&self, firm: &FirmId, plan: &Plan) -> Result<BTreeSet<EffectKey>, StoreError> {
        let keys: Vec<EffectKey> =
            plan.commands.iter().filter_map(|planned| planned.command.effect_key()).collect();
        self.store.completed(firm, &keys).await
    }

    /// Reads both systems and plans a stored event anew.
    pub(super) async fn plan_again(&self, id: EventId) -> Result<Again, NoPreview> {
        let story = self.store.event(id).await?.ok_or(NoPreview::NoEvent)?;
        let firm = self.firms.find(&story.row.firm);
        let firm = firm.ok_or_else(|| NoPreview::NotReadable("no configured firm has this event".into()))?;
        self.plan_again_by(&firm, story).await
    }

    /// The same by the rules of this firm, which need not be those in force.
    pub(super) async fn plan_again_by(&self, firm: &Firm, story: EventStory) -> Result<Again, NoPreview> {
        let id = story.row.id;
        let payload = self.store.payload(id).await?;
        let payload = payload.ok_or_else(|| NoPreview::NotReadable("its body is no longer kept".into()))?;
        let (source, kind) = (story.row.source, story.row.kind.as_str());
        let fact = match process::read(firm, source, kind, &payload) {
            Err(why) => return Err(NoPreview::NotReadable(format!("cannot be read: {why}"))),
            Ok(Reading::NoRule) => return Ok(nothing(firm, "no rule for this type")),
            Ok(Reading::Confirmed(_)) => return Ok(nothing(firm, "it confirms a hand-over")),
            Ok(Reading::Fact(fact)) => fact,
        };
        // No claim has this number: whatever would write finds that it holds no lease.
        let lease = Lease { event: id, firm: firm.id.clone(), claim: -1 };
        let told = process::told(firm, source, kind, &payload);
        let session = Session::new(self, firm, &lease, Priority::of(&fact), told);
        let received_at = story.row.received_at;
        let event = Event { id, firm: firm.id.clone(), source: story.row.source, received_at, fact };
        let plan = self.plan_for(&session, &event).await.map_err(|stop| NoPreview::NotNow(explain(&stop)))?;
        Ok(Again { plan, before: story.plan, firm: firm.id.clone() })
    }
}

/// A stored event's plan as it would be now.
pub(super) struct Again {
    pub(super) plan: Plan,
    /// The plan that was made of it last.
    before: Option<PlanRecord>,
    /// Whose.
    pub(super) firm: FirmId,
}

fn nothing(firm: &Firm, why: &str) -> Again {
    Again { plan: Plan::nothing(why), before: None, firm: firm.id.clone() }
}

fn explain(stop: &Stop) -> String {
    match stop {
        Stop::LeaseLost => "its person has to be found first: replay it".into(),
        other => other.to_string(),
    }
}

fn preview(plan: &Plan, is_done: impl Fn(&EffectKey) -> bool, before: Option<&PlanRecord>) -> Preview {
    let was_planned = |key: &EffectKey| {
        before.is_none_or(|before| {
            before.commands.iter().any(|planned| planned.effect_key.as_deref() == Some(key.0.as_str()))
        })
    };
    let steps = plan.commands.iter().map(|planned| {
        let would = match planned.command.effect_key() {
            Some(key) if is_done(&key) => Would::Done,
            Some(key) if !was_planned(&key) => Would::ChangedSince,
            _ => Would::WillDo,
        };
        Step { command: planned.command.summary(), reason: planned.reason.clone(), would }
    });
    let remarks = plan.remarks.iter().chain(&plan.unmet).cloned();
    Preview { steps: steps.collect(), remarks: remarks.collect() }
}
