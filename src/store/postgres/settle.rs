//! Ending turns, a batch at once: most by one function, what needs a closer look one by one.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::core::{ATTEMPTS, beginning, locks_of};
use super::rows::{Fault, text};
use super::writer::{Guard, Job};
use super::{calls, claims, hand_offs, lanes, listing, parking, review};
use crate::crypto::Keyring;
use crate::domain::{Cause, EventState, Outcome};
use crate::store::review::reason;
use crate::store::{Lease, Settled, Settlement, StoreError};

/// A turn that ended, on its way to the database.
pub(super) struct Turn {
    lease: Lease,
    settlement: Settlement,
    sealed_plan: Option<Vec<u8>>,
    keyring: Arc<Keyring>,
}

impl Turn {
    pub(super) fn new(keyring: &Arc<Keyring>, lease: &Lease, settlement: Settlement) -> Self {
        let seal = |plan| listing::seal_plan(keyring, lease.event, plan);
        Self {
            sealed_plan: settlement.plan.as_ref().map(seal),
            lease: lease.clone(),
            keyring: Arc::clone(keyring),
            settlement,
        }
    }

    /// What a turn ends with that lets its lane go on and says nothing of the firm's connection.
    fn end(&self) -> Option<End<'_>> {
        match &self.settlement.outcome {
            Outcome::Done => Some(End { state: EventState::Done, reason: None, cause: None }),
            Outcome::NothingToDo { why } => {
                Some(End { state: EventState::NothingToDo, reason: Some(why), cause: None })
            }
            Outcome::Undelivered { cause, why } => {
                Some(End { state: EventState::Undelivered, reason: Some(why), cause: Some(*cause) })
            }
            Outcome::HandedOff { .. }
            | Outcome::InReview { .. }
            | Outcome::Parked { .. }
            | Outcome::RetryIn { .. } => None,
        }
    }

    /// Up to where the waiting updates of the same record are settled with it.
    fn supersedes(&self, state: EventState) -> Option<i64> {
        self.settlement
            .supersedes
            .filter(|_| matches!(state, EventState::Done | EventState::NothingToDo | EventState::InReview))
    }
}

#[derive(Clone, Copy)]
struct End<'a> {
    state: EventState,
    reason: Option<&'a str>,
    cause: Option<Cause>,
}

/// A turn whose lease holds.
struct Held<'a> {
    turn: &'a Turn,
    end: End<'a>,
    seq: i64,
    person: Option<i64>,
}

impl Job for Turn {
    /// Each its own: some are ended together, the others one by one.
    type Answer = Result<Settled, StoreError>;

    /// The function that ends most of them takes the locks itself.
    const GUARD: Guard = Guard::Nothing;

    fn firm(&self) -> &str {
        self.lease.firm.as_str()
    }

    /// An end that is lost with the database's machine is lost together with all that came after it: the turn is taken
    /// again, and finds what it did done.
    fn must_last(&self) -> bool {
        false
    }

    async fn run(
        connection: &mut PgConnection,
        turns: &[Self],
        now: Timestamp,
        _message: usize,
    ) -> Result<Vec<Self::Answer>, Fault> {
        let mut settled: Vec<Self::Answer> = turns.iter().map(|_| Ok(Settled::LeaseLost)).collect();
        let ended = end_together(connection, turns, now).await?;
        for ((turn, is_ended), settled) in turns.iter().zip(ended).zip(&mut settled) {
            match is_ended {
                Some(true) => *settled = Ok(Settled::Yes),
                Some(false) => *settled = settle_alone(connection, turn, now).await.map_err(StoreError::from),
                None => {}
            }
        }
        Ok(settled)
    }
}

/// Ends those turns that need no closer look. Tells of each whether it was ended; nothing if its lease does not hold.
async fn end_together(
    connection: &mut PgConnection,
    turns: &[Turn],
    now: Timestamp,
) -> Result<Vec<Option<bool>>, Fault> {
    let sql = "SELECT end_turns($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
        $15, $16, $17, $18)";
    let ends: Vec<Option<End<'_>>> = turns.iter().map(Turn::end).collect();
    let calls = (1_i64..).zip(turns).filter(|(_, turn)| turn.end().is_some());
    let calls: Vec<_> =
        calls.flat_map(|(place, turn)| turn.settlement.reads.iter().map(move |call| (place, call))).collect();
    let plans = turns.iter().map(|turn| turn.sealed_plan.as_deref());
    let supersedes = |(turn, end): (&Turn, &Option<End<'_>>)| turn.supersedes(end.as_ref()?.state);
    let query = sqlx::query(sql)
        .bind(locks_of(turns.iter().map(Turn::firm)))
        .bind(now.as_millisecond())
        .bind(turns.iter().map(|turn| turn.lease.event.0).collect::<Vec<_>>())
        .bind(turns.iter().map(|turn| turn.lease.claim).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.map(|end| end.state.as_str())).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.and_then(|end| end.reason).map(text)).collect::<Vec<_>>())
        .bind(
            ends.iter()
                .map(|end| end.and_then(|end| end.cause).map(|cause| cause.as_str()))
                .collect::<Vec<_>>(),
        )
        .bind(plans.collect::<Vec<_>>())
        .bind(turns.iter().zip(&ends).map(supersedes).collect::<Vec<_>>());
    let row = calls::bind_calls(query, &calls).fetch_one(&mut *connection).await?;
    Ok(row.try_get(0)?)
}

