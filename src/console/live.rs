//! News for a page that is open: the page is told that something it shows has changed, and fetches it anew.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Console;
use super::failure::Failed;
use super::session::{Visitor, session_cookie};

/// How often it is looked whether something changed.
const LOOK: Duration = Duration::from_secs(2);
/// How long one stream lasts: then the browser comes again, and shows anew who it is.
const LOOKS: u32 = 300;

/// What a page was made from, if it says so.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    seen: Option<String>,
}

/// What is shown, as one word for the address at which its changes are told.
pub(super) fn digest(shown: &str) -> String {
    hex::encode(&Sha256::digest(shown)[..12])
}

/// Tells a page whenever what `look` says is something else than what it was made from. Looking does not keep a session
/// alive.
pub(super) async fn follow<Looking>(
    console: Arc<Console>,
    visitor: Visitor,
    headers: &HeaderMap,
    asked: Asked,
    look: impl Fn(Arc<Console>, Arc<Visitor>) -> Looking + Send + 'static,
) -> Response
where
    Looking: Future<Output = Result<String, Failed>> + Send,
{
    let Ok(permit) = Arc::clone(&console.watchers).try_acquire_owned() else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let cookie = session_cookie(headers).unwrap_or_default().to_owned();
    let visitor = Arc::new(visitor);
    let seen = match asked.seen {
        // What changed between the page and this question must be told too.
        Some(seen) => seen,
        None => digest(&look(Arc::clone(&console), Arc::clone(&visitor)).await.unwrap_or_default()),
    };
    let looks = stream::unfold((console, visitor, cookie, seen, 0_u32, look), |state| async move {
        let (console, visitor, cookie, mut seen, mut looks, look) = state;
        loop {
            looks += 1;
            if looks > LOOKS {
                return None;
            }
            if looks > 1 {
                tokio::time::sleep(LOOK).await;
            }
            // Whoever was signed out meanwhile is told nothing more.
            if !matches!(console.bridge.glance(&cookie).await, Ok(Some(actor)) if actor == visitor.actor) {
                return None;
            }
            let Ok(now) = look(Arc::clone(&console), Arc::clone(&visitor)).await else { continue };
            let now = digest(&now);
            if now != seen {
                seen = now;
                let event = Event::default().event("changed").data("now");
                return Some((Ok::<_, Infallible>(event), (console, visitor, cookie, seen, looks, look)));
            }
        }
    });
    Sse::new(held(looks, permit)).keep_alive(KeepAlive::default()).into_response()
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
