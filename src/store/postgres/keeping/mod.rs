//! How long what is stored about people is kept.

mod erase;
mod retention;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use super::core::in_transaction;
use super::people::{alive, alive_on};
use super::rows::{Fault, moment, moment_if_any, text};
use super::{PostgresStore, read};
use crate::crypto::Keyring;
use crate::domain::{FirmId, PersonId};
use crate::store::keeping::{HELD, open_why, seal_why};
use crate::store::{CannotErase, Erased, Hold, Keeping, Kept, LetGo, Papers, StoreError};

#[async_trait]
impl Keeping for PostgresStore {
    async fn let_go(
        &self,
        firm: &FirmId,
        class: Kept,
        before: Timestamp,
        after: Option<String>,
    ) -> Result<LetGo, StoreError> {
        let bound = read(super::sweeps::first_row_since(&self.core.pool, before)).await?;
        let bound = bound.saturating_add(2 * super::sweeps::BATCH);
        let step = retention::Step { firm: firm.as_str(), before, bound, after: after.as_deref() };
        // With the firm's lock: an event cannot be replayed while its body goes.
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, _now| retention::let_go(
            connection, class, &step
        ))?)
    }

    async fn wipe(&self) -> Result<(), StoreError> {
        // It reads whole tables, so it has no deadline.
        Ok(retention::vacuum(&self.core.pool).await?)
    }

    async fn hold(&self, person: PersonId, why: &str, by: &str) -> Result<Option<Hold>, StoreError> {
        let Some((firm, _)) = read(alive(&self.core.pool, person)).await? else { return Ok(None) };
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, now| hold(
            connection,
            &self.keyring,
            person,
            why,
            by,
            now
        ))?)
    }

    async fn release_holds(&self, person: PersonId, by: &str) -> Result<u64, StoreError> {
        let releasing = async {
            let mut connection = self.core.pool.acquire().await?;
            let now = self.core.now().await?;
            let everybody = everybody(&mut connection, person).await?;
            let sql = "UPDATE legal_hold SET released_at = $1, released_by = $2
                WHERE id IN (SELECT hold FROM legal_hold_person WHERE person = ANY($3)) AND released_at IS NULL";
            let update = sqlx::query(sql).bind(now.as_millisecond()).bind(text(by)).bind(&everybody);
            Ok(update.execute(&mut *connection).await?.rows_affected())
        };
        read(releasing).await
    }

    async fn holds(&self, person: Option<PersonId>) -> Result<Vec<Hold>, StoreError> {
        let reading = async {
            let mut connection = self.core.pool.acquire().await?;
            let people = match person {
                Some(person) => Some(everybody(&mut connection, person).await?),
                None => None,
            };
            holds_of(&mut connection, &self.keyring, people.as_deref()).await
        };
        read(reading).await
    }

    async fn papers(&self, person: PersonId) -> Result<Option<Papers>, StoreError> {
        let reading = async {
            let mut connection = self.core.pool.acquire().await?;
            erase::papers(&mut connection, &self.keyring, person).await
        };
        read(reading).await
    }

    async fn erase(&self, person: PersonId, by: &str) -> Result<Result<Erased, CannotErase>, StoreError> {
        let Some((firm, _)) = read(alive(&self.core.pool, person)).await? else {
            return Ok(Err(CannotErase::NotThere));
        };
        Ok(in_transaction!(&self.core, &[firm.as_str()], |connection, now| erase::erase(
            connection,
            &self.keyring,
            person,
            by,
            now
        ))?)
    }
}

async fn hold(
    connection: &mut PgConnection,
    keyring: &Keyring,
    person: PersonId,
    why: &str,
    by: &str,
    now: Timestamp,
) -> Result<Option<Hold>, Fault> {
    let Some((firm, person)) = alive_on(connection, person).await? else { return Ok(None) };
    let id = Uuid::now_v7();
    let sql = "INSERT INTO legal_hold (id, firm, sealed_why, held_at, held_by) VALUES ($1, $2, $3, $4, $5)";
    let insert = sqlx::query(sql).bind(id).bind(&firm).bind(seal_why(keyring, id, why));
    insert.bind(now.as_millisecond()).bind(text(by)).execute(&mut *connection).await?;
    let sql = "INSERT INTO legal_hold_person (hold, person) VALUES ($1, $2)";
    sqlx::query(sql).bind(id).bind(person).execute(&mut *connection).await?;
    Ok(Some(Hold {
        id,
        firm: FirmId::new(firm),
        people: vec![PersonId(person)],
        why: why.to_owned(),
        held_at: now,
        held_by: by.to_owned(),
        released_at: None,
        released_by: None,
    }))
}

/// The numbers of a person and of all who were merged into them; nobody if there is no such person.
async fn everybody(connection: &mut PgConnection, person: PersonId) -> Result<Vec<i64>, Fault> {
    let Some((_, person)) = alive_on(connection, person).await? else { return Ok(Vec::new()) };
    let sql = "WITH RECURSIVE merged AS (SELECT $1::bigint AS id UNION SELECT person.id FROM merged
            JOIN person ON person.merged_into = merged.id) SELECT id FROM merged";
    Ok(sqlx::query_scalar(sql).bind(person).fetch_all(connection).await?)
}

/// The numbers of everybody whom a hold is about.
async fn held(connection: &mut PgConnection) -> Result<Vec<i64>, Fault> {
    Ok(sqlx::query_scalar(HELD).fetch_all(connection).await?)
}

/// Puts those who leave a person under the same holds.
pub(super) async fn hold_with(connection: &mut PgConnection, from: i64, to: i64) -> Result<(), Fault> {
    let everybody = everybody(connection, PersonId(from)).await?;
    let sql = "INSERT INTO legal_hold_person (hold, person)
        SELECT DISTINCT hold, $1::bigint FROM legal_hold_person WHERE person = ANY($2) ON CONFLICT DO NOTHING";
    sqlx::query(sql).bind(to).bind(&everybody).execute(connection).await?;
    Ok(())
}

/// The holds on these people; all there are, if nobody is named.
async fn holds_of(
    connection: &mut PgConnection,
    keyring: &Keyring,
    people: Option<&[i64]>,
) -> Result<Vec<Hold>, Fault> {
    let sql = "SELECT id, firm, sealed_why, held_at, held_by, released_at, released_by,
            ARRAY(SELECT person FROM legal_hold_person WHERE hold = legal_hold.id ORDER BY person) AS people
        FROM legal_hold WHERE $1::bigint[] IS NULL
            OR id IN (SELECT hold FROM legal_hold_person WHERE person = ANY($1)) ORDER BY id";
    let rows = sqlx::query(sql).bind(people).fetch_all(connection).await?;
    let read = |row: &PgRow| -> Result<Hold, Fault> {
        let id = row.try_get("id")?;
        let people: Vec<i64> = row.try_get("people")?;
        Ok(Hold {
            id,
            firm: FirmId::new(row.try_get::<String, _>("firm")?),
            people: people.into_iter().map(PersonId).collect(),
            why: open_why(keyring, id, row.try_get("sealed_why")?)?,
            held_at: moment(row, "held_at")?,
            held_by: row.try_get("held_by")?,
            released_at: moment_if_any(row, "released_at")?,
            released_by: row.try_get("released_by")?,
        })
    };
    rows.iter().map(read).collect()
}
