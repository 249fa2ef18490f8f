//! Which record here is which record there.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, PgRow};

use super::rows::{Fault, PostgresQuery, text, word};
use super::writer::{Guard, Job};
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

/// Whose links are looked for.
pub(super) struct Wanted {
    pub(super) keyring: Arc<Keyring>,
    pub(super) firm: FirmId,
    pub(super) records: Vec<RecordRef>,
}

impl Job for Wanted {
    /// The links, oldest first.
    type Answer = Result<Vec<Link>, StoreError>;

    const GUARD: Guard = Guard::Nothing;

    fn firm(&self) -> &str {
        self.firm.as_str()
    }

    fn must_last(&self) -> bool {
        false
    }

    async fn run(
        connection: &mut PgConnection,
        all: &[Self],
        _now: Timestamp,
        _message: usize,
    ) -> Result<Vec<Self::Answer>, Fault> {
        // `UNION` also drops a link that is found from both sides.
        let sql = "SELECT place, highlevel, casepeer, origin, sealed_base, revision, created_at
                FROM unnest($1::bigint[], $2::text[], $3::text[]) AS given (place, firm, record)
                JOIN link ON link.firm = given.firm AND link.highlevel = given.record
            UNION SELECT place, highlevel, casepeer, origin, sealed_base, revision, created_at
                FROM unnest($4::bigint[], $5::text[], $6::text[]) AS given (place, firm, record)
                JOIN link ON link.firm = given.firm AND link.casepeer = given.record
            ORDER BY place, created_at, highlevel, casepeer";
        let mut query = sqlx::query(sql);
        for system in [System::HighLevel, System::CasePeer] {
            let of = (0_i64..).zip(all).flat_map(|(place, one)| {
                let records = one.records.iter().filter(move |record| record.system == system);
                records.map(move |record| (place, one.firm.as_str(), text(&record.to_string())))
            });
            let (places, (firms, records)): (Vec<i64>, (Vec<&str>, Vec<String>)) =
                of.map(|(place, firm, record)| (place, (firm, record))).unzip();
            query = query.bind(places).bind(firms).bind(records);
        }
        let mut found: Vec<Self::Answer> = all.iter().map(|_| Ok(Vec::new())).collect();
        for row in &query.fetch_all(connection).await? {
            let place = usize::try_from(row.try_get::<i64, _>("place")?).expect("it counts from 0");
            let link = read(row, &all[place].keyring, &all[place].firm);
            match (&mut found[place], link) {
                (Ok(links), Ok(link)) => links.push(link),
                (Ok(_), Err(fault)) => found[place] = Err(fault.into()),
                (Err(_), _) => {}
            }
        }
        Ok(found)
    }
}

pub(super) fn read(row: &PgRow, keyring: &Keyring, firm: &FirmId) -> Result<Link, Fault> {
    let (highlevel, casepeer): (RecordRef, RecordRef) = (word(row, "highlevel")?, word(row, "casepeer")?);
    let base = open(keyring, firm.as_str(), &highlevel, &casepeer, row.try_get("sealed_base")?)?;
    Ok(Link { origin: word(row, "origin")?, base, revision: row.try_get("revision")?, highlevel, casepeer })
}

pub(super) fn open(
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

/// What a link is to become whose two sides agree on something new.
pub(super) struct Change {
    highlevel: String,
    casepeer: String,
    /// As it was read: what another has changed since is not overwritten.
    revision: i64,
    sealed: Vec<u8>,
}

/// What becomes of several.
pub(super) type Agreed = Vec<Change>;

/// A link as it is stored: its revision and sealed base; none if it is not there.
pub(super) type Known = Option<(i64, Vec<u8>)>;

/// Binds six lists: the change's place, the firm, the two records, the revision, the base.
pub(super) fn bind<'q>(
    query: PostgresQuery<'q>,
    changes: impl Iterator<Item = (i64, &'q str, &'q Change)>,
) -> PostgresQuery<'q> {
    let changes: Vec<_> = changes.collect();
    query
        .bind(changes.iter().map(|(place, _, _)| *place).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, firm, _)| *firm).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, _, change)| change.highlevel.as_str()).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, _, change)| change.casepeer.as_str()).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, _, change)| change.revision).collect::<Vec<_>>())
        .bind(changes.iter().map(|(_, _, change)| change.sealed.as_slice()).collect::<Vec<_>>())
}

/// The links that these changes are about, as they are stored, for each list of changes in order.
pub(super) async fn known<'a>(
    connection: &mut PgConnection,
    lists: impl Iterator<Item = (&'a str, &'a [LinkChange])>,
) -> Result<Vec<Vec<Known>>, Fault> {
    let lists: Vec<_> = lists.collect();
    let mut known: Vec<Vec<Known>> = lists.iter().map(|(_, changes)| vec![None; changes.len()]).collect();
    let flat: Vec<(usize, usize)> = lists
        .iter()
        .enumerate()
        .flat_map(|(list, (_, changes))| (0..changes.len()).map(move |change| (list, change)))
        .collect();
    if flat.is_empty() {
        return Ok(known);
    }
    let sides = |(list, change): &(usize, usize)| sides(&lists[*list].1[*change]);
    let sql =
        "SELECT place, revision, sealed_base FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY
            AS given (firm, highlevel, casepeer, place)
        CROSS JOIN LATERAL (SELECT revision, sealed_base FROM link WHERE firm = given.firm
            AND highlevel = given.highlevel AND casepeer = given.casepeer LIMIT 1) known";
    let rows = sqlx::query(sql)
        .bind(flat.iter().map(|(list, _)| lists[*list].0).collect::<Vec<_>>())
        .bind(flat.iter().map(|at| text(&sides(at).0.to_string())).collect::<Vec<_>>())
        .bind(flat.iter().map(|at| text(&sides(at).1.to_string())).collect::<Vec<_>>());
    for row in rows.fetch_all(connection).await? {
        let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).expect("it counts from 1");
        let (list, change) = flat[place];
        known[list][change] = Some((row.try_get("revision")?, row.try_get("sealed_base")?));
    }
    Ok(known)
}