/// Ends a turn that needs a closer look, in a transaction of its own.
async fn settle_alone(connection: &mut PgConnection, turn: &Turn, now: Timestamp) -> Result<Settled, Fault> {
    let mut attempt = 1;
    loop {
        let mut transaction = connection.begin_with(beginning(&[turn.firm()])).await?;
        match settle(&mut transaction, turn, now).await {
            Ok(settled) => {
                transaction.commit().await?;
                return Ok(settled);
            }
            Err(fault) => {
                transaction.rollback().await?;
                if !fault.is_repeatable() || attempt == ATTEMPTS {
                    return Err(fault);
                }
                attempt += 1;
            }
        }
    }
}

/// Ends a turn that lets its lane go on; as the function `end_turns` does.
async fn end(connection: &mut PgConnection, held: Held<'_>, now: Timestamp) -> Result<(), Fault> {
    let Held { turn, end, seq, person } = held;
    let sql = "DELETE FROM reservation USING effect WHERE effect.event = $1 AND effect.completed_at IS NULL
        AND reservation.firm = effect.firm AND reservation.effect = effect.key";
    sqlx::query(sql).bind(turn.lease.event.0).execute(&mut *connection).await?;
    if let Some(horizon) = turn.supersedes(end.state) {
        let sql = "UPDATE event SET state = 'superseded', settled_at = $1,
                reason = 'settled together with ' || newer.id || ', which read the record afterwards'
            FROM (SELECT id, person, subject FROM event WHERE seq = $2 LIMIT 1) newer
            CROSS JOIN LATERAL (SELECT seq FROM event WHERE person = newer.person AND subject = newer.subject
                AND state = 'waiting' AND is_update AND coalesce(turn, seq) <= $3 OFFSET 0) older
            WHERE event.seq = older.seq";
        let superseding = sqlx::query(sql).bind(now.as_millisecond()).bind(seq).bind(horizon);
        superseding.execute(&mut *connection).await?;
    }
    let calls: Vec<_> = turn.settlement.reads.iter().map(|call| (seq, call)).collect();
    calls::add_calls(connection, &calls).await?;
    let sql = "UPDATE event SET state = $1, reason = $2, cause = $3, due_at = $4, settled_at = $4,
            failed_attempts = failed_attempts + ($3 IS NOT NULL)::int, sealed_plan = coalesce($5, sealed_plan),
            lease_owner = NULL, lease_until = NULL WHERE seq = $6";
    sqlx::query(sql)
        .bind(end.state.as_str())
        .bind(end.reason.map(text))
        .bind(end.cause.map(|cause| cause.as_str()))
        .bind(now.as_millisecond())
        .bind(turn.sealed_plan.as_deref())
        .bind(seq)
        .execute(&mut *connection)
        .await?;
    lanes::promote(connection, &person.into_iter().collect()).await?;
    if matches!(end.state, EventState::Done | EventState::NothingToDo) {
        review::close_moot(connection, seq, now).await?;
    }
    Ok(())
}

/// Ends a turn that may park its firm, be the one that was let go ahead, or keep its lane.
async fn settle(connection: &mut PgConnection, turn: &Turn, now: Timestamp) -> Result<Settled, Fault> {
    let lease = &turn.lease;
    let Some((seq, person)) = claims::held(connection, lease).await? else { return Ok(Settled::LeaseLost) };
    let outcome = parking::outcome_of(connection, lease, &turn.settlement.outcome, now).await?;
    let outcome = hand_offs::outcome_of(connection, lease, outcome).await?;
    let (state, why, due_at, failed) = match &outcome {
        Outcome::Parked { why, .. } => (EventState::Parked, why, now, 0),
        Outcome::RetryIn { pause, why, counts } => {
            let at = now.saturating_add(*pause).unwrap_or(Timestamp::MAX);
            (EventState::Retrying, why, at, i64::from(*counts))
        }
        Outcome::HandedOff { why, .. } => {
            let end = End { state: EventState::HandedOff, reason: Some(why), cause: None };
            self::end(connection, Held { turn, end, seq, person }, now).await?;
            return Ok(Settled::Yes);
        }
        Outcome::Done | Outcome::NothingToDo { .. } | Outcome::Undelivered { .. } => {
            let end = turn.end().expect("it lets its lane go on");
            self::end(connection, Held { turn, end, seq, person }, now).await?;
            return Ok(Settled::Yes);
        }
        Outcome::InReview { questions } => {
            let reason = reason(questions);
            let end = End { state: EventState::InReview, reason: Some(&reason), cause: None };
            self::end(connection, Held { turn, end, seq, person }, now).await?;
            for question in questions {
                let id = review::ask(connection, &turn.keyring, lease.firm.as_str(), question, now).await?;
                review::hold(connection, id, seq).await?;
            }
            return Ok(Settled::Yes);
        }
    };
    let calls: Vec<_> = turn.settlement.reads.iter().map(|call| (seq, call)).collect();
    calls::add_calls(connection, &calls).await?;
    let sql = "UPDATE event SET state = $1, reason = $2, cause = NULL, due_at = $3, settled_at = NULL,
            failed_attempts = failed_attempts + $4, sealed_plan = coalesce($5, sealed_plan),
            lease_owner = NULL, lease_until = NULL WHERE seq = $6";
    sqlx::query(sql)
        .bind(state.as_str())
        .bind(text(why))
        .bind(due_at.as_millisecond())
        .bind(failed)
        .bind(turn.sealed_plan.as_deref())
        .bind(seq)
        .execute(&mut *connection)
        .await?;
    lanes::keep_one_head(connection, person).await?;
    Ok(Settled::Yes)
}
