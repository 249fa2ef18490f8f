//! Which record here is which record there.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{Millis, Word};
use super::{claims, lanes, review};
use crate::crypto::{Keyring, Place};
use crate::domain::{Base, Fields, FirmId, Link, RecordRef, Sent, System};
use crate::store::people::{is_match, new_keys};
use crate::store::{Lease, LinkChange, Settled, StoreError};

fn place(row: &str) -> Place<'_> {
    Place { table: "link", column: "sealed_base", row }
}

fn row_name(firm: &str, highlevel: &RecordRef, casepeer: &RecordRef) -> String {
    format!("{firm}\0{highlevel}\0{casepeer}")
}

pub(super) fn links_of(
    connection: &Connection,
    keyring: &Keyring,
    firm: &FirmId,
    records: &[RecordRef],
) -> Result<Vec<Link>, StoreError> {
    let mut links: Vec<(i64, Link)> = Vec::new();
    for record in records {
        let sql = match record.system {
            System::HighLevel => {
                "SELECT highlevel, casepeer, origin, sealed_base, revision, created_at FROM link
                    WHERE firm = ? AND highlevel = ?"
            }
            System::CasePeer => {
                "SELECT highlevel, casepeer, origin, sealed_base, revision, created_at FROM link
                    WHERE firm = ? AND casepeer = ?"
            }
        };
        let mut find = connection.prepare_cached(sql)?;
        let mut rows = find.query(params![firm.as_str(), record.to_string()])?;
        while let Some(row) = rows.next()? {
            let (created_at, link) = read(row, keyring, firm)?;
            if links
                .iter()
                .all(|(_, known)| known.highlevel != link.highlevel || known.casepeer != link.casepeer)
            {
                links.push((created_at, link));
            }
        }
    }
    links.sort_by_key(|(created_at, _)| *created_at);
    Ok(links.into_iter().map(|(_, link)| link).collect())
}

pub(super) fn read(row: &Row<'_>, keyring: &Keyring, firm: &FirmId) -> Result<(i64, Link), StoreError> {
    let highlevel = row.get::<_, Word<RecordRef>>(0)?.0;
    let casepeer = row.get::<_, Word<RecordRef>>(1)?.0;
    let sealed: Vec<u8> = row.get(3)?;
    let base = open(keyring, firm.as_str(), &highlevel, &casepeer, &sealed)?;
    let link =
        Link { origin: row.get::<_, Word<System>>(2)?.0, base, revision: row.get(4)?, highlevel, casepeer };
    Ok((row.get(5)?, link))
}

pub(super) fn open(
    keyring: &Keyring,
    firm: &str,
    highlevel: &RecordRef,
    casepeer: &RecordRef,
    sealed: &[u8],
) -> Result<Base, StoreError> {
    let plain = keyring.open(place(&row_name(firm, highlevel, casepeer)), sealed)?;
    serde_json::from_slice(&plain).map_err(|error| StoreError::Corrupt(format!("a link's base: {error}")))
}

/// Remembers links while the lease holds.
pub(super) fn save(
    connection: &Connection,
    keyring: &Keyring,
    lease: &Lease,
    changes: &[LinkChange],
    now: Timestamp,
) -> Result<Settled, StoreError> {
    if claims::held(connection, lease)?.is_none() {
        return Ok(Settled::LeaseLost);
    }
    apply(connection, keyring, &lease.firm, changes, now)?;
    Ok(Settled::Yes)
}

