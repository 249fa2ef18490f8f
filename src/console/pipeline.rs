//! What becomes of leads: from a lead to a signed and a settled case, by month and by where they came from.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::failure::Failed;
use super::page::{number, page};
use super::session::Visitor;
use crate::store::{PipelineFilter, PipelineRow};

/// How far back is looked: a year and the month that has begun.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Sources that are told apart in the table; the rest is one line.
const MOST_SOURCES: usize = 12;

/// Which firm.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    firm: Option<String>,
}

async fn read(console: &Console, visitor: &Visitor, asked: &Asked) -> Result<Vec<PipelineRow>, Failed> {
    let wanted = asked.firm.as_deref().filter(|id| !id.is_empty());
    let firm = console.firms(visitor).map(|firm| firm.id.clone()).find(|id| Some(id.as_str()) == wanted);
    let firms = firm.map_or_else(|| visitor.actor.reach.firms(), |firm| Some(vec![firm]));
    let now = console.bridge.clock.now();
    let since = now.checked_sub(LOOK_BACK).unwrap_or(now);
    Ok(console.bridge.store.pipeline(PipelineFilter { firms, since }).await?)
}

/// `/pipeline`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let rows = read(&console, &visitor, &asked).await?;
    let query = match &asked.firm {
        Some(firm) if !firm.is_empty() => {
            format!("?{}", form_urlencoded::Serializer::new(String::new()).append_pair("firm", firm).finish())
        }
        _ => String::new(),
    };
    let body = html! {
        p.back { a href="/" { "Home" } }
        h1 { "Pipeline" }
        (section(&rows, &query, console.bridge.clock.now()))
    };
    Ok(page(&visitor, "/", "Pipeline", body))
}

/// `/pipeline.csv`
pub(super) async fn csv(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let rows = read(&console, &visitor, &asked).await?;
    let mut text = "month,source,leads,signed,settled,declined\n".to_owned();
    for row in &rows {
        let source = cell(&row.source);
        text.push_str(&format!(
            "{},{source},{},{},{},{}\n",
            row.month, row.leads, row.signed, row.settled, row.rejected
        ));
    }
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"casebridge-pipeline.csv\""),
    ];
    Ok((headers, text).into_response())
}

/// Text as a cell. A spreadsheet must not take a source that begins like a formula for one.
fn cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn add(sum: &mut PipelineRow, row: &PipelineRow) {
    sum.leads += row.leads;
    sum.signed += row.signed;
    sum.settled += row.settled;
    sum.rejected += row.rejected;
}

/// Sums of the rows by a word of theirs.
fn by(rows: &[PipelineRow], word: fn(&PipelineRow) -> &String) -> BTreeMap<String, PipelineRow> {
    let mut sums: BTreeMap<String, PipelineRow> = BTreeMap::new();
    rows.iter().for_each(|row| add(sums.entry(word(row).clone()).or_default(), row));
    sums
}

/// The months that are looked at, those without anything too.
fn months(now: Timestamp) -> impl Iterator<Item = Date> {
    let last = TimeZone::UTC.to_datetime(now).date().first_of_month();
    let first = last.checked_sub(12.months()).unwrap_or(last);
    first.series(1.month()).take_while(move |month| *month <= last)
}

/// The chart, its table, and the sources. `query` is what a link to the same figures ends with.
fn section(rows: &[PipelineRow], query: &str, now: Timestamp) -> Markup {
    let of_months = by(rows, |row| &row.month);
    let mut sources: Vec<_> = by(rows, |row| &row.source).into_iter().collect();
    sources.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.leads + sum.signed));
    let mut rest = PipelineRow::default();
    sources.iter().skip(MOST_SOURCES).for_each(|(_, sum)| add(&mut rest, sum));
    html! {
        section #pipeline aria-labelledby="pipeline-title" {
            div.between { h2 #pipeline-title { "From lead to settled, 12 months" } @if !rows.is_empty() { a href={ "/pipeline.csv" (query) } download { "As CSV" } } }
            @if rows.is_empty() { p.empty { "Nothing yet: it begins with the first person who is in both systems." } }
            @else {
                div.card {
                    div.chart data-chart="pipeline-table" role="img" aria-label="Leads, signed and settled cases by month; the table below says the same" {}
                    details {
                        summary { "The same as a table" }
                        div.table tabindex="0" role="region" aria-label="Leads and cases by month" { table #pipeline-table {
                            thead { tr { th scope="col" { "Month" } th scope="col" { "Leads" } th scope="col" { "Signed" } th scope="col" { "Settled" } } }
                            tbody { @for month in months(now) {
                                @let sum = of_months.get(&month.strftime("%Y-%m").to_string()).cloned().unwrap_or_default();
                                @let at = TimeZone::UTC.to_timestamp(month.at(0, 0, 0, 0)).map_or(0, |at| at.as_second());
                                tr data-at=(at) { th scope="row" { (month.strftime("%b %Y")) } td.number { (sum.leads) } td.number { (sum.signed) } td.number { (sum.settled) } }
                            } }
                        } }
                    }
                }
                div.table.after tabindex="0" role="region" aria-label="By source" { table {
                    thead { tr { th scope="col" { "Source" } @for name in ["Leads", "Signed", "Settled", "Declined"] { th.number scope="col" { (name) } } } }
                    tbody {
                        @for (source, sum) in sources.iter().take(MOST_SOURCES) { (line(if source.is_empty() { "not known" } else { source }, sum)) }
                        @if sources.len() > MOST_SOURCES { (line("others", &rest)) }
                    }
                } }
            }
        }
    }
}

fn line(source: &str, sum: &PipelineRow) -> Markup {
    html! {
        tr { th scope="row" { (source) } @for count in [sum.leads, sum.signed, sum.settled, sum.rejected] { td.number { (number(count)) } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_without_anything_are_shown_and_cells_are_no_formulas() {
        let now = "2026-02-28T23:00:00Z".parse().unwrap();
        let shown: Vec<_> = months(now).map(|month| month.to_string()).collect();
        assert_eq!((shown.len(), &*shown[0], &*shown[12]), (13, "2025-02-01", "2026-02-01"));
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
