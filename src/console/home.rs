//! The first page: what needs a person, then what happened.

mod figures;
mod needs;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream::{self, Stream};
use maud::html;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use self::figures::{Figures, Span};
use super::Console;
use super::failure::Failed;
use super::page::page;
use super::session::{Visitor, session_cookie};

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
    let needs = needs::read(&console, &visitor).await?;
    let figures = Figures::read(&console, &visitor, span, firm.as_ref()).await?;
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
        div #live data-live="/live" { (needs) (figures.cards()) }
        (figures.activity(asked.firm.as_deref()))
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

/// How often it is looked whether something changed.
const LOOK: Duration = Duration::from_secs(3);
/// How long one stream lasts: then the browser comes again, and shows anew who it is.
const LOOKS: u32 = 200;

/// `/live`: says when what needs a person has changed. Looking does not keep a session alive.
pub(super) async fn live(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Result<Response, Failed> {
    let Ok(permit) = Arc::clone(&console.watchers).try_acquire_owned() else {
        return Ok(axum::http::StatusCode::NO_CONTENT.into_response());
    };
    let cookie = session_cookie(&headers).unwrap_or_default().to_owned();
    let seen = digest(&console, &visitor).await.unwrap_or_default();
    let looks = stream::unfold((console, visitor, cookie, seen, 0_u32), |state| async move {
        let (console, visitor, cookie, mut seen, mut looks) = state;
        loop {
            looks += 1;
            if looks > LOOKS {
                return None;
            }
            tokio::time::sleep(LOOK).await;
            // Whoever was signed out meanwhile is told nothing more.
            if !matches!(console.bridge.glance(&cookie).await, Ok(Some(actor)) if actor == visitor.actor) {
                return None;
            }
            let Ok(now) = digest(&console, &visitor).await else { continue };
            if now != seen {
                seen = now;
                let event = Event::default().event("changed").data("now");
                return Some((Ok::<_, Infallible>(event), (console, visitor, cookie, seen, looks)));
            }
        }
    });
    Ok(Sse::new(held(looks, permit)).keep_alive(KeepAlive::default()).into_response())
}

/// A stream that holds its permit as long as it lasts.
fn held<Item>(
    inner: impl Stream<Item = Item> + Send + 'static,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> impl Stream<Item = Item> + Send + 'static {
    let mut permit = Some(permit);
    let mut inner = Box::pin(inner);
    stream::poll_fn(move |context| {
        let polled = inner.as_mut().poll_next(context);
        if matches!(polled, std::task::Poll::Ready(None)) {
            permit.take();
        }
        polled
    })
}

/// What is shown, as one number.
async fn digest(console: &Console, visitor: &Visitor) -> Result<[u8; 32], Failed> {
    let needs = needs::read(console, visitor).await?;
    let figures = Figures::read(console, visitor, Span::Day, None).await?;
    let digest = Sha256::new().chain_update(needs.into_string()).chain_update(figures.cards().into_string());
    Ok(digest.finalize().into())
}
