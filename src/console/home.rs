//! The first page: what needs a person, then what happened.

mod figures;
mod needs;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use self::figures::{Figures, Span};
use super::Console;
use super::failure::Failed;
use super::live;
use super::page::page;
use super::session::Visitor;

/// What is asked.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    span: Option<String>,
    firm: Option<String>,
}

/// `/`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let span = Span::of(asked.span.as_deref());
    let firm = console
        .firms(&visitor)
        .map(|firm| firm.id.clone())
        .find(|id| Some(id.as_str()) == asked.firm.as_deref());
    console.bridge.count_soon();
    let needs = needs::read(&console, &visitor).await?;
    let figures = Figures::read(&console, &visitor, span, firm.as_ref()).await?;
    let is_usual = span == Span::Day && firm.is_none();
    let seen =
        if is_usual { format!("?seen={}", live::digest(&shown(&needs, &figures))) } else { String::new() };
    let body = html! {
        div.between {
            h1 { "Home" }
            form.line method="get" action="/" {
                div {
                    label for="firm" { "Firm" }
                    select #firm name="firm" {
                        option value="" { "All" }
                        @for one in console.firms(&visitor) { option value=(one.id.as_str()) selected[firm.as_ref() == Some(&one.id)] { (one.id) } }
                    }
                }
                div {
                    label for="span" { "Time" }
                    select #span name="span" { @for one in Span::ALL { option value=(one.word()) selected[one == span] { (one.title()) } } }
                }
                button type="submit" { "Show" }
            }
        }
        div #live data-live={ "/live" (seen) } { (needs) (figures.cards()) }
        (figures.activity(asked.firm.as_deref()))
        // Links are many: it comes when the rest is there.
        @let pipeline = firm.as_ref().map_or_else(|| "/pipeline".to_owned(), |firm| format!("/pipeline?firm={firm}"));
        section hx-get=(pipeline) hx-trigger="load" hx-select="#pipeline" hx-swap="outerHTML" { p { a href=(pipeline) { "From lead to settled, by month and source" } } }
        (figures.losses())
    };
    Ok(page(&visitor, "/", "Home", body))
}

/// `/activity.csv`: what the chart shows, as a table for a spreadsheet.
pub(super) async fn csv(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let span = Span::of(asked.span.as_deref());
    let firm = console
        .firms(&visitor)
        .map(|firm| firm.id.clone())
        .find(|id| Some(id.as_str()) == asked.firm.as_deref());
    let figures = Figures::read(&console, &visitor, span, firm.as_ref()).await?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"casebridge-activity.csv\""),
    ];
    Ok((headers, figures.csv()).into_response())
}

/// `/live`: says when what needs a person has changed.
pub(super) async fn live(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    visitor: Visitor,
    Query(asked): Query<live::Asked>,
) -> Response {
    live::follow(console, visitor, &headers, asked, |console, visitor| async move {
        console.bridge.count_soon();
        let needs = needs::read(&console, &visitor).await?;
        let figures = Figures::read(&console, &visitor, Span::Day, None).await?;
        Ok(shown(&needs, &figures))
    })
    .await
}

/// What changes by itself of the page that shows all firms' last day.
fn shown(needs: &Markup, figures: &Figures) -> String {
    format!("{}{}", needs.0, figures.cards().0)
}
