//! Automations and what ran by them.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{Id, Millis};
use super::{SqliteStore, claims};
use crate::crypto::Keyring;
use crate::domain::{EventId, FirmId};
use crate::store::rules::{
    RanOnce, RuleRow, RuleRun, RuleSaved, RuleVersion, Rules, open, seal, version_name,
};
use crate::store::{Lease, Settled, StoreError};

fn all(connection: &Connection, keyring: &Keyring) -> Result<Vec<RuleRow>, StoreError> {
    let sql = "SELECT rule.id, rule.version, rule.is_on, saved.saved_at, saved.saved_by, saved.sealed_rule, saved.name
        FROM rule JOIN rule_version AS saved ON saved.rule = rule.id AND saved.version = rule.version
        WHERE rule.is_gone = 0 ORDER BY rule.id";
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query([])?;
    let mut rules = Vec::new();
    while let Some(row) = rows.next()? {
        rules.push(RuleRow {
            id: row.get(0)?,
            version: row.get(1)?,
            is_on: row.get(2)?,
            saved_at: row.get::<_, Millis>(3)?.0,
            saved_by: row.get(4)?,
            json: open(keyring, &row.get::<_, String>(6)?, &row.get::<_, Vec<u8>>(5)?)?,
        });
    }
    Ok(rules)
}

fn version(
    connection: &Connection,
    keyring: &Keyring,
    id: &str,
    version: u32,
) -> Result<Option<String>, StoreError> {
    let name = version_name(id, version);
    let sql = "SELECT sealed_rule FROM rule_version WHERE name = ?";
    let sealed: Option<Vec<u8>> =
        connection.prepare_cached(sql)?.query_row([&name], |row| row.get(0)).optional()?;
    sealed.map(|sealed| open(keyring, &name, &sealed)).transpose()
}

/// What is about to be saved.
struct New {
    id: String,
    json: String,
    from: Option<u32>,
    by: String,
}

fn save(
    connection: &Connection,
    keyring: &Keyring,
    new: &New,
    now: Timestamp,
) -> Result<RuleSaved, StoreError> {
    if let Some(from) = new.from
        && version(connection, keyring, &new.id, from)?.as_deref() == Some(&new.json)
    {
        return Ok(RuleSaved::Same(from));
    }
    let sql = match new.from {
        None => {
            "INSERT INTO rule (id, version, is_on, changes) VALUES (?1, 1, 0, 1) ON CONFLICT (id) DO UPDATE
            SET version = version + 1, is_on = 0, is_gone = 0, changes = changes + 1 WHERE is_gone = 1 AND ?2 IS NULL
            RETURNING version"
        }
        Some(_) => {
            "UPDATE rule SET version = version + 1, changes = changes + 1
            WHERE id = ?1 AND version = ?2 AND is_gone = 0 RETURNING version"
        }
    };
    let saved: Option<u32> =
        connection.prepare_cached(sql)?.query_row(params![new.id, new.from], |row| row.get(0)).optional()?;
    let Some(saved) = saved else { return Ok(RuleSaved::Changed) };
    let name = version_name(&new.id, saved);
    let sql = "INSERT INTO rule_version (name, rule, version, sealed_rule, saved_at, saved_by)
        VALUES (?, ?, ?, ?, ?, ?)";
    let sealed = seal(keyring, &name, &new.json);
    connection.prepare_cached(sql)?.execute(params![name, new.id, saved, sealed, Millis(now), new.by])?;
    Ok(RuleSaved::As(saved))
}

