//! Who may sign in, who is signed in, and what people did.

mod listing;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::SqliteStore;
use super::rows::{Millis, Word};
use crate::domain::{Reach, Role};
use crate::store::access::{SESSION_NOTED, open_password, reach_column, seal_password, seal_reason};
use crate::store::{
    Access, Account, AuditEntry, AuditFilter, AuditRow, Changed, Digest, LONGEST_SESSION, NewAccount,
    PasswordHash, StoreError,
};

fn later(now: Timestamp, by: SignedDuration) -> Millis {
    Millis(now.saturating_add(by).unwrap_or(Timestamp::MAX))
}

/// An account as its row has it; its firms are read afterwards, because they may not be what this build writes.
fn read_account(row: &Row<'_>) -> rusqlite::Result<(Account, Option<String>)> {
    let account = Account {
        name: row.get(0)?,
        role: row.get::<_, Word<Role>>(1)?.0,
        reach: Reach::Everywhere,
        created_at: row.get::<_, Millis>(3)?.0,
    };
    Ok((account, row.get(2)?))
}

fn with_reach((account, firms): (Account, Option<String>)) -> Result<Account, StoreError> {
    Ok(Account { reach: crate::store::access::read_reach(firms.as_deref())?, ..account })
}

fn insert(
    connection: &Connection,
    new: &NewAccount,
    sealed: &[u8],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO account (name, role, firms, sealed_password, created_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT DO NOTHING";
    let values = params![new.name, new.role.as_str(), reach_column(&new.reach), sealed, Millis(now)];
    Ok(connection.prepare_cached(sql)?.execute(values)? == 1)
}

/// Whether somebody governs whose name is another.
fn another_governs(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM account WHERE role = 'admin' AND firms IS NULL AND name <> ?)";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0))?)
}

fn end_sessions(connection: &Connection, name: &str) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM session WHERE account = ?")?.execute([name])?;
    Ok(())
}

/// Whose session it is, which is noted to go on.
fn go_on(
    connection: &Connection,
    token: Digest,
    idle: SignedDuration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE session SET idle_until = min(?, ends_at) WHERE token = ? AND idle_until > ?";
    connection.prepare_cached(sql)?.execute(params![later(now, idle), token, Millis(now)])?;
    Ok(())
}

