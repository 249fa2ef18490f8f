//! Who may sign in, who is signed in, and what people did.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{QueryBuilder, Row};
use uuid::Uuid;

use super::core::in_transaction;
use super::rows::{Fault, count, moment, text, word};
use super::{NO_FIRM, PostgresStore, read};
use crate::crypto::Keyring;
use crate::domain::{FirmId, Reach, Role};
use crate::store::access::{
    MOST_ACCOUNTS, SESSION_NOTED, open_password, open_reason, reach_column, read_reach, seal_password,
    seal_reason,
};
use crate::store::{
    Access, Account, AuditEntry, AuditFilter, AuditRow, Changed, Digest, LONGEST_SESSION, NewAccount,
    PasswordHash, StoreError,
};

/// Held while accounts are changed, so that the last administrator is not removed twice over.
const LOCK: &str = "LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE";

fn later(now: Timestamp, by: SignedDuration) -> i64 {
    now.saturating_add(by).unwrap_or(Timestamp::MAX).as_millisecond()
}

fn read_account(row: &PgRow) -> Result<Account, Fault> {
    Ok(Account {
        name: row.try_get("name")?,
        role: word(row, "role")?,
        reach: read_reach(row.try_get("firms")?)?,
        created_at: moment(row, "created_at")?,
    })
}

async fn insert(
    connection: &mut PgConnection,
    new: &NewAccount,
    sealed: &[u8],
    now: Timestamp,
) -> Result<bool, Fault> {
    let sql =
        "INSERT INTO account (name, role, firms, sealed_password, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    let insert = sqlx::query(sql).bind(&new.name).bind(new.role.as_str()).bind(reach_column(&new.reach));
    let done = insert.bind(sealed).bind(now.as_millisecond()).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// Whether somebody governs whose name is another.
async fn another_governs(connection: &mut PgConnection, name: &str) -> Result<bool, Fault> {
    sqlx::query(LOCK).execute(&mut *connection).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE role = 'admin' AND firms IS NULL AND name <> $1)";
    Ok(sqlx::query(sql).bind(name).fetch_one(connection).await?.try_get(0)?)
}

async fn end_sessions(connection: &mut PgConnection, name: &str) -> Result<(), Fault> {
    sqlx::query("DELETE FROM session WHERE account = $1").bind(name).execute(connection).await?;
    Ok(())
}

async fn change(
    connection: &mut PgConnection,
    name: &str,
    role: Role,
    firms: Option<String>,
) -> Result<Changed, Fault> {
    let governs = role == Role::Admin && firms.is_none();
    if !governs && !another_governs(connection, name).await? {
        return Ok(Changed::LastAdmin);
    }
    let sql = "UPDATE account SET role = $1, firms = $2 WHERE name = $3";
    let update = sqlx::query(sql).bind(role.as_str()).bind(firms).bind(name);
    if update.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(Changed::Nobody);
    }
    end_sessions(connection, name).await?;
    Ok(Changed::Yes)
}

async fn remove(connection: &mut PgConnection, name: &str) -> Result<Changed, Fault> {
    if !another_governs(connection, name).await? {
        return Ok(Changed::LastAdmin);
    }
    end_sessions(connection, name).await?;
    let removed = sqlx::query("DELETE FROM account WHERE name = $1").bind(name).execute(connection).await?;
    Ok(if removed.rows_affected() == 1 { Changed::Yes } else { Changed::Nobody })
}

