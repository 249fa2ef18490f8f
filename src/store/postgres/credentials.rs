//! Authorisations that the vendors gave.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgExecutor, PgRow};

use super::core::in_transaction;
use super::rows::{Fault, count, moment, moment_if_any, text};
use super::{NO_FIRM, PostgresStore, read};
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

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

fn read_row(row: &PgRow) -> Result<CredentialRow, Fault> {
    Ok(CredentialRow {
        holder: row.try_get::<&str, _>("holder")?.parse()?,
        company: row.try_get("company")?,
        scopes: row.try_get::<&str, _>("scopes")?.split_whitespace().map(str::to_owned).collect(),
        expires_at: moment(row, "expires_at")?,
        connected_at: moment(row, "connected_at")?,
        renewed_at: moment(row, "renewed_at")?,
        revision: count(row, "revision")?,
        refused_at: moment_if_any(row, "refused_at")?,
        refused_why: row.try_get("refused_why")?,
    })
}

async fn find(
    database: impl PgExecutor<'_>,
    keyring: &Keyring,
    holder: &Holder,
) -> Result<Option<Credential>, Fault> {
    let sql = "SELECT holder, company, scopes, expires_at, connected_at, renewed_at, revision, refused_at, refused_why,
            sealed_access, sealed_refresh FROM credential WHERE holder = $1";
    let row = sqlx::query(sql).bind(holder.to_string()).fetch_optional(database).await?;
    let Some(row) = row else { return Ok(None) };
    let sealed =
        SealedTokens { access: row.try_get("sealed_access")?, refresh: row.try_get("sealed_refresh")? };
    Ok(Some(open(keyring, read_row(&row)?, &sealed)?))
}

async fn make_link(
    connection: &mut PgConnection,
    link: &Digest,
    firm: &FirmId,
    life: SignedDuration,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
    let over = now.saturating_sub(LINKS_KEPT).unwrap_or(Timestamp::MIN);
    let sql = "DELETE FROM connect_link WHERE expires_at < $1";
    sqlx::query(sql).bind(over.as_millisecond()).execute(&mut *connection).await?;
    let until = after(now, life);
    let sql = "INSERT INTO connect_link (link, firm, expires_at) VALUES ($1, $2, $3)";
    let insert = sqlx::query(sql).bind(&link[..]).bind(firm.as_str()).bind(until.as_millisecond());
    insert.execute(connection).await?;
    Ok(until)
}

/// Who looks waits for whoever uses it at this moment.
async fn link(
    connection: &mut PgConnection,
    link: &Digest,
    patience: SignedDuration,
    now: Timestamp,
) -> Result<ConnectLink, Fault> {
    let sql = "SELECT firm, expires_at, finished_at FROM connect_link WHERE link = $1 FOR UPDATE";
    let row = sqlx::query(sql).bind(&link[..]).fetch_optional(connection).await?;
    let row = match &row {
        None => None,
        Some(row) => Some(LinkRow {
            firm: row.try_get("firm")?,
            expires_at: moment(row, "expires_at")?,
            finished_at: moment_if_any(row, "finished_at")?,
        }),
    };
    Ok(judge(row, patience, now))
}

async fn use_link(
    connection: &mut PgConnection,
    digest: &Digest,
    patience: SignedDuration,
    now: Timestamp,
) -> Result<ConnectLink, Fault> {
    let found = link(connection, digest, patience, now).await?;
    if let ConnectLink::For(_) = &found {
        let sql = "UPDATE connect_link SET finished_at = $1 WHERE link = $2";
        sqlx::query(sql).bind(now.as_millisecond()).bind(&digest[..]).execute(connection).await?;
    }
    Ok(found)
}

async fn save(
    connection: &mut PgConnection,
    holder: &Holder,
    tokens: &Tokens,
    sealed: &SealedTokens,
    over: Option<u64>,
    now: Timestamp,
) -> Result<Saved, Fault> {
    // A person who connects anew begins anew: what was granted before does not count, and no renewal that is still
    // under way may put its token in place of this one.
    let sql = "INSERT INTO credential (holder, company, sealed_access, sealed_refresh, scopes, expires_at, connected_at,
            renewed_at, revision)
        VALUES ($1, $2, $3, $4, coalesce($5, ''), $6, $7, $7, 1)
        ON CONFLICT (holder) DO UPDATE SET company = coalesce(excluded.company, credential.company),
            sealed_access = excluded.sealed_access, sealed_refresh = excluded.sealed_refresh,
            scopes = coalesce($5, credential.scopes), expires_at = excluded.expires_at,
            renewed_at = excluded.renewed_at,
            connected_at = CASE WHEN $8::bigint IS NULL THEN excluded.connected_at ELSE credential.connected_at END,
            revision = credential.revision + 1, lease_owner = NULL, lease_until = NULL, refused_at = NULL,
            refused_why = NULL
        WHERE $8::bigint IS NULL OR credential.revision = $8::bigint
        RETURNING revision";
    let row = sqlx::query(sql)
        .bind(holder.to_string())
        .bind(&tokens.company)
        .bind(&sealed.access)
        .bind(&sealed.refresh)
        .bind(&tokens.scopes)
        .bind(after(now, tokens.life).as_millisecond())
        .bind(now.as_millisecond())
        .bind(over.map(signed))
        .fetch_optional(connection)
        .await?;
    Ok(match row {
        Some(row) => Saved::Yes(count(&row, "revision")?),
        None => Saved::Outdated,
    })
}

