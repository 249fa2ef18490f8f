//! Which record here is which record there.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, PgRow};

use super::rows::{Fault, PostgresQuery, text, word};
use super::{claims, lanes, review};
use crate::crypto::{Keyring, Place};
use crate::domain::{Base, FirmId, Link, RecordRef, System};
use crate::store::people::{is_match, new_keys};
use crate::store::{Lease, LinkChange, Settled, StoreError};

fn place(row: &str) -> Place<'_> {
    Place { table: "link", column: "sealed_base", row }
}

fn row_name(firm: &str, highlevel: &RecordRef, casepeer: &RecordRef) -> String {
    format!("{firm}\0{highlevel}\0{casepeer}")
}

pub(super) async fn links_of(
    pool: &PgPool,
    keyring: &Keyring,
    firm: &FirmId,
    records: &[RecordRef],
) -> Result<Vec<Link>, Fault> {
    let of = |system: System| -> Vec<String> {
        let records = records.iter().filter(|record| record.system == system);
        records.map(|record| text(&record.to_string())).collect()
    };
    // `UNION` also drops a link that is found from both sides.
    let sql = "SELECT highlevel, casepeer, origin, sealed_base, revision, created_at FROM link
            WHERE firm = $1 AND highlevel = ANY($2)
        UNION SELECT highlevel, casepeer, origin, sealed_base, revision, created_at FROM link
            WHERE firm = $1 AND casepeer = ANY($3)
        ORDER BY created_at, highlevel, casepeer";
    let rows = sqlx::query(sql)
        .bind(firm.as_str())
        .bind(of(System::HighLevel))
        .bind(of(System::CasePeer))
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read(row, keyring, firm)).collect()
}

pub(super) fn read(row: &PgRow, keyring: &Keyring, firm: &FirmId) -> Result<Link, Fault> {
    let (highlevel, casepeer): (RecordRef, RecordRef) = (word(row, "highlevel")?, word(row, "casepeer")?);
    let base = open(keyring, firm.as_str(), &highlevel, &casepeer, row.try_get("sealed_base")?)?;
    Ok(Link { origin: word(row, "origin")?, base, revision: row.try_get("revision")?, highlevel, casepeer })
}

fn open(
    keyring: &Keyring,
    firm: &str,
    highlevel: &RecordRef,
    casepeer: &RecordRef,
    sealed: &[u8],
) -> Result<Base, Fault> {
    let plain = keyring.open(place(&row_name(firm, highlevel, casepeer)), sealed)?;
    serde_json::from_slice(&plain)
        .map_err(|error| StoreError::Corrupt(format!("a link's base: {error}")).into())
}

/// Remembers links while the lease holds.
pub(super) async fn save(
    connection: &mut PgConnection,
    keyring: &Keyring,
    lease: &Lease,
    changes: &[LinkChange],
    now: Timestamp,
) -> Result<Settled, Fault> {
    if claims::held(connection, lease).await?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    apply(connection, keyring, &lease.firm, changes, now).await?;
    Ok(Settled::Yes)
}

/// What links are to become whose two sides agree on something new.
#[derive(Default)]
pub(super) struct Agreed {
    highlevel: Vec<String>,
    casepeer: Vec<String>,
    /// As they were read: what another has changed since is not overwritten.
    revisions: Vec<i64>,
    sealed: Vec<Vec<u8>>,
}

impl Agreed {
    /// How many links change.
    pub(super) fn len(&self) -> usize {
        self.revisions.len()
    }

