//! Firms and their connections: is each one well, and what makes it so.

mod draft;
mod parts;
mod paste;
mod rotate;
mod set_up;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{Markup, html};

pub(super) use self::draft::{check as draft, start};
pub(super) use self::paste::{paste, show as show_paste};
use self::set_up::Progress;
use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::live;
use super::page::{Done, moment, page, pill, span};
use super::session::Visitor;
use crate::bridge::{Firm, webhook_secret};
use crate::domain::{FirmId, Role, System};
use crate::store::{CredentialRow, EventFilter, Holder, Parking, Quota};
use crate::vendors::Surface;

/// What was just done, by its code.
const DONE: [(&str, &str); 4] = [
    ("paused", "Paused. Webhooks are still taken and kept."),
    ("resumed", "It goes on, in order."),
    ("pasted", "HighLevel takes the token: it is kept, and used from now on."),
    ("forgotten", "The pasted token is gone."),
];

/// A firm with what is known of its health.
struct Health {
    firm: Arc<Firm>,
    parked: Option<Parking>,
    /// Its connection to HighLevel, and that to its CASEpeer account, where a person made them.
    connection: Option<CredentialRow>,
    account: Option<CredentialRow>,
    /// The private token that was pasted here, if one was.
    pasted: Option<CredentialRow>,
    quotas: Vec<Quota>,
}

impl Health {
    /// Whether nobody has to connect it, for all that is known.
    fn is_connected(&self) -> bool {
        let is_good = |is_needed: bool, row: &Option<CredentialRow>| {
            !is_needed || row.as_ref().is_some_and(|row| row.refused_at.is_none())
        };
        let has_token = self.firm.is_connected_by_browser || self.firm.has_token || self.pasted.is_some();
        has_token
            && is_good(self.firm.is_connected_by_browser, &self.connection)
            && is_good(self.firm.account.is_some(), &self.account)
    }

    /// Whether nobody needs to look at its connections.
    fn is_well(&self) -> bool {
        self.parked.is_none() && self.is_connected()
    }

    /// The agency that its location is one of, as far as that is known.
    fn agency(&self) -> Option<String> {
        self.connection.as_ref().and_then(|row| row.company.clone())
    }

    /// In a word, with its colour.
    fn pill(&self) -> Markup {
        let is_refused = [&self.connection, &self.account]
            .iter()
            .any(|row| row.as_ref().is_some_and(|row| row.refused_at.is_some()));
        match (&self.parked, is_refused, self.is_connected()) {
            (Some(_), _, _) => pill("bad", "on hold"),
            (None, true, _) => pill("bad", "connect again"),
            (None, false, false) => pill("warn", "not connected"),
            (None, false, true) => pill("good", "working"),
        }
    }
}

async fn healths(console: &Console, visitor: &Visitor) -> Result<Vec<Health>, Failed> {
    let store = &console.bridge.store;
    let (parkings, credentials) = (store.parkings().await?, store.credentials().await?);
    let quotas = store.quotas().await?;
    let of = |holder: &Holder| credentials.iter().find(|row| row.holder == *holder).cloned();
    let health = |firm: Arc<Firm>| Health {
        parked: parkings.iter().find(|parking| parking.firm == firm.id).cloned(),
        connection: Some(Holder::Location(firm.location.clone()))
            .filter(|_| firm.is_connected_by_browser)
            .and_then(|holder| of(&holder)),
        account: firm.account.as_ref().and_then(of),
        pasted: of(&Holder::Private(firm.location.clone())).filter(|_| !firm.is_connected_by_browser),
        quotas: quotas.iter().filter(|quota| quota.firm == firm.id).cloned().collect(),
        firm,
    };
    Ok(console.firms(visitor).map(health).collect())
}

/// One firm's, if somebody may see it.
async fn health(console: &Console, visitor: &Visitor, id: &FirmId) -> Result<Option<Health>, Failed> {
    Ok(healths(console, visitor).await?.into_iter().find(|one| one.firm.id == *id))
}

