//! Changing a mapping: the form, what it would have done, and saving it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::Value;

use super::super::Console;
use super::super::failure::Failed;
use super::super::form::Posted;
use super::super::page::{capital, page, token};
use super::super::session::Visitor;
use super::draft::Draft;
use super::rows::{differs, in_order, is_empty, map, reversed, select, status, task, what_if};
use super::{back, direction, owner, written};
use crate::bridge::{MappingSeen, Met, Values, WhatIf};
use crate::domain::{Field, FieldName, FirmId, Role};
use crate::rules::{Direction, Owner, WriteRule};

/// The events that are planned anew before a change is saved: each reads both systems.
const PLANNED: usize = 25;
/// How long both systems are waited for before the page is shown without their values.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the form is drawn with.
struct Sheet<'a> {
    seen: &'a MappingSeen,
    draft: &'a Draft,
    values: &'a Values,
    met: &'a Met,
    wrong: Option<String>,
    what_if: Option<&'a WhatIf>,
    /// Where one more row was asked for.
    grown: &'a str,
}

/// The most values that are listed as having come.
const MOST_CAME: usize = 30;

/// `/mapping/{firm}/edit`
pub(in crate::console) async fn edit(
    State(console): State<Arc<Console>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failed> {
    let id = FirmId::new(id);
    console.bridge.known_firm(&visitor.actor, Role::Admin, &id)?;
    let seen = console.bridge.mapping_for(&visitor.actor, &id).await?;
    let draft = Draft::of(&seen.firm.rules, seen.version());
    shown(&console, &visitor, &seen, &draft, (None, "")).await
}

/// `POST /mapping/{firm}/edit`
pub(in crate::console) async fn change(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let id = FirmId::new(id);
    let visitor = &posted.visitor;
    console.bridge.known_firm(&visitor.actor, Role::Admin, &id)?;
    if posted.fields.text("do") == "back" {
        return back(&console, &posted, &id).await;
    }
    let seen = console.bridge.mapping_for(&visitor.actor, &id).await?;
    let draft = Draft::read(&seen.firm.rules, &posted.fields);
    let mut what_if = None;
    match (posted.fields.text("do"), draft.rules()) {
        ("save", Ok(rules)) => {
            console.bridge.save_mapping_as(&visitor.actor, &id, Some(&rules), draft.from).await?;
            return Ok(Redirect::to(&format!("/mapping/{id}?done=saved")).into_response());
        }
        ("what-if", Ok(rules)) => {
            what_if = Some(console.bridge.what_if_as(&visitor.actor, &id, &rules, PLANNED).await?);
        }
        _ => {}
    }
    let grown = posted.fields.raw("do").strip_prefix("look ").unwrap_or_default();
    Ok(shown(&console, visitor, &seen, &draft, (what_if.as_ref(), grown)).await?.into_response())
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    seen: &MappingSeen,
    draft: &Draft,
    (what_if, grown): (Option<&WhatIf>, &str),
) -> Result<Html<String>, Failed> {
    let id = &seen.firm.id;
    let asked = console.bridge.values_for(&visitor.actor, id);
    let values = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(values) => values?,
        Err(_) => Values {
            missing: vec!["Both systems take too long to answer just now".into()],
            ..Values::default()
        },
    };
    let met = console.bridge.values_met(&visitor.actor, id).await?;
    let wrong = draft.rules().err();
    let sheet = Sheet { seen, draft, values: &values, met: &met, wrong, what_if, grown };
    Ok(page(visitor, "/mapping", "Change the mapping", sheet.form(visitor)))
}

