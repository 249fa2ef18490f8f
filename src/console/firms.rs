//! Firms and their connections: is each one well, and what makes it so.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{moment, notice, number, page, pill, span, token};
use super::session::Visitor;
use crate::bridge::Firm;
use crate::domain::{FirmId, Role, System};
use crate::operations::highlevel::scopes::FEATURES;
use crate::store::{CredentialRow, EventFilter, Holder, Parking, Quota};

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    done: Option<String>,
}

/// A firm with what is known of its health.
struct Health {
    firm: Arc<Firm>,
    parked: Option<Parking>,
    connection: Option<CredentialRow>,
    quotas: Vec<Quota>,
}

impl Health {
    /// In a word, with its colour.
    fn pill(&self) -> Markup {
        if self.parked.is_some() {
            return pill("bad", "on hold");
        }
        match &self.connection {
            None if self.firm.is_connected_by_browser => pill("warn", "not connected"),
            Some(connection) if connection.refused_at.is_some() => pill("bad", "connect again"),
            _ => pill("good", "working"),
        }
    }
}

async fn healths(console: &Console, visitor: &Visitor) -> Result<Vec<Health>, Failed> {
    let store = &console.bridge.store;
    let (parkings, credentials) = (store.parkings().await?, store.credentials().await?);
    let quotas = store.quotas().await?;
    let health = |firm: Arc<Firm>| {
        let holder = Holder::Location(firm.location.clone());
        let connection = credentials.iter().find(|row| firm.is_connected_by_browser && row.holder == holder);
        Health {
            parked: parkings.iter().find(|parking| parking.firm == firm.id).cloned(),
            connection: connection.cloned(),
            quotas: quotas.iter().filter(|quota| quota.firm == firm.id).cloned().collect(),
            firm,
        }
    };
    Ok(console.firms(visitor).map(health).collect())
}

