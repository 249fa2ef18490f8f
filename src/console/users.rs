//! Who may sign in, and the audit log.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::Console;
use super::failure::Failed;
use super::form::{Fields, Posted};
use super::page::{Done, moment, page, token};
use super::session::Visitor;
use crate::bridge::NotSignedIn;
use crate::config::Secret;
use crate::domain::{Deed, FirmId, Reach, Role, SHORTEST_PASSWORD, sign_in_name};
use crate::store::{Account, AuditEntry, AuditFilter, AuditRow, Changed, NewAccount};

/// What was just done, by its code.
const DONE: [(&str, &str); 3] = [
    ("added", "Added. Give them their name and password; they can sign in now."),
    ("changed", "Changed. They have to sign in again."),
    ("removed", "Removed. Their sessions have ended."),
];

/// `/users`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    let accounts = console.bridge.store.accounts().await?;
    let body = html! {
        h1 { "Users" }
        (done.notice(&DONE))
        p.lead { "Who may sign in here. A viewer sees what happened, with personal data hidden; an operator mends it; an \
            administrator changes how it works." }
        div.table tabindex="0" role="region" aria-label="Users" {
            table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Role" } th scope="col" { "Firms" } th scope="col" { "Since" } } }
                tbody {
                    @for account in &accounts {
                        tr {
                            th scope="row" { a href={ "/users/" (account.name) } { (account.name) } }
                            td { (account.role) }
                            td { (account.reach) }
                            td { (moment(account.created_at)) }
                        }
                    }
                }
            }
        }
        section.card aria-labelledby="add" {
            h2 #add { "Add somebody" }
            form method="post" action="/users" {
                (token(&visitor))
                label for="name" { "Name" }
                input #name name="name" autocapitalize="none" spellcheck="false" autocomplete="off" required;
                (role_and_firms(&console, None))
                label for="password" { "First password" }
                input #password type="password" name="password" autocomplete="new-password"
                    minlength=(SHORTEST_PASSWORD) required aria-describedby="password-hint";
                p.hint #password-hint { "At least " (SHORTEST_PASSWORD) " characters. Hand it over in person." }
                button.primary type="submit" { "Add" }
            }
        }
    };
    Ok(page(&visitor, "/users", "Users", body))
}

fn role_and_firms(console: &Console, account: Option<&Account>) -> Markup {
    let role = account.map_or(Role::Viewer, |account| account.role);
    let chosen = account.and_then(|account| account.reach.firms());
    html! {
        label for="role" { "Role" }
        select #role name="role" {
            @for one in Role::ALL { option value=(one) selected[*one == role] { (one) } }
        }
        fieldset {
            legend { "Firms" }
            p.hint { "None ticked means all firms, those to come included." }
            div.choices {
                @for firm in console.bridge.firms.iter() {
                    label.choice {
                        input type="checkbox" name="firm" value=(firm.id.as_str())
                            checked[chosen.as_ref().is_some_and(|firms| firms.contains(&firm.id))];
                        " " (firm.id)
                    }
                }
            }
        }
    }
}

fn chosen(fields: &Fields) -> Result<(Role, Reach), Failed> {
    let role = fields.text("role").parse().map_err(|_| Failed::invalid("Choose a role."))?;
    let firms: BTreeSet<FirmId> = fields.all("firm").map(FirmId::new).collect();
    Ok((role, if firms.is_empty() { Reach::Everywhere } else { Reach::Firms(firms) }))
}

/// `POST /users`
pub(super) async fn add(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_govern()?;
    let name = sign_in_name(fields.text("name")).map_err(Failed::invalid)?;
    let (role, reach) = chosen(&fields)?;
    let password = console.bridge.hashed(&name, Secret::new(fields.raw("password"))).await;
    let password = password.map_err(refused)?;
    let about = format!("{name}: {role}, {reach}");
    let new = NewAccount { name, role, reach, password };
    if !console.bridge.store.add_account(new).await? {
        return Err(Failed::invalid("Somebody of that name is there already."));
    }
    let deed = AuditEntry::new(&visitor.actor.name, Deed::UserAdded).about(about);
    console.bridge.store.note_deed(deed).await?;
    Ok(Redirect::to("/users?done=added").into_response())
}

fn refused(why: NotSignedIn) -> Failed {
    match why {
        NotSignedIn::Store(error) => error.into(),
        other => Failed::invalid(other.to_string()),
    }
}

/// `/users/{name}`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    let (account, _) = console.bridge.store.account(&name).await?.ok_or_else(Failed::not_there)?;
    let action = format!("/users/{}", account.name);
    let body = html! {
        p.back { a href="/users" { "All users" } }
        h1 { (account.name) }
        section.card aria-labelledby="rights" {
            h2 #rights { "What they may do" }
            form method="post" action=(action) {
                (token(&visitor))
                (role_and_firms(&console, Some(&account)))
                button.primary type="submit" name="do" value="change" { "Save" }
            }
        }
        section.card aria-labelledby="new-password" {
            h2 #new-password { "Give a new password" }
            form method="post" action=(action) {
                (token(&visitor))
                label for="password" { "New password" }
                input #password type="password" name="password" autocomplete="new-password"
                    minlength=(SHORTEST_PASSWORD) required;
                button type="submit" name="do" value="password" { "Change the password" }
            }
        }
        section.card aria-labelledby="gone" {
            h2 #gone { "Remove" }
            p { "They can no longer sign in, and are signed out at once. What they did stays in the audit log." }
            form method="post" action=(action) {
                (token(&visitor))
                button.danger type="submit" name="do" value="remove" { "Remove " (account.name) }
            }
        }
    };
    Ok(page(&visitor, "/users", "A user", body))
}

