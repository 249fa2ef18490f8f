//! Who asks: the session's cookie, and that a form comes from a page of ours.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::Console;
use super::failure::Failed;
use crate::bridge::NotDone;
use crate::domain::{Actor, Role};

/// What the cookie is called where it may be sent over anything but this machine's own wire.
pub const COOKIE_NAME: &str = "__Host-casebridge";
/// What it is called on this machine itself, where there is no certificate.
const LOCAL_COOKIE_NAME: &str = "casebridge-local";

/// Somebody who is signed in.
pub(super) struct Visitor {
    /// Who.
    pub(super) actor: Actor,
    /// What forms of ours send along.
    pub(super) page_token: String,
    /// How many questions wait for them.
    pub(super) questions: u64,
    /// Whether there are simulated vendors to play with.
    pub(super) has_sandbox: bool,
}

impl Visitor {
    /// Refuses those whose role is not enough, wherever.
    pub(super) fn must_be(&self, needed: Role) -> Result<(), Failed> {
        if self.actor.role < needed {
            return Err(NotDone::NotAllowed(needed).into());
        }
        Ok(())
    }

    /// Refuses everybody but an administrator of all firms.
    pub(super) fn must_govern(&self) -> Result<(), Failed> {
        self.must_be(Role::Admin)?;
        if !self.actor.governs() {
            return Err(Failed::not_allowed("This takes an administrator of all firms."));
        }
        Ok(())
    }
}

impl FromRequestParts<Arc<Console>> for Visitor {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Failed> {
        let cookie = session_cookie(&parts.headers).ok_or(Failed::SignInFirst)?;
        let actor = console.bridge.actor(cookie).await?.ok_or(Failed::SignInFirst)?;
        let questions = console.bridge.store.open_reviews(actor.reach.firms()).await?.values().sum();
        let page_token = console.bridge.page_token(cookie);
        Ok(Self { page_token, actor, questions, has_sandbox: console.sandbox.is_some() })
    }
}

impl OptionalFromRequestParts<Arc<Console>> for Visitor {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Option<Self>, Failed> {
        match <Self as FromRequestParts<Arc<Console>>>::from_request_parts(parts, console).await {
            Ok(visitor) => Ok(Some(visitor)),
            Err(Failed::SignInFirst) => Ok(None),
            Err(failed) => Err(failed),
        }
    }
}

/// The session's cookie that a request brings.
pub fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let known = if is_own_host(headers) { LOCAL_COOKIE_NAME } else { COOKIE_NAME };
    pairs.find(|(name, value)| *name == known && !value.is_empty()).map(|(_, value)| value)
}

/// The header that gives a browser the cookie: for this host only, out of reach of scripts, never sent along by another
/// site, and over TLS only unless the host is this machine itself.
pub(super) fn set_cookie(headers: &HeaderMap, value: &str) -> HeaderValue {
    let text = if is_own_host(headers) {
        format!("{LOCAL_COOKIE_NAME}={value}; Path=/; HttpOnly; SameSite=Strict")
    } else {
        format!("{COOKIE_NAME}={value}; Path=/; HttpOnly; SameSite=Strict; Secure")
    };
    HeaderValue::from_str(&text).expect("a cookie of letters and digits")
}

/// The header that takes it away.
pub(super) fn end_cookie(headers: &HeaderMap) -> HeaderValue {
    let text = set_cookie(headers, "");
    let text = text.to_str().expect("a cookie of letters");
    HeaderValue::from_str(&format!("{text}; Max-Age=0")).expect("a cookie of letters")
}

/// Whether the browser was told to look on its own machine, whose wire nobody listens to.
pub(super) fn is_own_host(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Whether a page of another site sent a request.
pub fn is_cross_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(ORIGIN), text(HOST)) {
        (None, _) => false,
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, site)| site != host),
        (Some(_), None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_page_of_another_site_is_told_from_our_own() {
        assert!(!is_cross_origin(&headers(&[("host", "localhost:1")])));
        assert!(!is_cross_origin(&headers(&[("host", "localhost:1"), ("origin", "http://localhost:1")])));
        assert!(is_cross_origin(&headers(&[("host", "localhost:1"), ("origin", "https://evil.example")])));
        assert!(is_cross_origin(&headers(&[("host", "localhost:1"), ("origin", "null")])));
    }

    #[test]
    fn the_cookie_is_bound_to_its_host_and_to_tls() {
        let outside = headers(&[("host", "bridge.example.com")]);
        let cookie = set_cookie(&outside, "word");
        assert_eq!(cookie, "__Host-casebridge=word; Path=/; HttpOnly; SameSite=Strict; Secure");
        let here = headers(&[("host", "127.0.0.1:8081")]);
        assert_eq!(set_cookie(&here, "word"), "casebridge-local=word; Path=/; HttpOnly; SameSite=Strict");
        let sent = |host, cookie| {
            let headers = headers(&[("host", host), ("cookie", cookie)]);
            session_cookie(&headers).map(str::to_owned)
        };
        assert_eq!(sent("bridge.example.com", "a=b; __Host-casebridge=word"), Some("word".into()));
        assert_eq!(sent("bridge.example.com", "casebridge-local=word"), None, "a cookie of the other kind");
        assert_eq!(sent("[::1]:8081", "casebridge-local=word"), Some("word".into()));
        assert_eq!(sent("localhost", "casebridge-local="), None);
    }
}
