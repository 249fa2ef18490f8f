//! Effects that a carrier takes over, such as a Zap: it accepts them at once and only says later what came of them.
//!
//! What was handed over is never sent a second time by itself. A carrier that did not answer may have taken it all the
//! same, so that counts as handed over too; only what is known not to have arrived is tried again.

use jiff::{SignedDuration, Timestamp};

use super::super::session::{Session, Stop};
use super::{complete, held, result};
use crate::domain::{CallClass, Command, EffectKey, Fields, Question, RecordKind, ReviewAction, ReviewKind};
use crate::operations::{Carrier as Carried, Request};
use crate::store::{CallRecord, HandOver};
use crate::vendors::Exchange;

/// How a command is handed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carrier {
    /// What is asked of it.
    pub(super) operation: &'static str,
    /// How long its confirmation may take until a person is asked.
    pub(super) within: SignedDuration,
    /// Whether the plan has more to do once it is confirmed.
    pub(super) has_rest: bool,
}

/// What to do about an effect that was handed over before.
pub(super) enum Then {
    /// A person says that it came to nothing.
    SendAgain,
    /// A person says that it was carried out.
    Done,
}

impl Carrier {
    /// The carrier of this request, if it only hands over.
    pub(super) fn of(session: &Session<'_>, request: &Request, has_rest: bool) -> Option<Self> {
        let confirm = session.firm.casepeer.profile().confirmation(request.operation)?;
        let within = confirm.within.duration();
        (request.carrier == Carried::Hook).then_some(Self { operation: request.operation, within, has_rest })
    }

    /// Finds out what became of an effect that may have been handed over.
    pub(super) async fn look_back(
        self,
        session: &Session<'_>,
        command: &Command,
        key: &EffectKey,
    ) -> Result<Then, Stop> {
        let firm = &session.firm.id;
        let Some(known) = session.store.hand_off(firm, key).await? else {
            // It broke off before the carrier's answer was written down: it may have been taken.
            return Err(self.write_down(session, command, key, None).await?);
        };
        if !known.is_overdue {
            return Err(self.waits(key, known.handed_at));
        }
        let decisions = session.store.decisions(firm, std::slice::from_ref(&key.0)).await?;
        let decided = decisions
            .into_iter()
            .find(|decision| decision.kind == ReviewKind::OverdueHandOff && decision.at > known.handed_at);
        match decided.map(|decision| decision.resolution.action) {
            Some(ReviewAction::Done) => {
                complete(session, command, key, None, Fields::default(), None).await?;
                Ok(Then::Done)
            }
            Some(ReviewAction::Retry) => {
                held(session.store.withdraw(session.lease, key).await?)?;
                Ok(Then::SendAgain)
            }
            Some(_) => Err(Stop::LeftAlone),
            None => Err(Stop::Ask(Box::new(Question {
                kind: ReviewKind::OverdueHandOff,
                subject: key.0.clone(),
                why: format!(
                    "{} was handed over at {} and has not been confirmed: see whether the record is in CASEpeer, and answer \
                     `done` if it is, `retry` to hand it over once more, `ignore` to leave it",
                    self.operation, known.handed_at
                ),
                details: result::details(command),
            }))),
        }
    }

    /// Whether the carrier took it, or may have.
    pub(super) fn may_have_taken(exchange: &Exchange) -> bool {
        match &exchange.result {
            Ok(_) => true,
            Err(failure) => matches!(failure.class, CallClass::Ambiguous | CallClass::Timeout),
        }
    }

    /// Writes the hand-over down; what the turn ends with.
    pub(super) async fn write_down(
        self,
        session: &Session<'_>,
        command: &Command,
        key: &EffectKey,
        call: Option<CallRecord>,
    ) -> Result<Stop, Stop> {
        let base = result::base(command);
        let hand_over = HandOver {
            original: result::original(command),
            makes: makes(command),
            base,
            has_rest: self.has_rest,
            within: self.within,
        };
        held(session.store.hand_over(session.lease, key, hand_over, call).await?)?;
        Ok(self.waits(key, session.now()))
    }

    fn waits(self, key: &EffectKey, since: Timestamp) -> Stop {
        let until = since.saturating_add(self.within).unwrap_or(Timestamp::MAX);
        Stop::HandedOver { operation: self.operation, effect: key.clone(), until }
    }
}

fn makes(command: &Command) -> Option<RecordKind> {
    match command {
        Command::CreateLead(_) => Some(RecordKind::Lead),
        Command::CreateTask(_) => Some(RecordKind::Task),
        Command::CreateNote(_) => Some(RecordKind::Note),
        _ => None,
    }
}
