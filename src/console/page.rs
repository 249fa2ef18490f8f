//! How a page looks: its frame, its navigation, and the pieces that pages share.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::Next;
use axum::response::{Html, Response};
use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::assets;
use super::session::Visitor;
use crate::domain::{EventState, Role};

/// Everything from here, nothing inline, in no other site's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What htmx may do: no evaluation, no style of its own, requests to this host only.
const HTMX: &str =
    r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// Puts the headers on every page that keep others out of it.
pub(super) async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Not `no-referrer`: with that a browser sends `Origin: null` with our own forms.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The pages in the navigation: address, name, and who sees them.
const SECTIONS: [(&str, &str, Role); 12] = [
    ("/", "Home", Role::Viewer),
    ("/events", "Events", Role::Viewer),
    ("/review", "Review", Role::Viewer),
    ("/people", "People", Role::Viewer),
    ("/firms", "Firms", Role::Viewer),
    ("/rules", "Rules", Role::Viewer),
    ("/mapping", "Mapping", Role::Viewer),
    ("/catalog", "Catalog", Role::Viewer),
    ("/users", "Users", Role::Admin),
    ("/tokens", "Tokens", Role::Admin),
    ("/audit", "Audit log", Role::Admin),
    ("/settings", "Settings", Role::Admin),
];

/// Where there is one.
const SANDBOX: [(&str, &str, Role); 1] = [("/sandbox", "Sandbox", Role::Viewer)];

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="htmx-config" content=(HTMX);
            title { (title) " · Casebridge" }
            link rel="icon" href=(assets::url("icon.svg"));
            link rel="stylesheet" href=(assets::url("console.css"));
            link rel="stylesheet" href=(assets::url("uplot.css"));
            script src=(assets::url("htmx.js")) defer {}
            script src=(assets::url("console.js")) data-uplot=(assets::url("uplot.js")) defer {}
        }
    }
}

/// A page for somebody who is signed in. `here` is the address of its section.
pub(super) fn page(visitor: &Visitor, here: &str, title: &str, body: Markup) -> Html<String> {
    let actor = &visitor.actor;
    let sandbox = SANDBOX.iter().filter(|_| visitor.has_sandbox);
    let sections = SECTIONS.iter().filter(|(_, _, role)| actor.role >= *role);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body data-page-token=(visitor.page_token) {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    a.brand href="/" { img src=(assets::url("icon.svg")) alt="" width="28" height="28"; "Casebridge" }
                    button.menu type="button" aria-expanded="false" aria-controls="sections" data-menu="sections" {
                        "Menu"
                    }
                    nav #sections aria-label="Sections" {
                        ul {
                            @for (address, name, _) in sections.chain(sandbox) {
                                li {
                                    a href=(address) aria-current=[(*address == here).then_some("page")] {
                                        (name)
                                        @if *address == "/review" && visitor.questions > 0 {
                                            " " span.count { (visitor.questions) span.unseen { " waiting" } }
                                        }
                                    }
                                }
                            }
                        }
                        div.me {
                            span { strong { (actor.name) } br; (actor.role) ", " (actor.reach) }
                            a href="/sign-out" { "Sign out" }
                        }
                    }
                }
                main #main tabindex="-1" { (body) }
            }
        }
    };
    Html(page.into_string())
}

/// A page for anybody: signing in, and what went wrong.
pub(super) fn plain(title: &str, body: Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.alone {
                main #main {
                    p.brand { img src=(assets::url("icon.svg")) alt="" width="36" height="36"; "Casebridge" }
                    (body)
                }
            }
        }
    };
    Html(page.into_string())
}

/// The hidden field that proves a form to be ours.
pub(super) fn token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="page_token" value=(visitor.page_token); }
}

/// What was just done, as its code in the address says; the address names nobody.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Done {
    done: Option<String>,
}

impl Done {
    /// The same in these words, each after its code.
    pub(super) fn notice(&self, words: &[(&str, &str)]) -> Markup {
        notice(
            words.iter().find(|(code, _)| Some(*code) == self.done.as_deref()).map_or("", |(_, said)| said),
        )
    }
}

/// What was just done, in words.
pub(super) fn notice(said: &str) -> Markup {
    html! {
        @if !said.is_empty() { p.notice role="status" { (said) } }
    }
}

/// A moment, which the script shows in the reader's own time.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%-d %b %Y, %H:%M")) " UTC" } }
}

/// A span in words: `2 min`, `3 h`, `5 days`.
pub(super) fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    match seconds {
        0 if length.as_millis() < 1000 => format!("{} ms", length.as_millis().max(0)),
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A text that begins with a capital.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// A count with its thousands told apart.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Where an event stands, in words and by colour.
pub(super) fn state(state: EventState) -> Markup {
    let (tone, words) = match state {
        EventState::Waiting => ("wait", "waiting"),
        EventState::Ready => ("wait", "next in line"),
        EventState::Running => ("wait", "being worked on"),
        EventState::Retrying => ("warn", "tried again soon"),
        EventState::Parked => ("warn", "kept, connection down"),
        EventState::InReview => ("warn", "needs a decision"),
        EventState::HandedOff => ("wait", "handed over"),
        EventState::Done => ("good", "done"),
        EventState::NothingToDo => ("calm", "nothing to do"),
        EventState::Superseded => ("calm", "covered by a newer one"),
        EventState::Undelivered => ("bad", "undelivered"),
        EventState::Discarded => ("calm", "discarded"),
    };
    pill(tone, words)
}

/// A word in a colour; the word says it all.
pub(super) fn pill(tone: &str, words: &str) -> Markup {
    html! { span.{ "pill " (tone) } { (words) } }
}
