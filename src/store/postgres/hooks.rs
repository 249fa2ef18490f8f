//! Who is told of what happens.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::rows::{Fault, count, moment, moment_if_any, text};
use super::{PostgresStore, read};
use crate::crypto::Keyring;
use crate::store::StoreError;
use crate::store::hooks::{Hook, HookTarget, Hooks, NewHook, open, seal};

fn hook(row: &PgRow, keyring: &Keyring) -> Result<Hook, Fault> {
    let id: String = row.try_get("id")?;
    let ended_why: Option<String> = row.try_get("ended_why")?;
    Ok(Hook {
        firm: row.try_get("firm")?,
        trigger: row.try_get("trigger_id")?,
        token: row.try_get("token")?,
        target: open(keyring, &id, row.try_get("sealed_target")?)?,
        made_at: moment(row, "made_at")?,
        failing_since: moment_if_any(row, "failing_since")?,
        ended: moment_if_any(row, "ended_at")?.zip(ended_why),
        id,
    })
}

#[async_trait]
impl Hooks for PostgresStore {
    async fn hooks_changed(&self) -> Result<u64, StoreError> {
        read(async {
            let select = sqlx::query("SELECT coalesce(sum(changes), 0)::bigint AS changes FROM hook");
            count(&select.fetch_one(&self.core.pool).await?, "changes")
        })
        .await
    }

    async fn add_hook(&self, new: NewHook) -> Result<(), StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql = "INSERT INTO hook (id, firm, trigger_id, token, sealed_target, made_at)
                VALUES ($1, $2, $3, $4, $5, $6)";
            let insert = sqlx::query(sql).bind(&new.id).bind(&new.firm).bind(&new.trigger).bind(&new.token);
            let insert = insert.bind(seal(&self.keyring, &new.id, &new.target));
            insert.bind(now.as_millisecond()).execute(&self.core.pool).await?;
            Ok(())
        })
        .await
    }

    async fn hooks(&self) -> Result<Vec<Hook>, StoreError> {
        read(async {
            let sql = "SELECT id, firm, trigger_id, token, sealed_target, made_at, failing_since, ended_at, ended_why
                FROM hook WHERE ended_at IS NULL OR ended_why IS NOT NULL ORDER BY made_at, id";
            let rows = sqlx::query(sql).fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| hook(row, &self.keyring)).collect()
        })
        .await
    }

    async fn retarget_hook(&self, id: &str, target: &HookTarget) -> Result<bool, StoreError> {
        read(async {
            let sql =
                "UPDATE hook SET sealed_target = $1, changes = changes + 1 WHERE id = $2 AND ended_at IS NULL";
            let update = sqlx::query(sql).bind(seal(&self.keyring, id, target)).bind(text(id));
            Ok(update.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn remove_hook(&self, id: &str, token: &str) -> Result<bool, StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql =
                "UPDATE hook SET ended_at = coalesce(ended_at, $1), ended_why = NULL, changes = changes + 1
                WHERE id = $2 AND token = $3 AND (ended_at IS NULL OR ended_why IS NOT NULL)";
            let update = sqlx::query(sql).bind(now.as_millisecond()).bind(text(id)).bind(text(token));
            Ok(update.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn note_delivery(&self, id: &str, is_delivered: bool) -> Result<Option<Timestamp>, StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql =
                "UPDATE hook SET failing_since = CASE WHEN $1 THEN NULL ELSE coalesce(failing_since, $2) END
                WHERE id = $3 RETURNING failing_since";
            let update = sqlx::query(sql).bind(is_delivered).bind(now.as_millisecond()).bind(text(id));
            let row = update.fetch_optional(&self.core.pool).await?;
            row.map_or(Ok(None), |row| moment_if_any(&row, "failing_since"))
        })
        .await
    }

    async fn end_hook(&self, id: &str, why: &str) -> Result<(), StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql = "UPDATE hook SET ended_at = $1, ended_why = $2, changes = changes + 1
                WHERE id = $3 AND ended_at IS NULL";
            let update = sqlx::query(sql).bind(now.as_millisecond()).bind(text(why)).bind(text(id));
            update.execute(&self.core.pool).await?;
            Ok(())
        })
        .await
    }
}