#[async_trait]
impl Rules for SqliteStore {
    async fn rules_changed(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(changes), 0) FROM rule";
        self.read(move |connection, _| {
            let changes: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            Ok(changes.unsigned_abs())
        })
        .await
    }

    async fn rules(&self) -> Result<Vec<RuleRow>, StoreError> {
        self.read(all).await
    }

    async fn rule_versions(&self, id: &str) -> Result<Vec<RuleVersion>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, _| {
            let sql =
                "SELECT version, saved_at, saved_by FROM rule_version WHERE rule = ? ORDER BY version DESC";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([id], |row| {
                let saved_at = row.get::<_, Millis>(1)?.0;
                Ok(RuleVersion { version: row.get(0)?, saved_at, saved_by: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn rule_version(&self, id: &str, number: u32) -> Result<Option<String>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, keyring| version(connection, keyring, &id, number)).await
    }

    async fn save_rule(
        &self,
        id: &str,
        json: &str,
        from: Option<u32>,
        by: &str,
    ) -> Result<RuleSaved, StoreError> {
        let new = New { id: id.to_owned(), json: json.to_owned(), from, by: by.to_owned() };
        let (keyring, now) = (Arc::clone(&self.keyring), self.now());
        self.write(move |connection| save(connection, &keyring, &new, now)).await
    }

    async fn switch_rule(&self, id: &str, is_on: bool) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let sql = "UPDATE rule SET is_on = ?, changes = changes + 1 WHERE id = ? AND is_gone = 0";
            Ok(connection.prepare_cached(sql)?.execute(params![is_on, id])? > 0)
        })
        .await
    }

    async fn remove_rule(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let sql =
                "UPDATE rule SET is_on = 0, is_gone = 1, changes = changes + 1 WHERE id = ? AND is_gone = 0";
            Ok(connection.prepare_cached(sql)?.execute([id])? > 0)
        })
        .await
    }

    async fn begin_runs(&self, lease: &Lease, runs: Vec<RuleRun>) -> Result<Settled, StoreError> {
        let (lease, now) = (lease.clone(), self.now());
        self.write(move |connection| {
            if claims::held(connection, &lease)?.is_none() {
                return Ok(Settled::LeaseLost);
            }
            let sql = "INSERT INTO rule_run (event, rule, version, firm, subject, begun_at)
                VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
            for RuleRun { rule, version, subject } in &runs {
                connection.prepare_cached(sql)?.execute(params![
                    Id(lease.event),
                    rule,
                    version,
                    lease.firm.as_str(),
                    subject,
                    Millis(now)
                ])?;
            }
            Ok(Settled::Yes)
        })
        .await
    }

    async fn runs_of(&self, event: EventId) -> Result<Vec<RuleRun>, StoreError> {
        self.read(move |connection, _| {
            let sql = "SELECT rule, version, subject FROM rule_run WHERE event = ? ORDER BY rule";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([Id(event)], |row| {
                Ok(RuleRun { rule: row.get(0)?, version: row.get(1)?, subject: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn last_runs(
        &self,
        rule: &str,
        within: Option<&[FirmId]>,
        most: usize,
    ) -> Result<Vec<RanOnce>, StoreError> {
        let rule = rule.to_owned();
        let names =
            |firms: &[FirmId]| firms.iter().map(FirmId::as_str).collect::<serde_json::Value>().to_string();
        let (within, most) = (within.map(names), i64::try_from(most).unwrap_or(i64::MAX));
        self.read(move |connection, _| {
            let sql = "SELECT event, firm, version, begun_at FROM rule_run WHERE rule = ?1
                AND (?2 IS NULL OR firm IN (SELECT value FROM json_each(?2))) ORDER BY begun_at DESC LIMIT ?3";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![rule, within, most], |row| {
                let (event, begun_at) = (row.get::<_, Id>(0)?.0, row.get::<_, Millis>(3)?.0);
                Ok(RanOnce { event, firm: FirmId::new(row.get::<_, String>(1)?), version: row.get(2)?, begun_at })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
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
        let (firm, rule, subject) = (firm.clone(), rule.to_owned(), subject.to_owned());
        self.read(move |connection, _| {
            let sql =
                "SELECT count(*) FROM rule_run WHERE firm = ? AND rule = ? AND subject = ? AND begun_at > ?";
            let values = params![firm.as_str(), rule, subject, Millis(since)];
            let runs: i64 = connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
            Ok(runs.unsigned_abs())
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
        let (firm, rule, now) = (firm.clone(), rule.to_owned(), self.now());
        self.write(move |connection| {
            let sql = "INSERT INTO rule_budget (firm, rule, begun_at, spent) VALUES (?1, ?2, ?3, 1)
                ON CONFLICT (firm, rule) DO UPDATE SET
                    spent = CASE WHEN begun_at < ?4 THEN 1 ELSE spent + 1 END,
                    begun_at = CASE WHEN begun_at < ?4 THEN ?3 ELSE begun_at END
                WHERE begun_at < ?4 OR spent < ?5";
            let values = params![firm.as_str(), rule, Millis(now), Millis(since), most];
            Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
        })
        .await
    }
}
