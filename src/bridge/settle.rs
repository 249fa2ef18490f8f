//! How an event's turn ends.

use jiff::{SignedDuration, Timestamp};

use super::act::Acted;
use super::session::Stop;
use crate::domain::{
    CallClass, Cause, FieldName, MAX_ATTEMPTS, Outcome, ParkCause, Plan, System, retry_delay,
};
use crate::store::{PlanRecord, PlannedRecord};
use crate::vendors::Failure;

/// How long to wait for a quota when the vendor does not say: HighLevel's is counted in spans of 10 s
/// (its documentation, "Rate limits").
const QUOTA_SPAN: SignedDuration = SignedDuration::from_secs(10);
/// How long to wait after somebody else changed the record in between: it is read afresh.
const CONFLICT_PAUSE: SignedDuration = SignedDuration::from_millis(500);

/// How long to leave a store alone that failed in the middle of a turn.
const STORE_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// How many times a record that was announced is looked for again.
const LOOKS_FOR_MISSING: u32 = 3;
/// How long to leave a rival that creates the same person.
const RIVAL_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The outcome of a plan that was carried out.
pub(super) fn carried_out(plan: &Plan, acted: &Acted) -> Outcome {
    let why = || {
        let said = plan.remarks.iter().map(String::as_str);
        if !plan.remarks.is_empty() {
            return said.collect::<Vec<_>>().join("; ");
        }
        plan.commands.iter().map(|planned| planned.reason.as_str()).collect::<Vec<_>>().join("; ")
    };
    if !plan.questions.is_empty() {
        return Outcome::InReview { questions: plan.questions.clone() };
    }
    if !acted.dropped.is_empty() {
        let titles: Vec<&str> = acted.dropped.iter().map(FieldName::title).collect();
        let why = format!(
            "HighLevel took the write and did not keep {}: another contact may have it, or it is not valid there",
            titles.join(", ")
        );
        return Outcome::Undelivered { cause: Cause::Rejected, why };
    }
    match &plan.unmet {
        Some(why) => Outcome::Undelivered { cause: Cause::Setup, why: why.clone() },
        None if acted.sent > 0 => Outcome::Done,
        None if plan.remarks.is_empty() && plan.changes_something() => {
            Outcome::NothingToDo { why: "it was carried out before".into() }
        }
        None => Outcome::NothingToDo { why: why() },
    }
}

/// What the outcome of work that ended early depends on besides why it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// How many attempts failed before.
    pub(super) failed_attempts: u32,
    /// The present moment.
    pub(super) now: Timestamp,
    /// From 0 to 1.
    pub(super) jitter: f64,
    /// Whether the vendor that failed is taken to be down.
    pub(super) is_down: bool,
}

