//! What the fate of a batch depends on.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::super::rows::{Fault, event_id, moment};
use super::super::writer::Job;
use super::{Key, Known, Latest, Sealed};

/// What a row of the look-up tells.
mod told {
    pub(super) const PARKED: i32 = 1;
    pub(super) const SENT_BEFORE: i32 = 2;
    pub(super) const PERSON: i32 = 3;
    pub(super) const NEW_PERSON: i32 = 4;
    pub(super) const NEW_EVENT: i32 = 5;
}

/// One question instead of five: each would take a journey to the database and back.
pub(super) async fn look_up(connection: &mut PgConnection, batch: &[Sealed]) -> Result<Known, Fault> {
    let sql = "SELECT 1 AS told, firm, NULL AS name, NULL::bigint AS number, NULL::uuid AS id, false AS has_head
            FROM parking WHERE firm = ANY($1)
        UNION ALL SELECT 2, given.firm, given.key, given.place, earlier.id, false
            FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS given (firm, source, key, place)
            CROSS JOIN LATERAL (SELECT id FROM event WHERE firm = given.firm AND source = given.source
                AND delivery_key = given.key LIMIT 1) earlier
        UNION ALL SELECT 3, given.firm, given.record, known.person, NULL, EXISTS (SELECT 1 FROM event
                WHERE event.person = known.person AND state IN ('ready', 'running', 'retrying', 'parked'))
            FROM unnest($5::text[], $6::text[]) AS given (firm, record)
            CROSS JOIN LATERAL (SELECT person FROM person_record
                WHERE firm = given.firm AND record = given.record LIMIT 1) known
        UNION ALL SELECT 4, NULL, NULL, nextval('person_id_seq'), NULL, false FROM generate_series(1, $7)
        UNION ALL SELECT 5, NULL, NULL, nextval('event_seq_seq'), NULL, false FROM generate_series(1, $7)";
    let firms: Vec<&str> = batch.iter().map(Sealed::firm).collect::<BTreeSet<_>>().into_iter().collect();
    let names = |wanted: fn(&Key) -> bool| {
        let chosen = batch.iter().filter(move |sealed| wanted(&sealed.key));
        chosen.map(|sealed| (sealed.firm(), (sealed.arrival.source.as_str(), sealed.key.text()))).unzip()
    };
    let senders: (Vec<_>, (Vec<_>, Vec<_>)) = names(|key| matches!(key, Key::Sender(_)));
    let (sender_firms, (sources, keys)) = senders;
    let records =
        batch.iter().flat_map(|sealed| sealed.lane_records().iter().map(|record| (sealed.firm(), record)));
    let (record_firms, records): (Vec<&str>, Vec<&String>) =
        records.collect::<BTreeSet<_>>().into_iter().unzip();
    let rows = sqlx::query(sql)
        .bind(&firms)
        .bind(&sender_firms)
        .bind(&sources)
        .bind(&keys)
        .bind(&record_firms)
        .bind(&records)
        .bind(i64::try_from(batch.len()).expect("a batch is small"))
        .fetch_all(&mut *connection)
        .await?;
    let mut known = Known::default();
    for row in &rows {
        let number = || row.try_get::<i64, _>("number");
        match row.try_get("told")? {
            told::PARKED => {
                known.parked.insert(row.try_get("firm")?);
            }
            told::SENT_BEFORE => {
                let source = sources[index(number()?)];
                known
                    .senders
                    .insert((row.try_get("firm")?, source, row.try_get("name")?), event_id(row, "id")?);
            }
            told::PERSON => {
                known.people.insert((row.try_get("firm")?, row.try_get("name")?), number()?);
                if row.try_get("has_head")? {
                    known.lanes_with_head.insert(number()?);
                }
            }
            told::NEW_PERSON => known.new_people.push(number()?),
            told::NEW_EVENT => known.new_events.push(number()?),
            other => unreachable!("the statement tells nothing of {other}"),
        }
    }
    for numbers in [&mut known.new_people, &mut known.new_events] {
        numbers.sort_unstable_by(|one, other| other.cmp(one));
    }
    let hashes: (Vec<_>, (Vec<_>, Vec<_>)) = names(|key| matches!(key, Key::Body(_)));
    if !hashes.0.is_empty() {
        bodies(connection, &mut known, &hashes.0, &hashes.1.0, &hashes.1.1).await?;
    }
    Ok(known)
}

/// Ordinality counts from 1.
fn index(ordinality: i64) -> usize {
    usize::try_from(ordinality - 1).expect("ordinality counts from 1")
}

async fn bodies(
    connection: &mut PgConnection,
    known: &mut Known,
    firms: &[&str],
    sources: &[&'static str],
    hashes: &[&str],
) -> Result<(), Fault> {
    // Later arrivals of the same body carry their own id behind it; `~` sorts after every id. `seq + 0` keeps the
    // planner from walking all events from the newest on in search of one.
    let sql = "SELECT place, latest.id, latest.person, latest.received_at,
            EXISTS (SELECT 1 FROM event WHERE person = latest.person AND seq > latest.seq) AS is_followed
        FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS given (firm, source, hash, place)
        CROSS JOIN LATERAL (SELECT seq, id, person, received_at FROM event
            WHERE firm = given.firm AND source = given.source
                AND delivery_key >= given.hash COLLATE \"C\" AND delivery_key < (given.hash || '~') COLLATE \"C\"
            ORDER BY seq + 0 DESC LIMIT 1) latest";
    let rows = sqlx::query(sql).bind(firms).bind(sources).bind(hashes);
    for row in rows.fetch_all(connection).await? {
        let place = index(row.try_get("place")?);
        let name = (firms[place].to_owned(), sources[place], hashes[place].to_owned());
        let latest = Latest {
            id: event_id(&row, "id")?,
            person: row.try_get("person")?,
            received_at: moment(&row, "received_at")?,
            place: None,
            is_followed: row.try_get("is_followed")?,
        };
        known.bodies.insert(name, latest);
    }
    Ok(())
}