/// `POST /users/{name}`
pub(super) async fn change(
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_govern()?;
    let store = &console.bridge.store;
    let (changed, deed, about) = match fields.text("do") {
        "change" => {
            let (role, reach) = chosen(&fields)?;
            let about = format!("{name}: {role}, {reach}");
            (store.change_account(&name, role, &reach).await?, Deed::UserChanged, about)
        }
        "password" => {
            let password = Secret::new(fields.raw("password"));
            let is_there = console.bridge.change_password(&name, password).await.map_err(refused)?;
            let changed = if is_there { Changed::Yes } else { Changed::Nobody };
            (changed, Deed::PasswordChanged, name.clone())
        }
        "remove" => (store.remove_account(&name).await?, Deed::UserRemoved, name.clone()),
        _ => return Err(Failed::invalid("That is no button of this page.")),
    };
    match changed {
        Changed::Yes => {}
        Changed::Nobody => return Err(Failed::not_there()),
        Changed::LastAdmin => {
            let why = "Nobody would be left who may add users: make somebody else an administrator of all firms first.";
            return Err(Failed::invalid(why));
        }
    }
    let is_removal = deed == Deed::UserRemoved;
    store.note_deed(AuditEntry::new(&visitor.actor.name, deed).about(about)).await?;
    let next = if is_removal { "/users?done=removed" } else { "/users?done=changed" };
    Ok(Redirect::to(next).into_response())
}

/// Which lines.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Lines {
    before: Option<Uuid>,
    who: Option<String>,
}

/// Lines of one page.
const LINES: usize = 100;

/// `/audit`
pub(super) async fn audit(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(lines): Query<Lines>,
) -> Result<Html<String>, Failed> {
    visitor.must_be(Role::Admin)?;
    let who = lines.who.filter(|who| !who.is_empty());
    let filter = AuditFilter {
        within: visitor.actor.reach.firms(),
        who: who.clone(),
        before: lines.before,
        limit: LINES,
    };
    let rows = console.bridge.store.audit_log(filter).await?;
    let older = rows.last().filter(|_| rows.len() == LINES).map(|row| row.id);
    let body = html! {
        h1 { "Audit log" }
        p.lead { "Who did what, and why. Lines are added and never changed." }
        @if let Some(who) = &who { p { "Of " strong { (who) } ". " a href="/audit" { "Show everybody" } } }
        @if rows.is_empty() { p.empty { "Nothing has been done yet." } }
        @else { (audit_table(&rows)) }
        @if let Some(older) = older { p { a.button href={ "/audit?before=" (older) } { "Older" } } }
    };
    Ok(page(&visitor, "/audit", "Audit log", body))
}

fn audit_table(rows: &[AuditRow]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Audit log" {
            table.stack {
                thead { tr {
                    @for name in ["When", "Who", "What", "Firm", "On what", "Why"] { th scope="col" { (name) } }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            td data-label="When" { (moment(row.at)) }
                            td data-label="Who" { a href={ "/audit?who=" (row.who) } { (row.who) } }
                            td data-label="What" { (deed(row.what)) }
                            td data-label="Firm" { @if let Some(firm) = &row.firm { (firm) } }
                            td.ids data-label="On what" { @if let Some(about) = &row.about { (about) } }
                            td data-label="Why" { @if let Some(reason) = &row.reason { (reason) } }
                        }
                    }
                }
            }
        }
    }
}

/// What was done, in words.
fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::SetUp => "made the first administrator",
        Deed::SignedIn => "signed in",
        Deed::SignInRefused => "could not sign in",
        Deed::SignedOut => "signed out",
        Deed::UserAdded => "added a user",
        Deed::UserChanged => "changed a user",
        Deed::UserRemoved => "removed a user",
        Deed::PasswordChanged => "changed a password",
        Deed::Revealed => "looked at personal data",
        Deed::Replayed => "replayed an event",
        Deed::Discarded => "discarded an event",
        Deed::Resolved => "decided",
        Deed::Undone => "took a decision back",
        Deed::Paused => "paused a firm",
        Deed::Resumed => "resumed a firm",
        Deed::LinkMade => "made a link to connect a firm",
        Deed::TokenPasted => "pasted a private token",
        Deed::TokenForgotten => "took a pasted token away",
        Deed::Linked => "linked two records",
        Deed::Merged => "made two people one",
        Deed::Split => "made one person two",
        Deed::Called => "called an operation",
        Deed::TokenMade => "made a program's token",
        Deed::TokenRevoked => "ended a program's token",
        Deed::Exported => "exported a person",
        Deed::Erased => "erased a person",
        Deed::Held => "put a person on legal hold",
        Deed::Released => "ended a legal hold",
        Deed::Resealed => "sealed what is stored anew",
        Deed::Tested => "tried a connection",
        Deed::RuleSaved => "changed a rule",
        Deed::RuleOn => "switched a rule on",
        Deed::RuleOff => "switched a rule off",
        Deed::RuleRemoved => "removed a rule",
        Deed::RuleTried => "tried a rule on what came",
        Deed::MappingChanged => "changed a mapping",
        Deed::Backfilled => "ran a backfill",
        Deed::Swept => "ran a sweep",
    }
}
