//! What a carrier took over and has not confirmed yet.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::core::in_transaction;
use super::rows::{Fault, moment, text, word_if_any};
use super::{PostgresStore, claims, effects, lanes, links, read, review};
use crate::crypto::Keyring;
use crate::domain::{Base, EffectKey, FirmId, Link, Outcome, RecordRef};
use crate::store::hand_offs::{no_longer_waits, place, reason, row_name};
use crate::store::{
    CallRecord, Confirmed, HandOff, HandOffs, HandOver, Lease, LinkChange, Settled, StoreError,
};

#[async_trait]
impl HandOffs for PostgresStore {
    async fn hand_over(
        &self,
        lease: &Lease,
        key: &EffectKey,
        hand_over: HandOver,
        call: Option<CallRecord>,
    ) -> Result<Settled, StoreError> {
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| async {
            if let Some(call) = &call {
                effects::add_call_of(connection, lease, call).await?;
            }
            if claims::held(connection, lease).await?.is_none() {
                return Ok::<_, Fault>(Settled::LeaseLost);
            }
            add(connection, &self.keyring, lease, key, &hand_over, now).await?;
            Ok(Settled::Yes)
        })?)
    }

    async fn hand_off(&self, firm: &FirmId, key: &EffectKey) -> Result<Option<HandOff>, StoreError> {
        let now = self.core.now().await?;
        let finding = async {
            let sql = "SELECT handed_at, confirm_by FROM hand_off WHERE firm = $1 AND effect = $2";
            let row = sqlx::query(sql).bind(firm.as_str()).bind(text(&key.0));
            let Some(row) = row.fetch_optional(&self.core.pool).await? else { return Ok(None) };
            let is_overdue = moment(&row, "confirm_by")? <= now;
            Ok::<_, Fault>(Some(HandOff { handed_at: moment(&row, "handed_at")?, is_overdue }))
        };
        read(finding).await
    }

    async fn confirm(
        &self,
        firm: &FirmId,
        key: &EffectKey,
        record: Option<RecordRef>,
    ) -> Result<Confirmed, StoreError> {
        let record = record.as_ref();
        let confirmed = in_transaction!(&self.core, &[firm.as_str()], |connection, now| confirm(
            connection,
            &self.keyring,
            firm,
            key,
            record,
            now
        ))?;
        read(self.ring()).await?;
        Ok(confirmed)
    }

    async fn wake_overdue(&self) -> Result<u64, StoreError> {
        let now = self.core.now().await?;
        let finding = async {
            let sql = "SELECT DISTINCT firm FROM hand_off WHERE confirm_by <= $1 AND woken_at IS NULL";
            let rows = sqlx::query(sql).bind(now.as_millisecond()).fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| Ok(row.try_get("firm")?)).collect::<Result<Vec<String>, Fault>>()
        };
        let mut woken = 0;
        for firm in read(finding).await? {
            let firm = firm.as_str();
            woken +=
                in_transaction!(&self.core, &[firm], |connection, now| wake_overdue(connection, firm, now))?;
        }
        Ok(woken)
    }

    async fn withdraw(&self, lease: &Lease, key: &EffectKey) -> Result<Settled, StoreError> {
        Ok(in_transaction!(&self.core, &[lease.firm.as_str()], |connection, now| async {
            if claims::held(connection, lease).await?.is_none() {
                return Ok::<_, Fault>(Settled::LeaseLost);
            }
            forget(connection, lease.firm.as_str(), key, "it is handed over once more", now).await?;
            Ok(Settled::Yes)
        })?)
    }
}

/// What a turn's outcome is, given that what it is to wait for may have come since it looked.
pub(super) async fn outcome_of(
    connection: &mut PgConnection,
    lease: &Lease,
    outcome: Outcome,
) -> Result<Outcome, Fault> {
    let Outcome::HandedOff { effect, .. } = &outcome else { return Ok(outcome) };
    let sql = "SELECT 1 FROM hand_off WHERE firm = $1 AND effect = $2 AND woken_at IS NULL";
    let waits = sqlx::query(sql).bind(lease.firm.as_str()).bind(text(&effect.0));
    let waits = waits.fetch_optional(connection).await?.is_some();
    Ok(if waits { outcome } else { no_longer_waits() })
}