impl Sheet<'_> {
    fn form(&self, visitor: &Visitor) -> Markup {
        let id = &self.seen.firm.id;
        html! {
            p.back { a href={ "/mapping/" (id) } { "Back to the mapping" } }
            h1 { "Change the mapping" }
            p.lead { "For " strong { (id) } ". What you save here stands in place of what the configuration file says of it under " code { "[firms.sync]" } ", and is in force from the next event on. Where leads come from and the time zone always stand in the file." }
            @if !self.values.missing.is_empty() {
                details.notice-line { summary { "Some values could not be read from the two systems; you can type them." }
                    ul { @for one in &self.values.missing { li { (one) } } } }
            }
            @if let Some(wrong) = &self.wrong { div.alarm role="alert" { p { strong { "It cannot be saved so." } " " (wrong) } } }
            form method="post" action={ "/mapping/" (id) "/edit" } {
                (token(visitor))
                button hidden type="submit" name="do" value="look" { "Look" }
                input type="hidden" name="from" value=(self.draft.from);
                (self.lists())
                (self.statuses())
                (self.fields())
                (self.words())
                (self.notes())
                (self.tasks())
                (self.outcome())
            }
        }
    }

    /// What inputs offer for picking.
    fn lists(&self) -> Markup {
        let stages = self
            .values
            .pipelines
            .iter()
            .flat_map(|(pipeline, stages)| stages.iter().map(move |stage| (stage, pipeline)));
        let emails = |users: &[crate::domain::User]| {
            users.iter().map(|user| (user.email.clone(), user.name.clone())).collect::<Vec<_>>()
        };
        html! {
            datalist #pipelines { @for (name, _) in &self.values.pipelines { option value=(name) {} } }
            datalist #stages { @for (stage, pipeline) in stages { option value=(stage) { (pipeline) } } }
            datalist #tags { @for tag in &self.values.tags { option value=(tag) {} } }
            datalist #statuses-known { @for status in &self.values.statuses { option value=(status) {} } }
            datalist #case-types { @for one in &self.values.case_types { option value=(one) {} } }
            datalist #sources { @for one in &self.values.sources { option value=(one) {} } }
            datalist #custom-fields { @for one in &self.values.custom_fields { option value=(one) {} } }
            datalist #reasons { @for one in &self.values.lost_reasons { option value=(one) {} } }
            datalist #casepeer-users { @for (email, name) in emails(&self.values.casepeer_users) { option value=(email) { (name) } } }
            datalist #highlevel-users { @for (email, name) in emails(&self.values.highlevel_users) { option value=(email) { (name) } } }
        }
    }

    /// Values that came or are there, and that a map does not have.
    fn unknown(
        &self,
        met: &BTreeMap<String, usize>,
        there: &[String],
        mapped: &Value,
    ) -> Vec<(String, usize)> {
        let is_mapped = |name: &str| {
            mapped.as_object().is_some_and(|map| map.keys().any(|key| key.eq_ignore_ascii_case(name)))
        };
        let came = met.iter().map(|(name, times)| (name.clone(), *times));
        let others = there.iter().filter(|name| !met.contains_key(*name)).map(|name| (name.clone(), 0));
        came.chain(others).filter(|(name, _)| !is_mapped(name)).collect()
    }

    fn statuses(&self) -> Markup {
        let mapped = &self.draft.json["statuses"];
        let unknown = self.unknown(&self.met.statuses, &self.values.statuses, mapped);
        let none = serde_json::Map::new();
        let rows = mapped.as_object().unwrap_or(&none);
        html! {
            section.card aria-labelledby="statuses" {
                h2 #statuses { "CASEpeer statuses" }
                p.hint { "What each status means for the contact's opportunity in HighLevel. One that is not listed changes nothing." }
                @if !unknown.is_empty() {
                    p { "Not mapped yet:" }
                    div.actions.offered { @for (name, times) in &unknown {
                        button.small type="submit" name="do" value={ "status " (name) } { "Add “" (name) "”" @if *times > 0 { " – came " (times) "×" } }
                    } }
                }
                @for (index, (name, rule)) in rows.iter().enumerate() { (status(index, name, rule)) }
                (status(rows.len(), "", &Value::Null))
            }
        }
    }

    fn fields(&self) -> Markup {
        let none = serde_json::Map::new();
        let rows = self.draft.json["fields"].as_object().unwrap_or(&none);
        html! {
            details.card open[self.is_open(&["fields"], &["f."])] {
                summary { h2 #fields { "Fields" } }
                p.hint { "Statute dates, SSN, medical, insurance and settlement data are never written, whatever is set." }
                (came("Tags that came in events and stand for no value", &self.unmapped_tags(rows)))
                // In the usual order; the firm's own come last.
                div.table tabindex="0" role="region" aria-label="Each field" { table.stack {
                    thead { tr { @for name in ["Field", "Goes", "Is written", "Stands before signing", "Stands after signing"] { th scope="col" { (name) } } } }
                    tbody { @for (index, (name, settings)) in in_order(rows).enumerate() { (self.field(index, name, settings)) } }
                } }
                div.line {
                    div.grow { label for="own" { "A field of the firm's own" } input #own name="own" autocomplete="off" list="custom-fields" aria-describedby="own-help"; }
                    button type="submit" name="do" value="add-field" { "Add the field" }
                }
                p.hint #own-help { "By the key of its custom field in HighLevel." }
            }
        }
    }

    fn field(&self, index: usize, name: &str, settings: &Value) -> Markup {
        let at = format!("f.{index}");
        let field: Option<FieldName> = name.parse().ok();
        let title = field.as_ref().map_or(name.to_owned(), |field| capital(field.title()));
        let text = |key: &str| settings[key].as_str().unwrap_or_default();
        // One owner for both stages is written as a word.
        let owner_at = |stage: &str| {
            settings["owner"][stage].as_str().or(settings["owner"].as_str()).unwrap_or_default()
        };
        let is = |known: Field| field == Some(FieldName::Known(known));
        let offers = if is(Field::CaseType) {
            "case-types"
        } else if is(Field::Source) || is(Field::SourceType) {
            "sources"
        } else {
            ""
        };
        let unmapped = if is(Field::CaseType) {
            self.unknown(&self.met.case_types, &[], &reversed(&settings["values"]))
        } else if is(Field::Source) {
            self.unknown(&self.met.sources, &[], &settings["values"])
        } else {
            Vec::new()
        };
        html! {
            tr.settings {
                th scope="row" { (title) input type="hidden" name={ (at) ":name" } value=(name); }
                (select((&at, &title), "direction", "goes", Direction::ALL.map(|one| (one.as_str(), direction(one))), text("direction")))
                (select((&at, &title), "write", "is written", WriteRule::ALL.map(|one| (one.as_str(), written(one))), text("write")))
                (select((&at, &title), "open", "stands before signing", Owner::ALL.map(|one| (one.as_str(), owner(one))), owner_at("open")))
                (select((&at, &title), "signed", "stands after signing", Owner::ALL.map(|one| (one.as_str(), owner(one))), owner_at("signed")))
            }
            tr { td colspan="5" {
                details open[!is_empty(&settings["values"]) || !is_empty(&settings["tags"])] {
                    summary { "Where it is kept, and words that differ" span.unseen { ": " (title) } }
                    div.line {
                        div.grow { label for={ "hk-" (index) } { "HighLevel custom field" } input id={ "hk-" (index) } name={ (at) ":highlevel_key" } value=(text("highlevel_key")) list="custom-fields" autocomplete="off"; }
                        div.grow { label for={ "ck-" (index) } { "CASEpeer custom value" } input id={ "ck-" (index) } name={ (at) ":casepeer_key" } value=(text("casepeer_key")) autocomplete="off"; }
                    }
                    (came("Came in events", &unmapped))
                    h3 { "Values" }
                    (map(&format!("{at}:values"), &settings["values"], (&format!("{title}, in HighLevel"), ""), (&format!("{title}, in CASEpeer"), offers)))
                    h3 { "Tags that stand for a value" }
                    (map(&format!("{at}:tags"), &settings["tags"], (&format!("{title}: the tag"), "tags"), (&format!("{title}: what it means in CASEpeer"), offers)))
                }
            } }
        }
    }

    fn words(&self) -> Markup {
        let json = &self.draft.json;
        html! {
            details.card open[self.is_open(&["lost_reasons", "tasks"], &["assignees", "lost", "priorities"])] {
                summary { h2 #people { "People and reasons" } }
                h3 { "People whose e-mails differ" }
                p.hint { "Those with the same e-mail in both need not be listed." }
                (came("In CASEpeer, and without anybody of the same e-mail in HighLevel", &self.unmapped_people()))
                (map("assignees", &json["tasks"]["assignees"], ("E-mail in CASEpeer", "casepeer-users"), ("E-mail in HighLevel", "highlevel-users")))
                h3 { "Reasons for turning a case down" }
                (map("lost", &json["lost_reasons"], ("Reason in CASEpeer", ""), ("Reason in HighLevel", "reasons")))
                h3 { "Priorities of tasks" }
                p.hint { "HighLevel knows none: what stands before the title there." }
                (map("priorities", &json["tasks"]["priorities"], ("Priority in CASEpeer", ""), ("Before the title", "")))
            }
        }
    }

    /// Tags that came, and that no field takes for a value.
    fn unmapped_tags(&self, fields: &serde_json::Map<String, Value>) -> Vec<(String, usize)> {
        let mut tags = self.unknown(&self.met.tags, &[], &Value::Null);
        for settings in fields.values() {
            let mapped = settings["tags"].as_object();
            tags.retain(|(tag, _)| {
                !mapped.is_some_and(|map| map.keys().any(|one| one.eq_ignore_ascii_case(tag)))
            });
        }
        tags
    }

    /// CASEpeer's users who would be nobody in HighLevel.
    fn unmapped_people(&self) -> Vec<(String, usize)> {
        let emails = self.values.casepeer_users.iter().map(|user| user.email.clone());
        let people: Vec<String> = emails
            .filter(|email| {
                !self.values.highlevel_users.iter().any(|one| one.email.eq_ignore_ascii_case(email))
            })
            .collect();
        self.unknown(&BTreeMap::new(), &people, &self.draft.json["tasks"]["assignees"])
    }

    fn notes(&self) -> Markup {
        let json = &self.draft.json;
        let lines = |value: &Value| {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        };
        html! {
            details.card open[self.is_open(&["notes", "businesses"], &[])] {
                summary { h2 #notes { "Notes and businesses" } }
                label for="categories" { "Categories of CASEpeer's notes that HighLevel may see, one on a line" }
                textarea #categories name="categories" rows="3" aria-describedby="categories-help" { (lines(&json["notes"]["to_highlevel"])) }
                p.hint #categories-help { "Notes are free text about an injured person: none crosses unless it is listed."
                    @if !self.met.categories.is_empty() { " Came in events: " @for (name, times) in &self.met.categories { code { (name) } " " (times) "× " } } }
                label.choice { input type="checkbox" name="notes_to_casepeer" value="yes" checked[json["notes"]["to_casepeer"] == true]; " HighLevel's notes are copied to CASEpeer" }
                label for="source-types" { "Kinds of source that are businesses, one on a line" }
                textarea #source-types name="source_types" rows="2" { (lines(&json["businesses"]["source_types"])) }
            }
        }
    }

    /// Whether a part is open: where something was changed, is wrong, or has just got a row.
    fn is_open(&self, keys: &[&str], rows: &[&str]) -> bool {
        let now = self.seen.firm.rules.to_json();
        let differs = |then: &Value| keys.iter().any(|key| now[*key] != then[*key]);
        let has_row = rows.iter().any(|begin| self.grown.starts_with(begin));
        has_row || self.draft.rules().map_or(true, |rules| differs(&rules.to_json()))
    }

    fn tasks(&self) -> Markup {
        let json = &self.draft.json;
        let rows = json["initial_tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let appointments = json["appointments"]["create"].as_str().unwrap_or_default();
        let crossing = &json["tasks"];
        html! {
            details.card open[self.is_open(&["initial_tasks", "tasks", "appointments"], &["t"])] {
                summary { h2 #tasks { "Tasks and appointments" } }
                h3 { "First tasks of a new lead" }
                p.hint { "A lead gets each once, in HighLevel. Without a title it is taken out." }
                @for (index, one) in rows.iter().enumerate() { (task(index, one)) }
                (task(rows.len(), &Value::Null))
                button.small type="submit" name="do" value="look t" { "One more task" }
                h3 { "Copied tasks" }
                label for="due" { "Due after, where a copied task says nothing" }
                input #due name="default_due_in" value=(crossing["default_due_in"].as_str().unwrap_or_default()) autocomplete="off";
                label.choice { input type="checkbox" name="text_to_highlevel" value="yes" checked[crossing["text_to_highlevel"] == true]; " HighLevel may see the title and text of CASEpeer's tasks" }
                label for="appointments" { "An appointment in HighLevel becomes, in CASEpeer," }
                select #appointments name="appointments" {
                    @for (word, words) in [("note", "a note"), ("task", "a task"), ("nothing", "nothing")] { option value=(word) selected[word == appointments] { (words) } }
                }
            }
        }
    }

    fn outcome(&self) -> Markup {
        let changed = self.draft.rules().ok().filter(|rules| *rules != self.seen.firm.rules);
        html! {
            section.card aria-labelledby="outcome" {
                h2 #outcome { "What it would change" }
                @match &changed {
                    None => p.hint { @if self.wrong.is_some() { "It has to be right first." } @else { "Nothing is changed yet." } },
                    Some(rules) => (differs(&self.seen.firm.rules, rules)),
                }
                @if let Some(told) = self.what_if { (what_if(told)) }
                @else { p.hint { "Before you save, the last events of " (PLANNED) " people can be planned anew by the changed mapping. Both systems are read; nothing is written." } }
            }
            div.actions.save {
                button type="submit" name="do" value="what-if" { "See what it would have done" }
                button.primary type="submit" name="do" value="save" { "Save" }
            }
        }
    }
}

/// Values that no map has, with how often each came.
fn came(what: &str, values: &[(String, usize)]) -> Markup {
    html! {
        @if !values.is_empty() {
            p.hint { (what) ": " @for (value, times) in values.iter().take(MOST_CAME) { code { (value) } @if *times > 0 { " " (times) "×" } " " } }
        }
    }
}
