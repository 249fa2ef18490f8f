//! Tokens for programs, and what was answered to their calls.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, params};

use super::rows::{Id, Millis};
use super::{SqliteStore, claims};
use crate::domain::EventId;
use crate::store::api_tokens::{ActionAnswer, ApiToken, ApiTokens, NewToken, list, open, read_list, seal};
use crate::store::{Digest, Lease, Settled, StoreError};

const COLUMNS: &str = "SELECT id, name, firms, actions, made_at, made_by, revoked_at FROM api_token";

fn token(row: &Row<'_>) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: row.get(0)?,
        name: row.get(1)?,
        firms: read_list(&row.get::<_, String>(2)?)?,
        actions: read_list(&row.get::<_, String>(3)?)?,
        made_at: row.get::<_, Millis>(4)?.0,
        made_by: row.get(5)?,
        revoked_at: row.get::<_, Option<Millis>>(6)?.map(|at| at.0),
    })
}

#[async_trait]
impl ApiTokens for SqliteStore {
    async fn add_token(&self, new: NewToken) -> Result<(), StoreError> {
        let now = self.now();
        self.write(move |connection| {
            let sql = "INSERT INTO api_token (id, name, digest, firms, actions, made_at, made_by)
                VALUES (?, ?, ?, ?, ?, ?, ?)";
            let (firms, actions) = (list(&new.firms), list(&new.actions));
            let values = params![new.id, new.name, new.digest, firms, actions, Millis(now), new.by];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        self.read(|connection, _| {
            let mut select = connection.prepare_cached(&format!("{COLUMNS} ORDER BY made_at, id"))?;
            let mut rows = select.query([])?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(token(row)?);
            }
            Ok(tokens)
        })
        .await
    }

    async fn token_by(&self, digest: Digest) -> Result<Option<ApiToken>, StoreError> {
        self.read(move |connection, _| {
            let sql = format!("{COLUMNS} WHERE digest = ? AND revoked_at IS NULL");
            let mut select = connection.prepare_cached(&sql)?;
            let mut rows = select.query(params![digest])?;
            rows.next()?.map(token).transpose()
        })
        .await
    }

    async fn revoke_token(&self, id: &str) -> Result<bool, StoreError> {
        let (id, now) = (id.to_owned(), self.now());
        self.write(move |connection| {
            let sql = "UPDATE api_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL";
            Ok(connection.prepare_cached(sql)?.execute(params![Millis(now), id])? > 0)
        })
        .await
    }

    async fn save_answer(&self, lease: &Lease, answer: ActionAnswer) -> Result<Settled, StoreError> {
        let (lease, now) = (lease.clone(), self.now());
        let sealed = seal(&self.keyring, lease.event, &answer.body);
        self.write(move |connection| {
            if claims::held(connection, &lease)?.is_none() {
                return Ok(Settled::LeaseLost);
            }
            let sql = "INSERT INTO action_answer (event, status, why, sealed_answer, answered_at)
                VALUES (?, ?, ?, ?, ?) ON CONFLICT (event) DO UPDATE SET status = excluded.status,
                why = excluded.why, sealed_answer = excluded.sealed_answer, answered_at = excluded.answered_at";
            let values = params![Id(lease.event), answer.status, answer.why, sealed, Millis(now)];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(Settled::Yes)
        })
        .await
    }

    async fn answer(&self, event: EventId) -> Result<Option<ActionAnswer>, StoreError> {
        self.read(move |connection, keyring| {
            let sql = "SELECT status, why, sealed_answer FROM action_answer WHERE event = ?";
            let row = connection
                .prepare_cached(sql)?
                .query_row([Id(event)], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?)));
            let Some((status, why, sealed)) = row.optional()? else { return Ok(None) };
            Ok(Some(ActionAnswer { status, why, body: open(keyring, event, &sealed)? }))
        })
        .await
    }
}
