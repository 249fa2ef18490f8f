//! Automations and what ran by them.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool};

use super::core::in_transaction;
use super::rows::{Fault, count, moment, small, text};
use super::{NO_FIRM, PostgresStore, claims, read};
use crate::crypto::Keyring;
use crate::domain::{EventId, FirmId};
use crate::store::rules::{
    RanOnce, RuleRow, RuleRun, RuleSaved, RuleVersion, Rules, open, seal, version_name,
};
use crate::store::{Lease, Settled, StoreError};

async fn all(pool: &PgPool, keyring: &Keyring) -> Result<Vec<RuleRow>, Fault> {
    let sql = "SELECT rule.id, rule.version, rule.is_on, saved.saved_at, saved.saved_by, saved.sealed_rule, saved.name
        FROM rule JOIN rule_version AS saved ON saved.rule = rule.id AND saved.version = rule.version
        WHERE NOT rule.is_gone ORDER BY rule.id";
    let mut rules = Vec::new();
    for row in sqlx::query(sql).fetch_all(pool).await? {
        rules.push(RuleRow {
            id: row.try_get("id")?,
            version: small(&row, "version")?,
            is_on: row.try_get("is_on")?,
            saved_at: moment(&row, "saved_at")?,
            saved_by: row.try_get("saved_by")?,
            json: open(keyring, row.try_get("name")?, row.try_get("sealed_rule")?)?,
        });
    }
    Ok(rules)
}

async fn version(
    connection: &mut PgConnection,
    keyring: &Keyring,
    id: &str,
    version: u32,
) -> Result<Option<String>, Fault> {
    let name = version_name(id, version);
    let sql = "SELECT sealed_rule FROM rule_version WHERE name = $1";
    let row = sqlx::query(sql).bind(&name).fetch_optional(connection).await?;
    row.map(|row| Ok(open(keyring, &name, row.try_get("sealed_rule")?)?)).transpose()
}

async fn save(
    connection: &mut PgConnection,
    keyring: &Keyring,
    (id, json, from, by): (&str, &str, Option<u32>, &str),
    now: Timestamp,
) -> Result<RuleSaved, Fault> {
    if let Some(from) = from
        && version(connection, keyring, id, from).await?.as_deref() == Some(json)
    {
        return Ok(RuleSaved::Same(from));
    }
    let sql = match from {
        None => {
            "INSERT INTO rule (id, version, is_on, changes) VALUES ($1, 1, false, 1) ON CONFLICT (id) DO UPDATE
            SET version = rule.version + 1, is_on = false, is_gone = false, changes = rule.changes + 1
            WHERE rule.is_gone AND $2::bigint IS NULL RETURNING version"
        }
        Some(_) => {
            "UPDATE rule SET version = version + 1, changes = changes + 1
            WHERE id = $1 AND version = $2 AND NOT is_gone RETURNING version"
        }
    };
    let saved = sqlx::query(sql).bind(id).bind(from.map(i64::from)).fetch_optional(&mut *connection).await?;
    let Some(saved) = saved else { return Ok(RuleSaved::Changed) };
    let saved: u32 = small(&saved, "version")?;
    let name = version_name(id, saved);
    let sql = "INSERT INTO rule_version (name, rule, version, sealed_rule, saved_at, saved_by)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let sealed = seal(keyring, &name, json);
    let insert = sqlx::query(sql).bind(&name).bind(id).bind(i64::from(saved)).bind(sealed);
    insert.bind(now.as_millisecond()).bind(text(by)).execute(connection).await?;
    Ok(RuleSaved::As(saved))
}

async fn begin(
    connection: &mut PgConnection,
    lease: &Lease,
    runs: &[RuleRun],
    now: Timestamp,
) -> Result<Settled, Fault> {
    if claims::held(connection, lease).await?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    let sql = "INSERT INTO rule_run (event, rule, version, firm, subject, begun_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    for RuleRun { rule, version, subject } in runs {
        let insert = sqlx::query(sql).bind(lease.event.0).bind(rule).bind(i64::from(*version));
        let insert = insert.bind(lease.firm.as_str()).bind(text(subject)).bind(now.as_millisecond());
        insert.execute(&mut *connection).await?;
    }
    Ok(Settled::Yes)
}

#[async_trait]
impl Rules for PostgresStore {
    async fn rules_changed(&self) -> Result<u64, StoreError> {
        read(async {
            let select = sqlx::query("SELECT coalesce(sum(changes), 0)::bigint AS changes FROM rule");
            count(&select.fetch_one(&self.core.pool).await?, "changes")
        })
        .await
    }

    async fn rules(&self) -> Result<Vec<RuleRow>, StoreError> {
        read(all(&self.core.pool, &self.keyring)).await
    }