/// `/firms`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
) -> Result<Html<String>, Failed> {
    let mut healths = healths(&console, &visitor).await?;
    let mut undelivered: BTreeMap<FirmId, u64> = BTreeMap::new();
    for row in console.bridge.store.causes().await? {
        *undelivered.entry(row.firm).or_default() += row.events;
    }
    // What needs a person comes first.
    healths.sort_by_key(|one| (one.is_well(), !undelivered.contains_key(&one.firm.id)));
    let mut agencies: BTreeMap<Option<String>, Vec<&Health>> = BTreeMap::new();
    for one in &healths {
        agencies.entry(one.agency()).or_default().push(one);
    }
    let body = html! {
        div.between {
            h1 { "Firms" }
            @if visitor.actor.governs() { a.button.primary href="/firms/new" { "Add a firm" } }
        }
        p.lead { "Each firm is a HighLevel location and a CASEpeer account that are kept in step." }
        @if healths.is_empty() { p.empty { "There is no firm yet. " @if visitor.actor.governs() { a href="/firms/new" { "Set up the first" } " in a few minutes." } @else { "An administrator of all firms can add one." } } }
        @else {
            @for (agency, firms) in &agencies {
                section aria-labelledby={ "agency-" (agency.as_deref().unwrap_or("none")) } {
                    @if agencies.len() > 1 || agency.is_some() {
                        h2 id={ "agency-" (agency.as_deref().unwrap_or("none")) } {
                            @match agency { Some(id) => { "Agency " (id) }, None => "Without an agency" } " (" (firms.len()) ")"
                        }
                    } @else { h2.unseen #agency-none { "All" } }
                    (parts::table(firms, &undelivered))
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
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    render(&console, &visitor, &FirmId::new(id), &done, None).await
}

/// `/firms/{id}/set-up`
pub(super) async fn set_up(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    set_up_page(&console, &visitor, &FirmId::new(id), None).await
}

async fn set_up_page(
    console: &Arc<Console>,
    visitor: &Visitor,
    id: &FirmId,
    made: Option<&(String, Timestamp)>,
) -> Result<Html<String>, Failed> {
    // Before it is read: what changes meanwhile is told.
    let news = live_address(console, visitor, id).await?;
    let progress = Progress::read(console, visitor, id).await?;
    let body = progress.render(console, visitor, id, made, &news);
    Ok(page(visitor, "/firms", "Set up a firm", body))
}

/// `/firms/{id}/live`: says when something has changed that a page of the firm shows.
pub(super) async fn live(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(asked): Query<live::Asked>,
) -> Result<Response, Failed> {
    let id = FirmId::new(id);
    // A firm that is still to come is watched for by those who may add it.
    if !visitor.actor.reach.covers(&id) {
        return Err(Failed::not_there());
    }
    let look = move |console: Arc<Console>, visitor: Arc<Visitor>| {
        let id = id.clone();
        async move { state(&console, &visitor, &id).await }
    };
    Ok(live::follow(console, visitor, &headers, asked, look).await)
}

/// Where a page of a firm, as it is now, is told of changes.
async fn live_address(console: &Console, visitor: &Visitor, id: &FirmId) -> Result<String, Failed> {
    Ok(format!("/firms/{id}/live?seen={}", live::digest(&state(console, visitor, id).await?)))
}

/// What the pages of a firm show, as far as it changes by itself.
async fn state(console: &Console, visitor: &Visitor, id: &FirmId) -> Result<String, Failed> {
    let parked = health(console, visitor, id).await?.and_then(|health| health.parked);
    let mut state = format!("{:?}", parked.map(|parked| (parked.cause, parked.reason)));
    for system in [System::HighLevel, System::CasePeer] {
        state.push_str(&format!(" {}", last_heard(console, id, system).await?.is_some()));
    }
    if visitor.actor.may(Role::Admin, id) {
        if let Ok(progress) = Progress::read(console, visitor, id).await {
            state.push_str(&progress.state());
        }
        let begin = format!("firms.{id}.");
        let ages = console.bridge.secret_ages().await?;
        for age in ages.iter().filter(|age| age.reference.starts_with(&begin)) {
            state.push_str(&format!(" {} {:?} {}", age.reference, age.until, age.first_seen));
        }
    }
    Ok(state)
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
    done: &Done,
    made: Option<&(String, Timestamp)>,
) -> Result<Html<String>, Failed> {
    let news = live_address(console, visitor, id).await?;
    let health = health(console, visitor, id).await?.ok_or_else(Failed::not_there)?;
    let (may, manages) = (visitor.actor.may(Role::Operator, id), visitor.actor.may(Role::Admin, id));
    let heard =
        [last_heard(console, id, System::HighLevel).await?, last_heard(console, id, System::CasePeer).await?];
    let now = console.bridge.clock.now();
    let (firm, trial) = (&health.firm, console.bridge.trial(id));
    let body = html! {
        p.back { a href="/firms" { "All firms" } }
        h1 { (firm.title) }
        (done.notice(&DONE))
        (parts::link(made))
        div #live data-live=(news) data-page={ "/firms/" (firm.id) } {
            p.lead { (health.pill()) " " span.ids { (firm.id) ", location " (firm.location) } }
            @if let Some(parked) = &health.parked {
                p.alarm { "On hold for " (span(now.duration_since(parked.since))) ": " (parked.reason) ". Its events are kept."
                    @if let Some(at) = parked.probe_at { " It is tried again by itself " (moment(at)) "." } }
            }
            div.grid {
                section.card aria-labelledby="highlevel" {
                    h2 #highlevel { "HighLevel" }
                    p { (parts::heard(heard[0], now)) }
                    (parts::highlevel(&health, now))
                    details { summary { "Set up HighLevel's webhooks" } (parts::highlevel_steps(console, firm)) }
                }
                section.card aria-labelledby="casepeer" {
                    h2 #casepeer { "CASEpeer" }
                    p { (parts::heard(heard[1], now)) }
                    (parts::casepeer(&health))
                    details { summary { "Set up CASEpeer, or a Zap in front of it" } (parts::casepeer_steps(console, firm, manages)) }
                }
                section.card aria-labelledby="quota" {
                    h2 #quota { "Calls today" }
                    @if health.quotas.is_empty() { p { "None yet." } }
                    @for quota in &health.quotas { p { strong { (quota.system.title()) } ": " (quota.line()) } }
                    @if let Some(trial) = &trial { (parts::tried(trial, now)) }
                    @if may { (parts::button(visitor, firm, "try", "", "Try both connections")) }
                }
            }
        }
        @if manages {
            section.card aria-labelledby="change" {
                h2 #change { "Connect and change" }
                div.actions {
                    (parts::connect_buttons(visitor, firm, ""))
                    (parts::paste_button(firm))
                    a.button href={ "/firms/" (firm.id) "/rotate" } { "Change secrets" }
                    a.button href={ "/firms/" (firm.id) "/set-up" } { "The setup guide" }
                }
                p.hint { "The firm stands in the configuration file, which is where its addresses and its profile are changed." }
            }
        }
        @if may { (parts::pausing(visitor, &health)) }
        section { p { a href={ "/events?firm=" (firm.id) } { "Its events" } } }
    };
    Ok(page(visitor, "/firms", "A firm", body))
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
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    let firm = FirmId::new(id);
    let surface = match fields.text("system") {
        "casepeer" => Surface::CasePeer,
        _ => Surface::HighLevel,
    };
    let link = console.bridge.connect_link_as(&visitor.actor, &firm, surface).await?;
    match fields.text("back") {
        "set-up" => set_up_page(&console, &visitor, &firm, Some(&link)).await,
        _ => render(&console, &visitor, &firm, &Done::default(), Some(&link)).await,
    }
}

/// `POST /firms/{id}/try`
pub(super) async fn try_out(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    let firm = FirmId::new(id);
    console.bridge.try_as(&visitor.actor, &firm).await?;
    let back = if fields.text("back") == "set-up" { "/set-up" } else { "" };
    Ok(Redirect::to(&format!("/firms/{firm}{back}")).into_response())
}

/// The firm whose secrets somebody may change.
async fn governed(console: &Console, visitor: &Visitor, id: String) -> Result<Health, Failed> {
    let id = FirmId::new(id);
    console.bridge.known_firm(&visitor.actor, Role::Admin, &id)?;
    health(console, visitor, &id).await?.ok_or_else(Failed::not_there)
}

/// `/firms/{id}/rotate`
pub(super) async fn show_rotation(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let health = governed(&console, &visitor, id).await?;
    let body = rotate::render(&console, &visitor, &health, None).await?;
    Ok(page(&visitor, "/firms", "Change secrets", body))
}

/// `POST /firms/{id}/rotate`: a new secret, shown this once.
pub(super) async fn make_secret(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Html<String>, Failed> {
    let health = governed(&console, &visitor, id).await?;
    let body = rotate::render(&console, &visitor, &health, Some(&webhook_secret())).await?;
    Ok(page(&visitor, "/firms", "Change secrets", body))
}
