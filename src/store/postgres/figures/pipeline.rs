//! What became of leads.

use sqlx::Row;
use sqlx::postgres::PgPool;

use super::super::links;
use super::super::rows::{Fault, text, word};
use crate::crypto::Keyring;
use crate::domain::{Field, RecordRef};
use crate::store::pipeline::{Counting, MILESTONE, MOST_LINKS};
use crate::store::{PipelineFilter, PipelineRow};

/// The counts, by month and source.
pub(super) async fn read(
    pool: &PgPool,
    keyring: &Keyring,
    filter: &PipelineFilter,
) -> Result<Vec<PipelineRow>, Fault> {
    let firms: Option<Vec<String>> =
        filter.firms.as_ref().map(|firms| firms.iter().map(|firm| text(firm.as_str())).collect());
    let mut counting = Counting::since(filter.since);
    let sql = "SELECT firm, key, completed_at FROM effect
        WHERE starts_with(key, $1) AND completed_at >= $2 AND ($3::text[] IS NULL OR firm = ANY($3))";
    let query = sqlx::query(sql).bind(MILESTONE).bind(filter.since.as_millisecond()).bind(&firms);
    for row in query.fetch_all(pool).await? {
        counting.add_milestone(row.try_get("firm")?, row.try_get("key")?, row.try_get("completed_at")?);
    }
    let sql = "SELECT firm, highlevel, casepeer, created_at, sealed_base FROM link
        WHERE $1::text[] IS NULL OR firm = ANY($1) ORDER BY created_at DESC LIMIT $2";
    for row in sqlx::query(sql).bind(&firms).bind(MOST_LINKS).fetch_all(pool).await? {
        let (firm, at): (&str, i64) = (row.try_get("firm")?, row.try_get("created_at")?);
        let highlevel: RecordRef = word(&row, "highlevel")?;
        let casepeer: RecordRef = word(&row, "casepeer")?;
        let source = match counting.wants(firm, &casepeer, at) {
            true => {
                let base = links::open(keyring, firm, &highlevel, &casepeer, row.try_get("sealed_base")?)?;
                base.fields.get(Field::Source).map(str::to_owned)
            }
            false => None,
        };
        counting.add_link(firm, &highlevel, &casepeer, at, source);
    }
    Ok(counting.rows())
}
