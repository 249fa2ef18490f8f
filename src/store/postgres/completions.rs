//! Writing down what was carried out and what both sides of known links agree on now, for many turns at once and without
//! the firms' locks. The rest is [`super::effects::complete`]'s.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::calls;
use super::links::{self, Agreed};
use super::rows::{Fault, text};
use super::writer::{Guard, Job};
use crate::crypto::Keyring;
use crate::domain::{EffectKey, RecordRef};
use crate::store::{CallRecord, Lease, LinkChange, Settled};

/// An effect that a call carried out, on its way to the database.
pub(super) struct Completion {
    pub(super) keyring: Arc<Keyring>,
    pub(super) lease: Lease,
    pub(super) key: EffectKey,
    pub(super) result: Option<RecordRef>,
    pub(super) links: Vec<LinkChange>,
    pub(super) call: CallRecord,
}

impl Job for Completion {
    /// Nothing, if it needs a closer look: a link is new, or somebody changed one meanwhile.
    type Answer = Option<Settled>;

    const GUARD: Guard = Guard::Nothing;

    fn firm(&self) -> &str {
        self.lease.firm.as_str()
    }

    /// What came of a create; see [`super::intents::First`].
    fn must_last(&self) -> bool {
        self.result.is_some()
    }

    async fn run(
        connection: &mut PgConnection,
        completions: &[Self],
        now: Timestamp,
        _message: usize,
    ) -> Result<Vec<Option<Settled>>, Fault> {
        let mut settled: Vec<Option<Settled>> = completions.iter().map(|_| None).collect();
        let agreed = agreed(connection, completions).await?;
        let plain: Vec<(usize, &Self, Agreed)> = agreed
            .into_iter()
            .enumerate()
            .filter_map(|(place, agreed)| Some((place, &completions[place], agreed?)))
            .collect();
        if plain.is_empty() {
            return Ok(settled);
        }
        for (place, is_held) in write(connection, &plain, now).await? {
            settled[plain[place].0] = Some(if is_held { Settled::Yes } else { Settled::LeaseLost });
        }
        Ok(settled)
    }
}

/// What each makes of the links there are; nothing, if that is not for here.
async fn agreed(
    connection: &mut PgConnection,
    completions: &[Completion],
) -> Result<Vec<Option<Agreed>>, Fault> {
    // Two changes of one link build on each other.
    let mut seen = HashSet::new();
    let is_alone: Vec<bool> = completions
        .iter()
        .map(|one| one.links.iter().all(|change| seen.insert((one.firm(), links::sides(change)))))
        .collect();
    let known =
        links::known(connection, completions.iter().map(|one| (one.firm(), one.links.as_slice()))).await?;
    completions
        .iter()
        .zip(is_alone)
        .zip(known)
        .map(|((one, is_alone), known)| match is_alone {
            true => links::agreed(&one.keyring, one.firm(), &one.links, &known),
            false => Ok(None),
        })
        .collect()
}

/// Writes those down whose links are as they were read: their places, and whether the lease holds.
async fn write(
    connection: &mut PgConnection,
    plain: &[(usize, &Completion, Agreed)],
    now: Timestamp,
) -> Result<Vec<(usize, bool)>, Fault> {
    // All parts see the same state; each of those that write does so only if all the links are as they were read.
    let sql = "WITH given AS MATERIALIZED (SELECT * FROM unnest($2::bigint[], $3::text[], $4::uuid[], $5::bigint[],
                $6::text[], $7::text[], $8::bigint[]) AS given (place, firm, event, claim, key, result, links)),
            own AS MATERIALIZED (SELECT place, seq, held.claims = given.claim AND held.state = 'running' AS is_held
                FROM given CROSS JOIN LATERAL (
                    SELECT seq, claims, state FROM event WHERE id = given.event LIMIT 1) held),
            unchanged AS MATERIALIZED (SELECT wanted.place, known.at, wanted.base FROM (
                    SELECT * FROM unnest($9::bigint[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bytea[])
                        AS wanted (place, firm, highlevel, casepeer, revision, base)
                    ORDER BY firm, highlevel, casepeer) wanted
                CROSS JOIN LATERAL (SELECT ctid AS at FROM link WHERE firm = wanted.firm
                    AND highlevel = wanted.highlevel AND casepeer = wanted.casepeer AND revision = wanted.revision
                    LIMIT 1 FOR UPDATE) known),
            go AS MATERIALIZED (SELECT * FROM given JOIN own USING (place)
                WHERE links = (SELECT count(*) FROM unchanged WHERE unchanged.place = given.place)),
            completed AS (UPDATE effect SET completed_at = $1, result = go.result FROM go
                WHERE effect.firm = go.firm AND effect.key = go.key AND completed_at IS NULL RETURNING go.place),
            released AS (DELETE FROM reservation USING go
                WHERE reservation.firm = go.firm AND reservation.effect = go.key),
            called AS (INSERT INTO call (event, operation, target, effect_key, status, class, started_at, duration_ms,
                    detail)
                SELECT go.seq, operation, target, effect_key, status, class, started_at, duration_ms, detail
                FROM unnest($15::bigint[], $16::text[], $17::text[], $18::text[], $19::bigint[], $20::text[],
                    $21::bigint[], $22::bigint[], $23::text[]) AS called
                    (place, operation, target, effect_key, status, class, started_at, duration_ms, detail)
                JOIN go USING (place)),
            agreed AS (UPDATE link SET sealed_base = unchanged.base, revision = revision + 1, updated_at = $1
                FROM unchanged JOIN go USING (place) WHERE link.ctid = unchanged.at
                    AND (go.is_held OR EXISTS (SELECT 1 FROM completed WHERE completed.place = go.place)))
            SELECT place, is_held, set_config('synchronous_commit', 'off', true) FROM go";
    let all = || (0_i64..).zip(plain.iter().map(|(_, one, agreed)| (*one, agreed)));
    let query = sqlx::query(sql)
        .bind(now.as_millisecond())
        .bind(all().map(|(place, _)| place).collect::<Vec<_>>())
        .bind(all().map(|(_, (one, _))| one.firm()).collect::<Vec<_>>())
        .bind(all().map(|(_, (one, _))| one.lease.event.0).collect::<Vec<_>>())
        .bind(all().map(|(_, (one, _))| one.lease.claim).collect::<Vec<_>>())
        .bind(all().map(|(_, (one, _))| text(&one.key.0)).collect::<Vec<_>>())
        .bind(
            all()
                .map(|(_, (one, _))| one.result.as_ref().map(|record| text(&record.to_string())))
                .collect::<Vec<_>>(),
        )
        .bind(all().map(|(_, (_, agreed))| i64::try_from(agreed.len()).expect("few")).collect::<Vec<_>>());
    let changes =
        all().flat_map(|(place, (one, agreed))| agreed.iter().map(move |change| (place, one.firm(), change)));
    let query = links::bind(query, changes);
    let calls: Vec<_> = all().map(|(place, (one, _))| (place, &one.call)).collect();
    let rows = calls::bind_calls(query, &calls).fetch_all(connection).await?;
    let told = |row: &sqlx::postgres::PgRow| {
        let place = usize::try_from(row.try_get::<i64, _>("place")?).expect("it counts from 0");
        Ok((place, row.try_get("is_held")?))
    };
    rows.iter().map(told).collect()
}
