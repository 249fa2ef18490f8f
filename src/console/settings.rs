//! How this installation is set up: what is configured, and how old its secrets are. Never a secret itself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{moment, number, page, pill, token};
use super::session::Visitor;

/// `/settings`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    let ages = console.bridge.secret_ages().await?;
    let (active, others) = console.bridge.sealed_by_others().await?;
    let (is_resealing, file) = (console.bridge.is_resealing(), console.bridge.file());
    let body = html! {
        h1 { "Settings" }
        p.lead { "The configuration file says how the bridge works; it is read anew when it changes. Here is what it says." }
        div.grid {
            section.card aria-labelledby="version" {
                h2 #version { "This program" }
                dl.facts {
                    dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) }
                    dt { "Public address" } dd.ids { (console.bridge.public_url().unwrap_or("not configured: server.public_url")) }
                    dt { "Configuration file" } dd.ids { (file.path.as_deref().unwrap_or("not watched")) }
                    dt { "Firms" } dd { (console.bridge.firms.iter().count()) }
                }
                @if let Some(why) = &file.refused { p.alarm { "The changed file was refused, and what was in force stays: " (why) } }
                @if !file.needs_restart.is_empty() { p.alarm { "These changed keys wait for a restart: " (file.needs_restart.join(", ")) } }
            }
            section.card aria-labelledby="keys" {
                h2 #keys { "The key that seals" }
                p { "What is kept about people is sealed with " code { (active) } ", the first of " code { "crypto.keys" } "." }
                @if is_resealing { p role="status" { (pill("wait", "sealing anew")) " Load the page again to see how far it is." } }
                @for (id, values) in &others { p { (number(*values)) " values are still sealed with " code { (id) } "." } }
                @if others.is_empty() { p { (pill("good", "nothing is sealed with another")) } }
                @else if !is_resealing {
                    form method="post" action="/settings/reseal" {
                        (token(&visitor))
                        label.choice { input type="checkbox" name="restarted" value="1" required; " Every instance was started with " code { (active) } " in its configuration" }
                        button type="submit" { "Seal everything anew" }
                    }
                }
                details {
                    summary { "Change the key" }
                    ol {
                        li { code { "casebridge secrets new key" } " makes one. Put it last in crypto.keys, and restart every instance." }
                        li { "Put it first, and restart every instance." }
                        li { "Seal everything anew here; the service goes on meanwhile. Then the old key may be taken out; keep it with the backups made until then." }
                    }
                }
            }
        }
        section aria-labelledby="ages" {
            h2 #ages { "Secrets" }
            p.hint { "Those older than 90 days are due. Most can be changed without a pause: list the new one beside the old one, change it at the vendor, then take the old one out." }
            div.table tabindex="0" role="region" aria-label="Secrets and their ages" { table.stack {
                thead { tr { th scope="col" { "Secret" } th scope="col" { "Read from" } th scope="col" { "Known since" } th scope="col" { "Age" } th scope="col" { "State" } } }
                tbody { @for age in &ages { tr {
                    th.ids scope="row" { (age.reference) }
                    td.ids data-label="Read from" { (age.origin.as_deref().unwrap_or_default()) }
                    td data-label="Known since" { (moment(age.first_seen)) }
                    td data-label="Age" { (age.age_days) " days" }
                    td { @if age.is_due { (pill("warn", "due")) } @else { (pill("good", "fine")) } }
                } } }
            } }
        }
    };
    Ok(page(&visitor, "/settings", "Settings", body))
}

/// `POST /settings/reseal`
pub(super) async fn reseal(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_govern()?;
    if fields.text("restarted").is_empty() {
        let why = "An instance that does not know the key could not read what is sealed with it: restart every one first.";
        return Err(Failed::invalid(why));
    }
    console.bridge.reseal_as(&visitor.actor).await?;
    Ok(Redirect::to("/settings").into_response())
}
