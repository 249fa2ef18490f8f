//! How this installation is set up: what is configured, and how old its secrets are. Never a secret itself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::Console;
use super::failure::Failed;
use super::page::{moment, page, pill};
use super::session::Visitor;

/// `/settings`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    let ages = console.bridge.secret_ages().await?;
    let body = html! {
        h1 { "Settings" }
        p.lead { "The configuration file says how the bridge works; it is read anew when it changes. Here is what it says." }
        div.grid {
            section.card aria-labelledby="version" {
                h2 #version { "This program" }
                dl.facts {
                    dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) }
                    dt { "Public address" } dd.ids { (console.bridge.public_url().unwrap_or("not configured: server.public_url")) }
                    dt { "Firms" } dd { (console.bridge.firms.iter().count()) }
                }
            }
        }
        section aria-labelledby="ages" {
            h2 #ages { "Secrets" }
            p.hint { "Those older than 90 days are due. Most can be changed without a pause: list the new one beside the old one, change it at the vendor, then take the old one out." }
            div.table tabindex="0" role="region" aria-label="Secrets and their ages" { table.stack {
                thead { tr { th scope="col" { "Secret" } th scope="col" { "Known since" } th scope="col" { "Age" } th scope="col" { "State" } } }
                tbody { @for age in &ages { tr {
                    th.ids scope="row" { (age.reference) }
                    td data-label="Known since" { (moment(age.first_seen)) }
                    td data-label="Age" { (age.age_days) " days" }
                    td { @if age.is_due { (pill("warn", "due")) } @else { (pill("good", "fine")) } }
                } } }
            } }
        }
    };
    Ok(page(&visitor, "/settings", "Settings", body))
}
