//! Who is told of what happens.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::rows::Millis;
use crate::store::StoreError;
use crate::store::hooks::{Hook, HookTarget, Hooks, NewHook, open, seal};

#[async_trait]
impl Hooks for SqliteStore {
    async fn hooks_changed(&self) -> Result<u64, StoreError> {
        self.read(|connection, _| {
            let sql = "SELECT coalesce(sum(changes), 0) FROM hook";
            let changes: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(changes.unsigned_abs())
        })
        .await
    }

    async fn add_hook(&self, new: NewHook) -> Result<(), StoreError> {
        let (now, sealed) = (self.now(), seal(&self.keyring, &new.id, &new.target));
        self.write(move |connection| {
            let sql = "INSERT INTO hook (id, firm, trigger_id, token, sealed_target, made_at)
                VALUES (?, ?, ?, ?, ?, ?)";
            let values = params![new.id, new.firm, new.trigger, new.token, sealed, Millis(now)];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    async fn hooks(&self) -> Result<Vec<Hook>, StoreError> {
        self.read(|connection, keyring| {
            let sql = "SELECT id, firm, trigger_id, token, sealed_target, made_at, failing_since, ended_at, ended_why
                FROM hook WHERE ended_at IS NULL OR ended_why IS NOT NULL ORDER BY made_at, id";
            let mut select = connection.prepare_cached(sql)?;
            let mut rows = select.query([])?;
            let mut hooks = Vec::new();
            while let Some(row) = rows.next()? {
                let id: String = row.get(0)?;
                let (ended_at, why) = (row.get::<_, Option<Millis>>(7)?, row.get::<_, Option<String>>(8)?);
                hooks.push(Hook {
                    firm: row.get(1)?,
                    trigger: row.get(2)?,
                    token: row.get(3)?,
                    target: open(keyring, &id, &row.get::<_, Vec<u8>>(4)?)?,
                    made_at: row.get::<_, Millis>(5)?.0,
                    failing_since: row.get::<_, Option<Millis>>(6)?.map(|at| at.0),
                    ended: ended_at.map(|at| at.0).zip(why),
                    id,
                });
            }
            Ok(hooks)
        })
        .await
    }

    async fn retarget_hook(&self, id: &str, target: &HookTarget) -> Result<bool, StoreError> {
        let (id, sealed) = (id.to_owned(), seal(&self.keyring, id, target));
        self.write(move |connection| {
            let sql =
                "UPDATE hook SET sealed_target = ?, changes = changes + 1 WHERE id = ? AND ended_at IS NULL";
            Ok(connection.prepare_cached(sql)?.execute(params![sealed, id])? > 0)
        })
        .await
    }

    async fn remove_hook(&self, id: &str, token: &str) -> Result<bool, StoreError> {
        let (id, token, now) = (id.to_owned(), token.to_owned(), self.now());
        self.write(move |connection| {
            let sql =
                "UPDATE hook SET ended_at = coalesce(ended_at, ?), ended_why = NULL, changes = changes + 1
                WHERE id = ? AND token = ? AND (ended_at IS NULL OR ended_why IS NOT NULL)";
            Ok(connection.prepare_cached(sql)?.execute(params![Millis(now), id, token])? > 0)
        })
        .await
    }

    async fn note_delivery(&self, id: &str, is_delivered: bool) -> Result<Option<Timestamp>, StoreError> {
        let (id, now) = (id.to_owned(), self.now());
        self.write(move |connection| {
            let sql =
                "UPDATE hook SET failing_since = CASE WHEN ? THEN NULL ELSE coalesce(failing_since, ?) END
                WHERE id = ? RETURNING failing_since";
            let values = params![is_delivered, Millis(now), id];
            let since: Option<Option<Millis>> =
                connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?;
            Ok(since.flatten().map(|at| at.0))
        })
        .await
    }

    async fn end_hook(&self, id: &str, why: &str) -> Result<(), StoreError> {
        let (id, why, now) = (id.to_owned(), why.to_owned(), self.now());
        self.write(move |connection| {
            let sql = "UPDATE hook SET ended_at = ?, ended_why = ?, changes = changes + 1
                WHERE id = ? AND ended_at IS NULL";
            connection.prepare_cached(sql)?.execute(params![Millis(now), why, id])?;
            Ok(())
        })
        .await
    }
}
