//! Tokens with which programs, such as a Zap or a script, call actions and subscribe to triggers.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{Done, moment, page, pill, token};
use super::session::Visitor;
use crate::bridge::{HOOKS, TokenGrant};
use crate::config::Secret;
use crate::operations::catalog::{self, Kind};
use crate::store::ApiToken;

/// What was just done, by its code.
const DONE: [(&str, &str); 1] = [("ended", "Ended. Whoever shows it is refused from now on.")];

/// `/tokens`
pub(super) async fn list(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    render(&console, &visitor, &done, None).await
}

async fn render(
    console: &Console,
    visitor: &Visitor,
    done: &Done,
    made: Option<&Secret>,
) -> Result<Html<String>, Failed> {
    let tokens = console.bridge.store.tokens().await?;
    let body = html! {
        h1 { "Tokens" }
        (done.notice(&DONE))
        @if let Some(made) = made {
            div.notice role="status" {
                p { strong { "Copy it now: it is shown this once." } }
                p { code #new-token { (made.reveal()) } " " button.small type="button" data-copy="new-token" { "Copy" } }
            }
        }
        p.lead { "With a token a program, such as a Zap or a script, calls actions and subscribes to triggers at the public \
            address. Each is good for the firms and actions you name, and for nothing else." }
        @if tokens.is_empty() { p.empty { "There is none yet." } }
        @else { (table(visitor, &tokens)) }
        (form(console, visitor))
    };
    Ok(page(visitor, "/tokens", "Tokens", body))
}

fn table(visitor: &Visitor, tokens: &[ApiToken]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Tokens" { table.stack {
            thead { tr { @for name in ["For what", "Firms", "Good for", "Made", "State"] { th scope="col" { (name) } } } }
            tbody { @for one in tokens { tr {
                th scope="row" { (one.name) div.ids { (one.id) } }
                td data-label="Firms" { @if one.firms.is_empty() { "all" } @else { (one.firms.join(", ")) } }
                td.ids data-label="Good for" { (one.actions.join(" ")) }
                td data-label="Made" { (moment(one.made_at)) " by " (one.made_by) }
                td data-label="State" { @match one.revoked_at {
                    Some(at) => { (pill("calm", "ended")) " " (moment(at)) }
                    None => form method="post" action={ "/tokens/" (one.id) "/revoke" } {
                        (token(visitor))
                        button.small.danger type="submit" aria-label={ "End it: " (one.name) } { "End it" }
                    },
                } }
            } } }
        } }
    }
}

/// The beginnings of actions' ids, as `contacts.`, which are easier to choose than each action.
fn groups() -> BTreeSet<&'static str> {
    let actions = catalog::all().iter().filter(|entry| entry.kind == Kind::Action);
    actions.filter_map(|entry| entry.id.split_once('.').map(|(group, _)| group)).collect()
}

fn form(console: &Console, visitor: &Visitor) -> Markup {
    html! {
        section.card aria-labelledby="make" {
            h2 #make { "Make a token" }
            form method="post" action="/tokens" {
                (token(visitor))
                label for="name" { "What it is for" }
                input #name name="name" required maxlength="200" autocomplete="off" placeholder="The intake Zap";
                fieldset {
                    legend { "Firms" }
                    label.choice { input type="checkbox" name="every-firm" value="1"; " All firms, those to come included" }
                    div.choices { @for firm in console.bridge.firms.iter() {
                        label.choice { input type="checkbox" name="firm" value=(firm.id.as_str()); " " (firm.id) }
                    } }
                }
                fieldset {
                    legend { "What it may do" }
                    div.choices {
                        label.choice { input type="checkbox" name="action" value=(HOOKS); " subscribe to triggers" }
                        @for group in groups() {
                            label.choice { input type="checkbox" name="action" value={ (group) ".*" }; " every action of " (group) }
                        }
                    }
                    label for="more" { "Or single actions, as the catalog names them" }
                    input #more name="more" autocomplete="off" spellcheck="false" placeholder="contacts.add-tags, leads.create";
                }
                button.primary type="submit" { "Make it" }
            }
        }
    }
}

/// `POST /tokens`: the answer is the only place that shows the token.
pub(super) async fn make(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Html<String>, Failed> {
    visitor.must_govern()?;
    let firms: Vec<String> = fields.all("firm").map(str::to_owned).collect();
    let is_for_every_firm = !fields.text("every-firm").is_empty();
    if firms.is_empty() != is_for_every_firm {
        return Err(Failed::invalid("Tick the firms it is good for, or all of them."));
    }
    let single = fields.text("more").split([',', ' ']).filter(|id| !id.is_empty());
    let actions = fields.all("action").chain(single).map(str::to_owned).collect();
    let grant = TokenGrant { name: fields.text("name").to_owned(), firms, actions };
    let (_, made) = console.bridge.make_token_as(&visitor.actor, grant).await?;
    render(&console, &visitor, &Done::default(), Some(&made)).await
}

/// `POST /tokens/{id}/revoke`
pub(super) async fn revoke(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    Posted { visitor, .. }: Posted,
) -> Result<Response, Failed> {
    visitor.must_govern()?;
    console.bridge.revoke_token_as(&visitor.actor, &id).await?;
    Ok(Redirect::to("/tokens?done=ended").into_response())
}
