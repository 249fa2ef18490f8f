//! Changing a firm's secrets without losing a webhook or a call.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::{Health, live_address};
use crate::bridge::SecretAge;
use crate::config::Secret;
use crate::console::Console;
use crate::console::failure::Failed;
use crate::console::page::{moment, pill, token};
use crate::console::session::Visitor;

/// How long the old secret goes on being accepted: whoever sends has a week to change it.
const BOTH: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A reference to a secret as the configuration writes it, from what its origin is called.
fn reference(origin: &str) -> Option<(&'static str, &str)> {
    let variable = origin.strip_prefix("variable ").map(|name| ("env", name));
    variable.or_else(|| origin.strip_prefix("file ").map(|path| ("file", path)))
}

/// The firm's secrets, with the one that was just made.
pub(super) async fn render(
    console: &Console,
    visitor: &Visitor,
    health: &Health,
    made: Option<&Secret>,
) -> Result<Markup, Failed> {
    let firm = &health.firm;
    let news = live_address(console, visitor, &firm.id).await?;
    let begin = format!("firms.{}.", firm.id);
    let mut ages = console.bridge.secret_ages().await?;
    ages.retain(|age| age.reference.starts_with(&begin));
    let of_webhooks: Vec<_> = ages.iter().filter(|age| age.reference.ends_with(".webhook_secrets")).collect();
    let here = format!("/firms/{}/rotate", firm.id);
    let file = console.bridge.file();
    Ok(html! {
        p.back { a href={ "/firms/" (firm.id) } { (firm.title) } }
        h1 { "Change secrets" }
        p.lead { "Old and new live together for a while, so that nothing is lost meanwhile." }
        @if let Some(made) = made { (new_secret(&of_webhooks, made, console.bridge.clock.now())) }
        div #live data-live=(news) data-page=(here) {
            @if let Some(why) = &file.refused { p.alarm { "The changed file was refused, and what was in force stays: " (why) } }
            div.table tabindex="0" role="region" aria-label="Secrets in force" { table.stack {
                thead { tr { @for name in ["Secret in force", "Read from", "Age", "Until"] { th scope="col" { (name) } } } }
                tbody { @for age in &ages { tr {
                    th.ids scope="row" { (age.reference.trim_start_matches(&begin)) }
                    td.ids data-label="Read from" { (age.origin.as_deref().unwrap_or_default()) }
                    td data-label="Age" { @if age.age_days == 0 { "new" } @else { (age.age_days) " days" } " " @if age.is_due { (pill("warn", "due")) } }
                    td data-label="Until" { @match age.until { Some(at) => (moment(at)), None => "you change it" } }
                } } }
            } }
            @if of_webhooks.len() > 1 { p { (pill("good", "both webhook secrets are accepted")) " Give the new one to whoever sends, see that webhooks still come, then take the old one out." } }
        }
        div.grid.after {
            section.card aria-labelledby="webhook-secret" {
                h2 #webhook-secret { "What CASEpeer's webhooks are signed with" }
                form method="post" action=(here) { (token(visitor)) button.primary type="submit" { "Make a new secret" } }
            }
            section.card aria-labelledby="tokens" {
                h2 #tokens { "Tokens of the vendors" }
                @if firm.is_connected_by_browser { p { "HighLevel's are renewed by themselves; connecting the firm again replaces them." } }
                @else { ol {
                    li { "In HighLevel, in this location: Settings > Private Integrations > the integration > Rotate. The old token lives for seven days more." }
                    li { a href={ "/firms/" (firm.id) "/token" } { "Paste the new one" } ": it is tried, and used before the old one at once. Or put it where " code { "highlevel.token" } " is read from, above: a file is read again by itself; with a variable, restart." }
                    li { a href={ "/firms/" (firm.id) } { "Try the connection" } ": it shows that the new one is accepted." }
                } }
                @if firm.account.is_none() { p { "CASEpeer's: put the new one where " code { "casepeer.auth" } " is read from, and restart. If its owner cannot let old and new live together, pause the firm meanwhile; webhooks are still taken." } }
            }
        }
    })
}

fn new_secret(of_webhooks: &[&SecretAge], made: &Secret, now: Timestamp) -> Markup {
    let until = now.saturating_add(BOTH).unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let lasting = of_webhooks.iter().find(|age| age.until.is_none());
    let old = lasting.and_then(|age| reference(age.origin.as_deref()?));
    let (kind, name) = old.unwrap_or(("file", "/etc/casebridge/secrets/webhook-secret"));
    let new = match kind {
        "env" => format!("{name}_NEW"),
        _ => format!("{name}-{}", now.strftime("%Y%m%d")),
    };
    let line = format!(
        "webhook_secrets = [{{ {kind} = {} }}, {{ {kind} = {}, until = \"{until}\" }}]",
        toml::Value::String(new.clone()),
        toml::Value::String(name.to_owned())
    );
    html! {
        div.notice role="status" {
            p { strong { "Copy it now: it is shown this once and kept nowhere." } }
            p { code #new-secret { (made.reveal()) } " " button.small type="button" data-copy="new-secret" { "Copy" } }
            ol {
                li { "Put it into the " (if kind == "env" { "variable " } else { "file " }) code { (new) } @if kind == "env" { "; a variable takes a restart" } "." }
                li { "In the configuration, under the firm's casepeer, list both:" pre #new-line { (line) } button.small type="button" data-copy="new-line" { "Copy" } }
                li { "The table below shows both within seconds. Then give the new one to whoever sends the webhooks." }
            }
        }
    }
}