    async fn rule_versions(&self, id: &str) -> Result<Vec<RuleVersion>, StoreError> {
        read(async {
            let sql =
                "SELECT version, saved_at, saved_by FROM rule_version WHERE rule = $1 ORDER BY version DESC";
            let rows = sqlx::query(sql).bind(text(id)).fetch_all(&self.core.pool).await?;
            let version = |row| {
                Ok(RuleVersion {
                    version: small(row, "version")?,
                    saved_at: moment(row, "saved_at")?,
                    saved_by: row.try_get("saved_by")?,
                })
            };
            rows.iter().map(version).collect()
        })
        .await
    }

    async fn rule_version(&self, id: &str, number: u32) -> Result<Option<String>, StoreError> {
        read(async {
            let mut connection = self.core.pool.acquire().await?;
            version(&mut connection, &self.keyring, id, number).await
        })
        .await
    }

    async fn save_rule(
        &self,
        id: &str,
        json: &str,
        from: Option<u32>,
        by: &str,
    ) -> Result<RuleSaved, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| save(
            connection,
            &self.keyring,
            (id, json, from, by),
            now
        ))?)
    }

    async fn switch_rule(&self, id: &str, is_on: bool) -> Result<bool, StoreError> {
        read(async {
            let sql = "UPDATE rule SET is_on = $2, changes = changes + 1 WHERE id = $1 AND NOT is_gone";
            let update = sqlx::query(sql).bind(text(id)).bind(is_on);
            Ok(update.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn remove_rule(&self, id: &str) -> Result<bool, StoreError> {
        read(async {
            let sql = "UPDATE rule SET is_on = false, is_gone = true, changes = changes + 1
                WHERE id = $1 AND NOT is_gone";
            let update = sqlx::query(sql).bind(text(id));
            Ok(update.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }

    async fn begin_runs(&self, lease: &Lease, runs: Vec<RuleRun>) -> Result<Settled, StoreError> {
        Ok(in_transaction!(&self.core, NO_FIRM, |connection, now| begin(connection, lease, &runs, now))?)
    }

    async fn runs_of(&self, event: EventId) -> Result<Vec<RuleRun>, StoreError> {
        read(async {
            let sql = "SELECT rule, version, subject FROM rule_run WHERE event = $1 ORDER BY rule";
            let rows = sqlx::query(sql).bind(event.0).fetch_all(&self.core.pool).await?;
            let run = |row| {
                Ok(RuleRun {
                    rule: Row::try_get(row, "rule")?,
                    version: small(row, "version")?,
                    subject: row.try_get("subject")?,
                })
            };
            rows.iter().map(run).collect()
        })
        .await
    }

    async fn last_runs(
        &self,
        rule: &str,
        within: Option<&[FirmId]>,
        most: usize,
    ) -> Result<Vec<RanOnce>, StoreError> {
        read(async {
            let sql = "SELECT event, firm, version, begun_at FROM rule_run WHERE rule = $1
                AND ($2::text[] IS NULL OR firm = ANY($2)) ORDER BY begun_at DESC LIMIT $3";
            let within =
                within.map(|firms| firms.iter().map(|firm| firm.as_str().to_owned()).collect::<Vec<_>>());
            let select =
                sqlx::query(sql).bind(text(rule)).bind(within).bind(i64::try_from(most).unwrap_or(i64::MAX));
            let rows = select.fetch_all(&self.core.pool).await?;
            let run = |row: &sqlx::postgres::PgRow| {
                Ok(RanOnce {
                    event: EventId(row.try_get("event")?),
                    firm: FirmId::new(row.try_get::<&str, _>("firm")?),
                    version: small(row, "version")?,
                    begun_at: moment(row, "begun_at")?,
                })
            };
            rows.iter().map(run).collect()
        })
        .await
    }

    async fn count_runs(
        &self,
        firm: &FirmId,
        rule: &str,
        subject: &str,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        read(async {
            let sql = "SELECT count(*) AS runs FROM rule_run
                WHERE firm = $1 AND rule = $2 AND subject = $3 AND begun_at > $4";
            let select = sqlx::query(sql).bind(firm.as_str()).bind(rule).bind(text(subject));
            count(&select.bind(since.as_millisecond()).fetch_one(&self.core.pool).await?, "runs")
        })
        .await
    }

    async fn spend_write(
        &self,
        firm: &FirmId,
        rule: &str,
        most: u32,
        since: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = self.core.now().await?;
        read(async {
            let sql = "INSERT INTO rule_budget (firm, rule, begun_at, spent) VALUES ($1, $2, $3, 1)
                ON CONFLICT (firm, rule) DO UPDATE SET
                    spent = CASE WHEN rule_budget.begun_at < $4 THEN 1 ELSE rule_budget.spent + 1 END,
                    begun_at = CASE WHEN rule_budget.begun_at < $4 THEN $3 ELSE rule_budget.begun_at END
                WHERE rule_budget.begun_at < $4 OR rule_budget.spent < $5";
            let spend = sqlx::query(sql).bind(firm.as_str()).bind(rule).bind(now.as_millisecond());
            let spend = spend.bind(since.as_millisecond()).bind(i64::from(most));
            Ok(spend.execute(&self.core.pool).await?.rows_affected() > 0)
        })
        .await
    }
}
