//! Pasting a private token of HighLevel's: tried, kept sealed, and never shown again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::{Health, governed};
use crate::bridge::NotDone;
use crate::config::Secret;
use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::form::Posted;
use crate::console::page::{moment, page, pill, token};
use crate::console::session::Visitor;
use crate::operations::highlevel::scopes::FEATURES;

/// `/firms/{id}/token`
pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let health = governed(&console, &visitor, id).await?;
    Ok(paper(&visitor, &health, None))
}

/// `POST /firms/{id}/token`: one that HighLevel takes is kept; or the one that is kept is forgotten.
pub(in crate::console) async fn paste(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let health = governed(&console, &visitor, id).await?;
    let (bridge, firm) = (&console.bridge, &health.firm.id);
    let (done, word) = match fields.text("do") {
        "forget" => (bridge.forget_token_as(&visitor.actor, firm).await, "forgotten"),
        _ => {
            let given = Secret::new(fields.text("token"));
            (bridge.paste_token_as(&visitor.actor, firm, &given).await.map(|_| ()), "pasted")
        }
    };
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/firms/{firm}?done={word}")).into_response()),
        // On the page itself, where another can be pasted. What was pasted is not sent back.
        Err(NotDone::Conflict(why)) => Ok(refused(StatusCode::CONFLICT, &visitor, &health, &why)),
        Err(NotDone::Invalid(why)) => Ok(refused(StatusCode::BAD_REQUEST, &visitor, &health, &why)),
        Err(why) => Err(why.into()),
    }
}

fn refused(status: StatusCode, visitor: &Visitor, health: &Health, why: &str) -> Response {
    (status, paper(visitor, health, Some(why))).into_response()
}

/// Without these no lead travels.
const BASE: [&str; 3] = ["contacts.readonly", "contacts.write", "locations.readonly"];

fn paper(visitor: &Visitor, health: &Health, wrong: Option<&str>) -> Html<String> {
    let firm = &health.firm;
    let here = format!("/firms/{}/token", firm.id);
    let body = html! {
        p.back { a href={ "/firms/" (firm.id) } { (firm.title) } }
        h1 { "Paste a private token" }
        p.lead { "For a firm that goes by a private integration of its HighLevel location, not by an app." }
        @if let Some(why) = wrong { p.alarm role="alert" { (why) } }
        (standing(health))
        @if !firm.is_connected_by_browser {
            div.grid {
                section.card aria-labelledby="get" {
                    h2 #get { "1. Get it" }
                    ol {
                        li { "In HighLevel, in the location " code { (firm.location) } ": Settings > Private Integrations > Create new integration. To change a token: the integration > Rotate, and the old one lives for seven days more." }
                        li { "Give it the scopes " @for scope in BASE { code { (scope) } " " } "and what else you want:"
                            details {
                                summary { "Which scope is for what" }
                                ul { @for feature in FEATURES { li { (feature.name) ": " @for scope in feature.missing(&[]) { code { (scope) } " " } } } }
                            } }
                        li { "Copy the token: HighLevel shows it once." }
                    }
                }
                section.card aria-labelledby="paste" {
                    h2 #paste { "2. Paste it" }
                    form method="post" action=(here) {
                        (token(visitor))
                        label for="token" { "Private token" }
                        input #token name="token" type="password" required maxlength="1024" autocomplete="off" spellcheck="false" aria-describedby="kept";
                        p.hint #kept { "HighLevel is asked with it first, and it is kept only if it works here. It is kept sealed, shown to nobody again, and noted in the audit log." }
                        button.primary type="submit" name="do" value="paste" { "Try it and keep it" }
                    }
                }
            }
            @if let Some(pasted) = &health.pasted {
                section.card aria-labelledby="forget" {
                    h2 #forget { "Take it away" }
                    p { "It was pasted " (moment(pasted.renewed_at)) ". "
                        @if firm.has_token { "Without it, the configuration's is used." }
                        @else { "The configuration has none: without it, nothing goes to HighLevel until another is pasted." } }
                    form method="post" action=(here) { (token(visitor)) button type="submit" name="do" value="forget" { "Take it away" } }
                }
            }
        }
    };
    page(visitor, "/firms", "Paste a private token", body)
}

/// Which token is used, and which stands behind it.
pub(super) fn standing(health: &Health) -> Markup {
    let firm = &health.firm;
    html! {
        @match (&health.pasted, firm.is_connected_by_browser, firm.has_token) {
            (_, true, _) => p { "This firm is connected in the browser: its tokens are renewed by themselves, and none is pasted." },
            (None, _, true) => p { "By a private token from the configuration. One that is pasted here stands before it." },
            (None, _, false) => p { (pill("warn", "no token")) " The configuration has no private token for this firm: paste one." },
            (Some(pasted), _, is_configured) => {
                @if let Some(at) = pasted.refused_at {
                    p.alarm { "HighLevel has refused the token that was pasted here since " (moment(at)) ". "
                        @if is_configured { "The configuration's is used meanwhile: paste a new one." } @else { "Paste a new one." } }
                } @else {
                    p { (pill("good", "pasted")) " By a private token that was pasted here " (moment(pasted.renewed_at)) ". "
                        @if is_configured { "It stands before the configuration's, which is used if HighLevel takes this one no more." }
                        @else { "The configuration has none beside it." } }
                }
            }
        }
    }
}
