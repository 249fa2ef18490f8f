//! What a person does with a settled event.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool};

use super::rows::{Fault, text, word};
use super::{figures, lanes};
use crate::domain::{EventId, EventState, FirmId, RecordRef};
use crate::store::{Address, NO_BODY, StoreError};

/// Whose an event is.
pub(super) async fn firm_of(pool: &PgPool, id: EventId) -> Result<Option<FirmId>, Fault> {
    let row = sqlx::query("SELECT firm FROM event WHERE id = $1").bind(id.0).fetch_optional(pool).await?;
    Ok(row.map(|row| row.try_get::<String, _>(0)).transpose()?.map(FirmId::new))
}

pub(super) async fn replay(
    connection: &mut PgConnection,
    firm: &FirmId,
    id: EventId,
    now: Timestamp,
) -> Result<Option<bool>, Fault> {
    let Some((seq, state, records)) = find(connection, id).await? else { return Ok(None) };
    if !state.is_settled() {
        return Ok(Some(false));
    }
    let body = sqlx::query("SELECT 1 FROM payload WHERE event = $1").bind(seq);
    if body.fetch_optional(&mut *connection).await?.is_none() {
        return Err(StoreError::Gone(NO_BODY).into());
    }
    // An event that was set aside on arrival was given no lane then.
    let records: Vec<RecordRef> = records.iter().filter_map(|record| record.parse().ok()).collect();
    let person = lanes::person_of(connection, firm.as_str(), &records).await?;
    let waits = lanes::has_head(connection, person).await?;
    let state =
        if waits { EventState::Waiting } else { lanes::head_state(connection, firm.as_str()).await? };
    // After all that has been received, and before what comes next: that gets the same number or a higher one, and is
    // younger.
    let sql = "UPDATE event SET state = $1, reason = 'replayed', cause = NULL, person = $2, due_at = $3,
        failed_attempts = 0, settled_at = NULL, turn = (SELECT max(seq) + 1 FROM event) WHERE seq = $4";
    sqlx::query(sql)
        .bind(state.as_str())
        .bind(person)
        .bind(now.as_millisecond())
        .bind(seq)
        .execute(&mut *connection)
        .await?;
    figures::reopen(connection, seq).await?;
    Ok(Some(true))
}

pub(super) async fn readdress(
    connection: &mut PgConnection,
    id: EventId,
    address: &Address,
) -> Result<(), Fault> {
    let records: Vec<String> = address.records.iter().map(ToString::to_string).collect();
    // If the firm has received the same delivery meanwhile, that one counts, and this stays where it is.
    let sql = "UPDATE event SET firm = $1, type = $2, records = $3, subject = $4, is_update = $5
        WHERE id = $6 AND settled_at IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM event other WHERE other.firm = $1 AND other.source = event.source
            AND other.delivery_key = event.delivery_key AND other.id <> event.id)";
    sqlx::query(sql)
        .bind(address.firm.as_str())
        .bind(text(&address.kind))
        .bind(text(&serde_json::to_string(&records).expect("text is JSON")))
        .bind(records.first().map(|record| text(record)))
        .bind(address.is_update)
        .bind(id.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn discard(
    connection: &mut PgConnection,
    id: EventId,
    why: &str,
    now: Timestamp,
) -> Result<Option<bool>, Fault> {
    let Some((seq, state, _)) = find(connection, id).await? else { return Ok(None) };
    if state != EventState::Undelivered {
        return Ok(Some(false));
    }
    let sql = "UPDATE event SET state = 'discarded', reason = $1, settled_at = $2 WHERE seq = $3";
    sqlx::query(sql).bind(text(why)).bind(now.as_millisecond()).bind(seq).execute(&mut *connection).await?;
    figures::reopen(connection, seq).await?;
    Ok(Some(true))
}

type Found = (i64, EventState, Vec<String>);

async fn find(connection: &mut PgConnection, id: EventId) -> Result<Option<Found>, Fault> {
    let sql = "SELECT seq, state, records FROM event WHERE id = $1";
    let Some(row) = sqlx::query(sql).bind(id.0).fetch_optional(connection).await? else { return Ok(None) };
    let records = serde_json::from_str(row.try_get("records")?).unwrap_or_default();
    Ok(Some((row.try_get("seq")?, word(&row, "state")?, records)))
}
