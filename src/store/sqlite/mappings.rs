//! What was settled in the console about a firm's sync.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, Params, params};

use super::SqliteStore;
use super::rows::Millis;
use crate::crypto::Keyring;
use crate::domain::FirmId;
use crate::store::StoreError;
use crate::store::mappings::{MappingRow, Mappings, open, seal, version_name};

fn rows(
    connection: &Connection,
    keyring: &Keyring,
    sql: &str,
    values: impl Params,
) -> Result<Vec<MappingRow>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(values)?;
    let mut mappings = Vec::new();
    while let Some(row) = rows.next()? {
        let sealed: Option<Vec<u8>> = row.get(3)?;
        mappings.push(MappingRow {
            firm: FirmId::new(row.get::<_, String>(1)?),
            version: row.get(2)?,
            json: sealed.map(|sealed| open(keyring, &row.get::<_, String>(0)?, &sealed)).transpose()?,
            saved_at: row.get::<_, Millis>(4)?.0,
            saved_by: row.get(5)?,
        });
    }
    Ok(mappings)
}

#[async_trait]
impl Mappings for SqliteStore {
    async fn mappings_changed(&self) -> Result<u64, StoreError> {
        self.read(move |connection, _| {
            let sql = "SELECT count(*) FROM mapping";
            let changes: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(changes.unsigned_abs())
        })
        .await
    }

    async fn mappings(&self) -> Result<Vec<MappingRow>, StoreError> {
        let sql = "SELECT name, firm, version, sealed_sync, saved_at, saved_by FROM mapping
            WHERE version = (SELECT max(version) FROM mapping AS other WHERE other.firm = mapping.firm) ORDER BY firm";
        self.read(move |connection, keyring| rows(connection, keyring, sql, [])).await
    }

    async fn mapping_versions(&self, firm: &FirmId) -> Result<Vec<MappingRow>, StoreError> {
        let firm = firm.clone();
        let sql = "SELECT name, firm, version, sealed_sync, saved_at, saved_by FROM mapping
            WHERE firm = ? ORDER BY version DESC";
        self.read(move |connection, keyring| rows(connection, keyring, sql, [firm.as_str()])).await
    }

    async fn save_mapping(
        &self,
        firm: &FirmId,
        json: Option<&str>,
        from: u32,
        by: &str,
    ) -> Result<Option<u32>, StoreError> {
        let version = from + 1;
        let (firm, by, now) = (firm.clone(), by.to_owned(), self.now());
        let name = version_name(&firm, version);
        let sealed = json.map(|json| seal(&Arc::clone(&self.keyring), &name, json));
        self.write(move |connection| {
            let sql = "INSERT INTO mapping (name, firm, version, sealed_sync, saved_at, saved_by)
                SELECT ?1, ?2, ?3, ?4, ?5, ?6
                WHERE ?3 = 1 + coalesce((SELECT max(version) FROM mapping WHERE firm = ?2), 0)";
            let values = params![name, firm.as_str(), version, sealed, Millis(now), by];
            let saved = connection.prepare_cached(sql)?.execute(values)? > 0;
            Ok(saved.then_some(version))
        })
        .await
    }
}