async fn lease(
    connection: &mut PgConnection,
    keyring: &Keyring,
    holder: &Holder,
    owner: &str,
    lease: SignedDuration,
    now: Timestamp,
) -> Result<RenewalLease, Fault> {
    let sql = "UPDATE credential SET lease_owner = $2, lease_until = $3
        WHERE holder = $1 AND (lease_owner IS NULL OR lease_owner = $2 OR lease_until <= $4)";
    let update =
        sqlx::query(sql).bind(holder.to_string()).bind(owner).bind(after(now, lease).as_millisecond());
    let taken = update.bind(now.as_millisecond()).execute(&mut *connection).await?.rows_affected();
    Ok(match (find(connection, keyring, holder).await?, taken) {
        (None, _) => RenewalLease::Unknown,
        (Some(credential), 0) => RenewalLease::Theirs(Box::new(credential)),
        (Some(credential), _) => RenewalLease::Ours(Box::new(credential)),
    })
}

async fn note_installed(
    connection: &mut PgConnection,
    holder: &Holder,
    company: Option<&str>,
    name: Option<&str>,
    now: Timestamp,
) -> Result<(), Fault> {
    let sql = "INSERT INTO installation (holder, company, name, installed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (holder) DO UPDATE SET company = coalesce(excluded.company, installation.company),
            name = coalesce(excluded.name, installation.name), retired_at = NULL,
            installed_at = CASE WHEN installation.retired_at IS NULL THEN installation.installed_at
                ELSE excluded.installed_at END";
    let insert = sqlx::query(sql).bind(holder.to_string()).bind(company.map(text)).bind(name.map(text));
    insert.bind(now.as_millisecond()).execute(connection).await?;
    Ok(())
}

#[async_trait]
impl Credentials for PostgresStore {
    async fn make_link(
        &self,
        link: Digest,
        firm: &FirmId,
        life: SignedDuration,
    ) -> Result<Timestamp, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| make_link(
            connection, &link, firm, life, now
        ))?)
    }

    async fn link(&self, digest: Digest) -> Result<ConnectLink, StoreError> {
        let none = SignedDuration::ZERO;
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| link(connection, &digest, none, now))?)
    }

    async fn use_link(&self, digest: Digest, patience: SignedDuration) -> Result<ConnectLink, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| use_link(
            connection, &digest, patience, now
        ))?)
    }

    async fn credential(&self, holder: &Holder) -> Result<Option<Credential>, StoreError> {
        read(find(&self.core.pool, &self.keyring, holder)).await
    }

    async fn credentials(&self) -> Result<Vec<CredentialRow>, StoreError> {
        read(async {
            let sql =
                "SELECT holder, company, scopes, expires_at, connected_at, renewed_at, revision, refused_at,
                refused_why FROM credential ORDER BY holder";
            sqlx::query(sql).fetch_all(&self.core.pool).await?.iter().map(read_row).collect()
        })
        .await
    }

    async fn save_tokens(
        &self,
        holder: &Holder,
        tokens: &Tokens,
        over: Option<u64>,
    ) -> Result<Saved, StoreError> {
        let sealed = seal(&self.keyring, holder, tokens);
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| save(
            connection, holder, tokens, &sealed, over, now
        ))?)
    }

    async fn lease_renewal(
        &self,
        holder: &Holder,
        owner: &str,
        span: SignedDuration,
    ) -> Result<RenewalLease, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| lease(
            connection,
            &self.keyring,
            holder,
            owner,
            span,
            now
        ))?)
    }

    async fn end_renewal(&self, holder: &Holder, owner: &str) -> Result<(), StoreError> {
        read(async {
            let sql = "UPDATE credential SET lease_owner = NULL, lease_until = NULL
                WHERE holder = $1 AND lease_owner = $2";
            sqlx::query(sql).bind(holder.to_string()).bind(owner).execute(&self.core.pool).await?;
            Ok(())
        })
        .await
    }

    async fn note_refusal(&self, holder: &Holder, revision: u64, why: &str) -> Result<(), StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql =
                "UPDATE credential SET refused_at = $1, refused_why = $2 WHERE holder = $3 AND revision = $4";
            let update = sqlx::query(sql).bind(now.as_millisecond()).bind(text(why)).bind(holder.to_string());
            update.bind(signed(revision)).execute(&self.core.pool).await?;
            Ok(())
        })
        .await
    }

    async fn drop_credential(&self, holder: &Holder, revision: u64) -> Result<bool, StoreError> {
        read(async {
            let sql = "DELETE FROM credential WHERE holder = $1 AND revision = $2";
            let delete = sqlx::query(sql).bind(holder.to_string()).bind(signed(revision));
            Ok(delete.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn note_installed(
        &self,
        holder: &Holder,
        company: Option<&str>,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| note_installed(
            connection, holder, company, name, now
        ))?)
    }

    async fn retire(&self, holder: &Holder) -> Result<(), StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql = "UPDATE installation SET retired_at = coalesce(retired_at, $1) WHERE holder = $2";
            let update = sqlx::query(sql).bind(now.as_millisecond()).bind(holder.to_string());
            update.execute(&self.core.pool).await?;
            Ok(())
        })
        .await
    }

    async fn installations(&self) -> Result<Vec<Installation>, StoreError> {
        let read_one = |row: &PgRow| {
            Ok(Installation {
                holder: row.try_get::<&str, _>("holder")?.parse()?,
                company: row.try_get("company")?,
                name: row.try_get("name")?,
                installed_at: moment(row, "installed_at")?,
                retired_at: moment_if_any(row, "retired_at")?,
            })
        };
        read(async {
            let sql =
                "SELECT holder, company, name, installed_at, retired_at FROM installation ORDER BY holder";
            sqlx::query(sql).fetch_all(&self.core.pool).await?.iter().map(read_one).collect()
        })
        .await
    }
}