async fn add(
    connection: &mut PgConnection,
    keyring: &Keyring,
    lease: &Lease,
    key: &EffectKey,
    hand_over: &HandOver,
    now: Timestamp,
) -> Result<(), Fault> {
    let firm = lease.firm.as_str();
    let plain = serde_json::to_vec(&hand_over.base).expect("a base is JSON");
    let sealed = keyring.seal(place(&row_name(firm, key)), &plain);
    let confirm_by = now.saturating_add(hand_over.within).unwrap_or(Timestamp::MAX);
    let sql =
        "INSERT INTO hand_off (firm, effect, event, original, makes, sealed_base, has_rest, handed_at, confirm_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(firm)
        .bind(text(&key.0))
        .bind(lease.event.0)
        .bind(hand_over.original.as_ref().map(|record| text(&record.to_string())))
        .bind(hand_over.makes.map(|kind| kind.as_str()))
        .bind(sealed)
        .bind(hand_over.has_rest)
        .bind(now.as_millisecond())
        .bind(confirm_by.as_millisecond())
        .execute(connection)
        .await?;
    Ok(())
}

async fn confirm(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &FirmId,
    key: &EffectKey,
    record: Option<&RecordRef>,
    now: Timestamp,
) -> Result<Confirmed, Fault> {
    let sql =
        "SELECT completed_at IS NOT NULL AS is_completed, result FROM effect WHERE firm = $1 AND key = $2";
    let effect = sqlx::query(sql).bind(firm.as_str()).bind(text(&key.0));
    let Some(effect) = effect.fetch_optional(&mut *connection).await? else {
        return Ok(Confirmed::Unknown);
    };
    if effect.try_get("is_completed")? {
        return Ok(Confirmed::Before(word_if_any(&effect, "result")?));
    }
    let sql =
        "SELECT event, original, makes, sealed_base, has_rest FROM hand_off WHERE firm = $1 AND effect = $2";
    let row = sqlx::query(sql).bind(firm.as_str()).bind(text(&key.0));
    let Some(row) = row.fetch_optional(&mut *connection).await? else { return Ok(Confirmed::TooEarly) };
    let makes: Option<&str> = row.try_get("makes")?;
    if record.is_some_and(|record| !HandOver::may_make(makes, record.kind)) {
        return Ok(Confirmed::OtherKind);
    }
    let sql = "UPDATE effect SET completed_at = $1, result = $2 WHERE firm = $3 AND key = $4";
    sqlx::query(sql)
        .bind(now.as_millisecond())
        .bind(record.map(|record| text(&record.to_string())))
        .bind(firm.as_str())
        .bind(text(&key.0))
        .execute(&mut *connection)
        .await?;
    let original: Option<RecordRef> = word_if_any(&row, "original")?;
    if let (Some(original), Some(record)) = (original, record) {
        let plain = keyring.open(place(&row_name(firm.as_str(), key)), row.try_get("sealed_base")?)?;
        let base: Base = serde_json::from_slice(&plain)
            .map_err(|error| StoreError::Corrupt(format!("a hand-over's base: {error}")))?;
        let origin = original.system;
        let link = LinkChange::Link(Link::new(original, record.clone(), origin, base));
        links::apply(connection, keyring, firm, &[link], now).await?;
    }
    go_on(connection, row.try_get("event")?, row.try_get("has_rest")?, record, now).await?;
    forget(connection, firm.as_str(), key, &reason(record), now).await?;
    Ok(Confirmed::Yes)
}

