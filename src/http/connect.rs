//! Where a person's browser connects a firm to HighLevel, or to its account on the CASEpeer side: out with a link that is good once, back with a code. Pages are
//! plain and hold no script; what they show of the outside is escaped.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Shared;
use super::page::Page;
use crate::bridge::{Begun, Connected, NotConnected, Return};
use crate::vendors::Surface;

/// What the browser is known by when it comes back. It is sent to these routes only.
const COOKIE_NAME: &str = "casebridge_connect";

/// What a link brings.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StartQuery {
    /// The link's secret, from `casebridge firms connect`.
    link: Option<String>,
}

/// What a vendor sends a browser back with.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackQuery {
    /// What tokens are got with.
    code: Option<String>,
    /// What the browser left with.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Begin to connect a firm.
///
/// Needs a one-time link of `casebridge firms connect`. Also at `/oauth/crm/start`.
#[utoipa::path(get, path = "/oauth/highlevel/start", tag = "connecting", params(StartQuery), responses(
    (status = 303, description = "To HighLevel, with a cookie that binds the attempt to this browser."),
    (status = 403, description = "There is no such link; the page says what to do.", content_type = "text/html"),
    (status = 410, description = "The link is used up or too old; the page says what to do.", content_type = "text/html"),
    (status = 503, description = "Not now; the page says what to do.", content_type = "text/html"),
))]
pub(super) async fn start(
    state: State<Arc<Shared>>,
    method: Method,
    query: Result<Query<StartQuery>, QueryRejection>,
) -> Response {
    begin(&state, Surface::HighLevel, &method, query).await
}

/// Begin to connect a firm's account on the CASEpeer side.
///
/// Needs a one-time link of `casebridge firms connect --casepeer`.
#[utoipa::path(get, path = "/oauth/casepeer/start", tag = "connecting", params(StartQuery), responses(
    (status = 303, description = "To the vendor, with a cookie that binds the attempt to this browser."),
    (status = 403, description = "There is no such link; the page says what to do.", content_type = "text/html"),
    (status = 410, description = "The link is used up or too old; the page says what to do.", content_type = "text/html"),
    (status = 503, description = "Not now; the page says what to do.", content_type = "text/html"),
))]
pub(super) async fn casepeer_start(
    state: State<Arc<Shared>>,
    method: Method,
    query: Result<Query<StartQuery>, QueryRejection>,
) -> Response {
    begin(&state, Surface::CasePeer, &method, query).await
}

/// [`start`] under a name that does not speak of HighLevel.
pub(super) async fn white_label_start(
    state: State<Arc<Shared>>,
    method: Method,
    query: Result<Query<StartQuery>, QueryRejection>,
) -> Response {
    begin(&state, Surface::WhiteLabel, &method, query).await
}

/// Come back from HighLevel.
///
/// Keeps the tokens if they are for the firm's own location. Also at `/oauth/crm/callback`.
#[utoipa::path(get, path = "/oauth/highlevel/callback", tag = "connecting", params(CallbackQuery), responses(
    (status = 200, description = "The firm is connected; the page says so.", content_type = "text/html"),
    (status = 400, description = "It was refused; the page says why and what to do.", content_type = "text/html"),
    (status = 403, description = "Another browser or another attempt; the page says what to do.", content_type = "text/html"),
    (status = 503, description = "Not now; the page says what to do.", content_type = "text/html"),
))]
pub(super) async fn callback(
    state: State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Response {
    finish(&state, Surface::HighLevel, &method, &headers, query).await
}

/// Come back from the vendor of the CASEpeer side.
///
/// Keeps the tokens of the firm's account.
#[utoipa::path(get, path = "/oauth/casepeer/callback", tag = "connecting", params(CallbackQuery), responses(
    (status = 200, description = "The firm is connected; the page says so.", content_type = "text/html"),
    (status = 400, description = "It was refused; the page says why and what to do.", content_type = "text/html"),
    (status = 403, description = "Another browser or another attempt; the page says what to do.", content_type = "text/html"),
    (status = 503, description = "Not now; the page says what to do.", content_type = "text/html"),
))]
pub(super) async fn casepeer_callback(
    state: State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Response {
    finish(&state, Surface::CasePeer, &method, &headers, query).await
}

/// [`callback`] under a name that does not speak of HighLevel.
pub(super) async fn white_label_callback(
    state: State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Response {
    finish(&state, Surface::WhiteLabel, &method, &headers, query).await
}

async fn begin(
    shared: &Shared,
    surface: Surface,
    method: &Method,
    query: Result<Query<StartQuery>, QueryRejection>,
) -> Response {
    if method != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response();
    }
    let link = query.ok().and_then(|Query(query)| query.link).unwrap_or_default();
    match shared.bridge.connections().begin(surface, &link).await {
        Ok(begun) => leave(shared, &begun),
        Err(why) => refuse(&why),
    }
}

fn leave(shared: &Shared, begun: &Begun) -> Response {
    let cookie = set_cookie(shared, begun.cookie.reveal(), begun.patience.as_secs());
    let Ok(url) = HeaderValue::from_str(&begun.url) else {
        return refuse(&NotConnected::NotNow("authorize_url is not an address".into()));
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, url);
    headers.insert(SET_COOKIE, cookie);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The link stands in this page's address.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn finish(
    shared: &Shared,
    surface: Surface,
    method: &Method,
    headers: &HeaderMap,
    query: Result<Query<CallbackQuery>, QueryRejection>,
) -> Response {
    if method != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response();
    }
    let Ok(Query(query)) = query else { return refuse(&NotConnected::NoCode(surface.system())) };
    let back = Return {
        cookie: cookie(headers),
        state: query.state.as_deref(),
        code: query.code.as_deref(),
        is_declined: query.error.is_some(),
    };
    match shared.bridge.connect(surface, back).await {
        Ok(connected) => {
            let mut response = welcome(&connected);
            response.headers_mut().insert(SET_COOKIE, set_cookie(shared, "", 0));
            response
        }
        Err(why) => refuse(&why),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

fn set_cookie(shared: &Shared, value: &str, seconds: i64) -> HeaderValue {
    let secure = if shared.bridge.connections().is_secure() { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE_NAME}={value}; Path=/oauth; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).expect("a cookie of digits, letters and points")
}

fn welcome(connected: &Connected) -> Response {
    let mut page = Page::new(StatusCode::OK, "Connected").say(&format!(
        "The firm `{}` is connected to {}.",
        connected.firm,
        connected.system.title()
    ));
    if connected.by_agency {
        page = page.say("It was connected by its agency.");
    }
    for (feature, scopes) in &connected.cannot {
        let scopes: Vec<_> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
        page = page.say(&format!("Left out, for want of {}: {feature}.", scopes.join(", ")));
    }
    if connected.resumed > 0 {
        page = page.say(&format!("People whose events were kept until now: {}.", connected.resumed));
    }
    page.say("You can close this page.").into_response()
}

fn refuse(why: &NotConnected) -> Response {
    tracing::warn!("a firm was not connected: {why}");
    let status = match why {
        NotConnected::NoLink | NotConnected::OtherBrowser | NotConnected::OtherState(_) => {
            StatusCode::FORBIDDEN
        }
        NotConnected::LinkExpired
        | NotConnected::LinkUsed
        | NotConnected::TooLate
        | NotConnected::ReturnUsed => StatusCode::GONE,
        NotConnected::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    let page = Page::new(status, "Not connected").say(&why.to_string()).say(&why.advice());
    let mut response = page.into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
    }
    response
}
