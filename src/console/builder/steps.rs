//! The part of the form for what is done: actions of the catalog, each with its parameters.

use maud::{Markup, html};

use super::super::catalog::title;
use super::super::page::pill;
use super::draft::{StepDraft, is_empty};
use super::look::Look;
use super::values;
use crate::operations::Effect;
use crate::operations::catalog::{Entry, Kind, Parameter, all};
use crate::rules::automation::MOST_STEPS;

/// The actions that are offered at once.
const OFFERED: usize = 8;

/// What most rules do: offered before anybody has looked for something.
const COMMON: [&str; 8] = [
    "contacts.add-tags",
    "contacts.remove-tags",
    "contacts.create-task",
    "contacts.create-note",
    "contacts.add-contact-to-workflow",
    "contacts.update-contact",
    "task.create",
    "note.create_on_lead",
];

/// Every step.
pub(super) fn section(look: &Look<'_>) -> Markup {
    let steps = &look.draft.steps;
    html! {
        section.card aria-labelledby="then" {
            h2 #then { "Then" }
            (look.said("then", "then", steps.is_empty(), None))
            @for (index, step) in steps.iter().enumerate() { (shown(look, step, index, steps.len())) }
            @if steps.len() < MOST_STEPS {
                button type="submit" name="do" value="add-step" { "Add a step" }
            }
        }
    }
}

fn shown(look: &Look<'_>, step: &StepDraft, index: usize, count: usize) -> Markup {
    let at = format!("then.{index}");
    html! {
        fieldset.step {
            legend { "Step " (index + 1) }
            input type="hidden" name={ (at) ":step" } value="yes";
            @if count > 1 {
                div.buttons {
                    button.small type="submit" name="do" value={ "up " (at) } disabled[index == 0] { "Earlier" span.unseen { ": step " (index + 1) } }
                    button.small type="submit" name="do" value={ "down " (at) } disabled[index + 1 == count] { "Later" span.unseen { ": step " (index + 1) } }
                    button.small type="submit" name="do" value={ "remove-step " (at) } { "Remove" span.unseen { " step " (index + 1) } }
                }
            }
            @match step.action {
                None => (choosing(look, step, index, &at)),
                Some(action) => (chosen(look, step, action, index, &at)),
            }
        }
    }
}

/// The actions that somebody looks for, those of the usual kind first.
fn offered(find: &str) -> Vec<&'static Entry> {
    let is_action = |entry: &&Entry| entry.kind == Kind::Action && entry.effect != Effect::Read;
    if find.is_empty() {
        let entries = COMMON.iter().filter_map(|id| all().iter().find(|entry| entry.id == *id));
        return entries.filter(is_action).collect();
    }
    let found = all().iter().filter(is_action);
    let mut found: Vec<&Entry> =
        found.filter(|entry| find.split_whitespace().all(|word| entry.mentions(word))).collect();
    found.sort_by_key(|entry| (entry.deprecated, !COMMON.contains(&entry.id.as_str())));
    found
}

fn choosing(look: &Look<'_>, step: &StepDraft, index: usize, at: &str) -> Markup {
    let found = offered(&step.find);
    let id = at.replace('.', "-");
    html! {
        div.line {
            div.grow {
                label for={ "find-" (id) } { "What is to be done?" }
                input id={ "find-" (id) } type="search" name={ (at) ":find" } value=(step.find) autocomplete="off"
                    placeholder="tag, task, note, workflow…" autofocus[look.draft.focus.as_deref() == Some(at)]
                    hx-post="/builder" hx-trigger="input delay:300ms" hx-target={ "#found-" (id) } hx-select={ "#found-" (id) } hx-swap="outerHTML";
            }
            button type="submit" name="do" value="look" { "Search" }
        }
        (look.said(at, &format!("then[{}].action", index + 1), true, None))
        div id={ "found-" (id) } {
            @if step.find.is_empty() { p.hint { "Often used:" } }
            @else { p.hint role="status" { (found.len()) " found" @if found.len() > OFFERED { ", the first " (OFFERED) " shown" } } }
            ul.offers { @for entry in found.iter().take(OFFERED) {
                li {
                    button.small type="submit" name="do" value={ "choose " (at) " " (entry.id) } { "Use" span.unseen { " " (entry.id) } }
                    div { strong { (entry.help) } div.ids { (title(entry.system)) " · " (entry.id) @if let Some(scope) = &entry.scope { " · needs " (scope) } @if entry.deprecated { " " (pill("warn", "not advised")) } } }
                }
            } }
        }
    }
}

fn chosen(look: &Look<'_>, step: &StepDraft, action: &'static Entry, index: usize, at: &str) -> Markup {
    let place = format!("then[{}]", index + 1);
    let is_set = |one: &Parameter| step.with.iter().any(|(name, _)| *name == one.name);
    let more: Vec<&Parameter> =
        action.parameters.iter().filter(|one| one.filled.is_none() && !is_set(one)).collect();
    // In the catalog's order; what the action does not know comes last.
    let order = |name: &str| action.parameters.iter().position(|one| one.name == name).unwrap_or(usize::MAX);
    let mut with: Vec<_> = step.with.iter().collect();
    with.sort_by_key(|(name, _)| order(name));
    let id = at.replace('.', "-");
    html! {
        input type="hidden" name={ (at) ":action" } value=(action.id);
        div.between {
            p { strong { (action.help) } br; span.ids { (title(action.system)) " · " (action.id) @if let Some(scope) = &action.scope { " · needs the scope " (scope) } } }
            button.small type="submit" name="do" value={ "other " (at) } { "Choose another action" }
        }
        (look.said(at, &format!("{place}.action"), false, None))
        @for (number, (name, value)) in with.into_iter().enumerate() {
            @let inner = format!("{at}.{number}");
            @let parameter = action.parameter(name);
            @let is_needed = parameter.is_some_and(|one| one.required);
            div.parameter {
                input type="hidden" name={ (inner) ":name" } value=(name);
                div.between {
                    h3 { (name) @if is_needed { " " span.needed { "needed" } } }
                    @if !is_needed { button.small type="submit" name="do" value={ "unset " (inner) } { "Leave out" span.unseen { " " (name) } } }
                }
                @if let Some(parameter) = parameter { p.hint { (parameter.help) " For example " code { (parameter.example) } "." } }
                (values::shown(look, &inner, name, value, parameter))
                (look.said(&inner, &format!("{place}.with.{name}"), is_empty(value), look.value(value, parameter).filter(|_| !is_empty(value))))
            }
        }
        @if !more.is_empty() {
            label for={ "add-" (id) } { "Say more" }
            select id={ "add-" (id) } name={ (at) ":add" } hx-post="/builder" hx-trigger="change" {
                option value="" { "Choose what else to set…" }
                @for one in more { option value=(one.name) { (one.name) " – " (one.help) } }
            }
        }
    }
}