/// The outcome of work that ended early; none if the event is no longer ours to settle.
///
/// | why | outcome |
/// |---|---|
/// | credential refused | the firm is parked |
/// | not granted with the credential | undelivered, until a person grants it |
/// | vendor down (calls failed in a row) | the firm is parked |
/// | rate limited | again when the vendor says, else in 10 s; uses no attempt |
/// | no call allowed now | again when one is, and up to as long after; uses no attempt |
/// | unreachable, timed out, ambiguous | again after the backoff, or later if the vendor says; uses an attempt |
/// | changed meanwhile | again in half a second; uses an attempt |
/// | announced but not there | again three times after the backoff, then undelivered |
/// | HighLevel knows the person under another name | read afresh once, then in review |
/// | a create may have happened, and several records could be its result | in review |
/// | the store failed | again in 5 s; uses no attempt |
/// | a rival creates the same person | again in a second; uses no attempt |
/// | a create that may have happened | again when absence counts; uses no attempt |
/// | handed over to a carrier | handed off until it confirms |
/// | handed over and not confirmed in time | a person is asked |
/// | a create that may have happened and cannot be looked for | a person is asked |
/// | the profile lacks a value or a word for it | undelivered |
/// | rejected | undelivered |
/// | ten attempts used | undelivered |
pub(super) fn stopped(stop: &Stop, at: Circumstances) -> Option<Outcome> {
    let why = stop.to_string();
    Some(match stop {
        Stop::Vendor { system, failure, .. } => after_failure(*system, failure, why, at),
        // Not all at the same moment: they would only take the next calls from each other.
        Stop::Quota { wait, .. } => at.wait(*wait + wait.mul_f64(at.jitter), why, false),
        // The vendor did something, but what, its answer does not say.
        Stop::Answer(_) | Stop::NoCounterpart(_) => again(why, at.failed_attempts, at.jitter),
        Stop::Rival => at.wait(RIVAL_PAUSE, why, false),
        // What was announced a moment ago may show late; what stays away needs a person.
        Stop::NotThere(_) if at.failed_attempts < LOOKS_FOR_MISSING => {
            again(why, at.failed_attempts, at.jitter)
        }
        Stop::NotThere(_) => Outcome::Undelivered { cause: Cause::Missing, why },
        // Read afresh once: the other record may be the same person after all, made a moment ago.
        Stop::Duplicate(_) if at.failed_attempts == 0 => at.wait(RIVAL_PAUSE, why, true),
        Stop::Duplicate(question) | Stop::Ambiguous(question) | Stop::Ask(question) => {
            Outcome::InReview { questions: vec![(**question).clone()] }
        }
        Stop::LeftAlone => Outcome::NothingToDo { why },
        Stop::Unsure { until } => at.wait(until.duration_since(at.now).max(RIVAL_PAUSE), why, false),
        Stop::HandedOver { effect, until, .. } => {
            Outcome::HandedOff { effect: effect.clone(), until: *until, why }
        }
        Stop::CannotSend(_) => Outcome::Undelivered { cause: Cause::Setup, why },
        Stop::Store(_) => at.wait(STORE_PAUSE, why, false),
        Stop::Moved | Stop::LeaseLost => return None,
    })
}

impl Circumstances {
    /// Again after a pause, which jitter makes up to a second longer.
    fn wait(self, pause: SignedDuration, why: String, counts: bool) -> Outcome {
        let pause = pause + SignedDuration::from_secs(1).mul_f64(self.jitter);
        Outcome::RetryIn { pause, why, counts }
    }
}

/// Again when the vendor may allow it; uses no attempt.
pub(super) fn wait_for_quota(why: String, jitter: f64) -> Outcome {
    let pause = QUOTA_SPAN + SignedDuration::from_secs(1).mul_f64(jitter);
    Outcome::RetryIn { pause, why, counts: false }
}

fn after_failure(system: System, failure: &Failure, why: String, at: Circumstances) -> Outcome {
    match failure.class {
        CallClass::RateLimited => at.wait(failure.retry_after.unwrap_or(QUOTA_SPAN), why, false),
        CallClass::Unauthorised => Outcome::Parked { cause: ParkCause::Credentials, system, why },
        CallClass::Unpermitted => Outcome::Undelivered { cause: Cause::Setup, why },
        CallClass::Conflict if at.failed_attempts + 1 < MAX_ATTEMPTS => at.wait(CONFLICT_PAUSE, why, true),
        CallClass::Conflict => Outcome::Undelivered { cause: Cause::Conflict, why },
        CallClass::Rejected => Outcome::Undelivered { cause: Cause::Rejected, why },
        _ if at.is_down => Outcome::Parked { cause: ParkCause::Outage, system, why },
        CallClass::Ok | CallClass::Unreachable | CallClass::Timeout | CallClass::Ambiguous => {
            match (again(why, at.failed_attempts, at.jitter), failure.retry_after) {
                (Outcome::RetryIn { pause, why, counts }, Some(asked)) => {
                    Outcome::RetryIn { pause: pause.max(asked), why, counts }
                }
                (outcome, _) => outcome,
            }
        }
    }
}

/// Again after the backoff, until the attempts are used up.
pub(super) fn again(why: String, failed_attempts: u32, jitter: f64) -> Outcome {
    let attempt = failed_attempts + 1;
    if attempt >= MAX_ATTEMPTS {
        let why = format!("{why}; given up after {attempt} attempts");
        return Outcome::Undelivered { cause: Cause::Exhausted, why };
    }
    Outcome::RetryIn { pause: retry_delay(attempt, jitter), why, counts: true }
}

