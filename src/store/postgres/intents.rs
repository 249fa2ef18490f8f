//! Writing intents down, those of many turns at once: nearly every one is the first of its effect and meets no rival,
//! for which nothing is looked at but its own rows. The rest is [`super::effects::begin`]'s.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::effects::{place, row_name};
use super::rows::{Fault, text};
use super::writer::{Guard, Job};
use crate::crypto::Keyring;
use crate::domain::EffectKey;
use crate::store::{Begun, Intent, Lease};

/// An intent on its way to the database.
pub(super) struct First {
    lease: Lease,
    effect: String,
    intent: Intent,
    match_keys: BTreeSet<[u8; 32]>,
    sealed: Vec<u8>,
}

impl First {
    pub(super) fn new(keyring: &Keyring, lease: &Lease, key: &EffectKey, intent: Intent) -> Self {
        let sealed = keyring.seal(place(&row_name(lease.firm.as_str(), key)), &intent.plain());
        let match_keys = intent.match_keys.iter().copied().collect();
        Self { lease: lease.clone(), effect: text(&key.0), intent, match_keys, sealed }
    }

    fn begun(&self) -> Begun {
        let (body, idempotency_key) = (self.intent.body.clone(), self.intent.idempotency_key.clone());
        let fields = self.intent.said.fields.clone();
        Begun::Send { body, idempotency_key, ambiguity: None, fields }
    }
}

impl Job for First {
    /// Nothing, if it needs a closer look.
    type Answer = Option<Begun>;

    const GUARD: Guard = Guard::Nothing;

    fn firm(&self) -> &str {
        self.lease.firm.as_str()
    }

    /// What was written of a create must outlive the database's machine: nobody else knows what may have been sent. What
    /// is written of an update may be lost with it, for it is lost together with all that is written later, the end of
    /// the turn among it: the turn is taken again, and finds the update made.
    fn must_last(&self) -> bool {
        self.intent.is_create
    }

    async fn run(
        connection: &mut PgConnection,
        firsts: &[Self],
        now: Timestamp,
        _message: usize,
    ) -> Result<Vec<Option<Begun>>, Fault> {
        // Of two that reserve the same key at once the later waits for the earlier, and gets none.
        let sql = "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[],
                $5::text[], $6::text[], $7::bytea[], $8::bigint[]) WITH ORDINALITY
                AS given (firm, key, event, claim, operation, idempotency_key, request, ambiguous_at, place)),
            asked AS MATERIALIZED (SELECT * FROM unnest($10::text[], $11::text[], $12::bytea[])
                AS asked (firm, key, match_key)),
            begun AS (INSERT INTO effect (firm, key, event, operation, idempotency_key, sealed_request, begun_at,
                    ambiguous_at)
                SELECT firm, key, held.id, operation, idempotency_key, request, $9, ambiguous_at FROM given
                CROSS JOIN LATERAL (SELECT id, claims, state FROM event WHERE id = given.event LIMIT 1) held
                WHERE held.claims = given.claim AND held.state = 'running' AND NOT EXISTS (SELECT 1 FROM asked CROSS JOIN LATERAL (SELECT 1 FROM reservation
                        WHERE firm = given.firm AND match_key = asked.match_key AND effect <> given.key LIMIT 1) rival
                    WHERE asked.firm = given.firm AND asked.key = given.key)
                ORDER BY firm, key ON CONFLICT DO NOTHING RETURNING firm, key, event),
            reserved AS (INSERT INTO reservation (firm, match_key, effect)
                SELECT firm, match_key, key FROM begun JOIN asked USING (firm, key) ORDER BY firm, match_key
                ON CONFLICT DO NOTHING RETURNING firm, effect)
            SELECT place, (SELECT count(*) FROM reserved WHERE firm = given.firm AND effect = given.key) AS reserved,
                set_config('synchronous_commit', 'off', true) FROM given JOIN begun USING (firm, key, event)";
        let keys = firsts.iter().flat_map(|first| first.match_keys.iter().map(move |key| (first, key)));
        let keys: Vec<(&Self, &[u8; 32])> = keys.collect();
        let rows = sqlx::query(sql)
            .bind(firsts.iter().map(Job::firm).collect::<Vec<_>>())
            .bind(firsts.iter().map(|first| &first.effect).collect::<Vec<_>>())
            .bind(firsts.iter().map(|first| first.lease.event.0).collect::<Vec<_>>())
            .bind(firsts.iter().map(|first| first.lease.claim).collect::<Vec<_>>())
            .bind(firsts.iter().map(|first| first.intent.operation).collect::<Vec<_>>())
            .bind(firsts.iter().map(|first| &first.intent.idempotency_key).collect::<Vec<_>>())
            .bind(firsts.iter().map(|first| first.sealed.as_slice()).collect::<Vec<_>>())
            .bind(
                firsts
                    .iter()
                    .map(|first| first.intent.is_create.then_some(now.as_millisecond()))
                    .collect::<Vec<_>>(),
            )
            .bind(now.as_millisecond())
            .bind(keys.iter().map(|(first, _)| first.firm()).collect::<Vec<_>>())
            .bind(keys.iter().map(|(first, _)| &first.effect).collect::<Vec<_>>())
            .bind(keys.iter().map(|(_, key)| key.as_slice()).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let mut begun: Vec<Option<Begun>> = firsts.iter().map(|_| None).collect();
        for row in &rows {
            let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).expect("it counts from 1");
            let first = &firsts[place];
            let has_all =
                row.try_get::<i64, _>("reserved")? == i64::try_from(first.match_keys.len()).expect("few");
            begun[place] = Some(if has_all { first.begun() } else { withdraw(connection, first).await? });
        }
        Ok(begun)
    }
}

/// A rival reserved one of the keys in the same moment. Nothing was sent.
async fn withdraw(connection: &mut PgConnection, first: &First) -> Result<Begun, Fault> {
    let sql = "WITH withdrawn AS (DELETE FROM effect WHERE firm = $1 AND key = $2 AND completed_at IS NULL)
        DELETE FROM reservation WHERE firm = $1 AND effect = $2";
    sqlx::query(sql).bind(first.firm()).bind(&first.effect).execute(connection).await?;
    Ok(Begun::Rival)
}
