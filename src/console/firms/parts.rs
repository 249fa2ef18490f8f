//! What a firm's pages share: its connections, addresses, permissions, and how each operation goes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::{Health, paste};
use crate::bridge::{Firm, Trial};
use crate::console::Console;
use crate::console::page::{moment, number, pill, span, token};
use crate::console::session::Visitor;
use crate::domain::{FirmId, System};
use crate::operations::casepeer::Transport;
use crate::operations::highlevel::scopes::FEATURES;

/// Firms with their health.
pub(super) fn table(firms: &[&Health], undelivered: &BTreeMap<FirmId, u64>) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Firms" {
            table.stack {
                thead { tr { @for name in ["Firm", "Health", "Undelivered", "HighLevel", "Calls today"] { th scope="col" { (name) } } } }
                tbody { @for one in firms { tr {
                    th scope="row" { a href={ "/firms/" (one.firm.id) } { (one.firm.title) } div.ids { (one.firm.id) } }
                    td { (one.pill()) }
                    td data-label="Undelivered" { @match undelivered.get(&one.firm.id) {
                        Some(events) => a href={ "/events?state=failed&firm=" (one.firm.id) } { (number(*events)) },
                        None => "0",
                    } }
                    td.ids data-label="HighLevel" { (one.firm.location) }
                    td data-label="Calls today" {
                        @for quota in &one.quotas { div { (quota.system.title()) ": " (number(quota.spent_today)) } }
                    }
                } } }
            }
        }
    }
}