/// A plan as it is kept.
pub(super) fn plan_record(plan: &Plan) -> PlanRecord {
    let commands = plan.commands.iter().map(|planned| PlannedRecord {
        command: planned.command.summary(),
        effect_key: planned.command.effect_key().map(|key| key.0),
        reason: planned.reason.clone(),
    });
    let asked = plan.questions.iter().map(|question| &question.why);
    let remarks = plan.remarks.iter().chain(asked).cloned();
    PlanRecord { commands: commands.collect(), remarks: remarks.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: CallClass, retry_after: Option<i64>) -> Stop {
        let retry_after = retry_after.map(SignedDuration::from_secs);
        let failure = Failure { class, retry_after, detail: "answered".into(), answer: None };
        Stop::Vendor { system: System::CasePeer, operation: "lead.create", failure: Box::new(failure) }
    }

    fn at(failed_attempts: u32, is_down: bool) -> Circumstances {
        Circumstances { failed_attempts, now: Timestamp::UNIX_EPOCH, jitter: 0.0, is_down }
    }

    #[derive(Debug, PartialEq)]
    enum Then {
        Again(i64, bool),
        Parked(ParkCause),
        Undelivered(Cause),
    }

    fn then(stop: &Stop, at: Circumstances) -> Then {
        match stopped(stop, at).unwrap() {
            Outcome::RetryIn { pause, counts, .. } => Then::Again(pause.as_secs(), counts),
            Outcome::Parked { cause, .. } => Then::Parked(cause),
            Outcome::Undelivered { cause, .. } => Then::Undelivered(cause),
            other => panic!("{stop:?} settles as {other:?}"),
        }
    }

    #[test]
    fn every_row_of_the_table() {
        use CallClass::{
            Ambiguous, Conflict, RateLimited, Rejected, Timeout, Unauthorised, Unpermitted, Unreachable,
        };
        #[rustfmt::skip]
        let table = [
            (RateLimited,  None,      0, false, Then::Again(10, false)),
            (RateLimited,  Some(30),  9, true,  Then::Again(30, false)),
            (Unauthorised, None,      9, false, Then::Parked(ParkCause::Credentials)),
            (Unpermitted,  None,      0, true,  Then::Undelivered(Cause::Setup)),
            (Unreachable,  None,      0, false, Then::Again(2, true)),
            (Unreachable,  Some(100), 0, false, Then::Again(100, true)),
            (Unreachable,  None,      0, true,  Then::Parked(ParkCause::Outage)),
            (Timeout,      None,      1, false, Then::Again(7, true)),
            (Ambiguous,    None,      2, false, Then::Again(22, true)),
            (Unreachable,  None,      9, false, Then::Undelivered(Cause::Exhausted)),
            (Conflict,     None,      0, false, Then::Again(0, true)),
            (Conflict,     None,      9, false, Then::Undelivered(Cause::Conflict)),
            (Rejected,     None,      0, true,  Then::Undelivered(Cause::Rejected)),
        ];
        for (class, retry_after, failed, is_down, expected) in table {
            let found = then(&failure(class, retry_after), at(failed, is_down));
            assert_eq!(found, expected, "{class:?} {retry_after:?} {failed} {is_down}");
        }
    }

    #[test]
    fn waiting_for_a_rival_or_for_certainty_uses_no_attempt() {
        assert_eq!(then(&Stop::Rival, at(9, false)), Then::Again(1, false));
        let until = Timestamp::from_second(90).unwrap();
        let quota = Stop::Quota { system: System::HighLevel, wait: SignedDuration::from_secs(7) };
        assert_eq!(then(&quota, at(9, false)), Then::Again(7, false));
        assert_eq!(then(&Stop::Unsure { until }, at(9, false)), Then::Again(90, false));
    }

    #[test]
    fn what_is_no_longer_ours_is_not_settled() {
        for stop in [Stop::LeaseLost, Stop::Moved] {
            assert_eq!(stopped(&stop, at(0, false)), None);
        }
    }
}
