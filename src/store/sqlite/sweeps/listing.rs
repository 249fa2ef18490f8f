//! The loss meter, as people ask for it.

use rusqlite::{Connection, params};

use crate::domain::FirmId;
use crate::store::StoreError;
use crate::store::sweeps::{HEALED, LossFilter, LossRow, loss_row};

pub(super) fn losses(connection: &Connection, filter: &LossFilter) -> Result<Vec<LossRow>, StoreError> {
    let sql = format!(
        "SELECT firm, day, kind, sum(received), sum(in_step), sum(looked_at), sum(looked_of), sum(gaps), sum(healed)
        FROM (SELECT firm, day, kind, received, in_step, looked_at, looked_of, 0 AS gaps, 0 AS healed FROM loss
            UNION ALL SELECT gap.firm, gap.day, gap.kind, 0, 0, 0, 0, 1, event.state IS NULL OR event.state IN ({HEALED})
            FROM loss_gap AS gap LEFT JOIN event ON event.id = gap.event)
        WHERE (?1 IS NULL OR firm = ?1) AND (?2 IS NULL OR day >= ?2)
        GROUP BY firm, day, kind ORDER BY day DESC, firm, kind LIMIT ?3"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let firm = filter.firm.as_ref().map(FirmId::as_str);
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let rows = select.query_map(params![firm, filter.since, limit], |row| {
        let mut numbers = [0; 6];
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = row.get(3 + at)?;
        }
        Ok(loss_row(row.get(0)?, row.get(1)?, row.get(2)?, numbers))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
