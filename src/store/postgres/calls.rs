//! The calls that were made for events.

use sqlx::postgres::PgConnection;

use super::rows::{Fault, PostgresQuery, text};
use crate::store::CallRecord;

/// Writes down calls that were made for events.
pub(super) async fn add_calls(
    connection: &mut PgConnection,
    calls: &[(i64, &CallRecord)],
) -> Result<(), Fault> {
    let sql = "INSERT INTO call (event, operation, target, effect_key, status, class, started_at, duration_ms, detail)
        SELECT event, operation, target, effect_key, status, class, started_at, duration_ms, detail
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[],
            $8::bigint[], $9::text[]) WITH ORDINALITY AS given
            (event, operation, target, effect_key, status, class, started_at, duration_ms, detail, place)
        ORDER BY place";
    bind_calls(sqlx::query(sql), calls).execute(connection).await?;
    Ok(())
}

/// Binds nine lists: the events the calls were made for, and the columns of the calls.
pub(super) fn bind_calls<'q>(query: PostgresQuery<'q>, calls: &[(i64, &CallRecord)]) -> PostgresQuery<'q> {
    let millis = |duration: u64| i64::try_from(duration).unwrap_or(i64::MAX);
    query
        .bind(calls.iter().map(|(event, _)| *event).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| call.operation.clone()).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| text(&call.target)).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| call.effect_key.as_deref().map(text)).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| call.status.map(i64::from)).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| call.class.as_str()).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| call.started_at.as_millisecond()).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| millis(call.duration_ms)).collect::<Vec<_>>())
        .bind(calls.iter().map(|(_, call)| call.detail.as_deref().map(text)).collect::<Vec<_>>())
}
