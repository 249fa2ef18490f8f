//! Since when secrets are known, and which key seals what.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::{PgArguments, PgConnection, PgPool, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::core::in_transaction;
use super::rows::{Fault, from_millis};
use super::{NO_FIRM, PostgresStore};
use crate::crypto::{Keyring, Place};
use crate::domain::EventId;
use crate::store::StoreError;
use crate::store::secrets::{
    Cursor, FINGERPRINTS, Order, Part, Resealed, SealedPlace, Secrets, adopt, kept_key_place,
};

fn bind(at: usize) -> String {
    format!("${at}")
}

pub(super) async fn first_seen(
    connection: &mut PgConnection,
    secrets: &[(String, [u8; 32])],
    now: Timestamp,
) -> Result<Vec<Timestamp>, Fault> {
    let references: Vec<&str> = secrets.iter().map(|(reference, _)| reference.as_str()).collect();
    let fingerprints: Vec<&[u8]> = secrets.iter().map(|(_, fingerprint)| fingerprint.as_slice()).collect();
    let sql = "INSERT INTO secret (reference, fingerprint, first_seen)
        SELECT reference, fingerprint, $3 FROM unnest($1::text[], $2::bytea[]) AS asked (reference, fingerprint)
        ON CONFLICT DO NOTHING";
    let insert = sqlx::query(sql).bind(&references).bind(&fingerprints).bind(now.as_millisecond());
    insert.execute(&mut *connection).await?;
    let sql = "SELECT secret.first_seen
        FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS asked (reference, fingerprint, place)
        JOIN secret ON secret.reference = asked.reference COLLATE \"C\" AND secret.fingerprint = asked.fingerprint
        ORDER BY asked.place";
    let select = sqlx::query(sql).bind(&references).bind(&fingerprints);
    let rows = select.fetch_all(&mut *connection).await?;
    rows.iter().map(|row| from_millis(row.try_get(0)?)).collect()
}

pub(super) async fn sealed_by(pool: &PgPool, keyring: &Keyring) -> Result<Vec<(String, u64)>, Fault> {
    let mut counts = Vec::new();
    for (id, beginning) in keyring.beginnings() {
        let mut values = 0;
        for place in SealedPlace::ALL {
            let sql = place.count(bind, beginning.len());
            let row = sqlx::query(AssertSqlSafe(sql)).bind(&beginning).fetch_one(pool).await?;
            values += row.try_get::<i64, _>(0)?.unsigned_abs();
        }
        counts.push((id, values));
    }
    Ok(counts)
}

pub(super) async fn reseal(
    connection: &mut PgConnection,
    keyring: &Keyring,
    place: SealedPlace,
    after: Option<&Cursor>,
    most: usize,
) -> Result<Resealed, Fault> {
    let beginning = keyring.beginning();
    let sql = place.select(bind, beginning.len(), after.is_some(), most);
    let select = sqlx::query(AssertSqlSafe(sql)).bind(beginning);
    let select = after.into_iter().flat_map(|cursor| &cursor.0).fold(select, bind_part);
    let rows = select.fetch_all(&mut *connection).await?;
    let (found, mut last) = (rows.len(), None);
    for row in rows {
        let mut key = Vec::with_capacity(place.key.len());
        for at in 0..place.key.len() {
            key.push(match place.order() {
                Order::Number => Part::Number(row.try_get(at)?),
                Order::Text => Part::Text(row.try_get(at)?),
                Order::Id => Part::Id(row.try_get(at)?),
            });
        }
        let cursor = Cursor(key);
        let name = match place.id {
            Some(_) => EventId(row.try_get::<Uuid, _>("row_id")?).to_string(),
            None => cursor.name(),
        };
        let sealed: Vec<u8> = row.try_get("sealed")?;
        let seal = Place { table: place.table, column: place.column, row: &name };
        let anew = keyring.seal(seal, &zeroize::Zeroizing::new(keyring.open(seal, &sealed)?));
        let update = sqlx::query(AssertSqlSafe(place.update(bind))).bind(anew).bind(sealed);
        cursor.0.iter().fold(update, bind_part).execute(&mut *connection).await?;
        last = Some(cursor);
    }
    Ok(Resealed { values: found as u64, next: last.filter(|_| found == most) })
}

fn bind_part<'q>(query: Query<'q, Postgres, PgArguments>, part: &Part) -> Query<'q, Postgres, PgArguments> {
    match part {
        Part::Number(number) => query.bind(*number),
        Part::Text(text) => query.bind(text.clone()),
        Part::Id(id) => query.bind(*id),
    }
}

pub(super) async fn forget_keys(
    connection: &mut PgConnection,
    keyring: &Keyring,
) -> Result<Vec<String>, Fault> {
    let beginning = keyring.beginning();
    for place in SealedPlace::ALL {
        let sql = place.count_others(bind, beginning.len());
        let row = sqlx::query(AssertSqlSafe(sql)).bind(&beginning).fetch_one(&mut *connection).await?;
        if row.try_get::<i64, _>(0)? > 0 {
            return Ok(Vec::new());
        }
    }
    let sql = "DELETE FROM seal_check WHERE key_id <> $1 RETURNING key_id";
    let rows = sqlx::query(sql).bind(keyring.active()).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Has fingerprints keyed by the key that is kept; the first time, by the one they are made with already.
pub(super) async fn keep_fingerprint_key(pool: &PgPool, keyring: &Keyring) -> Result<(), Fault> {
    let select = async || {
        let sql = "SELECT sealed_key FROM kept_key WHERE name = $1";
        let row = sqlx::query(sql).bind(FINGERPRINTS).fetch_optional(pool).await?;
        row.map(|row| row.try_get::<Vec<u8>, _>(0)).transpose()
    };
    if select().await?.is_none() {
        let sealed = keyring.seal(kept_key_place(FINGERPRINTS), &keyring.fingerprint_key()[..]);
        let sql = "INSERT INTO kept_key (name, sealed_key) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(FINGERPRINTS).bind(sealed).execute(pool).await?;
    }
    if let Some(sealed) = select().await? {
        adopt(keyring, &sealed)?;
    }
    Ok(())
}

#[async_trait]
impl Secrets for PostgresStore {
    async fn first_seen(&self, secrets: &[(String, [u8; 32])]) -> Result<Vec<Timestamp>, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| first_seen(connection, secrets, now))?)
    }

    async fn sealed_by(&self) -> Result<Vec<(String, u64)>, StoreError> {
        // Counts everything there is, so it has no deadline.
        Ok(sealed_by(&self.core.pool, &self.keyring).await?)
    }

    async fn reseal(
        &self,
        place: SealedPlace,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Resealed, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| reseal(
            connection,
            &self.keyring,
            place,
            after.as_ref(),
            most
        ))?)
    }

    async fn forget_keys(&self) -> Result<Vec<String>, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| forget_keys(connection, &self.keyring))?)
    }
}