    /// Binds four parameters: the two records, the revision, the base.
    pub(super) fn bind(self, query: PostgresQuery<'_>) -> PostgresQuery<'_> {
        query.bind(self.highlevel).bind(self.casepeer).bind(self.revisions).bind(self.sealed)
    }
}

/// What these changes make of the links there are. Nothing, if one of them is not there yet: it may unite people.
pub(super) async fn agreed(
    pool: &PgPool,
    keyring: &Keyring,
    firm: &FirmId,
    changes: &[LinkChange],
) -> Result<Option<Agreed>, Fault> {
    let mut agreed = Agreed::default();
    if changes.is_empty() {
        return Ok(Some(agreed));
    }
    // Two changes of one link build on each other.
    if changes.iter().map(sides).collect::<HashSet<_>>().len() < changes.len() {
        return Ok(None);
    }
    let (highlevel, casepeer): (Vec<String>, Vec<String>) = changes
        .iter()
        .map(|change| (text(&sides(change).0.to_string()), text(&sides(change).1.to_string())))
        .unzip();
    let sql = "SELECT place, revision, sealed_base FROM unnest($2::text[], $3::text[]) WITH ORDINALITY
            AS given (highlevel, casepeer, place)
        CROSS JOIN LATERAL (SELECT revision, sealed_base FROM link WHERE firm = $1
            AND highlevel = given.highlevel AND casepeer = given.casepeer LIMIT 1) known ORDER BY place";
    let rows = sqlx::query(sql).bind(firm.as_str()).bind(&highlevel).bind(&casepeer).fetch_all(pool).await?;
    let mut known = rows.iter();
    for (place, change) in (1_i64..).zip(changes) {
        let row = match known.next() {
            Some(row) if row.try_get::<i64, _>("place")? == place => row,
            // One is not there, of which the others may be about the same two records.
            _ if matches!(change, LinkChange::Link(_)) || changes.len() > 1 => return Ok(None),
            _ => continue,
        };
        let (here, there) = sides(change);
        let before = open(keyring, firm.as_str(), here, there, row.try_get("sealed_base")?)?;
        let mut merged = before.clone();
        merged.overlay(base(change));
        // Who links two records says that both are there.
        merged.is_deleted &= !matches!(change, LinkChange::Link(_)) || base(change).is_deleted;
        // Who is found by something new is written down beside it.
        if !new_keys(keyring, here, Some(&before), &merged).is_empty() {
            return Ok(None);
        }
        if merged != before {
            agreed.highlevel.push(text(&here.to_string()));
            agreed.casepeer.push(text(&there.to_string()));
            agreed.revisions.push(row.try_get("revision")?);
            agreed.sealed.push(seal(keyring, firm.as_str(), here, there, &merged));
        }
    }
    Ok(Some(agreed))
}

fn sides(change: &LinkChange) -> (&RecordRef, &RecordRef) {
    match change {
        LinkChange::Link(link) => (&link.highlevel, &link.casepeer),
        LinkChange::Agree { highlevel, casepeer, .. } => (highlevel, casepeer),
    }
}

fn base(change: &LinkChange) -> &Base {
    match change {
        LinkChange::Link(link) => &link.base,
        LinkChange::Agree { base, .. } => base,
    }
}

fn seal(keyring: &Keyring, firm: &str, highlevel: &RecordRef, casepeer: &RecordRef, base: &Base) -> Vec<u8> {
    let plain = serde_json::to_vec(base).expect("a base is JSON");
    keyring.seal(place(&row_name(firm, highlevel, casepeer)), &plain)
}

/// Remembers links, whoever holds the lease.
pub(super) async fn apply(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &FirmId,
    changes: &[LinkChange],
    now: Timestamp,
) -> Result<(), Fault> {
    let firm = firm.as_str();
    for change in changes {
        let ((highlevel, casepeer), base) = (sides(change), base(change));
        let origin = match change {
            LinkChange::Link(link) => Some(link.origin),
            LinkChange::Agree { .. } => None,
        };
        let (here, there) = (text(&highlevel.to_string()), text(&casepeer.to_string()));
        let sql = "SELECT sealed_base FROM link WHERE firm = $1 AND highlevel = $2 AND casepeer = $3";
        let known =
            sqlx::query(sql).bind(firm).bind(&here).bind(&there).fetch_optional(&mut *connection).await?;
        let seal = |base: &Base| seal(keyring, firm, highlevel, casepeer, base);
        match (known, origin) {
            (Some(row), _) => {
                let before = open(keyring, firm, highlevel, casepeer, row.try_get("sealed_base")?)?;
                let mut merged = before.clone();
                merged.overlay(base);
                merged.is_deleted &= origin.is_none() || base.is_deleted;
                if merged != before {
                    let keys = new_keys(keyring, highlevel, Some(&before), &merged);
                    find_by(connection, firm, &here, keys).await?;
                    let sql = "UPDATE link SET sealed_base = $1, revision = revision + 1, updated_at = $2
                        WHERE firm = $3 AND highlevel = $4 AND casepeer = $5";
                    let update = sqlx::query(sql).bind(seal(&merged)).bind(now.as_millisecond());
                    update.bind(firm).bind(&here).bind(&there).execute(&mut *connection).await?;
                }
            }
            (None, Some(origin)) => {
                let sql = "INSERT INTO link (firm, highlevel, casepeer, origin, sealed_base, created_at, updated_at)
                    VALUES ($1, $2, $3, $4, $5, $6, $6)";
                let insert = sqlx::query(sql).bind(firm).bind(&here).bind(&there).bind(origin.as_str());
                insert.bind(seal(base)).bind(now.as_millisecond()).execute(&mut *connection).await?;
                find_by(connection, firm, &here, new_keys(keyring, highlevel, None, base)).await?;
                lanes::unite(connection, firm, [highlevel, casepeer]).await?;
                if is_match(highlevel, casepeer) {
                    // Who either of them is, is answered by that.
                    for record in [highlevel, casepeer] {
                        review::close_about(connection, firm, &record.to_string(), now).await?;
                    }
                }
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// Lets a contact's person be found by these keys.
async fn find_by(
    connection: &mut PgConnection,
    firm: &str,
    contact: &str,
    keys: Vec<[u8; 32]>,
) -> Result<(), Fault> {
    let sql = "INSERT INTO person_key (firm, match_key, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    for key in keys {
        let insert = sqlx::query(sql).bind(firm).bind(key.as_slice()).bind(contact);
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether an effect made this record.
pub(super) async fn is_ours(pool: &PgPool, firm: &FirmId, record: &RecordRef) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM effect WHERE firm = $1 AND result = $2 LIMIT 1";
    let found = sqlx::query(sql).bind(firm.as_str()).bind(text(&record.to_string()));
    Ok(found.fetch_optional(pool).await?.is_some())
}
