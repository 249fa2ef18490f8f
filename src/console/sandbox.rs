//! The sandbox of the demo: make things happen at the simulated vendors, break them, and watch what travels.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::Console;
use super::failure::Failed;
use super::form::Posted;
use super::page::{Done, page, token};
use super::session::Visitor;
use crate::domain::{Role, System};

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

/// What can be changed of a person: the word of the form, in words, and whether HighLevel has it too.
const VALUES: [(&str, &str, bool); 4] = [
    ("city", "City", true),
    ("phone", "Phone", true),
    ("email", "E-mail", true),
    ("status", "Status (in CASEpeer)", false),
];

/// What was just done, by its code.
const DONE: [(&str, &str); 3] = [
    ("made", "Done in HighLevel. Its webhook is on the way; the lead appears on the right within a second."),
    ("changed", "Changed there. Its webhook is on the way; the other side follows within a second."),
    ("broken", "Broken, for as long as it says. Make something happen and watch."),
];

fn sandbox(console: &Console) -> Result<&(Sandbox, reqwest::Client), Failed> {
    console.sandbox.as_ref().ok_or_else(Failed::not_there)
}

async fn ask(
    console: &Console,
    vendor: System,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, Failed> {
    let (sandbox, http) = sandbox(console)?;
    let url = match vendor {
        System::HighLevel => &sandbox.url,
        System::CasePeer => &sandbox.casepeer_url,
    };
    let asking = http.request(method, format!("{url}{path}"));
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
        let why = [&said["message"], &said["error"]["message"]].into_iter().find_map(Value::as_str);
        let why = why.unwrap_or("without saying why");
        return Err(Failed::invalid(format!("The simulated {} refused it: {why}", vendor.title())));
    }
    Ok(said)
}

/// `/sandbox`
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Html<String>, Failed> {
    let state = ask(&console, System::HighLevel, reqwest::Method::GET, "/twin/state", None).await?;
    let rows = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let (contacts, leads) = (rows(&state["highlevel"]["contacts"]), rows(&state["casepeer"]["leads"]));
    let body = html! {
        h1 { "Sandbox" }
        (done.notice(&DONE))
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
            section.card aria-labelledby="change" {
                h2 #change { "Somebody changes a record" }
                @if contacts.is_empty() && leads.is_empty() { p { "Nobody is there yet: fill the web form first." } }
                @else {
                    form method="post" action="/sandbox/change" {
                        (token(&visitor))
                        label for="record" { "Whose" }
                        select #record name="record" {
                            @for one in contacts.iter().rev().take(SHOWN) { (choice("highlevel", one, &contact_name(one))) }
                            @for one in leads.iter().rev().take(SHOWN) { (choice("casepeer", one, &lead_name(one))) }
                        }
                        label for="what" { "What" }
                        select #what name="what" { @for (word, title, _) in VALUES { option value=(word) { (title) } } }
                        label for="value" { "Becomes" }
                        input #value name="value" required maxlength="200" autocomplete="off" placeholder="Dallas";
                        button type="submit" { "Change it there" }
                    }
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
            (side("HighLevel contacts", &contacts, contact_name, |one| words(&[&one["phone"], &one["city"], &one["tags"]])))
            (side("CASEpeer leads", &leads, lead_name, |one| words(&[&one["client"]["phone"], &one["client"]["address"]["city"], &one["status"]])))
        }
    };
    Ok(page(&visitor, "/sandbox", "Sandbox", body))
}

/// How many of each side's records are shown.
const SHOWN: usize = 20;

fn contact_name(one: &Value) -> String {
    words(&[&one["firstName"], &one["lastName"]])
}

fn lead_name(one: &Value) -> String {
    words(&[&one["client"]["first_name"], &one["client"]["last_name"]])
}

fn choice(system: &str, one: &Value, name: &str) -> Markup {
    let place = if system == "highlevel" { "contact in HighLevel" } else { "lead in CASEpeer" };
    html! { option value={ (system) ":" (one["id"].as_str().unwrap_or_default()) } { (name) ", " (place) } }
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
                tbody { @for one in records.iter().rev().take(SHOWN) { tr { th scope="row" { (name(one)) } td { (more(one)) } } } }
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
    ask(&console, System::HighLevel, reqwest::Method::POST, "/contacts/", Some(contact)).await?;
    Ok(Redirect::to("/sandbox?done=made").into_response())
}

/// `POST /sandbox/change`: as somebody would in that system's own pages.
pub(super) async fn change(
    State(console): State<Arc<Console>>,
    Posted { visitor, fields }: Posted,
) -> Result<Response, Failed> {
    visitor.must_be(Role::Operator)?;
    let wrong = || Failed::invalid("Choose a record, and what of it changes.");
    let (system, id) = fields.text("record").split_once(':').ok_or_else(wrong)?;
    let (system, value): (System, _) = (system.parse().map_err(|_| wrong())?, fields.text("value"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if id.is_empty() || !id.bytes().all(is_plain) {
        return Err(wrong());
    }
    let what = fields.text("what");
    let (_, _, is_in_both) = VALUES.iter().find(|(word, _, _)| *word == what).ok_or_else(wrong)?;
    let (method, path, body) = match (system, what) {
        (System::HighLevel, _) if !is_in_both => {
            return Err(Failed::invalid("HighLevel's contacts have no status: choose a lead."));
        }
        (System::HighLevel, _) => (reqwest::Method::PUT, format!("/contacts/{id}"), json!({ what: value })),
        (System::CasePeer, "status") => {
            (reqwest::Method::PATCH, format!("/leads/{id}"), json!({ "status": value }))
        }
        (System::CasePeer, "city") => {
            let client = json!({ "client": { "address": { "city": value } } });
            (reqwest::Method::PATCH, format!("/leads/{id}"), client)
        }
        (System::CasePeer, _) => {
            (reqwest::Method::PATCH, format!("/leads/{id}"), json!({ "client": { what: value } }))
        }
    };
    ask(&console, system, method, &path, Some(body)).await?;
    Ok(Redirect::to("/sandbox?done=changed").into_response())
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
    ask(&console, System::HighLevel, reqwest::Method::POST, "/twin/faults", Some(fault)).await?;
    Ok(Redirect::to("/sandbox?done=broken").into_response())
}