/// The event that handed over is done, or goes on with the rest.
async fn go_on(
    connection: &mut PgConnection,
    event: Uuid,
    has_rest: bool,
    record: Option<&RecordRef>,
    now: Timestamp,
) -> Result<(), Fault> {
    let why = reason(record);
    if has_rest {
        wake(connection, event, &why, now).await?;
    } else {
        let sql = "UPDATE event SET state = 'done', reason = $1, settled_at = $2
            WHERE id = $3 AND state IN ('handed_off', 'in_review') RETURNING seq";
        let done = sqlx::query(sql).bind(text(&why)).bind(now.as_millisecond()).bind(event);
        if let Some(row) = done.fetch_optional(&mut *connection).await? {
            review::close_moot(connection, row.try_get("seq")?, now).await?;
        }
    }
    Ok(())
}

/// Has the events of an event's person that wait for a confirmation go on; how many.
async fn wake_waiting(
    connection: &mut PgConnection,
    event: Uuid,
    why: &str,
    now: Timestamp,
) -> Result<u64, Fault> {
    let sql = "SELECT id FROM event WHERE id = $1 AND state = 'handed_off'
        UNION SELECT id FROM event WHERE state = 'handed_off' AND person = (SELECT person FROM event WHERE id = $1)";
    let waiting = sqlx::query(sql).bind(event).fetch_all(&mut *connection).await?;
    let mut woken = 0;
    for row in &waiting {
        woken += wake(connection, row.try_get("id")?, why, now).await?;
    }
    Ok(woken)
}

async fn wake_overdue(connection: &mut PgConnection, firm: &str, now: Timestamp) -> Result<u64, Fault> {
    let sql = "UPDATE hand_off SET woken_at = $1 WHERE firm = $2 AND confirm_by <= $1 AND woken_at IS NULL
        RETURNING event";
    let overdue = sqlx::query(sql).bind(now.as_millisecond()).bind(firm).fetch_all(&mut *connection).await?;
    let mut woken = 0;
    for row in &overdue {
        let why = "the hand-over was not confirmed in time";
        woken += wake_waiting(connection, row.try_get("event")?, why, now).await?;
    }
    Ok(woken)
}

/// Puts an event that waits for a confirmation back into its lane, where it was; how many that were.
async fn wake(connection: &mut PgConnection, event: Uuid, why: &str, now: Timestamp) -> Result<u64, Fault> {
    let sql = "SELECT seq, firm, records FROM event WHERE id = $1 AND state IN ('handed_off', 'in_review')";
    let Some(row) = sqlx::query(sql).bind(event).fetch_optional(&mut *connection).await? else {
        return Ok(0);
    };
    let (seq, firm): (i64, String) = (row.try_get("seq")?, row.try_get("firm")?);
    let records: Vec<String> = serde_json::from_str(row.try_get("records")?).unwrap_or_default();
    let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
    let person = lanes::person_of(connection, &firm, &records).await?;
    let state =
        if person.is_some() { "waiting" } else { lanes::head_state(connection, &firm).await?.as_str() };
    let sql = "UPDATE event SET state = $1, reason = $2, person = $3, due_at = $4, failed_attempts = 0,
        settled_at = NULL WHERE seq = $5";
    sqlx::query(sql)
        .bind(state)
        .bind(text(why))
        .bind(person)
        .bind(now.as_millisecond())
        .bind(seq)
        .execute(&mut *connection)
        .await?;
    if let Some(person) = person {
        lanes::reform(connection, person).await?;
    }
    Ok(1)
}

/// What is carried out, or withdrawn, waits for nothing any more, and what waits for it goes on.
pub(super) async fn forget(
    connection: &mut PgConnection,
    firm: &str,
    key: &EffectKey,
    why: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "DELETE FROM hand_off WHERE firm = $1 AND effect = $2 RETURNING event";
    let row = sqlx::query(sql).bind(firm).bind(text(&key.0)).fetch_optional(&mut *connection).await?;
    if let Some(row) = row {
        wake_waiting(connection, row.try_get("event")?, why, now).await?;
    }
    Ok(())
}
