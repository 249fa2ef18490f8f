//! Signing in and out, and the first administrator.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::Console;
use super::failure::Failed;
use super::form::{Posted, Stranger};
use super::page::{page, plain, token};
use super::session::{Visitor, end_cookie, is_own_host, session_cookie, set_cookie};
use crate::bridge::NotSignedIn;
use crate::config::Secret;
use crate::domain::SHORTEST_PASSWORD;

/// `/sign-in`
pub(super) async fn show(visitor: Option<Visitor>, headers: HeaderMap) -> Response {
    match visitor {
        Some(_) => Redirect::to("/").into_response(),
        None => plain("Sign in", form("", is_own_host(&headers))).into_response(),
    }
}

fn form(wrong: &str, is_own_host: bool) -> Markup {
    html! {
        h1 { "Sign in" }
        @if !wrong.is_empty() { p.alarm role="alert" { (wrong) } }
        form method="post" action="/sign-in" {
            label for="name" { "Name" }
            input #name name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus;
            label for="password" { "Password" }
            input #password type="password" name="password" autocomplete="current-password" required;
            button.primary type="submit" { "Sign in" }
        }
        p.hint { "No account, or the password is lost? Whoever runs the bridge makes one with "
            code { "casebridge users add" } " or " code { "casebridge users passwd" } "." }
        @if !is_own_host {
            p.hint { "From another machine the console is used over HTTPS, behind a proxy or through a tunnel: over plain \
                HTTP your browser will not keep you signed in." }
        }
    }
}

/// Answers with the cookie of a new session.
fn welcome(headers: &HeaderMap, cookie: &Secret) -> Response {
    ([(SET_COOKIE, set_cookie(headers, cookie.reveal()))], Redirect::to("/")).into_response()
}

fn status(why: &NotSignedIn) -> StatusCode {
    match why {
        NotSignedIn::Wrong => StatusCode::UNAUTHORIZED,
        NotSignedIn::TooMany => StatusCode::TOO_MANY_REQUESTS,
        NotSignedIn::Link => StatusCode::NOT_FOUND,
        NotSignedIn::Choice(_) => StatusCode::BAD_REQUEST,
        NotSignedIn::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `POST /sign-in`
pub(super) async fn sign_in(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Stranger(fields): Stranger,
) -> Result<Response, Failed> {
    let password = Secret::new(fields.raw("password"));
    match console.bridge.sign_in(fields.text("name"), password, peer.ip()).await {
        Ok(cookie) => Ok(welcome(&headers, &cookie)),
        Err(NotSignedIn::Store(error)) => Err(error.into()),
        Err(why) => {
            let said = capital(&why.to_string());
            Ok((status(&why), plain("Sign in", form(&said, is_own_host(&headers)))).into_response())
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// `/sign-out`: asks, because a link changes nothing.
pub(super) async fn ask_out(visitor: Visitor) -> Html<String> {
    let body = html! {
        h1 { "Sign out" }
        form method="post" action="/sign-out" {
            (token(&visitor))
            button.primary type="submit" { "Sign out" }
            " " a.button href="/" { "Stay" }
        }
    };
    page(&visitor, "/sign-out", "Sign out", body)
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    _: Posted,
) -> Result<Response, Failed> {
    if let Some(cookie) = session_cookie(&headers) {
        console.bridge.sign_out(cookie).await?;
    }
    Ok(([(SET_COOKIE, end_cookie(&headers))], Redirect::to("/sign-in")).into_response())
}

/// `/setup/{word}`: the link that `serve` prints.
pub(super) async fn show_setup(
    State(console): State<Arc<Console>>,
    Path(word): Path<String>,
) -> Result<Response, Failed> {
    if console.bridge.is_setup_link(&word).await? {
        return Ok(plain("Set up", setup_form("", "")).into_response());
    }
    let why = capital(&NotSignedIn::Link.to_string());
    Err(Failed::Page { status: StatusCode::NOT_FOUND, title: "This link is over", why })
}

fn setup_form(wrong: &str, name: &str) -> Markup {
    html! {
        h1 { "Welcome" }
        p.lead { "Choose the name and password of the first administrator. You can add the others afterwards." }
        @if !wrong.is_empty() { p.alarm role="alert" { (wrong) } }
        form method="post" {
            label for="name" { "Name" }
            input #name name="name" value=(name) autocomplete="username" autocapitalize="none" spellcheck="false"
                required autofocus aria-describedby="name-hint";
            p.hint #name-hint { "Letters, digits, dots and dashes, such as maria.lopez." }
            label for="password" { "Password" }
            input #password type="password" name="password" autocomplete="new-password" minlength=(SHORTEST_PASSWORD)
                required aria-describedby="password-hint";
            p.hint #password-hint { "At least " (SHORTEST_PASSWORD) " characters. A few words that do not belong together do well." }
            label for="again" { "The password again" }
            input #again type="password" name="again" autocomplete="new-password" required;
            button.primary type="submit" { "Make the account and sign in" }
        }
    }
}

/// `POST /setup/{word}`
pub(super) async fn set_up(
    State(console): State<Arc<Console>>,
    Path(word): Path<String>,
    headers: HeaderMap,
    Stranger(fields): Stranger,
) -> Result<Response, Failed> {
    let name = fields.text("name");
    let again = |said: &str| plain("Set up", setup_form(said, name));
    if fields.raw("password") != fields.raw("again") {
        return Ok((StatusCode::BAD_REQUEST, again("The two passwords differ.")).into_response());
    }
    match console.bridge.set_up(&word, name, Secret::new(fields.raw("password"))).await {
        Ok(cookie) => Ok(welcome(&headers, &cookie)),
        Err(NotSignedIn::Store(error)) => Err(error.into()),
        Err(why) => Ok((status(&why), again(&capital(&why.to_string()))).into_response()),
    }
}
