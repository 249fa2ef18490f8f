//! Linking what both sides' lists show to be one person's.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::rows::Millis;
use super::super::{links, listing, receive};
use crate::crypto::Keyring;
use crate::domain::RecordRef;
use crate::store::sweeps::{BY_BACKFILL, ListedPair};
use crate::store::{LinkChange, Recorded, StoreError};

/// A pair on its way to the database.
pub(super) struct Sealed {
    pair: ListedPair,
    body: Vec<u8>,
    plan: Vec<u8>,
}

/// Seals what is sealed, outside the writer's thread.
pub(super) fn seal(keyring: &Keyring, pairs: Vec<ListedPair>) -> Vec<Sealed> {
    let seal = |pair: ListedPair| {
        let body = receive::seal(keyring, &pair.arrival);
        let plan = listing::seal_plan(keyring, pair.arrival.id, &pair.plan);
        Sealed { pair, body, plan }
    };
    pairs.into_iter().map(seal).collect()
}

/// Links a pair, unless something is known of either record that the lists may not have shown.
pub(super) fn link(
    connection: &Connection,
    keyring: &Keyring,
    sealed: &Sealed,
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ListedPair { arrival, link, .. } = &sealed.pair;
    for record in [&link.highlevel, &link.casepeer] {
        if has_news(connection, arrival.firm.as_str(), record, since)? {
            return Ok(false);
        }
    }
    let recorded = receive::record_with(connection, arrival, &sealed.body, Some(&sealed.plan), now)?;
    if matches!(recorded, Recorded::Duplicate(_)) {
        return Ok(false);
    }
    links::apply(connection, keyring, &arrival.firm, &[LinkChange::Link(link.clone())], now)?;
    Ok(true)
}

fn has_news(
    connection: &Connection,
    firm: &str,
    record: &RecordRef,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let name = record.to_string();
    let linked = "SELECT 1 FROM link WHERE firm = ?1 AND highlevel = ?2
        UNION ALL SELECT 1 FROM link WHERE firm = ?1 AND casepeer = ?2 LIMIT 1";
    let is_linked =
        connection.prepare_cached(linked)?.query_row(params![firm, name], |_| Ok(())).optional()?.is_some();
    // Spelt as in the index `event_followed`, which serves no comparison with a column: hence the `+`.
    let heard = "SELECT 1 FROM person_record AS known JOIN event ON coalesce(event.person, 0) = +known.person
        WHERE known.firm = ? AND known.record = ?
            AND (settled_at IS NULL OR received_at >= ? AND verified_by <> ?) LIMIT 1";
    let values = params![firm, name, Millis(since), BY_BACKFILL];
    Ok(is_linked || connection.prepare_cached(heard)?.query_row(values, |_| Ok(())).optional()?.is_some())
}