/// `/firms`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
) -> Result<Html<String>, Failed> {
    let healths = healths(&console, &visitor).await?;
    let body = html! {
        h1 { "Firms" }
        p.lead { "Each firm is a HighLevel location and a CASEpeer account that are kept in step." }
        @if healths.is_empty() { p.empty { "There is no firm yet. Add one to the configuration under " code { "[[firms]]" } "." } }
        @else {
            div.table tabindex="0" role="region" aria-label="Firms" {
                table.stack {
                    thead { tr { th scope="col" { "Firm" } th scope="col" { "Health" } th scope="col" { "HighLevel" } th scope="col" { "Calls today" } } }
                    tbody {
                        @for one in &healths {
                            tr {
                                th scope="row" { a href={ "/firms/" (one.firm.id) } { (one.firm.id) } }
                                td { (one.pill()) }
                                td.ids data-label="HighLevel" { (one.firm.location) }
                                td data-label="Calls today" {
                                    @for quota in &one.quotas { div { (quota.system.title()) ": " (number(quota.spent_today)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(page(&visitor, "/firms", "Firms", body))
}

/// `/firms/{id}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let said = match asked.done.as_deref() {
        Some("paused") => "Paused. Webhooks are still taken and kept.",
        Some("resumed") => "It goes on, in order.",
        _ => "",
    };
    render(&console, &visitor, &FirmId::new(id), said, None).await
}

/// The newest event of each side, if any came.
async fn last_heard(console: &Console, firm: &FirmId, source: System) -> Result<Option<Timestamp>, Failed> {
    let filter =
        EventFilter { firm: Some(firm.clone()), source: Some(source), limit: 1, ..EventFilter::default() };
    Ok(console.bridge.store.events(filter).await?.first().map(|row| row.received_at))
}

async fn render(
    console: &Console,
    visitor: &Visitor,
    id: &FirmId,
    said: &str,
    link: Option<(String, Timestamp)>,
) -> Result<Html<String>, Failed> {
    let healths = healths(console, visitor).await?;
    let health = healths.into_iter().find(|one| one.firm.id == *id).ok_or_else(Failed::not_there)?;
    let (may, manages) = (visitor.actor.may(Role::Operator, id), visitor.actor.may(Role::Admin, id));
    let heard = [
        (System::HighLevel, last_heard(console, id, System::HighLevel).await?),
        (System::CasePeer, last_heard(console, id, System::CasePeer).await?),
    ];
    let now = console.bridge.clock.now();
    let firm = &health.firm;
    let body = html! {
        p.back { a href="/firms" { "All firms" } }
        div.between { h1 { (firm.id) } (health.pill()) }
        (notice(said))
        @if let Some(parked) = &health.parked {
            p.alarm { "On hold for " (span(now.duration_since(parked.since))) ": " (parked.reason) ". Its events are kept."
                @if let Some(at) = parked.probe_at { " It is tried again by itself " (moment(at)) "." } }
        }
        @if let Some((link, until)) = &link {
            div.notice role="status" {
                p { "Open this once, by " (moment(*until)) ", in a browser that is signed in to HighLevel:" }
                p { code #connect-link { (link) } " " button.small type="button" data-copy="connect-link" { "Copy" } }
            }
        }
        div.grid {
            section.card aria-labelledby="webhooks" {
                h2 #webhooks { "Webhooks" }
                @for (system, at) in heard { p {
                    strong { (system.title()) } " "
                    @match at {
                        Some(at) => { (pill("good", "heard")) " last " (span(now.duration_since(at))) " ago" }
                        None => (pill("warn", "waiting for the first webhook")),
                    }
                } }
                (addresses(console, firm, manages))
            }
            section.card aria-labelledby="connection" {
                h2 #connection { "Connection to HighLevel" }
                (connection(&health, now))
                @if manages && firm.is_connected_by_browser {
                    form method="post" action={ "/firms/" (firm.id) "/connect" } { (token(visitor)) button type="submit" { "Make a link to connect it" } }
                }
            }
            section.card aria-labelledby="quota" {
                h2 #quota { "Calls today" }
                @if health.quotas.is_empty() { p { "None yet." } }
                @for quota in &health.quotas { p { strong { (quota.system.title()) } ": " (quota.line()) } }
            }
        }
        @if may { (pausing(visitor, &health)) }
        section { p { a href={ "/events?firm=" (firm.id) } { "Its events" } } }
    };
    Ok(page(visitor, "/firms", "A firm", body))
}

/// Where each system sends to, with what to do there.
fn addresses(console: &Console, firm: &Firm, manages: bool) -> Markup {
    let base = console.bridge.public_url().unwrap_or("https://YOUR-BRIDGE");
    html! {
        details {
            summary { "Set up HighLevel" }
            ol {
                li { "In your Marketplace app, under Advanced settings, Webhooks, enter this address:" }
                li { code #hl-url { (base) "/webhooks/highlevel" } " " button.small type="button" data-copy="hl-url" { "Copy" } }
                li { "Switch on the events of contacts, tasks, notes, appointments and opportunities." }
                li { "Install the app in the location " code { (firm.location) } "." }
            }
        }
        details {
            summary { "Set up CASEpeer, or a Zap in front of it" }
            ol {
                li { "Send every change of leads, cases, tasks and notes as JSON, by POST, to:" }
                @if manages {
                    li { code #cp-url { (base) "/webhooks/casepeer/" (firm.inbound_path()) } " " button.small type="button" data-copy="cp-url" { "Copy" } }
                    li { "The address is a secret: who has it may send. Sign what you send with the firm's webhook secret, or send the secret header that the profile names." }
                } @else {
                    li { code { (base) "/webhooks/casepeer/…" } }
                    li { "The rest of the address is a secret: an administrator can show it." }
                }
                li { "Then change a lead in CASEpeer. This page shows “heard” within seconds." }
            }
        }
    }
}

fn connection(health: &Health, now: Timestamp) -> Markup {
    html! {
        @match (&health.connection, health.firm.is_connected_by_browser) {
            (None, false) => p { "By a private integration token from the configuration." },
            (None, true) => p { "Nobody has connected it yet." },
            (Some(connection), _) => {
                @if let Some(at) = connection.refused_at { p.alarm { "HighLevel has refused it since " (moment(at)) ": connect it again." } }
                p { "Connected " (moment(connection.connected_at)) "; renewed by itself, next before "
                    (moment(connection.expires_at)) " (in " (span(connection.expires_at.duration_since(now))) ")." }
                @let missing: Vec<_> = FEATURES.iter().filter(|feature| !connection.scopes.is_empty() && feature.missing(&connection.scopes).next().is_some()).collect();
                @if missing.is_empty() { p { (pill("good", "every permission is granted")) } }
                @else {
                    p { "Not granted, so not done:" }
                    ul { @for feature in missing { li { (feature.name) " (" @for scope in feature.missing(&connection.scopes) { code { (scope) } " " } ")" } } }
                }
            }
        }
    }
}

fn pausing(visitor: &Visitor, health: &Health) -> Markup {
    let firm = &health.firm.id;
    html! {
        section.card aria-labelledby="pausing" {
            @if health.parked.is_some() {
                h2 #pausing { "Let it go on" }
                p { "What was kept is worked on in the order it came." }
                form method="post" action={ "/firms/" (firm) "/resume" } { (token(visitor)) button.primary type="submit" { "Resume" } }
            } @else {
                h2 #pausing { "Pause" }
                p { "Webhooks are still taken and kept; nothing is written until you resume." }
                form method="post" action={ "/firms/" (firm) "/pause" } {
                    (token(visitor))
                    label for="reason" { "Why" }
                    input #reason name="reason" required maxlength="500";
                    button type="submit" { "Pause" }
                }
            }
        }
    }
}

/// `POST /firms/{id}/pause`
pub(super) async fn pause(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let firm = FirmId::new(id);
    console.bridge.pause_as(&visitor.actor, &firm, fields.text("reason")).await?;
    Ok(Redirect::to(&format!("/firms/{firm}?done=paused")).into_response())
}

/// `POST /firms/{id}/resume`
pub(super) async fn resume(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Response, Failed> {
    let firm = FirmId::new(id);
    console.bridge.resume_as(&visitor.actor, &firm).await?;
    Ok(Redirect::to(&format!("/firms/{firm}?done=resumed")).into_response())
}

/// `POST /firms/{id}/connect`
pub(super) async fn connect(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Html<String>, Failed> {
    let firm = FirmId::new(id);
    let link = console.bridge.connect_link_as(&visitor.actor, &firm).await?;
    render(&console, &visitor, &firm, "", Some(link)).await
}