#[async_trait]
impl Access for SqliteStore {
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read(|connection, _| listing::accounts(connection)).await
    }

    async fn account(&self, name: &str) -> Result<Option<(Account, PasswordHash)>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection, keyring| {
            let sql = "SELECT name, role, firms, created_at, sealed_password FROM account WHERE name = ?";
            let found = connection
                .prepare_cached(sql)?
                .query_row([&name], |row| Ok((read_account(row)?, row.get::<_, Vec<u8>>(4)?)))
                .optional()?;
            let Some((account, sealed)) = found else { return Ok(None) };
            Ok(Some((with_reach(account)?, open_password(keyring, &name, &sealed)?)))
        })
        .await
    }

    async fn add_account(&self, new: NewAccount) -> Result<bool, StoreError> {
        let (sealed, now) = (seal_password(&self.keyring, &new.name, &new.password), self.now());
        self.write(move |connection| insert(connection, &new, &sealed, now)).await
    }

    async fn change_account(&self, name: &str, role: Role, reach: &Reach) -> Result<Changed, StoreError> {
        let (name, firms) = (name.to_owned(), reach_column(reach));
        self.write(move |connection| {
            let governs = role == Role::Admin && firms.is_none();
            if !governs && !another_governs(connection, &name)? {
                return Ok(Changed::LastAdmin);
            }
            let sql = "UPDATE account SET role = ?, firms = ? WHERE name = ?";
            if connection.prepare_cached(sql)?.execute(params![role.as_str(), firms, name])? == 0 {
                return Ok(Changed::Nobody);
            }
            end_sessions(connection, &name)?;
            Ok(Changed::Yes)
        })
        .await
    }

    async fn change_password(&self, name: &str, password: PasswordHash) -> Result<bool, StoreError> {
        let (name, sealed) = (name.to_owned(), seal_password(&self.keyring, name, &password));
        self.write(move |connection| {
            let sql = "UPDATE account SET sealed_password = ? WHERE name = ?";
            let is_there = connection.prepare_cached(sql)?.execute(params![sealed, name])? == 1;
            end_sessions(connection, &name)?;
            Ok(is_there)
        })
        .await
    }

    async fn remove_account(&self, name: &str) -> Result<Changed, StoreError> {
        let name = name.to_owned();
        self.write(move |connection| {
            if !another_governs(connection, &name)? {
                return Ok(Changed::LastAdmin);
            }
            end_sessions(connection, &name)?;
            let removed =
                connection.prepare_cached("DELETE FROM account WHERE name = ?")?.execute([&name])?;
            Ok(if removed == 1 { Changed::Yes } else { Changed::Nobody })
        })
        .await
    }

    async fn offer_setup(&self, link: Digest, life: SignedDuration) -> Result<bool, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            connection.execute("DELETE FROM setup_link", [])?;
            let sql = "INSERT INTO setup_link (link, expires_at)
                SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM account)";
            Ok(connection.prepare_cached(sql)?.execute(params![link, later(now, life)])? == 1)
        })
        .await
    }

    async fn is_setup_link(&self, link: Digest) -> Result<bool, StoreError> {
        let now = self.now();
        self.read(move |connection, _| {
            let sql = "SELECT EXISTS (SELECT 1 FROM setup_link WHERE link = ? AND expires_at > ?)";
            Ok(connection.prepare_cached(sql)?.query_row(params![link, Millis(now)], |row| row.get(0))?)
        })
        .await
    }

    async fn set_up(&self, link: Digest, first: NewAccount) -> Result<bool, StoreError> {
        let (sealed, now) = (seal_password(&self.keyring, &first.name, &first.password), self.now());
        self.write(move |connection| {
            let sql = "DELETE FROM setup_link WHERE link = ? AND expires_at > ?
                AND NOT EXISTS (SELECT 1 FROM account)";
            let is_good = connection.prepare_cached(sql)?.execute(params![link, Millis(now)])? == 1;
            Ok(is_good && insert(connection, &first, &sealed, now)?)
        })
        .await
    }

    async fn open_session(&self, token: Digest, name: &str, idle: SignedDuration) -> Result<(), StoreError> {
        let (name, now) = (name.to_owned(), self.now());
        self.write(move |connection| {
            let sql = "DELETE FROM session WHERE idle_until <= ?";
            connection.prepare_cached(sql)?.execute([Millis(now)])?;
            let sql = "INSERT INTO session (token, account, created_at, idle_until, ends_at)
                VALUES (?, ?, ?, ?, ?)";
            let ends = later(now, LONGEST_SESSION);
            let values = params![token, name, Millis(now), later(now, idle), ends];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    async fn session(&self, token: Digest, idle: SignedDuration) -> Result<Option<Account>, StoreError> {
        let now = self.now();
        let found = self
            .read(move |connection, _| {
                let sql = "SELECT account.name, role, firms, account.created_at, idle_until, ends_at
                    FROM session JOIN account ON account.name = session.account
                    WHERE token = ? AND idle_until > ?";
                let found = connection
                    .prepare_cached(sql)?
                    .query_row(params![token, Millis(now)], |row| {
                        let ends = (row.get::<_, Millis>(4)?.0, row.get::<_, Millis>(5)?.0);
                        Ok((read_account(row)?, ends))
                    })
                    .optional()?;
                let Some((account, ends)) = found else { return Ok(None) };
                Ok(Some((with_reach(account)?, ends)))
            })
            .await?;
        let Some((account, (idle_until, ends_at))) = found else { return Ok(None) };
        let due = later(now, idle).0.saturating_sub(SESSION_NOTED).unwrap_or(Timestamp::MIN);
        if idle_until < due.min(ends_at) {
            self.write(move |connection| go_on(connection, token, idle, now)).await?;
        }
        Ok(Some(account))
    }

    async fn end_session(&self, token: Digest) -> Result<Option<String>, StoreError> {
        self.write(move |connection| {
            let sql = "DELETE FROM session WHERE token = ? RETURNING account";
            Ok(connection.prepare_cached(sql)?.query_row([token], |row| row.get(0)).optional()?)
        })
        .await
    }

    async fn count_try(&self, by: Digest, window: SignedDuration) -> Result<u64, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            let over = Millis(now.saturating_sub(window).unwrap_or(Timestamp::MIN));
            let sql = "DELETE FROM sign_in_try WHERE began_at <= ?";
            connection.prepare_cached(sql)?.execute([over])?;
            let sql = "INSERT INTO sign_in_try (counted_by, tries, began_at) VALUES (?, 1, ?)
                ON CONFLICT (counted_by) DO UPDATE SET tries = tries + 1 RETURNING tries";
            let tries: i64 =
                connection.prepare_cached(sql)?.query_row(params![by, Millis(now)], |row| row.get(0))?;
            Ok(tries.unsigned_abs())
        })
        .await
    }

    async fn forget_tries(&self, by: Digest) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.prepare_cached("DELETE FROM sign_in_try WHERE counted_by = ?")?.execute([by])?;
            Ok(())
        })
        .await
    }

    async fn note_deed(&self, deed: AuditEntry) -> Result<(), StoreError> {
        let (id, now, keyring) = (Uuid::now_v7(), self.now(), Arc::clone(&self.keyring));
        self.write(move |connection| {
            let sealed = seal_reason(&keyring, id, deed.reason.as_deref());
            let sql = "INSERT INTO audit (id, at, who, what, firm, about, sealed_reason)
                VALUES (?, ?, ?, ?, ?, ?, ?)";
            let firm = deed.firm.as_ref().map(|firm| firm.as_str());
            let id = id.as_bytes().as_slice();
            let values = params![id, Millis(now), deed.who, deed.deed.as_str(), firm, deed.about, sealed];
            connection.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
        .await
    }

    async fn audit_log(&self, filter: AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        self.read(move |connection, keyring| listing::audit(connection, keyring, &filter)).await
    }
}
