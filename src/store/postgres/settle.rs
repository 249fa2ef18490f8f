//! Ending turns, a batch at once: what needs a closer look is settled one by one, the rest by three statements.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::rows::{Fault, text};
use super::writer::Job;
use super::{calls, claims, lanes, listing, parking, review};
use crate::crypto::Keyring;
use crate::domain::{Cause, EventState, Outcome};
use crate::store::review::reason;
use crate::store::{Lease, Settled, Settlement};

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
            Outcome::HandedOff { why, .. } => {
                Some(End { state: EventState::HandedOff, reason: Some(why), cause: None })
            }
            Outcome::InReview { .. } | Outcome::Parked { .. } | Outcome::RetryIn { .. } => None,
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
    /// Whether it waits, or waited, for a person's answer.
    was_asked: bool,
}

impl Job for Turn {
    type Answer = Settled;

    fn firm(&self) -> &str {
        self.lease.firm.as_str()
    }

    async fn run(
        connection: &mut PgConnection,
        turns: &[Self],
        now: Timestamp,
        _message: usize,
    ) -> Result<Vec<Settled>, Fault> {
        let mut settled = vec![Settled::LeaseLost; turns.len()];
        // A lease that holds does so until the firm's lock is let go: whoever could take it waits for that.
        let sql =
            "SELECT place, seq, person, EXISTS (SELECT 1 FROM parking WHERE firm = held.firm) AS is_parked,
                EXISTS (SELECT 1 FROM review_event WHERE review_event.event = held.seq) AS was_asked
            FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS given (id, claims, place)
            CROSS JOIN LATERAL (SELECT seq, person, firm FROM event
                WHERE id = given.id AND claims = given.claims AND state = 'running' LIMIT 1) held";
        let found = sqlx::query(sql)
            .bind(turns.iter().map(|turn| turn.lease.event.0).collect::<Vec<_>>())
            .bind(turns.iter().map(|turn| turn.lease.claim).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let mut held = Vec::with_capacity(found.len());
        for row in &found {
            let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).expect("it counts from 1");
            let turn = &turns[place];
            match turn.end().filter(|_| !row.try_get("is_parked").unwrap_or(true)) {
                Some(end) => {
                    let (seq, person) = (row.try_get("seq")?, row.try_get("person")?);
                    let was_asked = row.try_get("was_asked")?;
                    held.push(Held { turn, end, seq, person, was_asked });
                    settled[place] = Settled::Yes;
                }
                None => settled[place] = settle(connection, turn, now).await?,
            }
        }
        if !held.is_empty() {
            end(connection, &held, now).await?;
        }
        Ok(settled)
    }
}

/// Ends turns that let their lanes go on: the calls they made to read are written down, the waiting updates of the same
/// record whose change was read are settled too, what the turns reserved is let go, and the next of each lane is due.
async fn end(connection: &mut PgConnection, held: &[Held<'_>], now: Timestamp) -> Result<(), Fault> {
    let sql = "WITH released AS (DELETE FROM reservation USING effect
            WHERE effect.event = ANY($1) AND effect.completed_at IS NULL
                AND reservation.firm = effect.firm AND reservation.effect = effect.key),
        superseded AS (UPDATE event SET state = 'superseded', settled_at = $2,
                reason = 'settled together with ' || newer.id || ', which read the record afterwards'
            FROM unnest($3::bigint[], $8::bigint[]) AS given (seq, horizon) JOIN event newer USING (seq)
            WHERE event.person = newer.person AND event.subject = newer.subject AND event.state = 'waiting'
                AND event.is_update AND coalesce(event.turn, event.seq) <= given.horizon),
        called AS (INSERT INTO call (event, operation, target, effect_key, status, class, started_at, duration_ms,
                detail)
            SELECT event, operation, target, effect_key, status, class, started_at, duration_ms, detail
            FROM unnest($9::bigint[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[],
                $15::bigint[], $16::bigint[], $17::text[]) WITH ORDINALITY AS given
                (event, operation, target, effect_key, status, class, started_at, duration_ms, detail, place)
            ORDER BY place)
        UPDATE event SET state = given.state, reason = given.reason, cause = given.cause, due_at = $2,
            settled_at = $2, failed_attempts = failed_attempts + (given.cause IS NOT NULL)::int,
            sealed_plan = coalesce(given.plan, sealed_plan), lease_owner = NULL, lease_until = NULL
        FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[])
            AS given (seq, state, reason, cause, plan) WHERE event.seq = given.seq";
    let calls = held.iter().flat_map(|held| held.turn.settlement.reads.iter().map(|call| (held.seq, call)));
    let query = sqlx::query(sql)
        .bind(held.iter().map(|held| held.turn.lease.event.0).collect::<Vec<_>>())
        .bind(now.as_millisecond())
        .bind(held.iter().map(|held| held.seq).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.end.state.as_str()).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.end.reason.map(text)).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.end.cause.map(|cause| cause.as_str())).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.turn.sealed_plan.as_deref()).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.turn.supersedes(held.end.state)).collect::<Vec<_>>());
    calls::bind_calls(query, &calls.collect::<Vec<_>>()).execute(&mut *connection).await?;
    let people: BTreeSet<i64> = held.iter().filter_map(|held| held.person).collect();
    lanes::promote(connection, &people).await?;
    for one in held.iter().filter(|one| one.was_asked) {
        if matches!(one.end.state, EventState::Done | EventState::NothingToDo) {
            review::close_moot(connection, one.seq, now).await?;
        }
    }
    Ok(())
}

/// Ends a turn that may park its firm, be the one that was let go ahead, or keep its lane.
async fn settle(connection: &mut PgConnection, turn: &Turn, now: Timestamp) -> Result<Settled, Fault> {
    let lease = &turn.lease;
    let Some((seq, person)) = claims::held(connection, lease).await? else { return Ok(Settled::LeaseLost) };
    let outcome = parking::outcome_of(connection, lease, &turn.settlement.outcome, now).await?;
    let (state, why, due_at, failed) = match &outcome {
        Outcome::Parked { why, .. } => (EventState::Parked, why, now, 0),
        Outcome::RetryIn { pause, why, counts } => {
            let at = now.saturating_add(*pause).unwrap_or(Timestamp::MAX);
            (EventState::Retrying, why, at, i64::from(*counts))
        }
        Outcome::Done
        | Outcome::NothingToDo { .. }
        | Outcome::HandedOff { .. }
        | Outcome::Undelivered { .. } => {
            let end = turn.end().expect("it lets its lane go on");
            self::end(connection, &[Held { turn, end, seq, person, was_asked: true }], now).await?;
            return Ok(Settled::Yes);
        }
        Outcome::InReview { questions } => {
            let reason = reason(questions);
            let end = End { state: EventState::InReview, reason: Some(&reason), cause: None };
            self::end(connection, &[Held { turn, end, seq, person, was_asked: false }], now).await?;
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
