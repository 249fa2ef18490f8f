//! What vendors allow, and what of it is leased.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool};

use super::core::in_transaction;
use super::rows::{Fault, word};
use super::{PostgresStore, read};
use crate::domain::{FirmId, System};
use crate::store::quotas::{Block, CallsAsked, Ledger, Quota, Quotas};
use crate::store::{StoreError, corrupt};

/// What a lease locks, which is nothing that events wait for.
pub(super) fn lock(firm: &FirmId, system: System) -> String {
    format!("quota\0{firm}\0{system}")
}

/// Within the quota's lock.
pub(super) async fn lease(
    connection: &mut PgConnection,
    firm: &FirmId,
    system: System,
    ask: &CallsAsked,
    now: Timestamp,
) -> Result<Block, Fault> {
    let sql = "SELECT ledger FROM quota WHERE firm = $1 AND system = $2";
    let known = sqlx::query(sql).bind(firm.as_str()).bind(system.as_str());
    let mut ledger = match known.fetch_optional(&mut *connection).await? {
        Some(row) => serde_json::from_str(row.try_get("ledger")?).map_err(corrupt)?,
        None => Ledger::new(ask.assumed, now),
    };
    let block = ledger.lease(ask, now);
    let sql = "INSERT INTO quota (firm, system, ledger) VALUES ($1, $2, $3)
        ON CONFLICT (firm, system) DO UPDATE SET ledger = excluded.ledger";
    let text = serde_json::to_string(&ledger).expect("a ledger is JSON");
    sqlx::query(sql).bind(firm.as_str()).bind(system.as_str()).bind(text).execute(connection).await?;
    Ok(block)
}

pub(super) async fn all(pool: &PgPool, now: Timestamp) -> Result<Vec<Quota>, Fault> {
    let rows =
        sqlx::query("SELECT firm, system, ledger FROM quota ORDER BY firm, system").fetch_all(pool).await?;
    let mut quotas = Vec::with_capacity(rows.len());
    for row in rows {
        let ledger: Ledger = serde_json::from_str(row.try_get("ledger")?).map_err(corrupt)?;
        quotas.push(ledger.state(FirmId::new(row.try_get::<String, _>("firm")?), word(&row, "system")?, now));
    }
    Ok(quotas)
}

#[async_trait]
impl Quotas for PostgresStore {
    async fn lease_calls(&self, firm: &FirmId, system: System, ask: CallsAsked) -> Result<Block, StoreError> {
        let lock = lock(firm, system);
        Ok(in_transaction!(&self.core, &[lock.as_str()], |connection, now| lease(
            connection, firm, system, &ask, now
        ))?)
    }

    async fn quotas(&self) -> Result<Vec<Quota>, StoreError> {
        let now = self.core.now().await?;
        read(all(&self.core.pool, now)).await
    }
}
