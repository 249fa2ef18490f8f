//! What was settled in the console about a firm's sync.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::rows::{Fault, count, moment, small, text};
use super::{PostgresStore, read};
use crate::crypto::Keyring;
use crate::domain::FirmId;
use crate::store::StoreError;
use crate::store::mappings::{MappingRow, Mappings, open, seal, version_name};

fn mapping(keyring: &Keyring, row: &PgRow) -> Result<MappingRow, Fault> {
    let (name, firm): (&str, &str) = (row.try_get("name")?, row.try_get("firm")?);
    let sealed: Option<&[u8]> = row.try_get("sealed_sync")?;
    Ok(MappingRow {
        firm: FirmId::new(firm),
        version: small(row, "version")?,
        json: sealed.map(|sealed| open(keyring, name, sealed)).transpose()?,
        saved_at: moment(row, "saved_at")?,
        saved_by: row.try_get("saved_by")?,
    })
}

#[async_trait]
impl Mappings for PostgresStore {
    async fn mappings_changed(&self) -> Result<u64, StoreError> {
        read(async {
            let select = sqlx::query("SELECT count(*) AS changes FROM mapping");
            count(&select.fetch_one(&self.core.pool).await?, "changes")
        })
        .await
    }

    async fn mappings(&self) -> Result<Vec<MappingRow>, StoreError> {
        read(async {
            let sql =
                "SELECT DISTINCT ON (firm) name, firm, version, sealed_sync, saved_at, saved_by FROM mapping
                ORDER BY firm, version DESC";
            let rows = sqlx::query(sql).fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| mapping(&self.keyring, row)).collect()
        })
        .await
    }

    async fn mapping_versions(&self, firm: &FirmId) -> Result<Vec<MappingRow>, StoreError> {
        read(async {
            let sql = "SELECT name, firm, version, sealed_sync, saved_at, saved_by FROM mapping
                WHERE firm = $1 ORDER BY version DESC";
            let rows = sqlx::query(sql).bind(text(firm.as_str())).fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| mapping(&self.keyring, row)).collect()
        })
        .await
    }

    async fn save_mapping(
        &self,
        firm: &FirmId,
        json: Option<&str>,
        from: u32,
        by: &str,
    ) -> Result<Option<u32>, StoreError> {
        let (version, now) = (from + 1, self.core.now().await?);
        let name = version_name(firm, version);
        let sealed = json.map(|json| seal(&self.keyring, &name, json));
        read(async {
            // Two who save at once write the same key: one of them finds it taken.
            let sql = "INSERT INTO mapping (name, firm, version, sealed_sync, saved_at, saved_by)
                SELECT $1, $2, $3, $4, $5, $6
                WHERE $3 = 1 + coalesce((SELECT max(version) FROM mapping WHERE firm = $2), 0)
                ON CONFLICT DO NOTHING";
            let insert = sqlx::query(sql).bind(&name).bind(text(firm.as_str())).bind(i64::from(version));
            let insert = insert.bind(sealed).bind(now.as_millisecond()).bind(text(by));
            let saved = insert.execute(&self.core.pool).await?.rows_affected() > 0;
            Ok(saved.then_some(version))
        })
        .await
    }
}
