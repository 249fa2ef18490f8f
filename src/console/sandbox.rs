//! The sandbox of the demo: make things happen at the simulated vendors, break them, and watch what travels.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{notice, page, token};
use super::session::Visitor;
use crate::domain::Role;

/// Where the simulated HighLevel is, and the token it takes.
pub struct Sandbox {
    /// Its base URL, which is on this machine.
    pub url: String,
    /// A token of its location.
    pub token: String,
    /// Its location.
    pub location: String,
    /// The base URL of the simulated CASEpeer.
    pub casepeer_url: String,
    /// The folder where the demo keeps its secrets, each in a file.
    pub secrets: String,
}

/// What can be broken: what a person reads, and what the simulation is told.
const FAULTS: [(&str, &str, &str); 5] = [
    (
        "refuse",
        "CASEpeer refuses the next new lead",
        r#"{"vendor":"casepeer","method":"POST","path":"/leads","kind":"status","status":422}"#,
    ),
    (
        "down",
        "CASEpeer is down for the next 3 calls",
        r#"{"vendor":"casepeer","times":3,"kind":"status","status":503}"#,
    ),
    (
        "slow",
        "CASEpeer does it and never answers",
        r#"{"vendor":"casepeer","method":"POST","path":"/leads","kind":"timeout_after","hold_milliseconds":2000}"#,
    ),
    (
        "twice",
        "HighLevel sends the next webhook twice",
        r#"{"vendor":"highlevel","kind":"duplicate_webhook"}"#,
    ),
    ("lost", "HighLevel loses the next webhook", r#"{"vendor":"highlevel","kind":"drop_webhook"}"#),
];

/// What was just done.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    done: Option<String>,
}

fn sandbox(console: &Console) -> Result<&(Sandbox, reqwest::Client), Failed> {
    console.sandbox.as_ref().ok_or_else(Failed::not_there)
}

async fn ask(
    console: &Console,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, Failed> {
    let (sandbox, http) = sandbox(console)?;
    let asking = http.request(method, format!("{}{path}", sandbox.url));
    let asking = asking.bearer_auth(&sandbox.token).header("version", "2021-07-28");
    let asking = match body {
        Some(body) => asking.json(&body),
        None => asking,
    };
    let failed = |error: reqwest::Error| Failed::invalid(format!("The simulation does not answer: {error}"));
    let answer = asking.send().await.map_err(failed)?;
    let is_good = answer.status().is_success();
    let said: Value = answer.json().await.unwrap_or(Value::Null);
    if !is_good {
        return Err(Failed::invalid(format!("The simulated HighLevel refused it: {}", said["message"])));
    }
    Ok(said)
}

/// `/sandbox`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failed> {
    let state = ask(&console, reqwest::Method::GET, "/twin/state", None).await?;
    let rows = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let (contacts, leads) = (rows(&state["highlevel"]["contacts"]), rows(&state["casepeer"]["leads"]));
    let body = html! {
        h1 { "Sandbox" }
        (notice(match asked.done.as_deref() {
            Some("made") => "Done in HighLevel. Its webhook is on the way; the lead appears on the right within a second.",
            Some("broken") => "Broken, for as long as it says. Make something happen and watch.",
            _ => "",
        }))
        p.lead { "Both vendors are simulated on this machine: nothing here is real, nothing can be harmed." }
        div.grid {
            section.card aria-labelledby="make" {
                h2 #make { "Somebody fills the web form" }
                form method="post" action="/sandbox/contact" {
                    (token(&visitor))
                    label for="first" { "First name" } input #first name="first" required value="Ada";
                    label for="last" { "Last name" } input #last name="last" required;
                    label for="phone" { "Phone" } input #phone name="phone" type="tel" placeholder="+1 512 555 0134";
                    label for="email" { "E-mail" } input #email name="email" type="email" placeholder="ada@example.com";
                    button.primary type="submit" { "Create the contact in HighLevel" }
                }
            }
            section.card aria-labelledby="break" {
                h2 #break { "Break something" }
                p { "Nothing is lost: what cannot be delivered waits on Home with its cause." }
                form method="post" action="/sandbox/fault" {
                    (token(&visitor))
                    label for="fault" { "What goes wrong" }
                    select #fault name="fault" { @for (word, title, _) in FAULTS { option value=(word) { (title) } } }
                    button type="submit" { "Break it" }
                }
            }
        }
        div.grid.after {
            (side("HighLevel contacts", &contacts, |one| words(&[&one["firstName"], &one["lastName"]]), |one| words(&[&one["phone"], &one["tags"]])))
            (side("CASEpeer leads", &leads, |one| words(&[&one["client"]["first_name"], &one["client"]["last_name"]]), |one| words(&[&one["client"]["phone"], &one["status"]])))
        }
    };
    Ok(page(&visitor, "/sandbox", "Sandbox", body))
}

/// Values as text, those that are not there left out.
fn words(values: &[&Value]) -> String {
    let text = |value: &&Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        _ => None,
    };
    values.iter().filter_map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn side(
    title: &str,
    records: &[Value],
    name: impl Fn(&Value) -> String,
    more: impl Fn(&Value) -> String,
) -> Markup {
    html! {
        section.card {
            h2 { (title) " (" (records.len()) ")" }
            div.table tabindex="0" role="region" aria-label=(title) { table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Known by" } } }
                tbody { @for one in records.iter().rev().take(20) { tr { th scope="row" { (name(one)) } td { (more(one)) } } } }
            } }
        }
    }
}

/// `POST /sandbox/contact`
pub(super) async fn contact(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_be(Role::Operator)?;
    let mut contact = json!({ "locationId": sandbox(&console)?.0.location, "source": "Web form" });
    for (name, field) in
        [("firstName", "first"), ("lastName", "last"), ("phone", "phone"), ("email", "email")]
    {
        if !fields.text(field).is_empty() {
            contact[name] = fields.text(field).into();
        }
    }
    ask(&console, reqwest::Method::POST, "/contacts/", Some(contact)).await?;
    Ok(Redirect::to("/sandbox?done=made").into_response())
}

/// `POST /sandbox/fault`
pub(super) async fn fault(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_be(Role::Operator)?;
    let known = FAULTS.iter().find(|(word, _, _)| *word == fields.text("fault"));
    let (_, _, fault) = known.ok_or_else(|| Failed::invalid("Choose what goes wrong."))?;
    let fault = serde_json::from_str(fault).map_err(|error| Failed::invalid(error.to_string()))?;
    ask(&console, reqwest::Method::POST, "/twin/faults", Some(fault)).await?;
    Ok(Redirect::to("/sandbox?done=broken").into_response())
}
