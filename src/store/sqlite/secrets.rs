//! Since when secrets are known, and which key seals what.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::SqliteStore;
use super::rows::{Id, Millis};
use crate::crypto::{Keyring, Place};
use crate::store::StoreError;
use crate::store::secrets::{
    Cursor, FINGERPRINTS, Order, Part, Resealed, SealedPlace, Secrets, adopt, kept_key_place,
};

#[async_trait]
impl Secrets for SqliteStore {
    async fn first_seen(&self, secrets: &[(String, [u8; 32])]) -> Result<Vec<Timestamp>, StoreError> {
        let (secrets, now) = (secrets.to_vec(), self.now());
        self.write(move |connection| first_seen(connection, &secrets, now)).await
    }

    async fn sealed_by(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(sealed_by).await
    }

    async fn reseal(
        &self,
        place: SealedPlace,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Resealed, StoreError> {
        let keyring = Arc::clone(&self.keyring);
        self.write(move |connection| reseal(connection, &keyring, place, after.as_ref(), most)).await
    }

    async fn forget_keys(&self) -> Result<Vec<String>, StoreError> {
        let keyring = Arc::clone(&self.keyring);
        self.write(move |connection| forget_keys(connection, &keyring)).await
    }
}

fn bind(at: usize) -> String {
    format!("?{at}")
}

fn first_seen(
    connection: &Connection,
    secrets: &[(String, [u8; 32])],
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    let sql =
        "INSERT INTO secret (reference, fingerprint, first_seen) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    let mut insert = connection.prepare_cached(sql)?;
    let sql = "SELECT first_seen FROM secret WHERE reference = ? AND fingerprint = ?";
    let mut select = connection.prepare_cached(sql)?;
    let mut seen = Vec::with_capacity(secrets.len());
    for (reference, fingerprint) in secrets {
        insert.execute(params![reference, fingerprint, Millis(now)])?;
        let at: Millis = select.query_row(params![reference, fingerprint], |row| row.get(0))?;
        seen.push(at.0);
    }
    Ok(seen)
}

fn sealed_by(connection: &Connection, keyring: &Keyring) -> Result<Vec<(String, u64)>, StoreError> {
    let mut counts = Vec::new();
    for (id, beginning) in keyring.beginnings() {
        let mut values = 0;
        for place in SealedPlace::ALL {
            let sql = place.count(bind, beginning.len());
            values += connection.query_row(&sql, [&beginning], |row| row.get::<_, i64>(0))?.unsigned_abs();
        }
        counts.push((id, values));
    }
    Ok(counts)
}

fn reseal(
    connection: &Connection,
    keyring: &Keyring,
    place: SealedPlace,
    after: Option<&Cursor>,
    most: usize,
) -> Result<Resealed, StoreError> {
    let beginning = keyring.beginning();
    let sql = place.select(bind, beginning.len(), after.is_some(), most);
    let mut bound = vec![Value::Blob(beginning)];
    bound.extend(after.into_iter().flat_map(|cursor| cursor.0.iter().map(value)));
    let mut select = connection.prepare_cached(&sql)?;
    let keys = place.key.len();
    let rows = select.query_map(params_from_iter(bound), |row| {
        let part = |at| {
            Ok::<_, rusqlite::Error>(match place.order() {
                Order::Number => Part::Number(row.get(at)?),
                Order::Text => Part::Text(row.get(at)?),
                Order::Id => Part::Id(row.get::<_, Id>(at)?.0.0),
            })
        };
        let cursor = Cursor((0..keys).map(part).collect::<Result<_, _>>()?);
        let name = match place.id {
            Some(_) => row.get::<_, Id>(keys + 1)?.0.to_string(),
            None => cursor.name(),
        };
        Ok((cursor, name, row.get::<_, Vec<u8>>(keys)?))
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut update = connection.prepare_cached(&place.update(bind))?;
    for (cursor, name, sealed) in &rows {
        let seal = Place { table: place.table, column: place.column, row: name };
        let anew = keyring.seal(seal, &zeroize::Zeroizing::new(keyring.open(seal, sealed)?));
        let key = cursor.0.iter().map(value);
        update.execute(params_from_iter(
            [Value::Blob(anew), Value::Blob(sealed.clone())].into_iter().chain(key),
        ))?;
    }
    let next = if rows.len() < most { None } else { rows.last().map(|(cursor, ..)| cursor.clone()) };
    Ok(Resealed { values: rows.len() as u64, next })
}

fn value(part: &Part) -> Value {
    match part {
        Part::Number(number) => Value::Integer(*number),
        Part::Text(text) => Value::Text(text.clone()),
        Part::Id(id) => Value::Blob(id.as_bytes().to_vec()),
    }
}

fn forget_keys(connection: &Connection, keyring: &Keyring) -> Result<Vec<String>, StoreError> {
    let beginning = keyring.beginning();
    for place in SealedPlace::ALL {
        let sql = place.count_others(bind, beginning.len());
        if connection.query_row(&sql, [&beginning], |row| row.get::<_, i64>(0))? > 0 {
            return Ok(Vec::new());
        }
    }
    let mut delete = connection.prepare("DELETE FROM seal_check WHERE key_id <> ? RETURNING key_id")?;
    let forgotten = delete.query_map([keyring.active()], |row| row.get(0))?;
    Ok(forgotten.collect::<Result<_, _>>()?)
}

/// Has fingerprints keyed by the key that is kept; the first time, by the one they are made with already.
pub(super) fn keep_fingerprint_key(connection: &Connection, keyring: &Keyring) -> Result<(), StoreError> {
    let sql = "SELECT sealed_key FROM kept_key WHERE name = ?";
    let known = |connection: &Connection| {
        connection.query_row(sql, [FINGERPRINTS], |row| row.get::<_, Vec<u8>>(0)).optional()
    };
    if known(connection)?.is_none() {
        let sealed = keyring.seal(kept_key_place(FINGERPRINTS), &keyring.fingerprint_key()[..]);
        let sql = "INSERT INTO kept_key (name, sealed_key) VALUES (?, ?) ON CONFLICT DO NOTHING";
        connection.execute(sql, params![FINGERPRINTS, sealed])?;
    }
    known(connection)?.map_or(Ok(()), |sealed| adopt(keyring, &sealed))
}
