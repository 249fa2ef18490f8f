//! What a replay would do, before anybody asks for it.

use super::session::{Session, Stop};
use super::{Bridge, process};
use crate::domain::{EffectKey, Event, EventId, Plan, Priority};
use crate::store::{Lease, PlanRecord, StoreError};
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
        let story = self.store.event(id).await?.ok_or(NoPreview::NoEvent)?;
        let firm = self.firms.find(&story.row.firm);
        let firm = firm.ok_or_else(|| NoPreview::NotReadable("no configured firm has this event".into()))?;
        let payload = self.store.payload(id).await?;
        let payload = payload.ok_or_else(|| NoPreview::NotReadable("its body is no longer kept".into()))?;
        let firm = &*firm;
        let (source, kind) = (story.row.source, story.row.kind.as_str());
        let fact = match process::read(firm, source, kind, &payload) {
            Err(why) => return Err(NoPreview::NotReadable(format!("cannot be read: {why}"))),
            Ok(Reading::NoRule) => {
                return Ok(Preview { steps: Vec::new(), remarks: vec!["no rule for this type".into()] });
            }
            Ok(Reading::Confirmed(_)) => {
                return Ok(Preview { steps: Vec::new(), remarks: vec!["it confirms a hand-over".into()] });
            }
            Ok(Reading::Fact(fact)) => fact,
        };
        // No claim has this number: whatever would write finds that it holds no lease.
        let lease = Lease { event: id, firm: firm.id.clone(), claim: -1 };
        let told = process::told(firm, source, kind, &payload);
        let session = Session::new(self, firm, &lease, Priority::of(&fact), told);
        let received_at = story.row.received_at;
        let event = Event { id, firm: firm.id.clone(), source: story.row.source, received_at, fact };
        let plan = self.plan_for(&session, &event).await.map_err(|stop| NoPreview::NotNow(explain(&stop)))?;
        let keys: Vec<EffectKey> =
            plan.commands.iter().filter_map(|planned| planned.command.effect_key()).collect();
        let done = self.store.completed(&firm.id, &keys).await?;
        Ok(preview(&plan, |key| done.contains(key), story.plan.as_ref()))
    }
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