/// What these changes make of the links there are. Nothing, if one of them is not there yet: it may unite people.
pub(super) fn agreed(
    keyring: &Keyring,
    firm: &str,
    changes: &[LinkChange],
    known: &[Known],
) -> Result<Option<Agreed>, Fault> {
    let mut agreed = Vec::new();
    for (change, known) in changes.iter().zip(known) {
        let (revision, sealed) = match known {
            Some(known) => known,
            // Of the others, some may be about the same two records.
            None if matches!(change, LinkChange::Link(_)) || changes.len() > 1 => return Ok(None),
            None => continue,
        };
        let (here, there) = sides(change);
        let before = open(keyring, firm, here, there, sealed)?;
        let mut merged = before.clone();
        merged.overlay(base(change));
        // Who links two records says that both are there.
        merged.is_deleted &= !matches!(change, LinkChange::Link(_)) || base(change).is_deleted;
        // Who is found by something new is written down beside it.
        if !new_keys(keyring, here, Some(&before), &merged).is_empty() {
            return Ok(None);
        }
        if merged != before {
            agreed.push(Change {
                highlevel: text(&here.to_string()),
                casepeer: text(&there.to_string()),
                revision: *revision,
                sealed: seal(keyring, firm, here, there, &merged),
            });
        }
    }
    Ok(Some(agreed))
}

pub(super) fn sides(change: &LinkChange) -> (&RecordRef, &RecordRef) {
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

pub(super) fn seal(
    keyring: &Keyring,
    firm: &str,
    highlevel: &RecordRef,
    casepeer: &RecordRef,
    base: &Base,
) -> Vec<u8> {
    let plain = serde_json::to_vec(base).expect("a base is JSON");
    keyring.seal(place(&row_name(firm, highlevel, casepeer)), &plain)
}

/// Remembers what a call made of links. What is found to be carried out is not carried out again, so nobody else would
/// link it: such news is kept although the lease was lost.
pub(super) async fn apply_what_came(
    connection: &mut PgConnection,
    keyring: &Keyring,
    lease: &Lease,
    changes: &[LinkChange],
    is_news: bool,
    now: Timestamp,
) -> Result<Settled, Fault> {
    let held = claims::held(connection, lease).await?.is_some();
    if held || is_news {
        apply(connection, keyring, &lease.firm, changes, now).await?;
    }
    Ok(if held { Settled::Yes } else { Settled::LeaseLost })
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
                    review::close_about(connection, firm, &[here, there], now).await?;
                }
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// Remembers what was sent to the first of two linked records. It moves no base: nobody knows whether it arrived.
pub(super) async fn note_sent(
    connection: &mut PgConnection,
    keyring: &Keyring,
    firm: &str,
    (to, from): (&RecordRef, &RecordRef),
    fields: Fields,
) -> Result<(), Fault> {
    let (highlevel, casepeer) = match to.system {
        System::HighLevel => (to, from),
        System::CasePeer => (from, to),
    };
    let (here, there) = (text(&highlevel.to_string()), text(&casepeer.to_string()));
    let sql = "SELECT sealed_base FROM link WHERE firm = $1 AND highlevel = $2 AND casepeer = $3";
    let select = sqlx::query(sql).bind(firm).bind(&here).bind(&there);
    let Some(row) = select.fetch_optional(&mut *connection).await? else { return Ok(()) };
    let mut base = open(keyring, firm, highlevel, casepeer, row.try_get("sealed_base")?)?;
    base.note_sent(Sent { to: to.system, fields });
    let sql = "UPDATE link SET sealed_base = $1 WHERE firm = $2 AND highlevel = $3 AND casepeer = $4";
    let update = sqlx::query(sql).bind(seal(keyring, firm, highlevel, casepeer, &base)).bind(firm);
    update.bind(&here).bind(&there).execute(connection).await?;
    Ok(())
}

/// Lets a contact's person be found by these keys.
async fn find_by(
    connection: &mut PgConnection,
    firm: &str,
    contact: &str,
    keys: Vec<[u8; 32]>,
) -> Result<(), Fault> {
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO person_key (firm, match_key, record)
        SELECT $1, match_key, $3 FROM unnest($2::bytea[]) AS match_key ON CONFLICT DO NOTHING";
    let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
    sqlx::query(sql).bind(firm).bind(keys).bind(contact).execute(connection).await?;
    Ok(())
}

/// Whether an effect made this record.
pub(super) async fn is_ours(pool: &PgPool, firm: &FirmId, record: &RecordRef) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM effect WHERE firm = $1 AND result = $2 LIMIT 1";
    let found = sqlx::query(sql).bind(firm.as_str()).bind(text(&record.to_string()));
    Ok(found.fetch_optional(pool).await?.is_some())
}
