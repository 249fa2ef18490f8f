//! Writing down what came of a batch.

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::super::CHANNEL;
use super::super::rows::{Fault, text};
use super::super::writer::Job;
use super::{EventToStore, People, Sealed};

/// What an event takes beside its body, its key and its records.
const EVENT: usize = 350;

/// Cuts a batch into messages of at most this many bytes; a larger event has one of its own.
pub(super) fn messages<'a>(
    batch: &[Sealed],
    events: &'a [EventToStore],
    most: usize,
) -> Vec<&'a [EventToStore]> {
    let mut messages = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (end, event) in events.iter().enumerate() {
        let sealed = &batch[event.place];
        let records = 2 * sealed.records.iter().map(|record| record.len() + 8).sum::<usize>();
        let plan = sealed.plan.as_ref().map_or(0, Vec::len);
        let size = EVENT + sealed.body.len() + plan + event.key.len() + records;
        if bytes + size > most && end > start {
            messages.push(&events[start..end]);
            (start, bytes) = (end, 0);
        }
        bytes += size;
    }
    if start < events.len() {
        messages.push(&events[start..]);
    }
    messages
}

/// Writes what fits into one message. New people and their records, which take little, go with the first of a batch.
pub(super) async fn message(
    connection: &mut PgConnection,
    batch: &[Sealed],
    people: &People,
    events: &[EventToStore],
    now: Timestamp,
) -> Result<(), Fault> {
    // Data-modifying parts of one statement see one snapshot; references are checked when all of it is done.
    let sql = "WITH new_person AS (INSERT INTO person (id, firm) SELECT * FROM unnest($1::bigint[], $2::text[])),
        new_record AS (INSERT INTO person_record (firm, record, person)
            SELECT * FROM unnest($3::text[], $4::text[], $5::bigint[])),
        new_event AS (INSERT INTO event (seq, id, firm, source, type, subject, is_update, delivery_key, person, state,
                due_at, reason, cause, records, verified_by, sent_at, received_at, settled_at, trace, sealed_plan)
            SELECT * FROM unnest($6::bigint[], $7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[],
                $12::boolean[], $13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::text[], $18::text[],
                $19::text[], $20::text[], $21::bigint[], $22::bigint[], $23::bigint[], $26::bytea[],
                $27::bytea[])),
        new_payload AS (INSERT INTO payload (event, sealed_body) SELECT * FROM unnest($6::bigint[], $24::bytea[]))
        SELECT pg_notify($25, '') WHERE 'ready' = ANY($15)";
    let (new_people, firms): (Vec<i64>, Vec<&String>) =
        people.new.iter().map(|(id, firm)| (id, firm)).unzip();
    let (names, of): (Vec<_>, Vec<i64>) = people.records.iter().unzip();
    let (record_firms, records): (Vec<&String>, Vec<&String>) =
        names.into_iter().map(|(firm, record)| (firm, record)).unzip();
    let sealed = |event: &EventToStore| &batch[event.place];
    let now = now.as_millisecond();
    let received = |event: &EventToStore| sealed(event).arrival.received_at.as_millisecond();
    let undeliverable = |event: &EventToStore| sealed(event).arrival.undeliverable.as_ref();
    let list = |event: &EventToStore| serde_json::to_string(&sealed(event).records).expect("text is JSON");
    let sent = |event: &EventToStore| sealed(event).arrival.sent_at.map(|at| at.as_millisecond());
    let settled = |event: &EventToStore| event.state.is_settled().then(|| received(event));
    let plan = |event: &EventToStore| sealed(event).plan.clone();
    let cause = |event: &EventToStore| undeliverable(event).map(|(cause, _)| cause.as_str());
    let reason = |event: &EventToStore| undeliverable(event).map(|(_, why)| text(why));
    let trace = |event: &EventToStore| sealed(event).arrival.trace.map(|trace| trace.0.to_vec());
    sqlx::query(sql)
        .bind(new_people)
        .bind(firms)
        .bind(record_firms)
        .bind(records)
        .bind(of)
        .bind(events.iter().map(|event| event.seq).collect::<Vec<_>>())
        .bind(events.iter().map(|event| sealed(event).arrival.id.0).collect::<Vec<Uuid>>())
        .bind(events.iter().map(|event| sealed(event).firm()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| sealed(event).arrival.source.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| text(&sealed(event).arrival.kind)).collect::<Vec<_>>())
        .bind(events.iter().map(|event| sealed(event).records.first()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| sealed(event).arrival.is_update).collect::<Vec<_>>())
        .bind(events.iter().map(|event| &event.key).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.person).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.state.as_str()).collect::<Vec<_>>())
        // A receiver whose clock is ahead must not make an event wait.
        .bind(events.iter().map(|event| received(event).min(now)).collect::<Vec<_>>())
        .bind(events.iter().map(reason).collect::<Vec<_>>())
        .bind(events.iter().map(cause).collect::<Vec<_>>())
        .bind(events.iter().map(list).collect::<Vec<_>>())
        .bind(events.iter().map(|event| sealed(event).arrival.proof).collect::<Vec<_>>())
        .bind(events.iter().map(sent).collect::<Vec<_>>())
        .bind(events.iter().map(received).collect::<Vec<_>>())
        .bind(events.iter().map(settled).collect::<Vec<_>>())
        .bind(events.iter().map(|event| sealed(event).body.as_slice()).collect::<Vec<_>>())
        .bind(CHANNEL)
        .bind(events.iter().map(trace).collect::<Vec<_>>())
        .bind(events.iter().map(plan).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
