//! What a changed map or rule would have done: stored events are planned anew by both configurations, on the records as
//! they are now, and nothing is carried out.

use super::replay::{Again, NoPreview};
use super::{Bridge, Firm};
use crate::domain::{Command, EventId, Plan};
use crate::store::StoreError;

/// The calls that would be other ones.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The event.
    pub event: EventId,
    /// What is called now and would not be.
    pub no_longer: Vec<String>,
    /// What would be called and is not now.
    pub instead: Vec<String>,
}

impl Bridge {
    /// The difference in calls that another configuration would make for a stored event; none if there is none. What
    /// was carried out already counts for neither.
    pub async fn what_if(&self, other: &Self, id: EventId) -> Result<Option<Difference>, NoPreview> {
        let (now, then) = (self.plan_again(id).await?, other.plan_again(id).await?);
        Ok(self.difference(id, &now, &then).await?)
    }

    /// The same with other rules for the event's firm.
    pub(super) async fn what_if_by(
        &self,
        other: &Firm,
        id: EventId,
    ) -> Result<Option<Difference>, NoPreview> {
        let now = self.plan_again(id).await?;
        let story = self.store.event(id).await?.ok_or(NoPreview::NoEvent)?;
        let then = self.plan_again_by(other, story).await?;
        Ok(self.difference(id, &now, &then).await?)
    }

    async fn difference(
        &self,
        id: EventId,
        now: &Again,
        then: &Again,
    ) -> Result<Option<Difference>, StoreError> {
        let done = (self.done(&now.firm, &now.plan).await?, self.done(&then.firm, &then.plan).await?);
        let calls = |plan: &Plan, is_done: &dyn Fn(&Command) -> bool| -> Vec<Command> {
            let commands = plan.commands.iter().map(|planned| &planned.command);
            commands.filter(|command| command.effect_key().is_some() && !is_done(command)).cloned().collect()
        };
        let holds = |keys: &std::collections::BTreeSet<_>, command: &Command| {
            command.effect_key().is_some_and(|key| keys.contains(&key))
        };
        let now = calls(&now.plan, &|command| holds(&done.0, command));
        let then = calls(&then.plan, &|command| holds(&done.1, command));
        let without = |these: &[Command], those: &[Command]| -> Vec<String> {
            these.iter().filter(|command| !those.contains(command)).map(Command::summary).collect()
        };
        let (no_longer, instead) = (without(&now, &then), without(&then, &now));
        let differs = !no_longer.is_empty() || !instead.is_empty();
        Ok(differs.then_some(Difference { event: id, no_longer, instead }))
    }
}
