//! Tokens for programs, and what was answered to their calls.

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::core::in_transaction;
use super::rows::{Fault, moment, moment_if_any, text};
use super::{NO_FIRM, PostgresStore, claims, read};
use crate::domain::EventId;
use crate::store::api_tokens::{ActionAnswer, ApiToken, ApiTokens, NewToken, list, open, read_list, seal};
use crate::store::{Digest, Lease, Settled, StoreError};

const COLUMNS: &str = "SELECT id, name, firms, actions, made_at, made_by, revoked_at FROM api_token";

fn token(row: &PgRow) -> Result<ApiToken, Fault> {
    Ok(ApiToken {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        firms: read_list(row.try_get("firms")?)?,
        actions: read_list(row.try_get("actions")?)?,
        made_at: moment(row, "made_at")?,
        made_by: row.try_get("made_by")?,
        revoked_at: moment_if_any(row, "revoked_at")?,
    })
}

async fn save(
    connection: &mut PgConnection,
    lease: &Lease,
    answer: &ActionAnswer,
    sealed: &[u8],
    now: jiff::Timestamp,
) -> Result<Settled, Fault> {
    if claims::held(connection, lease).await?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    let sql = "INSERT INTO action_answer (event, status, why, sealed_answer, answered_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (event) DO UPDATE SET status = excluded.status,
        why = excluded.why, sealed_answer = excluded.sealed_answer, answered_at = excluded.answered_at";
    let insert = sqlx::query(sql).bind(lease.event.0).bind(answer.status.map(i64::from));
    let insert = insert.bind(answer.why.as_deref().map(text)).bind(sealed);
    insert.bind(now.as_millisecond()).execute(connection).await?;
    Ok(Settled::Yes)
}

#[async_trait]
impl ApiTokens for PostgresStore {
    async fn add_token(&self, new: NewToken) -> Result<(), StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql = "INSERT INTO api_token (id, name, digest, firms, actions, made_at, made_by)
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let insert = sqlx::query(sql).bind(&new.id).bind(text(&new.name)).bind(&new.digest[..]);
            let insert = insert.bind(text(&list(&new.firms))).bind(text(&list(&new.actions)));
            insert.bind(now.as_millisecond()).bind(text(&new.by)).execute(&self.core.pool).await?;
            Ok(())
        })
        .await
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        read(async {
            let sql = AssertSqlSafe(format!("{COLUMNS} ORDER BY made_at, id"));
            let rows = sqlx::query(sql).fetch_all(&self.core.pool).await?;
            rows.iter().map(token).collect()
        })
        .await
    }

    async fn token_by(&self, digest: Digest) -> Result<Option<ApiToken>, StoreError> {
        read(async {
            let sql = AssertSqlSafe(format!("{COLUMNS} WHERE digest = $1 AND revoked_at IS NULL"));
            let row = sqlx::query(sql).bind(&digest[..]).fetch_optional(&self.core.pool).await?;
            row.as_ref().map(token).transpose()
        })
        .await
    }

    async fn revoke_token(&self, id: &str) -> Result<bool, StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql = "UPDATE api_token SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
            let update = sqlx::query(sql).bind(now.as_millisecond()).bind(text(id));
            Ok(update.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn save_answer(&self, lease: &Lease, answer: ActionAnswer) -> Result<Settled, StoreError> {
        let sealed = seal(&self.keyring, lease.event, &answer.body);
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| save(
            connection, lease, &answer, &sealed, now
        ))?)
    }

    async fn answer(&self, event: EventId) -> Result<Option<ActionAnswer>, StoreError> {
        read(async {
            let sql = "SELECT status, why, sealed_answer FROM action_answer WHERE event = $1";
            let row = sqlx::query(sql).bind(event.0).fetch_optional(&self.core.pool).await?;
            let Some(row) = row else { return Ok(None) };
            let status: Option<i64> = row.try_get("status")?;
            Ok(Some(ActionAnswer {
                status: status.and_then(|status| u16::try_from(status).ok()),
                why: row.try_get("why")?,
                body: open(&self.keyring, event, row.try_get("sealed_answer")?)?,
            }))
        })
        .await
    }
}
