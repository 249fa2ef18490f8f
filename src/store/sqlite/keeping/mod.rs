//! How long what is stored about people is kept.

mod erase;
mod retention;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::people::alive;
use super::rows::{Id, Millis};
use super::{SqliteStore, file};
use crate::crypto::Keyring;
use crate::domain::{EventId, FirmId, PersonId};
use crate::store::keeping::{HELD, open_why, seal_why};
use crate::store::{CannotErase, Erased, Hold, Keeping, Kept, LetGo, Papers, StoreError};

#[async_trait]
impl Keeping for SqliteStore {
    async fn let_go(
        &self,
        firm: &FirmId,
        class: Kept,
        before: Timestamp,
        after: Option<String>,
    ) -> Result<LetGo, StoreError> {
        let firm = firm.as_str().to_owned();
        self.write(move |connection| retention::let_go(connection, &firm, class, before, after)).await
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let wiping = tokio::task::spawn_blocking(move || retention::cut_log(&file::connect(&path)?));
        wiping.await.map_err(|_| StoreError::Unavailable("the database could not be tidied".into()))?
    }

    async fn hold(&self, person: PersonId, why: &str, by: &str) -> Result<Option<Hold>, StoreError> {
        let (why, by, now, keyring) = (why.to_owned(), by.to_owned(), self.now(), Arc::clone(&self.keyring));
        self.write(move |connection| {
            let Some((firm, person)) = alive(connection, person)? else { return Ok(None) };
            let id = Uuid::now_v7();
            let sql =
                "INSERT INTO legal_hold (id, firm, sealed_why, held_at, held_by) VALUES (?, ?, ?, ?, ?)";
            let values = params![Id(EventId(id)), firm, seal_why(&keyring, id, &why), Millis(now), by];
            connection.prepare_cached(sql)?.execute(values)?;
            let sql = "INSERT INTO legal_hold_person (hold, person) VALUES (?, ?)";
            connection.prepare_cached(sql)?.execute(params![Id(EventId(id)), person])?;
            Ok(Some(Hold {
                id,
                firm: FirmId::new(firm),
                people: vec![PersonId(person)],
                why,
                held_at: now,
                held_by: by,
                released_at: None,
                released_by: None,
            }))
        })
        .await
    }

    async fn release_holds(&self, person: PersonId, by: &str) -> Result<u64, StoreError> {
        let (by, now) = (by.to_owned(), self.now());
        self.write(move |connection| {
            let mut released = 0;
            for one in everybody(connection, person)? {
                let sql = "UPDATE legal_hold SET released_at = ?, released_by = ?
                    WHERE id IN (SELECT hold FROM legal_hold_person WHERE person = ?) AND released_at IS NULL";
                released += connection.prepare_cached(sql)?.execute(params![Millis(now), by, one])?;
            }
            Ok(released as u64)
        })
        .await
    }

    async fn holds(&self, person: Option<PersonId>) -> Result<Vec<Hold>, StoreError> {
        self.read(move |connection, keyring| match person {
            None => all_holds(connection, keyring),
            Some(person) => holds_of(connection, keyring, &everybody(connection, person)?),
        })
        .await
    }

    async fn papers(&self, person: PersonId) -> Result<Option<Papers>, StoreError> {
        self.read(move |connection, keyring| erase::papers(connection, keyring, person)).await
    }

    async fn erase(&self, person: PersonId, by: &str) -> Result<Result<Erased, CannotErase>, StoreError> {
        let (by, now, keyring) = (by.to_owned(), self.now(), Arc::clone(&self.keyring));
        self.write(move |connection| erase::erase(connection, &keyring, person, by, now)).await
    }
}

/// The numbers of a person and of all who were merged into them; nobody if there is no such person.
fn everybody(connection: &Connection, person: PersonId) -> Result<Vec<i64>, StoreError> {
    let Some((_, person)) = alive(connection, person)? else { return Ok(Vec::new()) };
    let sql = "WITH RECURSIVE merged (id) AS (SELECT ? UNION SELECT person.id FROM merged
            JOIN person ON person.merged_into = merged.id) SELECT id FROM merged";
    let mut select = connection.prepare_cached(sql)?;
    Ok(select.query_map([person], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The numbers of everybody whom a hold is about.
fn held(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut select = connection.prepare_cached(HELD)?;
    Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Puts those who leave a person under the same holds.
pub(super) fn hold_with(connection: &Connection, from: i64, to: i64) -> Result<(), StoreError> {
    for one in everybody(connection, PersonId(from))? {
        let sql = "INSERT INTO legal_hold_person (hold, person)
            SELECT hold, ? FROM legal_hold_person WHERE person = ? ON CONFLICT DO NOTHING";
        connection.prepare_cached(sql)?.execute([to, one])?;
    }
    Ok(())
}

fn all_holds(connection: &Connection, keyring: &Keyring) -> Result<Vec<Hold>, StoreError> {
    let mut select = connection.prepare_cached("SELECT DISTINCT person FROM legal_hold_person")?;
    let people = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    holds_of(connection, keyring, &people)
}

fn holds_of(connection: &Connection, keyring: &Keyring, people: &[i64]) -> Result<Vec<Hold>, StoreError> {
    let sql =
        "SELECT DISTINCT id, firm, sealed_why, held_at, held_by, released_at, released_by FROM legal_hold
        WHERE id IN (SELECT hold FROM legal_hold_person WHERE person = ?)";
    let mut select = connection.prepare_cached(sql)?;
    let mut about = connection.prepare_cached("SELECT person FROM legal_hold_person WHERE hold = ?")?;
    let mut found: Vec<Hold> = Vec::new();
    for person in people {
        let mut rows = select.query([person])?;
        while let Some(row) = rows.next()? {
            let id = row.get::<_, Id>(0)?.0.0;
            if found.iter().any(|hold| hold.id == id) {
                continue;
            }
            let people = about.query_map([Id(EventId(id))], |row| Ok(PersonId(row.get(0)?)))?;
            found.push(Hold {
                id,
                firm: FirmId::new(row.get::<_, String>(1)?),
                people: people.collect::<Result<_, _>>()?,
                why: open_why(keyring, id, &row.get::<_, Vec<u8>>(2)?)?,
                held_at: row.get::<_, Millis>(3)?.0,
                held_by: row.get(4)?,
                released_at: row.get::<_, Option<Millis>>(5)?.map(|at| at.0),
                released_by: row.get(6)?,
            });
        }
    }
    found.sort_by_key(|hold| hold.id);
    Ok(found)
}
