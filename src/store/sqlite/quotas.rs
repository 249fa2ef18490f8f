//! What vendors allow, and what of it is leased.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::rows::Word;
use super::writer::Durability;
use crate::domain::{FirmId, System};
use crate::store::quotas::{Block, CallsAsked, Ledger, Quota, Quotas};
use crate::store::{StoreError, corrupt};

pub(super) fn lease(
    connection: &Connection,
    firm: &FirmId,
    system: System,
    ask: &CallsAsked,
    now: Timestamp,
) -> Result<Block, StoreError> {
    let sql = "SELECT ledger FROM quota WHERE firm = ? AND system = ?";
    let known: Option<String> = connection
        .prepare_cached(sql)?
        .query_row(params![firm.as_str(), system.as_str()], |row| row.get(0))
        .optional()?;
    let mut ledger = match known {
        Some(text) => serde_json::from_str(&text).map_err(corrupt)?,
        None => Ledger::new(ask.assumed, now),
    };
    let block = ledger.lease(ask, now);
    let sql = "INSERT INTO quota (firm, system, ledger) VALUES (?, ?, ?)
        ON CONFLICT (firm, system) DO UPDATE SET ledger = excluded.ledger";
    let text = serde_json::to_string(&ledger).expect("a ledger is JSON");
    connection.prepare_cached(sql)?.execute(params![firm.as_str(), system.as_str(), text])?;
    Ok(block)
}

pub(super) fn all(connection: &Connection, now: Timestamp) -> Result<Vec<Quota>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT firm, system, ledger FROM quota ORDER BY firm, system")?;
    let rows = select.query_map([], |row| {
        Ok((
            FirmId::new(row.get::<_, String>(0)?),
            row.get::<_, Word<System>>(1)?.0,
            row.get::<_, String>(2)?,
        ))
    })?;
    rows.map(|row| {
        let (firm, system, text) = row?;
        let ledger: Ledger = serde_json::from_str(&text).map_err(corrupt)?;
        Ok(ledger.state(firm, system, now))
    })
    .collect()
}

#[async_trait]
impl Quotas for SqliteStore {
    async fn lease_calls(&self, firm: &FirmId, system: System, ask: CallsAsked) -> Result<Block, StoreError> {
        let (firm, now) = (firm.clone(), self.now());
        // What power failure undoes is that calls were counted, not that they may be made.
        let leasing = move |connection: &Connection| lease(connection, &firm, system, &ask, now);
        self.writer.run(Durability::InOrder, leasing).await
    }

    async fn quotas(&self) -> Result<Vec<Quota>, StoreError> {
        let now = self.now();
        self.read(move |connection, _| all(connection, now)).await
    }
}
