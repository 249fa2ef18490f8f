//! How an event's turn ends.

use jiff::{SignedDuration, Timestamp};

use super::session::Stop;
use crate::domain::{CallClass, MAX_ATTEMPTS, Outcome, Plan, retry_delay};
use crate::store::{PlanRecord, PlannedRecord};
use crate::vendors::Failure;

/// How long to wait for a quota when the vendor does not say: HighLevel's is counted in spans of 10 s
/// (its documentation, "Rate limits").
const QUOTA_SPAN: SignedDuration = SignedDuration::from_secs(10);
/// How long to wait before a credential that was refused is tried again. Somebody has to mend it, and nothing is lost.
const CREDENTIAL_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// How long to wait after somebody else changed the record in between: it is read afresh.
const CONFLICT_PAUSE: SignedDuration = SignedDuration::from_millis(500);

/// The outcome of a plan that was carried out.
pub(super) fn carried_out(plan: &Plan, sent: usize) -> Outcome {
    let why = || {
        let said = plan.remarks.iter().map(String::as_str);
        if !plan.remarks.is_empty() {
            return said.collect::<Vec<_>>().join("; ");
        }
        plan.commands.iter().map(|planned| planned.reason.as_str()).collect::<Vec<_>>().join("; ")
    };
    match &plan.unmet {
        Some(why) => Outcome::Undelivered { why: why.clone() },
        None if sent > 0 => Outcome::Done,
        None if plan.remarks.is_empty() && plan.changes_something() => {
            Outcome::NothingToDo { why: "it was carried out before".into() }
        }
        None => Outcome::NothingToDo { why: why() },
    }
}

/// The outcome of work that ended early; none if the event is no longer ours to settle. `jitter` is from 0 to 1.
pub(super) fn stopped(stop: &Stop, failed_attempts: u32, now: Timestamp, jitter: f64) -> Option<Outcome> {
    let why = stop.to_string();
    Some(match stop {
        Stop::Vendor { failure, .. } => after_failure(failure, why, failed_attempts, now, jitter),
        // The vendor did something, but what, its answer does not say.
        Stop::Answer(_) | Stop::NoCounterpart(_) => again(why, failed_attempts, now, jitter),
        // Nothing can be written now; the lease runs out and the event is claimed again.
        Stop::Store(_) | Stop::Moved | Stop::LeaseLost => return None,
    })
}

fn after_failure(
    failure: &Failure,
    why: String,
    failed_attempts: u32,
    now: Timestamp,
    jitter: f64,
) -> Outcome {
    let wait = |pause: SignedDuration, why, counts| {
        let pause = pause + QUOTA_SPAN.mul_f64(jitter) / 10;
        Outcome::RetryAt { at: now.saturating_add(pause).unwrap_or(Timestamp::MAX), why, counts }
    };
    match failure.class {
        CallClass::RateLimited => wait(failure.retry_after.unwrap_or(QUOTA_SPAN), why, false),
        CallClass::Unauthorised => wait(CREDENTIAL_PAUSE, why, false),
        CallClass::Conflict if failed_attempts + 1 < MAX_ATTEMPTS => wait(CONFLICT_PAUSE, why, true),
        CallClass::Conflict | CallClass::Rejected => Outcome::Undelivered { why },
        CallClass::Ok | CallClass::Unreachable | CallClass::Timeout | CallClass::Ambiguous => {
            match (again(why, failed_attempts, now, jitter), failure.retry_after) {
                (Outcome::RetryAt { at, why, counts }, Some(asked)) => {
                    let asked = now.saturating_add(asked).unwrap_or(Timestamp::MAX);
                    Outcome::RetryAt { at: at.max(asked), why, counts }
                }
                (outcome, _) => outcome,
            }
        }
    }
}

fn again(why: String, failed_attempts: u32, now: Timestamp, jitter: f64) -> Outcome {
    let attempt = failed_attempts + 1;
    if attempt >= MAX_ATTEMPTS {
        return Outcome::Undelivered { why: format!("{why}; given up after {attempt} attempts") };
    }
    let at = now.saturating_add(retry_delay(attempt, jitter)).unwrap_or(Timestamp::MAX);
    Outcome::RetryAt { at, why, counts: true }
}

/// A plan as it is kept.
pub(super) fn plan_record(plan: &Plan) -> PlanRecord {
    let commands = plan.commands.iter().map(|planned| PlannedRecord {
        command: planned.command.summary(),
        effect_key: planned.command.effect_key().map(|key| key.0),
        reason: planned.reason.clone(),
    });
    PlanRecord { commands: commands.collect(), remarks: plan.remarks.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: CallClass, retry_after: Option<i64>) -> Stop {
        let retry_after = retry_after.map(SignedDuration::from_secs);
        let failure = Failure { class, retry_after, detail: "answered".into(), answer: None };
        Stop::Vendor { operation: "lead.create", failure: Box::new(failure) }
    }

    /// (class, Retry-After, failed attempts before) → seconds to wait and whether it counts, or undelivered.
    #[test]
    fn every_row_of_the_table() {
        use CallClass::{Ambiguous, Conflict, RateLimited, Rejected, Timeout, Unauthorised, Unreachable};
        let now = Timestamp::UNIX_EPOCH;
        #[rustfmt::skip]
        let table = [
            (RateLimited,  None,      0, Some((10, false))),
            (RateLimited,  Some(30),  9, Some((30, false))),
            (Unauthorised, None,      9, Some((60, false))),
            (Unreachable,  None,      0, Some((2, true))),
            (Unreachable,  Some(100), 0, Some((100, true))),
            (Timeout,      None,      1, Some((7, true))),
            (Ambiguous,    None,      2, Some((22, true))),
            (Unreachable,  None,      9, None),
            (Conflict,     None,      0, Some((0, true))),
            (Conflict,     None,      9, None),
            (Rejected,     None,      0, None),
        ];
        for (class, retry_after, failed, expected) in table {
            let outcome = stopped(&failure(class, retry_after), failed, now, 0.0).unwrap();
            let found = match outcome {
                Outcome::RetryAt { at, counts, .. } => Some((at.as_second(), counts)),
                Outcome::Undelivered { .. } => None,
                other => panic!("{class:?} settles as {other:?}"),
            };
            assert_eq!(found, expected, "{class:?} {retry_after:?} {failed}");
        }
    }

    #[test]
    fn what_is_no_longer_ours_is_not_settled() {
        for stop in [Stop::LeaseLost, Stop::Moved] {
            assert_eq!(stopped(&stop, 0, Timestamp::UNIX_EPOCH, 0.0), None);
        }
    }
}
