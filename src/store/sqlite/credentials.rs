//! Authorisations that HighLevel gave.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

use super::SqliteStore;
use super::rows::Millis;
use crate::crypto::Keyring;
use crate::domain::FirmId;
use crate::store::StoreError;
use crate::store::credentials::{
    ConnectLink, Credential, CredentialRow, Credentials, Digest, Holder, Installation, LINKS_KEPT, LinkRow,
    RenewalLease, Saved, SealedTokens, Tokens, judge, open, seal,
};

fn after(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_add(span).unwrap_or(Timestamp::MAX)
}

fn holder(text: &str) -> rusqlite::Result<Holder> {
    text.parse().map_err(|wrong: StoreError| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(wrong))
    })
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<CredentialRow> {
    Ok(CredentialRow {
        holder: holder(&row.get::<_, String>("holder")?)?,
        company: row.get("company")?,
        scopes: row.get::<_, String>("scopes")?.split_whitespace().map(str::to_owned).collect(),
        expires_at: row.get::<_, Millis>("expires_at")?.0,
        connected_at: row.get::<_, Millis>("connected_at")?.0,
        renewed_at: row.get::<_, Millis>("renewed_at")?.0,
        revision: row.get::<_, i64>("revision")?.unsigned_abs(),
        refused_at: row.get::<_, Option<Millis>>("refused_at")?.map(|at| at.0),
        refused_why: row.get("refused_why")?,
    })
}

fn read_link(row: &Row<'_>) -> rusqlite::Result<LinkRow> {
    Ok(LinkRow {
        firm: row.get("firm")?,
        expires_at: row.get::<_, Millis>("expires_at")?.0,
        finished_at: row.get::<_, Option<Millis>>("finished_at")?.map(|at| at.0),
    })
}

fn find(
    connection: &Connection,
    keyring: &Keyring,
    holder: &Holder,
) -> Result<Option<Credential>, StoreError> {
    let sql = "SELECT holder, company, scopes, expires_at, connected_at, renewed_at, revision, refused_at, refused_why,
            sealed_access, sealed_refresh FROM credential WHERE holder = ?";
    let found = connection
        .prepare_cached(sql)?
        .query_row([holder.to_string()], |row| {
            let sealed =
                SealedTokens { access: row.get("sealed_access")?, refresh: row.get("sealed_refresh")? };
            Ok((read_row(row)?, sealed))
        })
        .optional()?;
    found.map(|(row, sealed)| open(keyring, row, &sealed)).transpose()
}

fn link(
    connection: &Connection,
    link: Digest,
    patience: SignedDuration,
    now: Timestamp,
) -> Result<ConnectLink, StoreError> {
    let sql = "SELECT firm, expires_at, finished_at FROM connect_link WHERE link = ?";
    let row = connection.prepare_cached(sql)?.query_row([&link[..]], read_link).optional()?;
    Ok(judge(row, patience, now))
}

