//! Lists that people ask for.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::{read_account, with_reach};
use crate::crypto::Keyring;
use crate::domain::{Deed, FirmId};
use crate::store::access::{MOST_ACCOUNTS, open_reason};
use crate::store::sqlite::rows::{Id, Millis, Word};
use crate::store::{Account, AuditFilter, AuditRow, StoreError};

pub(super) fn accounts(connection: &Connection) -> Result<Vec<Account>, StoreError> {
    let sql = "SELECT name, role, firms, created_at FROM account ORDER BY name LIMIT ?";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map([MOST_ACCOUNTS], read_account)?;
    rows.map(|row| with_reach(row?)).collect()
}

pub(super) fn audit(
    connection: &Connection,
    keyring: &Keyring,
    filter: &AuditFilter,
) -> Result<Vec<AuditRow>, StoreError> {
    let mut sql = "SELECT id, at, who, what, firm, about, sealed_reason FROM audit WHERE true".to_owned();
    let mut values: Vec<Value> = Vec::new();
    if let Some(firms) = &filter.within {
        let places = vec!["?"; firms.len()].join(", ");
        sql.push_str(&format!(" AND firm IN ({places})"));
        values.extend(firms.iter().map(|firm| Value::from(firm.as_str().to_owned())));
    }
    if let Some(who) = &filter.who {
        sql.push_str(" AND who = ?");
        values.push(who.clone().into());
    }
    if let Some(before) = filter.before {
        sql.push_str(" AND id < ?");
        values.push(before.as_bytes().to_vec().into());
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(values), |row| {
        let entry = AuditRow {
            id: row.get::<_, Id>(0)?.0.0,
            at: row.get::<_, Millis>(1)?.0,
            who: row.get(2)?,
            what: row.get::<_, Word<Deed>>(3)?.0,
            firm: row.get::<_, Option<String>>(4)?.map(FirmId::new),
            about: row.get(5)?,
            reason: None,
        };
        Ok((entry, row.get::<_, Option<Vec<u8>>>(6)?))
    })?;
    rows.map(|row| {
        let (entry, sealed) = row?;
        Ok(AuditRow { reason: open_reason(keyring, entry.id, sealed.as_deref())?, ..entry })
    })
    .collect()
}