/// Where HighLevel sends to, with what to do there.
pub(super) fn highlevel_steps(console: &Console, firm: &Firm) -> Markup {
    let base = console.bridge.public_url().unwrap_or("https://YOUR-BRIDGE");
    html! {
        ol {
            li { "In your Marketplace app, under Advanced settings, Webhooks, enter this address:" }
            li { code #hl-url { (base) "/webhooks/highlevel" } " " button.small type="button" data-copy="hl-url" { "Copy" } }
            li { "Switch on the events of contacts, tasks, notes, appointments and opportunities." }
            li { "Install the app in the location " code { (firm.location) } "." }
            li { "Then change a contact in HighLevel." }
        }
    }
}

/// Where CASEpeer sends to, with what to do there.
pub(super) fn casepeer_steps(console: &Console, firm: &Firm, manages: bool) -> Markup {
    let base = console.bridge.public_url().unwrap_or("https://YOUR-BRIDGE");
    html! {
        ol {
            li { "Have CASEpeer, or a Zap (Webhooks by Zapier, POST, JSON), send every change of leads, cases, tasks and notes to:" }
            @if manages {
                li { code #cp-url { (base) "/webhooks/casepeer/" (firm.inbound_path()) } " " button.small type="button" data-copy="cp-url" { "Copy" } }
                li { "The address is a secret: who has it may send. Sign what you send with the firm's webhook secret, or send the secret header that the profile names." }
            } @else {
                li { code { (base) "/webhooks/casepeer/…" } }
                li { "The rest of the address is a secret: an administrator can show it." }
            }
            li { "Then change a lead in CASEpeer." }
        }
    }
}

/// Whether a side has been heard of.
pub(super) fn heard(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match at {
            Some(at) => { (pill("good", "heard")) " last " (span(now.duration_since(at))) " ago" }
            None => (pill("warn", "waiting for the first webhook")),
        }
    }
}

/// How HighLevel is connected, and what that allows.
pub(super) fn highlevel(health: &Health, now: Timestamp) -> Markup {
    html! {
        @match (&health.connection, health.firm.is_connected_by_browser) {
            (None, false) => {
                (paste::standing(health))
                p.hint { "A private token does not tell what it allows: a permission that is missing is named when it is needed." }
            },
            (None, true) => p { (pill("warn", "not connected")) " Nobody has connected it yet." },
            (Some(connection), _) => {
                @if let Some(at) = connection.refused_at { p.alarm { "HighLevel has refused it since " (moment(at)) ": connect it again." } }
                @else { p { (pill("good", "connected")) " " (moment(connection.connected_at)) "; renewed by itself, next before "
                    (moment(connection.expires_at)) " (in " (span(connection.expires_at.duration_since(now))) ")." } }
                @if !connection.scopes.is_empty() {
                    details {
                        summary { "What it allows" }
                        ul { @for feature in FEATURES {
                            @let missing: Vec<_> = feature.missing(&connection.scopes).collect();
                            li { @if missing.is_empty() { (pill("good", "yes")) } @else { (pill("warn", "no")) } " " (feature.name)
                                @for scope in missing { " " code { (scope) } } }
                        } }
                    }
                }
            }
        }
    }
}

/// How CASEpeer is connected, and how each operation goes.
pub(super) fn casepeer(health: &Health) -> Markup {
    let profile = health.firm.casepeer.profile();
    html! {
        @match (&health.firm.account, &health.account) {
            (None, _) => p { "By the credential of the configuration." },
            (Some(_), None) => p { (pill("warn", "not connected")) " Nobody has connected the account yet." },
            (Some(_), Some(account)) => {
                @if let Some(at) = account.refused_at { p.alarm { "CASEpeer has refused it since " (moment(at)) ": connect it again." } }
                @else { p { (pill("good", "connected")) " " (moment(account.connected_at)) "; renewed by itself." } }
            }
        }
        details {
            summary { "Profile " (profile.name()) ": how each operation goes" }
            table {
                thead { tr { th scope="col" { "Operation" } th scope="col" { "Goes by" } } }
                tbody { @for (operation, by) in profile.operations() { tr {
                    th.ids scope="row" { (operation) }
                    td { @match by {
                        Transport::Disabled => (pill("calm", "not at all")),
                        other => (other.as_str().replace('_', " ")),
                    } }
                } } }
            }
        }
    }
}

/// What came of trying both sides.
pub(super) fn tried(trial: &Trial, now: Timestamp) -> Markup {
    html! {
        @for (system, result) in [(System::HighLevel, &trial.highlevel), (System::CasePeer, &trial.casepeer)] {
            p { strong { (system.title()) } " "
                @match result {
                    Ok(said) => { (pill("good", "works")) " " (said) }
                    Err(fault) => { (pill("bad", "does not work")) " " (fault.why) ". To mend it: " (fault.fix) "." }
                } }
        }
        p.hint { "Tried " (span(now.duration_since(trial.at))) " ago." }
    }
}

/// A button that does something with a firm, from the page that it leads back to.
pub(super) fn button(visitor: &Visitor, firm: &Firm, verb: &str, back: &str, label: &str) -> Markup {
    html! {
        form method="post" action={ "/firms/" (firm.id) "/" (verb) } {
            (token(visitor))
            input type="hidden" name="back" value=(back);
            button type="submit" { (label) }
        }
    }
}

/// Buttons that make a link, for each side that a person connects in the browser.
pub(super) fn connect_buttons(visitor: &Visitor, firm: &Firm, back: &str) -> Markup {
    let sides = [
        (System::HighLevel, "highlevel", firm.is_connected_by_browser),
        (System::CasePeer, "casepeer", firm.account.is_some()),
    ];
    html! {
        @for (system, word, _) in sides.iter().filter(|(_, _, is_by_browser)| *is_by_browser) {
            form method="post" action={ "/firms/" (firm.id) "/connect" } {
                (token(visitor))
                input type="hidden" name="back" value=(back);
                input type="hidden" name="system" value=(word);
                button type="submit" { "Make a link to connect " (system.title()) }
            }
        }
    }
}

/// The way to the page where a private token is pasted, for a firm that goes by one.
pub(super) fn paste_button(firm: &Firm) -> Markup {
    html! {
        @if !firm.is_connected_by_browser { a.button href={ "/firms/" (firm.id) "/token" } { "Paste a private token" } }
    }
}

/// The link that was made.
pub(super) fn link(made: Option<&(String, Timestamp)>) -> Markup {
    html! {
        @if let Some((link, until)) = made {
            div.notice role="status" {
                p { "Open this once, by " (moment(*until)) ", in a browser that is signed in there, or send it to whoever is:" }
                p { code #connect-link { (link) } " " button.small type="button" data-copy="connect-link" { "Copy" } }
                p { a.button href=(link) rel="noreferrer" { "Open it here" } }
            }
        }
    }
}

/// Its pause, or the end of it.
pub(super) fn pausing(visitor: &Visitor, health: &Health) -> Markup {
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