fn save(
    connection: &Connection,
    holder: &Holder,
    tokens: &Tokens,
    sealed: &SealedTokens,
    over: Option<u64>,
    now: Timestamp,
) -> Result<Saved, StoreError> {
    // A person who connects anew begins anew: what was granted before does not count, and no renewal that is still
    // under way may put its token in place of this one.
    let sql = "INSERT INTO credential (holder, company, sealed_access, sealed_refresh, scopes, expires_at, connected_at,
            renewed_at, revision)
        VALUES (?1, ?2, ?3, ?4, coalesce(?5, ''), ?6, ?7, ?7, 1)
        ON CONFLICT (holder) DO UPDATE SET company = coalesce(excluded.company, company),
            sealed_access = excluded.sealed_access, sealed_refresh = excluded.sealed_refresh,
            scopes = coalesce(?5, scopes), expires_at = excluded.expires_at, renewed_at = excluded.renewed_at,
            connected_at = CASE WHEN ?8 IS NULL THEN excluded.connected_at ELSE connected_at END,
            revision = revision + 1, lease_owner = NULL, lease_until = NULL, refused_at = NULL, refused_why = NULL
        WHERE ?8 IS NULL OR revision = ?8
        RETURNING revision";
    let over = over.map(|over| i64::try_from(over).unwrap_or(i64::MAX));
    let revision: Option<i64> = connection
        .prepare_cached(sql)?
        .query_row(
            params![
                holder.to_string(),
                tokens.company,
                sealed.access,
                sealed.refresh,
                tokens.scopes,
                Millis(after(now, tokens.life)),
                Millis(now),
                over,
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(revision.map_or(Saved::Outdated, |revision| Saved::Yes(revision.unsigned_abs())))
}

#[async_trait]
impl Credentials for SqliteStore {
    async fn make_link(
        &self,
        link: Digest,
        firm: &FirmId,
        life: SignedDuration,
    ) -> Result<Timestamp, StoreError> {
        let (firm, now) = (firm.as_str().to_owned(), self.now());
        let until = after(now, life);
        self.write(move |connection| {
            let sql = "DELETE FROM connect_link WHERE expires_at < ?";
            let over = now.saturating_sub(LINKS_KEPT).unwrap_or(Timestamp::MIN);
            connection.prepare_cached(sql)?.execute([Millis(over)])?;
            let sql = "INSERT INTO connect_link (link, firm, expires_at) VALUES (?, ?, ?)";
            connection.prepare_cached(sql)?.execute(params![&link[..], firm, Millis(until)])?;
            Ok(until)
        })
        .await
    }

    async fn link(&self, digest: Digest) -> Result<ConnectLink, StoreError> {
        let now = self.now();
        self.read(move |connection, _| link(connection, digest, SignedDuration::ZERO, now)).await
    }

    async fn use_link(&self, digest: Digest, patience: SignedDuration) -> Result<ConnectLink, StoreError> {
        let now = self.now();
        self.write(move |connection| {
            let found = link(connection, digest, patience, now)?;
            if let ConnectLink::For(_) = &found {
                let sql = "UPDATE connect_link SET finished_at = ? WHERE link = ?";
                connection.prepare_cached(sql)?.execute(params![Millis(now), &digest[..]])?;
            }
            Ok(found)
        })
        .await
    }

    async fn credential(&self, holder: &Holder) -> Result<Option<Credential>, StoreError> {
        let holder = holder.clone();
        self.read(move |connection, keyring| find(connection, keyring, &holder)).await
    }

    async fn credentials(&self) -> Result<Vec<CredentialRow>, StoreError> {
        self.read(|connection, _| {
            let sql =
                "SELECT holder, company, scopes, expires_at, connected_at, renewed_at, revision, refused_at,
                refused_why FROM credential ORDER BY holder";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([], read_row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn save_tokens(
        &self,
        holder: &Holder,
        tokens: &Tokens,
        over: Option<u64>,
    ) -> Result<Saved, StoreError> {
        let (holder, tokens, now) = (holder.clone(), tokens.clone(), self.now());
        let sealed = seal(&self.keyring, &holder, &tokens);
        self.write(move |connection| save(connection, &holder, &tokens, &sealed, over, now)).await
    }

    async fn lease_renewal(
        &self,
        holder: &Holder,
        owner: &str,
        lease: SignedDuration,
    ) -> Result<RenewalLease, StoreError> {
        let (holder, owner, now) = (holder.clone(), owner.to_owned(), self.now());
        let keyring = Arc::clone(&self.keyring);
        self.write(move |connection| {
            let sql = "UPDATE credential SET lease_owner = ?2, lease_until = ?3
                WHERE holder = ?1 AND (lease_owner IS NULL OR lease_owner = ?2 OR lease_until <= ?4)";
            let taken = connection.prepare_cached(sql)?.execute(params![
                holder.to_string(),
                owner,
                Millis(after(now, lease)),
                Millis(now)
            ])?;
            Ok(match (find(connection, &keyring, &holder)?, taken) {
                (None, _) => RenewalLease::Unknown,
                (Some(credential), 0) => RenewalLease::Theirs(Box::new(credential)),
                (Some(credential), _) => RenewalLease::Ours(Box::new(credential)),
            })
        })
        .await
    }

    async fn end_renewal(&self, holder: &Holder, owner: &str) -> Result<(), StoreError> {
        let (holder, owner) = (holder.to_string(), owner.to_owned());
        self.write(move |connection| {
            let sql = "UPDATE credential SET lease_owner = NULL, lease_until = NULL
                WHERE holder = ? AND lease_owner = ?";
            connection.prepare_cached(sql)?.execute([holder, owner])?;
            Ok(())
        })
        .await
    }

    async fn note_refusal(&self, holder: &Holder, revision: u64, why: &str) -> Result<(), StoreError> {
        let (holder, why, now) = (holder.to_string(), why.to_owned(), self.now());
        self.write(move |connection| {
            let sql =
                "UPDATE credential SET refused_at = ?, refused_why = ? WHERE holder = ? AND revision = ?";
            let revision = i64::try_from(revision).unwrap_or(i64::MAX);
            connection.prepare_cached(sql)?.execute(params![Millis(now), why, holder, revision])?;
            Ok(())
        })
        .await
    }

    async fn drop_credential(&self, holder: &Holder, revision: u64) -> Result<bool, StoreError> {
        let holder = holder.to_string();
        self.write(move |connection| {
            let sql = "DELETE FROM credential WHERE holder = ? AND revision = ?";
            let revision = i64::try_from(revision).unwrap_or(i64::MAX);
            Ok(connection.prepare_cached(sql)?.execute(params![holder, revision])? > 0)
        })
        .await
    }

    async fn note_installed(
        &self,
        holder: &Holder,
        company: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        let (company, name) = (company.map(str::to_owned), name.map(str::to_owned));
        let (holder, now) = (holder.to_string(), self.now());
        self.write(move |connection| {
            let sql = "INSERT INTO installation (holder, company, name, installed_at) VALUES (?, ?, ?, ?)
                ON CONFLICT (holder) DO UPDATE SET company = coalesce(excluded.company, company),
                    name = coalesce(excluded.name, name), retired_at = NULL,
                    installed_at = CASE WHEN retired_at IS NULL THEN installed_at ELSE excluded.installed_at END";
            connection.prepare_cached(sql)?.execute(params![holder, company, name, Millis(now)])?;
            Ok(())
        })
        .await
    }

    async fn retire(&self, holder: &Holder) -> Result<(), StoreError> {
        let (holder, now) = (holder.to_string(), self.now());
        self.write(move |connection| {
            let sql = "UPDATE installation SET retired_at = coalesce(retired_at, ?) WHERE holder = ?";
            connection.prepare_cached(sql)?.execute(params![Millis(now), holder])?;
            Ok(())
        })
        .await
    }

    async fn installations(&self) -> Result<Vec<Installation>, StoreError> {
        self.read(|connection, _| {
            let sql =
                "SELECT holder, company, name, installed_at, retired_at FROM installation ORDER BY holder";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([], |row| {
                Ok(Installation {
                    holder: holder(&row.get::<_, String>(0)?)?,
                    company: row.get(1)?,
                    name: row.get(2)?,
                    installed_at: row.get::<_, Millis>(3)?.0,
                    retired_at: row.get::<_, Option<Millis>>(4)?.map(|at| at.0),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