#[async_trait]
impl Access for PostgresStore {
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let sql = "SELECT name, role, firms, created_at FROM account ORDER BY name LIMIT $1";
        let listing = async {
            let rows = sqlx::query(sql).bind(MOST_ACCOUNTS).fetch_all(&self.core.pool).await?;
            rows.iter().map(read_account).collect()
        };
        read(listing).await
    }

    async fn account(&self, name: &str) -> Result<Option<(Account, PasswordHash)>, StoreError> {
        let sql = "SELECT name, role, firms, created_at, sealed_password FROM account WHERE name = $1";
        let finding = async {
            let row = sqlx::query(sql).bind(text(name)).fetch_optional(&self.core.pool).await?;
            let Some(row) = row else { return Ok(None) };
            let password = open_password(&self.keyring, name, row.try_get("sealed_password")?)?;
            Ok(Some((read_account(&row)?, password)))
        };
        read(finding).await
    }

    async fn add_account(&self, new: NewAccount) -> Result<bool, StoreError> {
        let sealed = seal_password(&self.keyring, &new.name, &new.password);
        let (new, sealed) = (&new, &sealed);
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| insert(connection, new, sealed, now))?)
    }

    async fn change_account(&self, name: &str, role: Role, reach: &Reach) -> Result<Changed, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| {
            change(connection, name, role, reach_column(reach))
        })?)
    }

    async fn change_password(&self, name: &str, password: PasswordHash) -> Result<bool, StoreError> {
        let sealed = &seal_password(&self.keyring, name, &password);
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| async {
            let sql = "UPDATE account SET sealed_password = $1 WHERE name = $2";
            let done = sqlx::query(sql).bind(sealed).bind(name).execute(&mut *connection).await?;
            end_sessions(connection, name).await?;
            Ok::<_, Fault>(done.rows_affected() == 1)
        })?)
    }

    async fn remove_account(&self, name: &str) -> Result<Changed, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, _now| remove(connection, name))?)
    }

    async fn offer_setup(&self, link: Digest, life: SignedDuration) -> Result<bool, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| async {
            sqlx::query(LOCK).execute(&mut *connection).await?;
            sqlx::query("DELETE FROM setup_link").execute(&mut *connection).await?;
            let sql = "INSERT INTO setup_link (link, expires_at)
                SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM account)";
            let insert = sqlx::query(sql).bind(&link[..]).bind(later(now, life));
            Ok::<_, Fault>(insert.execute(connection).await?.rows_affected() == 1)
        })?)
    }

    async fn is_setup_link(&self, link: Digest) -> Result<bool, StoreError> {
        let now = self.core.now().await?;
        let sql = "SELECT EXISTS (SELECT 1 FROM setup_link WHERE link = $1 AND expires_at > $2)";
        let query = sqlx::query(sql).bind(&link[..]).bind(now.as_millisecond());
        read(async { Ok(query.fetch_one(&self.core.pool).await?.try_get(0)?) }).await
    }

    async fn set_up(&self, link: Digest, first: NewAccount) -> Result<bool, StoreError> {
        let sealed = seal_password(&self.keyring, &first.name, &first.password);
        let (first, sealed) = (&first, &sealed);
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| async {
            sqlx::query(LOCK).execute(&mut *connection).await?;
            let sql = "DELETE FROM setup_link WHERE link = $1 AND expires_at > $2
                AND NOT EXISTS (SELECT 1 FROM account)";
            let delete = sqlx::query(sql).bind(&link[..]).bind(now.as_millisecond());
            let is_good = delete.execute(&mut *connection).await?.rows_affected() == 1;
            Ok::<_, Fault>(is_good && insert(connection, first, sealed, now).await?)
        })?)
    }

    async fn open_session(&self, token: Digest, name: &str, idle: SignedDuration) -> Result<(), StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| async {
            let sql = "DELETE FROM session WHERE idle_until <= $1";
            sqlx::query(sql).bind(now.as_millisecond()).execute(&mut *connection).await?;
            let sql = "INSERT INTO session (token, account, created_at, idle_until, ends_at)
                VALUES ($1, $2, $3, $4, $5)";
            let insert = sqlx::query(sql).bind(&token[..]).bind(name).bind(now.as_millisecond());
            insert.bind(later(now, idle)).bind(later(now, LONGEST_SESSION)).execute(connection).await?;
            Ok::<_, Fault>(())
        })?)
    }

    async fn session(&self, token: Digest, idle: SignedDuration) -> Result<Option<Account>, StoreError> {
        let now = self.core.now().await?;
        let going_on = async {
            let sql = "SELECT account.name, role, firms, account.created_at, idle_until, ends_at
                FROM session JOIN account ON account.name = session.account
                WHERE token = $1 AND idle_until > $2";
            let find = sqlx::query(sql).bind(&token[..]).bind(now.as_millisecond());
            let Some(row) = find.fetch_optional(&self.core.pool).await? else { return Ok(None) };
            let (idle_until, ends_at): (i64, i64) = (row.try_get("idle_until")?, row.try_get("ends_at")?);
            let noted = i64::try_from(SESSION_NOTED.as_millis()).unwrap_or(i64::MAX);
            let due = later(now, idle) - noted;
            if idle_until < due.min(ends_at) {
                let sql =
                    "UPDATE session SET idle_until = least($1, ends_at) WHERE token = $2 AND idle_until > $3";
                let update = sqlx::query(sql).bind(later(now, idle)).bind(&token[..]);
                update.bind(now.as_millisecond()).execute(&self.core.pool).await?;
            }
            Ok(Some(read_account(&row)?))
        };
        read(going_on).await
    }

    async fn end_session(&self, token: Digest) -> Result<Option<String>, StoreError> {
        let delete = sqlx::query("DELETE FROM session WHERE token = $1 RETURNING account").bind(&token[..]);
        let ending = async {
            let row = delete.fetch_optional(&self.core.pool).await?;
            Ok(row.map(|row| row.try_get("account")).transpose()?)
        };
        read(ending).await
    }

    async fn count_try(&self, by: Digest, window: SignedDuration) -> Result<u64, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| async {
            let over = now.saturating_sub(window).unwrap_or(Timestamp::MIN).as_millisecond();
            let sql = "DELETE FROM sign_in_try WHERE began_at <= $1";
            sqlx::query(sql).bind(over).execute(&mut *connection).await?;
            let sql = "INSERT INTO sign_in_try (counted_by, tries, began_at) VALUES ($1, 1, $2)
                ON CONFLICT (counted_by) DO UPDATE SET tries = sign_in_try.tries + 1 RETURNING tries";
            let row = sqlx::query(sql).bind(&by[..]).bind(now.as_millisecond()).fetch_one(connection).await?;
            count(&row, "tries")
        })?)
    }

    async fn forget_tries(&self, by: Digest) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM sign_in_try WHERE counted_by = $1").bind(&by[..]);
        read(async { Ok(delete.execute(&self.core.pool).await.map(|_| ())?) }).await
    }

    async fn note_deed(&self, deed: AuditEntry) -> Result<(), StoreError> {
        let (id, now) = (Uuid::now_v7(), self.core.now().await?);
        let sealed = seal_reason(&self.keyring, id, deed.reason.as_deref());
        let sql = "INSERT INTO audit (id, at, who, what, firm, about, sealed_reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let insert = sqlx::query(sql).bind(id).bind(now.as_millisecond()).bind(text(&deed.who));
        let insert = insert.bind(deed.deed.as_str()).bind(deed.firm.as_ref().map(|firm| text(firm.as_str())));
        let insert = insert.bind(deed.about.as_deref().map(text)).bind(sealed);
        read(async { Ok(insert.execute(&self.core.pool).await.map(|_| ())?) }).await
    }

    async fn audit_log(&self, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        let mut sql: QueryBuilder<Postgres> =
            QueryBuilder::new("SELECT id, at, who, what, firm, about, sealed_reason FROM audit WHERE true");
        if let Some(firms) = &filter.within {
            let firms: Vec<String> = firms.iter().map(|firm| text(firm.as_str())).collect();
            sql.push(" AND firm = ANY(").push_bind(firms).push(")");
        }
        if let Some(who) = &filter.who {
            sql.push(" AND who = ").push_bind(text(who));
        }
        if let Some(before) = filter.before {
            sql.push(" AND id < ").push_bind(before);
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(i64::try_from(filter.limit).unwrap_or(i64::MAX));
        let listing = async {
            let rows = sql.build().fetch_all(&self.core.pool).await?;
            rows.iter().map(|row| read_deed(&self.keyring, row)).collect()
        };
        read(listing).await
    }
}

fn read_deed(keyring: &Keyring, row: &PgRow) -> Result<AuditRow, Fault> {
    let id: Uuid = row.try_get("id")?;
    Ok(AuditRow {
        id,
        at: moment(row, "at")?,
        who: row.try_get("who")?,
        what: word(row, "what")?,
        firm: row.try_get::<Option<String>, _>("firm")?.map(FirmId::new),
        about: row.try_get("about")?,
        reason: open_reason(keyring, id, row.try_get("sealed_reason")?)?,
    })
}