/// Remembers links, whoever holds the lease.
pub(super) fn apply(
    connection: &Connection,
    keyring: &Keyring,
    firm: &FirmId,
    changes: &[LinkChange],
    now: Timestamp,
) -> Result<(), StoreError> {
    let firm = firm.as_str();
    for change in changes {
        let (highlevel, casepeer, base, origin) = match change {
            LinkChange::Link(link) => (&link.highlevel, &link.casepeer, &link.base, Some(link.origin)),
            LinkChange::Agree { highlevel, casepeer, base } => (highlevel, casepeer, base, None),
        };
        let sql = "SELECT sealed_base FROM link WHERE firm = ? AND highlevel = ? AND casepeer = ?";
        let known: Option<Vec<u8>> = connection
            .prepare_cached(sql)?
            .query_row(params![firm, highlevel.to_string(), casepeer.to_string()], |row| row.get(0))
            .optional()?;
        let seal = |base: &Base| {
            let plain = serde_json::to_vec(base).expect("a base is JSON");
            keyring.seal(place(&row_name(firm, highlevel, casepeer)), &plain)
        };
        match (known, origin) {
            (Some(sealed), _) => {
                let mut merged = open(keyring, firm, highlevel, casepeer, &sealed)?;
                let before = merged.clone();
                merged.overlay(base);
                // Who links two records says that both are there.
                merged.is_deleted &= origin.is_none() || base.is_deleted;
                if merged != before {
                    find_by(
                        connection,
                        firm,
                        highlevel,
                        new_keys(keyring, highlevel, Some(&before), &merged),
                    )?;
                    let sql = "UPDATE link SET sealed_base = ?, revision = revision + 1, updated_at = ?
                        WHERE firm = ? AND highlevel = ? AND casepeer = ?";
                    connection.prepare_cached(sql)?.execute(params![
                        seal(&merged),
                        Millis(now),
                        firm,
                        highlevel.to_string(),
                        casepeer.to_string()
                    ])?;
                }
            }
            (None, Some(origin)) => {
                let sql = "INSERT INTO link (firm, highlevel, casepeer, origin, sealed_base, created_at, updated_at)
                    VALUES (?, ?, ?, ?, ?, ?6, ?6)";
                connection.prepare_cached(sql)?.execute(params![
                    firm,
                    highlevel.to_string(),
                    casepeer.to_string(),
                    origin.as_str(),
                    seal(base),
                    Millis(now)
                ])?;
                find_by(connection, firm, highlevel, new_keys(keyring, highlevel, None, base))?;
                lanes::unite(connection, firm, [highlevel, casepeer])?;
                if is_match(highlevel, casepeer) {
                    // Who either of them is, is answered by that.
                    for record in [highlevel, casepeer] {
                        review::close_about(connection, firm, &record.to_string(), now)?;
                    }
                }
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// Remembers what was sent to the first of two linked records. It moves no base: nobody knows whether it arrived.
pub(super) fn note_sent(
    connection: &Connection,
    keyring: &Keyring,
    firm: &str,
    (to, from): (&RecordRef, &RecordRef),
    fields: Fields,
) -> Result<(), StoreError> {
    let (highlevel, casepeer) = match to.system {
        System::HighLevel => (to, from),
        System::CasePeer => (from, to),
    };
    let names = (highlevel.to_string(), casepeer.to_string());
    let sql = "SELECT sealed_base FROM link WHERE firm = ? AND highlevel = ? AND casepeer = ?";
    let known: Option<Vec<u8>> = connection
        .prepare_cached(sql)?
        .query_row(params![firm, names.0, names.1], |row| row.get(0))
        .optional()?;
    let Some(sealed) = known else { return Ok(()) };
    let mut base = open(keyring, firm, highlevel, casepeer, &sealed)?;
    base.note_sent(Sent { to: to.system, fields });
    let plain = serde_json::to_vec(&base).expect("a base is JSON");
    let sealed = keyring.seal(place(&row_name(firm, highlevel, casepeer)), &plain);
    let sql = "UPDATE link SET sealed_base = ? WHERE firm = ? AND highlevel = ? AND casepeer = ?";
    connection.prepare_cached(sql)?.execute(params![sealed, firm, names.0, names.1])?;
    Ok(())
}

/// Lets a contact's person be found by these keys.
fn find_by(
    connection: &Connection,
    firm: &str,
    contact: &RecordRef,
    keys: Vec<[u8; 32]>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO person_key (firm, match_key, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    for key in keys {
        connection.prepare_cached(sql)?.execute(params![firm, key, contact.to_string()])?;
    }
    Ok(())
}
